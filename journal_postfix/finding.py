"""Finding what a question asks: mails by what an index knows best, the rest on their whole ways.

A hit anywhere on a mail's way leads to the way. Refusals before queueing, senders who were told to
come back and did, and mails that may be bounces made by others stand beside the ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from journal_postfix.database import Connection
from journal_postfix.patterns import Pattern
from journal_postfix.queries import ask
from journal_postfix.question import FOREVER, VERDICTS, Question
from journal_postfix.walking import load_ways
from journal_postfix.ways import Key, Line, Row, Way

PORTION = 60  # hits whose ways are loaded at once, at least
LOOK_AT_MOST = 5_000  # hits, where few of them are what is asked
REFUSALS_AT_MOST = 2_000
BOUNCES_AT_MOST = 200
COME_BACK = timedelta(days=5)
LAST_ID = 2**63 - 1


@dataclass
class Refusals:
    """Refusals before queueing that are alike: one or several, in the order of time."""

    rows: list[Row]

    @property
    def t(self) -> datetime:
        """The first one's."""
        t: datetime = self.rows[0]["t"]
        return t


class Bounce(NamedTuple):
    """A mail that may be a bounce, made by others, of one that they had accepted."""

    way: Way
    of: Way
    line: Line

    @property
    def t(self) -> datetime:
        """When it came."""
        return self.way.t


Item = Way | Refusals | Bounce


@dataclass
class Found:
    """What was found, by time; `more` at most are older, of which `not_looked_at` nobody looked at."""

    items: list[Item] = field(default_factory=list)
    more: int = 0
    not_looked_at: int = 0


def find(connection: Connection, question: Question) -> Found:
    """The latest that answer a question."""
    refusals, unseen = _refusals(connection, question)
    ways, left = _ways(connection, question, refusals)
    _tell_who_came_back(connection, ways)
    items: list[Item] = [*ways, *_alike(_not_told(refusals, ways))]
    items.sort(key=lambda item: item.t)
    shown = items[-question.limit :]
    shown += _bounces(connection, question, shown)
    shown.sort(key=lambda item: item.t)
    more = len(items) - question.limit
    return Found(shown, max(more, 0) + left + unseen, left if len(ways) < question.limit else 0)


# --- mails ----------------------------------------------------------------------------------


def _ways(connection: Connection, question: Question, refusals: list[Row]) -> tuple[list[Way], int]:
    """The latest ways that fit, and how many hits are left behind them."""
    named = [(row["day"], row["from_id"]) for row in refusals if row["from_id"] is not None]
    ways: list[Way] = []
    seen: set[Key] = set()
    left = 0
    for hits, left_now in _portions(connection, question, named):
        left = left_now
        for way in load_ways(connection, [key for key in hits if key not in seen]):
            if way.first.key not in seen:
                seen |= way.keys
                ways += [way] if fits(way, question) else []
        if len(ways) >= question.limit:
            break
    return ways, left


def _portions(
    connection: Connection, question: Question, named: list[Key]
) -> Iterator[tuple[list[Key], int]]:
    """Hits, the latest first, and how many are left."""
    query = _query(question)
    values = question.parameters() | {"most": max(PORTION, 2 * question.limit)}
    if _about_mails(question):  # another mail on the way may be that host's
        values |= {"mta_like": None}
    before, number, looked = FOREVER, LAST_ID, 0
    left = 1
    while left and looked < LOOK_AT_MOST:
        rows = ask(connection, query, **values, before=before, before_id=number)
        left = rows[0]["hits"] - len(rows) if rows else 0
        keys = [(row["day"], row["id"]) for row in rows] + named
        named = []
        if keys:
            yield keys, left
        if rows:
            before, number = rows[-1]["t"], rows[-1]["id"]
        looked += len(rows)


def _query(question: Question) -> str:
    """Where to look: what finds fewest comes first."""
    ways = (
        (_is_key(question.recipient), "trace_recipients"),
        (question.message_id or question.queue_id, "trace_mails"),
        (question.client and question.client.is_key, "trace_mails"),
        (_is_key(question.sender) or _is_key(question.sasl_username), "trace_mails"),
        (question.is_open, "trace_open"),
        (question.recipient, "trace_recipients"),
        (_about_mails(question), "trace_mails"),
        (question.status, "trace_statuses"),
    )
    return next((query for asked, query in ways if asked), "trace_mails")


def _is_key(pattern: Pattern | None) -> bool:
    return pattern is not None and pattern.is_key


def _about_mails(question: Question) -> bool:
    asked = (
        question.sender, question.message_id, question.queue_id,
        question.client, question.sasl_username, question.subject,
    )  # fmt: skip
    return any(one is not None for one in asked)


# --- whether a way is what is asked ---------------------------------------------------------


def fits(way: Way, question: Question) -> bool:
    """Whether a mail on its way, or one notice about it, is all that is asked."""
    if way.first.row["origin"] == "probe" and not question.wants_probes:
        return False
    return any(_strand_fits(strand, question) for strand in way.strands)


def _strand_fits(way: Way, question: Question) -> bool:
    rows = [mail.row for mail in way.mails]
    senders = [row[name] for row in rows for name in ("sender", "sender_given")]
    return (
        _any(question.sender, senders)
        and _any(question.subject, [row["subject"] for row in rows])
        and _any(question.sasl_username, [row["sasl_username"] for row in rows])
        and _any(question.mta, [row["mta"] for row in rows])
        and question.message_id in (None, *(row["message_id"] for row in rows))
        and question.queue_id in (None, *(row["queue_id"] for row in rows))
        and _client_fits(rows, question)
        and (not question.is_open or any(mail.in_queue for mail in way.mails))
        and any(_line_fits(line, question) for line in way.lines)
    )


def _any(pattern: Pattern | None, values: list[str | None]) -> bool:
    return pattern is None or any(pattern.fits(value) for value in values)


def _client_fits(rows: list[Row], question: Question) -> bool:
    client = question.client
    return client is None or any(
        client.fits(row["client_name"], row["client_address"]) for row in rows
    )


def _line_fits(line: Line, question: Question) -> bool:
    if question.recipient and not any(question.recipient.fits(one) for one in line.addresses):
        return False
    return question.status in (None, *_words_of(line))


def _words_of(line: Line) -> Iterator[str | None]:
    """All that Postfix or we say of a recipient's end, or on its way through filters."""
    yield line.fate
    yield line.row.get("status")
    yield line.verdict["action"] if line.verdict else None
    yield from (row["fate"] for _, row in line.hops if row)


# --- refusals -------------------------------------------------------------------------------


def _refusals(connection: Connection, question: Question) -> tuple[list[Row], int]:
    """The refusals that are asked for, and how many more there are.

    Those with a queue id belong to a mail, which is found by it.
    """
    about_mails = (
        question.message_id, question.queue_id, question.subject, question.is_open or None,
    )  # fmt: skip
    other_status = question.status not in (None, "refused", *VERDICTS)
    if other_status or any(one is not None for one in about_mails):
        return [], 0
    values = question.parameters() | {"most": REFUSALS_AT_MOST}
    rows = ask(connection, "trace_verdicts", **values, before=FOREVER, before_id=LAST_ID)
    more = rows[0]["hits"] - len(rows) if rows else 0
    for row in rows:
        del row["hits"]
    return rows[::-1], more


def _not_told(refusals: list[Row], ways: list[Way]) -> list[Row]:
    """Refusals that belong to none of the mails."""
    told = {row["id"] for way in ways for row in way.told_back}
    return [row for row in refusals if row["from_id"] is None and row["id"] not in told]


def _alike(refusals: list[Row]) -> list[Refusals]:
    """Refusals of the same for the same reason, together."""
    groups: dict[Any, Refusals] = {}
    names = ("mta", "daemon", "client_address", "sender", "recipient", "action", "dsn", "reason")
    for row in refusals:
        key = tuple(row[name] for name in names)
        groups.setdefault(key, Refusals([])).rows.append(row)
    return list(groups.values())


# --- told to come back, and came ------------------------------------------------------------


def _tell_who_came_back(connection: Connection, ways: list[Way]) -> None:
    came = [way for way in ways if way.first.row["origin"] == "smtp" and way.first.row["sender"]]
    recipients = {one.lower() for way in came for line in way.lines for one in line.addresses}
    if not recipients:
        return
    rows = ask(
        connection, "trace_told_back",
        senders=list({way.first.row["sender"].lower() for way in came}),
        recipients=list(recipients),
        first=(min(way.t for way in came) - COME_BACK).date(),
        last=max(way.t for way in came).date(),
    )  # fmt: skip
    for row in rows:
        way = next((way for way in sorted(came, key=lambda w: w.t) if _came_back(row, way)), None)
        if way is not None:
            way.told_back.append(row)


def _came_back(row: Row, way: Way) -> bool:
    """The mail came within days after its sender was told to come back with it."""
    return (
        row["t"] < way.t < row["t"] + COME_BACK
        and row["sender"].lower() == way.first.row["sender"].lower()
        and any(
            row["recipient"].lower() == one.lower() for line in way.lines for one in line.addresses
        )
    )


# --- bounces made by others -----------------------------------------------------------------


def _bounces(connection: Connection, question: Question, items: list[Item]) -> list[Item]:
    """Mails with an empty sender to the sender of a mail, from a server that had accepted it."""
    if question.sender is None and question.message_id is None and question.queue_id is None:
        return []
    accepted = [
        (way, line)
        for way in items
        if isinstance(way, Way) and way.first.row["sender"]
        for line in way.lines
        if line.fate == "accepted elsewhere"
    ]
    if not accepted:
        return []
    rows = ask(
        connection, "trace_bounces", most=BOUNCES_AT_MOST,
        addresses=list({way.first.row["sender"].lower() for way, _ in accepted}),
        first=min(way.t for way, _ in accepted).date(),
        last=(max(line.t for _, line in accepted) + COME_BACK).date(),
    )  # fmt: skip
    known = {key for way in items if isinstance(way, Way) for key in way.keys}
    of = {}
    for row in rows:
        pair = next(((w, line) for w, line in reversed(accepted) if _may_be_of(row, w, line)), None)
        if pair is not None and (row["day"], row["id"]) not in known:
            of[row["day"], row["id"]] = pair
    ways = load_ways(connection, list(of))
    return [Bounce(way, *of[way.first.key]) for way in ways if way.first.key in of]


def _may_be_of(row: Row, way: Way, line: Line) -> bool:
    return (
        line.t <= row["t_i"] < line.t + COME_BACK
        and row["recipient"].lower() == way.first.row["sender"].lower()
        and (
            row["client_address"] == line.row["relay_address"]
            or _near(row["client_name"], line.row["relay_name"])
        )
    )


def _near(client: str | None, relay: str | None) -> bool:
    """Host names of one organisation: a large one takes mail and sends it by different hosts."""
    if not client or not relay:
        return False
    domain = relay.lower().partition(".")[2]
    return client.lower() == relay.lower() or (
        "." in domain and client.lower().endswith(f".{domain}")
    )
