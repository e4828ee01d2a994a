"""Verdicts of cleanup on a message's content: header checks, milters, limits."""

from __future__ import annotations

from typing import NamedTuple

from traffic.arrivals import MS, Session, by_pickup, client_line, connect, disconnect, message_id
from traffic.ledger import VERDICT, Mail, Record, Row
from traffic.machine import Machine
from traffic.mails import inwards, planned
from traffic.queueing import canceled, centis, left_open, notice, removed, through_queue
from traffic.refusals import Envelope, refused_mail, some_envelope, verdict_row, written
from traffic.world import SECOND, Story, World


class Rule(NamedTuple):
    """A rule that fires: verdict, its own text and code, and the header (None: a milter)."""

    action: str
    text: str
    dsn: str | None = None
    header: str | None = None


REFUSING = (
    Rule(
        "reject",
        "spam subject",
        "5.7.1",
        "Subject: Cheap pills; from=<a@example.org> to=<c@example.com>",
    ),
    Rule("reject", "try later", "4.7.1", "Received: from botnet (x [203.0.113.9])??by y; Fri"),
    Rule("milter-reject", "rejected by DMARC policy for example.net", "5.7.1"),
    Rule("milter-reject", "Service unavailable - try again later", "4.7.1"),
    Rule("milter-reject", "Spam rejected??550 5.7.1 see https://example.com/x; y", "5.7.1"),
)
HOLDING = (
    Rule(
        "hold", "manual review", None, "Subject: check me from x[192.0.2.7]; from=<a@example.org>"
    ),
    Rule("milter-hold", "spam score 9.1 over quarantine limit"),
)
DISCARDING = (
    Rule("discard", "virus", None, "X-Virus: EICAR: test"),
    Rule("milter-discard", "milter triggers DISCARD action"),
)
WARNING = Rule("warning", "watch this", None, "Subject: Invoice: 1")
# Both lines of Postfix's name the mail behind the severity, and nobody.
LIMITS = (
    ("cleanup", "message rejected: hopcount exceeded"),
    ("smtpd", "queue file size limit exceeded"),
)


def content_verdict(world: World, session: Session, t: int, rule: Rule, envelope: Envelope) -> Row:
    """Let cleanup log a verdict; give its row, already in the ledger."""
    client = session.client
    row = verdict_row(
        *(session.machine, t, "cleanup", rule.action),
        queue_id=envelope.queue_id, client_name=client.name, client_address=client.address,
        sender=envelope.sender, recipient=envelope.recipient, protocol_name="ESMTP",
        helo_name=client.helo, dsn=rule.dsn, reason=rule.text,
    )  # fmt: skip
    text = f"{rule.dsn} {rule.text}" if rule.dsn else rule.text
    if rule.header is None:
        row["protocol_state"] = "END-OF-MESSAGE"
        origin = f"END-OF-MESSAGE from {client.name}[{client.address}]"
        text = f"{origin}: {text}{written(row)}"
    else:
        row["client_port"] = session.columns["client_port"]
        text = f"header {rule.header} from {session.peer}{written(row)}: {text}"
    world.ledger.verdict(row, envelope.mail)
    _say(world, session.machine, t, f"{envelope.queue_id}: {rule.action}: {text}")
    return row


def _say(world: World, machine: Machine, t: int, text: str) -> None:
    ident = machine.ident("cleanup")
    world.say(t, machine, ident, machine.process(ident, t, t + 10 * MS), text)


def _transaction(world: World, machine: Machine, t: int) -> tuple[Session, Mail, int]:
    session = connect(world, machine, t, 4 * SECOND)
    mail, t = client_line(world, session, t + 70 * MS)
    return session, mail, t + 20 * MS


def content_refused(world: World, machine: Machine, t: int) -> Story:
    """A header check or a milter refuses; its line may come before the Message-ID's."""
    session, mail, t = _transaction(world, machine, t)
    envelope = some_envelope(world)._replace(mail=mail)
    rule = world.rng.choice(REFUSING)
    refused_mail(mail, content_verdict(world, session, t, rule, envelope))
    message_id(world, mail, t + world.rng.choice((-5, 5)) * MS)
    canceled(world, mail, t + 15 * MS)
    disconnect(world, session, t + SECOND, "ehlo=1 mail=1 rcpt=2 data=0/1 quit=1 commands=5/6")
    yield t


def content_discarded(world: World, machine: Machine, t: int) -> Story:
    """A header check or a milter throws a mail away; the client is told that all is well."""
    session, mail, t = _transaction(world, machine, t)
    envelope = some_envelope(world)._replace(mail=mail)
    message_id(world, mail, t - 3 * MS)
    row = content_verdict(world, session, t, world.rng.choice(DISCARDING), envelope)
    mail.sender(VERDICT, envelope.sender)
    mail.seen(t, verdict=row["action"])
    # Not refused, and never queued: whether that is accepted is left open.
    mail.undecided("accepted")
    _discarded(world, mail, t + 5 * MS)
    disconnect(world, session, t + SECOND, "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5")
    yield t


def _discarded(world: World, mail: Mail, t: int) -> None:
    if mail.machine.version >= (3, 10):
        removed(world, mail, t, "cleanup", "discarded")
    else:
        left_open(world, mail, t)


def content_warned(world: World, machine: Machine, t: int) -> Story:
    """A header check warns, another remarks; the mail goes its way."""
    session, mail, t = _transaction(world, machine, t)
    rcpt, plan = inwards(world), planned(world)
    message_id(world, mail, t)
    envelope = Envelope(plan.sender, rcpt.address, mail=mail)
    content_verdict(world, session, t, WARNING, envelope)
    remark = f"info: header X-Y: to=<x@example.net>, status=sent (hi) from {session.peer}; from=<> to=<a@example.org>"
    _say(world, machine, t, f"{mail.queue_id}: {remark} proto=ESMTP helo=<x>: seen")
    disconnect(world, session, t + SECOND, "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5")
    yield from through_queue(world, mail, t + 30 * MS, [rcpt], plan)


def over_limit(world: World, machine: Machine, t: int) -> Story:
    """A mail is too large, or went in a circle; the line names nobody."""
    session, mail, t = _transaction(world, machine, t)
    message_id(world, mail, t)
    program, text = world.rng.choice(LIMITS)
    t += 30 * MS
    mail.seen(t, accepted=False)
    if program == "smtpd":
        text = f"warning: {mail.queue_id}: {text}"
        world.say(t, machine, session.ident, session.pid, text)
    else:
        _say(world, machine, t, f"warning: {mail.queue_id}: {text}")
    canceled(world, mail, t + 5 * MS)
    disconnect(world, session, t + SECOND, "ehlo=1 mail=1 rcpt=1 data=0/1 quit=1 commands=4/5")
    yield t


def bounced_at_home(world: World, machine: Machine, t: int) -> Story:
    """A header check refuses a mail of sendmail's: cleanup itself writes the delivery record."""
    sender, recipient = f"ann@{machine.name}", world.cast.theirs()
    mail, t = by_pickup(world, machine, t, sender, 1000)
    mail.sender(VERDICT, sender)
    row = verdict_row(
        *(machine, t, "cleanup", "reject"),
        queue_id=mail.queue_id, sender=sender, recipient=recipient, dsn="5.7.1", reason="no pills",
    )  # fmt: skip
    world.ledger.verdict(row, mail)
    mail.seen(t, verdict="reject")
    # Refused by cleanup, but not to a client: whether accepted is false or unknown is left open.
    mail.undecided("accepted")
    text = f"reject: header Subject: pills from local{written(row)}: 5.7.1 no pills"
    _say(world, machine, t, f"{mail.queue_id}: {text}")
    t += 20 * MS
    _cleanup_record(world, mail, t, recipient)
    t = notice(world, mail, t, "sender non-delivery", recipient=sender)
    _discarded(world, mail, t + 5 * MS)
    yield t


def _cleanup_record(world: World, mail: Mail, t: int, recipient: str) -> None:
    delay, reason = centis(t - mail.arrived), "message content rejected"
    record = Record(
        *(t, t, "cleanup", None, "none", None, None, None, float(delay)),
        *((float(delay), 0.0, 0.0, 0.0), None, "5.7.1", "bounced", None, reason, None),
        skipped=False,
    )
    mail.record(recipient, None, record)
    text = f"to=<{recipient}>, relay=none, delay={delay}, delays={delay}/0/0/0, dsn=5.7.1"
    _say(world, mail.machine, t, f"{mail.queue_id}: {text}, status=bounced ({reason})")
