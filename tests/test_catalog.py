"""Every fact of the catalogue of Postfix's statements is found by `parse`.

The catalogue names facts in its own way; the tables below say which field of ours holds each, which
are a piece of a longer field (a host within a reason), and which are put together from several.
Other forms of its statements stand there with `fields`: all that `parse` gives for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from journal_postfix.delivery import extract_delivery
from journal_postfix.fields import LEVELS
from journal_postfix.formats import FACTS
from journal_postfix.messages import MsgDetails
from journal_postfix.parser import Parsed, parse
from test_samples import statement_of

CATALOG: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "catalog.yaml").read_text("utf-8")
)

#: Facts that we call otherwise; all the rest have our name.
NAMES = {
    "action": ("verdict",),
    "admin_text": ("reason",),
    "client_ip": ("client_address",),
    "count": ("count", "messages"),
    "delay": ("delay", "seconds"),
    "disposition": ("removed_by",),
    "dsn_from": ("dsn",),
    "enhanced_code": ("dsn",),
    "errno": ("error", "reason"),
    "error": ("error", "reason"),
    "file": ("path",),
    "helo": ("helo_name",),
    "host": ("hostname",),
    "level_value": ("compatibility_level",),
    "mode": ("how", "mode"),
    "new_queue_id": ("notification_queue_id",),
    "orig_recipient": ("orig_to",),
    "proto": ("protocol_name",),
    "rbl_domain": ("domain",),
    "rbl_result": ("listed",),
    "reason": ("reason", "trouble"),
    "relay_host": ("relay_name",),
    "relay_ip": ("relay_address",),
    "remote_code": ("reply_code",),
    "remote_command": ("smtp_command",),
    "server_ip": ("server_address",),
    "service": ("service", "relay"),
    "smtp_code": ("reply_code",),
    "stage": ("protocol_state", "phase"),
    "text": ("text", "reason", "input"),
    "tls_cipher": ("encryption_cipher",),
    "tls_policy": ("tls",),
    "tls_protocol": ("encryption_protocol",),
    "trust": ("tls_trust",),
    "verdict": ("screening",),
}

#: Facts that are a piece of one of our fields: of a free text, or of a table's name with flags.
PIECES = {
    "bcc_to": "reason",
    "command": "reason",
    "domain": "recipient",
    "errno": "error",
    "exit_status": "reason",
    "file": "reason",
    "message_size": "reason",
    "next_queue_id": "reason",
    "path": "table",
    "phase": "reason",
    "qtype": "reason",
    "query": "error",
    "rbl_domain": "reason",
    "reason": "reason",
    "redirect_to": "reason",
    "remote_code": "reason",
    "remote_command": "reason",
    "service": "parameter",
    "signal": "reason",
    "size_limit": "reason",
    "table": "table",
    "transport": "parameter",
    "usage": "association",
}

_DELAYS = ("delay_before_qmgr", "delay_in_qmgr", "delay_conn_setup", "delay_transmission")


def _reply(parsed: Parsed) -> tuple[str, ...]:
    """The ways in which a reply can have been written before its codes were taken off."""
    code, dsn, text = (parsed.get(name) for name in ("reply_code", "dsn", "reason"))
    return f"{dsn} {text}", f"{code} {dsn} {text}", f"{code}-{dsn} {text}"


#: Facts that stand in several of our fields.
MADE: dict[str, Callable[[Parsed], tuple[str, ...]]] = {
    "client": lambda parsed: (f"{parsed['client_name']}[{parsed['client_address']}]",),
    "delays": lambda parsed: ("/".join(str(parsed[name]) for name in _DELAYS),),
    "limit": lambda parsed: (f"{parsed['what']} limit exceeded",),
    "notification": lambda parsed: (f"{parsed['notification']} notification",),
    "reason": _reply,
    "reply": _reply,
    "test": lambda parsed: (parsed["action"].upper().removesuffix("_RANK"),),
    "text": _reply,
    "tls_bits": lambda parsed: (f"{parsed['encryption_keysize']}/{parsed['algorithm_bits']}",),
}


def message(example: str) -> MsgDetails:
    """The message of an example, `tag[pid]: text`."""
    match = re.fullmatch(r"([^\[]+)\[(\d+)\]: (.*)", example, re.DOTALL)
    assert match is not None
    t = datetime(2025, 11, 21, 10, 30, tzinfo=UTC)
    identifier, pid, text = match.groups()
    return {
        "t": t, "host": "mx1", "identifier": identifier, "pid": int(pid), "message": text,
        "position": 0,
    }  # fmt: skip


def holds(fact: str, value: str, identifier: str, parsed: Parsed) -> bool:
    """A fact is among the fields, under our name for it."""
    if any(str(parsed.get(name)) == value for name in NAMES.get(fact, (fact,))):
        return True
    if fact in ("service", "instance") and value in re.split("/", identifier):
        return True
    if value and value in str(parsed.get(PIECES.get(fact, ""), "")):
        return True
    made = MADE.get(fact)
    return made is not None and value in made(parsed)


#: Complaints that have nothing of their own but their words, and perhaps a queue id.
ELEMENTLESS = {
    "bounce.malformed_request",
    "bounce.undeliverable_discarded",
    "cleanup.bounce_failure",
    "cleanup.milter_cant_reject_rcpt",
    "cleanup.milter_rcpt_null",
    "cleanup.vrfy_update",
    "local.maildir_hint",
    "master.process_limit_hint",
    "master.watchdog",
    "postdrop.watchdog",
    "postfix-script.already_running",
    "postfix-script.not_running",
    "postqueue.flush_down",
    "postsuper.names_changed",
    "postsuper.watchdog",
    "qmgr.double_bounce_warning",
    "qmgr.watchdog",
    "sendmail.watchdog",
    "smtp.dnssec_unavailable",
    "smtpd.sasl.no_mechs",
    "smtpd.tls.no_certs",
    "tlsmgr.prng_removed",
    "tlsproxy.no_certs",
    "tlsproxy.unexpected_settings",
}


@pytest.mark.parametrize("entry", CATALOG, ids=lambda entry: entry["id"])
def test_its_own_row(entry: dict[str, Any]) -> None:
    """A statement is read by a row that takes it apart, unless it has no elements at all."""
    msg = message(entry["example"])
    row = statement_of(msg)
    catches_all = row.action in LEVELS and "{function" not in row.format
    assert catches_all is (entry["id"] in ELEMENTLESS)
    errors, delivery = extract_delivery(msg, parse(msg))
    assert (errors, delivery is None or row in FACTS) == ([], True)


@pytest.mark.parametrize(
    "entry", [one for one in CATALOG if "fields" in one], ids=lambda entry: entry["id"]
)
def test_fields(entry: dict[str, Any]) -> None:
    """A form of a statement gives these fields, all of them and no others."""
    assert parse(message(entry["example"])) == entry["fields"]


@pytest.mark.parametrize(
    "entry", [one for one in CATALOG if "facts" in one], ids=lambda entry: entry["id"]
)
def test_facts(entry: dict[str, Any]) -> None:
    """A statement of the catalogue is recognised, and each of its facts is a field."""
    msg = message(entry["example"])
    parsed = parse(msg)
    assert parsed["action"] not in ("unknown", "foreign")
    for fact, value in entry["facts"].items():
        assert holds(fact, value, msg["identifier"], parsed), f"{fact}={value!r} not in {parsed}"


def test_the_catalogue_is_whole() -> None:
    """The catalogue was read, and its statements are all of it."""
    assert len({entry["id"] for entry in CATALOG}) == len(CATALOG) > 1050


def test_a_fact_can_be_missed() -> None:
    """The comparison tells a wrong value from a right one."""
    parsed = {"action": "connect", "client_address": "192.0.2.1"}
    assert holds("client_ip", "192.0.2.1", "postfix/smtpd", parsed)
    assert not holds("client_ip", "192.0.2.2", "postfix/smtpd", parsed)
