"""Mail that is delivered, or fails for good, on every way Postfix has."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import hosts
from .people import FORWARDERS
from .truth import SET, failed, sent, to_maildir
from .world import World


def maildir(w: World) -> None:
    """From outside to one user's Maildir."""
    mail = w.send(w.address(0))
    w.expect(mail, [to_maildir(w.user(0))], verdicts=[], nrcpt=1, removed_by="qmgr",
             queued_at=SET, removed_at=SET, is_submission=False)  # fmt: skip


def old_client(w: World) -> None:
    """A client that says HELO, over IPv6."""
    client = w.client("2001:db8:0:1::10", server=hosts.SERVER_ADDRESSES[1])
    client.hello("mail.example.net", "HELO")
    mail = w.send(w.address(1), client=client)
    w.end(client)
    w.expect(mail, [to_maildir(w.user(1))])


def several_users(w: World) -> None:
    """Three recipients, one of them with an address extension."""
    tagged = f"{w.user(2)}+shopping@example.com"
    mail = w.send(w.address(0), w.address(1), tagged)
    w.expect(
        mail,
        [
            to_maildir(w.user(0)),
            to_maildir(w.user(1)),
            to_maildir(w.user(2)) | {"recipient": tagged},
        ],
        nrcpt=3,
    )


def two_in_one_session(w: World) -> None:
    """Two mails in one session are two rows with the same client."""
    client = w.client("smtp-out.example.edu")
    for number in (0, 1):
        mail = w.send(w.address(number), client=client)
        w.expect(mail, [to_maildir(w.user(number))])
    w.end(client)


def virtual_mailbox(w: World) -> None:
    """A mailbox and a Maildir of a virtual domain."""
    mail = w.send("ann@virtual.example", "pat@virtual.example")
    w.expect(
        mail,
        [
            sent("ann@virtual.example", "virtual", "delivered to mailbox", relay="virtual"),
            sent("pat@virtual.example", "virtual", "delivered to maildir", relay="virtual"),
        ],
    )


def virtual_alias(w: World) -> None:
    """One address becomes three, each on another way."""
    dan = "dan@example.org"
    mail = w.send("team@alias.example")
    team = "team@alias.example"
    w.expect(
        mail,
        [
            to_maildir("alice", orig_to=team),
            sent("bob@virtual.example", "virtual", "delivered to mailbox", orig_to=team),
            sent(dan, "smtp", SET, orig_to=team, relay_name="mx1.example.org"),
        ],
    )


def several_to_one(w: World) -> None:
    """Three addresses become one recipient: three records told apart by orig_to, one delivery."""
    others = ("help@alias.example", "one@alias.example")
    mail = w.send(*others, "carol@example.com")
    w.expect(mail, [to_maildir("carol", orig_to=name) for name in (*others, None)])


def elsewhere(w: World) -> None:
    """From our network to another domain's server."""
    client = w.client("laptop.example.com")
    to = w.outsider("dora", "example.org")
    mail = w.send(to, sender=w.address(0), client=client)
    w.end(client)
    w.expect(mail, [sent(to, "smtp", SET, relay_name="mx1.example.org", relay_port=25)])


def elsewhere_mixed(w: World) -> None:
    """Four recipients of one domain: two taken, two refused; the sender gets a notice."""
    client = w.client("laptop.example.com")
    taken = [w.outsider(name, "example.org") for name in ("dora", "emil")]
    unknown, chatty = (w.outsider(name, "example.org") for name in ("unknown", "chatty"))
    mail = w.send(taken[0], unknown, taken[1], chatty, sender=w.address(0), client=client)
    w.end(client)
    rows = [sent(to, "smtp", SET) for to in taken]
    rows.append(failed(unknown, "bounced", "5.1.1", daemon="smtp", reply_code=550))
    rows.append(failed(chatty, "bounced", "5.7.1", daemon="smtp", reply_code=550))
    w.expect(mail, rows, nrcpt=4)
    notice = {"notification_for": mail.queue_id}
    w.expect_row(
        notice,
        {"origin": "notice", "notification": "sender non-delivery", "sender": ""},
        [to_maildir(w.user(0))],
    )


def encrypted(w: World) -> None:
    """To a server that offers TLS."""
    client = w.client("laptop.example.com")
    to = w.outsider("dora", "example.edu")
    mail = w.send(to, sender=w.address(1), client=client)
    w.end(client)
    tls = {"encryption_protocol": SET, "encryption_cipher": SET, "tls_trust": "Untrusted"}
    w.expect(mail, [sent(to, "smtp", SET, relay_name="mx.example.edu", **tls)],
             encryption_protocol=None)  # fmt: skip


def second_exchanger(w: World) -> None:
    """The first mail exchanger is down, the second takes it: one attempt."""
    client = w.client("laptop.example.com")
    to = w.outsider("dora", "half.example")
    mail = w.send(to, sender=w.address(1), client=client)
    w.end(client)
    w.expect(mail, [sent(to, "smtp", SET, relay_name="mx2.example.org", tls_trust=None)])


def lmtp(w: World) -> None:
    """LMTP answers for each recipient, over TCP and over a Unix socket."""
    for domain, relay in (
        ("hub.example.com", "127.0.0.1"),
        ("imap.example.com", "mx1.example.com"),
    ):
        ok, virus = (w.outsider(name, domain) for name in ("dora", "virus"))
        mail = w.send(ok, virus)
        w.expect(
            mail,
            [
                sent(ok, "lmtp", SET, relay_name=relay),
                failed(virus, "bounced", "5.7.1", daemon="lmtp", reply_code=554),
            ],
        )


def pipe(w: World) -> None:
    """To a program, by the pipe transport."""
    to = w.outsider("dora", "archive.example.com")
    mail = w.send(to)
    row = sent(to, "pipe", "delivered via archive service", relay="archive")
    w.expect(mail, [row])


def other_service(w: World) -> None:
    """A delivery service with a syslog name of its own, to a port of its own."""
    client = w.client("laptop.example.com")
    to = w.outsider("dora", "relay.example.org")
    mail = w.send(to, sender=w.address(2), client=client)
    w.end(client)
    w.expect(mail, [sent(to, "smtp", SET, service="relay", relay_port=2627)])


def second_instance(w: World) -> None:
    """Handed to the second instance, which hands it on."""
    client = w.client("laptop.example.com")
    to = w.outsider("dora", "out.example")
    mail = w.send(to, sender=w.address(2), client=client)
    w.end(client)
    w.expect(mail, [sent(to, "smtp", SET, relay_address="127.0.0.1", relay_port=10587)],
             syslog_name="postfix")  # fmt: skip
    w.expect_row(
        {"message_id": mail.message_id, "syslog_name": "postfix-out"},
        {"origin": "smtp", "client_address": "127.0.0.1", "sender": mail.sender},
        [sent(to, "smtp", SET, relay_name="mx.out.example")],
    )


def null_sender(w: World) -> None:
    """A mail from <> is no notice of ours."""
    mail = w.send(w.address(3), sender="", subject="Delivery report")
    w.expect(mail, [to_maildir(w.user(3))], sender="")


def quoted(w: World) -> None:
    """Quoted local parts, with all that a careless reader would take for fields."""
    client = w.client("laptop.example.com")
    odd = ['"two words"@example.org', '"a> b, relay=x, status=sent (ok"@example.org',
           '"to=<eve@example.org>"@example.org']  # fmt: skip
    mail = w.send(*odd, sender='"who\'s there"@example.com', client=client)
    w.end(client)
    w.expect(mail, [sent(to, "smtp", SET, relay_name="mx1.example.org") for to in odd])


def utf8(w: World) -> None:
    """Internationalised addresses."""
    client = w.client("laptop.example.com")
    to = w.outsider("jörg", "example.org")
    mail = w.send(to, sender="zoë@example.com", client=client, mail_options=" SMTPUTF8",
                  subject="Grüße")  # fmt: skip
    w.end(client)
    w.expect(mail, [sent(to, "smtp", SET, relay_name="mx1.example.org")])


def marked_sender(w: World) -> None:
    """A sender with a marker, as a mailing list makes it: sender and id are stored apart."""
    mail = w.send(w.address(4), sender=f"news+issue-47{w.round}@lists.example.org")
    w.expect(mail, [to_maildir(w.user(4))], sender="news@lists.example.org", verp_id=f"47{w.round}")


def aliases(w: World) -> None:
    """An alias with two people, /dev/null, a file and a command."""
    both = "both@example.com"
    mail = w.send(both)
    w.expect(mail, [to_maildir(name, orig_to=both) for name in ("frank", "grace")])
    reasons = {
        "null": "delivered to file: /dev/null",
        "filed": "delivered to file: /srv/landed/filed",
        "ticket": "delivered to command: /srv/bin/ticket",
    }
    mail = w.send(*(f"{name}@example.com" for name in reasons))
    w.expect(mail, [sent(f"{name}@example.com", "local", text) for name, text in reasons.items()])


def alias_twice(w: World) -> None:
    """An alias to two commands: one works, one fails; the worse is the status."""
    mail = w.send("twice@example.com")
    w.expect(mail, [failed("twice@example.com", "bounced", "5.3.0", copies=1, daemon="local",
                           attempts=2)])  # fmt: skip


def alias_fails(w: World) -> None:
    """A command that fails for good, and one that fails for now."""
    mail = w.send("broken@example.com", "busy@example.com")
    w.expect(
        mail,
        [
            failed("broken@example.com", "bounced", "5.3.0", relay="local"),
            failed("busy@example.com", "deferred", "4.3.0", attempts=2),
        ],
    )


def forward(w: World) -> None:
    """A .forward file sends a copy elsewhere: a new queue file, linked to the first."""
    user = FORWARDERS[w.round % len(FORWARDERS)]
    to = w.outsider("dora", "example.org")
    path = Path("/home", user, ".forward")
    path.write_text(f"\\{user}, {to}\n")
    shutil.chown(path, user, user)
    mail = w.send(f"{user}@example.com")
    own = to_maildir(user)
    forwarded = {"reason": SET, "attempts": 2, "copies": 2, "next_queue_id": SET}
    w.expect(mail, [own | forwarded])
    w.expect_row(
        {"message_id": mail.message_id, "origin": "forward"},
        {"sender": mail.sender, "is_submission": False, "client_address": None},
        [sent(to, "smtp", SET, orig_to=f"{user}@example.com")],
    )


def owned_alias(w: World) -> None:
    """An alias with an owner: the copies leave with the owner as sender."""
    crew = "crew@example.com"
    mail = w.send(crew)
    row = sent(crew, "local", SET, relay="local", next_queue_id=SET)
    w.expect(mail, [row])
    w.expect_row(
        {"message_id": mail.message_id, "origin": "forward"},
        {"sender": "owner-crew@example.com"},
        [to_maildir("heidi"), to_maildir("ivan")],
    )


def loop(w: World) -> None:
    """A mail that was here already bounces."""
    to = w.address(4)
    mail = w.send(to, headers=f"Delivered-To: {to}")
    w.expect(mail, [failed(to, "bounced", "5.4.6", daemon="local")])


def burst(w: World) -> None:
    """Many mails to one domain: connections are used again."""
    client = w.client("laptop.example.com")
    for _ in range(12):
        to = w.outsider("dora", "example.org")
        mail = w.send(to, sender=w.address(5), client=client)
        w.expect(mail, [sent(to, "smtp", SET, relay_name="mx1.example.org")])
    w.end(client)


def canonical(w: World) -> None:
    """Canonical mapping and an alias: three names of one person."""
    mail = w.send("nick@example.com")
    w.expect(mail, [to_maildir("nora", orig_to="nick@example.com")])


def success_notice(w: World) -> None:
    """The sender asks for a notice of success."""
    sender = w.outsider("sam")
    mail = w.send(w.address(0), sender=sender, rcpt_options=" NOTIFY=SUCCESS")
    w.expect(mail, [to_maildir(w.user(0))])
    w.expect_row(
        {"notification_for": mail.queue_id},
        {"origin": "notice", "notification": "sender delivery status", "sender": ""},
        [sent(sender, "smtp", SET)],
    )


STEPS = (
    maildir, old_client, several_users, two_in_one_session, virtual_mailbox, virtual_alias,
    several_to_one, elsewhere, elsewhere_mixed, encrypted, second_exchanger, lmtp, pipe,
    other_service, second_instance, null_sender, quoted, utf8, marked_sender,
    aliases, alias_twice, alias_fails, forward, owned_alias, loop, burst, canonical, success_notice,
)  # fmt: skip
