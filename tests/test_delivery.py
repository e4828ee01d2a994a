"""What the configuration changes in a row, and what the cases of the mapping ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from journal_postfix.delivery import Options, extract_delivery
from journal_postfix.messages import MsgDetails
from journal_postfix.parser import parse
from journal_postfix.verp import verp_options

T = datetime(2025, 11, 21, 10, 30, tzinfo=UTC)
ID = "3C5D120ABF"
CLIENT = "unknown[198.51.100.23]"
TAIL = "from=<spam@example.net> to=<user@example.com> proto=ESMTP helo=<a.example>"


def extract(
    daemon: str, text: str, options: Options | None = None
) -> tuple[list[str], dict[str, Any] | None]:
    """Errors and row of a text of `postfix/daemon`."""
    msg: MsgDetails = {
        "t": T, "host": "mx1", "identifier": f"postfix/{daemon}", "pid": 1, "message": text,
        "position": 0,
    }  # fmt: skip
    return extract_delivery(msg, parse(msg), options)


def row(daemon: str, text: str, options: Options | None = None) -> dict[str, Any]:
    """The row of a text that gives one and in which nothing is odd."""
    errors, delivery = extract(daemon, text, options)
    assert errors == []
    assert delivery is not None
    return delivery


def record(status: str, reason: str, relay: str = "none", to: str = "a@example.org") -> str:
    """A delivery record."""
    return (
        f"{ID}: to=<{to}>, relay={relay}, delay=1, delays=0/0/0/1, dsn=4.0.0,"
        f" status={status} ({reason})"
    )


# --- variable envelope return paths -----------------------------------------------------------

MARKED = Options(verp=verp_options("ID", ("user=domain", "prvs=")))


@pytest.mark.parametrize(
    ("given", "sender", "verp_id"),
    [
        ("news+ID-4711@example.com", "news@example.com", "4711"),
        ("news+ID-a+b@example.com", "news@example.com", "a+b"),
        ("bounces+ann=example.org@example.com", "bounces@example.com", "ann=example.org"),
        ("prvs=0123abcd=ann@example.com", "ann@example.com", "0123abcd"),
        ("news+4711@example.com", "news+4711@example.com", None),
        ("ann@example.com", "ann@example.com", None),
        ("", "", None),
    ],
)
def test_verp_sender(given: str, sender: str, verp_id: str | None) -> None:
    """A marked sender is stored without its mark, and the mark by itself."""
    found = row("qmgr", f"{ID}: from=<{given}>, size=1, nrcpt=1 (queue active)", MARKED)
    assert (found["sender"], found.get("verp_id")) == (sender, verp_id)


def test_verp_in_a_verdict() -> None:
    """A verdict's own row has the sender without its mark, and only the mail has the mark."""
    text = f"reject: DATA from {CLIENT}: 554 5.7.1 no; from=<n+ID-9@example.com> proto=SMTP"
    before = row("smtpd", f"NOQUEUE: {text}", MARKED)
    assert before["sender"] == "n@example.com"
    assert "verp_id" not in before
    later = row("smtpd", f"{ID}: {text}", MARKED)
    assert "verp_id" not in later
    assert later["also"][0]["verp_id"] == "9"


def test_verp_orig_to() -> None:
    """A bounce to a marked address counts for the address."""
    text = record("sent", "250 ok").replace(", relay", ", orig_to=<n+ID-9@example.com>, relay", 1)
    assert row("smtp", text, MARKED)["orig_to"] == "n@example.com"


def test_no_verp_unless_asked() -> None:
    """Without a marker a plus address is an address."""
    found = row("pickup", f"{ID}: uid=1 from=<n+ID-9@example.com>")
    assert found["sender"] == "n+ID-9@example.com"


# --- headers and bodies ------------------------------------------------------------------------


def check(verdict: str, found: str, text: str = "") -> str:
    """A line of a header or body check."""
    return f"{ID}: {verdict}: {found} from {CLIENT}; {TAIL}{text}"


REJECTED = check("reject", "header Subject: Buy pills", ": 5.7.1 no pills")


def test_content_stays_out() -> None:
    """Neither a header nor a body is stored unless the configuration says so."""
    assert "pills" not in str(row("cleanup", check("hold", "header Subject: Buy pills")))
    assert row("cleanup", REJECTED)["reason"] == "no pills"


def test_store_subject() -> None:
    """`store_subject` keeps the subject with the mail and in the reason, and no other header."""
    options = Options(store_subject=True)
    found = row("cleanup", REJECTED, options)
    assert found["also"][0]["subject"] == "Buy pills"
    assert found["reason"] == "header Subject: Buy pills: no pills"
    other = row("cleanup", check("hold", "header X-Secret: pills"), options)
    assert "pills" not in str(other)


def test_store_subject_of_a_note() -> None:
    """A check that only notes the subject of every mail makes no row but keeps the subject."""
    found = row("cleanup", check("info", "header Subject: Hi"), Options(store_subject=True))
    assert found == {"table": "from", "queue_id": ID, "subject": "Hi"}
    assert extract("cleanup", check("info", "header Subject: Hi")) == ([], None)


def test_store_content() -> None:
    """`store_content` keeps what a body check found."""
    found = row("cleanup", check("discard", "body EICAR"), Options(store_content=True))
    assert found["reason"] == "body EICAR"


# --- verdicts ----------------------------------------------------------------------------------


def test_the_last_recipient_is_not_the_recipient() -> None:
    """A refusal of the whole mail names only its last recipient; the mail gets none."""
    text = f"{ID}: milter-reject: END-OF-MESSAGE from {CLIENT}: 5.7.1 spam; {TAIL}"
    found = row("cleanup", text)
    assert found["recipient"] == "user@example.com"
    assert "reply_code" not in found
    (mail,) = found["also"]
    assert mail["accepted"] is False
    assert "recipient" not in mail


def test_a_refused_recipient_leaves_the_mail_alone() -> None:
    """A recipient refused in a transaction that goes on says nothing about the mail's fate."""
    found = row("smtpd", f"{ID}: reject: RCPT from {CLIENT}: 550 5.1.1 <x@example.com>: no; {TAIL}")
    assert found["also"] == [{
        "table": "from", "queue_id": ID, "sender": "spam@example.net", "protocol_name": "ESMTP",
        "helo_name": "a.example",
    }]  # fmt: skip


@pytest.mark.parametrize("word", ["warn", "info", "reject_warning", "delay", "hangup"])
def test_notes_change_no_mail(word: str) -> None:
    """A verdict that only notes something is a row, but not the mail's verdict."""
    found = row("smtpd", f"{ID}: {word}: RCPT from {CLIENT}: watched; {TAIL}")
    assert found["action"] == word
    assert "verdict" not in found["also"][0]


@pytest.mark.parametrize("word", ["hold", "discard", "redirect", "filter", "bcc"])
def test_verdicts_change_a_mail(word: str) -> None:
    """A verdict that changes a mail's way is the mail's."""
    (mail,) = row("smtpd", f"{ID}: {word}: RCPT from {CLIENT}: listed; {TAIL}")["also"]
    assert mail["verdict"] == word
    assert mail.get("held_at") == (T if word == "hold" else None)
    assert mail.get("hold_reason") == ("listed" if word == "hold" else None)


@pytest.mark.parametrize("word", ["prepend", "replace", "strip", "pass", "info"])
def test_edits_make_no_row(word: str) -> None:
    """What edits a header changes no mail's way."""
    assert extract("cleanup", check(word, "header X: y", ": z")) == ([], None)


def test_permit_makes_no_row() -> None:
    """smtpd_log_access_permit_actions logs every permission; none is stored."""
    text = (
        f"NOQUEUE: permit: RCPT from {CLIENT}: action=permit_mynetworks for Client host=x; {TAIL}"
    )
    assert extract("smtpd", text) == ([], None)


def test_proxy_reject() -> None:
    """A proxy filter's refusal is a row, though its line names neither client nor queue id."""
    found = row("smtpd", f"proxy-reject: END-OF-MESSAGE: 554 5.7.0 infected; {TAIL}")
    assert (found["table"], found["action"], found["reply_code"]) == (
        "noqueue",
        "proxy-reject",
        554,
    )
    assert extract("smtpd", f"proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok; {TAIL}") == ([], None)


def test_a_mail_over_the_limit() -> None:
    """The size limit refuses a mail that has an id, and nothing before it has."""
    found = row("smtpd", f"warning: {ID}: queue file size limit exceeded")
    assert found["accepted"] is False
    assert extract("smtpd", "warning: NOQUEUE: queue file size limit exceeded") == ([], None)


# --- delivery records ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "name", "address", "port"),
    [
        ("connect to mx.example[192.0.2.1]:25: timed out", "mx.example", "192.0.2.1", 25),
        ("connect to mx.example[2001:db8::1]:25: no route", "mx.example", "2001:db8::1", 25),
        ("connect to mx.example[private/lmtp]: No such file", "mx.example", None, None),
        (
            "delivery temporarily suspended: connect to mx.example[192.0.2.1]:2525: refused",
            "mx.example",
            "192.0.2.1",
            2525,
        ),
        (
            "delivery temporarily suspended: host mx.example[192.0.2.1] refused to talk to me: 421 x",
            "mx.example",
            "192.0.2.1",
            None,
        ),
        (
            "lost connection with mx.example[192.0.2.1] while sending MAIL FROM",
            "mx.example",
            "192.0.2.1",
            None,
        ),
        ("Host or domain name not found", None, None, None),
    ],
)
def test_who_was_tried(
    reason: str, name: str | None, address: str | None, port: int | None
) -> None:
    """Where relay is none, the reason tells who was tried; relay stays as logged."""
    found = row("smtp", record("deferred", reason))
    assert found["relay"] == "none"
    assert (found.get("relay_name"), found.get("relay_address")) == (name, address)
    assert found.get("relay_port") == port


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("250 2.0.0 Ok", 250),
        ("250-first 250 last", 250),
        ("host a[192.0.2.1] said: 550-5.1.1 no 550 5.1.1 such (in reply to RCPT TO command)", 550),
        ("host a[192.0.2.1] refused to talk to me: 421 4.7.1 busy", 421),
        ("SASL authentication failed; server a[192.0.2.1] said: 535 5.7.8 no", 535),
        ("TLS is required, but host a[192.0.2.1] refused to start TLS: 454 4.7.0 no", 454),
        ("connect to a[192.0.2.1]:25: Connection timed out", None),
        ("lost connection with a[192.0.2.1] while sending message body", None),
    ],
)
def test_reply_code(reason: str, code: int | None) -> None:
    """The other server's code is a column, in all the ways in which a reply is told."""
    assert row("smtp", record("deferred", reason)).get("reply_code") == code


@pytest.mark.parametrize(
    ("reason", "next_queue_id"),
    [
        ("250 2.0.0 Ok: queued as 7D01320AC4", "7D01320AC4"),
        (
            "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4dCK0sf8",
            "4dCK0sf8",
        ),
        ("250 2.7.0 Ok, discarded, id=1 - spam", None),
        ("250 OK id=1vMABC-00000001Xyz-2abC", None),
    ],
)
def test_next_queue_id(reason: str, next_queue_id: str | None) -> None:
    """The next server's queue id is taken from its reply, where it says `queued as`."""
    found = row("smtp", record("sent", reason, "a[192.0.2.1]:25"))
    assert found.get("next_queue_id") == next_queue_id


def test_only_a_sent_mail_is_queued_elsewhere() -> None:
    """A refusal that says `queued as` leads nowhere."""
    assert "next_queue_id" not in row("smtp", record("bounced", "550 queued as 7D01320AC4"))


def test_forwarded() -> None:
    """An alias's forwarding names the new mail, which is a row of its own."""
    found = row("local", record("sent", "forwarded as 7D01320AC4", "local"))
    assert found["next_queue_id"] == "7D01320AC4"
    assert found["also"] == [{"table": "from", "queue_id": "7D01320AC4", "origin": "forward"}]


def test_a_command_does_not_forward() -> None:
    """Only local(8) forwards: what a command prints is a reason and no more."""
    assert "next_queue_id" not in row("pipe", record("sent", "forwarded as 7D01320AC4", "filter"))


def test_nested_parentheses() -> None:
    """The reason goes to the last parenthesis of the line."""
    found = row("smtp", record("bounced", "host a said: 550 no (really) (in reply to end of DATA)"))
    assert found["reason"] == "host a said: 550 no (really) (in reply to end of DATA)"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (record("bounced", "550 no")[:-3], "the record is cut"),
        (record("bounced", "")[:-3], "the record has no reason"),
        (record("vanished", "x"), "status=vanished is not known"),
        (record("sent", "x", to='a "b>@example.org'), "an address is not quoted"),
        (record("sent", "x", "a[192.0.2.300]:25"), "relay_address '192.0.2.300' is no IP address"),
    ],
)
def test_errors(text: str, error: str) -> None:
    """What is odd in a line is said, and its row is made all the same."""
    errors, delivery = extract("smtp", text)
    assert errors == [error]
    assert delivery is not None


# --- mails ----------------------------------------------------------------------------------------


def test_notification() -> None:
    """A notice is a mail of its own; the line names the mail it is about, too."""
    found = row("bounce", f"{ID}: sender non-delivery notification: 7D01320AC4")
    assert (found["queue_id"], found["notification_for"]) == ("7D01320AC4", ID)
    assert (found["origin"], found["notification"]) == ("notice", "sender non-delivery")
    assert found["also"] == [{"table": "from", "queue_id": ID}]


def test_requeued() -> None:
    """The new mail names the old one, and the old one its successor."""
    found = row("pickup", f"7D01320AC4: uid=102 from=<a@example.com> orig_id={ID}")
    assert (found["origin"], found["orig_queue_id"]) == ("requeue", ID)
    (old,) = found["also"]
    assert old == {"table": "from", "queue_id": ID, "next_queue_id": "7D01320AC4",
                   "removed_at": T, "removed_by": "requeued"}  # fmt: skip


@pytest.mark.parametrize(
    ("daemon", "text", "by", "accepted"),
    [
        ("qmgr", "removed", "qmgr", True),
        ("postsuper", "removed", "postsuper", None),
        ("postsuper", "requeued", "requeued", None),
        ("cleanup", "removed (canceled)", "canceled", None),
        ("cleanup", "removed (discarded)", "discarded", None),
    ],
)
def test_removed_by(daemon: str, text: str, by: str, accepted: bool | None) -> None:
    """A queue file that went away says who removed it, and qmgr's that it was in the queue."""
    found = row(daemon, f"{ID}: {text}")
    assert (found["removed_at"], found["removed_by"]) == (T, by)
    assert found.get("accepted") is accepted


def test_a_client_without_a_mail() -> None:
    """A client of a proxy filter's smtpd has no mail: no row."""
    assert extract("smtpd", f"NOQUEUE: client={CLIENT}") == ([], None)
