"""What truly happened: the rows that a faithful reader of the log must end up with.

A row is a dict from column to value. A column that the lines do not decide is missing from it;
one that must be NULL is there with None. Times are microseconds since 1970 until ``rows`` turns
them into datetimes of the log's resolution. The rules are those of DESIGN 4 and MAPPING, applied
to what the simulation did.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from traffic.machine import Machine

Row = dict[str, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = frozenset(
    "t t_i t_f t_status mail_t_i notification_for_t_i queued_at held_at released_at removed_at"
    " expired_at".split()
)
# Ranks of who tells the sender: the queue manager's word wins, then a verdict's, then pickup's.
PICKUP, VERDICT, QMGR = 1, 2, 3
SUBMISSION_SERVICES = ("submission", "submissions", "smtps")
NOT_SUBMITTED = ("notice", "probe", "forward", "requeue")
# Within one pass through the queue the worst record stands.
RANK = {"sent": 1, "deliverable": 1, "deferred": 2, "bounced": 3, "undeliverable": 3}

# Columns that stay NULL until a line tells them, and that nothing but a line with the queue id
# can tell.
FROM_NULLS = """
    service client_name client_address client_port sasl_method sasl_username sasl_sender uid
    orig_queue_id orig_client next_queue_id verp_id message_id resent_message_id subject size nrcpt
    accepted queued_at held_at released_at hold_reason expired_at removed_at removed_by
    notification notification_for
""".split()
OUTCOME_COLUMNS = """
    daemon service relay relay_name relay_address relay_port delay tls dsn status reply_code reason
    next_queue_id
""".split()
ATTEMPT_COLUMNS = "t daemon relay delay dsn status reply_code reason".split()


class Record(NamedTuple):
    """One delivery record: a line of a delivery agent about one recipient.

    ``moment`` is when its pass began, the same for all records of a pass.
    """

    t: int
    moment: int
    daemon: str
    service: str | None
    relay: str
    relay_name: str | None
    relay_address: str | None
    relay_port: int | None
    delay: float
    delays: tuple[float, float, float, float]
    tls: str | None
    dsn: str
    status: str
    reply_code: int | None
    reason: str
    next_queue_id: str | None
    skipped: bool


class Mail:
    """One queue file, from its birth to its end, as far as lines tell."""

    def __init__(self, machine: Machine, queue_id: str, origin: str) -> None:
        self.machine = machine
        self.queue_id = queue_id
        self.arrived = 0
        self.row: Row = dict.fromkeys(FROM_NULLS)
        self.row.update(mta=machine.name, queue_id=queue_id, origin=origin)
        self.row["syslog_name"] = machine.profile.syslog_name
        self.records: dict[tuple[str, str | None], list[Record]] = {}
        self.about: Mail | None = None
        self._senders: dict[int, str] = {}
        self._undecided: set[str] = set()

    def seen(self, t: int, **columns: Any) -> None:
        """Enter one line about the mail: its time, and the columns it sets."""
        row = self.row
        row["t_i"] = min(t, row.get("t_i", t))
        row["t_f"] = max(t, row.get("t_f", t))
        row.update(columns)

    def undecided(self, *columns: str) -> None:
        """Leave these columns to the reader: the lines do not decide them."""
        self._undecided.update(columns)

    def sender(self, rank: int, sender: str) -> None:
        """Enter what a line said about the sender."""
        self._senders[rank] = sender

    @property
    def born(self) -> int:
        """The moment of the first line."""
        t: int = self.row["t_i"]
        return t

    @property
    def envelope_sender(self) -> str:
        """The sender in the queue file."""
        return self._senders[QMGR]

    def record(self, recipient: str, orig_to: str | None, record: Record) -> None:
        """Enter a delivery record."""
        self.seen(record.t)
        self.records.setdefault((recipient, orig_to), []).append(record)

    def from_row(self) -> Row:
        """Give the row of delivery_from."""
        senders = self._senders
        final = senders[max(senders)] if senders else None
        given = senders[min(senders)] if senders else None
        row: Row = {"sender": final, "sender_given": given if given != final else None}
        row["is_submission"] = self._is_submission()
        row["notification_for_t_i"] = self.about and self.about.born
        row |= self.row
        return {name: value for name, value in row.items() if name not in self._undecided}

    def _is_submission(self) -> bool:
        row = self.row
        if row["origin"] in NOT_SUBMITTED:
            return False
        return (
            row["sasl_username"] is not None
            or row["uid"] is not None
            or row.get("service") in SUBMISSION_SERVICES
        )

    def key(self) -> Row:
        """Give what identifies the mail in rows that belong to it."""
        return {"mta": self.row["mta"], "queue_id": self.queue_id, "mail_t_i": self.born}

    def to_rows(self) -> Iterable[Row]:
        """Give the rows of delivery_to."""
        for (recipient, orig_to), records in self.records.items():
            yield self.key() | {"recipient": recipient, "orig_to": orig_to} | _outcome(records)

    def attempt_rows(self) -> Iterable[Row]:
        """Give the rows of delivery_attempt: the records that another one outdid."""
        for (recipient, orig_to), records in self.records.items():
            key = self.key() | {"recipient": recipient, "orig_to": orig_to}
            for record in _replaced(records):
                yield key | {name: getattr(record, name) for name in ATTEMPT_COLUMNS}


def _shown(records: list[Record]) -> Record:
    """Pick the record that decides the status: the worst of the latest pass that tried."""
    real = [record for record in records if not record.skipped]
    return max(real or records, key=lambda record: (record.moment, RANK[record.status], record.t))


def _replaced(records: list[Record]) -> list[Record]:
    """Pick the records that another one replaced; a skipped one replaces no real answer."""
    shown = _shown(records)
    tried = min((record.t for record in records if not record.skipped), default=shown.t)
    return [r for r in records if r is not shown and not (r.skipped and r.t > tried)]


def _outcome(records: list[Record]) -> Row:
    shown = _shown(records)
    a, b, c, d = shown.delays
    row = {
        "t_i": min(record.t for record in records),
        "t_f": max(record.t for record in records),
        "t_status": shown.t,
        "attempts": sum(not record.skipped for record in records),
        "skipped": sum(record.skipped for record in records),
        "copies": sum(record.status == "sent" for record in records),
        "delay_before_qmgr": a,
        "delay_in_qmgr": b,
        "delay_conn_setup": c,
        "delay_transmission": d,
    }
    return row | {name: getattr(shown, name) for name in OUTCOME_COLUMNS}


def _vanished(mail: Mail) -> None:
    """Enter that a mail's id came back: one that was in the queue until now has vanished.

    One that never was in the queue stays as it is: a transaction not completed, or refused.
    """
    if mail.row["queued_at"] is not None and mail.row["removed_by"] is None:
        mail.row["removed_by"] = "vanished"
        mail.undecided("removed_at")


class Ledger:
    """All mails and verdicts of a simulation; keeps nothing when told so (for benchmarks)."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._mails: list[Mail] = []
        self._verdicts: list[tuple[Row, Mail | None]] = []
        self._open: dict[tuple[int, str], Mail] = {}

    def open(self, mail: Mail) -> Mail:
        """Enter a new mail; one that still was open under its id has vanished."""
        old = self._open.pop((mail.machine.number, mail.queue_id), None)
        if old is not None:
            _vanished(old)
        if self._keep:
            self._mails.append(mail)
        return mail

    def left_open(self, mail: Mail) -> None:
        """Note that a mail's end will not be logged."""
        self._open[mail.machine.number, mail.queue_id] = mail

    def verdict(self, row: Row, mail: Mail | None = None) -> None:
        """Enter a verdict, on a mail where the line has a queue id."""
        if self._keep:
            self._verdicts.append((row, mail))

    def rows(self, resolution: int = 1) -> dict[str, list[Row]]:
        """Give the true rows of all tables; resolution in microseconds (1 or 1,000,000)."""
        mails = self._mails
        tables: dict[str, Iterable[Row]] = {
            "delivery_from": (mail.from_row() for mail in mails),
            "delivery_to": (row for mail in mails for row in mail.to_rows()),
            "delivery_attempt": (row for mail in mails for row in mail.attempt_rows()),
            "noqueue": (row | {"mail_t_i": mail and mail.born} for row, mail in self._verdicts),
        }
        return {name: [_timed(row, resolution) for row in rows] for name, rows in tables.items()}


def _timed(row: Row, resolution: int) -> Row:
    return {
        name: _moment(value, resolution) if name in TIMES else value for name, value in row.items()
    }


def _moment(t: int | None, resolution: int) -> datetime | None:
    if t is None:
        return None
    return EPOCH + timedelta(microseconds=t - t % resolution)
