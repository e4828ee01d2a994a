"""Delivery records: how the lines about one recipient become one row, and its history.

Records of one pass through the queue (their delay before qmgr is equal) count together, the worst
of them is the status; of several passes the latest holds. What was replaced is kept.
"""

from __future__ import annotations

from journal_postfix.mail import Fact, Mail, Row
from journal_postfix.merge import apply, keep_max, keep_min, keep_origin, touch

NOT_TRYING = ("error", "retry", "qmgr", "oqmgr", "nqmgr")
PROBED = ("deliverable", "undeliverable", "undeliverable-but-not-cached")
STATUS_RANK = {
    "bounced": 3, "undeliverable": 3, "undeliverable-but-not-cached": 3,
    "deferred": 2, "SOFTBOUNCE": 2, "sent": 1, "deliverable": 1,
}  # fmt: skip

#: Columns of delivery_to that come from one delivery record, together.
STATUS_COLUMNS = (
    "t_status", "daemon", "service", "relay", "relay_name", "relay_address", "relay_port",
    "delay", "delay_before_qmgr", "delay_in_qmgr", "delay_conn_setup", "delay_transmission",
    "tls", "encryption_protocol", "encryption_cipher", "encryption_keysize", "tls_trust",
    "dsn", "status", "reply_code", "reason", "next_queue_id",
)  # fmt: skip
_RECORDED = frozenset(STATUS_COLUMNS)
ATTEMPT_COLUMNS = ("daemon", "relay", "delay", "dsn", "status", "reply_code", "reason")


def _is_skip(record: Row) -> bool:
    """A record of a daemon that did not try (MAPPING case 16)."""
    return record["status"] == "deferred" and record["daemon"] in NOT_TRYING


def _replaces(record: Row, row: Row, *, later: bool) -> bool:
    """The record's status holds from now on; otherwise the row's goes on."""
    if not row["attempts"] or _is_skip(record):
        return not row["attempts"] and (not _is_skip(record) or later)
    before = record.get("delay_before_qmgr")
    if before is not None and before == row.get("delay_before_qmgr"):  # the same pass
        rank, known = (STATUS_RANK.get(one["status"], 2) for one in (record, row))
        return rank > known or (rank == known and later)
    return later


def _keep_loser(mail: Mail, row: Row, record: Row, *, replaces: bool, set_back: bool) -> None:
    """The record that loses becomes history, unless nothing was tried and it is the later one."""
    loser, winner = (row, record) if replaces else (record, row)
    later = not replaces if set_back else loser["t_status"] > winner["t_status"]
    if not (_is_skip(loser) and later):
        mail.attempts.append((row, _history(loser)))


def _history(record: Row) -> Row:
    old = {name: record[name] for name in ATTEMPT_COLUMNS if record.get(name) is not None}
    return {"t": record["t_status"], **old}


def apply_record(mail: Mail, fact: Fact) -> None:
    """Merge a delivery record (table `to`) into the recipient's row.

    The record also says of its mail that it was in the queue, and of a probe that it is one.
    """
    columns = fact.columns
    set_back = fact.is_set_back(mail)
    touch(mail, fact)
    if fact.daemon != "cleanup":
        mail.row["accepted"] = True
    if columns["status"] in PROBED:
        keep_origin(mail.row, "origin", "probe")
    key = (columns["recipient"], columns.get("orig_to"))
    row = mail.tos.get(key)
    if row is None:
        row = mail.tos[key] = _first_record(fact)
    else:
        _next_record(mail, row, fact, set_back=set_back)
    mail.touched[key] = row


def _first_record(fact: Fact) -> Row:
    """The row of a recipient that this record is the first to name."""
    row = fact.columns.copy()
    del row["table"]
    row.pop("also", None)
    row["t_i"] = row["t_f"] = row["t_status"] = fact.t
    row["service"] = fact.syslog_name
    row["skipped"] = skipped = int(_is_skip(row))
    row["attempts"] = 1 - skipped
    row["copies"] = int(row["status"] == "sent")
    return row


def _next_record(mail: Mail, row: Row, fact: Fact, *, set_back: bool) -> None:
    record = {name: value for name, value in fact.columns.items() if name in _RECORDED}
    record["t_status"], record["service"] = fact.t, fact.syslog_name
    keep_min(row, "t_i", fact.t)
    keep_max(row, "t_f", fact.t)
    row["skipped"] += _is_skip(record)
    row["copies"] += record["status"] == "sent"
    if _replaces_and_keeps(mail, row, record, set_back=set_back):
        for name in _RECORDED - record.keys():
            row.pop(name, None)
        row |= record
        row["attempts"] += not _is_skip(record)


def _replaces_and_keeps(mail: Mail, row: Row, record: Row, *, set_back: bool) -> bool:
    """Whether the record replaces the row's; the one of the two that loses becomes history."""
    replaces = _replaces(record, row, later=set_back or record["t_status"] >= row["t_status"])
    _keep_loser(mail, row, record, replaces=replaces, set_back=set_back)
    if not replaces and not _is_skip(record):
        row["attempts"] += 1
    return replaces


_OWN = frozenset(("day", "id", "mta", "queue_id", "t_i", "t_f", "service", "is_submission"))


def join_mails(mail: Mail, half: Mail) -> tuple[list[Row], list[tuple[Row, Row, bool]]]:
    """Merge a half without beginning into its mail.

    Gives the recipients of the half that go to the mail as they are, and those that were merged
    into a row the mail had: with that row, and whether that had seen a real attempt.
    """
    other = half.row
    columns = {k: v for k, v in other.items() if k not in _OWN and k != "syslog_name"}
    action = "queue_active" if "queued_at" in other else "named"
    daemon = {3: "qmgr", 2: "cleanup"}.get(half.instance_rank, "smtpd")
    first = mail.row["t_i"]
    said_by = (other.get("syslog_name", ""), daemon, action)
    apply(mail, Fact(other["t_f"], other["mta"], *said_by, columns))
    mail.row["t_i"] = min(first, other["t_i"])
    mail.attempts += half.attempts
    moved, merged = [], []
    for key, row in half.tos.items():
        known = mail.tos.get(key)
        if known is None:
            moved.append(row)
        else:
            merged.append((row, known, bool(known["attempts"])))
            mail.touched[key] = known
            _join_recipients(mail, known, row)
    return moved, merged


def _join_recipients(mail: Mail, row: Row, other: Row) -> None:
    keep_min(row, "t_i", other["t_i"])
    keep_max(row, "t_f", other["t_f"])
    if not row["attempts"] or not other["attempts"]:
        replaces = bool(other["attempts"]) or (
            not row["attempts"] and other["t_status"] >= row["t_status"]
        )
    else:
        replaces = _replaces(other, row, later=other["t_status"] >= row["t_status"])
    _keep_loser(mail, row, other, replaces=replaces, set_back=False)
    if replaces:
        row.update({name: other.get(name) for name in STATUS_COLUMNS})
    for name in ("attempts", "skipped", "copies"):
        row[name] += other[name]
