"""Mails whose end was never logged are closed by age, and open again where they were not gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journal_postfix import retention
from journal_postfix.backfill import FileOptions, backfill
from journal_postfix.config import Config, config_from
from journal_postfix.writer import Mark
from test_store import EVERYTHING, NOON, batch, message, open_writer, position, rows, run_sql

QID = "3C5D120AB1"
TO = f"{QID}: to=<bob@example.net>, relay=mx.example.net[198.51.100.25]:25, delay=1"
BEGUN = [
    ("smtpd", f"{QID}: client=mail.example.org[192.0.2.10]"),
    ("cleanup", f"{QID}: message-id=<1@example.org>"),
]
ACTIVE = ("qmgr", f"{QID}: from=<ann@example.org>, size=400, nrcpt=1 (queue active)")
DEFERRED = ("smtp", f"{TO}, delays=0.1/0/0/0.9, dsn=4.2.0, status=deferred (450 4.2.0 later)")
REMOVED = ("qmgr", f"{QID}: removed")
WAITS = [*BEGUN, ACTIVE, DEFERRED]
LAST = NOON + timedelta(seconds=3)  # the last line of WAITS
DAY = timedelta(days=1)
KEEP = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
END = "SELECT removed_at, removed_by FROM delivery_from ORDER BY t_i, id"
OPEN = (None, None)


def configured(days: int, **keys: Any) -> Config:
    """Give a configuration that closes mails after so many days."""
    return config_from({"retention": KEEP, "queue": {"close_after": days}, **keys}, "test")


def store(dsn: str, lines: list[tuple[str, str]], t: datetime = NOON) -> None:
    """Store lines as the next batch of one source."""
    with open_writer(dsn) as session:
        found = session.find_sources("file", "source of the tests")
        source = found[0] if found else session.new_source(position(0))
        here = position(int(source.position) + 1)
        session.store(batch(lines, t), [Mark(source, here)], EVERYTHING)


def clean(dsn: str, now: datetime, days: int = 30) -> None:
    """Run the regular clean-up."""
    retention.clean(dsn, configured(days), now)


def test_silence_closes_a_mail(dsn: str) -> None:
    """Not before so many days; then it ended so many days after its last line, for no known fate."""
    store(dsn, WAITS)
    clean(dsn, LAST + 30 * DAY)
    assert rows(dsn, END) == [OPEN]
    assert rows(dsn, "SELECT fate FROM delivery") == [("waiting",)]
    for days in (47, 48):
        clean(dsn, LAST + days * DAY)
        assert rows(dsn, END) == [(LAST + 30 * DAY, "age")]
    assert rows(dsn, "SELECT fate, status FROM delivery") == [(None, "deferred")]


def test_zero_never_closes(dsn: str) -> None:
    """A mail may stay open for ever."""
    store(dsn, WAITS)
    clean(dsn, NOON + 4000 * DAY, days=0)
    assert rows(dsn, END) == [OPEN]


@pytest.mark.parametrize(
    ("lines", "by"),
    [([*WAITS, REMOVED], "qmgr"), (BEGUN, None), ([*BEGUN, DEFERRED], None)],
    ids=["ended", "never queued", "queue not seen"],
)
def test_what_is_not_in_the_queue_is_not_closed(
    dsn: str, lines: list[tuple[str, str]], by: str | None
) -> None:
    """A logged end stays, and a mail that was not seen in the queue gets none."""
    store(dsn, lines)
    clean(dsn, NOON + 40 * DAY)
    assert rows(dsn, "SELECT removed_by FROM delivery_from") == [(by,)]


def test_a_held_mail_is_closed_too(dsn: str) -> None:
    """A mail on hold that nobody sees in the queue is no longer said to be held."""
    store(dsn, [*WAITS, ("postsuper", f"{QID}: placed on hold")])
    assert rows(dsn, "SELECT fate FROM delivery") == [("held",)]
    clean(dsn, NOON + 31 * DAY)
    assert rows(dsn, "SELECT fate FROM delivery") == [(None,)]


def test_a_mail_seen_in_the_queue_lives_on(dsn: str) -> None:
    """The days count from when reconcile saw a mail, if that was later than its last line."""
    store(dsn, WAITS)
    store(dsn, [(daemon, text.replace(QID, "3C5D120AB2")) for daemon, text in WAITS], LAST)
    seen = NOON + 20 * DAY
    run_sql(dsn, f"UPDATE open_mail SET seen_at = '{seen}' WHERE queue_id = '{QID}'")
    clean(dsn, NOON + 49 * DAY)
    assert [by for _, by in rows(dsn, END)] == [None, "age"]
    clean(dsn, NOON + 51 * DAY)
    assert rows(dsn, END)[0] == (seen + 30 * DAY, "age")


def test_a_logged_end_wins(dsn: str) -> None:
    """Its removal, read later, replaces the end that was inferred."""
    store(dsn, WAITS)
    clean(dsn, NOON + 31 * DAY)
    store(dsn, [REMOVED], NOON + DAY)
    assert rows(dsn, END) == [(NOON + DAY, "qmgr")]


@pytest.mark.parametrize("line", [ACTIVE, DEFERRED], ids=["from", "to"])
def test_a_later_line_opens_it_again(dsn: str, line: tuple[str, str]) -> None:
    """A line later than the last one known says that the mail was not gone; then days count anew."""
    store(dsn, WAITS)
    clean(dsn, NOON + 31 * DAY)
    store(dsn, [line], NOON + 5 * DAY)
    assert rows(dsn, END) == [OPEN]
    assert rows(dsn, "SELECT ended_at FROM open_mail") == [(None,)]
    clean(dsn, NOON + 36 * DAY)
    assert rows(dsn, END) == [(NOON + 35 * DAY, "age")]


def test_an_earlier_line_does_not(dsn: str) -> None:
    """A line that was overtaken says nothing about what came after it."""
    store(dsn, [*BEGUN, ACTIVE], NOON)
    clean(dsn, NOON + 31 * DAY)
    store(dsn, [DEFERRED], NOON + timedelta(seconds=1))
    assert rows(dsn, END) == [(NOON + timedelta(seconds=2) + 30 * DAY, "age")]


def test_its_queue_id_comes_back(dsn: str) -> None:
    """A new mail with the id of one closed by age is a mail of its own, and the old one stays."""
    store(dsn, WAITS)
    clean(dsn, NOON + 31 * DAY)
    store(dsn, [*WAITS, REMOVED], NOON + 40 * DAY)
    assert [by for _, by in rows(dsn, END)] == ["age", "qmgr"]


def syslog(lines: list[tuple[str, str]], t: datetime) -> str:
    """Give lines as a file has them."""
    messages = [message(*line, t + timedelta(seconds=n)) for n, line in enumerate(lines)]
    return "".join(
        f"{m['t'].isoformat()} mx1.example.com {m['identifier']}[1]: {m['message']}\n"  # type: ignore[union-attr]
        for m in messages
    )


@pytest.mark.parametrize("first", [0, 1], ids=["beginning", "end"])
@pytest.mark.parametrize("end", [[DEFERRED], [REMOVED]], ids=["open", "removed"])
def test_halves_meet_after_one_was_closed(
    dsn: str, tmp_path: Path, first: int, end: list[tuple[str, str]]
) -> None:
    """A mail whose one half was closed by age is one mail when the file with the other comes."""
    config = replace(configured(30), dsn=dsn)
    later = NOON + 3 * DAY
    parts = [syslog(WAITS, NOON), syslog([ACTIVE, *end], later)]
    for number, text in enumerate([parts[first], parts[1 - first]]):
        path = tmp_path / f"{number}.log"
        path.write_text(text)
        backfill(config, [str(path)], FileOptions(2025, "UTC"))
        clean(dsn, NOON + 400 * DAY)
    last = later + timedelta(seconds=1)
    expected = (last, "qmgr") if end == [REMOVED] else (last + 30 * DAY, "age")
    assert rows(dsn, END) == [expected]
    assert rows(dsn, "SELECT client_address IS NOT NULL FROM delivery_from") == [(True,)]


def test_retention_comes_first(dsn: str) -> None:
    """With equal days for both, the row is deleted, not closed."""
    store(dsn, WAITS)
    config = config_from({}, "test")
    assert config.queue_close_after == config.retention_delivery_delete == 30
    retention.clean(dsn, config, NOON + 31 * DAY)
    assert rows(dsn, END) == []
