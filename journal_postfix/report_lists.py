"""The most frequent senders, recipients, domains and so on, two lists beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from journal_postfix.output import visible
from journal_postfix.wording import counted

Row = Mapping[str, Any]
List = tuple[str, list[str]]  # heading, lines

#: Name in the report, heading, and the column that is counted.
LISTS = (
    ("senders", "TOP SENDERS", "mails", "sender"),
    ("recipients", "TOP RECIPIENTS", "recipients", "recipient"),
    ("domains", "TOP DOMAINS written to", "recipients", "domain"),
    ("clients", "TOP CLIENTS from outside", "mails", "client_address"),
    ("logins", "TOP LOGINS", "recipients", "login"),
    ("refused_clients", "TOP CLIENTS refused", "refused", "client_address"),
)
_COLUMN = 48


def top_lists(top: Mapping[str, list[Row]]) -> list[List]:
    """Lists that have lines."""
    return [
        (heading, [_line(row, column, name) for row in top[key]])
        for key, heading, column, name in LISTS
        if top[key]
    ]


def _line(row: Row, column: str, name: str) -> str:
    text = visible(row[name])
    if row.get("client_name") not in (None, "unknown"):
        text = f"{visible(row['client_name'])} [{text}]"
    room = _COLUMN - 11
    if len(text) > room:
        text = text[: room - 3] + "..."
    return f"{counted(row[column]):>9}  {text}"


def pairs_of_columns(lists: Iterable[List], width: int) -> Iterator[str]:
    """Two lists beside each other, then the next two under an empty line."""
    blocks = [[heading, *lines] for heading, lines in lists]
    for number in range(0, len(blocks), 2):
        if number:
            yield ""
        left, right = [*blocks[number : number + 2], []][:2]
        for place in range(max(len(left), len(right))):
            one = left[place] if place < len(left) else ""
            other = right[place] if place < len(right) else ""
            yield f"{one:<{_COLUMN + 2}}{other}"[:width].rstrip()
