"""What `trace` gives to programs: JSON with all columns, CSV with a line per recipient."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from journal_postfix.clock import Clock
from journal_postfix.finding import Bounce, Item, Refusals
from journal_postfix.output import as_json, harmless, plain, visible
from journal_postfix.ways import Line, Row, Way

COLUMNS = (
    "time", "mta", "queue_id", "sender", "recipient", "orig_to", "fate", "status", "dsn", "reason",
    "relay", "attempts", "status_time", "client_name", "client_address", "sasl_username",
    "message_id", "subject", "size",
)  # fmt: skip


def first_row(item: Item) -> Row:
    """The row that an item is known by."""
    if isinstance(item, Refusals):
        return item.rows[0]
    return item.way.first.row if isinstance(item, Bounce) else item.first.row


# --- JSON -----------------------------------------------------------------------------------


def as_objects(items: Sequence[Item]) -> list[Row]:
    """Mails with their columns, deliveries and notices; refusals with theirs, one by one."""
    return [one for item in items for one in _objects(item)]


def _objects(item: Item) -> list[Row]:
    if isinstance(item, Refusals):
        return item.rows
    if isinstance(item, Bounce):
        return [_mail(item.way) | {"possible_bounce_of": item.of.first.row["queue_id"]}]
    return [*item.told_back, _mail(item)]


def _mail(way: Way) -> Row:
    fates = {line.fate for line in way.lines}
    return way.first.row | {
        "fate": fates.pop() if len(fates) == 1 else "mixed",
        "deliveries": [row for mail in way.mails for row in mail.deliveries],
        "verdicts": [row for mail in way.mails for row in mail.verdicts],
        "notices": [_mail(notice) for notice in way.notices],
    }


def _as_json(items: Sequence[Item], clock: Clock) -> str:
    return as_json(as_objects(items))


def as_line(item: Item) -> str:
    """An item's objects, each on a line."""
    return "\n".join(json.dumps(one, default=plain) for one in _objects(item))


def count(items: Sequence[Item]) -> int:
    """How many recipients and refusals are told."""
    return sum(sum(1 for _ in _flat(item)) for item in items)


# --- CSV ------------------------------------------------------------------------------------


def as_csv(items: Sequence[Item], clock: Clock, *, head: bool = True) -> str:
    """A line per recipient and per refusal, with what a spreadsheet needs."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    if head:
        writer.writeheader()
    for item in items:
        for row in _flat(item):
            writer.writerow({name: cell(row[name], clock) for name in COLUMNS})
    return out.getvalue()


def cell(value: Any, clock: Clock) -> Any:
    """A value for a spreadsheet: times of the zone, nothing that it would take for a formula."""
    if isinstance(value, datetime):
        return value.astimezone(clock.zone).isoformat(" ", "seconds")
    return harmless(visible(value)) if isinstance(value, str) else value


def _flat(item: Item) -> Iterator[Row]:
    if isinstance(item, Refusals):
        yield from (_flat_refusal(row) for row in item.rows)
        return
    way = item.way if isinstance(item, Bounce) else item
    yield from (_flat_refusal(row) for row in way.told_back)
    yield from (_flat_line(line, way) for line in way.lines)


def _flat_line(line: Line, way: Way) -> Row:
    mail, row = way.first.row, line.row or line.verdict or line.mail.row
    return {
        **{name: mail[name] for name in COLUMNS if name in mail},
        "time": mail["t_i"],
        "recipient": line.final,
        "orig_to": line.given if line.given != line.final else None,
        "fate": line.fate,
        "status_time": line.t,
        **{name: row[name] for name in ("dsn", "reason")},
        **{name: line.row.get(name) for name in ("status", "relay", "attempts")},
    }


def _flat_refusal(row: Row) -> Row:
    return {
        **{name: row.get(name) for name in COLUMNS},
        "time": row["t"],
        "fate": "refused",
        "status": row["action"],
        "status_time": row["t"],
    }


FORMATS: dict[str, Callable[[Sequence[Item], Clock], str]] = {"json": _as_json, "csv": as_csv}
