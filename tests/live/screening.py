"""Clients that postscreen looks at first: on one port it remembers and refuses, on one it drops.

Who is dropped is told no verdict on a mail, so only the refusals are kept.
"""

from __future__ import annotations

from . import hosts
from .client import Client, Reply, connect
from .truth import to_maildir
from .world import World

PATIENT = 2527
STRICT = 2528


def new_and_old(w: World) -> None:
    """A new client is asked to come again; then it is let through."""
    for attempt in ("new", "old"):
        client = w.client("new.example", port=PATIENT)
        mail = w.send(w.address(0), client=client)
        w.end(client)
        if mail.reply.code == 250:
            w.expect(mail, [to_maildir(w.user(0))])
            return
        assert (attempt, mail.reply.code) == ("new", 450), mail.reply


def allowed(w: World) -> None:
    """The access list lets a client through at once."""
    client = w.client("lists.example.org", port=PATIENT)
    mail = w.send(w.address(1), client=client)
    w.end(client)
    w.expect(mail, [to_maildir(w.user(1))])


def denied(w: World) -> None:
    """Clients on the access list, and on a block list: refused when they name a recipient."""
    for source in ("listed.example", "203.0.113.99"):
        client = w.client(source, port=PATIENT)
        client.mail(w.outsider("sam", "shop.example"))
        client.rcpt(w.address(0))
        client.command("", "DATA")
        client.refusals.pop()  # no verdict, but the end: there is no recipient to send it to
        client.drop()
        w.keep(client)


def speaks_first(w: World) -> None:
    """A client that does not wait for the greeting."""
    client = Client(hosts.address_of("early.example"), port=PATIENT, early="EHLO early.example\n")
    client.hello("early.example")
    client.mail(w.outsider("sam", "shop.example"))
    client.rcpt(w.address(0))
    w.end(client)


def private(w: World) -> None:
    """TLS while being screened: tlsproxy speaks it."""
    client = w.client("private.example", port=PATIENT)
    client.starttls()
    client.hello("private.example")
    client.mail(w.outsider("sam", "shop.example"))
    client.rcpt(w.address(0))
    w.end(client)


def hangs_up(w: World) -> None:
    """Gone before the greeting, and after HELO."""
    address = hosts.address_of("fickle.example")
    connect(address, PATIENT).close()
    w.client("fickle.example", port=PATIENT).drop()
    w.expect_drop(address, "HANGUP")
    w.expect_drop(address, "HANGUP")


def dropped_at_once(w: World) -> None:
    """Denied, on a block list, too early: the greeting is a refusal, and the end."""
    for source, early, test in (
        ("203.0.113.9", "", "DENYLISTED"),
        ("203.0.113.99", "", "DNSBL"),
        ("198.51.100.41", "EHLO early.example\n", "PREGREET"),
        ("198.51.100.41", "GET / HTTP/1.1\nHost: mx1.example.com\n", "PREGREET"),
    ):
        client = Client(source, port=STRICT, early=early)
        assert client.greeting.code >= 500, client.greeting
        _dropped(w, client, test)


def bad_manners(w: World) -> None:
    """Several commands at once, a bare line feed, another protocol, too long and too many ones."""
    for data, test in (
        (b"NOOP\r\nNOOP\r\n", "COMMAND PIPELINING"),
        (b"NOOP\n", "BARE NEWLINE"),
        (b"GET / HTTP/1.1\r\n", "NON-SMTP COMMAND"),
        (b"NOOP " + 3000 * b"x", "COMMAND LENGTH LIMIT"),
    ):
        client = w.client("gossip.example", port=STRICT)
        client.smtp.send(data)
        _until_closed(client)
        _dropped(w, client, test)
    client = w.client("gossip.example", port=STRICT)
    for _ in range(9):
        client.smtp.send(b"NOOP\r\n")
        if client.smtp.getreply()[0] == 421:
            break
    _dropped(w, client, "COMMAND COUNT LIMIT")


def too_slow(w: World) -> None:
    """A client that says nothing for too long."""
    client = w.client("gossip.example", port=STRICT)
    _until_closed(client)
    _dropped(w, client, "COMMAND TIME LIMIT")


def crowd(w: World) -> None:
    """More connections at once than one client may have."""
    address = hosts.address_of("crowd.example")
    connections = [connect(address, STRICT) for _ in range(2)]
    client = Client(address, port=STRICT)
    (refused,) = client.refusals
    client.refusals[:] = [refused._replace(reply=Reply(421, None, "too many connections"))]
    client.drop()
    w.keep(client)
    for connection in connections:
        connection.close()
        w.expect_drop(address, "HANGUP")


def _until_closed(client: Client) -> None:
    """Read whatever comes until the server ends the connection."""
    assert client.smtp.sock
    while client.smtp.sock.recv(4096):
        pass


def _dropped(w: World, client: Client, test: str) -> None:
    client.drop()
    w.keep(client, logged=False)
    w.expect_drop(client.address, test)


STEPS = (
    new_and_old, allowed, denied, speaks_first, private, hangs_up, dropped_at_once, bad_manners,
    too_slow, crowd,
)  # fmt: skip
