"""Merging is free of order: a mail's lines give the same rows in any order and any batches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal_postfix.batch import Batch, Key, MailRules, births_first, merge_batch
from journal_postfix.collect import Collector
from journal_postfix.config import Config
from journal_postfix.mail import SHUFFLE, Fact, Mail
from journal_postfix.merge import service_of
from journal_postfix.store import stored_mail

Row = dict[str, Any]
Line = tuple[float, str, str]  # seconds after noon, program, text

NOON = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)
PASS = 600.0  # seconds from one queue run to the next
QID = "3C5D120ABF"
CLIENT = "mail.example.org[192.0.2.10]"
TAIL = "from=<ann@example.com> to=<bob@example.com> proto=ESMTP helo=<mail.example.org>"

#: Ways in which a mail begins: lines within a second.
BIRTHS: dict[str, list[Line]] = {
    "smtp": [
        (0.0, "smtpd", f"{QID}: client={CLIENT}, sasl_method=PLAIN, sasl_username=ann"),
        (0.2, "cleanup", f"{QID}: message-id=<1@example.org>"),
        (0.3, "cleanup", f"{QID}: hold: header X: y from {CLIENT}; {TAIL}: look at it"),
        (0.31, "cleanup", f"{QID}: redirect: header X: y from {CLIENT}; {TAIL}: a@example.com"),
    ],
    "local": [
        (0.0, "pickup", f"{QID}: uid=1000 from=<ann>"),
        (0.1, "cleanup", f"{QID}: warning: header X: y from local; {TAIL}: noted"),
        (0.2, "cleanup", f"{QID}: message-id=<1@example.org>"),
    ],
    "notice before its lines": [
        (0.0, "bounce", f"694DC22066F: sender non-delivery notification: {QID}"),
        (0.1, "cleanup", f"{QID}: message-id=<1@example.org>"),
    ],
    "notice behind its first line": [
        (0.0, "cleanup", f"{QID}: message-id=<1@example.org>"),
        (0.1, "bounce", f"694DC22066F: sender delay notification: {QID}"),
    ],
    "not seen": [],
}
ENDS: dict[str, list[Line]] = {
    "removed": [(0.9, "qmgr", f"{QID}: removed")],
    "deleted": [(0.9, "postsuper", f"{QID}: removed")],
    "expired": [
        (0.8, "qmgr", f"{QID}: from=<ann@example.com>, status=expired, returned to sender"),
        (0.9, "qmgr", f"{QID}: removed"),
    ],
    "held": [(0.9, "postsuper", f"{QID}: placed on hold")],
    "open": [],
}
REASONS = {"sent": "2.0.0", "deferred": "4.2.0", "bounced": "5.1.1"}


def record(t: float, pass_: int, number: int, status: str, daemon: str, recipient: str) -> Line:
    """Give a delivery record of a pass."""
    before = pass_ * PASS + 0.4
    text = (
        f"{QID}: to=<{recipient}@example.net>, relay={'none' if daemon == 'error' else 'mx'},"
        f" delay={t:.2f}, delays={before:.2f}/0/0/0, dsn={REASONS[status]},"
        f" status={status} ({number} {status})"
    )
    return t, daemon, text


#: What becomes of a recipient in one pass: skipped by error(8), or tried, for an alias repeatedly.
OUTCOMES = st.just(["skipped"]) | st.lists(st.sampled_from(sorted(REASONS)), max_size=3)


def records(pass_: int, recipient: str, outcomes: list[str], start: float) -> list[Line]:
    """Give the delivery records of a recipient in one pass."""
    lines = []
    for number, outcome in enumerate(outcomes):
        skipped = outcome == "skipped"
        status, daemon = ("deferred", "error") if skipped else (outcome, "local")
        t = start + 0.1 * (number + 1)
        lines.append(record(t, pass_, number, status, daemon, recipient))
    return lines


@st.composite
def mails(draw: st.DrawFn) -> list[Line]:
    """Give the lines of a mail in order: a beginning, up to three passes, an end."""
    lines = list(BIRTHS[draw(st.sampled_from(sorted(BIRTHS)))])
    passes = draw(st.lists(st.tuples(OUTCOMES, OUTCOMES), max_size=3))
    for pass_, outcomes in enumerate(passes):
        start = pass_ * PASS + 0.4
        active = f"{QID}: from=<ann@example.com>, size={400 + pass_}, nrcpt={3 - pass_}"
        lines.append((start, "qmgr", f"{active} (queue active)"))
        for number, recipient in enumerate(("bob", "carol")):
            lines += records(pass_, recipient, outcomes[number], start + 0.02 * number)
    end = ENDS[draw(st.sampled_from(sorted(ENDS)))]
    lines += [(max(len(passes) - 1, 0) * PASS + t, *rest) for t, *rest in end]
    return sorted(lines, key=lambda line: line[0])


def items(lines: list[Line]) -> list[Fact]:
    """Give what the lines tell, in their order."""
    collector = Collector(Config())
    for seconds, daemon, text in lines:
        collector.add(
            {
                "t": NOON + timedelta(seconds=seconds),
                "host": "mx1.example.com",
                "identifier": f"postfix/{daemon}",
                "pid": 1,
                "message": text,
                "position": 0,
            }
        )
    batch: Batch = collector.take()
    assert batch.unknown == 0
    return batch.facts


class Tables:
    """What a database would hold, in memory: rows without None, and the history."""

    def __init__(self) -> None:
        self.mails: list[Row] = []
        self.tos: list[dict[Any, Row]] = []
        self.born: list[int] = []
        self.superseded: list[datetime | None] = []
        self.history: list[tuple[Any, ...]] = []
        self.verdicts: list[tuple[Any, ...]] = []

    def load(self) -> dict[Key, list[Mail]]:
        """Give the stored mails as the store does."""
        found: dict[Key, list[Mail]] = {}
        for number, row in enumerate(self.mails):
            mail = stored_mail({**row, "born": self.born[number], "number": number})
            mail.superseded_at = self.superseded[number]
            mail.tos = {key: dict(to) for key, to in self.tos[number].items()}
            found.setdefault((row["mta"], row["queue_id"]), []).append(mail)
        return found

    def store(self, batch: list[Fact]) -> None:
        """Merge a batch into what is held."""
        merged = merge_batch(births_first(batch), self.load(), MailRules())
        for mail in merged.mails:
            number = mail.row.pop("number", len(self.mails))
            if number == len(self.mails):
                for held in (self.mails, self.tos, self.born, self.superseded):
                    held.append({})  # type: ignore[attr-defined]
            self.mails[number] = {k: v for k, v in mail.row.items() if v is not None}
            self.tos[number] = {key: _plain(to) for key, to in mail.tos.items()}
            self.born[number] = mail.born
            self.superseded[number] = mail.superseded_at
            for to, record in mail.attempts:
                self.history.append((to["recipient"], *sorted(record.items())))
        self.verdicts += [(row["t"], row["action"], row["mail"] is None) for row in merged.noqueue]

    def told(self) -> tuple[Any, ...]:
        """Give all rows, in an order that does not depend on how they came."""
        pairs = zip(self.mails, self.tos, strict=True)
        rows = sorted(pairs, key=lambda pair: (pair[0]["queue_id"], pair[0]["t_i"]))
        return rows, sorted(self.history), sorted(self.verdicts)


def _plain(to: Row) -> Row:
    return {k: v for k, v in to.items() if v is not None}


def stored(lines: list[Line], cuts: set[int]) -> tuple[Any, ...]:
    """Give the rows that lines leave, in batches that end at these places."""
    tables = Tables()
    found = items(lines)
    places = [0, *sorted(cut for cut in cuts if cut < len(found)), len(found)]
    for start, end in pairwise(places):
        tables.store(found[start:end])
    return tables.told()


def shuffled(lines: list[Line], seed: int, window: float) -> list[Line]:
    """Give the lines in another order: none passes one that is `window` seconds younger."""
    rng = Random(seed)
    return sorted(lines, key=lambda line: line[0] + rng.uniform(0, window))


CUTS = st.sets(st.integers(1, 20))


@given(lines=mails(), seed=st.integers(0, 2**32), cuts=CUTS)
@settings(deadline=None, max_examples=400)
def test_any_order_within_the_window(lines: list[Line], seed: int, cuts: set[int]) -> None:
    """Lines that changed places by up to SHUFFLE, in any batches, leave the rows of the right order."""
    window = SHUFFLE.total_seconds() - 0.01
    assert stored(shuffled(lines, seed, window), cuts) == stored(lines, set())


@given(lines=mails(), cuts=CUTS)
@settings(deadline=None)
def test_any_batches(lines: list[Line], cuts: set[int]) -> None:
    """Where batches end makes no difference."""
    assert stored(lines, cuts) == stored(lines, set())


@given(lines=mails(), seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_records_in_any_order_at_all(lines: list[Line], seed: int) -> None:
    """Of sources of their own, lines leave the same first and last time, maxima, sums and status."""
    begin = [line for line in lines if line[0] < 0.4] or BIRTHS["smtp"]
    queued = [line for line in lines if "delay=" in line[2] or "active" in line[2]]
    late = list(queued)
    Random(seed).shuffle(late)
    right, _, _ = stored(begin + queued, set())
    apart = [one._replace(machine=str(n)) for n, one in enumerate(items(begin + late))]
    tables = Tables()
    tables.store(apart)
    rows, _, _ = tables.told()
    assert rows == right


@pytest.mark.parametrize("back", [60, 3600])
def test_clock_set_back_within_a_mail(back: int) -> None:
    """What a source says later is later, though its clock was set back meanwhile."""
    passes = [
        record(10.0 + number, number, number, status, "smtp", "bob")
        for number, status in enumerate(("deferred", "sent", "bounced"))
    ]
    set_back = [(t - back, *rest) for t, *rest in passes[1:]]
    lines = [*BIRTHS["smtp"], passes[0], *set_back]
    tables = Tables()
    tables.store(items(lines))
    ((row,),) = (to.values() for to in tables.tos)
    assert (row["status"], row["attempts"]) == ("bounced", 3)


@pytest.mark.parametrize(
    ("syslog_name", "instance", "service"),
    [
        ("postfix", "postfix", None),
        ("postfix/submission", "postfix", "submission"),
        ("postfix/a/b", "postfix", "a/b"),
        ("postfix-out/10025", "postfix-out", "10025"),
        ("submissions", "postfix", "submissions"),
        ("postfixer", "postfix", "postfixer"),
    ],
)
def test_service(syslog_name: str, instance: str, service: str | None) -> None:
    """The service is what a syslog name adds to the instance's, or all of a flat one."""
    assert service_of(syslog_name, instance) == service
