"""What one process says over several lines, put where it belongs.

smtpd names its client in one line, tells of TLS in another, and judges a transaction before the
mail has a queue id; smtp tells of TLS before it delivers; postscreen names what a client failed
test by test. A fact goes to a mail only beyond doubt: same process, same peer, between the lines
that open and close the session. `Sessions` is what is remembered of one source; it is stored with
the reading position, so that a restart in the middle of a session loses nothing.

It knows the meaning of lines, not their syntax, and no rows that are already stored.

Bugs: a session that runs over the border of two files is not put together again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from journal_postfix import login, screening
from journal_postfix.delivery import Delivery, extract_delivery, queued_as
from journal_postfix.messages import MsgDetails
from journal_postfix.parser import Parsed
from journal_postfix.remembered import Key, Note, Remembered, Session

MOST_PENDING = 8
"""Verdicts of one transaction, and TLS sessions of one delivery, that are remembered."""

SLACK = 2.0
"""Seconds that stamps and rounded delays may be off."""

DELIVERING, DELIVERED = 1800.0, 10.0
"""Seconds for which TLS is remembered before and after the record of its delivery."""

_TLS = ("encryption_protocol", "encryption_cipher", "encryption_keysize", "tls_trust")
_CLIENT = ("client_name", "client_address", "client_port")
_LOGIN = ("sasl_method", "sasl_username", "sasl_sender")
_ON_THE_WIRE = ("delay_conn_setup", "delay_transmission")
#: Verdicts that change the way of a mail, gravest first.
_DIVERTS = ("discard", "hold", "redirect", "filter", "bcc")
_CONTENT = ("DATA", "BDAT")  # the mail that these belong to was opened before


def _key(msg: MsgDetails) -> Key:
    return msg["host"], msg["identifier"], msg["pid"]


def _client_of(parsed: Parsed) -> list[str | int | None]:
    get = parsed.get
    return [get("client_name"), get("client_address"), get("client_port")]


def _pick(columns: Mapping[str, Any], names: tuple[str, ...]) -> Delivery:
    return {name: columns[name] for name in names if name in columns}


def _diverts(action: str) -> int | None:
    """The rank of a verdict that changes a mail's way (`milter-hold` like `hold`), or None."""
    word = action.rpartition("-")[2]
    return _DIVERTS.index(word) if word in _DIVERTS else None


# --- smtpd: client, TLS, mail -----------------------------------------------------------------


def _connect(
    processes: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    processes.begin(_key(msg), msg)["client"] = _client_of(parsed)
    return None


def _disconnect(
    processes: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    """A login that no line of the session named is told by its end."""
    process = processes.end(_key(msg)) or {}
    if "login" in process or process.get("client") != _client_of(parsed):
        return None
    return login.unnamed(parsed)


def _tls_connection(
    processes: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    if "relay" in parsed:
        _remember_peer(processes.go_on(_key(msg), msg), parsed)
    elif "client_name" in parsed:
        process = processes.get(_key(msg))
        if process is not None and process.get("client") == _client_of(parsed):
            process["tls"] = _pick(parsed, _TLS)
    return None


def _client(
    processes: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    """The mail that a session opens gets what the session told before."""
    process = processes.go_on(_key(msg), msg)
    client = _client_of(parsed)
    tls = process.get("tls") if process.get("client") == client else None
    delivery = _once(process, delivery)
    if "queue_id" not in parsed:  # a proxy filter comes first, the mail is opened behind it
        process["front"] = {**_pick(parsed, (*_CLIENT, *_LOGIN)), **(tls or {})}
        return delivery
    assert delivery is not None
    process["mail"] = {"queue_id": delivery["queue_id"], "client": client}
    if tls:
        delivery |= tls
    if "pending" in process:
        delivery |= _inferred([one for one in process.pop("pending") if one["client"] == client])
    return delivery


def _once(process: Session, delivery: Delivery | None) -> Delivery | None:
    """The login of a session, which each of its mails names, is told by the first line alone."""
    if delivery is None or login.of_line(delivery) is None:
        return delivery
    if "login" in process:
        return login.without(delivery)
    process["login"] = True
    return delivery


def _session_trouble(
    processes: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    """A session that breaks within the content breaks off the mail it opened last."""
    mail = (processes.get(_key(msg)) or {}).get("mail")
    if delivery is not None or mail is None or parsed.get("protocol_state") not in _CONTENT:
        return delivery
    if mail["client"] != _client_of(parsed):
        return None
    return extract_delivery(msg, {**parsed, "queue_id": mail["queue_id"]})[1]


# --- smtpd: verdicts before the queue id, proxy filters --------------------------------------------


def _verdict(
    processes: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    """Remember what changes the way of a mail that is not opened yet (MAPPING case 6)."""
    if "sasl_username" in parsed:
        delivery = _once(processes.go_on(_key(msg), msg), delivery)
    if delivery is None or "queue_id" in delivery or "sender" not in delivery:
        return delivery
    process = processes.get(_key(msg)) or {}
    if any(one["sender"] != delivery["sender"] for one in process.get("pending", ())):
        del process["pending"]  # another transaction has begun
    if _diverts(delivery["action"]) is not None:
        process = processes.go_on(_key(msg), msg)
        pending = process.setdefault("pending", [])
        if len(pending) < MOST_PENDING:
            told = {name: delivery.get(name) for name in ("action", "sender", "reason")}
            pending.append({**told, "t": process["t"], "client": _client_of(parsed)})
    return delivery


def _inferred(pending: list[Session]) -> Delivery:
    """The columns that verdicts before the queue id tell: the gravest, and when it was held."""
    if not pending:
        return {}
    gravest = min(pending, key=lambda one: _diverts(one["action"]) or 0)
    columns: Delivery = {
        "verdict": gravest["action"],
        "verdict_inferred": True,
        "sender": gravest["sender"],
    }
    for one in pending:
        if one["action"].endswith("hold"):
            columns["held_at"] = datetime.fromtimestamp(one["t"], UTC)
            columns |= {"hold_reason": one["reason"]} if one["reason"] else {}
    return columns


def _proxy_verdict(
    processes: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    """Client and login in front of a proxy filter reach the verdict, and the mail behind it."""
    process = processes.get(_key(msg)) or {}
    front = process.get("front", {})
    if parsed["protocol_state"] == "END-OF-MESSAGE":
        process.pop("front", None)
    if delivery is not None:
        return {**_pick(front, (*_CLIENT, *_LOGIN)), **delivery}
    queue_id = queued_as(parsed["reason"])
    if not front or queue_id is None:
        return None
    return {"table": "from", "queue_id": queue_id, **front}


# --- smtp: TLS of a delivery -------------------------------------------------------------------------


def _remember_peer(process: Session, parsed: Parsed) -> None:
    process["kept"] = DELIVERING
    peers = process.setdefault("peers", {})
    if len(peers) < MOST_PENDING or parsed["relay"] in peers:
        peers[parsed["relay"]] = {"t": process["t"], "tls": _pick(parsed, _TLS)}


def _delivered(
    processes: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    """A record of the relay that TLS was set up with, for this mail and at this time."""
    process = processes.get(_key(msg))
    if process is None or delivery is None:
        return delivery
    process["kept"] = DELIVERED
    peers, queue_id = process.get("peers", {}), parsed["queue_id"]
    for relay, peer in list(peers.items()):
        if peer.setdefault("queue_id", queue_id) != queue_id:  # of an earlier delivery
            del peers[relay]
    if not peers:
        processes.end(_key(msg))
        return delivery
    peer = peers.get(parsed["relay"])
    return {**delivery, **peer["tls"]} if peer and _is_of(peer, msg, parsed) else delivery


def _is_of(peer: Session, msg: MsgDetails, parsed: Parsed) -> bool:
    """TLS was set up while this record's connection was: the same process may deliver again."""
    spent = sum(parsed.get(name, 0.0) for name in _ON_THE_WIRE)
    assert msg["t"] is not None
    return bool(msg["t"].timestamp() - peer["t"] <= spent * 1.1 + SLACK)


_NOTES: dict[str, Note] = {
    "client": _client,
    "connect": _connect,
    "delivery": _delivered,
    "disconnect": _disconnect,
    "proxy_verdict": _proxy_verdict,
    "session_trouble": _session_trouble,
    "tls_connection": _tls_connection,
    "verdict": _verdict,
}
NOTED = _NOTES.keys() | screening.NOTES.keys()
"""The statements that sessions remember or add to; all others pass as they are."""


class Sessions:
    """The open sessions of one source, from its lines in their order.

    `stored` is what `state` gave at the last commit, decoded.
    """

    def __init__(self, stored: Mapping[str, Any] | None = None) -> None:
        stored = stored or {}
        self._processes = Remembered(stored.get("processes", ()))
        self._screened = Remembered(stored.get("screened", ()))

    def see(self, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None) -> Delivery | None:
        """What a line tells, with what its session adds; remembers what the line adds to that.

        `parsed` and `delivery` are what `parse` and `extract_delivery` made of the line.
        """
        action = parsed["action"]
        if action not in NOTED or msg["pid"] is None:
            return delivery
        if action in screening.NOTES and msg["identifier"].endswith("/postscreen"):
            return screening.NOTES[action](self._screened, msg, parsed, delivery)
        note = _NOTES.get(action)
        return delivery if note is None else note(self._processes, msg, parsed, delivery)

    def state(self) -> str:
        """The open sessions as JSON."""
        open_ = {"processes": self._processes.stored(), "screened": self._screened.stored()}
        return json.dumps(open_, separators=(",", ":"))
