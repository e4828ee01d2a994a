"""Rows for people and programs: a table on a terminal, JSON, or CSV.

Control characters from the log never reach a terminal raw.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

Rows = Sequence[dict[str, Any]]

FORMATS = ("table", "json", "csv")
_WIDEST = 60
# DEL, C1, what changes the direction of writing, separators of lines, private use, surrogates
_UNPRINTED = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\uf8ff\ufeff]"
)


FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula, which whoever writes to us could put there."""


def harmless(value: Any) -> Any:
    """A value of CSV as plain() gives it, that no spreadsheet takes for a formula."""
    text = plain(value)
    return f"'{text}" if isinstance(text, str) and text.startswith(FORMULA) else text


def plain(value: Any) -> Any:
    """A value as JSON knows it: times as ISO 8601, the rest as it is."""
    return value.isoformat() if isinstance(value, datetime | date) else value


def visible(value: Any) -> str:
    """A value on one line of a terminal: no control characters, times to the second."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S%z")[:22]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(char if char.isprintable() else "?" for char in str(value))


def _cut(text: str) -> str:
    if len(text) <= _WIDEST:
        return text
    if text.startswith("/"):  # of a path the end tells most
        return "…" + text[1 - _WIDEST :]
    return text[: _WIDEST - 1] + "…"


def as_table(rows: Rows) -> str:
    """Columns under their names, numbers to the right; an empty string for no rows."""
    if not rows:
        return ""
    names = list(rows[0])
    cells = [[_cut(visible(row[name])) for name in names] for row in rows]
    numeric = [all(isinstance(row[n], int | float | None) for row in rows) for n in names]
    widths = [max(len(line[i]) for line in [names, *cells]) for i in range(len(names))]
    lines = [names, ["-" * width for width in widths], *cells]
    return "".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )


def as_json(value: Any) -> str:
    """Indented JSON with a newline at its end; what a terminal might obey is escaped."""
    return _escaped(json.dumps(value, indent=1, ensure_ascii=False, default=plain)) + "\n"


def _escaped(text: str) -> str:
    """JSON without characters that do not print: above ASCII json itself lets them pass."""
    return _UNPRINTED.sub(lambda found: json.dumps(found[0])[1:-1].replace("\x7f", "\\u007f"), text)


def as_csv(rows: Rows) -> str:
    """CSV with a header line (RFC 4180 quoting, lines end with a newline alone)."""
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: harmless(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def formatted(rows: Rows, how: str) -> str:
    """Rows in one of FORMATS."""
    if how == "json":
        return as_json([{name: plain(value) for name, value in row.items()} for row in rows])
    return as_csv(rows) if how == "csv" else as_table(rows)


def sections(parts: Mapping[str, Rows], how: str) -> str:
    """Several named lists of rows: tables under headings, one JSON object, or long CSV."""
    if how == "json":
        return as_json(
            {
                n: [{k: plain(v) for k, v in row.items()} for row in rows]
                for n, rows in parts.items()
            }
        )
    if how == "csv":
        return as_csv([
            {"section": name, "number": number, "key": key, "value": value}
            for name, rows in parts.items()
            for number, row in enumerate(rows, 1)
            for key, value in row.items()
        ])  # fmt: skip
    return "\n".join(f"{name.upper()}\n{as_table(rows)}" for name, rows in parts.items() if rows)
