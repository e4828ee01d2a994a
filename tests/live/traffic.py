"""All steps of the traffic, in order."""

from __future__ import annotations

from collections.abc import Callable

from . import (
    checks,
    deliveries,
    local_mail,
    milters,
    probing,
    queueing,
    refusals,
    screening,
    secured,
    sessions,
    upkeep,
)
from .world import World

Step = Callable[[World], None]

# Steps that touch nothing but their own mails.
TOGETHER: tuple[Step, ...] = (
    *deliveries.STEPS,
    *refusals.STEPS,
    *checks.STEPS,
    *local_mail.STEPS,
    *milters.STEPS,
    *queueing.STEPS,
    *secured.STEPS,
    *sessions.STEPS,
    *probing.STEPS,
    *screening.STEPS,
)
# Steps that touch other steps' mails too, each alone, in this order.
ALONE: tuple[Step, ...] = (*queueing.ALONE, *upkeep.ALONE, local_mail.forged)
