"""A partition written anew: like the old one, beside writers and readers, whatever interrupts it."""

from __future__ import annotations

from contextlib import closing
from threading import Event, Thread
from typing import Any

import psycopg2
import pytest

from journal_postfix import retention, rewriting
from journal_postfix.database import READER_SETTINGS, SQL, connect
from journal_postfix.messages import InputError
from test_retention_steps import (
    DAY,
    Days,
    cleaned_at_once,
    configured,
    days_of,
    state,
    until,
    whole,
)
from test_store import NOON, TABLES, ranges, rows

INDEXES = """
SELECT p.relname, i.relname, x.indisvalid, pi.inhparent::regclass::text
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class p ON p.oid = x.indrelid
LEFT JOIN pg_inherits pi ON pi.inhrelid = i.oid
WHERE p.relname ~ '_2025'
"""


def test_a_partition_written_anew_is_like_the_old_one(dsn: str) -> None:
    """After a rewriting there are the same partitions, indexes that hang on the tables', no more."""
    config = configured(delivery={"pseudonymise": 2, "delete": 30})
    with days_of(dsn, config) as days:
        days.store(0, *whole("3C5D120001"))
        before = sorted((row[0], row[2], row[3]) for row in rows(dsn, INDEXES))
        files = rows(
            dsn, "SELECT relfilenode FROM pg_class WHERE relname = 'delivery_from_20250303'"
        )
        bounds = ranges(dsn, "delivery_from")
        days.clean(3)
        assert sorted((row[0], row[2], row[3]) for row in rows(dsn, INDEXES)) == before
        assert ranges(dsn, "delivery_from") == bounds
        again = "SELECT relfilenode FROM pg_class WHERE relname = 'delivery_from_20250303'"
        assert rows(dsn, again) != files
        files = rows(dsn, again)
        days.store(3, *whole("3C5D120002"))
        days.store(0.1, *whole("3C5D120003"))  # a late one, into the new partition
        done = days.clean(4)
        assert ("pseudonymise", "delivery_from", NOON.date(), 1) in done
        assert rows(dsn, again) != files  # half of it was due, so it was written anew again
    left = "SELECT relname FROM pg_class WHERE relname ~ '_new$'"
    assert rows(dsn, left) == []
    assert rows(dsn, "SELECT conname FROM pg_constraint WHERE conname = 'days'") == []
    assert rows(
        dsn,
        "SELECT count(*) FROM pg_class WHERE reloptions::text ~ 'autovacuum_enabled' AND relname ~ '_2025'",
    ) == [(0,)]


def filled(days: Days, mails: int) -> None:
    """Store many mails of one day."""
    lines = [line for n in range(mails) for line in whole(f"3C5D{n:06X}")]
    for start in range(0, len(lines), 7000):
        days.store(start / 1e6, *lines[start : start + 7000])
    days.store(1, *whole("3C5DFFFFFF"))


def test_writer_and_reader_go_on(dsn: str) -> None:
    """While a partition is written anew, late rows come and reports are made: nothing is lost or doubled."""
    config = configured(delivery={"pseudonymise": 2, "delete": 30})
    failures: list[BaseException] = []
    seen: set[int] = set()
    done = Event()

    def read() -> None:
        try:
            while not done.is_set():
                ((found,),) = rows(
                    dsn, "SELECT count(*) FROM delivery_from WHERE day = '2025-03-03'"
                )
                seen.add(found)
        except BaseException as error:  # noqa: BLE001 - the test's own thread must see it
            failures.append(error)

    def write() -> None:
        try:
            for number in range(40):
                days.store(0.2, *whole(f"4D5D{number:06X}"))
        except BaseException as error:  # noqa: BLE001 - the same
            failures.append(error)

    with days_of(dsn, config) as days:
        filled(days, 1500)
        threads = [Thread(target=read), Thread(target=write)]
        for thread in threads:
            thread.start()
        while threads[1].is_alive():
            retention.clean(dsn, config, NOON + 3 * DAY)
        threads[1].join()
        done.set()
        threads[0].join()
        assert failures == []
        days.store(3, *whole("3C5DFFFFFE"))
    assert min(seen) >= 1500
    assert max(seen) <= 1540
    anonymous = {(table, NOON.date()): (1540, 0) for table in TABLES[:3]}
    until(lambda: cleaned_at_once(dsn, config, 4) and anonymous.items() <= state(dsn).items())
    assert rows(dsn, "SELECT count(DISTINCT id) FROM delivery_from WHERE day = '2025-03-03'") == [
        (1540,)
    ]


CHANGES = {
    "changed": "UPDATE delivery_to SET attempts = 77 WHERE queue_id = '3C5D000000'",
    "went": "DELETE FROM delivery_to WHERE queue_id = '3C5D000000'",
    "moved": "UPDATE delivery_to SET day = '2025-03-04' WHERE queue_id = '3C5D000000'",
}


@pytest.mark.parametrize("change", sorted(CHANGES))
@pytest.mark.parametrize("commit", [True, False])
def test_what_changes_meanwhile_is_not_lost(
    dsn: str, monkeypatch: pytest.MonkeyPatch, change: str, *, commit: bool
) -> None:
    """A row that changed after it was copied, in a transaction begun before, makes the copy void."""
    config = configured(delivery={"pseudonymise": 2, "delete": 30})
    fill_copy, copies = rewriting._fill, []
    with days_of(dsn, config) as days:
        filled(days, 20)
        with closing(psycopg2.connect(dsn)) as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")  # its number is from before the copy

            def fill_and_change(*given: Any) -> int:
                found = fill_copy(*given)
                if given[1].table == "delivery_to":
                    copies.append(given[2])
                    if len(copies) == 1:
                        cursor.execute(CHANGES[change])
                        other.commit() if commit else other.rollback()
                return found

            monkeypatch.setattr(rewriting, "_fill", fill_and_change)
            retention.clean(dsn, config, NOON + 3 * DAY)
    assert len(copies) == (2 if commit else 1)
    here = "SELECT count(*) FROM delivery_to WHERE day = '2025-03-03'"
    gone = commit and change in ("went", "moved")
    assert rows(dsn, here) == [(19 if gone else 20,)]
    assert rows(dsn, "SELECT count(*) FROM delivery_to WHERE attempts = 77") == [
        (int(commit and change == "changed"),)
    ]
    assert rows(dsn, f"{here} AND recipient !~ '^~'") == [(0,)]


POINTS = ("create_copy", "copy_partition", "stored_columns", "swap_partition", "note_looked")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("which", [1, 3])
def test_killed_at_any_point(
    dsn: str, monkeypatch: pytest.MonkeyPatch, point: str, which: int
) -> None:
    """A clean-up whose session is ended at any point is finished by the next one."""
    config = configured(delivery={"pseudonymise": 2, "delete": 30})
    with days_of(dsn, config) as days:
        filled(days, 20)
        done = "SELECT count(*), count(DISTINCT queue_id) FROM delivery_to"
        before = rows(dsn, done)
        with monkeypatch.context() as patched:
            _end_session_at(patched, point, which)
            with pytest.raises(InputError, match="clean-up not finished"):
                retention.clean(dsn, config, NOON + 3 * DAY)
        assert rows(dsn, done) == before
        retention.clean(dsn, config, NOON + 3 * DAY)
        assert rows(dsn, done) == before
        for table in TABLES[:3]:
            assert state(dsn)[table, NOON.date()] == (20, 0)
    assert rows(dsn, "SELECT relname FROM pg_class WHERE relname ~ '_new$'") == []


def _end_session_at(patched: pytest.MonkeyPatch, point: str, which: int) -> None:
    """Let a statement end its own session, when it is sent for the so-manieth time."""
    module = {"note_looked": "due"}.get(point, "rewriting")
    texts: dict[str, str] = dict(rewriting.SQL)

    class Counting(dict[str, str]):
        sent = 0

        def __getitem__(self, name: str) -> str:
            if name == f"statements/{point}":
                Counting.sent += 1
                if Counting.sent == which:
                    return "SELECT pg_terminate_backend(pg_backend_pid())"
            return texts[name]

    patched.setattr(f"journal_postfix.{module}.SQL", Counting())


def test_a_long_report_holds_it_up(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a reader is at the tables all the time, it is said, nothing is left over, and done later."""
    monkeypatch.setattr(rewriting, "WAITS", (10, 10))
    monkeypatch.setattr(rewriting, "PAUSE", 0.01)
    config = configured(delivery={"pseudonymise": 2, "delete": 30})
    with days_of(dsn, config) as days:
        filled(days, 20)
        with closing(psycopg2.connect(dsn)) as reader:
            reader.cursor().execute("SELECT count(*) FROM delivery_attempt")
            with pytest.raises(InputError, match="clean-up not finished"):
                retention.clean(dsn, config, NOON + 3 * DAY)
            assert rows(dsn, "SELECT relname FROM pg_class WHERE relname ~ '_new$'") == []
        retention.clean(dsn, config, NOON + 3 * DAY)
    assert state(dsn)["delivery_attempt", NOON.date()] == (20, 0)


def test_one_clean_up_at_a_time(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another one is at work a clean-up says that it was not done."""
    monkeypatch.setitem(retention.SETTINGS, "lock_timeout", "50ms")
    with closing(psycopg2.connect(dsn)) as other:
        other.cursor().execute("SELECT pg_advisory_lock(hashtext('journal-postfix clean'))")
        with pytest.raises(InputError, match="clean-up not finished"):
            retention.clean(dsn, configured(), NOON)


def test_a_report_that_has_begun_keeps_its_rows(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its snapshot on a report sees all rows: no partition is exchanged, before it asks for any."""
    monkeypatch.setattr(rewriting, "WAITS", (10,))
    config = configured(delivery={"pseudonymise": 2, "delete": 30})
    with days_of(dsn, config) as days:
        filled(days, 20)
        with closing(connect(dsn, READER_SETTINGS)) as reader, reader.cursor() as cursor:
            reader.set_session(isolation_level="REPEATABLE READ")
            cursor.execute(SQL["queries/report_snapshot"])
            with pytest.raises(InputError, match="clean-up not finished"):
                retention.clean(dsn, config, NOON + 3 * DAY)
            cursor.execute("SELECT count(*) FROM delivery_to WHERE recipient = 'bob@example.net'")
            assert cursor.fetchone() == (21,)
        retention.clean(dsn, config, NOON + 3 * DAY)
    assert state(dsn)["delivery_to", NOON.date()] == (20, 0)
