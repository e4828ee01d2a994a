"""Logins that are old: failed ones go with the refusals of their time, the others with the mails.

So do the names in them. What has become equal by that is one row, as if it had been stored so.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from journal_postfix import pseudonyms
from journal_postfix.database import SQL, Cursor
from journal_postfix.hashing import make_month_keys
from journal_postfix.periods import Periods
from journal_postfix.store import Horizon


def forget(cursor: Cursor, kept: Horizon, portion: int) -> Iterator[dict[str, Any]]:
    """Delete those before the first days that are kept; tells how many, if any."""
    rows = 0
    while True:
        cursor.execute(SQL["statements/forget_logins"], {**kept._asdict(), "portion": portion})
        rows += cursor.rowcount
        if cursor.rowcount < portion:
            break
    if rows:
        cursor.execute(SQL["statements/oldest_login"])
        (oldest,) = cursor.fetchone() or (None,)
        yield {
            "day": None, "table_name": "login", "step": "delete", "rows": rows,
            "oldest_left": oldest,
        }  # fmt: skip


def pseudonymise(cursor: Cursor, periods: Periods, portion: int) -> int:
    """Pseudonymise those before the first days of which names are kept; gives how many."""
    kept = periods.pseudonymised
    if kept == Horizon():
        return 0
    due = SQL["conditions/due_login"]
    cursor.execute(SQL["statements/months_of_logins"].format(due=due), kept._asdict())
    months = [month for (month,) in cursor.fetchall()]
    for month in months:
        make_month_keys(cursor, month, month + timedelta(days=1), periods.keys)
    query = SQL["statements/pseudonymise_logins"].format(
        due=due, pseudonyms=pseudonyms.named("login")
    )
    rows = 0
    while months:
        cursor.execute(query, {**kept._asdict(), "portion": portion})
        (taken,) = cursor.fetchone() or (0,)
        rows += taken
        if taken < portion:
            break
    if rows:
        cursor.execute("ANALYZE login")  # statistics hold names too
    return rows


def count(cursor: Cursor, periods: Periods) -> dict[str, int]:
    """How many are about to be deleted, and to be pseudonymised."""
    deleted = periods.deleted._asdict()
    cursor.execute(SQL["statements/count_old_logins"], deleted)
    (old,) = cursor.fetchone() or (0,)
    gone = {f"gone_{name}": first for name, first in deleted.items()}
    values = {**periods.pseudonymised._asdict(), **gone}
    query = SQL["statements/count_logins"].format(due=SQL["conditions/due_login"])
    cursor.execute(query, values)
    (named,) = cursor.fetchone() or (0,)
    return {"delete": old, "pseudonymise": named}
