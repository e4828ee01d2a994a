"""What the help desk reads: the answers in traces/*.txt, to the question in the first line of each.

`RENEW=1 pytest tests/test_trace_text.py` writes the answers anew; read what has changed then. A log
is traces/NAME.log, else the story NAME; behind a dot the file's name tells several questions apart.
"""

from __future__ import annotations

import os
import shlex
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

import stories
from conftest import fresh_database
from journal_postfix.backfill import FileOptions, backfill
from journal_postfix.clock import Clock
from journal_postfix.config import config_from
from journal_postfix.trace_layout import WIDTH
from journal_postfix.trace_text import page
from journal_postfix.trace_words import SAID
from tracing import FOLDER, KEEP, found, loaded, told

ANSWERS = sorted(FOLDER.glob("*.txt"))
PROMPT = "$ journal-postfix trace "
PROJECT = FOLDER.parent.parent
CLOCK = Clock(UTC)
LATER = datetime(2026, 12, 24, tzinfo=UTC)
FATES_AT_LEAST = 12


def _parts(path: Path) -> tuple[str, str]:
    asked, _, answer = path.read_text("utf-8").partition("\n")
    assert asked.startswith(PROMPT)
    return asked, answer


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_answers(path: Path, server_dsn: str, template: str, tmp_path: Path) -> None:
    """The answer is, to the letter, the one that was read and found good."""
    asked, answer = _parts(path)
    name = path.name.partition(".")[0]
    with loaded(name, server_dsn, template, tmp_path) as dsn:
        now = told(dsn, *shlex.split(asked.removeprefix(PROMPT)))
    if "RENEW" in os.environ:
        path.write_text(f"{asked}\n{now}", "utf-8")
    assert now == answer


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_answers_fit_a_terminal(path: Path) -> None:
    """No line is wider than is promised, and each character prints."""
    _, answer = _parts(path)
    assert max(map(len, answer.splitlines())) <= WIDTH
    assert all(char.isprintable() or char == "\n" for char in answer)


def test_answers_hold_every_kind_of_fate() -> None:
    """Each word for a fate stands in one of the answers."""
    answers = "".join(_parts(path)[1] for path in ANSWERS)
    words = {said.word.format(host="mx") for said in SAID.values()}
    told_of = {word for word in words if word.removesuffix("mx") in answers}
    assert len(told_of) >= FATES_AT_LEAST
    assert told_of == words


def test_every_story_is_told(server_dsn: str, template: str, tmp_path: Path) -> None:
    """Each mail of each story is found by its queue id, and told within the width."""
    with fresh_database(server_dsn, template) as dsn:
        group = max(stories.by_config(stories.read_stories()), key=len)
        stories.load_files(dsn, stories.configured(group), stories.files_of(group), tmp_path)
        ids = {row["queue_id"] for row in stories.stored(dsn).mails}
        assert len(ids) > 50
        for queue_id in ids:
            items = found(dsn, "--queue-id", queue_id, "--probes").items
            assert queue_id in page(items, CLOCK)
            assert max(map(len, page(items, CLOCK).splitlines())) <= WIDTH


def test_the_readme_opens_with_a_trace(server_dsn: str, template: str) -> None:
    """What README.rst shows is what the sample log answers, to the letter."""
    readme = (PROJECT / "README.rst").read_text("utf-8")
    block = readme.partition(".. code-block:: console\n\n")[2].partition("\n\nIt reads")[0]
    asked, _, answer = textwrap.dedent(block).partition("\n")
    with fresh_database(server_dsn, template) as dsn:
        config = config_from({"dsn": dsn, "retention": KEEP}, "test")
        backfill(config, [str(PROJECT / "docs" / "sample" / "mail.log.xz")], FileOptions())
        now = told(dsn, *shlex.split(asked.removeprefix(PROMPT)), now=LATER)
    assert now.splitlines() == answer.splitlines()
