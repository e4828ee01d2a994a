"""Batches in the database: exactly once, whatever happens on the way; old days go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg2
import psycopg2.errors
import pytest

from journal_postfix import database, partitions, retention, schema, writer
from journal_postfix.batch import Batch
from journal_postfix.collect import Collector
from journal_postfix.config import Config, config_from
from journal_postfix.messages import InputError, MsgDetails, Position
from journal_postfix.store import Horizon
from journal_postfix.writer import Mark, Writer

NOON = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)
KEEP = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
EVERYTHING = Horizon()
TABLES = ("delivery_from", "delivery_to", "delivery_attempt", "noqueue")

REJECTION = (
    "NOQUEUE: reject: RCPT from mail.example.org[192.0.2.10]: 554 5.7.1 <bob@example.net>: Relay"
    " access denied; from=<ann@example.org> to=<bob@example.net> proto=ESMTP helo=<mail>"
)
REJECT = ("smtpd", REJECTION)


def mail(queue_id: str) -> list[tuple[str, str]]:
    """Give what daemons say about a mail: deferred once, then sent."""
    to = f"{queue_id}: to=<bob@example.net>, relay=mx.example.net[198.51.100.25]:25, delay=1"
    return [
        ("smtpd", f"{queue_id}: client=mail.example.org[192.0.2.10]"),
        ("cleanup", f"{queue_id}: message-id=<{queue_id}@example.org>"),
        ("qmgr", f"{queue_id}: from=<ann@example.org>, size=400, nrcpt=1 (queue active)"),
        ("smtp", f"{to}, delays=0.1/0/0/0.9, dsn=4.2.0, status=deferred (450 4.2.0 later)"),
        ("smtp", f"{to}, delays=60/0/0/0.9, dsn=2.0.0, status=sent (250 2.0.0 Ok)"),
        ("qmgr", f"{queue_id}: removed"),
        REJECT,
    ]


WHOLE = {"delivery_from": 1, "delivery_to": 1, "delivery_attempt": 1, "noqueue": 1}


def message(daemon: str, text: str, t: datetime = NOON) -> MsgDetails:
    """Give a message as an input does."""
    return {
        "t": t,
        "host": "mx1.example.com",
        "identifier": f"postfix/{daemon}",
        "pid": 1,
        "message": text,
        "position": 0,
    }


def batch(lines: list[tuple[str, str]], t: datetime = NOON, config: Config | None = None) -> Batch:
    """Give a batch of lines, a second apart."""
    collector = Collector(config or configured())
    for number, (daemon, text) in enumerate(lines):
        collector.add(message(daemon, text, t + timedelta(seconds=number)))
    return collector.take()


def configured(**retention: int) -> Config:
    """Give a configuration with so many days of retention."""
    days = {table: {"delete": retention.get(table, 0)} for table in ("delivery", "noqueue")}
    return config_from({"retention": days}, "test")


def position(number: int, name: str = "mail.log") -> Position:
    """Give a position in the source of the tests."""
    return Position("file", "source of the tests", name, str(number), f"digest {number}", NOON)


@contextmanager
def open_writer(dsn: str, config: Config | None = None) -> Iterator[Writer]:
    """Give a writer's session, closed afterwards."""
    session = Writer(dsn, (config or configured()).store_options())
    try:
        yield session
    finally:
        session.close()


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    """Ask the database."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def run_sql(dsn: str, *statements: str) -> None:
    """Run statements, each a transaction of its own."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements:
            cursor.execute(statement)


def counts(dsn: str) -> dict[str, int]:
    """Count the rows of the delivery tables."""
    return {table: rows(dsn, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def positions(dsn: str) -> list[str]:
    """Give the stored positions."""
    return [row[0] for row in rows(dsn, "SELECT position FROM source ORDER BY id")]


# --- exactly once ---------------------------------------------------------------------------


def test_rows_and_position_together(dsn: str) -> None:
    """After a store the rows are there, and the position with what was counted."""
    with open_writer(dsn) as session:
        mark = Mark(session.new_source(position(0)), position(700))
        (moved,) = session.store(batch(mail("3C5D120AB1")), [mark], EVERYTHING)
    assert counts(dsn) == WHOLE
    assert moved == mark.source._replace(position="700", digest="digest 700")
    assert rows(dsn, "SELECT position, digest, lines, mta, t_first FROM source") == [
        ("700", "digest 700", 7, "mx1.example.com", NOON)
    ]


FAIL = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {}; RETURN NEW; END $$;
CREATE TRIGGER fail BEFORE UPDATE ON source FOR EACH ROW EXECUTE FUNCTION fail()
"""


@pytest.mark.parametrize("sqlstate", ["57P01", "53100", "XX000"])
def test_nothing_without_the_position(dsn: str, sqlstate: str) -> None:
    """Where the position cannot be written no row stays, and the next try stores it all."""
    with open_writer(dsn) as session:
        mark = Mark(session.new_source(position(0)), position(700))
        run_sql(dsn, FAIL.format(f"RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'"))
        with pytest.raises(psycopg2.Error, match="no"):
            session.store(batch(mail("3C5D120AB1")), [mark], EVERYTHING)
        assert set(counts(dsn).values()) == {0}
        assert positions(dsn) == ["0"]
        run_sql(dsn, "DROP TRIGGER fail ON source")
        session.store(batch(mail("3C5D120AB1")), [mark], EVERYTHING)
    assert counts(dsn) == WHOLE
    assert positions(dsn) == ["700"]


def test_connection_lost_before_the_commit(dsn: str) -> None:
    """A session that the server ended in the middle stores nothing; called again it stores all."""
    with open_writer(dsn) as session:
        mark = Mark(session.new_source(position(0)), position(700))
        run_sql(dsn, FAIL.format("PERFORM pg_terminate_backend(pg_backend_pid())"))
        with pytest.raises(psycopg2.OperationalError):
            session.store(batch(mail("3C5D120AB1")), [mark], EVERYTHING)
        run_sql(dsn, "DROP TRIGGER fail ON source")
        assert set(counts(dsn).values()) == {0}
        session.store(batch(mail("3C5D120AB1")), [mark], EVERYTHING)
    assert counts(dsn) == WHOLE


@pytest.mark.parametrize("same_session", [True, False])
def test_lost_acknowledgement(dsn: str, *, same_session: bool) -> None:
    """A batch given again, because nobody heard that it was committed, is stored once."""
    with open_writer(dsn) as session:
        mark = Mark(session.new_source(position(0)), position(700))
        first = session.store(batch(mail("3C5D120AB1")), [mark], EVERYTHING)
        with open_writer(dsn) as another:
            again = session if same_session else another
            second = again.store(batch(mail("3C5D120AB1")), [mark], EVERYTHING)
        assert second == first
    assert counts(dsn) == WHOLE
    assert rows(dsn, "SELECT lines FROM source") == [(7,)]


def test_several_sources_at_once(dsn: str) -> None:
    """A batch of several machines moves all their positions, or none."""
    with open_writer(dsn) as session:
        marks = []
        for machine in "ab":
            here = position(0)._replace(kind="journal", identity=machine, digest="")
            marks.append(Mark(session.new_source(here), here._replace(position="cursor")))
        session.store(batch(mail("3C5D120AB1")), marks, EVERYTHING)
        session.store(batch(mail("3C5D120AB1")), marks, EVERYTHING)
    assert positions(dsn) == ["cursor", "cursor"]
    assert counts(dsn) == WHOLE


def test_position_moved_by_somebody_else(dsn: str) -> None:
    """A writer whose source was read by another meanwhile stores nothing and says why."""
    with open_writer(dsn) as session:
        source = session.new_source(position(0))
        run_sql(dsn, "UPDATE source SET position = '90'")
        with pytest.raises(InputError, match=r"mail\.log was changed by someone else"):
            session.store(batch(mail("3C5D120AB1")), [Mark(source, position(700))], EVERYTHING)
    assert set(counts(dsn).values()) == {0}
    assert positions(dsn) == ["90"]


def test_source_deleted_by_somebody_else(dsn: str) -> None:
    """So does one whose source is gone."""
    with open_writer(dsn) as session:
        source = session.new_source(position(0))
        run_sql(dsn, "DELETE FROM source")
        with pytest.raises(InputError, match="changed by someone else"):
            session.store(batch(mail("3C5D120AB1")), [Mark(source, position(700))], EVERYTHING)
    assert set(counts(dsn).values()) == {0}


def test_one_reader_per_source(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second reader of a source is sent away, told who reads; when the first ends, it may."""
    monkeypatch.setattr(writer, "LOCK_TRIES", 1)
    with open_writer(dsn) as second:
        with open_writer(dsn) as first:
            first.hold("file", "source of the tests")
            pid = first.session()[0].get_backend_pid()
            with pytest.raises(InputError, match=rf"PostgreSQL session {pid}, user "):
                second.hold("file", "source of the tests")
            second.hold("file", "another one")
        monkeypatch.setattr(writer, "LOCK_TRIES", 50)  # the server may need a moment
        second.hold("file", "source of the tests")


def test_locks_are_taken_again(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that lost its connection holds its sources again with the next one."""
    monkeypatch.setattr(writer, "LOCK_TRIES", 1)
    with open_writer(dsn) as first, open_writer(dsn) as second:
        first.hold("file", "source of the tests")
        first.session()[0].close()
        monkeypatch.setattr(writer, "LOCK_TRIES", 50)
        first.session()
        monkeypatch.setattr(writer, "LOCK_TRIES", 1)
        with pytest.raises(InputError, match="being read by another"):
            second.hold("file", "source of the tests")


# --- rows that the database refuses ---------------------------------------------------------

GUILTY = {
    "a port": ("smtpd", "3C5D120ABF: client=mail.example.org[192.0.2.10]:99999999999"),
    "a number of recipients": (
        "qmgr",
        "3C5D120ABF: from=<ann@example.org>, size=1, nrcpt=99999999999 (queue active)",
    ),
}


@pytest.mark.parametrize("what", GUILTY)
def test_guilty_line(dsn: str, what: str) -> None:
    """A line whose row the database refuses is counted with the SQLSTATE; all others are stored."""
    lines = [
        *mail("3C5D120AB1"),
        GUILTY[what],
        *mail("3C5D120AB2"),
        ("cleanup", "3C5D120ABF: message-id=<1@example.org>"),
    ]
    with open_writer(dsn) as session:
        mark = Mark(session.new_source(position(0)), position(700))
        session.store(batch(lines), [mark], EVERYTHING)
    assert counts(dsn) == {
        "delivery_from": 3,
        "delivery_to": 2,
        "delivery_attempt": 2,
        "noqueue": 2,
    }
    assert positions(dsn) == ["700"]
    ((daemon, sqlstate, count, example),) = rows(
        dsn, "SELECT daemon, sqlstate, count, example FROM unrecognised"
    )
    assert (daemon, sqlstate, count) == (GUILTY[what][0], "22003", 1)
    assert "example.org" not in example


def test_guilty_lines_in_a_row(dsn: str) -> None:
    """Several guilty lines, in one batch and in the next, add up."""
    with open_writer(dsn) as session:
        source = session.new_source(position(0))
        for number in (1, 2):
            guilty = [
                ("smtpd", f"3C5D120AB{n}: client=mail.example.org[192.0.2.10]:99999999999")
                for n in range(3)
            ]
            mark = Mark(source, position(number))
            (source,) = session.store(batch([*guilty, REJECT]), [mark], EVERYTHING)
    assert rows(dsn, "SELECT sqlstate, count FROM unrecognised") == [("22003", 6)]
    assert counts(dsn)["noqueue"] == 2


def test_texts_the_database_cannot_hold_as_they_are(dsn: str) -> None:
    """NUL, lone surrogates, control characters and 100 kB are stored safely, at most 2,000 bytes."""
    long = "ä" * 50_000
    odd = "a\0b\tc\\d\ne\udcffé"
    record = (
        "3C5D120AB1: to=<bob@example.net>, relay=mx.example.net[198.51.100.25]:25, delay=1,"
        f" delays=0/0/0/1, dsn=5.7.1, status=bounced ({'x' * 1999}ä and more)"
    )
    lines = [
        ("cleanup", f"3C5D120AB1: message-id=<{long}@example.org>"),
        ("cleanup", f"3C5D120AB2: message-id=<{odd}@example.org>"),
        ("qmgr", f"3C5D120AB1: from=<{long}@example.org>, size=1, nrcpt=1 (queue active)"),
        ("smtp", record),
    ]
    with open_writer(dsn) as session:
        mark = Mark(session.new_source(position(0)), position(700))
        session.store(batch(lines), [mark], EVERYTHING)
    found = dict(rows(dsn, "SELECT queue_id, message_id FROM delivery_from"))
    assert found["3C5D120AB1"] == "<" + "ä" * 999  # a character is not cut in two
    assert found["3C5D120AB2"] == "<a?b\tc\\d\ne?é@example.org>"
    assert rows(dsn, "SELECT sender FROM delivery_from WHERE size = 1") == [("ä" * 1000,)]
    assert rows(dsn, "SELECT reason FROM delivery_to") == [("x" * 1999,)]
    assert rows(dsn, "SELECT count(*) FROM unrecognised") == [(0,)]


def test_what_is_too_old_is_counted(dsn: str) -> None:
    """Rows that retention would delete at once are not stored, but counted."""
    horizon = Horizon(delivery=NOON.date() + timedelta(days=1), noqueue=None)
    with open_writer(dsn) as session:
        mark = Mark(session.new_source(position(0)), position(700))
        given = batch(mail("3C5D120AB1"))
        session.store(given, [mark], horizon)
    assert counts(dsn) == {**dict.fromkeys(TABLES, 0), "noqueue": 1}
    assert given.too_old == 1
    assert rows(dsn, "SELECT too_old FROM source") == [(1,)]


# --- partitions -----------------------------------------------------------------------------


def ranges(dsn: str, table: str) -> list[tuple[date, date]]:
    """Give the days of a table's partitions."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        return partitions.known(cursor)[table]


@pytest.mark.parametrize(
    ("days", "width"), [(7, 1), (30, 1), (36, 1), (37, 7), (90, 7), (252, 7), (253, 28), (0, 28)]
)
def test_partitions_as_wide_as_retention_wants(dsn: str, days: int, width: int) -> None:
    """Partitions of 1, 7 or 28 days are made when rows need them, and hold their day."""
    config = configured(delivery=days, noqueue=days)
    with open_writer(dsn, config) as session:
        source = session.new_source(position(0))
        for number, t in enumerate((NOON, NOON + timedelta(days=40), NOON - timedelta(days=3)), 1):
            mark = Mark(source, position(number))
            (source,) = session.store(batch(mail(f"3C5D120AB{number}"), t), [mark], EVERYTHING)
    for table in TABLES:
        found = ranges(dsn, table)
        assert all((end - start).days == width for start, end in found)
        for day in (NOON, NOON + timedelta(days=40), NOON - timedelta(days=3)):
            assert sum(start <= day.date() < end for start, end in found) == 1
    assert counts(dsn) == dict.fromkeys(TABLES, 3)


def test_fewer_than_forty_partitions() -> None:
    """Whatever the retention up to a thousand days, its partitions stay below forty."""
    for days in range(1, 1000):
        assert -(-days // partitions.width(days)) + 1 < 40


def test_partitions_after_retention_was_changed(dsn: str) -> None:
    """Wider partitions are cut at those that are there; no row is lost."""
    with open_writer(dsn, configured(delivery=30, noqueue=30)) as session:
        source = session.new_source(position(0))
        mark = Mark(source, position(1))
        (source,) = session.store(batch(mail("3C5D120AB1")), [mark], EVERYTHING)
    with open_writer(dsn, configured(delivery=400, noqueue=400)) as session:
        for number, days in enumerate((-1, 1, 5), 2):
            mark = Mark(source, position(number))
            lines = batch(mail(f"3C5D120AB{number}"), NOON + timedelta(days=days))
            (source,) = session.store(lines, [mark], EVERYTHING)
    assert counts(dsn) == dict.fromkeys(TABLES, 4)
    found = sorted(ranges(dsn, "delivery_from"))
    assert all(end <= start for (_, end), (start, _) in pairwise(found))


# --- clean-up -------------------------------------------------------------------------------


def fill(dsn: str, config: Config, days: range) -> None:
    """Store a mail, and a verdict, on each of these days after NOON's."""
    with open_writer(dsn, config) as session:
        found = session.find_sources("file", "source of the tests")
        source = found[0] if found else session.new_source(position(0))
        for day in days:
            lines = batch(mail(f"3C5D12{day:04X}"), NOON + timedelta(days=day))
            here = position(int(source.position) + 1)
            (source,) = session.store(lines, [Mark(source, here)], EVERYTHING)


def test_old_days_go_by_the_clock(dsn: str) -> None:
    """What is older than retention is gone after a clean-up, and its partitions with it."""
    config = configured(delivery=10, noqueue=3)
    fill(dsn, config, range(15))
    now = NOON + timedelta(days=14)
    cleaned = retention.clean(dsn, config, now)
    assert counts(dsn) == {
        "delivery_from": 11,
        "delivery_to": 11,
        "delivery_attempt": 11,
        "noqueue": 4,
    }
    assert rows(dsn, "SELECT min(day) FROM delivery_to") == [(date(2025, 3, 7),)]
    assert len(ranges(dsn, "delivery_from")) == 11
    assert len(ranges(dsn, "noqueue")) == 4
    logged = rows(
        dsn, "SELECT day, table_name, rows, oldest_left FROM retention_log WHERE step = 'delete'"
    )
    assert sorted(logged) == sorted(
        (row["day"], row["table_name"], row["rows"], row["oldest_left"]) for row in cleaned
    )
    assert len(logged) == 3 * 4 + 11
    assert retention.clean(dsn, config, now) == []


def test_idle_server_is_cleaned_too(dsn: str) -> None:
    """Nothing new comes in, only the clock moves on: in the end all is gone."""
    config = configured(delivery=10, noqueue=3)
    fill(dsn, config, range(3))
    retention.clean(dsn, config, NOON + timedelta(days=400))
    assert set(counts(dsn).values()) == {0}
    assert ranges(dsn, "delivery_from") == []
    assert rows(dsn, "SELECT count(*) FROM open_mail") == [(0,)]


def test_boundary_partition_is_cleaned_by_row(dsn: str) -> None:
    """Of a partition of several days the old ones go; the others stay."""
    config = configured(delivery=90, noqueue=90)
    fill(dsn, config, range(14))
    for day in range(85, 104):
        now = NOON + timedelta(days=day)
        retention.clean(dsn, config, now)
        left = max(0, min(14, 104 - day))
        assert counts(dsn) == dict.fromkeys(TABLES, left)


def test_zero_keeps_for_ever(dsn: str) -> None:
    """Retention 0 deletes nothing."""
    fill(dsn, configured(), range(2))
    assert retention.clean(dsn, configured(), NOON + timedelta(days=4000)) == []
    assert counts(dsn) == dict.fromkeys(TABLES, 2)


def test_interrupted_between_detach_and_drop(dsn: str) -> None:
    """A partition that was detached and not dropped is dropped by the next clean-up."""
    config = configured(delivery=10, noqueue=10)
    fill(dsn, config, range(2))
    run_sql(dsn, "ALTER TABLE delivery_to DETACH PARTITION delivery_to_20250303")
    retention.clean(dsn, config, NOON + timedelta(days=11))
    left = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '_20250303$'"
    assert rows(dsn, left) == []
    assert counts(dsn) == dict.fromkeys(TABLES, 1)


def test_interrupted_within_detach(dsn: str) -> None:
    """A partition half detached, because a reader held it up, is finished by the next clean-up."""
    config = configured(delivery=10, noqueue=10)
    fill(dsn, config, range(2))
    with closing(psycopg2.connect(dsn)) as reader:
        reader.cursor().execute("SELECT count(*) FROM delivery_to")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            run_sql(
                dsn,
                "SET lock_timeout TO '50ms'",
                "ALTER TABLE delivery_to DETACH PARTITION delivery_to_20250303 CONCURRENTLY",
            )
    assert rows(dsn, "SELECT count(*) FROM pg_inherits WHERE inhdetachpending") == [(1,)]
    retention.clean(dsn, config, NOON + timedelta(days=11))
    assert counts(dsn) == dict.fromkeys(TABLES, 1)
    assert len(ranges(dsn, "delivery_to")) == 1


def test_reader_holds_the_clean_up_up(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long report does not block writers by way of the clean-up, which says it was not done."""
    monkeypatch.setitem(retention.SETTINGS, "lock_timeout", "50ms")
    config = configured(delivery=10, noqueue=10)
    fill(dsn, config, range(2))
    now = NOON + timedelta(days=11)
    with closing(psycopg2.connect(dsn)) as reader:
        reader.cursor().execute("SELECT count(*) FROM delivery_from")
        with pytest.raises(InputError, match="clean-up not finished"):
            retention.clean(dsn, config, now)
        fill(dsn, config, range(2, 4))
    retention.clean(dsn, config, now)
    assert counts(dsn) == dict.fromkeys(TABLES, 3)


def test_clean_up_while_others_write(dsn: str) -> None:
    """Clean-ups beside a writer that makes new partitions: both get done, nothing is lost."""
    config = configured(delivery=5, noqueue=5)
    fill(dsn, config, range(10))
    done = Event()
    failures: list[BaseException] = []

    def write() -> None:
        try:
            fill(dsn, config, range(10, 40))
        except BaseException as error:  # noqa: BLE001 - the test's own thread must see it
            failures.append(error)
        finally:
            done.set()

    thread = Thread(target=write)
    thread.start()
    now = NOON + timedelta(days=12)
    while not done.is_set():
        _clean_or_later(dsn, config, now)
    thread.join()
    assert failures == []
    retention.clean(dsn, config, now)
    assert counts(dsn) == dict.fromkeys(TABLES, 33)


def _clean_or_later(dsn: str, config: Config, now: datetime) -> None:
    try:
        retention.clean(dsn, config, now)
    except InputError as error:
        if "it goes on next time" not in str(error):
            raise


# --- schema ---------------------------------------------------------------------------------

RELATIONS = """
SELECT c.oid, c.relname, c.relkind, obj_description(c.oid, 'pg_class') FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
  AND NOT c.relispartition AND c.relname !~ '_id_seq$'
"""
COLUMNS = """
SELECT c.relname, a.attname, col_description(c.oid, a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""


def test_everything_has_a_comment(dsn: str) -> None:
    """Every table, view, sequence and column says what it is."""
    assert [row[1] for row in rows(dsn, RELATIONS) if not row[3]] == []
    assert [row[:2] for row in rows(dsn, COLUMNS) if not row[2]] == []


def test_personal_data_is_cleaned(dsn: str) -> None:
    """Columns that say they hold personal data stand only in tables that retention cleans."""
    tables = {table for table, _, comment in rows(dsn, COLUMNS) if "Personal data" in comment}
    assert tables == {*TABLES, "access_log", "login", "retained", "source"}
    assert {
        column
        for table, column, comment in rows(dsn, COLUMNS)
        if table == "source" and "Personal data" in comment
    } == {"state"}


def test_addresses_are_personal_data(dsn: str) -> None:
    """No column that holds an address, a name or a text of people goes without the word."""
    telling = re.compile(r"sender|recipient|orig_to|^client_|helo|sasl_(?!method)|reason|subject")
    silent = [
        (table, column)
        for table, column, comment in rows(dsn, COLUMNS)
        if table in (*TABLES, "login") and telling.search(column) and "Personal data" not in comment
    ]
    assert silent == []


def columns_of(dsn: str, table: str) -> list[str]:
    """Give the columns of a table that are written."""
    query = f"""
        SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass
        AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    """
    return [row[0] for row in rows(dsn, query)]


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ("delivery_from", {"day", "id", "mta", "queue_id"}),
        ("delivery_to", {"day", "id", "from_id", "mta", "queue_id", "recipient", "orig_to"}),
    ],
)
def test_updates_write_every_column(dsn: str, table: str, keys: set[str]) -> None:
    """A changed row is written whole: no column but the keys is left out of the UPDATE."""
    statement = database.SQL[f"statements/update_{table.removeprefix('delivery_')}"]
    written = dict(re.findall(r"(\w+) = b\.(\w+)", statement.partition("\nFROM ")[0]))
    assert all(name == source for name, source in written.items())
    assert set(written) == set(columns_of(dsn, table)) - keys


def test_history_holds_every_column(dsn: str) -> None:
    """The history of a recipient has no column that the recipient's row has not."""
    attempt = set(columns_of(dsn, "delivery_attempt")) - {"to_id", "t"}
    assert attempt <= set(columns_of(dsn, "delivery_to"))


def test_every_statement_is_used() -> None:
    """No SQL file is forgotten, and none is named that is not there."""
    package = Path(database.__file__).parent
    source = "".join(path.read_text("utf-8") for path in package.glob("*.py"))
    words = set(re.findall(r"\w+", source))
    statements = {name.partition("/")[2] for name in database.SQL if name.startswith("statements")}
    assert statements <= words
    named = set(re.findall(r'SQL\["([\w/]+)"\]', source))
    assert named <= set(database.SQL)


def catalog(dsn: str) -> list[tuple[Any, ...]]:
    """Give all that a schema consists of, in words that can be compared."""
    described = """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL SELECT indexname, indexdef, NULL, NULL, NULL, NULL
        FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT viewname, definition, NULL, NULL, NULL, NULL
        FROM pg_views WHERE schemaname = 'public'
        UNION ALL SELECT proname, pg_get_functiondef(oid), NULL, proacl::text LIKE '{=X%', NULL, obj_description(oid)
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT relname, obj_description(oid, 'pg_class'), reloptions::text, NULL, NULL, NULL
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
        UNION ALL SELECT conname, pg_get_constraintdef(oid), NULL, NULL, NULL, NULL
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    """
    return sorted(rows(dsn, described), key=repr)


def test_migrations_lead_to_the_whole_schema(empty_dsn: str, dsn: str) -> None:
    """The oldest schema, brought here by all migrations, is that of schema.sql."""
    assert sorted(schema.MIGRATIONS) == list(range(2, schema.VERSION + 1))
    with closing(psycopg2.connect(empty_dsn)) as connection:
        oldest = Path(__file__).parent / "schema_1.sql"
        if schema.MIGRATIONS:
            connection.cursor().execute(oldest.read_text("utf-8"))
            connection.commit()
        schema.setup(connection)
        assert schema.setup(connection) == f"schema {schema.VERSION} is in place"
    assert catalog(empty_dsn) == catalog(dsn)


def test_an_older_database_keeps_its_mails(empty_dsn: str) -> None:
    """An upgrade leaves the rows where they are, and no table is written anew; batches go on."""
    with closing(psycopg2.connect(empty_dsn)) as connection, connection.cursor() as cursor:
        cursor.execute((Path(__file__).parent / "schema_1.sql").read_text("utf-8"))
        for table in TABLES:
            cursor.execute("SELECT create_partition(%s, '2025-03-03', '2025-03-04')", (table,))
        cursor.execute("""
            INSERT INTO delivery_from (day, id, mta, queue_id, t_i, t_f, origin, is_submission, sender)
            VALUES ('2025-03-03', 7, 'mx1', 'ABCDEF', '2025-03-03 12:00Z', '2025-03-03 12:00Z', 'smtp', false, 'ann@example.com')
        """)
        cursor.execute("INSERT INTO retention_log (table_name, rows) VALUES ('noqueue', 3)")
        connection.commit()
    files = "SELECT relname, pg_relation_filenode(oid) FROM pg_class WHERE relkind = 'r' AND relname !~ '^pg|^sql'"
    before = set(rows(empty_dsn, files))
    with closing(psycopg2.connect(empty_dsn)) as connection:
        assert schema.setup(connection) == f"schema upgraded from 1 to {schema.VERSION}"
    assert before <= set(rows(empty_dsn, files))
    assert rows(empty_dsn, "SELECT id, sender FROM delivery_from") == [(7, "ann@example.com")]
    assert rows(empty_dsn, "SELECT rows, step FROM retention_log") == [(3, "delete")]
    fill(empty_dsn, configured(delivery=0, noqueue=0), range(2))
    assert rows(empty_dsn, "SELECT count(*) FROM delivery_from") == [(3,)]


def test_an_upgrade_does_not_wait_for_ever(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a table makes others wait: where it is in use, setup changes nothing and says so."""
    monkeypatch.setattr(schema, "LOCK_TIMEOUT", "100ms")
    run_sql(empty_dsn, (Path(__file__).parent / "schema_1.sql").read_text("utf-8"))
    with closing(psycopg2.connect(empty_dsn)) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT FROM retention_log")
        with closing(psycopg2.connect(empty_dsn)) as connection:
            with pytest.raises(InputError, match=r"in use.*run setup again"):
                schema.setup(connection)
            assert schema.is_behind(connection)
            reader.rollback()
            schema.setup(connection)
            assert not schema.is_behind(connection)


@pytest.mark.parametrize(
    ("works_with", "refused"), [(1, False), (schema.VERSION, False), (99, True)]
)
def test_a_newer_schema_says_whom_it_works_with(dsn: str, works_with: int, refused: bool) -> None:
    """An older program goes on with a newer schema until that says otherwise; it leaves it alone."""
    run_sql(dsn, f"INSERT INTO schema_version (version, works_with) VALUES (99, {works_with})")
    with closing(psycopg2.connect(dsn)) as connection:
        for migrate in (False, True):
            with pytest.raises(InputError, match="newer") if refused else nullcontext():
                schema.check(connection, migrate=migrate)
        with pytest.raises(InputError, match="newer"):
            schema.check(connection, migrate=False, exact=True)
        with pytest.raises(InputError, match="newer") if refused else nullcontext():
            assert "99 is in place" in schema.setup(connection)


def test_setup_in_a_schema_of_its_own(empty_dsn: str) -> None:
    """The tables go where search_path says, and are found there."""
    run_sql(empty_dsn, "CREATE SCHEMA mail")
    there = psycopg2.extensions.make_dsn(empty_dsn, options="-c search_path=mail")
    with closing(psycopg2.connect(there)) as connection:
        schema.setup(connection)
    fill(there, configured(delivery=10, noqueue=10), range(2))
    retention.clean(there, configured(delivery=10, noqueue=10), NOON + timedelta(days=11))
    assert counts(there) == dict.fromkeys(TABLES, 1)
    assert rows(empty_dsn, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
