"""Mail that begins here: sendmail(1) as root and as users, and submission with a login."""

from __future__ import annotations

import pwd
import subprocess

from .people import PASSWORD
from .postfix import sendmail
from .truth import SET, failed, sent, to_maildir
from .world import World


def by_user(w: World) -> None:
    """A user calls sendmail."""
    user = w.user(0)
    text, message_id = w.message(w.address(0), None, "Hello", "")
    sendmail(user, [w.address(1)], text)
    w.expect_row(
        {"message_id": message_id},
        {
            "origin": "local",
            "sender": w.address(0),
            "uid": pwd.getpwnam(user).pw_uid,
            "is_submission": True,
            "client_address": None,
            "accepted": True,
        },
        [to_maildir(w.user(1))],
    )


def by_root(w: World) -> None:
    """Root calls sendmail, with a sender and recipients taken from the headers."""
    to = w.outsider("dora", "example.org")
    sender = w.outsider("reports", "example.com")
    text, message_id = w.message(sender, "Daily report", "All well", f"To: {to}\nBcc: root\n")
    sendmail(None, ["-t", "-f", sender], text)
    w.expect_row(
        {"message_id": message_id},
        {"origin": "local", "uid": 0, "sender": sender},
        [sent(to, "smtp", SET), to_maildir("alice", orig_to="root")],
    )


def without_message_id(w: World) -> None:
    """Postfix adds the Message-ID of a mail that has none."""
    sender = w.outsider("cron", "example.com")
    sendmail(None, ["-f", sender, w.address(2)], "Subject: cron\n\ndone\n")
    w.expect_row({"sender": sender}, {"origin": "local", "message_id": SET},
                 [to_maildir(w.user(2))])  # fmt: skip


def no_transport(w: World) -> None:
    """error, retry and discard transports: nothing is tried, or nothing is delivered."""
    sender = w.outsider("sam", "example.net")
    closed, later, nowhere = (
        w.outsider("dora", f"{name}.example.com") for name in ("closed", "later", "nowhere")
    )
    text, message_id = w.message(sender, None, "Hello", "")
    sendmail(None, ["-f", sender, closed, later, nowhere], text)
    w.expect_row(
        {"message_id": message_id},
        {"origin": "local"},
        [
            failed(closed, "bounced", "5.1.2", daemon="error", attempts=SET),
            failed(later, "deferred", "4.3.2", daemon=SET, attempts=0, skipped=SET),
            sent(nowhere, "discard", "thrown away on purpose", relay="none"),
        ],
    )


def no_such_address(w: World) -> None:
    """Local mail to nobody bounces to the local sender."""
    sender = w.address(3)
    text, message_id = w.message(sender, None, "Hello", "")
    sendmail(w.user(3), ["-f", sender, "nosuchuser@example.com"], text)
    w.expect_row(
        {"message_id": message_id},
        {"origin": "local", "sender": sender},
        [failed("nosuchuser@example.com", "bounced", "5.1.1", daemon="local")],
    )
    w.expect_notice(message_id, sender, [to_maildir(w.user(3))])


def verify(w: World) -> None:
    """sendmail -bv asks without sending; the answer is a mail to the asker."""
    sender = w.address(7)
    good, bad = w.outsider("dora", "example.org"), w.outsider("unknown", "example.org")
    sendmail(None, ["-bv", "-f", sender, good, bad], "")
    w.expect_row(
        {"sender": sender, "origin": "probe"},
        {"is_submission": False},
        [
            {"recipient": good, "status": "deliverable", "copies": 0},
            {"recipient": bad, "status": "undeliverable", "dsn": "5.1.1", "copies": 0},
        ],
    )


def submitted(w: World) -> None:
    """A login over TLS, mail to inside and outside."""
    user = w.address(0)
    client = w.client("laptop.example.com", port=587)
    client.starttls()
    client.hello("laptop.example.com")
    client.login(user, PASSWORD)
    to = w.outsider("dora", "example.org")
    tls = client.tls()
    mail = w.send(to, w.address(1), sender=user, client=client)
    w.end(client)
    w.expect(
        mail,
        [sent(to, "smtp", SET), to_maildir(w.user(1))],
        sasl_method="PLAIN", sasl_username=user, service="submission", is_submission=True, **tls,
    )  # fmt: skip


def forged(w: World) -> None:
    """What nobody writes under Postfix's name; only the journal can tell, so no row."""
    text = "F0F0F0F0F0: to=<eve@example.org>, relay=none, delay=0, dsn=2.0.0, status=sent (250 ok)"
    command = ["logger", "-p", "mail.info", "-t", "postfix/smtp", "--", text]
    subprocess.run(command, check=True, user="nobody")
    w.truth.forged.append({"step": w.step, "queue_id": "F0F0F0F0F0"})


STEPS = (by_user, by_root, without_message_id, no_transport, no_such_address, verify, submitted)
