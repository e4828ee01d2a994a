"""The days of the partitioned tables: which partitions exist, and making those that are needed.

A partition is 1, 7 or 28 days wide: the least that keeps a table below 40 partitions for its
retention. Blocks are counted from 1970-01-01 and cut at neighbours, so that a change of
retention leaves existing partitions as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from journal_postfix.database import SQL, Cursor, dicts

DELIVERY_TABLES = ("delivery_from", "delivery_to", "delivery_attempt")
WIDTHS = (1, 7, 28)
MOST = 36  # of 40; some stand ready for days to come or wait for clean-up

_EPOCH = date(1970, 1, 1)

Range = tuple[date, date]  # from, up to but not including
Known = dict[str, list[Range]]  # by table; empty: not known yet


def width(retention_days: int) -> int:
    """Days per partition for a retention in days (0: for ever)."""
    if retention_days:
        for days in WIDTHS:
            if retention_days <= days * MOST:
                return days
    return WIDTHS[-1]


def known(cursor: Cursor) -> Known:
    """The partitions there are, by table, ordered."""
    cursor.execute(SQL["statements/partitions"])
    found: Known = {table: [] for table in (*DELIVERY_TABLES, "noqueue")}
    for row in dicts(cursor):
        found[row["table_name"]].append((row["day_from"], row["day_to"]))
    return found


def block(day: date, days: int, taken: Iterable[Range]) -> Range:
    """The partition to make for a day: its block of `days`, cut at those that are taken."""
    number = (day - _EPOCH).days // days
    start = _EPOCH + timedelta(days=number * days)
    end = start + timedelta(days=days)
    for taken_from, taken_to in taken:
        if taken_to <= day:
            start = max(start, taken_to)
        if taken_from > day:
            end = min(end, taken_from)
    return start, end


def _missing(day: date, ranges: list[Range]) -> bool:
    return not any(start <= day < end for start, end in ranges)


def ensure(
    cursor: Cursor, found: Known, days: dict[str, set[date]], widths: Mapping[str, int]
) -> None:
    """Make the partitions that rows of these days need (`delivery`, `noqueue`), once.

    `found` is brought up to date. Sessions that make partitions wait for each other.
    """
    wanted = [(table, day) for table in DELIVERY_TABLES for day in days["delivery"]]
    wanted += [("noqueue", day) for day in days["noqueue"]]
    if all(found and not _missing(day, found[table]) for table, day in wanted):
        return
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('journal-postfix partitions'))")
    found.update(known(cursor))
    for table, day in sorted(wanted):
        if _missing(day, found[table]):
            days_wide = widths.get("noqueue" if table == "noqueue" else "delivery", 1)
            start, end = block(day, days_wide, found[table])
            cursor.execute("SELECT create_partition(%s, %s, %s)", (table, start, end))
            found[table].append((start, end))
