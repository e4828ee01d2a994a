"""The rows of one database into a fresh one by COPY and nothing else, batch by batch.

Usage: python benchmarks/bare_copy.py FROM_DSN INTO_DSN LINES

INTO has the same tables; the same partitions are made first. Rows are taken in the order of their
ids, cut into as many batches as a backfill makes of so many LINES, and kept as COPY text before the
clock starts; each batch is a transaction.
Prints a JSON object: seconds inside of the calls, rows.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg2

from journal_postfix.config import Config

# Every table that people see, with its columns, less those that the database computes.
TABLES = """
    SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
           bool_or(a.attname = 'id')
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND NOT c.relispartition AND c.relname <> 'schema_version'
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    GROUP BY c.relname ORDER BY c.relname"""
PARTITIONS = """
    SELECT format('CREATE TABLE %I PARTITION OF %s %s', c.relname, i.inhparent::regclass,
                  pg_get_expr(c.relpartbound, c.oid))
    FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE c.relkind = 'r' AND c.relispartition ORDER BY c.relname"""

Batch = list[tuple[str, bytes]]  # COPY statements with their rows as text


def _copied_out(cursor: Any, table: str, columns: str, order: str) -> list[bytes]:
    text = io.BytesIO()
    cursor.copy_expert(f"COPY (SELECT {columns} FROM {table} {order}) TO STDOUT", text)
    return text.getvalue().splitlines(keepends=True)


def _cut(lines: list[bytes], count: int) -> Iterator[bytes]:
    for number in range(count):
        begin, end = (len(lines) * place // count for place in (number, number + 1))
        yield b"".join(lines[begin:end])


def read(dsn: str, count: int) -> tuple[list[str], list[Batch], int]:
    """Statements that make the partitions, the batches, and the number of rows in them."""
    batches: list[Batch] = [[] for _ in range(count)]
    rows = 0
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(PARTITIONS)
        partitions = [statement for (statement,) in cursor.fetchall()]
        cursor.execute(TABLES)
        for table, columns, has_id in cursor.fetchall():
            lines = _copied_out(cursor, table, columns, "ORDER BY id" if has_id else "")
            rows += len(lines)
            for batch, text in zip(batches, _cut(lines, count), strict=True):
                if text:
                    batch.append((f"COPY {table} ({columns}) FROM STDIN", text))
    connection.close()
    return partitions, batches, rows


def write(dsn: str, partitions: list[str], batches: list[Batch]) -> float:
    """Copy the batches; gives the seconds inside of the calls."""
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        for statement in partitions:
            cursor.execute(statement)
        connection.commit()
        streams = [[(sql, io.BytesIO(text)) for sql, text in batch] for batch in batches]
        begin = time.perf_counter()
        for batch in streams:
            for sql, stream in batch:
                cursor.copy_expert(sql, stream)
            connection.commit()
        seconds = time.perf_counter() - begin
    connection.close()
    return seconds


def main(source: str, target: str, lines: str) -> None:
    """Copy, and tell."""
    count = -(-int(lines) // Config().max_messages_per_commit)
    partitions, batches, rows = read(source, count)
    print(json.dumps({"seconds": write(target, partitions, batches), "rows": rows}))


if __name__ == "__main__":
    main(*sys.argv[1:])
