"""Journal entries: which are read, which are believed, and the message each one is.

It knows the fields of systemd.journal-fields(7). Those that begin with ``_`` only journald can
set; whether an entry is Postfix's is judged by them alone.
It refuses to know how entries are read, and what Postfix says in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from journal_postfix.losses import JOURNALD, MESSAGE_IDS
from journal_postfix.messages import MsgDetails

POSTFIX_UNITS = ("postfix.service", "postfix@*.service")
"""Units whose processes are Postfix's, under whatever uid."""

DEBUG = b"7"
KEPT = 10_000
"""Identifiers and units remembered."""

Answer = TypeVar("Answer")


class Remembered(dict[bytes, Answer]):
    """Answers to what is asked for every entry, and nearly always the same."""

    def __init__(self, answer: Callable[[bytes], Answer]) -> None:
        super().__init__()
        self._answer = answer

    def __missing__(self, key: bytes) -> Answer:
        if len(self) >= KEPT:
            self.clear()
        self[key] = found = self._answer(key)
        return found


class Rules:
    """Which entries are read, and which of these are believed."""

    def __init__(
        self, syslog_names: Iterable[str], units: Sequence[str], trusted_uids: Iterable[int]
    ) -> None:
        beginnings = tuple(f"{name}{mark}" for name in syslog_names for mark in "/-")
        beginnings += (JOURNALD,)
        self.identifiers = Remembered(lambda raw: _if_begun(text(raw), beginnings))
        self._is_read = Remembered(lambda unit: not units or _fits(unit, units))
        self._is_postfix = Remembered(lambda unit: _fits(unit, POSTFIX_UNITS))
        self._uids = {str(uid).encode() for uid in trusted_uids}

    def message(
        self, fields: dict[str, Any], identifier: str, t: datetime, cursor: str
    ) -> MsgDetails | None:
        """Return what an entry of a wanted identifier says, None if it is not read."""
        try:
            return self._message(fields, identifier, t, cursor)
        except (AttributeError, TypeError):  # anybody may send an entry with a field twice
            return self._message(_single(fields), identifier, t, cursor)

    def _message(
        self, fields: dict[str, bytes], identifier: str, t: datetime, cursor: str
    ) -> MsgDetails | None:
        unit = fields.get("_SYSTEMD_UNIT", b"")
        if identifier.startswith(JOURNALD):
            if not _tells_of_loss(fields):
                return None
        elif fields.get("PRIORITY") == DEBUG or not self._is_read[unit]:
            return None
        msg: MsgDetails = {
            "t": t,
            "host": text(fields.get("_HOSTNAME", b"")),
            "identifier": identifier,
            "pid": _pid(fields),
            "message": text(fields.get("MESSAGE", b"")),
            "position": cursor,
        }
        if not (fields.get("_UID") in self._uids or self._is_postfix[unit]):
            msg["trusted"] = False  # of journald's own entries nobody asks
        return msg


def text(value: bytes) -> str:
    """Return what a field says; PostgreSQL cannot hold NUL."""
    return value.decode("utf-8", "replace").replace("\0", "?")


def _fits(unit: bytes, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text(unit), pattern) for pattern in patterns)


def _if_begun(identifier: str, beginnings: tuple[str, ...]) -> str:
    return identifier if identifier.startswith(beginnings) else ""


def _tells_of_loss(fields: dict[str, bytes]) -> bool:
    """Tell whether journald itself says here that it lost something."""
    return fields.get("_TRANSPORT") == b"driver" and fields.get("MESSAGE_ID") in MESSAGE_IDS


def _pid(fields: dict[str, bytes]) -> int | None:
    """Return the pid as logged, which inside a container differs from that which journald saw."""
    for name in ("SYSLOG_PID", "_PID"):
        value = fields.get(name, b"")
        if value.isdigit() and len(value) < 10:
            return int(value)
    return None


def _single(fields: dict[str, Any]) -> dict[str, bytes]:
    return {name: value[0] if isinstance(value, list) else value for name, value in fields.items()}
