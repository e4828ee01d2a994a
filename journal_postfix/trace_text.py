"""What `trace` prints for people: each mail as one would tell it, at most 100 columns wide.

Times are those of a clock, beside the beginning of the mail.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from journal_postfix.clock import Clock, duration
from journal_postfix.finding import Bounce, Item, Refusals
from journal_postfix.output import visible
from journal_postfix.trace_aloud import to_do, to_read
from journal_postfix.trace_layout import (
    WIDTH,
    address,
    below,
    client,
    codes,
    cut,
    named,
    paragraph,
    titled,
    wrapped,
)
from journal_postfix.trace_recipients import is_on_content, other_notices, recipients, word
from journal_postfix.trace_words import FOREIGN_BOUNCE, ORIGINS, SAID, STEPS
from journal_postfix.ways import Mail, Row, Way
from journal_postfix.wording import size

NAMED_AT_MOST = 3
NOT_STORED = "not stored"

_QUEUED_AS = re.compile(r"queued as ([0-9A-Za-z]{6,})").search


def page(items: Sequence[Item], clock: Clock, first: int = 1) -> str:
    """All that was found, numbered, and the ids of the mails at the end."""
    numbers = {id(item): number for number, item in enumerate(items, first)}
    blocks, ids = [], []
    for item in items:
        head = f"[{numbers[id(item)]}] {clock.full(item.t)}  "
        blocks.append("\n".join(_block(item, head, clock, numbers)))
        if isinstance(item, Way):
            ids.append(wrapped(f"[{numbers[id(item)]}] {_ids(item)}", "Ids: ", 9))
    return "\n\n".join(blocks) + "\n" + ("\n" + "\n".join(ids) + "\n" if ids else "")


def counted(items: Sequence[Item]) -> str:
    """How many of what follow."""
    mails = [item for item in items if isinstance(item, Way)]
    lines = sum(len(way.lines) for way in mails)
    refused = sum(len(item.rows) for item in items if isinstance(item, Refusals))
    bounces = sum(isinstance(item, Bounce) for item in items)
    parts = [
        (len(mails), f"mail{_s(len(mails))} to {lines} recipient{_s(lines)}"),
        (refused, f"refusal{_s(refused)} before a mail"),
        (bounces, f"possible bounce{_s(bounces)} from outside"),
    ]
    return "; ".join(f"{count} {words}" for count, words in parts if count) + "."


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _block(item: Item, head: str, clock: Clock, numbers: dict[int, int]) -> Iterator[str]:
    if isinstance(item, Refusals):
        return _refusals(item, head, clock)
    if isinstance(item, Bounce):
        return _bounce(item, head, clock, numbers.get(id(item.of)))
    return _way(item, head, clock)


# --- a mail ---------------------------------------------------------------------------------


def _way(way: Way, head: str, clock: Clock) -> Iterator[str]:
    yield from _header(way, head)
    yield from _told_back(way, clock)
    yield titled("came in", f"{clock.near(way.t, way.t)}  {_came_in(way.first)}")
    yield from _events(way, clock)
    yield _message_id(way.first.row)
    yield ""
    yield from recipients(way, clock)
    yield from other_notices(way, clock)
    yield ""
    yield wrapped(to_read(way, clock), "    READ THIS:  ", 16)
    yield wrapped(to_do(way), "    DO:         ", 16)


def _header(way: Way, head: str) -> Iterator[str]:
    count = sum(line.given is not None for line in way.lines)
    octets = next((mail.row["size"] for mail in way.mails if mail.row["size"]), None)
    words = [
        f"from {address(way.first.row['sender'])}",
        f"to {count}" if count else "recipients not known",
        *([size(octets)] if octets else []),
    ]
    text, summary = head + "  ".join(words), _summary(way)
    if summary and len(text) + len(summary) + 4 <= WIDTH:
        yield f"{text}    {summary}"
    else:
        yield paragraph(text)
        yield from [wrapped(summary, "    ", 4)] if summary else []


def _summary(way: Way) -> str:
    counts = Counter(SAID[line.fate].kind for line in way.lines)
    if way.told_back:
        ends = dict.fromkeys(word(line).split(" by ")[0] for line in way.lines)
        return f"TOLD TO COME BACK, THEN {' AND '.join(ends)}"
    if len(counts) > 1:
        return "MIXED: " + ", ".join(f"{count} {kind}" for kind, count in counts.items())
    if len(way.lines) > 1:
        return f"all {len(way.lines)} {next(iter(counts))}"
    return ""


def _told_back(way: Way, clock: Clock) -> Iterator[str]:
    if not way.told_back:
        return
    first = way.told_back[0]
    times = ", ".join(clock.near(row["t"], way.t) for row in way.told_back[:NAMED_AT_MOST])
    more = len(way.told_back) - NAMED_AT_MOST
    times += f" and {more} more times" if more > 0 else ""
    at = f"{named(first['mta'])}, {client(first)}"
    yield titled("told back", f"{times} at {at}: {codes(first, first['reason'])}")
    yield titled("came back", f"{duration((way.t - first['t']).total_seconds())} later")


def _came_in(mail: Mail) -> str:
    row = mail.row
    parts = [
        ORIGINS[row["origin"]].format(
            mta=named(row["mta"]),
            service=cut(row["service"] or "smtp", 40),
            notification=visible(row["notification"]),
        )
    ]
    if row["sasl_username"]:
        parts.append(f'login "{named(row["sasl_username"])}"')
    if row["uid"] is not None:
        parts.append(f"user id {row['uid']}")
    if row["origin"] == "smtp" or row["client_address"]:
        parts.append(f"from {client(row)}")
    if row["encryption_protocol"]:
        parts.append(f"encrypted {cut(row['encryption_protocol'], 20)}")
    if row["verdict"]:
        parts.append(f"verdict: {cut(row['verdict'], 40)}")
    return ", ".join(parts)


def _events(way: Way, clock: Clock) -> Iterator[str]:
    """What happened on the way, in the order of time."""
    events = [event for mail in way.mails for event in _events_of(mail)]
    for t, title, text in sorted(events, key=lambda event: event[0]):
        yield titled(title, f"{clock.near(t, way.t)}  {text}")


def _events_of(mail: Mail) -> Iterator[tuple[datetime, str, str]]:
    row = mail.row
    on = named(row["mta"])
    if row["sender_given"] is not None and row["sender_given"] != row["sender"]:
        yield row["t_i"], "sender", f"given as {address(row['sender_given'])}"
    if row["held_at"]:
        yield row["held_at"], "held", f"on {on}: {cut(row['hold_reason'] or 'by postsuper')}"
    if row["released_at"]:
        yield row["released_at"], "released", f"on {on}"
    told: set[Any] = set()
    for step in mail.steps:
        if step.how != "notice" and (step.how, step.next.key) not in told:
            told.add((step.how, step.next.key))
            yield step.t, *_step(mail, step.how, step.to_id, step.next)


def _step(mail: Mail, how: str, to_id: int | None, after: Mail) -> tuple[str, str]:
    delivery = next((row for row in mail.deliveries if row["id"] == to_id), {})
    delay = delivery.get("delay_transmission")
    title, text = STEPS[how]
    return title, text.format(
        relay=named(delivery.get("relay_name") or delivery.get("relay")),
        mta=named(mail.row["mta"]),
        next_mta=named(after.row["mta"]),
        next=visible(after.row["queue_id"]),
        after="" if delay is None else f", {duration(delay)}",
    )


def _message_id(row: Row) -> str:
    message_id = cut(row["message_id"], 120) if row["message_id"] else "not known"
    subject = cut(row["subject"], 120) if row["subject"] else NOT_STORED
    return wrapped(f"Message-ID {message_id}  subject: {subject}", "    ", 14)


def _ids(way: Way) -> str:
    ids = [f"{named(mail.row['mta'])} {visible(mail.row['queue_id'])}" for mail in way.mails]
    theirs = {
        found[1]
        for line in way.lines
        if line.fate == "accepted elsewhere" and (found := _QUEUED_AS(line.row["reason"] or ""))
    }
    if len(theirs) == 1:
        ids.append(f"{visible(theirs.pop())} (theirs)")
    return "; ".join([" > ".join(ids), *(f"notice {_ids(notice)}" for notice in way.notices)])


# --- refusals and bounces of others ---------------------------------------------------------


def _refusals(item: Refusals, head: str, clock: Clock) -> Iterator[str]:
    row, times = item.rows[0], f" {len(item.rows)} TIMES" if len(item.rows) > 1 else ""
    where = f"{client(row)} at {named(row['mta'])}"
    if row["sender"] is None and row["recipient"] is None:
        what = "CUT OFF" if row["action"] == "drop" else "REFUSED"
        yield paragraph(f"{head}CALLER {what}{times}, MAIL UNKNOWN  {where}")
    else:
        what = "TOLD TO COME BACK" if row["temporary"] else "REFUSED"
        who = f"{address(row['sender'])} -> {address(row['recipient'])}"
        yield paragraph(f"{head}{what}{times}  {who}, {where}")
    by = f"{row['daemon']}: " if row["daemon"] == "postscreen" else ""
    yield below(by + codes(row, row["reason"]))
    if times:
        yield below(f"last {clock.near(item.rows[-1]['t'], item.t)}")
    yield from (below(text) for text in _remarks(row))


def _remarks(row: Row) -> Iterator[str]:
    if is_on_content(row):
        yield "It was the text: further recipients are not in the log."
    if row["temporary"] and row["sender"] is not None and row["recipient"] is not None:
        yield "That it came back is not in the log."


def _bounce(item: Bounce, head: str, clock: Clock, number: int | None) -> Iterator[str]:
    of = f"[{number}]" if number else visible(item.of.first.row["queue_id"])
    sender = address(item.of.first.row["sender"])
    ends = ", ".join(dict.fromkeys(word(line) for line in item.way.lines))
    yield paragraph(f"{head}POSSIBLE BOUNCE of {of}, made by others: no sender -> {sender}")
    yield below(
        f"from {client(item.way.first.row)}, whose side had accepted {of} for"
        f" {address(item.line.given)}; {ends} {clock.near(item.way.lines[-1].t, item.t)}."
    )
    yield below(FOREIGN_BOUNCE.format(sender=sender))
