"""Mails and their stories: how they come in, who they are for, what becomes of them."""

from __future__ import annotations

from typing import Any

from traffic.arrivals import (
    MS,
    Given,
    Upstream,
    by_pickup,
    by_smtp,
    by_submission,
    client_line,
    connect,
    disconnect,
    message_id,
    open_mail,
)
from traffic.cast import Client
from traffic.ledger import Mail
from traffic.machine import Machine
from traffic.queueing import Plan, Recipient, canceled, through_queue
from traffic.refusals import SECOND_RECIPIENT, WARNINGS, Envelope, refuse
from traffic.world import SECOND, Story, World

OUR_AGENTS = ("virtual", "virtual", "socket", "lmtp", "local", "pipe")
PERSONS = (1000, 1001, 33)
OURSELVES = Client("localhost", "127.0.0.1", "localhost")


def planned(world: World, **options: Any) -> Plan:
    """A plan of some sender, seldom the null sender, and some size."""
    sender = "" if world.rng.random() < 0.03 else world.cast.theirs()
    plan = Plan(sender, world.rng.randrange(400, 90000))
    return plan._replace(**options)


def inwards(world: World, *fates: str, orig_to: str | None = None) -> Recipient:
    """One of us, and what each pass brings."""
    agent = world.rng.choice(OUR_AGENTS)
    return Recipient(world.cast.ours(), agent, fates or ("sent",), orig_to)


def outwards(world: World, *fates: str) -> Recipient:
    """Somebody elsewhere, and what each pass brings."""
    agent = world.rng.choice(("smtp", "smtp", "smtp", "relay"))
    return Recipient(world.cast.theirs(), agent, fates or ("sent",))


def distinct(rcpts: list[Recipient]) -> list[Recipient]:
    """Postfix delivers once per recipient and original recipient."""
    return list({(rcpt.address, rcpt.orig_to): rcpt for rcpt in rcpts}.values())


def inward(world: World, machine: Machine, t: int) -> Story:
    """A mail from outside to one of us."""
    mail, t = by_smtp(world, machine, t)
    yield from through_queue(world, mail, t, [inwards(world)], planned(world))


def two_mails(world: World, machine: Machine, t: int) -> Story:
    """A client brings two mails in one session."""
    session = connect(world, machine, t, 6 * SECOND)
    for _ in range(2):
        mail, t = client_line(world, session, t + 60 * MS)
        message_id(world, mail, t + 20 * MS)
        t += world.between(0.03, 0.5)
        plan, rcpt = planned(world), inwards(world)
        world.spawn(t, _on_its_way(world, mail, t, rcpt, plan))
    disconnect(world, session, t + 5 * MS, "ehlo=1 mail=2 rcpt=2 data=2 quit=1 commands=8")
    yield t


def submitted(world: World, machine: Machine, t: int) -> Story:
    """A user of ours writes to somebody elsewhere."""
    mail, t = by_submission(world, machine, t)
    plan = planned(world, sender=world.cast.ours())
    yield from through_queue(world, mail, t, [outwards(world)], plan)


def from_shell(world: World, machine: Machine, t: int) -> Story:
    """A program on the host sends a mail; the sender is completed on the way."""
    rng = world.rng
    name = rng.choice(("root", "www-data", f"ann@{machine.name}", ""))
    mail, t = by_pickup(world, machine, t, name, rng.choice(PERSONS))
    sender = f"{name}@{machine.name}" if name and "@" not in name else name
    plan = planned(world, sender=sender)
    yield from through_queue(world, mail, t, [rng.choice((inwards, outwards))(world)], plan)


def several(world: World, machine: Machine, t: int) -> Story:
    """A mail to several recipients whose fates differ; a wrong one may be refused meanwhile."""
    session = connect(world, machine, t, 4 * SECOND)
    mail, t = client_line(world, session, t + 60 * MS)
    plan = planned(world)
    if world.rng.random() < 0.4:
        envelope = Envelope(plan.sender, world.cast.ours(), mail=mail)
        refuse(world, session, t + 5 * MS, SECOND_RECIPIENT, envelope)
    message_id(world, mail, t + 20 * MS)
    disconnect(world, session, t + SECOND, "ehlo=1 mail=1 rcpt=3/4 data=1 quit=1 commands=7/8")
    fates = (("sent",), ("deferred", "sent"), ("bounced",), ("deferred", "deferred", "bounced"))
    makers = (inwards, outwards)
    rcpts = [
        world.rng.choice(makers)(world, *world.rng.choice(fates))
        for _ in range(world.rng.randrange(2, 6))
    ]
    yield from through_queue(world, mail, t + 30 * MS, distinct(rcpts), plan)


def aliased(world: World, machine: Machine, t: int) -> Story:
    """Three addresses of a mail lead to one person: three copies."""
    mail, t = by_smtp(world, machine, t)
    address, agent = world.cast.ours(), world.rng.choice(OUR_AGENTS)
    origs = ("both@example.com", None, "info@example.com")
    fates = ("sent",) if world.rng.random() < 0.8 else ("deferred", "sent")
    rcpts = [Recipient(address, agent, fates, orig) for orig in origs]
    rcpts.append(Recipient("ann@example.com", agent, ("sent",), "both@example.com"))
    yield from through_queue(world, mail, t, distinct(rcpts), planned(world))


def two_commands(world: World, machine: Machine, t: int) -> Story:
    """An alias to two commands: the same recipient sent and bounced in one pass."""
    mail, t = by_smtp(world, machine, t)
    rcpts = [
        Recipient("list@example.com", "local", ("sent",), "l@example.com", reply=1),
        Recipient("list@example.com", "local", ("bounced",), "l@example.com", reply=1),
    ]
    world.rng.shuffle(rcpts)
    yield from through_queue(world, mail, t, rcpts, planned(world))


def retried(world: World, machine: Machine, t: int) -> Story:
    """A mail is deferred, suspended now and then, and goes out in the end."""
    mail, t = by_smtp(world, machine, t)
    between = [world.rng.choice(("deferred", "skipped")) for _ in range(world.rng.randrange(3))]
    rcpt = outwards(world, "deferred", *between, "sent")
    yield from through_queue(world, mail, t, [rcpt], planned(world))


def unavailable(world: World, machine: Machine, t: int) -> Story:
    """A transport is missing at first: skipped, then delivered."""
    mail, t = by_smtp(world, machine, t)
    rcpt = outwards(world, "unavailable", "sent")
    yield from through_queue(world, mail, t, [rcpt], planned(world))


def expired(world: World, machine: Machine, t: int) -> Story:
    """A mail waits until its time is over and goes back; one recipient had got it."""
    mail, t = by_smtp(world, machine, t)
    rcpts = [outwards(world, "deferred", "skipped", "deferred"), outwards(world)]
    plan = planned(world, passes=3, expires=True, delay_notice=True)
    yield from through_queue(world, mail, t, distinct(rcpts), plan)


def waiting(world: World, machine: Machine, t: int) -> Story:
    """A mail is still in the queue when the log ends."""
    mail, t = by_smtp(world, machine, t)
    plan = planned(world, passes=world.rng.randrange(1, 4))
    rcpts = [outwards(world, "deferred")]
    if world.rng.random() < 0.5:
        rcpts.append(inwards(world, "bounced"))
    yield from through_queue(world, mail, t, rcpts, plan)


def bounced(world: World, machine: Machine, t: int) -> Story:
    """A mail cannot be delivered and its sender is told."""
    mail, t = by_smtp(world, machine, t)
    agent = world.rng.choice((*OUR_AGENTS, "smtp", "error"))
    address = world.cast.theirs() if agent == "smtp" else world.cast.ours()
    plan = planned(world, wants_notice=world.rng.random() < 0.9)
    yield from through_queue(world, mail, t, [Recipient(address, agent, ("bounced",))], plan)


def receipt(world: World, machine: Machine, t: int) -> Story:
    """A sender asked to be told of success."""
    mail, t = by_smtp(world, machine, t)
    yield from through_queue(world, mail, t, [inwards(world)], planned(world, success_notice=True))


def discarded(world: World, machine: Machine, t: int) -> Story:
    """A mail is thrown away although its status is sent."""
    mail, t = by_smtp(world, machine, t)
    agent, fate = world.rng.choice((("local", "discarded"), ("discard", "sent")))
    rcpt = Recipient(world.cast.ours(), agent, (fate,))
    yield from through_queue(world, mail, t, [rcpt], planned(world))


def filtered(world: World, machine: Machine, t: int) -> Story:
    """A mail goes through a content filter and comes back under a new id."""
    mail, t = by_smtp(world, machine, t)
    rng = world.rng
    upstream = Upstream(rng.choice((mail.queue_id, None)), str(mail.row["client_name"]))
    upstream = upstream._replace(client=f"{upstream.client}[{mail.row['client_address']}]")
    given = Given(OURSELVES, "10025", None, upstream, mail.row["message_id"])
    back, t2 = by_smtp(world, machine, t + 40 * MS, given)
    plan = planned(world)
    world.spawn(t2, _on_its_way(world, back, t2, inwards(world), plan))
    rcpt = Recipient(world.cast.ours(), "filter", ("sent",), None, back.queue_id, busy=t2 - t)
    yield from through_queue(world, mail, t, [rcpt], plan)


def _on_its_way(world: World, mail: Mail, t: int, rcpt: Recipient, plan: Plan) -> Story:
    yield from through_queue(world, mail, t, [rcpt], plan)


def forwarded(world: World, machine: Machine, t: int) -> Story:
    """A user's .forward sends a mail on under a new id."""
    mail, t = by_smtp(world, machine, t)
    plan = planned(world)
    born = t + 10 * MS
    copy = open_mail(world, machine, born, "forward")
    # Whether the record that names the copy counts among its lines is left open.
    copy.undecided("orig_queue_id", "t_f")
    message_id(world, copy, born, mail.row["message_id"])
    there = _on_its_way(world, copy, born + 5 * MS, outwards(world), plan)
    world.spawn(born + 5 * MS, there)
    address = f"bob@{machine.name}"
    rcpt = Recipient(
        *(address, "local", ("forwarded",), "bob@example.com", copy.queue_id), busy=30 * MS
    )
    yield from through_queue(world, mail, t, [rcpt], plan)


def probe(world: World, machine: Machine, t: int) -> Story:
    """Postfix asks another server whether an address exists."""
    mail = open_mail(world, machine, t, "probe")
    message_id(world, mail, t)
    plan = planned(world, sender=f"double-bounce@{machine.name}")
    yield from through_queue(world, mail, t + 5 * MS, [outwards(world, "probed")], plan)


def abandoned(world: World, machine: Machine, t: int) -> Story:
    """A call-out: the client asks for a recipient and leaves."""
    session = connect(world, machine, t, 3 * SECOND)
    mail, t = client_line(world, session, t + 60 * MS)
    canceled(world, mail, t + 20 * MS)
    disconnect(world, session, t + 22 * MS, "ehlo=1 mail=1 rcpt=1 quit=1 commands=4")
    yield t


def lost(world: World, machine: Machine, t: int) -> Story:
    """The connection breaks while the message comes in."""
    session = connect(world, machine, t, 30 * SECOND)
    mail, t = client_line(world, session, t + 60 * MS)
    if world.rng.random() < 0.5:
        message_id(world, mail, t + 30 * MS)
    t += world.between(0.5, 9)
    named = machine.version >= (3, 10)
    if named:
        mail.seen(t, protocol_state="DATA")
    else:
        # Which mail the line is about only the process tells: whether it counts is left open.
        mail.undecided("t_f")
    text = f"lost connection after DATA ({world.rng.randrange(9999)} bytes) from {session.peer}"
    prefix = f"{mail.queue_id}: " if named else ""
    world.say(t, machine, session.ident, session.pid, prefix + text)
    canceled(world, mail, t + 2 * MS)
    disconnect(world, session, t + 3 * MS, "ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4")
    yield t


def warned(world: World, machine: Machine, t: int) -> Story:
    """A restriction only warns; the mail comes in."""
    session = connect(world, machine, t, 3 * SECOND)
    rcpt, plan = inwards(world), planned(world)
    warning = world.rng.choice(WARNINGS)
    refuse(world, session, t + 50 * MS, warning, Envelope(plan.sender, rcpt.address))
    mail, t = client_line(world, session, t + 60 * MS)
    message_id(world, mail, t + 20 * MS)
    disconnect(world, session, t + SECOND, "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5")
    yield from through_queue(world, mail, t + 30 * MS, [rcpt], plan)
