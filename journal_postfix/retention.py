"""Old data goes: pseudonymised first, then deleted; partitions whole, the rest row by row.

Mails whose end was never logged are closed on the way, and hourly totals counted before.

A partition is detached concurrently and then dropped, each with a short lock timeout, so that
neither writers nor reports wait; what could not be had is tried again at the next clean-up.
By the clock, not by the data: an idle server cleans too. One clean-up at a time; all that it did
stands in `retention_log`, and that it was finished.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import chain
from threading import Event
from typing import Any

from journal_postfix import accesses, erasing, hourly, old_logins, quota
from journal_postfix.config import Config
from journal_postfix.database import PLAIN_SETTINGS, SQL, Connection, Cursor, Error, connect, dicts
from journal_postfix.due import Due, dues, look
from journal_postfix.messages import InputError
from journal_postfix.partitions import DELIVERY_TABLES
from journal_postfix.periods import Periods
from journal_postfix.rewriting import pseudonymise

log = logging.getLogger("journal_postfix")

PORTION = 10000  # rows deleted per transaction
LOCK_TIMEOUT = "2s"
MERGE_TIMEOUT = "1min"  # a merge of a large batch holds its lock for longer than any table's
NEVER_QUEUED_KEPT = timedelta(days=1)
SETTINGS = {
    **PLAIN_SETTINGS,
    "lock_timeout": LOCK_TIMEOUT,
    "work_mem": "64MB",
    "max_parallel_workers_per_gather": "0",
}

Cleaned = list[dict[str, Any]]  # day, table_name, step, rows, oldest_left


def clean(dsn: str, config: Config, now: datetime, *, at_once: bool = False) -> Cleaned:
    """Do what retention demands at this moment; gives what was deleted and pseudonymised, by day.

    Hourly totals are counted before, `at_once` those of all days that have changed.
    Raises InputError where the database cannot be used, and where locks could not be had.
    """
    hourly.fill(dsn, config, now, at_once=at_once)
    connection = connect(dsn, SETTINGS)
    try:
        connection.autocommit = True
        return _clean(connection, config, now)
    except Error as error:
        raise InputError(
            f"clean-up not finished, it goes on next time: {' '.join(str(error).split())}"
        ) from None
    finally:
        connection.close()


def _clean(connection: Connection, config: Config, now: datetime) -> Cleaned:
    periods = config.periods(now)
    cleaned: Cleaned = []
    with connection.cursor() as cursor:
        take_turn(cursor)
        cursor.execute(SQL["statements/release_retained"], {"today": now.date(), "id": None})
        finish_detached(cursor)
        periods = quota.shortened(cursor, config, periods, now)
        _forget_open(cursor, periods.deleted.delivery, now - NEVER_QUEUED_KEPT)
        steps = chain(_steps(cursor, periods, now), accesses.forget(cursor, config, now))
        for row in steps:
            cursor.execute(SQL["statements/log_retention"], {**row, "t": now})
            cleaned.append(row)
        cursor.execute(SQL["statements/forget_looked"])
        if config.queue_close_after:
            _close_old(cursor, now, timedelta(days=config.queue_close_after))
        erasing.finish(connection, now)
        whole = _told("", "clean", sum(row["rows"] for row in cleaned))
        cursor.execute(SQL["statements/log_retention"], {**whole, "t": now})
    return cleaned


def take_turn(cursor: Cursor) -> None:
    """Wait until no other session cleans up; none does as long as this one lasts."""
    cursor.execute("SELECT pg_advisory_lock(hashtext('journal-postfix clean'))")


def _told(table: str, step: str, rows: int, day: date | None = None) -> dict[str, Any]:
    return {"day": day, "table_name": table, "step": step, "rows": rows, "oldest_left": None}


def _steps(cursor: Cursor, periods: Periods, now: datetime) -> Iterator[dict[str, Any]]:
    """Do one thing after the other, and tell of each."""
    firsts = {table: periods.first("delete", table) for table in (*DELIVERY_TABLES, "noqueue")}
    for table, first in firsts.items():
        if first is not None:
            yield from _clean_table(cursor, table, first)
    for due in dues(cursor, "delete", periods):
        if rows := _delete_customers(cursor, due):
            yield _record(cursor, due.table, due.day_from, rows)
    yield from old_logins.forget(cursor, periods.deleted, PORTION)
    _forget_rest(cursor, periods)
    for due in dues(cursor, "pseudonymise", periods):
        if rows := pseudonymise(cursor, due):
            yield _told(due.table, "pseudonymise", rows, due.day_from)
    if rows := old_logins.pseudonymise(cursor, periods, PORTION):
        yield _told("login", "pseudonymise", rows)
    yield from _forget_keys(cursor, periods.keys, now)


def _forget_rest(cursor: Cursor, periods: Periods) -> None:
    """Forget what goes with the mails, and with the last rows of a day."""
    if periods.deleted.delivery is not None:
        cursor.execute(SQL["statements/forget_events"], {"first": periods.deleted.delivery})
    firsts_kept = [first for first in periods.deleted if first is not None]
    if firsts_kept:
        cursor.execute(SQL["statements/forget_sessions"], {"first": max(firsts_kept)})
    if len(firsts_kept) == len(periods.deleted):
        cursor.execute(SQL["statements/forget_spans"], {"first": min(firsts_kept)})


def _forget_keys(cursor: Cursor, first: date | None, now: datetime) -> Iterator[dict[str, Any]]:
    """Destroy the keys of months that lie before a day: what was hashed with them is anonymous."""
    if first is None:
        return
    cursor.execute(SQL["statements/forget_keys"], {"first": first, "now": now})
    months = cursor.fetchall()
    if months:
        cursor.execute("VACUUM hash_key")
    for (month,) in sorted(months):
        yield _told("hash_key", "key", 1, month)


def _delete_customers(cursor: Cursor, due: Due) -> int:
    """Delete rows of single domains whose days are fewer."""
    looked = look(cursor, due)
    if looked.is_done:
        return 0
    query = SQL["statements/delete_due"].format(partition=f'"{due.partition}"', due=due.condition())
    rows = 0
    while True:
        cursor.execute(query, {**due.values(), "portion": PORTION})
        rows += cursor.rowcount
        if cursor.rowcount < PORTION:
            break
    looked.note(cursor, changed=rows > 0)
    return rows


def _forget_open(cursor: Cursor, first: date | None, never_queued_before: datetime) -> None:
    """Expect no more lines of mails that are about to go, nor of those that never came in."""
    _begin_change(cursor, None)
    if first is not None:
        cursor.execute(SQL["statements/forget_open"], {"first": first})
    query = SQL["statements/forget_never_queued"].format(over=SQL["conditions/over"])
    cursor.execute(query, {"before": never_queued_before})
    cursor.execute("COMMIT")


def _begin_change(cursor: Cursor, mta: str | None) -> None:
    """Begin a transaction in which no batch of the host, None: of any, is merged."""
    cursor.execute("BEGIN")
    cursor.execute(f"SET LOCAL lock_timeout TO '{MERGE_TIMEOUT}'")
    cursor.execute(SQL["statements/change_hosts"], {"mta": mta})


def _close_old(cursor: Cursor, now: datetime, kept: timedelta) -> None:
    """Close the mails that were in the queue and gave no sign for so long, host by host."""
    before = now - kept
    cursor.execute(SQL["statements/hosts_with_old"], {"before": before})
    for (mta,) in cursor.fetchall():
        _begin_change(cursor, mta)
        which = {"mta": mta, "before": before, "kept": kept}
        cursor.execute(SQL["statements/close_old"], which)
        closed = cursor.rowcount
        cursor.execute("COMMIT")
        if closed:
            log.info("clean-up: %d mails closed by age", closed)


def finish_detached(cursor: Cursor) -> None:
    """Finish what an interrupted clean-up left: partitions half detached, or not yet dropped."""
    cursor.execute(SQL["statements/detached"])
    for row in dicts(cursor):
        if row["pending"]:
            cursor.execute(
                f'ALTER TABLE {row["table_name"]} DETACH PARTITION "{row["partition"]}" FINALIZE'
            )
        cursor.execute(f'DROP TABLE "{row["partition"]}"')


def _clean_table(cursor: Cursor, table: str, first: date) -> Cleaned:
    cursor.execute(SQL["statements/partitions"])
    old = [row for row in dicts(cursor) if row["table_name"] == table and row["day_from"] < first]
    cleaned = []
    for row in old:
        is_whole = row["day_to"] <= first and not keeps_retained(cursor, row)
        if is_whole:
            rows = _drop(cursor, table, row["partition"])
        else:
            rows = _delete(cursor, table, row["partition"], first)
        if rows or is_whole:
            cleaned.append(_record(cursor, table, row["day_from"], rows))
    return cleaned


def keeps_retained(cursor: Cursor, days: dict[str, Any]) -> bool:
    """Whether rows from `day_from` up to, not including, `day_to` are retained."""
    cursor.execute(SQL["statements/keeps_retained"], days)
    return cursor.fetchone() == (True,)


def _drop(cursor: Cursor, table: str, partition: str) -> int:
    cursor.execute(f'SELECT count(*) FROM "{partition}"')
    (rows,) = cursor.fetchone() or (0,)
    cursor.execute(f'ALTER TABLE {table} DETACH PARTITION "{partition}" CONCURRENTLY')
    cursor.execute(f'DROP TABLE "{partition}"')
    return int(rows)


def _delete(cursor: Cursor, table: str, partition: str, first: date) -> int:
    query = SQL["statements/delete_old"].format(
        partition=f'"{partition}"', old=SQL["conditions/old"].format(id=own_id(table))
    )
    rows = 0
    while True:
        cursor.execute(query, {"first": first, "portion": PORTION})
        rows += cursor.rowcount
        if cursor.rowcount < PORTION:
            return rows


def own_id(table: str) -> str:
    """The column by which a row is retained: history goes with its recipient."""
    return "to_id" if table == "delivery_attempt" else "id"


def _record(cursor: Cursor, table: str, day: date, rows: int) -> dict[str, Any]:
    cursor.execute(f"SELECT min(day) FROM {table}")
    (oldest,) = cursor.fetchone() or (None,)
    return {**_told(table, "delete", rows, day), "oldest_left": oldest}


def clean_regularly(
    dsn: Callable[[], str],
    config: Config,
    stop: Event,
    clock: Callable[[], datetime],
    done: Callable[[Cleaned | None], object] = lambda _: None,
) -> None:
    """Clean up now and then every clean_interval, until stopped; failures are said and retried.

    `done` is told what was deleted, None where that failed.
    """
    while True:
        try:
            cleaned = clean(dsn(), config, clock())
            for row in cleaned:
                names = ("step", "table_name", "day")
                what = " ".join(str(row[name]) for name in names if row[name])
                log.info("clean-up: %s, %d rows", what, row["rows"])
            done(cleaned)
        except InputError as error:
            log.warning("%s", error)
            done(None)
        if stop.wait(config.clean_interval):
            return
