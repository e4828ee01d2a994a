"""What a session remembers of open mails is what is stored, whoever changes them meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from journal_postfix import kept, retention, store
from journal_postfix.batch import Batch
from journal_postfix.collect import Collector
from journal_postfix.database import Connection, Cursor
from journal_postfix.mail import Row
from journal_postfix.messages import Position
from journal_postfix.store import Horizon
from journal_postfix.writer import Mark, Source, Writer
from test_store import configured, rows, run_sql

NOON = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)
EVERYTHING = Horizon()
QID = "3C5D120ABF"
TO = f"{QID}: to=<bob@example.net>, relay=mx.example.net[198.51.100.25]:25, delay=1"
BEGUN = [
    ("smtpd", f"{QID}: client=mail.example.org[192.0.2.10]"),
    ("cleanup", f"{QID}: message-id=<1@example.org>"),
    ("qmgr", f"{QID}: from=<ann@example.org>, size=400, nrcpt=1 (queue active)"),
]
DEFERRED = [("smtp", f"{TO}, delays=0.1/0/0/0.9, dsn=4.2.0, status=deferred (450 4.2.0 later)")]
SENT = [("smtp", f"{TO}, delays=60/0/0/0.9, dsn=2.0.0, status=sent (250 2.0.0 Ok)")]
REMOVED = [("qmgr", f"{QID}: removed")]
TOLD = """
    SELECT f.sender, f.removed_by, t.status, t.attempts, t.t_f - f.t_i
    FROM delivery_from f LEFT JOIN delivery_to t ON t.day = f.day AND t.from_id = f.id
"""

Lines = list[tuple[str, str]]


class Reader:
    """One source of lines with its session, as a `run` has them; batches are minutes apart."""

    def __init__(self, dsn: str, name: str) -> None:
        self.writer = Writer(dsn, configured().store_options())
        self.collector = Collector(configured())
        self.source: Source = self.writer.new_source(Position("journal", name, name, "", "", None))
        self.number = 0

    def batch(self, lines: Lines, minute: int) -> Batch:
        """Give a batch of lines, a second apart."""
        for second, (daemon, text) in enumerate(lines):
            self.collector.add({
                "t": NOON + timedelta(minutes=minute, seconds=second),
                "host": "mx1.example.com",
                "identifier": f"postfix/{daemon}",
                "pid": 1,
                "message": text,
                "position": "",
                "machine": self.source.identity,
            })  # fmt: skip
        return self.collector.take()

    def store(self, lines: Lines, minute: int, horizon: Horizon = EVERYTHING) -> None:
        """Store a batch of lines."""
        batch = self.batch(lines, minute)
        self.number += 1
        new = self.source.stored()._replace(position=str(self.number))
        (self.source,) = self.writer.store(batch, [Mark(self.source, new)], horizon)


@contextmanager
def reader(dsn: str, name: str = "one") -> Iterator[Reader]:
    """Give a source with its session, closed afterwards."""
    found = Reader(dsn, name)
    try:
        yield found
    finally:
        found.writer.close()


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give a list that grows by the number of mails whenever some are loaded."""
    counts: list[int] = []
    load = store._load_mails

    def counted(cursor: Cursor, opened: dict[int, Row]) -> object:
        counts.append(len(opened))
        return load(cursor, opened)

    monkeypatch.setattr(store, "_load_mails", counted)
    return counts


def connected(reader: Reader) -> Connection:
    """Give the connection of a session."""
    connection, _ = reader.writer.session()
    return connection


def test_the_next_lines_load_nothing(dsn: str, loads: list[int]) -> None:
    """A mail is followed through batches of one session without being loaded once."""
    with reader(dsn) as one:
        for minute, lines in enumerate((BEGUN, DEFERRED, SENT, REMOVED)):
            one.store(lines, minute)
    assert rows(dsn, TOLD) == [
        ("ann@example.org", "qmgr", "sent", 2, timedelta(minutes=2)),
    ]
    assert loads == []


def test_another_session_goes_on(dsn: str, loads: list[int]) -> None:
    """Sessions that take turns with one mail see what the other one wrote."""
    with reader(dsn, "one") as one, reader(dsn, "two") as two:
        one.store(BEGUN, 0)
        two.store(DEFERRED, 1)
        one.store(SENT, 2)
        two.store(REMOVED, 3)
    assert rows(dsn, TOLD) == [
        ("ann@example.org", "qmgr", "sent", 2, timedelta(minutes=2)),
    ]
    assert loads == [1, 1, 1]


def test_another_host_changes_nothing(dsn: str, loads: list[int]) -> None:
    """Changes of another host's mails do not make a session forget."""
    with reader(dsn) as one:
        one.store(BEGUN, 0)
        run_sql(dsn, "INSERT INTO host (mta, writer) VALUES ('mx2.example.com', 1)")
        one.store(SENT, 1)
    assert loads == []


def test_closed_by_age(dsn: str) -> None:
    """A mail that the clean-up closed is open again when a line comes, in the row as well."""
    config = configured()
    with reader(dsn) as one:
        one.store(BEGUN, 0)
        retention.clean(dsn, config, NOON + timedelta(days=config.queue_close_after + 1))
        assert rows(dsn, "SELECT removed_by FROM delivery_from") == [("age",)]
        one.store(SENT, config.queue_close_after * 24 * 60)
        assert [row[:3] for row in rows(dsn, TOLD)] == [("ann@example.org", None, "sent")]


def test_deleted_by_retention(dsn: str) -> None:
    """A line of a mail that retention has deleted begins a row of its own."""
    config = configured(delivery=1, noqueue=1)
    with reader(dsn) as one:
        one.store(BEGUN, 0)
        later = NOON + timedelta(days=3)
        retention.clean(dsn, config, later)
        assert rows(dsn, "SELECT count(*) FROM delivery_from") == [(0,)]
        one.store(SENT, 3 * 24 * 60, config.horizon(later))
        assert [row[:3] for row in rows(dsn, TOLD)] == [(None, None, "sent")]


def test_rolled_back(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was merged for a transaction that failed at its end is forgotten with it."""
    with reader(dsn) as one:
        one.store(BEGUN, 0)
        run_sql(
            dsn,
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RAISE EXCEPTION USING ERRCODE = ''40001''; END'",
            "CREATE TRIGGER fail BEFORE UPDATE ON source EXECUTE FUNCTION fail()",
        )
        batch = one.batch(DEFERRED, 1)
        new = one.source.stored()._replace(position="2")
        with pytest.raises(psycopg2.Error):
            one.writer.store(batch, [Mark(one.source, new)], EVERYTHING)
        run_sql(dsn, "DROP TRIGGER fail ON source")
        (one.source,) = one.writer.store(batch, [Mark(one.source, new)], EVERYTHING)
    assert [row[2:4] for row in rows(dsn, TOLD)] == [("deferred", 1)]
    assert rows(dsn, "SELECT count(*) FROM delivery_attempt") == [(0,)]


def test_lost_connection(dsn: str) -> None:
    """A session that connects anew looks at its mails anew."""
    with reader(dsn) as one:
        one.store(BEGUN, 0)
        connected(one).close()
        run_sql(dsn, "UPDATE delivery_from SET sender = 'changed@example.org'")
        one.store(SENT, 1)
    assert [row[0] for row in rows(dsn, TOLD)] == ["changed@example.org"]


def test_bounded(dsn: str, monkeypatch: pytest.MonkeyPatch, loads: list[int]) -> None:
    """Mails beyond the bound are loaded again, those that ended before those that are open."""
    monkeypatch.setattr(kept, "MOST", 1)
    other = [(daemon, text.replace(QID, "4C5D120ABF")) for daemon, text in (*BEGUN, *REMOVED)]
    with reader(dsn) as one:
        one.store(BEGUN, 0)
        one.store(other, 1)
        one.store(REMOVED, 2)
        assert loads == []
        one.store([(daemon, text.replace(QID, "4C5D120ABF")) for daemon, text in SENT], 2)
    assert loads == [1]
    assert sorted(row[1] for row in rows(dsn, TOLD)) == ["qmgr", "qmgr"]
