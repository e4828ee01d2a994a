"""Verdicts: what smtpd, postscreen, cleanup and milters refuse, warn of, hold.

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
from traffic.queueing import left_open, removed
from traffic.world import SECOND, Story, World


class Refusal(NamedTuple):
    """One wording of smtpd: the stage, SMTP code, enhanced code, text, and the verdict."""

    stage: str
    code: int
    dsn: str
    text: str
    action: str = "reject"


REFUSALS = (
    Refusal("CONNECT", 554, "5.7.1", "Service unavailable; Client host [{ip}] blocked using"
            " zen.example; https://zen.example/query/ip/{ip}"),
    Refusal("CONNECT", 521, "5.7.1", "<{client}>: Client host rejected: go away; see"
            " https://example.com/why?x=1; from=<a@b> to=<c@d>"),
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
WARNING = Refusal("RCPT", 554, "5.7.1", "Service unavailable; Client host [{ip}] blocked using"
                  " zen.example", "reject_warning")  # fmt: skip
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


class Rule(NamedTuple):
    """A header check that fires: the header, the verdict, the rule's own text, its code."""

    header: str
    action: str
    text: str
    dsn: str | None = None


HEADERS_REFUSED = (
    Rule("Subject: Cheap pills; from=<a@b> to=<c@d>", "reject", "spam subject", "5.7.1"),
    Rule("Received: from botnet (x [203.0.113.9])??by y; Fri", "reject", "try later", "4.7.1"),
)
HOLD = Rule("Subject: check me", "hold", "manual review")
MILTER_REFUSED = (
    ("5.7.1", "rejected by DMARC policy for example.net"),
    ("4.7.1", "Service unavailable - try again later"),
    ("5.7.1", "Spam message rejected??550 5.7.1 see https://example.com/x; y"),
)
REFUSED = {"reject", "milter-reject"}
VERDICT_NULLS = """
    queue_id client_name client_address client_port protocol_state reply_code dsn reason sender
    recipient protocol_name helo_name sasl_method sasl_username
""".split()


class Envelope(NamedTuple):
    """What a verdict line tells about the transaction."""

    sender: str
    recipient: str
    login: Login | None = None
    queue_id: str | None = None


def _row(machine: Machine, t: int, program: str, action: str, **columns: object) -> Row:
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
    return _written(row), row


def _written(row: Row) -> str:
    parts = [
        f" from=<{row['sender']}>" if "sender" in row else "",
        f" to=<{row['recipient']}>" if "recipient" in row else "",
        f" proto={row['protocol_name']}",
        f" helo=<{row['helo_name']}>" if "helo_name" in row else "",
    ]
    if "sasl_username" in row:
        parts.append(f" sasl_method={row['sasl_method']} sasl_username={row['sasl_username']}")
    return ";" + "".join(parts)


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
    row = _row(session.machine, t, "smtpd", refusal.action, **session.columns, **columns)
    row.update(reply_code=refusal.code, dsn=refusal.dsn, reason=reason)
    row.update(protocol_state=refusal.stage, queue_id=envelope.queue_id)
    row["temporary"] = refusal.dsn.startswith("4")
    world.ledger.verdict(row)
    text = (
        f"{envelope.queue_id or 'NOQUEUE'}: {refusal.action}: {refusal.stage} from"
        f" {session.peer}: {refusal.code} {refusal.dsn} {reason}{tail}"
    )
    world.say(t, session.machine, session.ident, session.pid, text)
    return row


def _envelope(world: World, login: Login | None = None) -> Envelope:
    sender = "" if world.rng.random() < 0.1 else world.cast.theirs()
    return Envelope(sender, world.cast.ours(), login)


def rejected(world: World, machine: Machine, t: int) -> Story:
    """A client is refused, once or for several recipients; no mail."""
    session = connect(world, machine, t, 3 * SECOND)
    refusal = world.rng.choice(REFUSALS)
    for number in range(world.rng.choice((1, 1, 1, 2, 3)) if refusal.stage == "RCPT" else 1):
        refuse(world, session, t + 60 * MS * (number + 1), refusal, _envelope(world))
    disconnect(world, session, t + SECOND, "ehlo=1 mail=0/1 rcpt=0/1 commands=1/3")
    yield t


def not_owner(world: World, machine: Machine, t: int) -> Story:
    """A user with a login sends under another's name."""
    session = connect(world, machine, t, 3 * SECOND, Given(service="submission"))
    envelope = _envelope(world, Login("PLAIN", world.cast.sasl_name()))
    refuse(world, session, t + 80 * MS, NOT_OWNER, envelope)
    disconnect(world, session, t + SECOND, "ehlo=1 auth=1 mail=1 rcpt=0/1 quit=1 commands=4/5")
    yield t


def postscreen(world: World, machine: Machine, t: int) -> Story:
    """The triage refuses a recipient; its line has commas, a port and no name."""
    client, rng = world.cast.client(), world.rng
    port, refusal = rng.randrange(1024, 65536), rng.choice(POSTSCREEN)
    peer, ident = f"[{client.address}]:{port}", machine.ident("postscreen")
    pid = machine.lone(ident)
    sender, recipient = _envelope(world)[:2]
    helo = rng.choice(RAW_HELO_TRICKS) if rng.random() < 0.1 else client.helo
    reason = refusal.text.format(ip=client.address)
    t += 50 * MS
    row = _row(machine, t, "postscreen", "reject", client_address=client.address, client_port=port)
    row.update(sender=sender, recipient=recipient, protocol_name="ESMTP", helo_name=helo)
    row.update(reply_code=refusal.code, dsn=refusal.dsn, reason=reason, protocol_state="RCPT")
    row["temporary"] = refusal.dsn.startswith("4")
    world.ledger.verdict(row)
    world.say(t - 40 * MS, machine, ident, pid, f"CONNECT from {peer} to [192.0.2.1]:25")
    text = (
        f"NOQUEUE: reject: RCPT from {peer}: {refusal.code} {refusal.dsn} {reason};"
        f" from=<{sender}>, to=<{recipient}>, proto=ESMTP, helo=<{helo}>"
    )
    world.say(t, machine, ident, pid, text)
    world.say(t + SECOND, machine, ident, pid, f"DISCONNECT {peer}")
    yield t


def canceled(world: World, mail: Mail, t: int) -> None:
    """End a transaction that was not completed: logged by 3.10 and later only."""
    if mail.machine.version >= (3, 10):
        removed(world, mail, t, "cleanup", "canceled")
    else:
        left_open(world, mail, t)


def _refused_mail(mail: Mail, row: Row) -> None:
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
    envelope = _envelope(world)._replace(queue_id=mail.queue_id)
    _refused_mail(mail, refuse(world, session, t, refusal, envelope))
    canceled(world, mail, t + 5 * MS)
    counts = "ehlo=1 mail=1 rcpt=1 data=0/1 quit=1 commands=4/5"
    disconnect(world, session, t + SECOND, counts)
    yield t


def _by_cleanup(t: int, session: Session, envelope: Envelope, action: str) -> Row:
    row = _row(session.machine, t, "cleanup", action)
    row.update(queue_id=envelope.queue_id)
    row.update(client_name=session.client.name, client_address=session.client.address)
    row.update(sender=envelope.sender, recipient=envelope.recipient)
    row.update(protocol_name="ESMTP", helo_name=session.client.helo)
    return row


def _say_cleanup(world: World, machine: Machine, t: int, text: str) -> None:
    ident = machine.ident("cleanup")
    world.say(t, machine, ident, machine.process(ident, t, t + 10 * MS), text)


def milter_refused(world: World, machine: Machine, t: int) -> Story:
    """A milter refuses the whole message; only the last recipient is named."""
    session = connect(world, machine, t, 3 * SECOND)
    mail, t = client_line(world, session, t + 70 * MS)
    envelope = _envelope(world)._replace(queue_id=mail.queue_id)
    dsn, reason = world.rng.choice(MILTER_REFUSED)
    message_id(world, mail, t + 20 * MS)
    t += 60 * MS
    row = _by_cleanup(t, session, envelope, "milter-reject")
    row.update(dsn=dsn, reason=reason, protocol_state="END-OF-MESSAGE")
    row["temporary"] = dsn.startswith("4")
    world.ledger.verdict(row)
    _refused_mail(mail, row)
    origin = f"{session.client.name}[{session.client.address}]"
    text = f"milter-reject: END-OF-MESSAGE from {origin}: {dsn} {reason}{_written(_known(row))}"
    _say_cleanup(world, machine, t, f"{mail.queue_id}: {text}")
    canceled(world, mail, t + 5 * MS)
    disconnect(world, session, t + SECOND, "ehlo=1 mail=1 rcpt=2 data=0/1 quit=1 commands=5/6")
    yield t


def _known(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


def header_refused(world: World, machine: Machine, t: int) -> Story:
    """A header check refuses; its line may come before the Message-ID's."""
    session = connect(world, machine, t, 3 * SECOND)
    mail, t = client_line(world, session, t + 70 * MS)
    t += 20 * MS
    envelope = _envelope(world)._replace(queue_id=mail.queue_id)
    rule = world.rng.choice(HEADERS_REFUSED)
    _refused_mail(mail, header_verdict(world, session, t, rule, envelope))
    message_id(world, mail, t + world.rng.choice((-5, 5)) * MS)
    canceled(world, mail, t + 15 * MS)
    disconnect(world, session, t + SECOND, "ehlo=1 mail=1 rcpt=1 data=0/1 quit=1 commands=4/5")
    yield t


def header_verdict(world: World, session: Session, t: int, rule: Rule, envelope: Envelope) -> Row:
    """Let cleanup log a verdict of header_checks; give its row, already in the ledger."""
    row = _by_cleanup(t, session, envelope, rule.action)
    row.update(dsn=rule.dsn, reason=rule.text, client_port=session.columns["client_port"])
    row["temporary"] = (rule.dsn or "").startswith("4")
    world.ledger.verdict(row)
    head = f"{rule.action}: header {rule.header} from {session.peer}"
    text = f"{rule.dsn} {rule.text}" if rule.dsn else rule.text
    tail = _written(_known(row))
    _say_cleanup(world, session.machine, t, f"{envelope.queue_id}: {head}{tail}: {text}")
    return row


def header_remark(world: World, mail: Mail, t: int, session: Session) -> None:
    """Let cleanup remark on a header: changes nothing, makes no row."""
    text = f"header Subject: to=<x@y>, status=sent (hi) from {session.peer}; from=<a@example.org>"
    text = f"{mail.queue_id}: info: {text}"
    _say_cleanup(world, session.machine, t, f"{text} to=<b@example.com> proto=ESMTP helo=<x>: seen")
