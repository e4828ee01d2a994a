"""Free space in the tables' files: what was deleted stands there still, until a table is written anew.

Old rows that somebody may still see are copied into the new file too. So the transactions of before
are waited for: first those that write, in any database of the server, since what begins beside them
counts as old as they are; then all those of this database.

Bugs: a standby that reports what it still reads (hot_standby_feedback) keeps old rows as well, and is
not waited for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from journal_postfix.database import SQL, Cursor
from journal_postfix.holdings import LOOSE
from journal_postfix.planner_values import all_partitions, partition_of

PATIENCE = 60.0  # seconds to wait for transactions that began before
_LOOK = 0.1  # seconds between two looks at them


class Rewritten(NamedTuple):
    """The tables that could not be written anew, and how many transactions were in the way of all."""

    refused: list[str]
    older: int


NOTHING = Rewritten([], 0)


def rewrite(cursor: Cursor, touched: Iterable[tuple[str, date | None]]) -> Rewritten:
    """Write the tables that were touched anew, or all if none was: no deleted row is left in them.

    Each is locked meanwhile. Nothing is done as long as somebody may still see what was deleted.
    """
    if older := _wait_for_older(cursor):
        return NOTHING._replace(older=older)
    partitions = all_partitions(cursor)
    whole = [row["partition"] for row in partitions] + ["login", *LOOSE[3:]]
    names = sorted({partition_of(partitions, *one) for one in touched}) or whole
    return Rewritten([name for name in names if not _rewrite(cursor, name)], 0)


def _wait_for_older(cursor: Cursor) -> int:
    """Wait until the transactions of this moment are over; gives how many are not."""
    until = time.monotonic() + PATIENCE
    for query in ("running_writers", "open_transactions"):
        older = _names(cursor, query)
        while older and time.monotonic() < until:
            time.sleep(_LOOK)
            older &= _names(cursor, query)
        if older:
            return len(older)
    return 0


def _names(cursor: Cursor, query: str) -> set[str]:
    cursor.execute(SQL[f"queries/{query}"])
    return {name for (name,) in cursor.fetchall()}


def _rewrite(cursor: Cursor, name: str) -> bool:
    before = _file(cursor, name)
    cursor.execute(f'VACUUM (FULL) "{name}"')  # of a table that is not ours it only warns
    return bool(before != _file(cursor, name))


def _file(cursor: Cursor, name: str) -> Any:
    cursor.execute(SQL["queries/file_of_table"], {"name": f'"{name}"'})
    return cursor.fetchone()
