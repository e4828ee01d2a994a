"""Who looked: a row of `access_log` for each answer that names people, written before it is shown.

What was asked for is stored as keyed hashes, made by the server: whoever reads the log can find
out who looked for an address he knows, and no address. A reader may write there through function
`note_access` alone, and read nothing.
"""

from __future__ import annotations

import os
import pwd
from argparse import ArgumentParser, Namespace, _ArgumentGroup
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from journal_postfix.config import Config
from journal_postfix.database import SQL, Connection, Cursor, Error, dicts
from journal_postfix.messages import InputError, UsageError

LONGEST = 500  # characters of a ticket or a key


class Access(NamedTuple):
    """What is looked at: by which command, whose mail (keys), why, and of which period."""

    command: str
    keys: tuple[str, ...] = ()
    ticket: str | None = None
    t_from: datetime | None = None
    t_to: datetime | None = None


def add_ticket(parser: ArgumentParser | _ArgumentGroup) -> None:
    """Add the option --ticket."""
    parser.add_argument(
        "--ticket", metavar="TEXT", help="why you look: noted with who looked, for the auditor"
    )


def ticket_of(arguments: Namespace, config: Config) -> str | None:
    """The ticket that was given; UsageError where one is needed and none was."""
    ticket = (arguments.ticket or "").strip()
    if config.require_ticket and not ticket:
        raise UsageError("--ticket is needed (require_ticket): say why you look")
    return _storable(ticket) or None


def key_of(text: str) -> str:
    """An address, a name or an id as it is hashed, however it was written."""
    words = text.strip().removeprefix("<").removesuffix(">")
    return _storable(words.lower())


def _storable(text: str) -> str:
    return text[:LONGEST].replace("\0", "?").encode(errors="replace").decode()


def os_user() -> str:
    """Who runs this on the machine; behind sudo, who called it too."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    caller = os.environ.get("SUDO_USER", name)
    return name if caller == name else _storable(f"{caller} as {name}")


def note(connection: Connection, access: Access, rows: int) -> None:
    """Note that so many rows are about to be shown; InputError where that is impossible.

    In a transaction of its own; one that the connection is in is committed before.
    """
    values: dict[str, Any] = {
        **access._asdict(), "keys": [key_of(key) for key in access.keys], "rows": rows, "os_user": os_user(),
    }  # fmt: skip
    try:
        connection.commit()
        with connection.cursor() as cursor:
            cursor.execute(SQL["statements/note_access"], values)
        connection.commit()
    except Error as error:
        what = " ".join(str(error).split())
        raise InputError(
            f"nothing is shown, for it cannot be noted in access_log who looked: {what}"
        ) from None


def forget(cursor: Cursor, config: Config, now: datetime) -> Iterator[dict[str, Any]]:
    """Delete what is older than retention.access_log; the record of it, if anything went."""
    if config.retention_access_log:
        before = now - timedelta(days=config.retention_access_log)
        cursor.execute(SQL["statements/forget_accesses"], {"before": before})
        yield from (row for row in dicts(cursor) if row["rows"])
