"""The tables of a database held against the true rows.

A true row names the columns that the log decides; only those are compared. Rows are found by
what identifies them, so that a difference shows as one column of one mail, not as two rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import psycopg2
import psycopg2.extras

Row = dict[str, Any]
Tables = dict[str, list[Row]]

SHOWN = 5
# Rows with equal keys are compared in order of all their columns.
KEYS = {
    "delivery_from": ("mta", "queue_id", "t_i"),
    "delivery_to": ("mta", "queue_id", "mail_t_i", "recipient", "orig_to"),
    "delivery_attempt": ("mta", "queue_id", "mail_t_i", "recipient", "orig_to", "t", "status"),
    "noqueue": (
        "mta",
        "t",
        "queue_id",
        "client_address",
        "recipient",
        "sender",
        "action",
        "reason",
    ),
}
MAIL_OF = "JOIN delivery_from f ON f.day = r.day AND f.id = r.from_id"
QUERIES = {
    "delivery_from": (
        "SELECT r.*, f.t_i AS notification_for_t_i FROM delivery_from r"
        " LEFT JOIN delivery_from f ON f.id = r.notification_for_id ORDER BY r.day, r.id"
    ),
    "delivery_to": (
        f"SELECT r.*, f.t_i AS mail_t_i FROM delivery_to r {MAIL_OF} ORDER BY r.day, r.id"
    ),
    "delivery_attempt": (
        "SELECT a.*, r.mta, r.queue_id, r.recipient, r.orig_to, f.t_i AS mail_t_i"
        f" FROM delivery_attempt a JOIN delivery_to r ON r.day = a.day AND r.id = a.to_id {MAIL_OF}"
        " ORDER BY a.day, a.to_id, a.t, a.status, a.reason"
    ),
    "noqueue": (
        f"SELECT r.*, f.t_i AS mail_t_i FROM noqueue r LEFT {MAIL_OF} ORDER BY r.day, r.id"
    ),
}


def load(dsn: str) -> Tables:
    """Read all rows of a database, in a fixed order, times in UTC."""
    tables = {}
    with psycopg2.connect(dsn) as connection:
        for table, query in QUERIES.items():
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(query)
                tables[table] = [_in_utc(row) for row in cursor]
    connection.close()
    return tables


def count(dsn: str) -> dict[str, int]:
    """Count the rows of the tables, joined or not: a row that belongs to no mail counts too."""
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        counts = {}
        for table in QUERIES:
            cursor.execute(f"SELECT count(*) FROM {table}")
            counts[table] = cursor.fetchone()[0]
    connection.close()
    return counts


def _in_utc(row: Row) -> Row:
    return {
        name: value.astimezone(UTC) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def differences(found: Tables, true: Tables) -> list[str]:
    """Compare all tables; give lines for people, none if everything is as it must be."""
    return [line for table in KEYS for line in _differences_of(table, found[table], true[table])]


def _grouped(table: str, rows: Iterable[Row]) -> dict[tuple[Any, ...], list[Row]]:
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in KEYS[table])].append(row)
    return groups


def _differences_of(table: str, found: list[Row], true: list[Row]) -> list[str]:
    have, want = _grouped(table, found), _grouped(table, true)
    missing = [key for key, rows in want.items() if len(have.get(key, ())) < len(rows)]
    surplus = [key for key, rows in have.items() if len(want.get(key, ())) < len(rows)]
    lines = _listed(f"{table}: {len(missing)} true rows missing", missing)
    lines += _listed(f"{table}: {len(surplus)} rows too many", surplus)
    wrong: Counter[str] = Counter()
    examples: dict[str, list[str]] = defaultdict(list)
    for key, rows in want.items():
        for name, text in _wrong_columns(rows, have.get(key, [])):
            wrong[name] += 1
            examples[name].append(f"{text} in {_text(key)}")
    for name, number in wrong.most_common():
        lines += _listed(f"{table}.{name}: {number} values wrong", examples[name])
    return lines


def _wrong_columns(true: list[Row], found: list[Row]) -> Iterable[tuple[str, str]]:
    if len(true) > 1:
        names = sorted(set.intersection(*(set(row) for row in true)))
        true, found = (
            sorted(rows, key=lambda row: [repr(row.get(name)) for name in names])
            for rows in (true, found)
        )
    for row, other in zip(true, found, strict=False):
        for name, value in row.items():
            if other.get(name) != value:
                yield name, f"{other.get(name)!r} instead of {value!r}"


def _listed(title: str, items: list[Any]) -> list[str]:
    if not items:
        return []
    shown = [f"    {item if isinstance(item, str) else _text(item)}" for item in items[:SHOWN]]
    return [title, *shown]


def _text(key: tuple[Any, ...]) -> str:
    return " ".join(str(part) for part in key if part is not None)
