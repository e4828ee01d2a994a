"""What stands in the place of personal data: of each kind, hostile values too, and only once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from random import Random
from typing import Any

import pytest

from journal_postfix import personal, pseudonyms
from journal_postfix.database import PLAIN_SETTINGS, Cursor, connect
from journal_postfix.hashing import keyed_hash

KEY = bytes(range(32))
NO_KEY = "~" + 16 * "0"
TYPES = {"client_address": "inet", "uid": "bigint"}


def hashed(text: str) -> str:
    """Give the hash of a text as it stands in rows."""
    return "~" + keyed_hash(KEY, text)


@pytest.fixture
def cursor(dsn: str) -> Iterator[Cursor]:
    """A session with the schema's functions."""
    with closing(connect(dsn, PLAIN_SETTINGS)) as connection, connection.cursor() as cursor:
        yield cursor


def pseudonym(cursor: Cursor, kind: str, value: Any, key: bytes | None = KEY) -> Any:
    """Give what stands in the place of a value."""
    cast = TYPES.get(kind, "text")
    cursor.execute(
        f"SELECT pseudonym_{kind}(%s::{cast}, hash_masks(%s))::{cast.replace('inet', 'text')}",
        (value, key),
    )
    (found,) = cursor.fetchone() or (None,)
    return found


ADDRESS_HASH = hashed("ann@example.com")
KNOWN: dict[str, dict[Any, Any]] = {
    "address": {
        "": "",
        "ann@example.com": f"{ADDRESS_HASH}@example.com",
        "Ann@EXAMPLE.com": f"{ADDRESS_HASH}@example.com",
        "root": hashed("root"),
        "list+bounce-ann=example.com@lists.example.org": (
            hashed("list+bounce-ann=example.com@lists.example.org") + "@lists.example.org"
        ),
        '"o\'brien\\"@x"@example.net': hashed('"o\'brien\\"@x"@example.net') + "@example.net",
        "a@b@example.com": hashed("a@b@example.com") + "@example.com",
        "ann@[192.0.2.77]": hashed("ann@[192.0.2.77]") + "@[192.0.0.0/16]",
        "ann@[IPv6:2001:db8::7]": hashed("ann@[ipv6:2001:db8::7]") + "@[2001:db8::/32]",
        "ann@bücher.example": hashed("ann@bücher.example") + "@bücher.example",
        "ann@home of ann": hashed("ann@home of ann"),
        "ann@example.com/ann": hashed("ann@example.com/ann"),
        "ann@": hashed("ann@"),
        "@": hashed("@"),
    },
    "login": {"": "", "Ann": hashed("ann"), "ann@example.com": ADDRESS_HASH},
    "message_id": {
        "": "",
        "<1.Ann@laptop.example.com>": f"<{hashed('<1.Ann@laptop.example.com>')}>",
        "no brackets": f"<{hashed('no brackets')}>",
    },
    "uid": {1000: 2**32 + int(keyed_hash(KEY, "1000")[:12], 16), 2**33: 2**33},
    "client_address": {
        "192.0.2.77": "192.0.0.0/16",
        "2001:db8:12ff:3456::7": "2001:db8:1200::/40",
        "::ffff:192.0.2.77": "::/40",
        "127.0.0.1": "127.0.0.1/32",
        "::1": "::1/128",
        "192.0.2.0/24": "192.0.0.0/16",
        "192.0.0.0/8": "192.0.0.0/8",
    },
    "host": {
        "": "",
        "unknown": "unknown",
        "localhost": "localhost",
        "example.com": "example.com",
        "Ann-PC.dyn.Example.COM": "example.com",
        "mail.example.co.uk": "example.co.uk",
        "mail.example.org.au": "example.org.au",
        "ann.web.de": "web.de",
        "mail.example.net.": "example.net",
        "anns-laptop": hashed("anns-laptop"),
        "[192.0.2.7]": "192.0.0.0/16",
        "192.0.2.7": "192.0.0.0/16",
        "[IPv6:2001:DB8::7]": "2001:db8::/32",
        "::1": "::/32",
        "fe80::1": "fe80::/32",
        "x> to=<ann@example.com> status=sent (": hashed("x> to=<ann@example.com> status=sent ("),
    },
    "client": {
        "mail.example.org[192.0.2.7]": "example.org[192.0.0.0/16]",
        "mail.example.org[192.0.2.7]:4711": "example.org[192.0.0.0/16]",
        "unknown[2001:db8::7]": "unknown[2001:db8::/32]",
        "unknown[unknown]": "unknown[unknown]",
        "pc7.example.org": "example.org",
    },
    "text": {
        "": "",
        "250 2.0.0 Ok: queued as 4fK2Xq1Zz9Y": "250 2.0.0 Ok: queued as 4fK2Xq1Zz9Y",
        "try again after 12:34:56": "try again after 12:34:56",
        "discarded": "discarded",
        "delivered to file: /dev/null": "delivered to file: /dev/null",
        "forwarded as 4fK2Xq1Zz9Y": "forwarded as 4fK2Xq1Zz9Y",
        "<ann@example.com>: User unknown": "<~@example.com>: User unknown",
        "250 2.0.0 <ann@example.com> KDs5 Saved": "250 2.0.0 <~@example.com> KDs5 Saved",
        "o'brien+x=y@example.com is full": "~@example.com is full",
        'to "ann smith"@example.com no': "to ~@example.com no",
        r'to "ann\" smith"@example.com no': "to ~@example.com no",
        'unknown user: "ann"': 'unknown user: "~"',
        "<ann>: not here": "<~>: not here",
        "a@b@example.com": "~@example.com",
        "see http://spf.example.org/Why?id=ann%40example.com;ip=192.0.2.77": (
            "see http:~%40example.com;ip=192.0.0.0/16"
        ),
        "delivered to file: /home/ann/mbox": "delivered to file: /home/~",
        "cannot open /home/ann: no": "cannot open /home/~: no",
        "mailbox /var/mail/ann is full": "mailbox /var/~ is full",
        "Client host [192.0.2.77] blocked using bl.example.org": (
            "Client host [192.0.0.0/16] blocked using bl.example.org"
        ),
        "host ip-192-0-2-77.example.net": "host ip-192-0-0-0.example.net",
        "from 2001:db8:1:2::7 no": "from 2001:db8::/32 no",
        "Message-ID <1.2@laptop.example.com> seen": "Message-ID <~@laptop.example.com> seen",
        "a @ b": "a ~@ b",
    },
}
CASES = [(kind, value) for kind, values in KNOWN.items() for value in values]


def test_every_kind_is_known() -> None:
    """Each kind that is not cleared has a function, and values here; who looked is kept as it is."""
    assert {*KNOWN, *pseudonyms.CLEARED, "looker"} == set(personal.KINDS)


@pytest.mark.parametrize(("kind", "value"), CASES)
def test_pseudonyms(cursor: Cursor, kind: str, value: Any) -> None:
    """What stands in the place of a value is what it should be, and stays so a second time."""
    found = pseudonym(cursor, kind, value)
    assert found == KNOWN[kind][value]
    assert pseudonym(cursor, kind, found) == found
    assert pseudonym(cursor, kind, found, None) == found


@pytest.mark.parametrize("kind", sorted(KNOWN))
def test_nothing_stays_nothing(cursor: Cursor, kind: str) -> None:
    """NULL has no pseudonym."""
    assert pseudonym(cursor, kind, None) is None


def test_without_a_key(cursor: Cursor) -> None:
    """Where the key is gone nobody can be told from anybody."""
    assert pseudonym(cursor, "address", "ann@example.com", None) == f"{NO_KEY}@example.com"
    assert pseudonym(cursor, "login", "ann", None) == NO_KEY
    assert pseudonym(cursor, "message_id", "<1@example.com>", None) == f"<{NO_KEY}>"
    assert pseudonym(cursor, "host", "anns-laptop", None) == NO_KEY
    assert pseudonym(cursor, "uid", 1000, None) == 2**32


PIECES = (
    "ann", "@", "example.com", '"', "\\", "'", "<", ">", "[", "]", "(", ")", " ", "\t", "\n", ":",
    ";", ",", "=", "~", "%40", "%", "/", "/home/", "192.0.2.7", "/16", "/32", "2001:db8::7", "::",
    ".", "-", "ü", "\u202e", "𝄞", "~0123456789abcdef", "1-2-3-4", "co.uk", "unknown", "0",
)  # fmt: skip


@pytest.mark.parametrize("kind", sorted(set(KNOWN) - set(TYPES)))
def test_hostile_texts(cursor: Cursor, kind: str) -> None:
    """Whatever a text is put together from, a second time changes nothing, and no key is needed."""
    random = Random(7)
    texts = ["".join(random.choices(PIECES, k=random.randint(1, 12))) for _ in range(10000)]
    cursor.execute(
        f"SELECT t, once, pseudonym_{kind}(once, hash_masks(%s)), pseudonym_{kind}(once, NULL)"
        f" FROM (SELECT t, pseudonym_{kind}(t, hash_masks(%s)) AS once FROM unnest(%s) t OFFSET 0) o",
        (KEY, KEY, texts),
    )
    assert [row for row in cursor.fetchall() if not row[1] == row[2] == row[3]] == []


LONG = (
    "a" * 2000, "a@" * 1000, '"' * 2000, '\\"' * 1000, "<" * 2000, "/a" * 1000, "1." * 1000, ":" * 2000,
    "a:" * 1000, "%40" * 660, "1-" * 1000, "a." * 1000, "[" * 2000, "~" * 2000, "ä" * 1000, '"a"@' * 500,
)  # fmt: skip


@pytest.mark.parametrize("kind", sorted(set(KNOWN) - set(TYPES)))
def test_long_texts(cursor: Cursor, kind: str) -> None:
    """A pattern that backtracks over 2,000 bytes would not end before the statement is cancelled."""
    cursor.execute("SET statement_timeout TO '20s'")
    for text in LONG:
        found = pseudonym(cursor, kind, text)
        assert pseudonym(cursor, kind, found) == found


def test_no_local_part_is_left(cursor: Cursor) -> None:
    """However a text names an address, its local part is gone."""
    around = ("", "<", '"', "(", "[", ":", ";", ",", " ", "=", "mailto:", "smtp:", "'", "\n")
    texts = [f"a {one}erna.secret@example.com{other} b" for one in around for other in around]
    texts += [f"{one}erna.secret%40example.com" for one in around]
    cursor.execute("SELECT pseudonym_text(t, NULL) FROM unnest(%s) t", (texts,))
    assert [text for (text,) in cursor.fetchall() if "secret" in text or "erna" in text] == []
