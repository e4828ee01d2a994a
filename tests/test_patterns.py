"""Patterns of addresses and clients mean in Python what they mean in SQL, and never everything."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal_postfix.database import PLAIN_SETTINGS, connect
from journal_postfix.messages import UsageError
from journal_postfix.patterns import (
    read_address,
    read_client,
    read_host,
    read_name,
    read_part,
)

ADDRESSES = (
    "bob@example.com", "BOB@Example.COM", "bob+x@example.com", "bobby@example.com", "b_b@example.com",
    "b%b@example.com", r"b\b@example.com", "bob@sub.example.com", "bob", "", "a\nb@example.com",
)  # fmt: skip
PATTERNS = (
    "bob@example.com", "Bob@EXAMPLE.com", "b*@example.com", "@example.com", "*@*.example.com", "bob*",
    "b_b@example.com", "b%b*", r"b\b@*", r"*\*", "*bb*", "a*b@example.com", "b**b@example.com",
)  # fmt: skip


@pytest.mark.parametrize("words", PATTERNS)
def test_python_and_sql_agree(words: str, server_dsn: str) -> None:
    """A pattern fits exactly the addresses that the database finds by its parameters."""
    pattern = read_address("--sender", words)
    query = (
        "SELECT a FROM unnest(%(all)s) a WHERE (%(x)s IS NULL OR lower(a) = %(x)s)"
        " AND (%(x_like)s::text[] IS NULL OR lower(a) LIKE ANY (%(x_like)s::text[]))"
    )
    with closing(connect(server_dsn, PLAIN_SETTINGS)) as connection:
        cursor = connection.cursor()
        cursor.execute(query, {"all": list(ADDRESSES), **pattern.parameters("x")})
        found = [address for (address,) in cursor.fetchall()]
    assert found == [address for address in ADDRESSES if pattern.fits(address)]
    assert found or words == r"*\*"


@pytest.mark.parametrize(
    ("words", "fits", "misses"),
    [
        ("bob@example.com", ["BOB@example.COM"], ["bobb@example.com", None, ""]),
        ("<bob@example.com>", ["bob@example.com"], ["<bob@example.com>"]),
        ("<>", [""], [None, "bob@example.com"]),
        ("@example.com", ["a@example.com"], ["a@sub.example.com", "example.com"]),
        ("*.example.com", ["a@sub.example.com"], ["a@example.com"]),
    ],
)  # fmt: skip
def test_addresses(words: str, fits: list[str], misses: list[str | None]) -> None:
    """Case is ignored, brackets are allowed, `@domain` is its addresses."""
    pattern = read_address("--sender", words)
    assert all(pattern.fits(one) for one in fits)
    assert not any(pattern.fits(one) for one in misses)


def test_tags() -> None:
    """With tags, name+tag@domain is meant too."""
    pattern = read_address("--sender", "bob@example.com", tags=True)
    fits = [one for one in ADDRESSES if pattern.fits(one)]
    assert fits == ["bob@example.com", "BOB@Example.COM", "bob+x@example.com"]


def test_hosts_and_parts() -> None:
    """A host is meant with its domain or without; a part stands anywhere."""
    assert read_host("--mta", "mx1").fits("MX1.example.com")
    assert not read_host("--mta", "mx1").fits("mx10.example.com")
    assert read_part("--subject", "lunch").fits("Free LUNCH today")
    assert not read_part("--subject", "lunch*").fits("Free lunch today")
    assert read_name("--sasl-username", "b*").fits("Bob")


@pytest.mark.parametrize(
    ("words", "name", "address", "fits"),
    [
        ("192.0.2.1", "x.example.org", "192.0.2.1", True),
        ("[192.0.2.1]", None, "192.0.2.1", True),
        ("192.0.2.0/24", None, "192.0.2.77", True),
        ("192.0.2.0/24", None, "2001:db8::1", False),
        ("2001:db8::/32", None, "2001:db8::1", True),
        ("2001:DB8::1", None, "2001:db8:0::1", True),
        ("192.0.2.1", "x.example.org", None, False),
        ("mail.example.org", "Mail.Example.org", None, True),
        ("mail.example.org", None, "192.0.2.1", False),
        ("*.example.org", "mail.example.org", None, True),
        ("unk*", "unknown", "192.0.2.1", False),
        ("mail-1", "mail-1", None, True),
        ("fe", "fe", None, True),
    ],
)
def test_clients(words: str, name: str | None, address: str | None, *, fits: bool) -> None:
    """A client is known by its name, its address or its network."""
    assert read_client("--client", words).fits(name, address) is fits


@pytest.mark.parametrize("words", ["*", "**", "@", "*@*", "@*", "*.*", "*@*.*", "<*>", " * "])
def test_what_means_everything(words: str) -> None:
    """A pattern without a letter is refused."""
    with pytest.raises(UsageError, match="everything"):
        read_address("--sender", words)


@pytest.mark.parametrize(
    "words", ["0.0.0.0/0", "::/0", "192.0.2.1/24", "192.0.2.", "1.2.3.4.5", "::g"]
)
def test_what_is_no_network(words: str) -> None:
    """A network is one of addresses, and not all of them."""
    with pytest.raises(UsageError, match="--client"):
        read_client("--client", words)


@given(st.text(max_size=40))
def test_any_text_is_a_pattern_or_refused(words: str) -> None:
    """Nothing but UsageError comes of any text, and a literal fits itself."""
    for read in (read_address, read_name, read_host, read_part, read_client):
        try:
            pattern = read("--option", words)  # type: ignore[operator]
        except UsageError:
            continue
        if read is read_name and "*" not in words:
            assert pattern.fits(words.strip())
