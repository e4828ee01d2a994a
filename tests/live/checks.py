"""What access tables, header checks and body checks do with a mail that is not simply refused."""

from __future__ import annotations

from .truth import SET, sent, to_maildir
from .world import World


def access_hold(w: World) -> None:
    """HOLD at RCPT: the client hears nothing of it; released, it is delivered."""
    mail = w.send("legal@example.com")
    w.expect_verdict(mail, "smtpd", "hold")
    w.queue.wait(mail.queue_id, "hold")
    w.queue.super("-H", mail.queue_id)
    w.expect(
        mail,
        [to_maildir("alice", orig_to="legal@example.com")],
        held_at=SET, released_at=SET, verdict="hold", verdict_inferred=True,
        hold_reason="<legal@example.com>: Recipient address kept for the lawyers",
    )  # fmt: skip


def access_discard(w: World) -> None:
    """DISCARD at RCPT: "queued as", and the mail is gone for all recipients."""
    mail = w.send("blackhole@example.com")
    w.expect_verdict(mail, "smtpd", "discard")
    w.expect_discarded(mail, verdict="discard", verdict_inferred=True, sender=mail.sender)


def access_discard_later(w: World) -> None:
    """DISCARD at the second recipient, when there is a queue id: all recipients lose it."""
    mail = w.send(w.address(0), "blackhole@example.com")
    w.expect_verdict(mail, "smtpd", "discard")
    w.expect_discarded(mail, verdict="discard", sender=mail.sender)


def access_redirect(w: World) -> None:
    """REDIRECT at RCPT: somebody else gets it."""
    mail = w.send("shop@example.com")
    w.expect_verdict(mail, "smtpd", "redirect")
    w.expect(mail, [to_maildir("bob", orig_to="shop@example.com")], verdict="redirect",
             verdict_inferred=True)  # fmt: skip


def access_filter(w: World) -> None:
    """FILTER at RCPT: through the filter, and back as another queue file."""
    mail = w.send("scanned@example.com")
    w.expect_verdict(mail, "smtpd", "filter")
    w.expect(
        mail,
        [sent("scanned@example.com", "smtp", SET, relay_address="127.0.0.1", relay_port=10026)],
    )
    w.expect_row(
        {"message_id": mail.message_id, "service": "reinject"},
        {
            "orig_queue_id": mail.queue_id,
            "orig_client": "mail.example.net[198.51.100.10]",
            "client_address": "127.0.0.1",
            "sender": mail.sender,
            "accepted": True,
        },
        [to_maildir("carol", orig_to="scanned@example.com")],
    )


def filter_swallows(w: World) -> None:
    """The filter takes a mail and throws it away."""
    mail = w.send("swallowed@example.com")
    w.expect_verdict(mail, "smtpd", "filter")
    w.expect(mail, [sent("swallowed@example.com", "smtp", SET, dsn="2.7.0")])


def access_notes(w: World) -> None:
    """BCC, WARN, INFO and PREPEND: the mail goes its way."""
    actions = {"board": "bcc", "press": "warn", "sales": "info", "noted": None}
    mail = w.send(*(f"{name}@example.com" for name in actions))
    for name, action in actions.items():
        if action:
            w.expect_verdict(mail, "smtpd", action, f"{name}@example.com")
    w.expect(
        mail,
        [
            to_maildir("alice", orig_to="board@example.com"),
            to_maildir("bob", orig_to="board@example.com"),
            *(to_maildir("dave", orig_to=f"{name}@example.com")
              for name in ("press", "sales", "noted")),
            to_maildir("carol", orig_to="minutes@example.com"),
        ],
    )  # fmt: skip


def header_reject(w: World) -> None:
    """REJECT by a header, for good and for now: no mail, whatever the queue id."""
    for subject, dsn in (("You won the lottery", "5.7.1"), ("Please try later", "4.7.1")):
        mail = w.send(w.address(0), w.address(1), subject=subject)
        assert mail.reply.dsn == dsn, mail.reply
        w.expect_row(
            {"message_id": mail.message_id},
            {"accepted": False, "dsn": dsn, "verdict": "reject", "queued_at": None},
            [],
        )


def header_hold(w: World) -> None:
    """HOLD by a header; deleted by the postmaster."""
    mail = w.send(w.address(0), subject="contract draft 7")
    w.expect_verdict(mail, "cleanup", "hold")
    w.queue.wait(mail.queue_id, "hold")
    w.queue.super("-d", mail.queue_id)
    w.expect(mail, [], held_at=SET, hold_reason="drafts are read first", verdict="hold",
             removed_at=SET, removed_by="postsuper")  # fmt: skip


def header_discard(w: World) -> None:
    """DISCARD by a header: the client hears of success."""
    mail = w.send(w.address(0), subject="Fwd: chain letter")
    w.expect_verdict(mail, "cleanup", "discard")
    w.expect_discarded(mail, verdict="discard", sender=mail.sender)


def header_redirect(w: World) -> None:
    """REDIRECT by a header."""
    mail = w.send(w.address(0), subject="Bills for the accountant")
    w.expect_verdict(mail, "cleanup", "redirect")
    to = "accountant@virtual.example"
    row = sent(to, "virtual", "delivered to mailbox", orig_to=w.address(0))
    w.expect(mail, [row], verdict="redirect")


def header_filter(w: World) -> None:
    """FILTER by a header."""
    mail = w.send(w.address(1), subject="Document to be scanned")
    w.expect_verdict(mail, "cleanup", "filter")
    w.expect(mail, [sent(w.address(1), "smtp", SET, relay_port=10026)], verdict="filter")


def header_bcc(w: World) -> None:
    """BCC by a header: one recipient more."""
    mail = w.send(w.address(0), subject="Yearly balance sheet")
    w.expect_verdict(mail, "cleanup", "bcc")
    extra = to_maildir("carol", orig_to="minutes@example.com")
    w.expect(mail, [to_maildir(w.user(0)), extra])


def header_notes(w: World) -> None:
    """WARN, INFO, PREPEND, REPLACE and IGNORE: the mail goes its way."""
    mail = w.send(w.address(2), subject="Our newsletter")
    w.expect_verdict(mail, "cleanup", "warning")
    w.expect(mail, [to_maildir(w.user(2))])
    for subject, headers in (
        ("Agenda of Monday", "X-Password: abc"),
        ("agenda", "X-Internal: yes"),
        ("holiday rota", ""),
    ):
        mail = w.send(w.address(2), subject=subject, headers=headers)
        w.expect(mail, [to_maildir(w.user(2))])


def misleading_subject(w: World) -> None:
    """A subject that looks like the rest of the line, in a line that carries it."""
    subject = "agenda from evil.example[192.0.2.66]; from=<x@example.com> to=<y@example.com>: ok"
    mail = w.send(w.address(2), subject=subject)
    w.expect(mail, [to_maildir(w.user(2))], client_name="mail.example.net")


def body(w: World) -> None:
    """Body checks: refused, warned of, discarded."""
    mail = w.send(w.address(0), body="Dear friend,\nfree pills for you\n")
    assert mail.reply.code == 550
    w.expect_row({"message_id": mail.message_id}, {"accepted": False, "verdict": "reject"}, [])
    mail = w.send(w.address(0), body="half-price watches!\n")
    w.expect_verdict(mail, "cleanup", "warning")
    w.expect(mail, [to_maildir(w.user(0))])
    mail = w.send(w.address(0), body="Here is the secret recipe\n")
    w.expect_verdict(mail, "cleanup", "discard")
    w.expect_discarded(mail, verdict="discard", sender=mail.sender)


def proxied(w: World) -> None:
    """A before-queue proxy: the reply's queue id is that of the mail behind it."""
    client = w.client(port=2526)
    mail = w.send(w.address(0), client=client)
    w.end(client)
    w.expect_row(
        {"queue_id": mail.queue_id},
        {
            "client_address": client.address,
            "client_name": client.name,
            "sender": mail.sender,
            "message_id": mail.message_id,
            "accepted": True,
        },
        [to_maildir(w.user(0))],
    )
    client = w.client(port=2526)
    mail = w.send(w.address(0), client=client, body="Something offensive")
    w.end(client)
    assert mail.reply.code == 554


STEPS = (
    access_hold, access_discard, access_discard_later, access_redirect, access_filter, filter_swallows, access_notes,
    header_reject, header_hold, header_discard, header_redirect, header_filter, header_bcc,
    header_notes, misleading_subject, body, proxied,
)  # fmt: skip
