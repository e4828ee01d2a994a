"""Asking as `trace` does, with a time that stands still, of a database with the log of a test."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import stories
from conftest import fresh_database
from journal_postfix import trace, trace_rows
from journal_postfix.backfill import FileOptions, backfill
from journal_postfix.clock import Clock
from journal_postfix.config import Config, config_from
from journal_postfix.coverage import cover
from journal_postfix.database import READER_SETTINGS, connect
from journal_postfix.finding import Found, find
from journal_postfix.question import Question, read_question
from journal_postfix.trace_logins import find_logins, login_text
from journal_postfix.ways import Way

FOLDER = Path(__file__).parent / "traces"
NOW = datetime(2025, 3, 10, 12, tzinfo=UTC)
KEEP = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
Row = dict[str, Any]


def question(*options: str, zone: tzinfo | None = UTC, now: datetime = NOW) -> Question:
    """What options ask."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    trace.add_options(parser)
    return read_question(parser.parse_args(options), now, zone)


def found(dsn: str, *options: str) -> Found:
    """What is found."""
    with closing(connect(dsn, READER_SETTINGS)) as connection:
        return find(connection, question(*options))


def told(dsn: str, *options: str, config: Config | None = None, now: datetime = NOW) -> str:
    """The answer for people."""
    zone = ZoneInfo("Europe/Berlin") if "--timezone" in options else UTC
    asked, clock = question(*options, zone=zone, now=now), Clock(zone)
    config = config or config_from({"retention": KEEP}, "test")
    with closing(connect(dsn, READER_SETTINGS)) as connection:
        coverage = cover(connection, asked, config, now, clock)
        answer = trace.text(coverage, find(connection, asked), asked, clock)
        return answer + login_text(find_logins(connection, asked), clock)


def objects(dsn: str, *options: str) -> list[Row]:
    """The answer for programs."""
    return trace_rows.as_objects(found(dsn, *options).items)


def queue_ids(dsn: str, *options: str) -> list[str]:
    """The queue ids of the mails found, each of its first one."""
    items = found(dsn, *options).items
    return [item.first.row["queue_id"] for item in items if isinstance(item, Way)]


def load_log(name: str, dsn: str, folder: Path) -> None:
    """Load a log of this folder, else a story."""
    path = FOLDER / f"{name}.log"
    if path.exists():
        config = config_from({"dsn": dsn, "retention": KEEP}, "test")
        backfill(config, [str(path)], FileOptions())
        return
    story = stories.read_story(stories.FOLDER / f"{name}.yml")
    logs = [[line.replace(f"{name}.", "") for line in log] for log in story.logs]
    stories.load_files(dsn, stories.configured([story]), logs, folder)


@contextmanager
def loaded(name: str, server_dsn: str, template: str, folder: Path) -> Iterator[str]:
    """A database of its own with a log."""
    with fresh_database(server_dsn, template) as dsn:
        load_log(name, dsn, folder)
        yield dsn
