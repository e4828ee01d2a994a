"""Names of failed logins: stored plain of accounts that are known, else as keyed hashes.

People type passwords where a name is asked for. An account is known if it has logged in, as far as
that is stored. When it logs in for the first time, what failed under its hash comes under its name:
so it does not matter in which order and batches lines come, only what is stored when all have.
Failures have their names in lower case. It knows no log syntax.

Bugs: sessions that learn of an account at the same moment may leave failures of the other one under
the hash, until a later session sees the account log in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from journal_postfix.database import SQL, Cursor
from journal_postfix.hashing import FOR_EVER, key_of, keyed_hash

Row = dict[str, Any]

PURPOSE = "login"
MARK = "~"  # before a hash
_REMEMBERED = 100_000


@dataclass
class Accounts:
    """What a session knows of accounts: names (lower case) that have logged in, and the key."""

    known: set[str] = field(default_factory=set)
    key: bytes | None = None

    def forget(self) -> None:
        """Forget what may not be true: a transaction was rolled back."""
        self.known.clear()
        self.key = None


def hide_names(cursor: Cursor, sums: Iterable[Row], accounts: Accounts) -> None:
    """Put hashes for the names of failed logins that are no known account's.

    Costs nothing for names that the session knows.
    """
    named = [row for row in sums if row["sasl_username"] is not None]
    succeeded = {row["sasl_username"].lower() for row in named if not row["failed"]}
    failed = [row for row in named if row["failed"]]
    if len(accounts.known) > _REMEMBERED:
        accounts.known.clear()
    if new := succeeded - accounts.known:
        _show(cursor, sorted(new), accounts)
    if asked := {row["sasl_username"].lower() for row in failed} - accounts.known:
        cursor.execute(SQL["statements/known_logins"], {"names": sorted(asked)})
        accounts.known |= {name for (name,) in cursor.fetchall()}
    for row in failed:
        name = row["sasl_username"].lower()
        row["sasl_username"] = name
        if name not in accounts.known:
            _hide(row, name, _made_key(cursor, accounts))


def _show(cursor: Cursor, names: Sequence[str], accounts: Accounts) -> None:
    """Bring what failed under the hashes of these accounts under their names."""
    accounts.known.update(names)
    key = accounts.key or _key(cursor)
    if key is not None:  # else nothing was ever hashed
        hashes = [MARK + keyed_hash(key, name) for name in names]
        cursor.execute(SQL["statements/show_logins"], {"names": names, "hashes": hashes})


def _key(cursor: Cursor) -> bytes | None:
    cursor.execute(SQL["statements/find_key"], {"purpose": PURPOSE, "month": FOR_EVER})
    (key,) = cursor.fetchone() or (None,)
    return None if key is None else bytes(key)


def _made_key(cursor: Cursor, accounts: Accounts) -> bytes | None:
    if accounts.key is None:
        accounts.key = key_of(cursor, PURPOSE)
    return accounts.key


def _hide(row: Row, name: str, key: bytes | None) -> None:
    """The name goes, out of the reason too."""
    hidden = None if key is None else MARK + keyed_hash(key, name)
    row["sasl_username"] = hidden
    if row["reason"] is not None:
        word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
        row["reason"] = word.sub(hidden or MARK, row["reason"])
