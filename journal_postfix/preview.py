"""What a clean-up would do now: the same questions as retention.py asks, and nothing done.

Bugs: it counts what is stored while it counts; a busy service may store more until the clean-up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from typing import Any

from journal_postfix import old_logins
from journal_postfix.config import Config
from journal_postfix.database import SQL, Cursor, connect, dicts
from journal_postfix.due import count, dues, look
from journal_postfix.periods import Periods
from journal_postfix.retention import NEVER_QUEUED_KEPT, SETTINGS, Cleaned

Row = dict[str, Any]


def preview(dsn: str, config: Config, now: datetime) -> Cleaned:
    """What `retention.clean` would delete and pseudonymise, in its order; `oldest_left` is unknown."""
    with closing(connect(dsn, SETTINGS)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        query = SQL["statements/still_unfinished"].format(over=SQL["conditions/over"])
        cursor.execute(query, {"before": now - NEVER_QUEUED_KEPT})
        return list(_steps(cursor, config.periods(now)))


def _steps(cursor: Cursor, periods: Periods) -> Iterator[Row]:
    logins = old_logins.count(cursor, periods)
    yield from _old_days(cursor, periods)
    yield from _due(cursor, "delete", periods)
    yield from _logins(logins, "delete")
    yield from _due(cursor, "pseudonymise", periods)
    yield from _logins(logins, "pseudonymise")
    if periods.keys is not None:
        cursor.execute(SQL["statements/old_keys"], {"first": periods.keys})
        for (month,) in cursor.fetchall():
            yield _row("hash_key", "key", month, 1)


def _row(table: str, step: str, day: date | None, rows: int) -> Row:
    return {"day": day, "table_name": table, "step": step, "rows": rows}


def _old_days(cursor: Cursor, periods: Periods) -> Iterator[Row]:
    """Partitions of which all days are too old, and the part of others that is."""
    cursor.execute(SQL["statements/partitions"])
    for partition in dicts(cursor):
        table, first = partition["table_name"], periods.first("delete", partition["table_name"])
        if first is None or partition["day_from"] >= first:
            continue
        query = SQL["statements/count_before"].format(partition=f'"{partition["partition"]}"')
        cursor.execute(query, {"first": first})
        (rows,) = cursor.fetchone() or (0,)
        if rows or partition["day_to"] <= first:
            yield _row(table, "delete", partition["day_from"], rows)


def _due(cursor: Cursor, step: str, periods: Periods) -> Iterator[Row]:
    for due in dues(cursor, step, periods, gone=True):
        if not look(cursor, due).is_done:
            rows, _ = count(cursor, due, due.to_come())
            if rows:
                yield _row(due.table, step, due.day_from, rows)


def _logins(rows: dict[str, int], step: str) -> Iterator[Row]:
    if rows[step]:
        yield _row("login", step, None, rows[step])
