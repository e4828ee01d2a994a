"""A mail's way through the queue: passes, delivery records, retries, notices, its end.

A pass is one ``queue active`` with the records that follow. Recipients still waiting are tried
again in the next; what each pass brings them was decided when the mail was made.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import NamedTuple

from traffic.arrivals import MS, message_id, open_mail
from traffic.cast import LOCAL_DOMAIN, REMOTE_DOMAINS, Server
from traffic.ledger import QMGR, Mail, Record
from traffic.machine import Machine
from traffic.replies import AGENTS, Agent, Reply
from traffic.world import SECOND, Story, World


class Recipient(NamedTuple):
    """One recipient and what each pass brings; the last fate holds for all later passes.

    ``reply`` picks one wording, ``busy`` is the least time (microseconds) an attempt takes.
    """

    address: str
    agent: str
    fates: tuple[str, ...] = ("sent",)
    orig_to: str | None = None
    next_queue_id: str | None = None
    reply: int | None = None
    busy: int = 0


class Plan(NamedTuple):
    """How a mail's time in the queue goes; a recipient still waiting after ``passes`` ends it."""

    sender: str
    size: int
    passes: int = 9
    expires: bool = False
    delay_notice: bool = False
    success_notice: bool = False
    wants_notice: bool = True


def centis(span: int) -> str:
    """Write a span as Postfix does: two digits, at most two decimals, no trailing zeros."""
    if span >= 10 * SECOND:
        return str(span // SECOND)
    hundredths = span // (10 * MS)
    if hundredths >= 100:
        hundredths -= hundredths % 10
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")


def active(world: World, mail: Mail, t: int, plan: Plan, recipients: int) -> None:
    """Let the queue manager take the mail up."""
    machine = mail.machine
    row = mail.row
    mail.sender(QMGR, plan.sender)
    mail.seen(t, size=plan.size, nrcpt=max(recipients, row["nrcpt"] or 0), accepted=True)
    if row["queued_at"] is None:
        mail.seen(t, queued_at=t)
    text = f"from=<{plan.sender}>, size={plan.size}, nrcpt={recipients} (queue active)"
    world.say(t, machine, machine.ident("qmgr"), machine.qmgr, f"{mail.queue_id}: {text}")


def _relay(world: World, machine: Machine, rcpt: Recipient, agent: Agent) -> Server | None:
    """Give the server that the agent talks to; None for agents that talk to nobody."""
    if rcpt.agent in ("smtp", "relay", "retry"):
        return world.cast.server(rcpt.address)
    if rcpt.agent in ("filter", "lmtp"):
        return Server("127.0.0.1", "127.0.0.1", int(agent.relay.rpartition(":")[2]))
    return Server(machine.name, "private/dovecot-lmtp", 0) if rcpt.agent == "socket" else None


def _tries(world: World, rcpt: Recipient, fate: str) -> str:
    """Say who writes the record: where nothing is tried, error(8) or the queue manager."""
    writers = {"skipped": ("retry", "error"), "unavailable": ("retry", "error", "qmgr")}
    return world.rng.choice(writers.get(fate, (rcpt.agent,)))


def _next_id(world: World) -> str:
    """Give an id that some other mail server gave the mail."""
    rng = world.rng
    if rng.random() < 0.5:
        return f"{rng.randrange(10**6):05X}{rng.randrange(0x1000, 0xFFFFF):X}"
    return f"4b{rng.randrange(10**8, 10**9)}z{rng.choice('BCDF')}{rng.randrange(100, 999)}"


def _reply(world: World, agent: Agent, rcpt: Recipient, fate: str) -> Reply:
    replies = agent.fates[fate]
    return world.rng.choice(replies) if rcpt.reply is None else replies[rcpt.reply]


def _relay_columns(
    reply: Reply, server: Server | None
) -> tuple[str | None, str | None, int | None]:
    """Give relay_name, relay_address, relay_port; a failed connection is named by the reason."""
    if reply.via == "none" or server is None:
        return None, None, None
    if not server.port:
        return server.name, None, None
    return server.name, server.address, server.port


def _tls(machine: Machine, agent: Agent, reply: Reply) -> str | None:
    """Give the TLS level that 3.11 writes into records of the SMTP client."""
    if machine.version < (3, 11) or agent.program != "smtp":
        return None
    return "may" if reply.via == "host" else "may?"


def deliver_once(world: World, mail: Mail, t: int, rcpt: Recipient, fate: str) -> Record:
    """Let an agent log one delivery record, in the pass that began at t."""
    machine, agent = mail.machine, AGENTS[_tries(world, rcpt, fate)]
    reply, server = _reply(world, agent, rcpt, fate), _relay(world, mail.machine, rcpt, agent)
    in_qmgr, setup, sending = world.between(0, 0.03), 0, world.between(0.005, 0.3)
    if server:
        setup, sending = world.between(0, 1.5), world.between(0.01, 2)
    sending = max(sending, rcpt.busy)
    end = t + in_qmgr + setup + sending
    spans = [centis(span) for span in (t - mail.arrived, in_qmgr, setup, sending)]
    delay = centis(end - mail.arrived)
    next_id = (rcpt.next_queue_id or _next_id(world)) if reply.queued else None
    host = f"{server.name}[{server.address}]" if server else ""
    names = {"host": host, "port": server.port if server else "", "mta": machine.name}
    relay = agent.relay.format(**names) if reply.via == "host" else "none"
    reason = reply.text.format(rcpt=rcpt.address, next=next_id, **names)
    tls = _tls(machine, agent, reply)
    name, address, port = _relay_columns(reply, server)
    a, b, c, d = (float(span) for span in spans)
    record = Record(
        *(end, t, agent.program, agent.service, relay, name, address, port),
        *(float(delay), (a, b, c, d), tls, reply.dsn, reply.status, reply.code, reason, next_id),
        skipped=agent.program in ("error", "qmgr") and reply.status == "deferred",
    )
    orig_to = f", orig_to=<{rcpt.orig_to}>" if rcpt.orig_to is not None else ""
    reused = ", conn_use=2" if agent.program == "smtp" and world.rng.random() < 0.05 else ""
    text = (
        f"{mail.queue_id}: to=<{rcpt.address}>{orig_to}, relay={relay}{reused}, delay={delay},"
        f" delays={'/'.join(spans)}{f', tls={tls}' if tls else ''}, dsn={reply.dsn},"
        f" status={reply.status} ({reason})"
    )
    ident = machine.ident(agent.program, agent.service)
    lone = agent.program == "qmgr"
    pid = machine.qmgr if lone else machine.process(ident, t + in_qmgr, end)
    world.say(end, machine, ident, pid, text)
    mail.record(rcpt.address, rcpt.orig_to, record)
    return record


def removed(world: World, mail: Mail, t: int, program: str = "qmgr", note: str = "") -> None:
    """Let the queue file go, as qmgr, postsuper or (with a note) cleanup say it."""
    machine = mail.machine
    by = note or program
    mail.seen(t, removed_at=t, removed_by=by)
    ident = machine.ident(program)
    pid = machine.qmgr if program == "qmgr" else machine.process(ident, t, t + MS)
    text = f"{mail.queue_id}: removed{f' ({note})' if note else ''}"
    world.say(t, machine, ident, pid, text)
    machine.ended(t, mail.queue_id)


def left_open(world: World, mail: Mail, t: int) -> None:
    """Let the queue file go without a word."""
    mail.machine.left_open(t, mail.queue_id)
    world.ledger.left_open(mail)


def notice(
    world: World, mail: Mail, t: int, words: str, *, recipient: str = "", wanted: bool = True
) -> int:
    """Let bounce(8) send a notice about a mail; give the moment when that is done.

    Since 3.11 the link is logged before the notice's own first line, before that after it; and
    it is logged even if nobody wants the notice, before that only if it was sent.
    """
    machine = mail.machine
    first, second = t + 2 * MS, t + 6 * MS
    linked, born = (first, second) if machine.version >= (3, 11) else (second, first)
    named = wanted or machine.version >= (3, 11)
    new = open_mail(world, machine, first if named else born, "notice" if named else "unknown")
    if named:
        new.seen(linked, notification=words, notification_for=mail.queue_id)
        new.about = mail
        mail.seen(linked)
        ident = machine.ident("bounce")
        text = f"{mail.queue_id}: {words} notification: {new.queue_id}"
        world.say(linked, machine, ident, machine.process(ident, t, second), text)
    message_id(world, new, born)
    t = born + 5 * MS
    if wanted:
        world.spawn(t, _notice_story(world, new, t, recipient or mail.envelope_sender))
    else:
        canceled(world, new, t)
    return second


def canceled(world: World, mail: Mail, t: int) -> None:
    """End a transaction that was not completed: logged by 3.10 and later only."""
    if mail.machine.version >= (3, 10):
        removed(world, mail, t, "cleanup", "canceled")
    else:
        left_open(world, mail, t)


def _notice_story(world: World, new: Mail, t: int, recipient: str) -> Story:
    fates = ("deferred", "sent") if world.rng.random() < 0.1 else ("sent",)
    plan = Plan("", world.rng.randrange(2000, 6000))
    yield from through_queue(
        world, new, t, [Recipient(recipient, agent_for(recipient), fates)], plan
    )


def agent_for(address: str) -> str:
    """Give the usual agent for an address."""
    domain = address.rpartition("@")[2]
    if domain == LOCAL_DOMAIN:
        return "virtual"
    return "smtp" if domain in REMOTE_DOMAINS else "local"


def one_pass(
    world: World, mail: Mail, t: int, number: int, waiting: Sequence[Recipient]
) -> tuple[list[Recipient], list[Record]]:
    """Try all waiting recipients; give those that still wait, and the records."""
    still, records = [], []
    for rcpt in waiting:
        fate = rcpt.fates[min(number, len(rcpt.fates) - 1)]
        record = deliver_once(world, mail, t + 2 * MS, rcpt, fate)
        records.append(record)
        if record.status == "deferred":
            still.append(rcpt)
    return still, records


def through_queue(
    world: World, mail: Mail, t: int, rcpts: Sequence[Recipient], plan: Plan
) -> Generator[int, None, int]:
    """Take a mail through the queue until it is removed, expires, or the plan leaves it there.

    Gives the moment of the last line.
    """
    waiting = list(rcpts)
    for number in range(plan.passes):
        yield t
        active(world, mail, t, plan, len(rcpts))
        # All records of a pass share the first delay, so the pass begins at one moment.
        waiting, records = one_pass(world, mail, t, number, waiting)
        t = max(record.t for record in records) + MS
        if any(record.status == "bounced" for record in records) and plan.sender:
            t = notice(world, mail, t, "sender non-delivery", wanted=plan.wants_notice)
        if plan.delay_notice and plan.sender and number == 1 and waiting:
            t = notice(world, mail, t, "sender delay")
        if not waiting or number + 1 == plan.passes:
            break
        t += world.between(5, 25 if number else 7) * 60
    if waiting and plan.expires:
        t = _expire(world, mail, t, plan)
    if plan.expires or not waiting:
        t = _end(world, mail, t, plan)
    return t


def _end(world: World, mail: Mail, t: int, plan: Plan) -> int:
    if plan.success_notice and plan.sender:
        t = notice(world, mail, t, "sender delivery status")
    removed(world, mail, t + MS)
    return t + MS


def _expire(world: World, mail: Mail, t: int, plan: Plan) -> int:
    machine = mail.machine
    mail.seen(t, expired_at=t)
    text = f"{mail.queue_id}: from=<{plan.sender}>, status=expired, returned to sender"
    world.say(t, machine, machine.ident("qmgr"), machine.qmgr, text)
    return notice(world, mail, t, "sender non-delivery") if plan.sender else t
