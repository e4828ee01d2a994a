"""Keyed hashes of personal data, and the keys: HMAC-SHA-256 (RFC 2104), as the server computes it too.

The keys stand in table `hash_key`, one for each purpose (and month, where they are to be destroyed
by and by): whoever has a hash and not its key can test no guess. SQL function `keyed_hash` gives
the same hash for the same key.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import date, timedelta

from journal_postfix.database import SQL, Cursor

KEY_BYTES = 32
DIGITS = 16  # of a hash in hexadecimal: 64 bits
FOR_EVER = date.min  # "month" of a key that is not destroyed


def keyed_hash(key: bytes, text: str) -> str:
    """The hash of a text: 16 hexadecimal digits."""
    return hmac.digest(key, text.encode(errors="surrogateescape"), "sha256").hex()[:DIGITS]


def key_of(cursor: Cursor, purpose: str, month: date = FOR_EVER) -> bytes | None:
    """The key for a purpose, made where there is none; None: it was destroyed."""
    made = {"purpose": purpose, "month": month, "key": secrets.token_bytes(KEY_BYTES)}
    cursor.execute(SQL["statements/make_key"], made)
    cursor.execute(SQL["statements/find_key"], made)
    (key,) = cursor.fetchone() or (None,)
    return None if key is None else bytes(key)


def make_month_keys(cursor: Cursor, day: date, until: date, destroyed: date | None) -> None:
    """Make sure that the months of the days up to `until` have keys for pseudonyms.

    Not those that are over by `destroyed`: their key would be destroyed at once.
    """
    month = day.replace(day=1)
    while month < until:
        following = (month + timedelta(days=32)).replace(day=1)
        if destroyed is None or following > destroyed:
            key_of(cursor, "pseudonym", month)
        month = following
