"""Pseudonymising a partition: written anew where most of it is due, else changed in place.

Changing most rows in place would double a partition. So a copy is filled beside it and put in its
place in one short transaction. Nothing is locked while the copy is filled; readers and writers wait
only for the swap, and that gives up soon where it would have to wait for them.

Exact all the same: the swap holds the locks of all hosts, so that no batch is between reading mails
and writing them, and the partition's own. With these it counts the partition's rows, and those that
a transaction wrote which was not over when the copy began (xmin). If rows came, changed or went, the
copy is thrown away and filled again. A SHARE lock for the time of the copy would do as well, but the
writers' prepared statements lock all partitions, whichever they change.

A copy that was left by a session that ended is dropped by the next clean-up. Killed at any moment,
it is as if never begun, or the next clean-up goes on.

Bugs: a late line of a mail that was over, which only older files can bring, does not find its
recipient under a hash: it makes a row of its own.
"""

from __future__ import annotations

import logging
import time

from journal_postfix import pseudonyms
from journal_postfix.database import SQL, Cursor, Error
from journal_postfix.due import Due, count, look
from journal_postfix.hashing import make_month_keys

log = logging.getLogger("journal_postfix")

PORTION = 10000  # rows changed in place per transaction
COPIES = 3  # tries to copy a partition while nothing of it changes
#: Milliseconds for which each try to swap waits; the last let the server cancel an autovacuum.
WAITS = (*[100] * 20, *[300] * 5, *[1500] * 2)
PAUSE = 0.5  # seconds between these tries
LOCK_NOT_AVAILABLE = "55P03"


def pseudonymise(cursor: Cursor, due: Due) -> int:
    """Pseudonymise what is due of a partition; gives the number of rows that changed."""
    looked = look(cursor, due)
    if looked.is_done:
        return 0
    rows, all_rows = count(cursor, due, due.condition())
    if rows:
        make_month_keys(cursor, due.day_from, due.day_to, due.keys)
        cursor.execute(SQL["statements/keep_hourly"], due.values())
        if rows * 2 < all_rows:
            rows = _change(cursor, due)
        elif not _rewrite(cursor, due):
            log.info("clean-up: %s changes too often, it is tried next time", due.partition)
            return 0
    looked.note(cursor, changed=rows > 0)
    return rows


def _change(cursor: Cursor, due: Due) -> int:
    """Change rows in place, in portions."""
    query = SQL["statements/pseudonymise_due"].format(
        partition=f'"{due.partition}"',
        due=due.condition(),
        changes=pseudonyms.changes(due.table),
    )
    rows = 0
    while True:
        cursor.execute(query, {**due.values(), "portion": PORTION})
        rows += cursor.rowcount
        if cursor.rowcount < PORTION:
            break
    cursor.execute(f'ANALYZE "{due.partition}"')  # statistics hold values too
    return rows


def _rewrite(cursor: Cursor, due: Due) -> bool:
    for _ in range(COPIES):
        cursor.execute(SQL["statements/oldest_running"])
        (xmin,) = cursor.fetchone() or (0,)
        cursor.execute(SQL["statements/create_copy"], due.values())
        (copy,) = cursor.fetchone() or ("",)
        try:
            rows = _fill(cursor, due, copy)
            if _swap(cursor, due, rows, xmin):
                return True
        except Error:
            if not cursor.connection.closed:
                _drop(cursor, copy)
            raise
        _drop(cursor, copy)
    return False


def _fill(cursor: Cursor, due: Due, copy: str) -> int:
    """Fill a copy; gives its rows."""
    cursor.execute(SQL["statements/stored_columns"], due.values())
    columns = [name for (name,) in cursor.fetchall()]
    query = SQL["statements/copy_partition"].format(
        copy=f'"{copy}"',
        partition=f'"{due.partition}"',
        columns=", ".join(columns),
        pseudonyms=pseudonyms.copied(due.table, columns),
        due=due.rows(),
    )
    cursor.execute(query, due.values())
    rows = cursor.rowcount
    cursor.execute(f'ANALYZE "{copy}"')
    return rows


def _swap(cursor: Cursor, due: Due, rows: int, xmin: int) -> bool:
    """Put the copy in its place; False: the partition has changed. Raises where locks were not had."""
    values = {**due.values(), "rows": rows, "xmin": xmin}
    for number, wait in enumerate(WAITS, 1):
        try:
            return _try_swap(cursor, values, wait)
        except Error as error:
            if error.pgcode != LOCK_NOT_AVAILABLE or number == len(WAITS):
                raise
        time.sleep(PAUSE)
    return False


def _try_swap(cursor: Cursor, values: dict[str, object], wait: int) -> bool:
    cursor.execute("BEGIN")
    try:
        cursor.execute(f"SET LOCAL lock_timeout TO {wait}")
        cursor.execute(SQL["statements/change_hosts"], {"mta": None})
        cursor.execute(SQL["statements/swap_partition"], values)
        (swapped,) = cursor.fetchone() or (False,)
        cursor.execute("COMMIT")
    except Error:
        if not cursor.connection.closed:
            cursor.execute("ROLLBACK")
        raise
    return bool(swapped)


def _drop(cursor: Cursor, copy: str) -> None:
    cursor.execute(f'DROP TABLE IF EXISTS "{copy}"')
