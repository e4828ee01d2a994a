"""The shapes that travel from the inputs to the store: a log message, a reading position.

It knows no input, no parser, no database; everything else may import it.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, NotRequired, TypedDict


class MsgDetails(TypedDict):
    """One log line or journal entry, before parsing.

    ``t`` is aware and in UTC, or None where a file's line has no readable time stamp
    (``identifier`` is then empty). ``position`` is a journal cursor, or the number of bytes
    of a file's decompressed text up to the end of the line. ``trusted`` is False for a journal
    entry whose trusted fields are not Postfix's; without the key the message is trusted.
    ``machine`` is the identity of the message's source where an input reads several.
    """

    t: datetime | None
    host: str
    identifier: str
    pid: int | None
    message: str
    position: str | int
    trusted: NotRequired[bool]
    machine: NotRequired[str]


class Position(NamedTuple):
    """How far one source has been read; stored in the transaction of the rows.

    ``position`` is a journal cursor, or a byte offset in decimal; ``digest`` the SHA-256 (hex)
    of a file's decompressed text up to that offset, empty for journals; ``t`` the time of the
    last entry read or passed over.
    """

    kind: str
    identity: str
    name: str
    position: str
    digest: str
    t: datetime | None


class InputError(Exception):
    """Something the user must put right: one clear sentence, no traceback, exit status 1."""


class UsageError(InputError):
    """Wrong usage or configuration: one clear sentence, exit status 2."""
