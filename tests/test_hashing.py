"""Keyed hashes: the same from the program and from the server, with keys that last or are gone."""

from __future__ import annotations

from contextlib import closing
from datetime import date

import pytest

from journal_postfix.database import PLAIN_SETTINGS, connect
from journal_postfix.hashing import key_of, keyed_hash

TEXTS = ("", "ann@example.com", "Ünïcode\x01@example.com", "x" * 300, "a'b\\c\"@example.org")


@pytest.mark.parametrize("size", [1, 32, 64])
def test_server_and_program_agree(dsn: str, size: int) -> None:
    """One text and key, one hash, whoever computes it."""
    key = bytes(range(7, 7 + size))
    with closing(connect(dsn, PLAIN_SETTINGS)) as connection, connection.cursor() as cursor:
        for text in TEXTS:
            cursor.execute("SELECT keyed_hash(%s, hash_masks(%s))", (text, key))
            assert cursor.fetchone() == (keyed_hash(key, text),)


def test_known_answer() -> None:
    """The hash is that of RFC 4231, test case 2."""
    assert keyed_hash(b"Jefe", "what do ya want for nothing?") == "5bdcc146bf60754e"


def test_keys_last_and_are_destroyed(dsn: str) -> None:
    """A key is made once for its purpose and month; one that was destroyed is not made again."""
    with closing(connect(dsn, PLAIN_SETTINGS)) as connection, connection.cursor() as cursor:
        key = key_of(cursor, "pseudonym", date(2026, 11, 1))
        assert key is not None
        assert key == key_of(cursor, "pseudonym", date(2026, 11, 1))
        assert key not in (key_of(cursor, "pseudonym", date(2026, 12, 1)), key_of(cursor, "login"))
        cursor.execute("UPDATE hash_key SET key = NULL, destroyed_at = now()")
        assert key_of(cursor, "pseudonym", date(2026, 11, 1)) is None
