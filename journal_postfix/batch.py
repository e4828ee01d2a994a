"""What a batch of log lines says about mails, merged into one dict per row.

`merge_batch` takes the facts of the lines in their order, finds the mail each belongs to (among
those the store loaded, and those that begin here) by host and queue id, and merges. It knows
neither SQL nor log syntax.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import NamedTuple, TypeVar

from journal_postfix import merge
from journal_postfix.mail import (
    BEGINS,
    SHUFFLE,
    UNSEEN,
    Fact,
    Mail,
    Row,
    find_mail,
    supersede,
    supersede_twins,
)
from journal_postfix.records import apply_record
from journal_postfix.spans import Run, runs_of

Key = tuple[str, str]  # mta, queue id
Line = TypeVar("Line")

_ABOUT = "notification_for"
_OF_MAILS = ("from", "to")  # tables; rows of the others are not merged
_NO_COLUMNS = ("table", "also")


class Unknown(NamedTuple):
    """One line of Postfix that was not recognised: its shape, and its text with masks."""

    t: datetime
    mta: str
    daemon: str
    shape: str
    example: str
    machine: str = ""
    fingerprint: int = 0


class Loss(NamedTuple):
    """One line that tells of lost lines: since when, how many (None: not said), and why."""

    t: datetime
    mta: str
    since: datetime | None
    lost: int | None
    reason: str
    machine: str = ""
    fingerprint: int = 0


class Seen(NamedTuple):
    """One line of which only that it was there is kept, such as a forged one."""

    t: datetime
    mta: str
    machine: str = ""
    fingerprint: int = 0


@dataclass
class Counts:
    """What came of one source: lines of Postfix, of these not recognised, and forged ones."""

    lines: int = 0
    unknown: int = 0
    forged: int = 0
    mta: str | None = None
    t_first: datetime | None = None
    t_last: datetime | None = None

    def saw(self, t: datetime, mta: str) -> None:
        """Count a line of Postfix."""
        self.lines += 1
        self.mta = mta
        if self.t_last is None or self.t_first is None:
            self.t_first = self.t_last = t
        elif t > self.t_last:
            self.t_last = t
        elif t < self.t_first:
            self.t_first = t


class Stored(NamedTuple):
    """What came of a batch: the lines that no other source had told, and new rows by table."""

    facts: Sequence[Fact] = ()
    unrecognised: Sequence[Unknown] = ()
    losses: Sequence[Loss] = ()
    rows: Sequence[tuple[str, int]] = ()


@dataclass
class Batch:
    """Lines read since the last commit: those that leave something, and counts of the others.

    `finished` puts the facts in order and sets `runs`, which go into table stored_span. `counts` has a
    key for each machine of a journal, '' for a file's lines. `gaps` are those
    that an input noticed. `identifiers` counts lines where somebody wants to know. The store sets
    `too_old`, `known` (lines another source had told) and `stored`.
    """

    facts: list[Fact] = field(default_factory=list)
    unrecognised: list[Unknown] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    forged: list[Seen] = field(default_factory=list)
    messages: int = 0  # all that were handed over, Postfix's or not
    too_old: int = 0
    known: int = 0
    counts: defaultdict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    gaps: list[Row] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)  # by machine: its open sessions, JSON
    runs: list[Run] = field(default_factory=list)
    identifiers: Counter[str] = field(default_factory=Counter)
    stored: Stored = field(default_factory=Stored)

    @property
    def lines(self) -> int:
        """Lines of Postfix."""
        return sum(counts.lines for counts in self.counts.values())

    @property
    def unknown(self) -> int:
        """Lines of Postfix that were not recognised."""
        return sum(counts.unknown for counts in self.counts.values())

    def told(self) -> list[Fact | Unknown | Loss | Seen]:
        """Every line that leaves something."""
        return [*self.facts, *self.unrecognised, *self.losses, *self.forged]

    def finished(self) -> Batch:
        """The batch, now that it is complete: what can be told without a database."""
        self.facts = births_first(self.facts)
        self.runs = runs_of(self.told())
        return self

    def without(self, lines: Collection[int]) -> Batch:
        """The batch but for some lines, given by their numbers among those told."""
        numbers = count()

        def kept(group: Iterable[Line]) -> list[Line]:
            return [line for line in group if next(numbers) not in lines]

        return replace(
            self,
            facts=kept(self.facts),
            unrecognised=kept(self.unrecognised),
            losses=kept(self.losses),
            forged=kept(self.forged),
        )


@dataclass
class Merged:
    """The rows of a batch: mails (new or changed) with their recipients, and verdicts.

    `sorted_out` tells the recipients' rows apart: new ones have no id yet.
    """

    mails: list[Mail]
    noqueue: list[Row]
    new_tos: list[tuple[Mail, Row]] = field(default_factory=list)
    old_tos: list[Row] = field(default_factory=list)

    def sorted_out(self) -> Merged:
        """The same, with the recipients' rows."""
        for mail in self.mails:
            for row in mail.touched.values():
                if "id" in row:
                    self.old_tos.append(row)
                else:
                    self.new_tos.append((mail, row))
        return self


class MailRules(NamedTuple):
    """What the configuration says about whole mails."""

    submission_services: tuple[str, ...] = ("submission", "submissions", "smtps")
    postfix_uids: tuple[int, ...] = ()


def keys_of(facts: Iterable[Fact]) -> set[Key]:
    """Host and queue id of every mail the facts speak of."""
    keys: set[Key] = set()
    for fact in facts:
        columns, mta = fact.columns, fact.mta
        if "queue_id" in columns:
            keys.add((mta, columns["queue_id"]))
        if "also" in columns:
            keys.update((mta, part["queue_id"]) for part in columns["also"])
    return keys


def merge_batch(
    facts: Iterable[Fact], stored: dict[Key, list[Mail]], rules: MailRules | None = None
) -> Merged:
    """Merge the facts into the mails already stored (by key, as they were stored) and into new ones.

    `births_first` has put the facts in order.
    """
    noqueue: list[Row] = []
    for fact in facts:
        _merge_fact(fact, stored, noqueue)
    touched = [mail for group in stored.values() for mail in group if mail.changed]
    for mail in touched:
        finish(mail, rules or MailRules())
    return Merged(touched, noqueue)


def births_first(facts: Iterable[Fact]) -> list[Fact]:
    """The facts, but a line that begins a mail before lines of its id that it was shuffled behind.

    Their time says so: they are later than the beginning, by no more than lines are shuffled.
    """
    ordered = list(facts)
    places: dict[Key, list[int]] = {}
    for number, fact in enumerate(ordered):
        key = (fact.mta, fact.columns.get("queue_id", ""))
        before = places.get(key)
        if before is None:
            places[key] = [number]
            continue
        if fact.action in BEGINS:
            _put_first(ordered, number, before)
        before.append(number)
    return ordered


def _put_first(ordered: list[Fact], number: int, before: list[int]) -> None:
    fact = ordered[number]
    behind = [n for n in before if _begins_earlier(fact, ordered[n])]
    for this, then in zip([number, *reversed(behind)], reversed(behind), strict=False):
        ordered[this], ordered[then] = ordered[then], ordered[this]


def _begins_earlier(fact: Fact, other: Fact) -> bool:
    """The fact begins the mail of the other: at one time, the line that says more about it."""
    if fact.t == other.t:
        return BEGINS[fact.action] > BEGINS.get(other.action, UNSEEN)
    return fact.t < other.t <= fact.t + SHUFFLE


def _merge_fact(fact: Fact, mails: dict[Key, list[Mail]], noqueue: list[Row]) -> None:
    """Merge what a line tells of its mail, behind what it tells of others, and keep its verdict."""
    columns = fact.columns
    table = columns["table"]
    if "also" not in columns and table in _OF_MAILS:
        _merge_mail(fact, mails)
        return
    mail = None
    for part in columns.get("also", ()):  # the line begins no mail of this id, it only names it
        found = _merge_mail(fact._replace(action="named", columns=part), mails)
        if part["queue_id"] == columns.get("queue_id"):
            mail = found
    if table in _OF_MAILS:
        _merge_mail(fact, mails)
    elif table == "noqueue":
        row = {name: value for name, value in columns.items() if name not in _NO_COLUMNS}
        noqueue.append({**row, "mta": fact.mta, "t": fact.t, "mail": mail})


def _merge_mail(fact: Fact, mails: dict[Key, list[Mail]]) -> Mail | None:
    columns = fact.columns
    key = (fact.mta, columns["queue_id"])
    group = mails.get(key)
    if group is None:
        group = mails[key] = []
    mail = find_mail(group, fact) if group else None
    if "next_queue_id" in columns and columns["table"] == "from":
        # a requeued mail ended when it was named
        mail = mail or max(group, key=lambda one: one.row["t_i"], default=None)
        if mail is None and "removed_at" not in columns:
            return None
    if mail is None:
        if fact.action in merge.NAMES_ONLY:
            return None
        mail = _begin(key, group, fact)
    known = mail.instance_rank
    if columns["table"] == "to":
        apply_record(mail, fact)
    else:
        merge.apply(mail, fact)
    mail.hear(fact)
    if known < mail.instance_rank and len(group) > 1:
        supersede_twins(group, mail)
    if _ABOUT in columns:
        about = mails.get((fact.mta, columns[_ABOUT]), [])
        mail.about = find_mail(about, fact._replace(action="named")) if about else None
    return mail


def _begin(key: Key, group: list[Mail], fact: Fact) -> Mail:
    row = {"mta": key[0], "queue_id": key[1], "t_i": fact.t, "t_f": fact.t, "origin": "unknown"}
    mail = Mail(row)
    mail.machine = fact.machine
    if BEGINS.get(fact.action):
        supersede(group, fact)
    group.append(mail)
    return mail


def finish(mail: Mail, rules: MailRules) -> None:
    """Set the columns that follow from others: accepted, service, is_submission."""
    row = mail.row
    if row.get("held_at") and row.get("accepted") is not False and not _was_queued(mail):
        given_up = row.get("protocol_state") or row.get("removed_by") in ("canceled", "discarded")
        row["accepted"] = None if given_up else True
    instance = row.get("syslog_name")
    if instance is not None:
        if mail.receiver is not None:
            merge.put(row, "service", merge.service_of(mail.receiver, instance))
        for to in mail.touched.values():
            if "service" in to:
                merge.put(to, "service", merge.service_of(to["service"], instance))
    row["is_submission"] = row["origin"] not in merge.NOT_SUBMITTED and bool(
        row.get("sasl_username")
        or (row.get("uid") is not None and row["uid"] not in rules.postfix_uids)
        or row.get("service") in rules.submission_services
    )


def _was_queued(mail: Mail) -> bool:
    row = mail.row
    seen = row.get("queued_at") or row.get("expired_at") or row.get("removed_by") == "qmgr"
    return bool(seen) or any(to.get("daemon") != "cleanup" for to in mail.tos.values())
