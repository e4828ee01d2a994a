"""What of a partition is due for a step of retention, and what was looked through before.

The conditions stand in sql/conditions/. A partition in which nothing is left to do is noted with
what the server counts of changes to it, and looked through again only when that differs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from journal_postfix import pseudonyms
from journal_postfix.database import SQL, Cursor, dicts
from journal_postfix.periods import Firsts, Periods

#: Of a customer, records and mails go before the recipients by which they are known.
ORDER = ("delivery_attempt", "delivery_from", "delivery_to", "noqueue")
NOT_KNOWN = -1  # changes of a partition that was changed just now: the server counts them later


class Due(NamedTuple):
    """The rows of a partition to which a step is to be done."""

    step: str
    table: str
    partition: str
    day_from: date
    day_to: date
    begin: date  # rows before it are deleted by the general rule
    first: date | None
    customers: Firsts
    gone: Firsts  # customers' rows that are deleted before
    keys: date | None  # months that are over by then have no key

    def condition(self) -> str:
        """The condition on a row `r`."""
        first = "%(first)s" if self.step == "pseudonymise" else "NULL"
        due = self._rows("%(customers)s", first)
        return f"{due} AND {pseudonyms.is_plain(self.table)}" if first != "NULL" else due

    def rows(self) -> str:
        """The condition on a row `r`, whether it was pseudonymised before or not."""
        return self._rows("%(customers)s", "%(first)s")

    def to_come(self) -> str:
        """The condition on a row `r` when customers' rows have not been deleted yet."""
        if self.step == "delete" or not self.gone:
            return self.condition()
        gone = self._replaced("%(gone)s", "NULL", "true")
        return f"{self.condition()} AND NOT ({gone})"

    def _rows(self, customers: str, first: str) -> str:
        return self._replaced(customers, first, str(self.step == "delete").lower())

    def _replaced(self, customers: str, first: str, deletes: str) -> str:
        text = SQL[f"conditions/due_{self.table}"]
        return text.format(customers=customers, first=first, deletes=deletes)

    def values(self) -> dict[str, Any]:
        """The values of the conditions, and of what is asked about the partition."""
        return {
            **self._asdict(),
            "end": self.day_to,
            "customers": _as_json(self.customers),
            "gone": _as_json(self.gone),
            "counted": "noqueue" if self.table == "noqueue" else "delivery",
        }

    def asked(self, unfinished: int) -> str:
        """What is looked for, as it is noted: days as far as they matter to the partition."""
        days = {"": self.first, **self.customers} if self.first else dict(self.customers)
        near = {name: str(min(day, self.day_to)) for name, day in days.items() if day}
        return json.dumps([near, str(self.begin), unfinished], sort_keys=True)


def _as_json(firsts: Firsts) -> str:
    return json.dumps({domain: str(first) for domain, first in firsts.items()})


def due_of(row: Mapping[str, Any], step: str, periods: Periods, *, gone: bool) -> Due | None:
    """What is due of a partition; None where nothing can be."""
    table, begin = row["table_name"], row["day_from"]
    kept = periods.first("delete", table)
    if kept is not None:
        begin = max(begin, kept)
    first = periods.first(step, table) if step == "pseudonymise" else None
    customers = {d: day for d, day in periods.customers(step).items() if day > begin}
    if begin >= row["day_to"] or not (customers or (first is not None and first > begin)):
        return None
    deleted = periods.customers("delete") if gone else {}
    return Due(step, table, row["partition"], row["day_from"], row["day_to"], begin, first,
               customers, deleted, periods.keys)  # fmt: skip


def dues(cursor: Cursor, step: str, periods: Periods, *, gone: bool = False) -> list[Due]:
    """What is due for a step, partition by partition; `gone`: customers' rows are still there."""
    cursor.execute(SQL["statements/partitions"])
    found = [due_of(row, step, periods, gone=gone) for row in dicts(cursor)]
    return sorted(filter(None, found), key=lambda due: (ORDER.index(due.table), due.day_from))


class Looked(NamedTuple):
    """A partition before it is looked through."""

    due: Due
    asked: str
    changes: int
    is_done: bool  # nothing has changed since nothing was left to do

    def note(self, cursor: Cursor, *, changed: bool) -> None:
        """Nothing is left to do now."""
        noted = {"asked": self.asked, "changes": NOT_KNOWN if changed else self.changes}
        cursor.execute(SQL["statements/note_looked"], {**self.due.values(), **noted})


def look(cursor: Cursor, due: Due) -> Looked:
    """Whether there may be something to do."""
    cursor.execute(SQL["statements/partition_state"], due.values())
    (state,) = dicts(cursor)
    asked = due.asked(state["unfinished"])
    is_done = (asked, state["changes"]) == (state["asked"], state["known"])
    return Looked(due, asked, state["changes"], is_done)


def count(cursor: Cursor, due: Due, condition: str) -> tuple[int, int]:
    """How many rows of the partition are to be changed, and of how many."""
    query = SQL["statements/count_due"].format(due=condition, partition=f'"{due.partition}"')
    cursor.execute(query, due.values())
    (row,) = cursor.fetchall()
    return row
