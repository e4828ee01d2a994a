"""What a parsed line tells about a delivery: a table and its columns.

One small function per statement that matters, found in a table by its action; every other
statement is recognised and tells nothing. It knows the columns of one line's row, not the rows
already there, and no SQL: merging is the store's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, NamedTuple

from journal_postfix import login
from journal_postfix.messages import MsgDetails
from journal_postfix.parser import DEFAULT_SYSLOG_NAMES, Parsed, relay_parts
from journal_postfix.verp import without_verp

Delivery = dict[str, Any]

#: Verdicts that change a mail's way or refuse it; the others leave no row.
CONTENT_VERDICTS = frozenset(
    prefix + word
    for prefix in ("", "milter-header-", "milter-body-")
    for word in ("reject", "warning", "filter", "discard", "hold", "delay", "redirect", "bcc")
)
REFUSALS = frozenset(("reject", "milter-reject", "milter-header-reject", "milter-body-reject"))
#: Verdicts that only say something.
NOTES = frozenset((
    "warning", "warn", "info", "reject_warning", "delay", "hangup",
    "milter-header-warning", "milter-body-warning",
))  # fmt: skip
#: States in which a refusal with a queue id refuses the mail, not one of its recipients.
WHOLE_MAIL = frozenset(("DATA", "BDAT", "END-OF-MESSAGE"))
#: Postfix's words for what became of a recipient (global/log_adhoc.c and its callers).
STATUSES = frozenset((
    "sent", "deferred", "bounced", "SOFTBOUNCE", "deliverable", "undeliverable",
    "undeliverable-but-not-cached",
))  # fmt: skip
#: Postfix's words for what postsuper did to how many mails (postsuper/postsuper.c).
QUEUE_EVENTS = frozenset((
    "Deleted", "Force-expired", "Placed on hold", "Released from hold", "Renamed to match inode number",
    "Requeued",
))  # fmt: skip
QUEUE_MANAGERS = frozenset(("qmgr", "oqmgr", "nqmgr"))
#: Daemons that name a remote server in their reasons.
REMOTE = frozenset(("smtp", "lmtp", "error", "retry"))

_id = re.compile(r"[0-9A-Za-z]{6,40}\b").match
_tried = re.compile(
    r"(?:delivery temporarily suspended: )?(?:connect to|host|lost connection with|conversation with)"
    r" ([^\s\[\]]+\[[^\]]*\](?::[0-9]+)?)(?=[: ])"
).match
_reply = re.compile(
    r"(?:.*? (?:said|refused to talk to me|refused to start TLS): )?([2-5][0-9][0-9])[ -]",
    re.DOTALL,
).match
_CODES = {str(code): code for code in range(200, 600)}
_NO_COLUMNS = ("relay_path", "conn_use", "odd")
_BEHIND_CODE = (" ", "-")
_from_columns = ("sender", "recipient", "protocol_name", "helo_name")
_login_columns = ("sasl_method", "sasl_username", "sasl_sender")
_client_columns = ("client_name", "client_address", "client_port")


class Options(NamedTuple):
    """What the configuration says about extraction; see the keys of the same names."""

    store_subject: bool = False
    store_content: bool = False
    verp: tuple[re.Pattern[str], ...] = ()
    syslog_names: tuple[str, ...] = DEFAULT_SYSLOG_NAMES


_DEFAULTS = Options()


def _pick(parsed: Parsed, *names: str) -> Delivery:
    return {name: parsed[name] for name in names if name in parsed}


def _sender(parsed: Parsed, options: Options) -> Delivery:
    if "sender" not in parsed:
        return {}
    sender, verp_id = without_verp(parsed["sender"], options.verp)
    return {"sender": sender, "verp_id": verp_id} if verp_id else {"sender": sender}


def _mail(parsed: Parsed, **columns: Any) -> Delivery:
    return {"table": "from", "queue_id": parsed["queue_id"], **columns}


def _client(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery | None:
    if "queue_id" not in parsed:
        return login.succeeded(parsed)
    columns: Delivery = {"table": "from", "origin": "smtp", **parsed}
    del columns["action"]
    return _with_login(columns, parsed) if "sasl_username" in parsed else columns


def _with_login(delivery: Delivery, parsed: Parsed) -> Delivery:
    entered = login.succeeded(parsed)
    return {**delivery, "also": [*delivery.get("also", ()), entered]} if entered else delivery


def _pickup(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    given = _sender(parsed, options)
    if "orig_queue_id" not in parsed:
        return _mail(parsed, origin="local", uid=parsed["uid"], **given)
    old = {
        "table": "from",
        "queue_id": parsed["orig_queue_id"],
        "next_queue_id": parsed["queue_id"],
    }
    old |= {"removed_at": msg["t"], "removed_by": "requeued"}  # postsuper -r ALL names no ids
    columns = {"origin": "requeue", "uid": parsed["uid"], "orig_queue_id": parsed["orig_queue_id"]}
    return _mail(parsed, **columns, **given, also=[old])


def _message_id(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    columns: Delivery = {"table": "from", **parsed}
    del columns["action"]
    return columns


def _queue_active(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    columns: Delivery = {"table": "from", "queued_at": msg["t"], "accepted": True, **parsed}
    del columns["action"], columns["queue"]
    return columns | _sender(parsed, options) if options.verp else columns


def _removed(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    daemon = msg["identifier"].rpartition("/")[2]
    by = parsed.get("removed_by") or ("postsuper" if daemon == "postsuper" else "qmgr")
    delivery = _mail(parsed, removed_at=msg["t"], removed_by=by)
    if by == "qmgr":
        delivery["accepted"] = True
    return delivery


def _expired(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    return _mail(parsed, expired_at=msg["t"], accepted=True, **_sender(parsed, options))


def _notification(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    return {
        "table": "from",
        "queue_id": parsed["notification_queue_id"],
        "origin": "notice",
        "notification": parsed["notification"],
        "notification_for": parsed["queue_id"],
        "also": [{"table": "from", "queue_id": parsed["queue_id"]}],
    }


def _held(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    return _mail(parsed, held_at=msg["t"], accepted=True)


def _released(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    return _mail(parsed, released_at=msg["t"], accepted=True)


def _force_expired(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    return {"table": "queue_event", "action": "Force-expired", "named": 1}


def _queue_event(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery | None:
    if parsed.get("what") not in QUEUE_EVENTS:
        return None
    return {"table": "queue_event", "action": parsed["what"], "messages": parsed["messages"]}


def _requeued(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    return _mail(parsed, removed_at=msg["t"], removed_by="requeued")


def queued_as(reply: str) -> str | None:
    """The queue id that a server tells with its acceptance, where it is one like Postfix's."""
    found = _id(reply.rpartition("queued as ")[2]) if "queued as " in reply else None
    return found and found[0]


def _reply_code(reason: str) -> int | None:
    if " said: " in reason or " refused to " in reason:
        reply = _reply(reason)
        return int(reply[1]) if reply else None
    return _CODES.get(reason[:3]) if reason[3:4] in _BEHIND_CODE else None


def _next_hop(delivery: Delivery, reason: str) -> None:
    """Set what the reply of the other side tells: its code, its queue id, who was tried."""
    code = _reply_code(reason)
    if code is not None:
        delivery["reply_code"] = code
    if delivery["status"] == "sent":
        queued = queued_as(reason)
        if queued is not None:
            delivery["next_queue_id"] = queued
    elif delivery["relay"] == "none":
        tried = _tried(reason)
        if tried is not None:
            parts = relay_parts(tried[1])
            delivery.update({k: v for k, v in parts.items() if k != "relay_path"})


def _forwarded(delivery: Delivery, reason: str) -> None:
    """Set the mail that local(8) made of this one."""
    forwarded = _id(reason.removeprefix("forwarded as "))
    if forwarded is not None and forwarded.end() == len(forwarded.string):
        delivery["next_queue_id"] = forwarded[0]
        delivery["also"] = [{"table": "from", "queue_id": forwarded[0], "origin": "forward"}]


def _delivered(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    daemon = msg["identifier"].rpartition("/")[2]
    delivery: Delivery = {"table": "to", "daemon": daemon, **parsed}
    del delivery["action"]
    for name in _NO_COLUMNS:
        if name in delivery:
            del delivery[name]
    if options.verp and "orig_to" in delivery:
        delivery["orig_to"] = without_verp(delivery["orig_to"], options.verp)[0]
    reason = delivery.get("reason", "")
    if daemon in REMOTE:
        _next_hop(delivery, reason)
    elif daemon == "local" and reason.startswith("forwarded as "):
        _forwarded(delivery, reason)
    return delivery


def _noqueue(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    """The columns of a verdict's own row."""
    syslog_name, _, daemon = msg["identifier"].rpartition("/")
    columns = ("queue_id", *_client_columns, "protocol_state", "reply_code", "dsn", "reason")
    row = _pick(parsed, *columns, *_from_columns, *_login_columns)
    if "sender" in row:
        row["sender"] = without_verp(row["sender"], options.verp)[0]
    return {
        "table": "noqueue",
        "syslog_name": syslog_name,
        "daemon": daemon,
        "action": parsed["verdict"],
        **row,
    }


def _with_mail(msg: MsgDetails, row: Delivery, sender: Delivery, *, whole: bool) -> Delivery:
    """Add to a verdict with a queue id what it means for its mail; `whole`: it judges the mail.

    The verdict's recipient is the last one given, not "the" recipient: it stays out.
    """
    if "queue_id" not in row:
        return row
    mail: Delivery = {"table": "from", "queue_id": row["queue_id"], **sender}
    mail |= _pick(row, "protocol_name", "helo_name")
    action = row["action"]
    if action in REFUSALS:
        if whole:
            mail |= {"verdict": action, "accepted": False}
            mail |= _pick(row, "protocol_state", "reply_code", "dsn", "reason")
    elif action not in NOTES:
        mail["verdict"] = action
    if action.endswith("hold"):
        mail["held_at"] = msg["t"]
        if "reason" in row:
            mail["hold_reason"] = row["reason"]
    return {**row, "also": [mail]}


def _verdict(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery | None:
    if parsed["verdict"] == "permit":
        return None
    row = _noqueue(msg, parsed, options)
    whole = row["daemon"] == "cleanup" or row.get("protocol_state") in WHOLE_MAIL
    row = _with_mail(msg, row, _sender(parsed, options), whole=whole)
    return _with_login(row, parsed) if row["daemon"] == "smtpd" else row


def _proxy_verdict(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery | None:
    return _noqueue(msg, parsed, options) if parsed["verdict"] == "proxy-reject" else None


def _screening_busy(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery:
    return _noqueue(msg, {**parsed, "verdict": "reject", "protocol_state": "CONNECT"}, options)


def _content_reason(parsed: Parsed, options: Options) -> str | None:
    content = f"{parsed['part']} {parsed['content']}"
    subject = content.lower().startswith("header subject:")
    if options.store_content or (options.store_subject and subject):
        return f"{content}: {parsed['reason']}" if "reason" in parsed else content
    return parsed.get("reason")


def _content_verdict(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery | None:
    subject = {}
    content = parsed["content"]
    if options.store_subject and content[:8].lower() == "subject:" and parsed["part"] == "header":
        subject = {"subject": content[8:].strip()}
    if parsed["verdict"] not in CONTENT_VERDICTS:
        return _mail(parsed, **subject) if subject else None
    columns = dict(parsed)
    reason = _content_reason(parsed, options)
    if reason is None:
        columns.pop("reason", None)
    else:
        columns["reason"] = reason
    row = _noqueue(msg, columns, options)
    row = _with_mail(msg, row, _sender(parsed, options), whole=True)
    row["also"][0].update(subject)
    return row


def _message_rejected(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery | None:
    if "queue_id" not in parsed:
        return None
    daemon = msg["identifier"].rpartition("/")[2]
    accepted = daemon in QUEUE_MANAGERS  # what they find unfit was in the queue
    return _mail(parsed, accepted=accepted, reason=parsed["reason"])


def _session_trouble(msg: MsgDetails, parsed: Parsed, options: Options) -> Delivery | None:
    if "queue_id" not in parsed:
        return None
    if "phase" in parsed:  # qmqpd has no commands
        return _mail(parsed, reason=f"{parsed['trouble']} while {parsed['phase']}")
    state = parsed["protocol_state"]
    return _mail(parsed, protocol_state=state, reason=f"{parsed['trouble']} after {state}")


Extractor = Callable[[MsgDetails, Parsed, Options], "Delivery | None"]

EXTRACT: dict[str, Extractor] = {
    "client": _client,
    "content_verdict": _content_verdict,
    "delivery": _delivered,
    "expired": _expired,
    "force_expired": _force_expired,
    "held": _held,
    "login_aborted": login.failed,
    "login_failed": login.failed,
    "message_id": _message_id,
    "message_rejected": _message_rejected,
    "notification": _notification,
    "pickup": _pickup,
    "postsuper": _queue_event,
    "proxy_verdict": _proxy_verdict,
    "queue_active": _queue_active,
    "rate_limit": login.failed,
    "released": _released,
    "removed": _removed,
    "requeued": _requeued,
    "resent_message_id": _message_id,
    "screening_busy": _screening_busy,
    "session_trouble": _session_trouble,
    "verdict": _verdict,
}


@lru_cache(maxsize=65536)
def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _errors(parsed: Parsed) -> list[str]:
    """What is odd in a line whose row is made all the same."""
    errors = [parsed["odd"]] if "odd" in parsed else []
    if parsed["action"] == "delivery" and parsed["status"] not in STATUSES:
        errors.append(f"status={parsed['status']} is not known")
    name = "client_address" if "client_address" in parsed else "relay_address"
    address = parsed.get(name, "unknown")
    if address != "unknown" and not (len(address) < 64 and _is_address(address)):
        errors.append(f"{name} {address!r} is no IP address")
    return errors


def extract_delivery(
    msg_details: MsgDetails, parsed: Parsed, options: Options | None = None
) -> tuple[list[str], Delivery | None]:
    """What one parsed line tells: `(errors, delivery)`.

    `delivery` has `table` (`from`, `to`, `noqueue`, `queue_event`, `login`), columns of that table without
    None values, and for `also` a list of further rows the same line tells about. It is None for a line that
    carries no delivery fact. `errors` names what is odd in a line without refusing it.
    """
    extract = EXTRACT.get(parsed["action"])
    if extract is None:
        return [], None
    return _errors(parsed), extract(msg_details, parsed, options or _DEFAULTS)
