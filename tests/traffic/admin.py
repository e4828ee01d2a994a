"""What an administrator does to mails in the queue: hold, release, delete, requeue."""

from __future__ import annotations

from collections.abc import Generator

from traffic.arrivals import MS, by_requeue, by_smtp, client_line, connect, disconnect, message_id
from traffic.content import HOLDING, content_verdict
from traffic.ledger import VERDICT, Mail
from traffic.machine import Machine
from traffic.mails import distinct, inwards, outwards, planned
from traffic.queueing import Plan, Recipient, agent_for, left_open, removed, through_queue
from traffic.refusals import Envelope
from traffic.world import SECOND, Story, World


def held(world: World, machine: Machine, t: int) -> Story:
    """A rule holds a mail; an administrator lets it go, or deletes it, or neither."""
    session = connect(world, machine, t, 4 * SECOND)
    mail, t = client_line(world, session, t + 60 * MS)
    rcpt, plan = inwards(world), planned(world)
    message_id(world, mail, t + 10 * MS)
    t += 12 * MS
    rule = world.rng.choice(HOLDING)
    envelope = Envelope(plan.sender, rcpt.address, mail=mail)
    content_verdict(world, session, t, rule, envelope)
    mail.seen(t, held_at=t, hold_reason=rule.text, verdict=rule.action, accepted=True)
    mail.sender(VERDICT, plan.sender)
    disconnect(world, session, t + SECOND, "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5")
    yield from _after_hold(world, mail, t, rcpt, plan)


def _after_hold(world: World, mail: Mail, t: int, rcpt: Recipient, plan: Plan) -> Story:
    t += world.between(60, 2000)
    yield t
    fate = world.rng.random()
    if fate < 0.2:
        _deleted(world, mail, t)
    elif fate < 0.8:
        _postsuper(world, mail, t, "released from hold", "Released from hold: 1 message")
        mail.seen(t, released_at=t)
        yield from through_queue(world, mail, t + SECOND, [rcpt], plan)


def _postsuper(world: World, mail: Mail, t: int, text: str, total: str) -> None:
    ident = mail.machine.ident("postsuper")
    pid = mail.machine.process(ident, t, t + 5 * MS)
    if text:
        world.say(t, mail.machine, ident, pid, f"{mail.queue_id}: {text}")
    world.say(t + MS, mail.machine, ident, pid, total)


def _deleted(world: World, mail: Mail, t: int) -> None:
    removed(world, mail, t, "postsuper")
    _postsuper(world, mail, t, "", "Deleted: 1 message")


def _stuck(world: World, machine: Machine, t: int) -> Generator[int, None, tuple[Mail, int, Plan]]:
    """A mail that was tried once or twice and waits for an administrator."""
    mail, t = by_smtp(world, machine, t)
    plan = planned(world, passes=world.rng.randrange(1, 3))
    rcpts = distinct([outwards(world, "deferred"), inwards(world)])
    t = yield from through_queue(world, mail, t, rcpts, plan)
    t += world.between(60, 290)
    yield t
    return mail, t, plan


def deleted(world: World, machine: Machine, t: int) -> Story:
    """An administrator deletes a deferred mail."""
    mail, t, _ = yield from _stuck(world, machine, t)
    _deleted(world, mail, t)


def deleted_unsaid(world: World, machine: Machine, t: int) -> Story:
    """An administrator deletes all deferred mails at once: the log has their number only."""
    mail, t, _ = yield from _stuck(world, machine, t)
    _postsuper(world, mail, t, "", "Deleted: 1 message")
    left_open(world, mail, t)


def held_by_hand(world: World, machine: Machine, t: int) -> Story:
    """An administrator holds a deferred mail and releases it later."""
    mail, t, plan = yield from _stuck(world, machine, t)
    _postsuper(world, mail, t, "placed on hold", "Placed on hold: 1 message")
    mail.seen(t, held_at=t)
    mail.undecided("hold_reason")
    yield from _after_hold(world, mail, t, _left(mail), plan._replace(passes=9))


def _left(mail: Mail) -> Recipient:
    """The recipient that is still deferred, as it will be delivered."""
    address = next(k[0] for k, records in mail.records.items() if records[-1].status == "deferred")
    return Recipient(address, agent_for(address))


def requeued(world: World, machine: Machine, t: int) -> Story:
    """An administrator requeues a deferred mail: it goes on under a new id."""
    mail, t, plan = yield from _stuck(world, machine, t)
    _postsuper(world, mail, t, "requeued", "Requeued: 1 message")
    mail.seen(t, removed_at=t, removed_by="requeued")
    t += world.between(0.1, 20)
    new, t = by_requeue(world, mail, t)
    mail.row["next_queue_id"] = new.queue_id
    # Whether the new mail's line counts among the old one's is left open.
    mail.undecided("t_f")
    left_open(world, mail, t)
    yield from through_queue(world, new, t, [_left(mail)], plan._replace(passes=9))
