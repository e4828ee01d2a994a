"""Reasons without what varies: a table of what servers and Postfix say, and what is left of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal_postfix.reasons import LONGEST, merged, normalised

SAID = "host mx.example.org[192.0.2.25] said: "
RCPT = " (in reply to RCPT TO command)"
REASONS = {
    SAID + "550 5.1.1 <bob@example.org>: Recipient address rejected: User unknown" + RCPT:
        "550 5.1.1 <...>: Recipient address rejected: User unknown",
    SAID + "550-5.7.1 not here 550-5.7.1 nor there 550 5.7.1 end (in reply to end of DATA command)":
        "550 5.7.1 not here nor there end",
    SAID + "421-4.7.28 too fast. 421 4.7.28 https://help.example.org/?p=Rate x12si4521.42 - gsmtp" + RCPT:
        "421 4.7.28 too fast. ... ...",
    SAID + "452 4.2.2 mailbox full: 10240 of 10000 KB used" + RCPT:
        "452 4.2.2 mailbox full: ... of ... KB used",
    SAID + "550 5.4.1 Recipient address rejected: Access denied. [DB5.example.net 2026-11-16T10:00:00Z 08DE123]":
        "550 5.4.1 Recipient address rejected: Access denied. [...]",
    "host mx.example.org[192.0.2.25] refused to talk to me: 421 4.3.2 too many":
        "refused to talk to me: 421 4.3.2 too many",
    "connect to mx.example.org[192.0.2.25]:25: Connection refused": "connect to ...: Connection refused",
    "delivery temporarily suspended: connect to mx.example.org[2001:db8::25]:25: Connection refused":
        "connect to ...: Connection refused",
    "lost connection with mx.example.org[192.0.2.25] while sending RCPT TO":
        "lost connection with ... while sending RCPT TO",
    "Host or domain name not found. Name service error for name=nx.example type=MX: Host not found":
        "Host or domain name not found. Name service error for name=... type=...: Host not found",
    'unknown user: "bob"': 'unknown user: "..."',
    "Service unavailable; Client host [192.0.2.4] blocked using zen.example; https://example.net/q/192.0.2.4":
        "Service unavailable; Client host [...] blocked using zen.example; ...",
    "451 4.7.1 please come back in 00:04:32": "451 4.7.1 please come back in ...",
    "SPF failed for 192.0.2.55 and 2001:db8::7 of ann@example.org":
        "SPF failed for ... and ... of ...",
    'Command died with status 1: "/usr/local/bin/handler"': 'Command died with status 1: "..."',
    "maildir delivery failed: create maildir file /srv/vmail/tmp/1763.P12.mail: No such file":
        "maildir delivery failed: create maildir file ...: No such file",
    "DNSBL rank 6": "DNSBL rank ...",
    "250 2.7.0 Ok, discarded, id=00123-01 - spam": "250 2.7.0 Ok, discarded, id=... - spam",
    "mail transport unavailable": "mail transport unavailable",
    "bell\x07 and\x1b[31m red": "bell and [...m red",
    "": "",
}  # fmt: skip


@pytest.mark.parametrize("reason", REASONS)
def test_what_is_left_of_a_reason(reason: str) -> None:
    """Addresses, hosts, ids, URLs and varying numbers go; codes and words stay."""
    assert normalised(reason) == REASONS[reason]


@given(st.text(st.characters(codec="utf-8"), max_size=LONGEST * 2))
def test_any_text_is_normalised(text: str) -> None:
    """Whatever a server says, what is left is one short line without control characters."""
    found = normalised(text)
    assert len(found) <= 100
    assert not any(char < " " or "\x7f" <= char < "\xa0" for char in found)


@given(st.from_regex(r"[a-z]{1,9}@[a-z]{1,9}\.example", fullmatch=True))
def test_no_address_is_left(address: str) -> None:
    """Nobody is named in a normalised reason."""
    for text in (f"550 <{address}>: no", f"550 {address} is unknown", f"user={address}, gone"):
        assert address not in normalised(text)


def test_equal_reasons_are_added_up() -> None:
    """The most frequent comes first, with an example as it was logged."""
    rows = [
        {"reason": "550 <ann@example.org> unknown", "times": 2, "dsn": None},
        {"reason": "450 try later", "times": 4, "dsn": None},
        {"reason": "550 <bob@example.org> unknown", "times": 3, "dsn": None},
        {"reason": None, "times": 1, "dsn": None},
        {"reason": "450 try later", "times": 1, "dsn": "4.7.1"},
    ]
    found = [(row["times"], row["reason"], row["dsn"]) for row in merged(rows, "times", "dsn")]
    assert found == [
        (5, "550 <...> unknown", None), (4, "450 try later", None), (1, "(none)", None),
        (1, "450 try later", "4.7.1"),
    ]  # fmt: skip
    assert merged(rows, "times")[0]["example"] == "450 try later"
    assert merged(rows, "times", "dsn")[0]["example"] == "550 <bob@example.org> unknown"
