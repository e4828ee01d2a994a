"""Totals by hour and host that outlive the mails they were counted from.

`run` fills them on the way, `clean` and `backfill` when they end; a report takes from them what is
usual. A day is counted again whole when rows of it have changed, which the server's own statistics
tell: whoever wrote them, and whatever was told late. Days of which retention has begun to delete are
left as they were; that it pseudonymised rows is no reason to count them again.

Bugs: a server that lost its statistics (after a crash) makes all days be counted again.
"""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from journal_postfix.config import Config
from journal_postfix.database import PLAIN_SETTINGS, SQL, Cursor, Error, connect, dicts

log = logging.getLogger("journal_postfix")

KEPT = timedelta(days=400)
PAUSE = timedelta(minutes=50)  # between two counts of today or yesterday
LONG_PAUSE = timedelta(hours=20)  # of an older day
#: What counts a day, in one transaction with the mark that it was.
COUNTS = {"delivery": "fill_delivery_hourly", "noqueue": "fill_noqueue_hourly"}
_NONE = timedelta(0)
SETTINGS = {**PLAIN_SETTINGS, "work_mem": "128MB", "enable_partitionwise_join": "on"}


def fill(dsn: str, config: Config, now: datetime, *, at_once: bool = False) -> int:
    """Count the days that changed and rested since; `at_once`: also those that did not rest.

    Gives the number of days counted. What the database refuses is said and left for the next
    time: totals are no reason to stop.
    """
    try:
        with closing(connect(dsn, SETTINGS)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            return _fill(cursor, config, now, at_once)
    except Error as error:
        log.warning("hourly totals not counted: %s", " ".join(str(error).split()))
        return 0


def _fill(cursor: Cursor, config: Config, now: datetime, at_once: bool) -> int:
    cursor.execute(SQL["statements/take_hourly"])
    if cursor.fetchone() != (True,):  # another session is at it
        return 0
    _analyse(cursor)
    cursor.execute(SQL["statements/adopt_hourly"])
    days = _days(cursor, config, now, at_once)
    for row in days:
        begin = datetime.combine(row["day"], time(), UTC)
        values = {**row, "since": begin, "until": begin + timedelta(days=1), "now": now}
        statements = (COUNTS[row["table_name"]], "mark_hourly")
        cursor.execute(";\n".join(SQL[f"statements/{name}"] for name in statements), values)
    cursor.execute(SQL["statements/forget_hourly"], {"before": now - KEPT})
    return len(days)


def _analyse(cursor: Cursor) -> None:
    cursor.execute(SQL["statements/never_analysed"])
    for row in dicts(cursor):
        cursor.execute(f'ANALYZE "{row["partition"]}"')


def _days(cursor: Cursor, config: Config, now: datetime, at_once: bool) -> list[dict[str, Any]]:
    horizon = config.horizon(now)
    oldest = (now - KEPT).date()
    values: dict[str, Any] = {
        "now": now,
        "delivery": _later(horizon.delivery, oldest),
        "noqueue": _later(horizon.noqueue, oldest),
        "pause": _NONE if at_once else PAUSE,
        "long_pause": _NONE if at_once else LONG_PAUSE,
    }
    cursor.execute(SQL["statements/days_to_count"], values)
    return dicts(cursor)


def _later(first: date | None, oldest: date) -> date:
    return oldest if first is None else max(first, oldest)
