"""How mails come in: over SMTP, by submission, from sendmail, and from Postfix itself.

Every function says the lines up to the moment before the queue manager takes the mail, and gives
that moment back. The queue takes it from there.
"""

from __future__ import annotations

from typing import NamedTuple

from traffic.cast import Client
from traffic.ledger import PICKUP, Mail
from traffic.machine import Machine
from traffic.world import MOST_SHUFFLED, SECOND, World

MS = 1000
POSTFIX_UID = 101
# A mail that takes over an id still open says nothing more until its client= line is in the log,
# however shuffled that is.
PATIENCE = MOST_SHUFFLED + SECOND // 2
TLS = (
    "Anonymous TLS connection established from {peer}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384"
    " (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256"
)


class Session(NamedTuple):
    """One client served by one smtpd process."""

    machine: Machine
    client: Client
    port: int
    service: str | None
    ident: str
    pid: int

    @property
    def peer(self) -> str:
        """The client as smtpd writes it."""
        port = f":{self.port}" if self.machine.profile.client_ports else ""
        return f"{self.client.name}[{self.client.address}]{port}"

    @property
    def columns(self) -> dict[str, object]:
        """The client as columns."""
        port = self.port if self.machine.profile.client_ports else None
        name, address, _ = self.client
        return {"client_name": name, "client_address": address, "client_port": port}


class Login(NamedTuple):
    """What a client proved about itself."""

    method: str = "PLAIN"
    username: str = "ann@example.com"


class Upstream(NamedTuple):
    """What an upstream Postfix forwarded about a mail (XFORWARD)."""

    queue_id: str | None
    client: str


class Given(NamedTuple):
    """What a client says of itself and of the mail it brings."""

    client: Client | None = None
    service: str | None = None
    login: Login | None = None
    upstream: Upstream | None = None
    message_id: str | None = None


NOTHING = Given()


def connect(world: World, machine: Machine, t: int, length: int, given: Given = NOTHING) -> Session:
    """Let a client connect; the process is its until t + length, and longer if it is slow."""
    client = given.client or world.cast.client()
    ident = machine.ident("smtpd", given.service)
    end = t + length + PATIENCE
    session = Session(
        *(machine, client, world.rng.randrange(1024, 65536), given.service),
        *(ident, machine.process(ident, t, end)),
    )
    pid = session.pid
    if client.name == "unknown" and world.rng.random() < 0.3:
        world.say(t, machine, ident, pid, _does_not_resolve(client))
    world.say(t, machine, ident, pid, f"connect from {session.peer}")
    if world.rng.random() < 0.3:
        world.say(t + 20 * MS, machine, ident, pid, TLS.format(peer=session.peer))
    return session


def _does_not_resolve(client: Client) -> str:
    return f"warning: hostname dyn.example.net does not resolve to address {client.address}"


def disconnect(world: World, session: Session, t: int, counts: str) -> None:
    """Let the client go, with the counts of its commands."""
    say = f"disconnect from {session.peer} {counts}"
    world.say(t, session.machine, session.ident, session.pid, say)


def open_mail(world: World, machine: Machine, t: int, origin: str, queue_id: str = "") -> Mail:
    """Begin a mail; its first line must follow at t."""
    mail = Mail(machine, queue_id or machine.new_id(t), origin)
    mail.arrived = t
    return world.ledger.open(mail)


def client_line(
    world: World,
    session: Session,
    t: int,
    login: Login | None = None,
    upstream: Upstream | None = None,
) -> tuple[Mail, int]:
    """Let smtpd open a queue file; give the mail and the earliest time of its next line."""
    machine = session.machine
    queue_id = machine.open_id(t) if world.rng.random() < 0.3 else None
    mail = open_mail(world, machine, t, "smtp", queue_id or "")
    text = f"{mail.queue_id}: client={session.peer}"
    mail.seen(t, service=session.service, **session.columns)
    if login:
        text += f", sasl_method={login.method}, sasl_username={login.username}"
        mail.seen(t, sasl_method=login.method, sasl_username=login.username)
    if upstream:
        text += _upstream(mail, t, upstream)
    world.say(t, machine, session.ident, session.pid, text)
    return mail, t + (PATIENCE if queue_id else 5 * MS)


def _upstream(mail: Mail, t: int, upstream: Upstream) -> str:
    mail.seen(t, orig_queue_id=upstream.queue_id, orig_client=upstream.client)
    queue_id = f", orig_queue_id={upstream.queue_id}" if upstream.queue_id else ""
    return f"{queue_id}, orig_client={upstream.client}"


def message_id(world: World, mail: Mail, t: int, text: str | None = None) -> str:
    """Let cleanup log the Message-ID (one of its own where none is given)."""
    machine = mail.machine
    text = _new_message_id(world, mail, t) if text is None else text
    ident = machine.ident("cleanup")
    pid = machine.process(ident, t, t + 50 * MS)
    if world.rng.random() < 0.01:
        resent = f"<resent.{t}@example.org>"
        mail.seen(t, resent_message_id=resent)
        world.say(t, machine, ident, pid, f"{mail.queue_id}: resent-message-id={resent}")
    mail.seen(t, message_id=text)
    world.say(t, machine, ident, pid, f"{mail.queue_id}: message-id={text}")
    return text


def _new_message_id(world: World, mail: Mail, t: int) -> str:
    chance = world.rng.random()
    if chance < 0.01:
        return f"<{t}@example.org>, to=<evil@example.org>, status=sent (250 ok)"
    if chance < 0.03:
        return "<>"
    if chance < 0.04:
        return f"{t}.no-brackets@example.org (added by gateway)"
    return f"<{t:x}.{mail.queue_id}@{mail.machine.name}>"


def by_smtp(world: World, machine: Machine, t: int, given: Given = NOTHING) -> tuple[Mail, int]:
    """Let a mail come in over SMTP; give it and the moment when it is complete."""
    session = connect(world, machine, t, 2 * SECOND, given)
    t += world.between(0.05, 0.3)
    mail, t = client_line(world, session, t, given.login, given.upstream)
    t += world.between(0.005, 0.2)
    message_id(world, mail, t, given.message_id)
    counts = f"ehlo=1 {'auth=1 ' if given.login else ''}mail=1 rcpt=1 data=1 quit=1 commands=5"
    disconnect(world, session, t + world.between(0.01, 1.5), counts)
    return mail, t + 10 * MS


def by_submission(world: World, machine: Machine, t: int) -> tuple[Mail, int]:
    """Let a user send a mail with his login over the submission service."""
    login = Login(world.rng.choice(("PLAIN", "LOGIN")), world.cast.sasl_name())
    service = world.rng.choice(("submission", "submission", "smtps"))
    return by_smtp(world, machine, t, Given(service=service, login=login))


def by_pickup(world: World, machine: Machine, t: int, sender: str, uid: int) -> tuple[Mail, int]:
    """Let pickup take a mail from sendmail."""
    mail = open_mail(world, machine, t, "local")
    _picked_up(world, mail, t, f"uid={uid} from=<{sender}>")
    mail.seen(t, uid=uid)
    mail.sender(PICKUP, sender)
    message_id(world, mail, t + 15 * MS)
    return mail, t + 20 * MS


def by_requeue(world: World, old: Mail, t: int) -> tuple[Mail, int]:
    """Let pickup take a mail that was put back into the maildrop queue."""
    mail = open_mail(world, old.machine, t, "requeue")
    mail.seen(t, orig_queue_id=old.queue_id)
    sender = old.envelope_sender
    mail.seen(t, uid=POSTFIX_UID)
    mail.sender(PICKUP, sender)
    _picked_up(world, mail, t, f"uid={POSTFIX_UID} from=<{sender}> orig_id={old.queue_id}")
    message_id(world, mail, t + 15 * MS, old.row["message_id"])
    return mail, t + 20 * MS


def _picked_up(world: World, mail: Mail, t: int, text: str) -> None:
    ident = mail.machine.ident("pickup")
    pid = mail.machine.process(ident, t, t + 10 * MS)
    world.say(t, mail.machine, ident, pid, f"{mail.queue_id}: {text}")
