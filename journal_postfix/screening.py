r"""What postscreen says of one client over several lines: dropped without a verdict of its own.

postscreen serves all clients at once; a client is known by its address and port. It names the
tests that failed one by one, and says `DISCONNECT` where it did not pass the client on. With
action `enforce` it refuses the recipients, with action `drop` it says nothing more: then the
connection as a whole is the verdict (postscreen/postscreen_misc.c, psc_conclude()).
"""

from __future__ import annotations

import re

from journal_postfix.delivery import Delivery
from journal_postfix.messages import MsgDetails
from journal_postfix.parser import Parsed
from journal_postfix.remembered import Key, Note, Remembered

MOST_FAILED = 20
"""Failed tests of one client that are remembered."""

_DENIED = ("DENYLISTED", "BLACKLISTED")
# the client's words before the greeting, as C writes them (util/escape)
_hello = re.compile(r"(?:HELO|EHLO) ([^\s\\]+)", re.IGNORECASE).match


def _key(msg: MsgDetails, parsed: Parsed) -> Key:
    return msg["host"], msg["identifier"], parsed["client_address"], parsed["client_port"]


def _failed(clients: Remembered, msg: MsgDetails, parsed: Parsed, test: str) -> None:
    client = clients.get(_key(msg, parsed))
    if client is not None and len(client["failed"]) < MOST_FAILED:
        client["failed"].append(test)


def _screen(
    clients: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    """CONNECT begins, DISCONNECT ends; a client that passed is smtpd's from now on."""
    word = parsed.get("screening", "CONNECT")
    if word == "CONNECT":
        clients.begin(_key(msg, parsed), msg)["failed"] = []
    elif word in _DENIED:
        _failed(clients, msg, parsed, word)
    elif word == "DISCONNECT":
        return _dropped(clients, msg, parsed)
    elif not word.endswith("VETO"):
        clients.end(_key(msg, parsed))
    return None


def _dropped(clients: Remembered, msg: MsgDetails, parsed: Parsed) -> Delivery | None:
    """The row of a client that failed, and was not told so at a recipient."""
    client = clients.end(_key(msg, parsed))
    if client is None or client.get("told") or not client["failed"]:
        return None
    syslog_name, _, daemon = msg["identifier"].rpartition("/")
    row: Delivery = {
        "table": "noqueue",
        "syslog_name": syslog_name,
        "daemon": daemon,
        "action": "drop",
        "client_address": parsed["client_address"],
        "client_port": parsed["client_port"],
        "protocol_state": "CONNECT",
        "reason": "; ".join(client["failed"]),
    }
    return {**row, "helo_name": client["helo_name"]} if "helo_name" in client else row


def _pregreet(
    clients: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    _failed(clients, msg, parsed, f"PREGREET {parsed['bytes']} after {parsed['seconds']}")
    client, hello = clients.get(_key(msg, parsed)), _hello(parsed["input"])
    if client is not None and hello is not None:
        client["helo_name"] = hello[1]
    return None


def _dnsbl(
    clients: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    _failed(clients, msg, parsed, f"DNSBL rank {parsed['rank']}")
    return None


def _hangup(
    clients: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    _failed(clients, msg, parsed, f"HANGUP after {parsed['seconds']} in {parsed['phase']}")
    return None


def _protocol_test(
    clients: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    state = parsed.get("protocol_state")
    _failed(clients, msg, parsed, f"{parsed['test']} after {state}" if state else parsed["test"])
    return None


def _told(
    clients: Remembered, msg: MsgDetails, parsed: Parsed, delivery: Delivery | None
) -> Delivery | None:
    client = clients.get(_key(msg, parsed))
    if client is not None:
        client["told"] = True
    return delivery


NOTES: dict[str, Note] = {
    "dnsbl": _dnsbl,
    "hangup": _hangup,
    "pregreet": _pregreet,
    "protocol_test": _protocol_test,
    "screen": _screen,
    "screening_busy": _told,
    "verdict": _told,
}
