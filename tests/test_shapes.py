"""Lines that nobody recognised are counted by shape, and kept without personal data."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from journal_postfix.messages import MsgDetails
from journal_postfix.parser import Parsed, parse
from journal_postfix.shapes import masked, shape
from test_samples import SAMPLES


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("to=<ann@example.org>, done", "to=<>, done"),
        ('user "ann" is odd', "user <> is odd"),
        ("mail for ann@example.org waits", "mail for <> waits"),
        ("connect to mx1.example.net[192.0.2.1]:25: no", "connect to <host>: no"),
        ("from [2001:db8::1]:40122 now", "from <host> now"),
        ("address 192.0.2.1 and 2001:db8::1", "address <ip> and <ip>"),
        ("3C5D120ABF: odd", "<id>: odd"),
        ("open active 4dCKFD0sf8zFpTn", "open active <id>"),
        ("look up www.example.com", "look up <name>"),
        ("nothing to hide 12", "nothing to hide 12"),
        ('odd "o\'brien\\"x"@example.com here', "odd <> here"),
        ('odd "ann smith"@example.com here', "odd <> here"),
        ("odd 'ann smith' here", "odd <> here"),
        ('odd "ann smith', "odd <>"),
        ("odd <ann smith@example.com", "odd <>"),
        ("ann@[192.0.2.1] odd", "<> odd"),
        ("ünï@exämple.example odd", "<> odd"),
        ("ann\uff20example.com odd", "<> odd"),
        ("ann%example.net@example.org odd", "<> odd"),
        ("ann!{x}@example.org odd", "<> odd"),
        ("SRS0=HHH=TT=example.com=ann@example.org odd", "SRS0=<> odd"),
        ("prvs=1234=ann@example.org odd", "prvs=<> odd"),
        ("list+ann=example.net@example.org odd", "list+ann=<> odd"),
        ("see ann.smith%40example.com odd", "see <> odd"),
        ("auth ann+2Bx+40example.com odd", "auth <> odd"),
        ("odd: sasl_username=correct horse battery", "odd: sasl_username<>"),
        ("odd subject: the divorce", "odd subject:<>"),
        ("odd status=new (mailbox of ann is full)", "odd status=<> <>"),
        ("open ~ann/.forward: odd", "open <path>: odd"),
        ("open /home/ann/mbox: odd", "open <path>: odd"),
        ("\0ann@example.com\x1b[31m odd", "\0<> odd"),
    ],
)
def test_masked(text: str, kept: str) -> None:
    """Addresses, hosts, names and ids are replaced, words stay."""
    assert masked(text) == kept


def test_one_shape() -> None:
    """Two lines of one statement have one shape, whatever their values are."""
    first = shape("3C5D120ABF: odd thing from mx1.example.org[192.0.2.1]: size=12, 7 times")
    second = shape("4dCKFD0sf8zFpTn: odd thing from a[2001:db8::1]:25: size=x, 1234 times")
    assert first == second == "<id>: odd thing from <host>: size=<>, 0 times"


#: Fields that may name somebody or hold what he wrote; a word that Postfix says itself does not.
PERSONAL = {
    "client_address", "client_name", "content", "helo_name", "input", "message_id", "orig_client",
    "orig_to", "recipient", "relay_address", "relay_name", "resent_message_id", "sasl_sender",
    "sasl_username", "sender",
}  # fmt: skip
# and words that stand in the text by chance
NOBODY = {"spam", "unknown", "localhost", "double-bounce", "root", "none", "QUIT"}


def personal(parsed: Parsed) -> set[str]:
    """What an example of this line must not keep: whole values, and the halves of addresses."""
    values = {str(parsed[name]) for name in PERSONAL & set(parsed)}
    halves = {half for value in values for half in value.rpartition("@")[::2]}
    return {value for value in (values | halves) - NOBODY if len(value) > 3}


@given(st.sampled_from([one.msg for one in SAMPLES if personal(parse(one.msg))]), st.data())
@settings(max_examples=1000)
def test_nobody_is_named(msg: MsgDetails, data: st.DataObject) -> None:
    """A statement that is no longer recognised keeps no address, host, login, subject or id."""
    text = msg["message"]
    at = data.draw(st.integers(0, len(text)))
    middle = data.draw(st.sampled_from(("", *"~<>\"' :;[]\\@", "zz ")))
    broken = text[:at] + middle + text[at + (not middle) :]
    assume(parse({**msg, "message": broken})["action"] == "unknown")
    kept = masked(broken)
    assert not [one for one in personal(parse(msg)) if one in broken and one in kept]


@given(st.text())
def test_any_text(text: str) -> None:
    """A shape is short, and no address is left in an example."""
    assert len(shape(text)) <= 300
    assert not any("@" in word.strip("@") for word in masked(text).split())


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.",
        "[a",
        "a:",
        ":",
        "<",
        '"',
        "a@",
        "=a",
        "0.",
        "a-",
        "\0",
        "1-",
        "message-id",
        "'",
        "(a",
        "=",
        "/",
        "%40",
        "a%",
        "~",
        "+40a",
    ],
)
def test_a_long_line(piece: str) -> None:
    """A line of 100 kB is cut before it is looked at."""
    assert len(masked(piece * 50_000)) <= 10_000
