"""Mail that is refused, at every state of SMTP, and sessions that come to nothing.

What the client was told is kept by ``World.end`` and compared as a whole with ``noqueue``;
here stands only what a refusal has to do with a mail.
"""

from __future__ import annotations

from . import hosts
from .client import Client
from .people import PASSWORD
from .truth import SET, to_maildir
from .world import World


def at_connect(w: World) -> None:
    """Clients that are refused before they say anything."""
    for name in ("listed.example", "dialup-66.isp.example"):
        client = Client(hosts.address_of(name))
        w.end(client)


def at_hello(w: World) -> None:
    """HELO names that are no names, or ours."""
    for name, verb in (
        ("desktop", "HELO"),
        ("bad_[name", "EHLO"),
        ("mx1.example.com", "EHLO"),
        ("to=<x@example.com>,", "EHLO"),
    ):
        client = Client(hosts.address_of("shop.example"))
        client.hello(name, verb)
        w.end(client)


def at_mail(w: World) -> None:
    """Senders that are refused, for good and for now."""
    for sender in (
        "spammer@shop.example",
        "slow@shop.example",
        "forger@example.com",
        "nobody",
        w.outsider("nobody", "nowhere.invalid"),
        w.outsider("nobody", "nomail.example"),
        '"odd one"@shop',
    ):
        client = w.client("shop.example")
        client.mail(sender)
        w.end(client)


def at_rcpt(w: World) -> None:
    """Recipients that are refused: relaying, unknown, by the access table, without a domain."""
    client = w.client("shop.example")
    client.mail(w.outsider("sam", "shop.example"))
    for recipient in (
        w.outsider("victim", "example.org"),
        "nosuchuser@example.com",
        "nosuchuser@virtual.example",
        "nosuchuser@alias.example",
        "former@example.com",
        "closed@example.com",
        "gone@example.com",
        "user@[192.0.2.1]",
        "nodomain",
    ):
        client.rcpt(recipient)
    w.end(client)


def block_list(w: World) -> None:
    """A client on a DNS block list, without a name."""
    client = w.client("203.0.113.99")
    client.mail(w.outsider("sam", "shop.example"))
    client.rcpt(w.address(0))
    w.end(client)


def unroutable(w: World) -> None:
    """Recipients whose transport is error or retry are refused at RCPT already."""
    client = w.client()
    client.mail(w.outsider("sam"))
    client.rcpt(w.outsider("dora", "closed.example.com"))
    client.rcpt(w.outsider("dora", "later.example.com"))
    w.end(client)


def one_of_two(w: World) -> None:
    """One recipient refused, one accepted: the verdict is there, the mail is too."""
    client = w.client("shop.example")
    sender = w.outsider("sam", "shop.example")
    client.mail(sender)
    client.rcpt(w.address(0))
    client.rcpt("nosuchuser@example.com")
    text, message_id = w.message(sender, None, "Hello", "")
    reply = client.data(text)
    w.end(client)
    w.expect_row(
        {"queue_id": reply.queue_id},
        {"message_id": message_id, "accepted": True, "sender": sender},
        [to_maildir(w.user(0))],
        [{"recipient": "nosuchuser@example.com", "reply_code": 550, "protocol_state": "RCPT"}],
    )


def at_data(w: World) -> None:
    """Refused at DATA, with a queue id already given."""
    mail = w.send(w.address(1), sender="talker@shop.example", client=None)
    assert mail.reply.code == 554
    client = w.client("shop.example")
    client.mail("")
    client.rcpt(w.address(0))
    client.rcpt(w.address(1))
    client.command("DATA", "DATA")
    w.end(client)


def at_end_of_data(w: World) -> None:
    """Refused when the whole mail is there."""
    for sender, code in (("writer@shop.example", 554), ("later@shop.example", 451)):
        mail = w.send(w.address(1), sender=sender)
        assert mail.reply.code == code
        w.expect_row(
            {"message_id": mail.message_id},
            {
                "accepted": False,
                "protocol_state": "END-OF-MESSAGE",
                "reply_code": code,
                "queued_at": None,
            },
            [],
        )


def too_big(w: World) -> None:
    """Too big: as the client announces it, and as it turns out."""
    client = w.client("shop.example")
    client.mail(w.outsider("sam", "shop.example"), " SIZE=1000000")
    w.end(client)
    client = w.client("shop.example")
    mail = w.send(w.address(1), sender=w.outsider("sam", "shop.example"), client=client,
                  body="All work and no play.\n" * 3000)  # fmt: skip
    w.end(client, logged=False)
    assert mail.reply.code == 552, mail.reply
    w.expect_row({"message_id": mail.message_id}, {"accepted": False, "reason": SET}, [])


def too_many_hops(w: World) -> None:
    """A mail that has been everywhere."""
    client = w.client("shop.example")
    headers = "Received: from a.example by b.example\n" * 51
    mail = w.send(w.address(1), sender=w.outsider("sam", "shop.example"), client=client,
                  headers=headers)  # fmt: skip
    w.end(client, logged=False)
    assert mail.reply.code == 554, mail.reply
    w.expect_row({"message_id": mail.message_id}, {"accepted": False, "reason": SET}, [])


def greylisted(w: World) -> None:
    """Refused at first, taken at the second try."""
    sender = w.outsider("sam")
    first = w.send("grey@example.com", sender=sender)
    assert first.reply.code == 450
    mail = w.send("grey@example.com", sender=sender)
    w.expect(mail, [to_maildir("erin", orig_to="grey@example.com")])


def call_out(w: World) -> None:
    """RCPT, then QUIT: a queue id, but no mail."""
    client = w.client("smtp-out.example.edu")
    sender = w.outsider("probe", "example.edu")
    client.mail(sender)
    client.rcpt(w.address(0))
    w.end(client)
    _never_completed(w, client)


def lost_in_data(w: World) -> None:
    """The connection breaks in the middle of the text."""
    client = w.client("smtp-out.example.edu")
    client.mail(w.outsider("probe", "example.edu"))
    client.rcpt(w.address(0))
    client.command("DATA", "DATA")
    client.smtp.send(b"Subject: half a ma")
    client.drop()
    _never_completed(w, client)


def _never_completed(w: World, client: Client) -> None:
    """A row of which the sending side knows the client; Postfix logs no sender then."""
    w.expect_incomplete(client)


def nonsense(w: World) -> None:
    """Commands that are none, in the wrong order, and too many of them."""
    client = w.client("shop.example")
    client.smtp.send(b"GET / HTTP/1.1\r\n")
    client.drop()
    client = w.client("shop.example")
    for line in ("RCPT TO:<a@example.com>", "DATA", "MAIL FROM:nobody@", "NOOP"):
        client.command("", line)
    client.mail(w.outsider("sam", "shop.example"))
    client.command("", "RCPT TO:<unclosed")
    w.end(client, logged=False)
    client = w.client("shop.example")
    while client.command("", "WHAT").code != 421:
        pass
    client.drop()


def wrong_password(w: World) -> None:
    """A login that fails, then one that works, and a sender that is not the user's."""
    client = w.client("laptop.example.com", port=587)
    client.starttls()
    client.hello("laptop.example.com")
    login = f"{w.user(2)}@example.com"
    assert client.login(login, "wrong").code == 535
    assert client.login(login, PASSWORD).code == 235
    client.mail(w.address(3))
    client.rcpt(w.address(0))
    w.end(client)


def not_logged_in(w: World) -> None:
    """Nobody submits without a login."""
    client = w.client("smtp-out.example.edu", port=587)
    client.mail(w.outsider("sam", "example.edu"))
    client.rcpt(w.outsider("dora", "example.org"))
    w.end(client)


STEPS = (
    at_connect, at_hello, at_mail, at_rcpt, block_list, unroutable, one_of_two, at_data,
    at_end_of_data, too_big, too_many_hops, greylisted, call_out, lost_in_data, nonsense, wrong_password,
    not_logged_in,
)  # fmt: skip
