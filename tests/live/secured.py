"""TLS and logins, both ways: what works, what is refused, and what breaks in the middle."""

from __future__ import annotations

import smtplib
from contextlib import suppress

from . import dovecot, hosts
from .client import Client, connect, trusting
from .people import PASSWORD
from .postfix import CERTIFICATE
from .truth import SET, failed, sent, to_maildir
from .world import World

SUBMISSIONS = 465
SASLAUTHD = 2588


def encrypted_in(w: World) -> None:
    """A mail from outside over TLS."""
    client = w.client("smtp-out.example.edu")
    client.starttls()
    client.hello("smtp-out.example.edu")
    mail = w.send(w.address(0), client=client)
    tls = client.tls()
    w.end(client)
    w.expect(mail, [to_maildir(w.user(0))], **tls)


def certified(w: World) -> None:
    """TLS from the start, with a certificate of the client's, and a login by Dovecot's protocol."""
    user = w.address(1)
    client = _submissions(w, str(CERTIFICATE))
    assert client.login(user, PASSWORD).code == 235
    mail = w.send(w.address(2), sender=user, client=client)
    tls = client.tls() | {"tls_trust": "Untrusted"}
    w.end(client)
    w.expect(mail, [to_maildir(w.user(2))], sasl_method="PLAIN", sasl_username=user,
             service="submissions", is_submission=True, **tls)  # fmt: skip


def login_fails(w: World) -> None:
    """Wrong password, an authority that cannot say, nonsense, and a client that changes its mind."""
    user = w.address(1)
    client = _submissions(w)
    assert client.login(user, "wrong").code == 535
    assert client.login(user, dovecot.LATER).code >= 400
    client.command("", "AUTH PLAIN =nonsense=")
    assert client.raw(b"AUTH PLAIN\r\n").code == 334
    client.command("", "*")
    client.command("", "AUTH NONSUCH")
    w.end(client, logged=False)


def saslauthd(w: World) -> None:
    """Logins that saslauthd judges."""
    user = w.address(3)
    client = w.client("laptop.example.com", port=SASLAUTHD)
    assert client.login(user, "wrong").code == 535
    assert client.raw(b"AUTH LOGIN\r\n").code == 334
    client.command("", "*")
    assert client.login(user, PASSWORD).code == 235
    client.refusals.clear()
    mail = w.send(w.address(4), sender=user, client=client)
    w.end(client)
    w.expect(mail, [to_maildir(w.user(4))], sasl_method="PLAIN", sasl_username=user)


def _submissions(w: World, certificate: str | None = None) -> Client:
    return w.client("laptop.example.com", port=SUBMISSIONS, tls=trusting(certificate))


def handshake_fails(w: World) -> None:
    """What is no TLS, where TLS is due: from the start, and behind STARTTLS."""
    connection = connect(hosts.address_of("shop.example"), SUBMISSIONS)
    connection.sendall(b"EHLO shop.example\r\n")
    with suppress(ConnectionResetError):
        while connection.recv(4096):
            pass
    connection.close()
    client = w.client("shop.example")
    client.command("", "STARTTLS")
    client.smtp.send(b"is this TLS?\r\n")
    with suppress(OSError, smtplib.SMTPException):
        client.smtp.getreply()
    client.drop()


def certificate_not_trusted(w: World) -> None:
    """TLS must be verified, but anybody could have made that certificate; or there is no TLS."""
    secure, plain = w.outsider("dora", "secure.example"), w.outsider("dora", "plain.example")
    mail = w.send_inside(secure, plain)
    w.queue.wait(mail.queue_id, "deferred")
    w.expect(
        mail,
        [
            failed(secure, "deferred", "4.7.5", attempts=SET, relay_name="mx.secure.example"),
            failed(plain, "deferred", "4.7.4", attempts=SET, relay_name="mx1.example.org"),
        ],
    )


def handshake_fails_there(w: World) -> None:
    """The handshake fails; TLS is optional, but to go without is for a later attempt."""
    to = w.outsider("dora", "badtls.example")
    mail = w.send_inside(to)
    w.queue.wait(mail.queue_id, "deferred")
    w.expect(mail, [failed(to, "deferred", "4.7.5", attempts=SET, relay_name="mx.badtls.example")])


def encrypted_often(w: World) -> None:
    """Several mails over one encrypted connection, which tlsproxy and scache keep."""
    for _ in range(3):
        to = w.outsider("dora", "often.example")
        mail = w.send_inside(to)
        w.queue.wait(mail.queue_id, None)
        tls = {"encryption_protocol": SET, "encryption_cipher": SET, "tls_trust": "Untrusted"}
        w.expect(mail, [sent(to, "smtp", SET, relay_name="mx.often.example", **tls)])


def login_refused_there(w: World) -> None:
    """The server does not accept our own login."""
    to = w.outsider("dora", "login.example")
    mail = w.send_inside(to)
    w.queue.wait(mail.queue_id, "deferred")
    w.expect(mail, [failed(to, "deferred", "4.7.8", attempts=SET, relay_name="mx.login.example")])


STEPS = (
    encrypted_in, certified, login_fails, saslauthd, handshake_fails, certificate_not_trusted,
    handshake_fails_there, encrypted_often, login_refused_there,
)  # fmt: skip
