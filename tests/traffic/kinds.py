"""The kinds of stories, and how often each is told."""

from __future__ import annotations

from collections.abc import Callable

from traffic.admin import deleted, deleted_unsaid, held, held_by_hand, requeued
from traffic.content import (
    bounced_at_home,
    content_discarded,
    content_refused,
    content_warned,
    over_limit,
)
from traffic.machine import Machine
from traffic.mails import (
    abandoned,
    aliased,
    bounced,
    discarded,
    expired,
    filtered,
    forwarded,
    from_shell,
    inward,
    lost,
    probe,
    receipt,
    retried,
    several,
    submitted,
    two_commands,
    two_mails,
    unavailable,
    waiting,
    warned,
)
from traffic.noise import foreign, idle_client, remark
from traffic.refusals import not_owner, postscreen, refused_late, rejected
from traffic.world import Story, World

Kind = Callable[[World, Machine, int], Story]

# How many of a thousand stories are of this kind.
KINDS: dict[Kind, int] = {
    inward: 220,
    two_mails: 15,
    submitted: 90,
    from_shell: 40,
    several: 60,
    aliased: 25,
    two_commands: 8,
    retried: 45,
    unavailable: 8,
    expired: 12,
    waiting: 10,
    bounced: 35,
    receipt: 8,
    discarded: 12,
    filtered: 45,
    forwarded: 20,
    probe: 15,
    held: 12,
    deleted: 6,
    deleted_unsaid: 6,
    held_by_hand: 5,
    requeued: 8,
    abandoned: 25,
    lost: 20,
    warned: 10,
    rejected: 120,
    not_owner: 10,
    postscreen: 30,
    refused_late: 12,
    content_refused: 30,
    content_discarded: 8,
    content_warned: 10,
    over_limit: 8,
    bounced_at_home: 6,
    remark: 60,
    foreign: 50,
    idle_client: 40,
}
