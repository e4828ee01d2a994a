"""Rows as text for PostgreSQL's COPY ... FROM STDIN.

It knows the text format (NULL, escapes), the limit of a text column and what an `inet` is, and
no table.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from journal_postfix.database import Behind, Cursor

TEXT_LIMIT = 2000  # bytes; DESIGN section 4

NULL = r"\N"
DELIMITER = "|"  # printable, so that one look at a line shows what has to be escaped
CHUNK = 1 << 20  # bytes handed over at once

_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v",
     "\0": "?", DELIMITER: "\\" + DELIMITER}
)  # fmt: skip


@lru_cache(maxsize=65536)
def inet(text: str) -> str | None:
    """The address as PostgreSQL reads it; None for what is none (`unknown`)."""
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        return None


def limited(text: str) -> str:
    """The text, at most TEXT_LIMIT bytes long, cut between characters."""
    if len(text) * 4 <= TEXT_LIMIT or len(text.encode()) <= TEXT_LIMIT:
        return text
    return text.encode()[:TEXT_LIMIT].decode(errors="ignore")


def _escaped(text: str) -> str:
    if len(text) * 4 > TEXT_LIMIT:
        text = limited(text)
    if text.isprintable() and "\\" not in text and DELIMITER not in text:
        return text
    return text.encode(errors="replace").decode().translate(_ESCAPES)


#: How values that are not text are written, by their type; calls of functions in C only.
_TEXTS: dict[type, Callable[[Any], str]] = {
    bool: {False: "f", True: "t"}.__getitem__,
    date: lru_cache(maxsize=512)(date.isoformat),
    datetime: lru_cache(maxsize=4096)(datetime.isoformat),
    float: lru_cache(maxsize=4096)(repr),
    int: repr,
    type(None): {None: NULL}.__getitem__,
}


def _line(row: dict[str, Any], nothing: dict[str, str]) -> str:
    """One line of COPY text; `nothing` is a row of NULLs, which gives the columns their order.

    Looking at the whole line is faster than at each of its fields, which mostly are harmless.
    """
    fields: dict[str, Any] = {**nothing, **row}
    for name, value in row.items():
        kind = type(value)
        if kind is not str:
            fields[name] = _TEXTS[kind](value)
    line = DELIMITER.join(fields.values())
    if (
        line.count("\\") == len(nothing) - len(row)
        and line.count(DELIMITER) == len(nothing) - 1
        and len(line) * (1 if line.isascii() else 4) <= TEXT_LIMIT
        and line.isprintable()
    ):
        return line
    return _careful_line(row, nothing)


def _careful_line(row: dict[str, Any], nothing: dict[str, str]) -> str:
    """The same for a row with long or special texts, values that are None, or further keys."""
    fields = dict(nothing)
    for name in row.keys() & nothing.keys():
        value = row[name]
        fields[name] = _escaped(value) if type(value) is str else _TEXTS[type(value)](value)
    return DELIMITER.join(fields.values())


def copy_text(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> io.BytesIO:
    """A stream of COPY text: one line per row, the columns in this order, missing ones NULL."""
    nothing = dict.fromkeys(columns, NULL)
    lines = [_line(row, nothing) for row in rows]
    lines.append("")
    return io.BytesIO("\n".join(lines).encode())


def copy_into(
    cursor: Cursor | Behind, table: str, columns: Sequence[str], rows: Iterable[dict[str, Any]]
) -> None:
    """COPY rows into a table. Raises the driver's error."""
    cursor.copy_expert(
        f"COPY {table} ({', '.join(columns)}) FROM STDIN (DELIMITER '{DELIMITER}')",
        copy_text(rows, columns),
        CHUNK,
    )
