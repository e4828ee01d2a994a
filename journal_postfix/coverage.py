"""How much of what is asked can be known: what is stored of a period, and what is missing.

Sources tell lines of hosts from a time to a time; between these lie holes, within them gaps where
the log itself lost lines, and before them what retention has deleted or taken the names out of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from journal_postfix.clock import Clock
from journal_postfix.config import Config
from journal_postfix.database import Connection
from journal_postfix.output import visible
from journal_postfix.queries import ask
from journal_postfix.question import Question

HOLE = timedelta(hours=1)  # a quiet server may log nothing for that long
LATE = timedelta(minutes=10)
NAMED_AT_MOST = 4
GAPS_AT_MOST = 3

Span = tuple[datetime, datetime]


class Coverage(NamedTuple):
    """One line on what is stored, and a sentence for everything that is missing."""

    stored: str
    missing: list[str]


def cover(
    connection: Connection, question: Question, config: Config, now: datetime, clock: Clock
) -> Coverage:
    """What is stored of what a question asks about."""
    hosts = _hosts(ask(connection, "coverage_told", **question.parameters()))
    gaps = ask(connection, "coverage_gaps", **question.parameters())
    if not hosts:
        of = " of such a host" if question.mta else ""
        return Coverage(f"Nothing is stored{of} yet.", [f"nothing is stored{of}"])
    end = min(question.period.until, now)
    begin = question.period.since if question.given else _last(hosts)
    missing = [
        *_deleted(question, config, now),
        *_nameless(question, config, now, _first(hosts)),
        *_edges(hosts, begin, end, clock),
        *_holes(hosts, min(begin, end), end, clock),
        *_lost(gaps, clock),
    ]
    return Coverage(_stored(hosts, clock, bool(missing)), missing)


def _hosts(rows: list[dict[str, Any]]) -> dict[str, list[Span]]:
    """The spans that sources tell of each host, those that meet joined."""
    hosts: dict[str, list[Span]] = {}
    for row in rows:  # by their begin
        spans = hosts.setdefault(row["mta"], [])
        if spans and row["t_from"] <= spans[-1][1] + HOLE:
            spans[-1] = (spans[-1][0], max(spans[-1][1], row["t_to"]))
        else:
            spans.append((row["t_from"], row["t_to"]))
    return dict(sorted(hosts.items()))


def _first(hosts: dict[str, list[Span]]) -> datetime:
    return min(spans[0][0] for spans in hosts.values())


def _last(hosts: dict[str, list[Span]]) -> datetime:
    return max(spans[-1][1] for spans in hosts.values())


def _stored(hosts: dict[str, list[Span]], clock: Clock, is_missing: bool) -> str:
    first, last = _first(hosts), _last(hosts)
    rest = "." if is_missing else "; no gaps known."
    return (
        f"Stored: {_names(hosts)}, {clock.full(first)} to {clock.near(last, first)}"
        f" {clock.offset(last)}{rest}"
    )


def _names(hosts: Iterable[str]) -> str:
    names = [visible(host) for host in hosts]
    if len(names) > NAMED_AT_MOST:
        return f"{len(names)} hosts"
    return " ".join(names)


def _deleted(question: Question, config: Config, now: datetime) -> Iterator[str]:
    """What retention no longer keeps."""
    if not question.given:
        return
    horizon = config.horizon(now)
    for what, first in (("mails", horizon.delivery), ("refusals", horizon.noqueue)):
        if first is not None and question.period.since < datetime.combine(first, time(), UTC):
            yield f"{what} before {first} are deleted by retention"


def _nameless(question: Question, config: Config, now: datetime, stored: datetime) -> Iterator[str]:
    """Of what retention no longer keeps names: a question that gives one does not find it."""
    asked = (question.sender, question.recipient, question.message_id, question.client)
    if not any((*asked, question.sasl_username, question.subject)):
        return
    since = max(question.period.since, stored)
    horizon = config.periods(now).pseudonymised
    for what, first in (("mails", horizon.delivery), ("refusals", horizon.noqueue)):
        if first is not None and since < datetime.combine(first, time(), UTC):
            yield f"{what} before {first} are stored without names"


def _edges(
    hosts: dict[str, list[Span]], begin: datetime, end: datetime, clock: Clock
) -> Iterator[str]:
    early = {host: spans[0][0] for host, spans in hosts.items() if spans[0][0] > begin + HOLE}
    late = {host: spans[-1][1] for host, spans in hosts.items() if spans[-1][1] < end - LATE}
    if early:
        which = f" of {_names(early)}" if len(early) < len(hosts) else ""
        t = min(early.values())
        yield f"nothing is stored{which} before {clock.full(t)} {clock.offset(t)}"
    if late:
        which = f" of {_names(late)}" if len(late) < len(hosts) else ""
        t = max(late.values())
        yield f"nothing is stored{which} after {clock.full(t)} {clock.offset(t)}"


def _holes(
    hosts: dict[str, list[Span]], begin: datetime, end: datetime, clock: Clock
) -> Iterator[str]:
    for host, spans in hosts.items():
        for (_, t_from), (t_to, _) in pairwise(spans):
            if t_from < end and t_to > begin:
                yield (
                    f"nothing is stored of {visible(host)} from {clock.full(t_from)}"
                    f" to {clock.near(t_to, t_from)}"
                )


def _lost(gaps: list[dict[str, Any]], clock: Clock) -> Iterator[str]:
    for gap in gaps[:GAPS_AT_MOST]:
        lines = "lines" if gap["lost"] is None else f"{gap['lost']:,} lines"
        host = visible(gap["mta"] or "a host")
        yield f"the log of {host} lost {lines}{_when(gap, clock)} ({visible(gap['reason'])})"
    if len(gaps) > GAPS_AT_MOST:
        yield f"{len(gaps) - GAPS_AT_MOST} more gaps in the log: journal-postfix status"


def _when(gap: dict[str, Any], clock: Clock) -> str:
    t_from, t_to = gap["t_from"] or gap["t_to"], gap["t_to"] or gap["t_from"]
    if t_from is None:
        return ", when is not known"
    return f" {clock.full(t_from)} to {clock.near(t_to, t_from)}"
