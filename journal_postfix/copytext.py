"""Rows as text for PostgreSQL's COPY ... FROM STDIN.

It knows the text format (NULL, escapes), the limit of a text column and what an `inet` is, and
no table.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

TEXT_LIMIT = 2000  # bytes; DESIGN section 4

_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v",
     "\0": "?"}
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


def _text(value: str) -> str:
    if len(value) > TEXT_LIMIT // 4:
        value = limited(value)
    if value.isprintable() and "\\" not in value:
        return value
    return value.encode(errors="replace").decode().translate(_ESCAPES)


def _field(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, str):
        return _text(value)
    if value is True:
        return "t"
    if value is False:
        return "f"
    if type(value) is datetime:
        return _stamp(value)
    return str(value)


@lru_cache(maxsize=4096)
def _stamp(value: datetime) -> str:
    return value.isoformat()


def copy_text(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> io.StringIO:
    """A stream of COPY text: one line per row, the columns in this order, missing ones NULL."""
    return io.StringIO(
        "".join(["\t".join([_field(row.get(name)) for name in columns]) + "\n" for row in rows])
    )
