"""Which addresses a stored value may stand for."""

from __future__ import annotations

import pytest

from journal_postfix.identities import LONGEST, canonical, identities, mentions

ANN = "ann@example.com"


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com",
        "Ann@EXAMPLE.com",
        '"ann"@example.com',
        "ann@example.com.",
        "list+bounce-ann=example.com@lists.example.net",
        "ann=example.com@lists.example.net",
        "prvs=0123ab=ann@example.com",
        "btv1==0123==ann@example.com",
        "SRS0=HHH=TT=example.com=ann@forward.example.net",
        "SRS0+HHH=TT=example.com=ann@forward.example.net",
        "SRS1=HHH=b.example==HHH=TT=example.com=ann@forward.example.net",
        "ann%example.com@relay.example.net",
        "example.com!ann",
        "@relay.example.net,@b.example:ann@example.com",
        "ann+40example.com",
        "ann%40example.com",
        "list+2Bbounce-ann+3Dexample.com+40lists.example.net",
        "host mx[192.0.2.1] said: 550 5.1.1 <ann@example.com>: User unknown (in reply to RCPT)",
        "user=ann@example.com, rip=192.0.2.1",
        "unknown user: 'ann@example.com'",
        "/var/mail/ann@example.com/new",
        "https://example.org/?who=ann%40example.com&x=1",
        'said: "ann@example.com"',
    ],
)
def test_every_form_is_read(text: str) -> None:
    """Each form in which an address is logged stands for it."""
    assert ANN in identities(text)


@pytest.mark.parametrize(
    "text",
    [
        "joann@example.com",
        "x.ann@example.com",
        "x-ann@example.com",
        "ann@example.com.example.net",
        "ann@sub.example.com",
        "ann@example.org",
        "ann+tag@example.com",
        "<ann.example.com>",
        "SRS0=HHH=TT=example.org=ann@example.com",
        "ann at example.com",
    ],
)
def test_others_are_not(text: str) -> None:
    """An address that only looks like it stands for somebody else."""
    assert ANN not in identities(text)


def test_quoting() -> None:
    """A quoted local part is the same address as the plain one, and may hold anything."""
    assert canonical('"o\'brien\\\\x"', "Example.COM") == "o'brien\\x@example.com"
    assert identities('"a b\\"@c"@example.com') >= {'a b"@c@example.com'}
    assert "a b@example.com" in identities("<a b@example.com>: no such user")


def test_domains_of_other_scripts() -> None:
    """A domain is the same in its own script and as DNS has it."""
    assert identities("ann@müller.example") == identities("ann@xn--mller-kva.example")


def test_places() -> None:
    """A mention tells where in the text the address stands."""
    text = "550 <ann@example.com>: no, bob@example.org"
    found = {text[one.start : one.end]: one.addresses for one in mentions(text)}
    assert found["ann@example.com"] == {"ann@example.com"}
    assert found["bob@example.org"] == {"bob@example.org"}


@pytest.mark.parametrize(
    "piece",
    ["=a.b", "@a.b", "a-", '"\\', '"', "%a.b", "+40", "'", "-=a.b@", "!a.b", "<", "=", "a.b="],
)
def test_hostile_texts_end(piece: str) -> None:
    """Whatever is repeated, the readings of a text stay few, and short in sum."""
    for text in (
        piece * LONGEST,
        f"SRS0={piece * LONGEST}",
        f"x{piece * 600}=example.com@b.example",
    ):
        found = identities(text)
        assert len(found) <= 3 * LONGEST
        assert sum(map(len, found)) <= 4 * LONGEST * LONGEST
