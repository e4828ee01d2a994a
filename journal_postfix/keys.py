"""The keys of the configuration: how each is checked, what is allowed, what it is for.

A check gives the value as `Config` wants it, or raises ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from journal_postfix.periods import PRESETS, Customer
from journal_postfix.verp import verp_options


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError
    value.encode()  # half a character is no text: UnicodeEncodeError is a ValueError
    return value


def _path(value: Any) -> str:
    try:
        Path(_text(value)).expanduser()
    except RuntimeError as error:  # of a user who does not exist
        raise ValueError from error
    return str(value)


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(_text(one) for one in value)


def _names(value: Any) -> tuple[str, ...]:
    words = _words(value)
    if not words:
        raise ValueError
    return words


def _users(value: Any) -> tuple[int | str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError
    return tuple(_whole(one) if isinstance(one, int) else _text(one) for one in value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def _positive(value: Any) -> int:
    if _whole(value) == 0:
        raise ValueError
    return int(value)


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 86400:
        raise ValueError
    return float(value)


def _pause(value: Any) -> float:
    return 0.0 if value == 0 and not isinstance(value, bool) else _seconds(value)


def _days(value: Any) -> int:
    if _whole(value) > 36500:
        raise ValueError
    return int(value)


def _address(value: Any) -> tuple[str, int]:
    text = str(value) if type(value) is int else _text(value)
    match = re.fullmatch(r"(?:(?:\[([^\s\]]+)\]|([^\s:\[\]]+)):)?([0-9]{1,5})", text)
    if match is None or not 0 < int(match[3]) < 65536:
        raise ValueError
    return match[1] or match[2] or "127.0.0.1", int(match[3])


def _preset(value: Any) -> str:
    if _text(value) not in PRESETS:
        raise ValueError
    return str(value)


def _customers(value: Any) -> dict[str, Customer]:
    if not isinstance(value, dict):
        raise ValueError
    return {_domain(name): _customer(days) for name, days in value.items()}


def _domain(value: Any) -> str:
    domain = _text(value).lower()
    if not re.fullmatch(r"[^\s@\"'<>]+", domain):
        raise ValueError
    return domain


def _customer(value: Any) -> Customer:
    if not isinstance(value, dict) or not value or not value.keys() <= set(Customer._fields):
        raise ValueError
    return Customer(**{name: _days(days) for name, days in value.items()})


def _mapping(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError
    return {_text(name): _text(mta) for name, mta in value.items()}


def _patterns(value: Any) -> tuple[str, ...]:
    words = _words(value)
    for word in words:
        names = set()
        try:
            (pattern,) = verp_options(None, (word,))
            names = set(pattern.groupindex)
        except re.error as error:
            raise ValueError from error
        if not {"name", "domain"} <= names:
            raise ValueError
    return words


def _days_of_accesses(value: Any) -> int:
    if 0 < _days(value) < 30:  # which forget_accesses() keeps whatever is asked
        raise ValueError
    return int(value)


def _role(value: Any) -> str:
    name = _text(value)
    reserved = name.startswith("pg_") or name in ("public", "none")
    if reserved or len(name.encode(errors="replace")) > 63:  # PostgreSQL cuts longer names
        raise ValueError
    return name


class Key(NamedTuple):
    """One key of the file: its check, what is allowed, what it is for."""

    check: Callable[[Any], Any]
    allowed: str
    purpose: str


_A_ROLE = "the name of a role, at most 63 bytes and not pg_..."

KEYS: dict[str, Key] = {
    "dsn": Key(
        _text,
        "a libpq connection string",
        "PostgreSQL, without it a private one; --dsn and JOURNAL_POSTFIX_DSN stand in for it",
    ),
    "data_dir": Key(
        _path,
        "a path",
        "folder of the private PostgreSQL; default: ~/.local/state/journal-postfix, for the service /var/lib/journal-postfix",
    ),
    "journal.directory": Key(
        _text,
        "a path",
        "folder of journal files, for example of systemd-journal-remote; default: this machine's journal",
    ),
    "journal.units": Key(
        _words, "a list of unit names, also with *", "read only these systemd units; empty: all"
    ),
    "journal.trusted_uids": Key(
        _users,
        "a list of user names or ids",
        "users whose journal entries are believed; entries of Postfix's units are believed too",
    ),
    "syslog_names": Key(
        _names, "a list of words", "names that make a line Postfix's, where / or - follows"
    ),
    "journal_poll_interval": Key(
        _seconds, "seconds, up to 86400", "longest wait for journal entries"
    ),
    "max_delay_before_commit": Key(
        _seconds, "seconds, up to 86400", "time until a line is a row, at most"
    ),
    "max_messages_per_commit": Key(
        _positive, "a whole number from 1", "lines per transaction, at most"
    ),
    "mta": Key(
        _text, "a host name", "store all lines as this host's; default: the host that a line names"
    ),
    "mta_names": Key(_mapping, "a mapping of host names", "one name for a host's several names"),
    "submission_services": Key(
        _words, "a list of words", "services of Postfix to which only our own users submit"
    ),
    "verp_marker": Key(
        _text,
        "a word",
        "marker in senders: name+MARKER-ID@domain is stored as name@domain and verp_id",
    ),
    "verp_patterns": Key(
        _patterns,
        "a list of `user=domain`, `prvs=` or patterns with groups name, domain and perhaps verp_id",
        "further forms of variable senders",
    ),
    "store_subject": Key(_truth, "true or false", "keep subjects that header checks log"),
    "store_content": Key(_truth, "true or false", "keep content that header and body checks log"),
    "retention.preset": Key(
        _preset,
        f"one of {', '.join(PRESETS)}",
        "days for the four keys below, where they are not set",
    ),
    "retention.delivery.pseudonymise": Key(
        _days,
        "days, 0 for never",
        "days until names go out of mails, and of logins that succeeded; fewer than until they are deleted",
    ),
    "retention.delivery.delete": Key(
        _days, "days, 0 for never", "days until mails are deleted, and logins that succeeded"
    ),
    "retention.noqueue.pseudonymise": Key(
        _days,
        "days, 0 for never",
        "days until names go out of verdicts, and of logins that failed; fewer than until they are deleted",
    ),
    "retention.noqueue.delete": Key(
        _days, "days, 0 for never", "days until verdicts are deleted, and logins that failed"
    ),
    "retention.domains": Key(
        _customers,
        "a mapping of domains to pseudonymise and delete, each with days",
        "fewer days for the mail of single domains",
    ),
    "retention.forget_key_after": Key(
        _days, "days, 0 for never", "days until the key of a month's hashes is destroyed"
    ),
    "queue.config_directories": Key(
        _words,
        "a list of paths",
        "where the main.cf of each instance of Postfix is; empty: all that postmulti lists",
    ),
    "queue.check_interval": Key(
        _pause,
        "seconds, up to 86400, 0 for never",
        "time between two comparisons of `run` with Postfix's queue",
    ),
    "queue.close_after": Key(
        _days,
        "days, 0 for never",
        "days without a sign of a mail until it is closed though its end was never logged",
    ),
    "clean_interval": Key(_seconds, "seconds, up to 86400", "time between clean-ups of `run`"),
    "min_free_disk": Key(
        _whole,
        "bytes, 0 for no limit",
        "free room on the database's disk below which nothing is written; of a server elsewhere nothing is checked",
    ),
    "max_size": Key(
        _whole, "bytes, 0 for no limit", "size of the database above which the oldest days go early"
    ),
    "metrics.address": Key(
        _address,
        "a port (of the loopback address) or ADDRESS:PORT, an IPv6 address in brackets",
        "where `run` tells Prometheus its figures; default: nowhere",
    ),
    "auto_migrate": Key(
        _truth, "true or false", "let `run` and `backfill` create or upgrade the schema"
    ),
    "require_ticket": Key(
        _truth, "true or false", "`trace`, `report`, `export` and `forget` need --ticket"
    ),
    "retention.access_log": Key(
        _days_of_accesses, "days from 30, 0 for never", "days until it is forgotten who looked"
    ),
    "insecure_dsn": Key(
        _truth, "true or false", "let a DSN name another host without sslmode=verify-full"
    ),
    "roles.writer": Key(_role, _A_ROLE, "group role of the service"),
    "roles.reader": Key(_role, _A_ROLE, "group role of those who trace and report"),
    "roles.auditor": Key(_role, _A_ROLE, "group role of those who read access_log"),
    "roles.user": Key(_role, _A_ROLE, "group role that may call mail_of() alone"),
    "privacy.controller": Key(_text, "a text", "who answers for the data; said by `export`"),
    "privacy.purposes": Key(_text, "a text", "what the data are for; said by `export`"),
    "privacy.legal_basis": Key(_text, "a text", "why they may be kept; said by `export`"),
    "privacy.rights": Key(_text, "a text", "what a person may ask for; said by `export`"),
    "privacy.contact": Key(_text, "a text", "whom to ask; said by `export`"),
}
