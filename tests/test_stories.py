"""Stories of whole mails, told to the database in many ways: always the same rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import permutations
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import psycopg2
import pytest

import journals
import stories
from journal_postfix.messages import MsgDetails
from journal_postfix.run import How, run
from stories import (
    Story,
    check,
    configured,
    entries,
    files_of,
    follow,
    in_batches,
    in_order,
    load_files,
    messages,
    shuffled,
)

FILES = 3  # journal files a group of stories is spread over
STORIES = stories.read_stories()
EVERY = stories.by_config(STORIES)
# A file has no proof of who wrote into it, so the story of a forger is not for files.
IN_FILES = stories.by_config(story for story in STORIES if story.forged_by_pid is None)


def _name(group: Sequence[Story]) -> str:
    return "-".join(group[0].config) or "default"


# Shuffled over the end of a batch: not where a line that comes too late is all that tells.
LOOSE = stories.by_config(story for story in STORIES if not story.only_in_order)
every = pytest.mark.parametrize("group", EVERY, ids=_name)
in_any_order = pytest.mark.parametrize("group", LOOSE, ids=_name)
in_files = pytest.mark.parametrize("group", IN_FILES, ids=_name)


def assert_told(
    dsn: str, group: Sequence[Story], expected: Callable[[Any], Any] = lambda rows: rows
) -> None:
    """Hold a database against the stories that were loaded."""
    wrong = check(dsn, group, expected)
    assert not wrong, "\n" + "\n".join(wrong)


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    """Ask the database."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        found = cursor.fetchall()
        connection.commit()
    return found


def test_stories_are_named_once() -> None:
    """No file lies in the folder that is part of no story."""
    parts = {log.name.partition(".")[0] for log in stories.FOLDER.glob("*.log")}
    assert parts == {story.name for story in STORIES}


@in_files
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_files(group: list[Story], order: tuple[int, ...], dsn: str, tmp_path: Path) -> None:
    """Logs cut into files give the rows in whatever order the files are loaded."""
    files = files_of(group)
    here = [files[number] for number in order if number < len(files)]
    load_files(dsn, configured(group), here, tmp_path)
    assert_told(dsn, group)


@in_files
def test_files_twice(group: list[Story], dsn: str, tmp_path: Path) -> None:
    """Files that are given again change nothing."""
    for _ in range(2):
        load_files(dsn, configured(group), files_of(group), tmp_path)
    assert_told(dsn, group)


@in_files
def test_files_without_fractions(group: list[Story], dsn: str, tmp_path: Path) -> None:
    """Stamps of the traditional form give the same rows, in whole seconds."""
    logs = [[stories.traditional(line) for line in log] for log in files_of(group)]
    load_files(dsn, configured(group), logs, tmp_path)
    assert_told(dsn, group, stories.in_seconds)


@in_files
@pytest.mark.parametrize("seed", range(6))
def test_shuffled_files(group: list[Story], seed: int, dsn: str, tmp_path: Path) -> None:
    """Lines that changed places by up to a second give the same rows."""
    rng = Random(seed)
    logs = [shuffled(log, rng, group) for log in files_of(group)]
    load_files(dsn, configured(group), logs, tmp_path)
    assert_told(dsn, group)


@in_files
@pytest.mark.parametrize("seed", range(6))
def test_cut_anywhere(group: list[Story], seed: int, dsn: str, tmp_path: Path) -> None:
    """A log cut into two files at any line gives the same rows, the second file loaded first."""
    rng = Random(seed)
    halves = [
        story.cut(0 if story.sessions else rng.randint(0, len(story.lines))) for story in group
    ]
    first, second = ([line for half in halves for line in half[part]] for part in (0, 1))
    load_files(dsn, configured(group), [in_order(second), in_order(first)], tmp_path)
    assert_told(dsn, group, stories.on_any_day)


def told(group: Sequence[Story], found: Sequence[MsgDetails]) -> list[MsgDetails]:
    """Mark the messages that a story says are forged, as the journal does."""
    forgers = {story.name: story.forged_by_pid for story in group if story.forged_by_pid}
    for msg in found:
        forger = forgers.get(msg["host"].partition(".")[0])
        if forger is not None and msg["pid"] == forger:
            msg["trusted"] = False
    return list(found)


FAIL_EVERY_OTHER = """
CREATE SEQUENCE tries;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('tries') % 2 = 1 THEN RAISE EXCEPTION 'no' USING ERRCODE = 'XX000'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fail BEFORE UPDATE ON source FOR EACH ROW EXECUTE FUNCTION fail()
"""
REPEATED = (
    "Mar  3 12:00:00 mx9 postfix/smtpd[1]: message repeated 5 times: [ NOQUEUE: reject: RCPT from"
    " mail.example.org[192.0.2.10]: 554 5.7.1 <bob@example.net>: Relay access denied;"
    " from=<ann@example.org> to=<bob@example.net> proto=ESMTP helo=<mail>]\n"
)


@pytest.mark.parametrize("most", [1, 2, 40])
def test_every_transaction_fails_once(most: int, dsn: str, tmp_path: Path) -> None:
    """A load that breaks off at each of its commits, and is begun again, doubles nothing."""
    group = next(group for group in IN_FILES if not group[0].config)[:12]
    log = in_order(line for story in group for line in story.lines)
    with closing(psycopg2.connect(dsn)) as connection:
        connection.cursor().execute(FAIL_EVERY_OTHER)
        connection.commit()
    config = configured(group, max_messages_per_commit=most)
    for _ in range(2 * len(log) + 20):
        try:
            load_files(dsn, config, [[*log, REPEATED]], tmp_path)
        except psycopg2.InternalError:
            continue
        break
    assert rows(dsn, "DELETE FROM noqueue WHERE mta = 'mx9' RETURNING action") == [("reject",)] * 5
    assert_told(dsn, group)


@every
@pytest.mark.parametrize("size", [1, 2, 3])
def test_small_batches(group: list[Story], size: int, dsn: str, tmp_path: Path) -> None:
    """A service that is restarted after every few lines of a host gives the same rows."""
    lines = in_order(line for story in group for line in story.lines)
    found = told(group, messages(lines, tmp_path))
    follow(dsn, configured(group), in_batches(found, size))
    assert_told(dsn, group)


@every
@pytest.mark.parametrize("seed", range(3))
def test_clock_set_back(group: list[Story], seed: int, dsn: str, tmp_path: Path) -> None:
    """A clock that is set back in the middle of a log changes times and nothing else."""
    rng = Random(seed)
    found = []
    for story in group:
        lines = stories.set_back(story.lines, rng.randint(0, len(story.lines)))
        found += told([story], messages(lines, tmp_path))
    follow(dsn, configured(group), in_batches(found, (1, 3, 10_000)[seed % 3]))
    assert_told(dsn, group, stories.at_any_time)


@in_any_order
@pytest.mark.parametrize("seed", range(6))
def test_small_shuffled_batches(group: list[Story], seed: int, dsn: str, tmp_path: Path) -> None:
    """The same with lines that changed places by up to a second."""
    lines = shuffled((line for story in group for line in story.lines), Random(seed), group)
    found = told(group, messages(lines, tmp_path))
    follow(dsn, configured(group), in_batches(found, seed % 3 + 1))
    assert_told(dsn, group)


@every
@pytest.mark.parametrize("most", [10000, 50, 7])
def test_journals(group: list[Story], most: int, dsn: str, tmp_path: Path) -> None:
    """Journals of as many machines, caught up with by the service, give the same rows."""
    for number in range(FILES):  # several machines in each, as an aggregated journal has them
        found = [one for story in group[number::FILES] for one in entries(story)]
        if found:
            journals.write_journal(tmp_path / "journal" / f"{number}.journal", found)
    folder = {"directory": str(tmp_path / "journal")}
    config = configured(group, dsn=dsn, journal=folder, max_messages_per_commit=most)
    for _ in range(2):
        run(config, Event(), How(once=True))
    assert_told(dsn, group)
    forged = sum(bool(story.forged_by_pid) * 3 for story in group)
    assert rows(dsn, "SELECT sum(forged) FROM source") == [(forged,)]
