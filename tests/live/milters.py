"""Mail that a milter judges, on a service of its own (port 2525)."""

from __future__ import annotations

from .truth import SET, to_maildir
from .world import Sent, World

PORT = 2525


def _send(w: World, *recipients: str, sender: str = "sam", subject: str | None = None) -> Sent:
    client = w.client(port=PORT)
    mail = w.send(*recipients, sender=w.outsider(sender), subject=subject, client=client)
    w.end(client)
    return mail


def passed(w: World) -> None:
    """The milter has nothing against it, or only adds a header."""
    for subject in (None, "A greeting"):
        mail = _send(w, w.address(0), subject=subject)
        w.expect(mail, [to_maildir(w.user(0))], service="milter")
    w.expect_verdict(mail, "cleanup", "milter-header-warning")


def rejected(w: World) -> None:
    """Refused at the end of the message; the line names one recipient of two."""
    for subject, code, dsn in (
        ("casino tonight", 550, "5.7.1"),
        ("overdue bill", 451, "4.7.1"),
        ("your prize", 550, "5.7.1"),
        ("vanishing trick", 451, "4.7.1"),
    ):
        mail = _send(w, w.address(0), w.address(1), subject=subject)
        assert mail.reply.code == code, mail.reply
        w.expect_row(
            {"message_id": mail.message_id},
            {
                "accepted": False,
                "verdict": "milter-reject",
                "dsn": dsn,
                "protocol_state": "END-OF-MESSAGE",
            },
            [],
        )


def rejected_early(w: World) -> None:
    """Refused at MAIL and at RCPT."""
    for sender in ("banned", "paused"):
        client = w.client(port=PORT)
        client.mail(w.outsider(sender))
        w.end(client)
    client = w.client(port=PORT)
    client.mail(w.outsider("sam"))
    client.rcpt("abuse@example.com")
    w.end(client)


def discarded(w: World) -> None:
    """The milter throws it away; the client hears of success."""
    mail = _send(w, w.address(0), subject="junk for you")
    w.expect_verdict(mail, "cleanup", "milter-discard")
    w.expect_discarded(mail, verdict="milter-discard", sender=mail.sender)


def quarantined(w: World) -> None:
    """The milter puts it on hold."""
    mail = _send(w, w.address(0), subject="attachment")
    w.expect_verdict(mail, "cleanup", "milter-hold")
    w.queue.wait(mail.queue_id, "hold")
    w.expect(mail, [], verdict="milter-hold", held_at=SET, queued_at=None, removed_at=None,
             hold_reason=SET)  # fmt: skip


STEPS = (passed, rejected, rejected_early, discarded, quarantined)
