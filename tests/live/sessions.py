"""Sessions that are out of the ordinary: rare commands, gateways, limits, other protocols."""

from __future__ import annotations

import time

from . import hosts
from .client import Client, Reply, connect
from .people import PASSWORD
from .truth import to_maildir
from .world import World

STRICT = 2530
LIMITED = 2531
NO_MILTER = 2532
COPIED = 2533
QMQP = 628


def asks(w: World) -> None:
    """VRFY and ETRN, for what exists and for what does not, and other commands without a mail."""
    client = w.client("laptop.example.com")
    for line in ("VRFY alice@example.com", "VRFY", "HELP", "RSET", "NOOP", "EXPN staff", "ETRN"):
        client.command("", line)
    for line in ("ETRN hub.example.com", "ETRN unknown.example", "ETRN bad..name"):
        client.command("", line)
    client.refusals.clear()
    client.command("VRFY", "VRFY nosuchuser@example.com")
    client.command("ETRN", "ETRN closed.example.com")
    w.end(client)


def chunks(w: World) -> None:
    """A mail by BDAT, in two pieces."""
    client = w.client("smtp-out.example.edu")
    sender = w.outsider("sam", "example.edu")
    text, message_id = w.message(sender, None, "Hello", "")
    client.mail(sender)
    client.rcpt(w.address(0))
    client.bdat(text[:40], last="")
    reply = client.bdat(text[40:])
    w.end(client)
    w.expect_row(
        {"queue_id": reply.queue_id},
        {"message_id": message_id, "accepted": True, "sender": sender},
        [to_maildir(w.user(0))],
    )


def bad_chunks(w: World) -> None:
    """BDAT without a mail, malformed, and a piece that never comes in full."""
    client = w.client("smtp-out.example.edu")
    client.bdat("nothing yet\n")
    client.mail(w.outsider("sam", "example.edu"))
    client.rcpt(w.address(0))
    client.command("", "BDAT many")
    client.bdat("half a piece", missing=50)
    client.drop()
    w.keep(client, logged=False)
    w.expect_incomplete(client)


def gateway(w: World) -> None:
    """A gateway that says for whom it speaks (XCLIENT)."""
    client = w.client("gateway.example.com")
    told = "XCLIENT NAME=mail.example.net ADDR=198.51.100.10 PORT=4711 LOGIN=zoe@example.com"
    assert client.command("", told).code == 220
    client.address, client.name = "198.51.100.10", "mail.example.net"
    client.hello("mail.example.net")
    mail = w.send(w.address(1), client=client)
    w.end(client)
    w.expect(mail, [to_maildir(w.user(1))], sasl_username="zoe@example.com")


def misnamed(w: World) -> None:
    """A client whose name leads to another address."""
    client = w.client("203.0.113.78")
    mail = w.send(w.address(2), client=client)
    w.end(client)
    w.expect(mail, [to_maildir(w.user(2))], client_name="unknown")


def watched(w: World) -> None:
    """A client for which Postfix is verbose; once is enough."""
    if w.round:
        return
    client = w.client("watched.example")
    mail = w.send(w.address(3), client=client)
    w.end(client)
    w.expect(mail, [to_maildir(w.user(3))])


def copied(w: World) -> None:
    """A copy of every mail goes to one address."""
    client = w.client(port=COPIED)
    mail = w.send(w.address(4), client=client)
    w.end(client)
    rows = [to_maildir(w.user(4)), to_maildir("carol", orig_to="minutes@example.com")]
    w.expect(mail, rows)


def without_milter(w: World) -> None:
    """The milter is not there: everything is refused for now."""
    client = Client(hosts.address_of("mail.example.net"), port=NO_MILTER)
    client.hello("mail.example.net")
    client.mail(w.outsider("sam"))
    (refused,) = client.refusals
    # the log says so for each step of the session, the client hears it once
    early = refused._replace(sender=None)
    client.refusals += [
        early._replace(state="EHLO"),
        early._replace(state="CONNECT", helo_name=None),
    ]
    w.end(client)


def too_many(w: World) -> None:
    """More mails, recipients, logins, TLS sessions and connections than one client may have."""
    if w.round:  # the limits are for a minute
        return
    source = "greedy.example"
    for _ in (1, 2):
        client = w.client(source, port=LIMITED)
        client.mail(w.outsider("sam", source))
        if client.rcpt(w.address(0)).code == 250:
            w.expect_incomplete(client)
        client.rcpt(w.address(1))
        client.rcpt(w.address(2))
        for _again in (1, 2):
            client.login(w.address(0), PASSWORD + "?")
        client.command("", "STARTTLS")
        client.drop()
        w.keep(client, logged=False)
    # no more than two at once, and no more than six a minute, one after the other
    several = [Client(hosts.address_of(source), port=LIMITED) for _ in range(6)]
    for client in several:
        client.drop()
        w.keep(client, logged=False)
    for _ in range(3):
        time.sleep(0.5)
        connect(hosts.address_of(source), LIMITED).close()


def too_slow(w: World) -> None:
    """A client that falls silent."""
    client = w.client("shop.example", port=STRICT)
    time.sleep(2.5)
    client.drop()


def several_at_once(w: World) -> None:
    """Commands sent without waiting for replies, and bare line feeds."""
    client = Client(hosts.address_of("shop.example"), port=STRICT)
    client.smtp.send(b"EHLO shop.example\r\nMAIL FROM:<a@shop.example>\r\nNOOP\r\n")
    time.sleep(0.3)
    client.drop()
    client = Client(hosts.address_of("gossip.example"), port=STRICT)
    client.raw(b"HULLO gossip.example\r\n")  # a filter makes it EHLO
    client.hello("gossip.example")
    client.mail(w.outsider("sam", "gossip.example"))
    client.command("MAIL", "NOOP", end="\n")
    (refused,) = client.refusals
    client.refusals[:] = [refused._replace(reply=Reply(521, None, "bare <LF> received"))]
    client.drop()
    w.keep(client)


def qmqp(w: World) -> None:
    """A mail by QMQP."""
    sender = w.outsider("sam", "example.com")
    text, message_id = w.message(sender, None, "Hello", "")
    parts = (text.encode(), sender.encode(), w.address(0).encode())
    connection = connect(hosts.address_of("laptop.example.com"), QMQP)
    connection.sendall(_netstring(b"".join(map(_netstring, parts))))
    reply = connection.recv(4096)
    connection.close()
    assert b":KOk: queued as" in reply, reply
    w.expect_row(
        {"message_id": message_id},
        {"sender": sender, "client_name": "laptop.example.com", "accepted": True},
        [to_maildir(w.user(0))],
    )
    stranger = connect(hosts.address_of("shop.example"), QMQP)
    stranger.recv(4096)
    stranger.close()


def _netstring(text: bytes) -> bytes:
    return b"%d:%s," % (len(text), text)


STEPS = (
    asks, chunks, bad_chunks, gateway, misnamed, watched, copied, without_milter, too_many,
    too_slow, several_at_once, qmqp,
)  # fmt: skip
