"""What a parsed line tells of logins: a try that failed, or a client that is logged in.

Postfix says nothing when a login succeeds; a line about a mail of that session is the first to
name the account. Which of several such lines is to be counted is the session's business.

Bugs: a login behind which no mail and no verdict came is told by the end of its session alone,
without a name; before Postfix 3.10 so is one of which every mail was refused.
"""

from __future__ import annotations

import binascii
from typing import Any

from journal_postfix.messages import MsgDetails

Row = dict[str, Any]
Parsed = dict[str, Any]

ABORTED = "aborted by the client"
RATE = "AUTH command rate"  # smtpd/smtpd_sasl_proto.c; other rates are no logins
_UNSAID = ("", "(unavailable)", "(reason unavailable)")
_FORWARDED = "XCLIENT"  # the login that a proxy passes on
_CLIENT = ("client_name", "client_address")


def _told(parsed: Parsed, *names: str) -> Row:
    found = {name: parsed[name] for name in (*_CLIENT, *names) if name in parsed}
    return {"table": "login", **{k: v for k, v in found.items() if v not in _UNSAID}}


def failed(msg: MsgDetails, parsed: Parsed, options: object) -> Row | None:
    """A try to log in that failed, was given up, or was not allowed any more."""
    if parsed["action"] == "rate_limit":
        if parsed["what"] != RATE:
            return None
        return {**_told(parsed), "reason": f"{RATE} limit exceeded", "failed": 1}
    row = _told(parsed, "sasl_method", "sasl_username", "reason")
    if parsed["action"] == "login_aborted":
        row["reason"] = ABORTED
    elif "reason" in row and _is_challenge(row["reason"]):
        del row["reason"]
    return {**row, "failed": 1}


def succeeded(parsed: Parsed) -> Row | None:
    """The login that a line about a mail or a verdict names, if it names one."""
    if "sasl_username" not in parsed or parsed.get("sasl_method") == _FORWARDED:
        return None
    return {**_told(parsed, "sasl_method", "sasl_username"), "succeeded": 1}


def unnamed(parsed: Parsed) -> Row | None:
    """The login that the end of a session counts, if it counts one."""
    if parsed.get("cmd_auth", "0").partition("/")[0] == "0":
        return None
    return {**_told(parsed), "succeeded": 1}


def of_line(delivery: Row | None) -> Row | None:
    """The row of a login among those that a line tells about."""
    if delivery is None or delivery["table"] == "login":
        return delivery
    return next((row for row in delivery.get("also", ()) if row["table"] == "login"), None)


def without(delivery: Row) -> Row | None:
    """What a line tells but for its login."""
    if delivery["table"] == "login":
        return None
    also = [row for row in delivery["also"] if row["table"] != "login"]
    rest = {name: value for name, value in delivery.items() if name != "also"}
    return {**rest, "also": also} if also else rest


def _is_challenge(reason: str) -> bool:
    """The server's last question in base64, which Postfix logs where no reason was given."""
    try:
        text = binascii.a2b_base64(reason, strict_mode=True)
    except ValueError:
        return False
    return text.startswith(b"NTLMSSP\0") or (text.isascii() and text.decode().isprintable())
