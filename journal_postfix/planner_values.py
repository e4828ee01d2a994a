"""The values of columns that the server keeps for its planner: samples of what a table held.

After rows are deleted they still hold it, until the table is analysed anew; of a table without rows,
for ever. Only an owner of a table may have it analysed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from journal_postfix.database import SQL, Cursor, dicts
from journal_postfix.holdings import Row
from journal_postfix.people import Matcher, holds, is_account, masked

_T = datetime(1970, 1, 1, tzinfo=UTC)
_MAIL: Row = {"id": -1, "mta": "", "queue_id": ""}
_TIMES: Row = {"t_i": _T, "t_f": _T}
_NONE: Row = {"attempts": 0, "skipped": 0, "copies": 0}
#: A row that says nothing, by table.
_BLANK: dict[str, Row] = {
    "delivery_from": {**_MAIL, **_TIMES, "origin": "", "is_submission": False},
    "delivery_to": {**_MAIL, **_TIMES, **_NONE, "from_id": -1, "recipient": "", "t_status": _T},
    "delivery_attempt": {"to_id": -1, "t": _T},
    "noqueue": {"id": -1, "mta": "", "daemon": "", "t": _T, "action": ""},
    "login": {"hour": _T, "mta": "", "syslog_name": "", "failed": 1, "succeeded": 0, **_TIMES},
}


def refresh(
    cursor: Cursor, who: Matcher, pattern: str, touched: Iterable[tuple[str, date | None]]
) -> set[str]:
    """Analyse what was touched, and what still holds him; gives the tables that do so afterwards."""
    partitions = all_partitions(cursor)
    for table in sorted({partition_of(partitions, *one) for one in touched}):
        cursor.execute(f'ANALYZE "{table}"')
    for table in sorted(stale(cursor, who, pattern)):
        cursor.execute(f'ANALYZE "{table}"')
    for table in sorted(stale(cursor, who, pattern)):
        _analyse_empty(cursor, partitions, table)
    return stale(cursor, who, pattern)


def stale(cursor: Cursor, who: Matcher, pattern: str) -> set[str]:
    """The tables and partitions in whose statistics he is."""
    cursor.execute(SQL["queries/person_statistics"], {"pattern": pattern})
    return {row["table_name"] for row in dicts(cursor) if _is_he(who, row["value"])}


def _is_he(who: Matcher, value: str) -> bool:
    return holds(who, value) or is_account(who, value) or masked(who, value) != value


def all_partitions(cursor: Cursor) -> list[dict[str, Any]]:
    """All partitions, with their days."""
    cursor.execute(SQL["statements/partitions"])
    return dicts(cursor)


def partition_of(partitions: list[dict[str, Any]], table: str, day: date | None) -> str:
    """The partition for a day of a table; the table again where it has none."""
    for row in partitions:
        if day and row["table_name"] == table and row["day_from"] <= day < row["day_to"]:
            return str(row["partition"])
    return table


def _analyse_empty(cursor: Cursor, partitions: list[dict[str, Any]], name: str) -> None:
    """Analyse a table, or a partition, while a row that says nothing stands in it."""
    own = [row for row in partitions if name in (row["partition"], row["table_name"])]
    table = own[0]["table_name"] if own else name
    if table not in _BLANK:
        return
    blank = dict(_BLANK[table])
    where = f'"{own[0]["partition"]}"' if own else name
    if own:
        blank["day"] = own[0]["day_from"]
    columns = ", ".join(blank)
    values = ", ".join(f"%({column})s" for column in blank)
    cursor.execute("BEGIN")
    query = SQL["statements/put_blank"].format(table=where, columns=columns, values=values)
    cursor.execute(query, blank)
    (place,) = cursor.fetchone() or (None,)
    cursor.execute(f'ANALYZE "{name}"')
    cursor.execute(SQL["statements/drop_at"].format(table=where), {"place": place})
    cursor.execute("COMMIT")
