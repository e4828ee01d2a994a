"""Mails while a batch is merged, and which of them a fact belongs to.

A fact is what one log line tells about one mail. The rules hold for any order of the lines of a
mail (shuffled by a little, spread over batches, restarts and files). No SQL and no log syntax here.

Bugs: a queue id that is re-used within a minute of its mail's end, without a line that begins a
mail, is taken for the old mail. So are lines of a new mail that stand before its beginning and
were committed before it came, where the old mail never ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

Row = dict[str, Any]
Recipient = tuple[str, str | None]  # recipient, orig_to

SHUFFLE = timedelta(seconds=5)  # lines of one mail may change places by this much
LATE = timedelta(seconds=60)  # after its end a mail still gets lines for this long
GIVEN_UP = timedelta(minutes=15)  # a transaction silent for so long was never completed

#: How much the action of a line says about a mail's beginning.
UNSEEN, MESSAGE_ID, NOTICE, RECEIVED = range(4)
BEGINS = {"client": RECEIVED, "pickup": RECEIVED, "notification": NOTICE, "message_id": MESSAGE_ID}

#: Ends that no line tells, with the time of the last sign of the mail.
INFERRED = {"age": "t_f", "vanished": "removed_at"}

_FOR_GOOD = ("qmgr", "postsuper", "canceled", "discarded")  # a requeued mail is named once more

#: Daemons whose syslog name is the instance's, and whose word counts more.
QMGR = 3
INSTANCE_RANK = {"qmgr": QMGR, "oqmgr": QMGR, "nqmgr": QMGR, "cleanup": 2}


class Fact(NamedTuple):
    """One line's word about a mail: when, on which host, who said it, which statement, columns.

    `columns` is what `extract_delivery` made of the line, or one of the further rows it tells of.
    """

    t: datetime
    mta: str
    syslog_name: str
    daemon: str
    action: str
    columns: Row
    machine: str = ""
    pid: int | None = None
    fingerprint: int = 0

    def is_behind(self, mail: Mail) -> bool:
        """The line stands in the source that spoke of the mail last: its order decides."""
        return self.machine == mail.machine

    def is_set_back(self, mail: Mail) -> bool:
        """The clock was set back since the mail's latest line: the line is later all the same."""
        latest = mail.latest
        if latest is None or self.t >= latest or self.machine != mail.machine:
            return False
        return self.t < latest - SHUFFLE


class Mail:
    """One mail while a batch is merged: its row, its recipients, what is new about them."""

    __slots__ = (
        "about", "attempts", "born", "changed", "instance_rank", "latest", "machine", "new",
        "receiver", "row", "superseded_at", "tos", "touched",
    )  # fmt: skip

    def __init__(self, row: Row, born: int = UNSEEN, *, new: bool = True) -> None:
        self.row = row
        self.born = born
        self.new = new
        self.changed = new
        self.tos: dict[Recipient, Row] = {}
        self.touched: dict[Recipient, Row] = {}  # of these, new (without an id) or changed
        self.attempts: list[tuple[Row, Row]] = []
        self.receiver: str | None = None
        self.instance_rank = 0
        self.about: Mail | None = None  # the mail this notice is about
        self.machine = ""  # which source spoke of it last
        self.latest: datetime | None = None  # the latest time that source said
        self.superseded_at: datetime | None = None  # when its queue id began another mail

    def hear(self, fact: Fact) -> None:
        """Note which source spoke of it, and the latest time it said."""
        t, machine = fact.t, fact.machine
        if self.latest is None or t > self.latest or machine != self.machine:
            self.latest = t
        self.machine = machine

    def written(self) -> None:
        """Go on from what is stored now."""
        self.new = self.changed = False
        self.about = None
        self.touched.clear()
        self.attempts.clear()

    def is_of(self, instance: str) -> bool | None:
        """It is in the queue of this instance; None where qmgr has not said in whose it is."""
        return self.row["syslog_name"] == instance if self.instance_rank == QMGR else None

    def is_around(self, syslog_name: str) -> bool:
        """It is in the queue of an instance that a syslog name, with a service, belongs to."""
        instance = self.row.get("syslog_name", "")
        return self.instance_rank == QMGR and f"{syslog_name}/".startswith(f"{instance}/")

    def ended_at(self) -> datetime | None:
        """When its queue file was gone, as logged or because another mail got its id."""
        removed_at: datetime | None = self.row.get("removed_at")
        return removed_at or self.superseded_at

    def reopen(self, t: datetime) -> None:
        """Take an inferred end back where a line at t says that the mail was not gone."""
        row = self.row
        sign = INFERRED.get(row.get("removed_by", ""))
        if sign is not None and t > row[sign]:
            del row["removed_at"], row["removed_by"]
            self.superseded_at = None

    def is_over(self, t: datetime) -> bool:
        """Its queue file was gone more than LATE before t."""
        ended_at = self.ended_at()
        return ended_at is not None and t > ended_at + LATE

    def is_settled(self, t: datetime | None) -> bool:
        """It was seen from its beginning to its end, before t, and no other row waits for it.

        What of its lines stands elsewhere makes a half that can be joined to it: none begins a mail.
        """
        row = self.row
        if self.born != RECEIVED or t is None or "message_id" not in row:
            return False
        removed_at = row.get("removed_at")
        if removed_at is None or removed_at >= t:
            return False
        return row["removed_by"] in _FOR_GOOD and row["origin"] in ("smtp", "local")

    def is_silent(self, t: datetime) -> bool:
        """It never came into the queue and had no line for GIVEN_UP before t."""
        row = self.row
        return not (row.get("queued_at") or row.get("held_at")) and t > row["t_f"] + GIVEN_UP

    def is_given_up(self, t: datetime) -> bool:
        """It is over, or silent and cannot be waiting for qmgr: its header was never seen."""
        if self.is_over(t):
            return True
        return self.born == RECEIVED and self._may_never_come() and self.is_silent(t)

    def _may_never_come(self) -> bool:
        row = self.row
        refused = row.get("accepted") is False or row.get("protocol_state") is not None
        return refused or row.get("message_id") is None


def find_mail(mails: list[Mail], fact: Fact) -> Mail | None:
    """The mail a fact belongs to, out of those of one host and queue id; None: it begins one."""
    t = fact.t
    if len(mails) == 1:
        current = _only(mails[0], fact)
    else:
        current = _begun_last(_of_instance(mails, fact), fact)
    if current is None:
        return None
    born = BEGINS.get(fact.action, UNSEEN)
    if born == RECEIVED:
        return current if _first_half_of(current, fact) else None
    if born:
        known = current.row.get("message_id" if born == MESSAGE_ID else "notification_for")
        if born == NOTICE and current.born == RECEIVED:
            known = True
        again = known is not None and current.ended_at() is not None
        return None if again or current.is_over(t) or current.is_silent(t) else current
    return None if current.is_given_up(t) else current


def _only(mail: Mail, fact: Fact) -> Mail | None:
    """The only mail there is, where it may be the fact's: what the two functions below say of it."""
    by_qmgr = mail.instance_rank == QMGR == INSTANCE_RANK.get(fact.daemon)
    if by_qmgr and mail.row["syslog_name"] != fact.syslog_name:
        return None
    begun: datetime = mail.row["t_i"]
    if begun <= fact.t or fact.is_behind(mail) or begun <= fact.t + SHUFFLE:
        return mail
    return None


def _of_instance(mails: list[Mail], fact: Fact) -> list[Mail]:
    """The mails that may be of the fact's instance: two of one host may use an id at a time."""
    names = {mail.row["syslog_name"] for mail in mails if mail.instance_rank == QMGR}
    if INSTANCE_RANK.get(fact.daemon) == QMGR and not names <= {fact.syslog_name}:
        return [mail for mail in mails if mail.is_of(fact.syslog_name) is not False]
    if len(names) > 1 and any(mail.is_around(fact.syslog_name) for mail in mails):
        return [m for m in mails if m.instance_rank < QMGR or m.is_around(fact.syslog_name)]
    return mails


def _begun_last(mails: list[Mail], fact: Fact) -> Mail | None:
    """The mail that began last before the fact; `mails` of one source are in its order.

    Within a source its order decides: what it told before has begun, though its clock was set back.
    """
    current, began, later = None, -1, -1
    for number, mail in enumerate(mails):
        if mail.row["t_i"] > fact.t + SHUFFLE:
            later = number if fact.is_behind(mail) else later
        elif current is None or mail.row["t_i"] >= current.row["t_i"]:
            current, began = mail, number
    return mails[later] if later > began else current


def _first_half_of(mail: Mail, fact: Fact) -> bool:
    """The mail's beginning was not seen yet, and all its lines may stand behind this one."""
    begun: datetime = mail.row["t_i"]
    if mail.born not in (UNSEEN, MESSAGE_ID) or fact.t > begun + SHUFFLE:
        return False
    return not (fact.is_behind(mail) and fact.t < begun - SHUFFLE)


def supersede(mails: Iterable[Mail], fact: Fact) -> None:
    """End the open mails whose queue id a line gives to a new mail: their queue files are gone.

    Of those that were in the queue that is worth telling: they vanished.
    """
    for mail in mails:
        known = mail.instance_rank == QMGR and not mail.is_around(fact.syslog_name)
        if not known and (fact.is_behind(mail) or mail.row["t_f"] <= fact.t):
            _supersede(mail, fact.t)


def supersede_twins(mails: Iterable[Mail], mail: Mail) -> None:
    """The same where a service's name hid the instance, once qmgr has told it of the new mail."""
    if mail.born and mail.instance_rank == QMGR:
        born, name = mail.row["t_i"], mail.row["syslog_name"]
        for other in mails:
            if other is not mail and other.is_of(name) and other.row["t_f"] <= born:
                _supersede(other, born)


def _supersede(mail: Mail, t: datetime) -> None:
    if mail.ended_at() is None:
        row = mail.row
        mail.superseded_at, mail.changed = t, True
        if row.get("queued_at") or row.get("held_at"):
            row["removed_at"], row["removed_by"] = t, "vanished"
