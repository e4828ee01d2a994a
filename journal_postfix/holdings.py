"""What the database holds about a person: his mails, and other rows with words of him.

A regular expression (`people.pattern`) finds rows in which he may be, partition by partition; which
of them are about him, and how, is decided on the rows themselves by whoever asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from journal_postfix.database import SQL, Cursor, dicts
from journal_postfix.partitions import DELIVERY_TABLES, known

Row = dict[str, Any]

PORTION = 500  # rows, or mails with their recipients, at once

#: Tables whose rows are looked at one by one; the first two are partitioned.
LOOSE = (
    "delivery_attempt", "noqueue", "login", "source", "gap", "unrecognised", "queue_event",
    "retained",
)  # fmt: skip

_UNTIL = (
    "(SELECT max(k.until) FROM retained_row x JOIN retained k ON k.id = x.retained_id"
    " WHERE x.day = r.day AND x.id = r.{key})"
)
#: Until when a row is retained, by table.
_RETAINED = {
    "delivery_attempt": _UNTIL.format(key="to_id"),
    "noqueue": _UNTIL.format(key="id"),
    "login": (
        "(SELECT max(k.until) FROM retained k WHERE k.kind = 'login'"
        " AND k.value = lower(r.sasl_username) AND k.noted_at >= r.hour)"
    ),
    "retained": "r.until",
}
_FIRST = "(0,0)"  # no row stands there
_TO_LOCK = "FOR UPDATE OF r"


class Mail(NamedTuple):
    """A mail's row (None: it is gone), and those of its recipients."""

    row: Row | None
    tos: list[Row]


class Place(NamedTuple):
    """Where rows stand: table, partition (or the table again), and its first day."""

    table: str
    partition: str
    day: date | None


class Searched:
    """The tables as a search needs them: their columns with texts, and their partitions."""

    def __init__(self, cursor: Cursor, pattern: str) -> None:
        self.cursor = cursor
        self.pattern = pattern
        cursor.execute(SQL["queries/person_columns"])
        self.columns: dict[str, list[str]] = {
            row["table_name"]: row["columns"] for row in dicts(cursor)
        }

    def _columns(self, table: str) -> str:
        return ", ".join(self.columns[table])

    def mails(self) -> Iterator[list[tuple[date, int]]]:
        """Mails in which he may be, by day and id, in portions."""
        found = known(self.cursor)
        query = SQL["queries/person_mails"].format(
            delivery_from=self._columns("delivery_from"), delivery_to=self._columns("delivery_to")
        )
        for day_from, day_to in sorted(
            {days for table in DELIVERY_TABLES for days in found[table]}
        ):
            which = {"day_from": day_from, "day_to": day_to, "pattern": self.pattern}
            self.cursor.execute(query, which)
            keys = self.cursor.fetchall()
            for begin in range(0, len(keys), PORTION):
                yield keys[begin : begin + PORTION]

    def places(self) -> Iterator[Place]:
        """Where rows of LOOSE stand."""
        self.cursor.execute(SQL["statements/partitions"])
        partitions = dicts(self.cursor)
        for table in LOOSE:
            own = [row for row in partitions if row["table_name"] == table]
            yield from (Place(table, row["partition"], row["day_from"]) for row in own)
            if not own and table not in LOOSE[:2]:
                yield Place(table, table, None)

    def portions(self, place: Place) -> Iterator[list[Row]]:
        """Rows in which he may be, in portions."""
        rows = self.rows(place)
        while rows:
            yield rows
            rows = self.rows(place, rows[-1]["place"])

    def rows(self, place: Place, after: str = _FIRST, *, lock: bool = False) -> list[Row]:
        """Rows in which he may be, a portion of them behind a place (`place` of the last one)."""
        query = SQL["queries/person_rows"].format(
            table=f'"{place.partition}"',
            columns=self._columns(place.table),
            until=_RETAINED.get(place.table, "NULL::date"),
            lock=_TO_LOCK if lock else "",
        )
        which = {"place": after, "pattern": self.pattern, "portion": PORTION}
        self.cursor.execute(query, which)
        return dicts(self.cursor)


def load_mails(cursor: Cursor, keys: Sequence[tuple[date, int]]) -> list[Mail]:
    """Mails by day and id, as they are now."""
    which = {"days": sorted({day for day, _ in keys}), "ids": [number for _, number in keys]}
    cursor.execute(SQL["queries/person_from"], which)
    rows = {(row["day"], row["id"]): row for row in dicts(cursor)}
    mails = {key: Mail(rows.get(key), []) for key in keys}
    cursor.execute(SQL["queries/person_to"], which)
    for row in dicts(cursor):
        key = (row["day"], row["from_id"])
        if key in mails:
            mails[key].tos.append(row)
    return list(mails.values())


def pseudonym_keys(cursor: Cursor) -> list[bytes]:
    """The keys with which rows are pseudonymised."""
    cursor.execute(SQL["queries/pseudonym_keys"])
    return [bytes(key) for (key,) in cursor.fetchall()]
