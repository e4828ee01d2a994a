"""What pflogsumm would count, from the stored mails: its rules, its words for hosts and reasons.

It counts lines: a mail that comes back from a filter is received and delivered twice, and what a
filter swallows is delivered. Which counts cannot agree, and why, is told in docs/report-compat.rst.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from journal_postfix.database import Connection
from journal_postfix.period import Period
from journal_postfix.queries import Rows, ask

Row = Mapping[str, Any]
Times = dict[str, Counter[datetime]]  # by column of the tables of hours and days
Nested = dict[str, Counter[str]]

TIMED = ("received", "delivered", "deferred", "bounced", "rejected")
#: What the records and verdicts are called, in the columns of hours and in the totals.
COLUMN_OF = {
    "sent": "delivered", "deferred": "deferred", "bounced": "bounced",
    "reject": "rejected", "reject_warning": "rejected", "warning": "rejected",
    "hold": "rejected", "discard": "rejected",
}  # fmt: skip
VERDICTS = {
    "reject": "reject", "reject_warning": "reject warning", "hold": "hold", "discard": "discard"
}  # fmt: skip
_LONGEST = {"deferred": 65, "bounced": 66}  # of a reason in the details
_SPECIAL_STATES = ("RCPT", "DATA", "CONNECT")

_organisation = re.compile(
    r"(?:.*)\.(?P<name>[^.]+)\.(?P<top>[^.]{3}|[^.]{2,3}\.[^.]{2})", re.DOTALL
).fullmatch


class Sums(NamedTuple):
    """What is counted of an address, a host or a domain."""

    messages: int = 0
    size: int = 0
    deferrals: int = 0
    delay: float = 0.0
    longest: float = 0.0

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(
            self.messages + other.messages,
            self.size + other.size,
            self.deferrals + other.deferrals,
            self.delay + other.delay,
            max(self.longest, other.longest),
        )


Table = defaultdict[str, Sums]


def _table() -> Table:
    return defaultdict(Sums)


@dataclass
class Counts:
    """All that the sections print."""

    times: Times = field(default_factory=lambda: {name: Counter() for name in TIMED})
    words: Counter[str] = field(default_factory=Counter)
    deferred_mails: int = 0
    senders: Table = field(default_factory=_table)
    sending: Table = field(default_factory=_table)
    recipients: Table = field(default_factory=_table)
    receiving: Table = field(default_factory=_table)
    sizeless: dict[str, str] = field(default_factory=dict)
    deferrals: Nested = field(default_factory=lambda: defaultdict(Counter))
    bounces: Nested = field(default_factory=lambda: defaultdict(Counter))
    verdicts: dict[str, dict[str, Nested]] = field(default_factory=dict)


# --- counts ---------------------------------------------------------------------------------


def counted(connection: Connection, period: Period, mta: str | None, zone: tzinfo | None) -> Counts:
    """All that is counted of a period, one host (`mta`) or None: all; hours are those of the zone."""
    found = Counts()

    def asked(name: str) -> Rows:
        return ask(connection, f"pflogsumm_{name}", **period._asdict(), mta=mta)

    for row in asked("received"):
        found.words["received"] += row["count"]
        found.times["received"][_hour(row["t"], zone)] += row["count"]
    for row in asked("senders"):
        _count_sender(found, row)
    for row in asked("deliveries"):
        _count_delivery(found, row, zone)
    for row in asked("mails"):
        found.deferred_mails += row["deferred"]
        if row["sizeless"] is not None:
            found.sizeless[row["queue_id"]] = address(row["sizeless"])
    for row in asked("verdicts"):
        _count_verdict(found, row, zone)
    return found


def _hour(t: datetime, zone: tzinfo | None) -> datetime:
    return t.astimezone(zone).replace(minute=0, second=0, microsecond=0, tzinfo=None)


def _count_sender(counts: Counts, row: Row) -> None:
    sums = Sums(row["count"], row["size"])
    sender = address(row["sender"]) or "from=<>"
    counts.senders[sender] = counts.senders[sender].plus(sums)
    local, _, domain = sender.partition("@")
    if not (local and domain):
        domain = sender if row["is_local"] else client(row["client_name"], row["client_address"])
    counts.sending[domain] = counts.sending[domain].plus(sums)


def _count_delivery(counts: Counts, row: Row, zone: tzinfo | None) -> None:
    word, count = row["word"], row["count"]
    if row["is_time"]:
        counts.words[word] += count
        if word in COLUMN_OF:
            counts.times[COLUMN_OF[word]][_hour(row["t"], zone)] += count
    elif row["is_recipient"]:
        _count_recipient(counts, row)
    elif word in _LONGEST:
        reason = _reason_of(row["reason"] or "", word)
        nested, key = (
            (counts.deferrals, "daemon") if word == "deferred" else (counts.bounces, "relay")
        )
        nested[row[key] or ""][reason] += count


def _count_recipient(counts: Counts, row: Row) -> None:
    recipient = address(row["recipient"])
    domain = recipient.partition("@")[2] if recipient.partition("@")[0] else ""
    if row["word"] == "sent":
        sums = Sums(row["count"], row["size"], 0, row["delay"], row["longest"])
        counts.recipients[recipient] = counts.recipients[recipient].plus(sums)
    elif row["word"] == "deferred":
        sums = Sums(0, 0, row["count"], 0.0, row["longest"])
    else:
        return
    counts.receiving[domain or recipient] = counts.receiving[domain or recipient].plus(sums)


def _count_verdict(counts: Counts, row: Row, zone: tzinfo | None) -> None:
    word = "reject_warning" if row["word"] == "warning" else row["word"]
    if row["is_time"]:
        counts.words[word] += row["count"]
        counts.times["rejected"][_hour(row["t"], zone)] += row["count"]
        return
    where, what, whom = _verdict_of(row)
    nested = counts.verdicts.setdefault(word, {}).setdefault(where, defaultdict(Counter))
    nested[what][whom] += row["count"]


# --- words ----------------------------------------------------------------------------------


def address(text: str) -> str:
    """An address with its domain in small letters."""
    local, at, domain = text.partition("@")
    return f"{local}{at}{domain.lower()}"


def client(name: str | None, address: str) -> str:
    """A client's domain, as far as its top-level domain shows it; its address where it has no name."""
    if not name or name == "unknown":
        return address
    found = _organisation(name)
    return f"{found['name']}.{found['top']}".lower() if found else name


def _reason_of(reason: str, word: str) -> str:
    if word == "deferred":
        reason = reason.partition(")")[0]
    reason = re.sub(r"^[0-9]{3} ", "", shortened(reason, _LONGEST[word]))
    return reason.removeprefix("connect to ") if word == "deferred" else reason


def shortened(text: str, longest: int) -> str:
    """What is behind the last `said:`, then behind one colon after the other, until it is short."""
    while len(text) > longest:
        _, said, tail = text.rpartition(" said: ")
        if not said:
            _, said, tail = text.partition(":")
        if not said:
            return cut(text, longest)
        text = tail.lstrip(" ") if said == ":" else tail
    return text


def cut(text: str, longest: int) -> str:
    """A text that is no longer than that, with dots where it was."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _verdict_of(row: Row) -> tuple[str, str, str]:
    """Where a verdict was given, why, and on whom."""
    if row["daemon"] == "cleanup":
        return "cleanup", row["protocol_state"] or "content", cut(row["reason"] or "", 64)
    reason = re.sub(r"^<.*?>: ", "", row["reason"] or "")
    if row["protocol_state"] in _SPECIAL_STATES:
        reason = re.sub(r"^((?:Sender|Recipient) address rejected: [^:]+):.*$", r"\1", reason)
        reason = re.sub(
            r"^Service unavailable; (?:client|Client host|Sender address) .+? blocked",
            "blocked",
            reason,
        )
        reason = re.split("[;,]", reason)[0]
    return row["protocol_state"] or "", reason, _whom(row, reason)


def _whom(row: Row, reason: str) -> str:
    if reason.startswith("Sender address rejected:"):
        return row["sender"] or "<>"
    if reason.startswith(("Recipient address rejected:", "User unknown")):
        return row["recipient"] or "<>"
    return client(row["client_name"], row["client_address"] or "unknown")
