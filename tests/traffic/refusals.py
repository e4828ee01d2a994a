"""Verdicts of smtpd and postscreen: what they refuse or warn of.

A table row per wording; the functions say the line and enter the row of ``noqueue``.
"""

from __future__ import annotations

from typing import NamedTuple

from traffic.arrivals import (
    MS,
    Given,
    Login,
    Session,
    client_line,
    connect,
    disconnect,
    message_id,
)
from traffic.cast import RAW_HELO_TRICKS, unquoted
from traffic.ledger import VERDICT, Mail, Row
from traffic.machine import Machine
from traffic.queueing import canceled
from traffic.world import SECOND, Story, World


class Refusal(NamedTuple):
    """One wording of smtpd: the stage, SMTP code, enhanced code, text, and the verdict."""

    stage: str
    code: int | None
    dsn: str | None
    text: str
    action: str = "reject"


REFUSALS = (
    Refusal("CONNECT", 554, "5.7.1", "Service unavailable; Client host [{ip}] blocked using"
            " zen.example; https://zen.example/query/ip/{ip}"),
    Refusal("CONNECT", 521, "5.7.1", "<{client}>: Client host rejected: go away; see"
            " https://example.com/why?x=1; from=<a@example.org> to=<c@example.com>"),
    Refusal("CONNECT", 550, "5.7.1", "rejected by policy", "milter-reject"),
    Refusal("EHLO", 504, "5.5.2", "<{helo}>: Helo command rejected: need fully-qualified hostname"),
    Refusal("EHLO", 451, "4.7.1", "Service unavailable - try again later", "milter-reject"),
    Refusal("MAIL", 450, "4.1.8", "<{sender}>: Sender address rejected: Domain not found"),
    Refusal("MAIL", 550, "5.7.1", "sender on local blocklist", "milter-reject"),
    Refusal("RCPT", 554, "5.7.1", "<{rcpt}>: Relay access denied"),
    Refusal("RCPT", 550, "5.1.1", "<{rcpt}>: Recipient address rejected: User unknown in virtual"
            " mailbox table"),
    Refusal("RCPT", 450, "4.2.0", "<{rcpt}>: Recipient address rejected: Greylisted, see"
            " http://greylist.example/help/example.com.html"),
    Refusal("RCPT", 554, "5.7.1", "Service unavailable; Client host [{ip}] blocked using"
            " zen.example; https://zen.example/query/ip/{ip}"),
    Refusal("RCPT", 550, "5.7.23", "<{rcpt}>: Recipient address rejected: Message rejected due to:"
            " SPF fail - not authorized. Please see http://spf.example/Why?s=mfrom;id={sender};"
            "ip={ip};r=<UNKNOWN>"),
    Refusal("RCPT", 450, "4.7.25", "Client host rejected: cannot find your hostname, [{ip}]"),
    Refusal("RCPT", 550, "5.1.1", "<{rcpt}>: Recipient address rejected: undeliverable address:"
            " host mx.example.com[192.0.2.25] said: 550 5.1.1 <{rcpt}>: User unknown (in reply to"
            " RCPT TO command)"),
    Refusal("RCPT", 550, "5.7.1", "Command rejected", "milter-reject"),
    Refusal("DATA", 503, "5.5.0", "<DATA>: Data command rejected: Improper use of SMTP command"
            " pipelining"),
)  # fmt: skip
WARNINGS = (
    Refusal("RCPT", 554, "5.7.1", "Service unavailable; Client host [{ip}] blocked using"
            " zen.example", "reject_warning"),
    Refusal("RCPT", None, None, "watched network; to=<x@example.net> helo=<z>", "warn"),
    Refusal("MAIL", None, None, "partner link", "info"),
)  # fmt: skip
LATE = (
    Refusal("DATA", 550, "5.5.3", "<DATA>: Data command rejected: Multi-recipient bounce"),
    Refusal("DATA", 451, "4.7.1", "Greylisting in action, please come back later", "milter-reject"),
    Refusal(
        "END-OF-MESSAGE", 554, "5.7.1", "<END-OF-MESSAGE>: End-of-data rejected: Access denied"
    ),
)
SECOND_RECIPIENT = Refusal("RCPT", 550, "5.1.1", "<{rcpt}>: Recipient address rejected: User"
                           " unknown in virtual mailbox table")  # fmt: skip
NOT_OWNER = Refusal("RCPT", 553, "5.7.1", "<{sender}>: Sender address rejected: not owned by user"
                    " {login}")  # fmt: skip
POSTSCREEN = (
    Refusal("RCPT", 450, "4.3.2", "Service currently unavailable"),
    Refusal("RCPT", 550, "5.7.1", "Service unavailable; client [{ip}] blocked using zen.example"),
    Refusal("RCPT", 550, "5.5.1", "Protocol error"),
)


REFUSED = {"reject", "milter-reject"}
VERDICT_NULLS = """
    queue_id client_name client_address client_port protocol_state reply_code dsn reason sender
    recipient protocol_name helo_name sasl_method sasl_username
""".split()


TAIL = (
    ("sender", " from=<{}>"),
    ("recipient", " to=<{}>"),
    ("protocol_name", " proto={}"),
    ("helo_name", " helo=<{}>"),
    ("sasl_method", " sasl_method={}"),
    ("sasl_username", " sasl_username={}"),
)


class Envelope(NamedTuple):
    """What a verdict line tells about the transaction."""

    sender: str
    recipient: str
    login: Login | None = None
    mail: Mail | None = None

    @property
    def queue_id(self) -> str | None:
        """The queue id in the line."""
        return self.mail.queue_id if self.mail else None


def verdict_row(machine: Machine, t: int, program: str, action: str, **columns: object) -> Row:
    """Give a row of noqueue; columns not named are NULL."""
    row: Row = dict.fromkeys(VERDICT_NULLS)
    row.update(mta=machine.name, t=t, daemon=program, action=action, **columns)
    row["refused"] = action in REFUSED
    row["temporary"] = str(row["dsn"] or "").startswith("4")
    return row


def _tail(session: Session, refusal: Refusal, envelope: Envelope) -> tuple[str, Row]:
    """Give the tail of a verdict line of smtpd, and its columns."""
    stage = refusal.stage
    row: Row = {"protocol_name": "SMTP" if stage in ("CONNECT", "EHLO") else "ESMTP"}
    if stage not in ("CONNECT", "EHLO"):
        row["sender"] = envelope.sender
        if stage != "MAIL":
            row["recipient"] = envelope.recipient
    if stage != "CONNECT":
        row["helo_name"] = session.client.helo
    if envelope.login and session.machine.version >= (3, 10):
        row["sasl_method"], row["sasl_username"] = envelope.login
    return written(row), row


def written(row: Row) -> str:
    """Give the tail of a verdict line: what the row knows, in Postfix's order."""
    known = {name: value for name, value in row.items() if value is not None}
    tail = "".join(text.format(known[name]) for name, text in TAIL if name in known)
    return f";{tail}"


def refuse(world: World, session: Session, t: int, refusal: Refusal, envelope: Envelope) -> Row:
    """Let smtpd log a verdict; give its row, already in the ledger."""
    reason = refusal.text.format(
        ip=session.client.address,
        client=session.peer,
        helo=session.client.helo,
        sender=unquoted(envelope.sender),
        rcpt=unquoted(envelope.recipient),
        login=envelope.login.username if envelope.login else "",
    )
    tail, columns = _tail(session, refusal, envelope)
    columns |= {"queue_id": envelope.queue_id, "protocol_state": refusal.stage}
    columns |= {"reply_code": refusal.code, "dsn": refusal.dsn, "reason": reason}
    row = verdict_row(session.machine, t, "smtpd", refusal.action, **session.columns, **columns)
    world.ledger.verdict(row, envelope.mail)
    codes = f"{refusal.code} {refusal.dsn} " if refusal.code else ""
    text = (
        f"{envelope.queue_id or 'NOQUEUE'}: {refusal.action}: {refusal.stage} from"
        f" {session.peer}: {codes}{reason}{tail}"
    )
    world.say(t, session.machine, session.ident, session.pid, text)
    return row


def some_envelope(world: World, login: Login | None = None) -> Envelope:
    """Give the envelope of some mail from outside to one of us."""
    sender = "" if world.rng.random() < 0.1 else world.cast.theirs()
    return Envelope(sender, world.cast.ours(), login)


def rejected(world: World, machine: Machine, t: int) -> Story:
    """A client is refused, once or for several recipients; no mail."""
    session = connect(world, machine, t, 3 * SECOND)
    refusal = world.rng.choice(REFUSALS)
    for number in range(world.rng.choice((1, 1, 1, 2, 3)) if refusal.stage == "RCPT" else 1):
        refuse(world, session, t + 60 * MS * (number + 1), refusal, some_envelope(world))
    disconnect(world, session, t + SECOND, "ehlo=1 mail=0/1 rcpt=0/1 commands=1/3")
    yield t


def not_owner(world: World, machine: Machine, t: int) -> Story:
    """A user with a login sends under another's name."""
    session = connect(world, machine, t, 3 * SECOND, Given(service="submission"))
    envelope = some_envelope(world, Login("PLAIN", world.cast.sasl_name()))
    refuse(world, session, t + 80 * MS, NOT_OWNER, envelope)
    disconnect(world, session, t + SECOND, "ehlo=1 auth=1 mail=1 rcpt=0/1 quit=1 commands=4/5")
    yield t


def postscreen(world: World, machine: Machine, t: int) -> Story:
    """The triage refuses a recipient; its line has commas, a port and no name."""
    client, rng = world.cast.client(), world.rng
    port, refusal = rng.randrange(1024, 65536), rng.choice(POSTSCREEN)
    peer, ident = f"[{client.address}]:{port}", machine.ident("postscreen")
    pid = machine.lone(ident)
    sender, recipient = some_envelope(world)[:2]
    helo = rng.choice(RAW_HELO_TRICKS) if rng.random() < 0.1 else client.helo
    reason = refusal.text.format(ip=client.address)
    t += 50 * MS
    row = verdict_row(
        *(machine, t, "postscreen", "reject"),
        client_address=client.address, client_port=port, sender=sender, recipient=recipient,
        protocol_name="ESMTP", helo_name=helo, protocol_state="RCPT",
        reply_code=refusal.code, dsn=refusal.dsn, reason=reason,
    )  # fmt: skip
    world.ledger.verdict(row)
    world.say(t - 40 * MS, machine, ident, pid, f"CONNECT from {peer} to [192.0.2.1]:25")
    text = (
        f"NOQUEUE: reject: RCPT from {peer}: {refusal.code} {refusal.dsn} {reason};"
        f" from=<{sender}>, to=<{recipient}>, proto=ESMTP, helo=<{helo}>"
    )
    world.say(t, machine, ident, pid, text)
    world.say(t + SECOND, machine, ident, pid, f"DISCONNECT {peer}")
    yield t


def refused_mail(mail: Mail, row: Row) -> None:
    """Enter into the mail what a verdict that ended it tells."""
    mail.sender(VERDICT, row["sender"])
    names = ("dsn", "reason", "protocol_state", "reply_code", "helo_name", "protocol_name")
    mail.seen(row["t"], accepted=False, verdict=row["action"], **{n: row[n] for n in names})


def refused_late(world: World, machine: Machine, t: int) -> Story:
    """The server refuses at DATA or after the message, when there already is a queue id."""
    refusal = world.rng.choice(LATE)
    session = connect(world, machine, t, 3 * SECOND)
    mail, t = client_line(world, session, t + 70 * MS)
    if refusal.stage == "END-OF-MESSAGE":
        t += 30 * MS
        message_id(world, mail, t)
    t += 20 * MS
    envelope = some_envelope(world)._replace(mail=mail)
    refused_mail(mail, refuse(world, session, t, refusal, envelope))
    canceled(world, mail, t + 5 * MS)
    counts = "ehlo=1 mail=1 rcpt=1 data=0/1 quit=1 commands=4/5"
    disconnect(world, session, t + SECOND, counts)
    yield t
