"""How a page of `trace` is laid out: 100 columns, nothing raw from the log, long values cut."""

from __future__ import annotations

import textwrap
from typing import Any

from journal_postfix.output import visible
from journal_postfix.ways import Row

WIDTH = 100
LONGEST = 300
LONGEST_NAME = 64


def cut(value: Any, most: int = LONGEST) -> str:
    """A value on one line, without control characters, not longer than this."""
    text = visible(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def named(value: Any) -> str:
    """A name or an address; of very long ones the beginning."""
    return cut(value, LONGEST_NAME)


def address(value: str | None) -> str:
    """An envelope address; empty is the null reverse-path."""
    if value is None:
        return "not known"
    return named(value) if value else "<> (no sender)"


def client(row: Row) -> str:
    """A client by name and address, as far as they are known."""
    name, at = row["client_name"], row["client_address"]
    if name and name != "unknown":
        return f"{named(name)} [{visible(at)}]" if at else named(name)
    return visible(at) if at else "not known"


def codes(row: Row, text: str | None) -> str:
    """A reply with its codes."""
    numbers = [str(row[name]) for name in ("reply_code", "dsn") if row[name]]
    return cut(" ".join([*numbers, text or "no reason logged"]))


def wrapped(text: str, head: str, indent: int) -> str:
    """A text behind its head, broken at the width."""
    return textwrap.fill(
        text, WIDTH, initial_indent=head, subsequent_indent=" " * indent, break_on_hyphens=False
    )


def paragraph(text: str) -> str:
    """A sentence or some."""
    return wrapped(text, "", 4)


def titled(title: str, text: str) -> str:
    """A line of a mail with a title."""
    return wrapped(text, f"    {title:<9} ", 14)


def below(text: str) -> str:
    """A line that belongs to the one above it."""
    return wrapped(text, " " * 8, 8)
