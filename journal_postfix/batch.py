"""What a batch of log lines says about mails, merged into one item per row.

Lines are collected as items; `merge_batch` groups their facts by host and queue id, finds the
mail each belongs to (among those the store loaded, and those that begin here), and merges. It
knows neither SQL nor log syntax.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import NamedTuple, TypeVar

from journal_postfix import merge
from journal_postfix.merge import Fact, Mail, Row
from journal_postfix.records import apply_record

Key = tuple[str, str]  # mta, queue id
Line = TypeVar("Line")


class Item(NamedTuple):
    """One line that told something: time, host, who said what, and what `extract` made of it."""

    t: datetime
    mta: str
    syslog_name: str
    daemon: str
    action: str
    delivery: Row
    machine: str = ""
    pid: int | None = None
    fingerprint: int = 0


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
        if self.t_first is None or t < self.t_first:
            self.t_first = t
        if self.t_last is None or t > self.t_last:
            self.t_last = t


@dataclass
class Batch:
    """Lines read since the last commit: those that leave something, and counts of the others.

    `counts` has a key for each machine of a journal, '' for a file's lines. `gaps` are those
    that an input noticed. The store sets `too_old` and `known`: lines another source had told.
    """

    items: list[Item] = field(default_factory=list)
    unrecognised: list[Unknown] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    forged: list[Seen] = field(default_factory=list)
    messages: int = 0  # all that were handed over, Postfix's or not
    too_old: int = 0
    known: int = 0
    counts: defaultdict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    gaps: list[Row] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)  # by machine: its open sessions, JSON

    @property
    def lines(self) -> int:
        """Lines of Postfix."""
        return sum(counts.lines for counts in self.counts.values())

    @property
    def unknown(self) -> int:
        """Lines of Postfix that were not recognised."""
        return sum(counts.unknown for counts in self.counts.values())

    def told(self) -> list[Item | Unknown | Loss | Seen]:
        """Every line that leaves something."""
        return [*self.items, *self.unrecognised, *self.losses, *self.forged]

    def without(self, lines: Collection[int]) -> Batch:
        """The batch but for some lines, given by their numbers among those told."""
        numbers = count()

        def kept(group: Iterable[Line]) -> list[Line]:
            return [line for line in group if next(numbers) not in lines]

        return replace(
            self,
            items=kept(self.items),
            unrecognised=kept(self.unrecognised),
            losses=kept(self.losses),
            forged=kept(self.forged),
        )


@dataclass
class Merged:
    """The rows of a batch: mails (new or changed) with their recipients, and verdicts."""

    mails: list[Mail]
    noqueue: list[Row]


class MailRules(NamedTuple):
    """What the configuration says about whole mails."""

    submission_services: tuple[str, ...] = ("submission", "submissions", "smtps")
    postfix_uids: tuple[int, ...] = ()


def keys_of(items: Iterable[Item]) -> set[Key]:
    """Host and queue id of every mail the items speak of."""
    return {
        (item.mta, delivery[name])
        for item in items
        for delivery in (item.delivery, *item.delivery.get("also", ()))
        for name in ("queue_id", "notification_for")
        if name in delivery
    }


def merge_batch(
    items: Iterable[Item], stored: dict[Key, list[Mail]], rules: MailRules | None = None
) -> Merged:
    """Merge the items into the mails already stored (by key, as they were stored) and into new ones."""
    mails = stored
    noqueue: list[Row] = []
    for item in births_first(items):
        if item.delivery["table"] != "queue_event":
            _merge_item(item, mails, noqueue)
    touched = [mail for group in mails.values() for mail in group if mail.changed]
    for mail in touched:
        finish(mail, rules or MailRules())
    return Merged(touched, noqueue)


def births_first(items: Iterable[Item]) -> list[Item]:
    """The items, but a line that begins a mail before lines of its id that it was shuffled behind.

    Their time says so: they are later than the beginning, by no more than lines are shuffled.
    """
    ordered = list(items)
    last: dict[Key, list[int]] = {}
    for number, item in enumerate(ordered):
        key = (item.mta, item.delivery.get("queue_id", ""))
        if item.action in merge.BEGINS:
            before = [n for n in last.get(key, ()) if _begins_earlier(item, ordered[n])]
            for this, then in zip([number, *reversed(before)], reversed(before), strict=False):
                ordered[this], ordered[then] = ordered[then], ordered[this]
        last.setdefault(key, []).append(number)
    return ordered


def _begins_earlier(item: Item, other: Item) -> bool:
    """The item begins the mail of the other: at one time, the line that says more about it."""
    if item.t == other.t:
        return merge.BEGINS[item.action] > merge.BEGINS.get(other.action, merge.UNSEEN)
    return item.t < other.t <= item.t + merge.SHUFFLE


def _merge_item(item: Item, mails: dict[Key, list[Mail]], noqueue: list[Row]) -> None:
    delivery = item.delivery
    mail = None
    for part in delivery.get("also", ()):
        found = _merge_mail(item, part, mails)
        if part["queue_id"] == delivery.get("queue_id"):
            mail = found
    if delivery["table"] == "noqueue":
        noqueue.append({**delivery, "mta": item.mta, "t": item.t, "mail": mail})
    else:
        _merge_mail(item, delivery, mails)


def _merge_mail(item: Item, columns: Row, mails: dict[Key, list[Mail]]) -> Mail | None:
    key = (item.mta, columns["queue_id"])
    fact = Fact(item.t, item.action, item.syslog_name, item.daemon, columns, item.machine)
    group = mails.setdefault(key, [])
    if columns is not item.delivery:  # the line begins no mail of this id, it only names it
        fact = fact._replace(action="named")
    mail = merge.find_mail(group, fact)
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
        merge.supersede_twins(group, mail)
    if "notification_for" in columns:
        about = mails.get((item.mta, columns["notification_for"]), [])
        mail.about = merge.find_mail(about, fact._replace(action="named"))
    return mail


def _begin(key: Key, group: list[Mail], fact: Fact) -> Mail:
    row = {"mta": key[0], "queue_id": key[1], "t_i": fact.t, "t_f": fact.t, "origin": "unknown"}
    mail = Mail(row)
    mail.machine = fact.machine
    if merge.BEGINS.get(fact.action):
        merge.supersede(group, fact)
    group.append(mail)
    return mail


def finish(mail: Mail, rules: MailRules) -> None:
    """Set the columns that follow from others: accepted, service, is_submission."""
    row = mail.row
    if row.get("held_at") and row.get("accepted") is not False and not _was_queued(mail):
        given_up = row.get("protocol_state") or row.get("removed_by") in ("canceled", "discarded")
        row["accepted"] = None if given_up else True
    instance = row.get("syslog_name")
    if mail.receiver is not None and instance is not None:
        row["service"] = merge.service_of(mail.receiver, instance)
    for to in mail.tos.values():
        if to.get("changed") and instance is not None and to["service"] is not None:
            to["service"] = merge.service_of(to["service"], instance)
    row["is_submission"] = row["origin"] not in merge.NOT_SUBMITTED and bool(
        row.get("sasl_username")
        or (row.get("uid") is not None and row["uid"] not in rules.postfix_uids)
        or row.get("service") in rules.submission_services
    )


def _was_queued(mail: Mail) -> bool:
    row = mail.row
    seen = row.get("queued_at") or row.get("expired_at") or row.get("removed_by") == "qmgr"
    return bool(seen) or any(to.get("daemon") != "cleanup" for to in mail.tos.values())


def rows_of(merged: Merged) -> Iterator[tuple[Mail, Row]]:
    """Every recipient row of the merged mails that is new or changed, with its mail."""
    for mail in merged.mails:
        for row in mail.tos.values():
            if row.get("changed"):
                yield mail, row
