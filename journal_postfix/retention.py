"""Old data goes: partitions dropped whole, the rest of a boundary partition row by row.

Mails whose end was never logged are closed on the way, and hourly totals counted before.

A partition is detached concurrently and then dropped, each with a short lock timeout, so that
neither writers nor reports wait; what could not be had is tried again at the next clean-up.
By the clock, not by the data: an idle server cleans too. Every clean-up leaves a record in
`retention_log`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from threading import Event
from typing import Any

from journal_postfix import hourly, quota
from journal_postfix.config import Config
from journal_postfix.database import PLAIN_SETTINGS, SQL, Connection, Cursor, Error, connect, dicts
from journal_postfix.messages import InputError
from journal_postfix.partitions import DELIVERY_TABLES
from journal_postfix.store import Horizon

log = logging.getLogger("journal_postfix")

PORTION = 10000  # rows deleted per transaction
LOCK_TIMEOUT = "2s"
MERGE_TIMEOUT = "1min"  # a merge of a large batch holds its lock for longer than any table's
NEVER_QUEUED_KEPT = timedelta(days=1)
_SETTINGS = {**PLAIN_SETTINGS, "lock_timeout": LOCK_TIMEOUT}

Cleaned = list[dict[str, Any]]  # day, table_name, rows


def clean(dsn: str, config: Config, now: datetime, *, at_once: bool = False) -> Cleaned:
    """Delete what retention no longer keeps at this moment; gives what was deleted, by day.

    Hourly totals are counted before, `at_once` those of all days that have changed.
    Raises InputError where the database cannot be used, and where locks could not be had.
    """
    hourly.fill(dsn, config, now, at_once=at_once)
    connection = connect(dsn, _SETTINGS)
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
    with connection.cursor() as cursor:
        horizon = quota.shortened(cursor, config, config.horizon(now), now)
    firsts = {**dict.fromkeys(DELIVERY_TABLES, horizon.delivery), "noqueue": horizon.noqueue}
    cleaned: Cleaned = []
    with connection.cursor() as cursor:
        _finish_detached(cursor)
        _forget_open(cursor, horizon.delivery, now - NEVER_QUEUED_KEPT)
        for table, first in firsts.items():
            if first is not None:
                cleaned += _clean_table(cursor, table, first)
        if horizon.delivery is not None:
            cursor.execute(SQL["statements/forget_events"], {"first": horizon.delivery})
        cleaned += _forget_logins(cursor, horizon)
        firsts_kept = [first for first in horizon if first is not None]
        if firsts_kept:
            cursor.execute(SQL["statements/forget_sessions"], {"first": max(firsts_kept)})
        if len(firsts_kept) == len(horizon):
            cursor.execute(SQL["statements/forget_spans"], {"first": min(firsts_kept)})
        for row in cleaned:
            cursor.execute(SQL["statements/log_retention"], row)
        if config.queue_close_after:
            _close_old(cursor, now, timedelta(days=config.queue_close_after))
    return cleaned


def _forget_open(cursor: Cursor, first: date | None, never_queued_before: datetime) -> None:
    """Expect no more lines of mails that are about to go, nor of those that never came in."""
    _begin_change(cursor, None)
    if first is not None:
        cursor.execute(SQL["statements/forget_open"], {"first": first})
    cursor.execute(SQL["statements/forget_never_queued"], {"before": never_queued_before})
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


def _finish_detached(cursor: Cursor) -> None:
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
        partition = row["partition"]
        if row["day_to"] <= first:
            rows = _drop(cursor, table, partition)
        else:
            rows = _delete(cursor, partition, first)
        if rows or row["day_to"] <= first:
            cleaned.append(_record(cursor, table, row["day_from"], rows))
    return cleaned


def _drop(cursor: Cursor, table: str, partition: str) -> int:
    cursor.execute(f'SELECT count(*) FROM "{partition}"')
    (rows,) = cursor.fetchone() or (0,)
    cursor.execute(f'ALTER TABLE {table} DETACH PARTITION "{partition}" CONCURRENTLY')
    cursor.execute(f'DROP TABLE "{partition}"')
    return int(rows)


def _delete(cursor: Cursor, partition: str, first: date) -> int:
    rows = 0
    while True:
        cursor.execute(
            f'DELETE FROM "{partition}" WHERE ctid = ANY (ARRAY('
            f'SELECT ctid FROM "{partition}" WHERE day < %s LIMIT %s))',
            (first, PORTION),
        )
        rows += cursor.rowcount
        if cursor.rowcount < PORTION:
            return rows


def _forget_logins(cursor: Cursor, horizon: Horizon) -> Cleaned:
    """Failed logins go with the refusals of their time, the others with the mails."""
    rows = 0
    while True:
        cursor.execute(SQL["statements/forget_logins"], {**horizon._asdict(), "portion": PORTION})
        rows += cursor.rowcount
        if cursor.rowcount < PORTION:
            break
    if not rows:
        return []
    cursor.execute(SQL["statements/oldest_login"])
    (oldest,) = cursor.fetchone() or (None,)
    return [{"day": None, "table_name": "login", "rows": rows, "oldest_left": oldest}]


def _record(cursor: Cursor, table: str, day: date, rows: int) -> dict[str, Any]:
    cursor.execute(f"SELECT min(day) FROM {table}")
    (oldest,) = cursor.fetchone() or (None,)
    return {"day": day, "table_name": table, "rows": rows, "oldest_left": oldest}


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
                what = " ".join(str(row[name]) for name in ("table_name", "day") if row[name])
                log.info("clean-up: %s, %d rows", what, row["rows"])
            done(cleaned)
        except InputError as error:
            log.warning("%s", error)
            done(None)
        if stop.wait(config.clean_interval):
            return
