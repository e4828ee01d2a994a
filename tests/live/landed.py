"""What arrived: every copy in a Maildir, a mailbox, a file or at a sink server.

A copy tells its way by its own headers: each ``Received:`` names the queue id of one hop,
``Delivered-To`` and ``X-Original-To`` the addresses, ``Return-Path`` the sender; a notice
names the mail that it is about (``X-Postfix-Queue-ID``).
"""

from __future__ import annotations

import email
import email.policy
import re
from email.message import Message
from pathlib import Path

from .sink import Sink
from .truth import Row

# How Postfix writes itself into Received.
HOP = re.compile(r"by (?P<host>\S+) \(Postfix[^)]*\)\s+(?:with \S+\s+)?id (?P<id>\w+)")
FOLDERS = {"/home/*/Maildir/new/*": "local", "/srv/virtual/*/new/*": "virtual"}
MAILBOXES = {"/srv/virtual/*": "virtual", "/srv/landed/filed": "local"}
FILES = {"/srv/landed/ticket.*": "local", "/srv/landed/archive.*": "pipe"}


def everything(sink: Sink) -> list[Row]:
    """All copies that arrived anywhere."""
    return [*_files(), *_mailboxes(), *_sink(sink)]


def _files() -> list[Row]:
    found = {**FOLDERS, **FILES}
    return [
        _copy(text, daemon, str(path))
        for pattern, daemon in found.items()
        for path in _glob(pattern)
        for text in [_read(path)]
    ]


def _mailboxes() -> list[Row]:
    """Copies in mailbox files; each begins with ``From `` behind an empty line."""
    rows = []
    for pattern, daemon in MAILBOXES.items():
        for path in _glob(pattern):
            texts = re.split(r"(?:^|\n)From [^\n]*\n", _read(path))[1:]
            rows += [_copy(text, daemon, str(path)) for text in texts]
    return rows


def _sink(sink: Sink) -> list[Row]:
    return [
        _copy(mail.data, mail.protocol, mail.relay_name) | {"recipient": recipient}
        for mail in sink.mails
        for recipient, answer in mail.answers.items()
        if answer.startswith("2")
    ]


def _copy(text: str, daemon: str, where: str) -> Row:
    message = email.message_from_string(text, policy=email.policy.compat32)
    hops = [m["id"] for line in message.get_all("Received", []) for m in HOP.finditer(line)]
    return {
        "daemon": daemon,
        "where": where,
        "queue_ids": hops,
        "message_id": _header(message, "Message-ID"),
        "recipient": _owner(where, _header(message, "Delivered-To")),
        "orig_to": _header(message, "X-Original-To"),
        "return_path": _header(message, "Return-Path"),
        "about": _about(text),
    }


def _owner(where: str, delivered_to: str | None) -> str | None:
    """The recipient as Postfix logs it: in Delivered-To a system user may go by an alias."""
    if not where.startswith("/home/") or delivered_to is None:
        return delivered_to
    user = Path(where).parts[2]
    name = delivered_to.partition("@")[0].partition("+")[0]
    return delivered_to if name == user else f"{user}@example.com"


def _header(message: Message, name: str) -> str | None:
    value = message.get(name)
    return None if value is None else str(value).strip()


def _about(text: str) -> str | None:
    """The queue id of the mail that a notice is about."""
    match = re.search(r"^X-Postfix-Queue-ID: (\w+)$", text, re.MULTILINE)
    return match[1] if match else None


def _glob(pattern: str) -> list[Path]:
    return sorted(path for path in Path("/").glob(pattern.strip("/")) if path.is_file())


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")
