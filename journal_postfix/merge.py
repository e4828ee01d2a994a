"""How a fact changes the row of its mail.

The rules hold for any order of the lines of a mail: each column's rule is also stated in its
COMMENT in sql/schema.sql. No SQL and no log syntax here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from journal_postfix.mail import BEGINS, INSTANCE_RANK, UNSEEN, Fact, Mail, Row

#: Statements that only name a mail: where it is not known it is another host's.
NAMES_ONLY = frozenset(("proxy_verdict",))

_ORIGINS = ("unknown", "smtp", "local", "forward", "notice", "requeue", "probe")
ORIGIN_RANK = {origin: rank for rank, origin in enumerate(_ORIGINS)}
#: Gravest first.
_VERDICTS = ("reject", "discard", "hold", "redirect", "filter", "bcc")
NOT_SUBMITTED = ("notice", "probe", "forward", "requeue")
#: Daemons that are services of their own: their syslog name may add to the instance's.
_RECEIVERS = ("smtpd", "qmqpd")
_REFUSAL = ("protocol_state", "reply_code", "dsn", "reason")


def put(row: Row, name: str, value: Any) -> None:
    """Set a column; what is not known has no key."""
    if value is not None:
        row[name] = value
    else:
        row.pop(name, None)


def keep_max(row: Row, name: str, value: Any) -> None:
    """Keep the greater value."""
    old = row.get(name)
    if old is None or value > old:
        row[name] = value


def keep_min(row: Row, name: str, value: Any) -> None:
    """Keep the smaller value."""
    old = row.get(name)
    if old is None or value < old:
        row[name] = value


def keep_origin(row: Row, name: str, value: str) -> None:
    """Keep the origin that tells more."""
    if ORIGIN_RANK[value] > ORIGIN_RANK[row.get(name) or "unknown"]:
        row[name] = value


def _verdict_rank(verdict: str) -> int:
    word = verdict.rpartition("-")[2]
    return _VERDICTS.index(word) if word in _VERDICTS else len(_VERDICTS)


def _merge_verdict(row: Row, columns: Row) -> None:
    """The gravest verdict; of equal ones that with a queue id."""
    verdict, known = columns["verdict"], row.get("verdict")
    inferred = columns.get("verdict_inferred")
    if known is None or _verdict_rank(verdict) < _verdict_rank(known):
        row["verdict"] = verdict
        put(row, "verdict_inferred", inferred)
    elif verdict == known and not inferred:
        row.pop("verdict_inferred", None)


def _drop_doubtful_verdict(row: Row) -> None:
    """An inferred verdict goes where qmgr's word speaks against it: it was another transaction's."""
    queued = row.get("queued_at") is not None
    if queued and (row.get("sender_given") is not None or row["verdict"].endswith("discard")):
        for name in ("verdict", "verdict_inferred", "sender_given", "held_at", "hold_reason"):
            row.pop(name, None)


def _keep_true(row: Row, name: str, value: bool) -> None:
    """True wins; but what was only put on hold may still be refused."""
    only_held = row.get("held_at") and not row.get("queued_at")
    row[name] = value or bool(row.get(name) and not only_held)


def _keep_first(row: Row, name: str, value: Any) -> None:
    """Keep the first value: the rule of every column without another one."""
    row.setdefault(name, value)


#: Columns that are merged together with others, below.
_TOGETHER = (
    "table", "queue_id", "also", "sender", "verp_id", "removed_at", "removed_by", "held_at",
    "hold_reason", "verdict", "verdict_inferred", *_REFUSAL,
)  # fmt: skip
#: Columns whose first value is not the one to keep.
_KEEP: dict[str, Callable[[Row, str, Any], None] | None] = {
    **dict.fromkeys(_TOGETHER),
    "accepted": _keep_true,
    "expired_at": keep_max,
    "nrcpt": keep_max,
    "origin": keep_origin,
    "queued_at": keep_min,
    "released_at": keep_max,
    "size": keep_max,
}


def _sender_rank(action: str) -> int:
    return {"queue_active": 3, "expired": 3, "pickup": 1}.get(action, 2)


def _known_sender_rank(row: Row) -> int:
    if row.get("queued_at") or row.get("expired_at"):
        return 3
    return 1 if row.get("origin") in ("local", "requeue") and not row.get("helo_name") else 2


def _merge_sender(row: Row, fact: Fact) -> None:
    sender, known = fact.columns["sender"], row.get("sender")
    if "verp_id" in fact.columns:
        row.setdefault("verp_id", fact.columns["verp_id"])
    if known is None:
        row["sender"] = sender
    elif known != sender:
        if _sender_rank(fact.action) >= _known_sender_rank(row):
            row.setdefault("sender_given", known)
            row["sender"] = sender
        else:
            row["sender_given"] = sender
    if row.get("sender_given") == row["sender"]:
        del row["sender_given"]


def _merge_removal(row: Row, columns: Row) -> None:
    known, by = row.get("removed_by"), columns["removed_by"]
    named = by in ("requeued", "postsuper") and "next_queue_id" not in columns
    if known == by == "requeued":
        keep_min(row, "removed_at", columns["removed_at"])
    elif named or known in (None, "vanished", "age"):
        row["removed_at"], row["removed_by"] = columns["removed_at"], by


def _merge_hold(row: Row, columns: Row, *, set_back: bool) -> None:
    held_at, known = columns["held_at"], row.get("held_at")
    later = known is None or set_back or held_at > known
    if later or (held_at == known and "hold_reason" in columns):
        row["held_at"] = held_at
        put(row, "hold_reason", columns.get("hold_reason"))


def _merge_refusal(row: Row, columns: Row) -> None:
    known = any(row.get(name) is not None for name in _REFUSAL)
    if known and not (columns.get("accepted") is False and row.get("accepted") is None):
        return
    for name in _REFUSAL:
        if name in columns:
            row[name] = columns[name]
        else:
            row.pop(name, None)


def service_of(syslog_name: str | None, instance: str) -> str | None:
    """What a daemon's syslog name adds to the instance's: `postfix/submission` -> `submission`."""
    if syslog_name is None or syslog_name == instance:
        return None
    if syslog_name.startswith(instance + "/"):
        return syslog_name[len(instance) + 1 :]
    return syslog_name


def touch(mail: Mail, fact: Fact) -> None:
    """Merge what every line tells: that it was said, when, and in which instance."""
    row, t = mail.row, fact.t
    mail.changed = True
    _merge_instance(mail, fact)
    if "removed_by" in row:
        mail.reopen(t)
    row["t_i"] = min(row["t_i"], t)
    row["t_f"] = max(row["t_f"], t)


def _merge_instance(mail: Mail, fact: Fact) -> None:
    """Note the syslog name of the instance, and of the service that received the mail."""
    if fact.action == "client" and fact.daemon in _RECEIVERS:
        mail.receiver = fact.syslog_name
    rank = INSTANCE_RANK.get(fact.daemon, 1)
    if rank > mail.instance_rank:
        mail.instance_rank = rank
        name = fact.syslog_name
        mail.row["syslog_name"] = name if rank > 1 else name.partition("/")[0]


#: Columns that are merged together, by the one that shows that they are there.
_MERGE_TOGETHER: tuple[tuple[str, Callable[[Row, Row], None]], ...] = (
    ("removed_at", _merge_removal),
    ("verdict", _merge_verdict),
)


def apply(mail: Mail, fact: Fact) -> None:
    """Merge a line's word about its mail (table `from`) into the mail's row."""
    row, columns = mail.row, fact.columns
    born = BEGINS.get(fact.action, UNSEEN)
    mail.born = max(mail.born, born)
    touch(mail, fact)
    if "sender" in columns:
        _merge_sender(row, fact)
    if "held_at" in columns:
        _merge_hold(row, columns, set_back=fact.is_set_back(mail))
    for sign, merge_them in _MERGE_TOGETHER:
        if sign in columns:
            merge_them(row, columns)
    if "reason" in columns or "protocol_state" in columns:
        _merge_refusal(row, columns)
    _merge_each(row, columns, overrides=fact.action in NAMES_ONLY)
    if row.get("verdict_inferred"):
        _drop_doubtful_verdict(row)


def _merge_each(row: Row, columns: Row, *, overrides: bool) -> None:
    """Merge what stands for itself; `overrides`: who came to a proxy filter counts, not the filter."""
    for name, value in columns.items():
        keep = _KEEP.get(name, _keep_first)
        if keep is _keep_first:  # most; a call for each would cost more than the rest
            if overrides or row.get(name) is None:
                row[name] = value
        elif keep is not None:
            keep(row, name, value)
