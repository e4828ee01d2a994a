"""Delivery tables filled to a size, by the server itself, with rows like those of a real load.

A sample log is loaded first and its rows are set aside. Then each day gets as many copies of them
as its share asks for, each with row numbers, queue ids, Message-IDs, senders, recipients and clients
of its own, so that rows are as wide and indexes as busy as they would be. Most days are filled before
their indexes are made, which is quick but leaves these as dense as they never are in use; the
days that the measured load goes to are filled with their indexes in place, copy after copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg2

from journal_postfix.database import Connection, Cursor

TABLES = ("delivery_from", "delivery_to", "delivery_attempt", "noqueue")
PASSES = 4  # copies of a day begin at four times of it: the sample is of six hours
SAMPLE_START = datetime(2024, 12, 31, 21, tzinfo=UTC)
# People that a name of the sample becomes; the square makes some much busier than others.
PEOPLE = 20000
CLIENTS = 1_000_000  # that those from outside become, likewise
PERSON = f"'p' || floor({PEOPLE} * random() ^ 2)::int || '.' || {{0}}"
OTHER_ID = "upper(substr(md5({0} || %(copy)s), 1, length({0})))"
OTHER_MESSAGE_ID = "'<' || substr(md5({0} || %(copy)s), 1, 24) || substring({0} FROM '@.*')"
OTHERS = {
    "day": "%(day)s::date",
    "id": "{0} + %(step)s",
    "from_id": "{0} + %(step)s",
    "to_id": "{0} + %(step)s",
    "notification_for_id": "{0} + %(step)s",
    "queue_id": OTHER_ID,
    "orig_queue_id": OTHER_ID,
    "next_queue_id": OTHER_ID,
    "notification_for": OTHER_ID,
    "message_id": OTHER_MESSAGE_ID,
    "sender": f"CASE {{0}} WHEN '' THEN '' ELSE {PERSON} END",
    "recipient": PERSON,
    "orig_to": PERSON,
    "sasl_username": PERSON,
    "client_address": "CASE WHEN {0} <<= '127.0.0.0/8' THEN {0} WHEN {0} IS NOT NULL THEN"
    f" '2001:db8::'::inet + floor({CLIENTS} * random() ^ 2)::bigint END",
}
COLUMNS = """
SELECT attname, format_type(atttypid, NULL) = 'timestamp with time zone' FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND attgenerated = '' ORDER BY attnum
"""
EMPTIED = "delivery_from, delivery_to, delivery_attempt, noqueue, source, open_mail, stored_span"
# Mails of the last hour stay open, as after a real load.
OPEN = """
INSERT INTO open_mail (mta, queue_id, day, id, source_id, born, t_f, ended_at)
SELECT mta, queue_id, day, id, 0, 3, t_f, removed_at FROM delivery_from
WHERE day = %(day)s AND t_i >= %(day)s::timestamptz + interval '23 hours'
"""


def fill(dsn: str, deliveries: int, days: Sequence[date], busy: Sequence[date]) -> None:
    """Fill the tables of a database that holds the sample; `busy` are the last of the days."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SET timezone TO 'UTC'; SELECT setseed(0.5)")
        recipients, width = _set_aside(cursor)
        per_day = round(deliveries / recipients / len(days))
        for number, day in enumerate(days):
            copies = range(number * per_day, (number + 1) * per_day)
            for table in TABLES:
                _fill_day(connection, table, day, copies, width, indexed=day in busy)
        cursor.execute(OPEN, {"day": days[-1]})
        cursor.execute("SELECT setval('row_id', %s)", (width * (2 + per_day * len(days)),))
        cursor.execute("VACUUM ANALYZE open_mail")
        cursor.execute("ANALYZE")


def _set_aside(cursor: Cursor) -> tuple[int, int]:
    """Move the sample's rows to tables of their own; gives its recipients and its row numbers."""
    for table in TABLES:
        cursor.execute(f"CREATE TABLE sample_{table} AS SELECT * FROM {table}")
    cursor.execute(f"TRUNCATE {EMPTIED}")
    cursor.execute(
        "SELECT p.relid::regclass FROM unnest(%s) t, pg_partition_tree(t::regclass) p WHERE p.isleaf",
        (list(TABLES),),
    )
    for (partition,) in cursor.fetchall():
        cursor.execute(f"DROP TABLE {partition}")
    # The sequence counts thousands: a value is the first of that many row numbers.
    cursor.execute(
        "SELECT count(*), (SELECT last_value + 1000 FROM row_id) FROM sample_delivery_to"
    )
    recipients, width = cursor.fetchone() or (0, 0)
    return recipients, width


def _fill_day(
    connection: Connection, table: str, day: date, copies: range, width: int, *, indexed: bool
) -> None:
    """Make the partition of a day with the copies that are its own, in one transaction."""
    child, bounds = f"{table}_{day:%Y%m%d}", (day, day + timedelta(days=1))
    connection.autocommit = False
    with connection.cursor() as cursor:
        if indexed:
            cursor.execute("SELECT create_partition(%s, %s, %s)", (table, *bounds))
        else:
            cursor.execute(
                f"CREATE TABLE {child} (LIKE {table}"
                " INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE)"
            )
        statement = _statement(cursor, table, child)
        for values in _copies(day, copies, width):
            cursor.execute(statement, values)
        if not indexed:
            cursor.execute(
                f"ALTER TABLE {table} ATTACH PARTITION {child} FOR VALUES FROM (%s) TO (%s)", bounds
            )
        connection.commit()
        connection.autocommit = True
        cursor.execute(f"VACUUM ANALYZE {child}")


def _statement(cursor: Cursor, table: str, child: str) -> str:
    """Give what inserts one copy of the sample."""
    cursor.execute(COLUMNS, (table,))
    columns = dict(cursor.fetchall())
    values = [
        OTHERS.get(name, "{0} + %(shift)s" if is_time else "{0}").format(name)
        for name, is_time in columns.items()
    ]
    order = "to_id" if table == "delivery_attempt" else "id"
    return (
        f"INSERT INTO {child} ({', '.join(columns)})"
        f" SELECT {', '.join(values)} FROM sample_{table} ORDER BY {order}"
    )


def _copies(day: date, copies: range, width: int) -> Iterator[dict[str, Any]]:
    """Give what the copies of a day differ in."""
    for place, copy in enumerate(copies):
        hours = 24 // PASSES * (place * PASSES // len(copies))
        yield {
            "day": day,
            "copy": f" {copy}",
            "step": width * (copy + 1),
            "shift": datetime.combine(day, time(hours), UTC) - SAMPLE_START,
        }
