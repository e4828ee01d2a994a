"""Ways of mails: from the first queue file through filters, forwards, hosts, requeues to the last.

With them go the notices that Postfix wrote about a mail on its way.

Steps are those of the view journey. A line is one recipient's part of a way: the rows that one and
the same recipient has on the mails of the way, the last of which tells its fate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, NamedTuple

Row = dict[str, Any]
Key = tuple[date, int]

_TOLD_BY = {
    "expired": "expired_at",
    "held": "held_at",
    "deleted": "removed_at",
    "vanished": "removed_at",
}
WHOLE = ("requeue", "proxy")  # steps of all recipients that are left


@dataclass(eq=False)
class Mail:
    """One queue file: its row, what became of it where no recipient is known, and its parts."""

    row: Row
    fate: str | None = None
    deliveries: list[Row] = field(default_factory=list)
    verdicts: list[Row] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """Of its row."""
        return self.row["day"], self.row["id"]

    @cached_property
    def by_address(self) -> dict[str, list[Row]]:
        """Recipients by their addresses, in lower case: a mail may have thousands."""
        found: dict[str, list[Row]] = {}
        for row in self.deliveries:
            for one in _addresses(row):
                found.setdefault(one, []).append(row)
        return found

    @cached_property
    def by_recipient(self) -> dict[int | None, list[Mail]]:
        """What it became, by the recipient's row; None: by no one in particular."""
        found: dict[int | None, list[Mail]] = {}
        for step in self.steps:
            if step.to_id is not None or step.how in WHOLE:
                found.setdefault(step.to_id, []).append(step.next)
        return found

    @cached_property
    def became(self) -> Counter[Key]:
        """How many steps lead to each mail that it became."""
        return Counter(step.next.key for step in self.steps)

    @cached_property
    def notice_keys(self) -> set[Key]:
        """The notices about it."""
        return {step.next.key for step in self.steps if step.how == "notice"}

    @property
    def in_queue(self) -> bool:
        """It is in the queue, as far as the log tells."""
        came = self.row["queued_at"] or self.row["held_at"]
        return came is not None and self.row["removed_at"] is None


class Step(NamedTuple):
    """How a mail became another one, by which recipient if by one."""

    how: str
    to_id: int | None
    t: datetime
    next: Mail


class Line(NamedTuple):
    """A recipient on its way: mails with the recipient's row, or without one if none is known.

    `verdict` is the refusal of a recipient, or of a mail that never had one.
    """

    hops: tuple[tuple[Mail, Row | None], ...]
    verdict: Row | None = None

    @property
    def mail(self) -> Mail:
        """The last one."""
        return self.hops[-1][0]

    @property
    def row(self) -> Row:
        """The recipient's last row; empty where there is none."""
        return self.hops[-1][1] or {}

    @property
    def fate(self) -> str | None:
        """What became of it in the end."""
        if self.hops[-1][1] is not None:
            fate: str | None = self.row["fate"]
            return fate
        return "refused" if self.verdict and self.mail.fate is None else self.mail.fate

    @property
    def given(self) -> str | None:
        """The address that was given at first."""
        for _, row in self.hops:
            if row is not None:
                return str(row["orig_to"] or row["recipient"])
        named: str | None = self.verdict["recipient"] if self.verdict else None
        return named

    @property
    def final(self) -> str | None:
        """The address that it became."""
        return next((row["recipient"] for _, row in reversed(self.hops) if row), self.given)

    @property
    def addresses(self) -> set[str]:
        """All its addresses on the way."""
        rows = [row for _, row in self.hops if row is not None]
        found = {address for row in rows for address in (row["recipient"], row["orig_to"])}
        return {one for one in (*found, self.given) if one}

    @property
    def t(self) -> datetime:
        """When its fate was told."""
        mail = self.mail.row
        t: datetime | None = mail[_TOLD_BY[self.fate]] if self.fate in _TOLD_BY else None
        t = t or self.row.get("t_status") or (self.verdict or {}).get("t")
        return t or mail["removed_at"] or mail["t_f"]


class Way:
    """A mail and all that came of it; a notice about it is a way of its own.

    `told_back` are the refusals that asked its sender to come back, which it did with this mail.
    """

    def __init__(self, first: Mail) -> None:
        self.first = first
        self.mails = list(_strand(first))
        self.lines = _lines(self.mails)
        self.notices = [Way(one) for one in _notices(self.mails)]
        self.told_back: list[Row] = []

    @property
    def t(self) -> datetime:
        """When it began."""
        t: datetime = self.first.row["t_i"]
        return t

    @property
    def keys(self) -> set[Key]:
        """The rows of all its mails, notices' too."""
        found = {mail.key for mail in self.mails}
        return found.union(*(notice.keys for notice in self.notices))

    @property
    def strands(self) -> Iterator[Way]:
        """Itself, and each notice."""
        yield self
        for notice in self.notices:
            yield from notice.strands


# --- the parts of a way ---------------------------------------------------------------------


def _strand(first: Mail) -> Iterator[Mail]:
    """The mails that a mail became, itself the first, without notices."""
    seen, queue = set(), [first]
    while queue:
        mail = queue.pop(0)
        if mail.key not in seen:
            seen.add(mail.key)
            yield mail
            queue += [step.next for step in mail.steps if step.how != "notice"]


def _notices(mails: Sequence[Mail]) -> Iterator[Mail]:
    known = {mail.key for mail in mails}
    for mail in mails:
        for step in mail.steps:
            if step.how == "notice" and step.next.key not in known:
                known.add(step.next.key)
                yield step.next


def _lines(mails: Sequence[Mail]) -> list[Line]:
    """The lines of a way: those of its first mail, then what joined it later."""
    taken: set[int] = set()
    lines: list[Line] = []
    for mail in mails:
        for row in mail.deliveries:
            if row["id"] not in taken:
                lines += [Line(hops) for hops in _follow(mail, row, taken, ())]
        lines += _refused(mail)
    last = mails[-1]
    if not lines or (not last.deliveries and not any(line.mail is last for line in lines)):
        lines.append(Line(((last, None),), _verdict(last)))
    return lines


Hops = tuple[tuple[Mail, Row | None], ...]


def _follow(mail: Mail, row: Row, taken: set[int], before: Hops) -> Iterator[Hops]:
    """The ends that a recipient's row comes to."""
    taken.add(row["id"])
    here = (*before, (mail, row))
    ended = True
    for after in _next_mails(mail, row):
        rows = [one for one in _continued(mail, row, after) if one["id"] not in taken]
        if rows or not after.deliveries:
            ended = False
        for one in rows:
            yield from _follow(after, one, taken, here)
        if not after.deliveries:
            yield (*here, (after, None))
    if ended:
        yield here


def _next_mails(mail: Mail, row: Row) -> Iterator[Mail]:
    yield from mail.by_recipient.get(row["id"], ())
    if row["fate"] == "handed on":
        yield from mail.by_recipient.get(None, ())


def _continued(mail: Mail, row: Row, after: Mail) -> list[Row]:
    """The rows of the next mail that a recipient went on as: by address, or all where it is alone."""
    found = {
        one["id"]: one for address in _addresses(row) for one in after.by_address.get(address, ())
    }
    if not found and mail.became[after.key] == 1:
        return after.deliveries
    return list(found.values())


def _addresses(row: Row) -> set[str]:
    return {one.lower() for one in (row["recipient"], row["orig_to"]) if one}


def _refused(mail: Mail) -> Iterator[Line]:
    """Recipients that were refused, the others of their mail were not."""
    if mail.deliveries:
        for verdict in mail.verdicts:
            if verdict["recipient"] and verdict["recipient"].lower() not in mail.by_address:
                yield Line(((Mail(mail.row, "refused"), None),), verdict)


def _verdict(mail: Mail) -> Row | None:
    return mail.verdicts[-1] if mail.verdicts else None
