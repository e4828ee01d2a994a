"""Walking the ways of mails in the database: back to the first mail, forth to all that came of it.

Mails that may be on one way are few and found by indexes: they have the same Message-ID, name each
other's queue ids, or are notices. Which of them became which, the view journey tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from journal_postfix.database import Connection
from journal_postfix.queries import ask
from journal_postfix.ways import Key, Mail, Row, Step, Way

A_DAY = timedelta(days=1)
CLOCKS_DIFFER = timedelta(minutes=5)
WAITED = 6  # days before a mail for the one that it came of: queues give up after five
FAMILY_AT_MOST = 20_000  # mails with one Message-ID, as spam has it
LINKS = ("orig_queue_id", "next_queue_id", "notification_for")


def load_ways(connection: Connection, hits: Iterable[Key]) -> list[Way]:
    """The ways that some mails are part of, each once, in the order of their beginning."""
    hits = list(dict.fromkeys(hits))
    if not hits:
        return []
    known = {_key(row): row for row in ask(connection, "trace_rows", **_keys(hits))}
    steps = _steps(connection, _kin(_family(connection, known)))
    firsts = _reached(hits, [((s.day, s.id), (s.next_day, s.next_id)) for s in steps], ends=True)
    reached = _reached(firsts, [((s.next_day, s.next_id), (s.day, s.id)) for s in steps])
    missing = [key for key in reached if key not in known]
    if missing:
        known |= {_key(row): row for row in ask(connection, "trace_rows", **_keys(missing))}
    mails = _joined({key: Mail(known[key]) for key in reached if key in known}, steps)
    _load_parts(connection, list(mails.values()))
    ways = [Way(mails[key]) for key in firsts if key in mails]
    return sorted(ways, key=lambda way: (way.t, way.first.key))


class _Named(NamedTuple):
    """A step by the keys of its mails."""

    day: date
    id: int
    to_id: int | None
    t: datetime
    how: str
    next_day: date
    next_id: int
    next_mta: str


def _family(connection: Connection, hits: dict[Key, Row]) -> list[Row]:
    """All mails that some mails may be on one way with, and those that these may, and so on."""
    known: dict[Key, Row] = {}
    new = hits
    while new and len(known) < FAMILY_AT_MOST:
        known |= new
        found = ask(connection, "trace_family", **_links(connection, list(new.values())))
        new = {
            _key(row): row
            for row in found
            if _key(row) not in known and any(_meet(row, one) for one in new.values())
        }
    return list(known.values())


def _links(connection: Connection, rows: list[Row]) -> dict[str, Any]:
    """What leads from mails to others."""
    queue_ids = {row[name] for row in rows for name in LINKS if row[name]}
    nameless = [_key(row) for row in rows if row["message_id"] is None]
    if nameless:
        found = ask(connection, "trace_next_ids", **_keys(nameless))
        queue_ids |= {row["next_queue_id"] for row in found}
    return {
        "message_ids": list({row["message_id"] for row in rows if row["message_id"]}),
        "queue_ids": list(queue_ids),
        "ids": [row["id"] for row in rows],
        "days": _days_around(rows),
        "most": FAMILY_AT_MOST,
    }


def _days_around(rows: list[Row]) -> list[date]:
    """The days on which the mails may have begun that some mails came of or became."""
    days: set[date] = set()
    for row in rows:
        first = row["day"] - WAITED * A_DAY
        days.update(first + n * A_DAY for n in range((row["t_f"].date() - first).days + 2))
    return sorted(days)


def _meet(row: Row, other: Row) -> bool:
    """A mail begins while the one that it came of is there; hosts' clocks differ a little."""
    begin, end = max(row["t_i"], other["t_i"]), min(row["t_f"], other["t_f"])
    return bool(begin <= end + CLOCKS_DIFFER)


def _kin(family: list[Row]) -> list[Key]:
    """The mails of a family that have one in it: most mails never became another."""
    named: dict[str, set[Key]] = {}
    for row in family:
        for name in (*LINKS, "queue_id", "message_id"):
            if row[name]:
                named.setdefault(row[name], set()).add(_key(row))
    return list({key for keys in named.values() if len(keys) > 1 for key in keys})


def _steps(connection: Connection, kin: list[Key]) -> list[_Named]:
    if not kin:
        return []
    rows = ask(connection, "trace_steps", **_keys(kin))
    return [_Named(row.pop("day"), row.pop("from_id"), **row) for row in rows]


def _reached(
    begin: Iterable[Key], links: list[tuple[Key, Key]], *, ends: bool = False
) -> list[Key]:
    """What links lead to, from their second key to their first; `ends`: only where they end.

    Links in a circle end nowhere: then it is where they began.
    """
    after: dict[Key, list[Key]] = {}
    for to, here in links:
        after.setdefault(here, []).append(to)
    found: dict[Key, None] = {}
    for key in begin:
        way = _walk(key, after)
        found |= dict.fromkeys([one for one in way if one not in after] or [key] if ends else way)
    return list(found)


def _walk(key: Key, after: dict[Key, list[Key]]) -> list[Key]:
    seen = {key: None}
    queue = [key]
    while queue:
        new = [one for one in after.get(queue.pop(), ()) if one not in seen]
        seen |= dict.fromkeys(new)
        queue += new
    return list(seen)


def _joined(mails: dict[Key, Mail], steps: list[_Named]) -> dict[Key, Mail]:
    """Mails with their steps."""
    for step in steps:
        here, there = (step.day, step.id), (step.next_day, step.next_id)
        if here in mails and there in mails:
            mails[here].steps.append(Step(step.how, step.to_id, step.t, mails[there]))
    return mails


def _load_parts(connection: Connection, mails: list[Mail]) -> None:
    by_id = {mail.row["id"]: mail for mail in mails}
    keys = _keys([mail.key for mail in mails])
    went_on = {
        step.to_id: step.next.row["mta"]
        for mail in mails
        for step in reversed(mail.steps)
        if step.to_id is not None
    }
    rows = ask(
        connection, "trace_deliveries", **keys, went_on=list(went_on), mtas=list(went_on.values())
    )
    for row in rows:
        mail = by_id.get(row.pop("mail_id"))
        if mail is not None and row["id"] is None:
            mail.fate = row["fate"]
        elif mail is not None:
            mail.deliveries.append(row)
    for row in ask(connection, "trace_verdicts_of", **keys):
        if row["from_id"] in by_id:
            by_id[row["from_id"]].verdicts.append(row)


def _key(row: Row) -> Key:
    return row["day"], row["id"]


def _keys(keys: Sequence[Key]) -> dict[str, Any]:
    return {"days": list({day for day, _ in keys}), "ids": [number for _, number in keys]}
