"""Lists of a report, the most frequent first: two beside each other; who guesses; bars over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from journal_postfix.output import visible
from journal_postfix.wording import counted, number_of

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
BARS = {True: "▁▂▃▄▅▆▇█", False: ".:-=+*#@"}


def top_lists(top: Mapping[str, list[Row]]) -> list[List]:
    """Lists that have lines."""
    return [
        (heading, [_line(row, column, name) for row in top[key]])
        for key, heading, column, name in LISTS
        if top[key]
    ]


def _line(row: Row, column: str, name: str) -> str:
    text = _named(row, name)
    room = _COLUMN - 11
    if len(text) > room:
        text = text[: room - 3] + "..."
    return f"{counted(row[column]):>9}  {text}"


def _named(row: Row, name: str) -> str:
    """The value, of a client with its name."""
    if row.get("client_name") in (None, "unknown"):
        return visible(row[name])
    return f"{visible(row['client_name'])} [{visible(row[name])}]"


def login_lines(logins: Row, shown: int) -> Iterator[str]:
    """Logins that failed, and from where most of them came; nothing where none did."""
    if not logins["failed"]:
        return
    addresses, accounts = logins["addresses"], logins["accounts"]
    yield (
        f"LOGINS  failed {counted(logins['failed'])} from {counted(addresses)}"
        f" address{'' if addresses == 1 else 'es'}, for {number_of(accounts, 'name')};"
        f" succeeded {counted(logins['succeeded'])}"
    )
    for row in logins["guessing"][:shown]:
        tried = number_of(row["accounts"], "name")
        yield f"{counted(row['failed']):>9}  {_named(row, 'client_address')}, for {tried}"


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


def over_time(report: Row, width: int, *, unicode: bool) -> Iterator[str]:
    """What was received and refused over time, a bar for each hour or day."""
    by = report["period"]["by"]
    rows = report[f"{by}s"]
    for name in ("received", "refused"):
        numbers = [row[name] for row in rows]
        if len(rows) > 1 and any(numbers):
            first, last = (f"{row['begin']:%Hh}" if by == "hour" else f"{row['begin']:%d %b}"
                           for row in (rows[0], rows[-1]))  # fmt: skip
            bars = "".join(
                _bar(number, max(numbers), unicode) for number in _fitting(numbers, width // 2)
            )
            yield f"{first} {bars} {last}   {name} per {by}, at most {counted(max(numbers))}"


def _fitting(numbers: list[int], most: int) -> list[int]:
    """The greatest of each few neighbours, so that there are no more than so many."""
    step = -(-len(numbers) // most)
    return [max(numbers[place : place + step]) for place in range(0, len(numbers), step)]


def _bar(number: int, most: int, unicode: bool) -> str:
    levels = BARS[unicode]
    return levels[-(-number * len(levels) // most) - 1] if number else " "
