"""What loggers say of lines they lost: journald by its own entries, rsyslogd by its own lines.

It knows journald-server.c, journald-kmsg.c, journald-syslog.c of systemd, and ratelimit.c and
imuxsock.c of rsyslog. It refuses to know where such a line came from.

Bugs: what rsyslogd says of a process id alone may be about another program than Postfix.
"""

from __future__ import annotations

import re
from typing import NamedTuple

JOURNALD = "systemd-journald"
LOSERS = (JOURNALD, "systemd-journal", "rsyslogd")
"""How the identifiers begin of those who tell of losses."""

MESSAGE_IDS = frozenset(
    (
        b"a596d6fe7bfa4994828e72309e95d61e",  # SD_MESSAGE_JOURNAL_DROPPED
        b"e9bf28e6e834481bb6f48f548ad13606",  # SD_MESSAGE_JOURNAL_MISSED
        b"0027229ca0644181a76c4e92458afa2e",  # SD_MESSAGE_FORWARD_SYSLOG_MISSED
    )
)
"""Those of journald's entries about losses, see sd-messages.h."""

LOST = r"(?P<lost>\d{1,10}) messages?"
LIMITED = r"due to rate-limiting(?: \(.*\))?"
WHO = r"\[pid:? ?\d+(?:, name: (?P<name>[^\]]*))?\](?: from <.*>)?"

JOURNALD_SAYS = (
    (rf"Suppressed {LOST} from (?P<name>\S+)", "journald let only a part through (RateLimitBurst)"),
    (r"Missed (?P<lost>\d{1,10}) kernel messages", "journald missed messages of the kernel"),
    (
        rf"Forwarding to syslog missed {LOST}\.?",
        "journald could not forward to syslog: log files lack them",
    ),
)
DROPPED = "rsyslogd let only a part through (rate limit)"
RSYSLOGD_SAYS = (
    (rf"imuxsock lost {LOST} from pid \d+ {LIMITED}", DROPPED),
    (rf"imuxsock begins to drop messages from pid \d+ {LIMITED}", DROPPED),
    (rf"imuxsock{WHO}: {LOST} lost {LIMITED}", DROPPED),
    (rf"imuxsock{WHO}: begin to drop messages {LIMITED}", DROPPED),
    (rf"(?:imuxsock|imjournal)[^:\[\]]*: {LOST} lost {LIMITED}", DROPPED),
    (rf"(?:imuxsock|imjournal)[^:\[\]]*: begin to drop messages {LIMITED}", DROPPED),
)


class Said(NamedTuple):
    """How many lines were lost, None where that is not said, and why."""

    lost: int | None
    reason: str


def _compiled(table: tuple[tuple[str, str], ...]) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern, re.ASCII), reason) for pattern, reason in table]


SAYINGS = {"rsyslogd": _compiled(RSYSLOGD_SAYS), "systemd-": _compiled(JOURNALD_SAYS)}


def read(identifier: str, text: str) -> Said | None:
    """Return what a line says of lost lines of Postfix; None where it says nothing of them."""
    for pattern, reason in SAYINGS[identifier[:8]]:
        if match := pattern.fullmatch(text):
            found = match.groupdict()
            if not is_postfix(found.get("name")):
                return None
            return Said(int(found["lost"]) if found.get("lost") else None, reason)
    return None


def is_postfix(name: str | None) -> bool:
    """Tell whether a unit, cgroup or program may be Postfix's; without a name it may.

    Where processes belong to no unit, as in containers, the name is a path or ``/``.
    """
    return name is None or "postfix" in name or name in ("/", "init.scope", "-.slice")
