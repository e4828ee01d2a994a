"""A mail server: its name, its release of Postfix, its processes and its queue ids.

A process serves one client or one delivery at a time, as Postfix's do, and retires after a
hundred. Some short queue ids come back, and again and again: not before 65 s after the old
mail's end was logged, often within the hour. The id of a mail whose end was never logged comes back only with a client=.
"""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random
from typing import NamedTuple

SECOND = 1_000_000
BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
REST = 65 * SECOND
# How long an id rests at most, in seconds; most come back within the hour.
RESTS = (120, 600, 1800, 3500, 7200, 9000)
SERVED = 100
REUSE = 0.3
"""The share of queue ids that come back; far more than Postfix's, to find what is merged wrongly."""


class Profile(NamedTuple):
    """What makes one machine's log look different from another's."""

    name: str
    syslog_name: str
    version: tuple[int, int]
    long_ids: bool
    client_ports: bool


PROFILES = (
    Profile("mx{n}.example.com", "postfix", (3, 7), long_ids=False, client_ports=False),
    Profile("mx{n}.example.net", "postfix", (3, 11), long_ids=True, client_ports=False),
    Profile("out{n}.example.org", "postfix-out", (3, 10), long_ids=False, client_ports=True),
)


def base52(number: int, digits: int = 1, base: int = 52) -> str:
    """Write a number with the vowel-free alphabet of long queue ids, at least so many digits."""
    text = ""
    while number or len(text) < digits:
        number, rest = divmod(number, base)
        text = BASE52[rest] + text
    return text


class Machine:
    """One host; ``number`` decides its profile and its machine id."""

    def __init__(self, number: int, rng: Random, reuse: float = REUSE) -> None:
        self.number = number
        self.profile = PROFILES[number % len(PROFILES)]
        self.name = self.profile.name.format(n=number + 1)
        self.version = self.profile.version
        self.machine_id = f"{number + 1:032x}"
        self.boot_id = f"{number + 0xB007:032x}"
        self.reused = 0
        self.reused_open = 0
        self._rng = rng
        self._reuse = reuse
        self._inode = 0x20000 + number
        self._last_pid = 700
        self._idle: dict[str, list[tuple[int, int, int]]] = {}
        self._resting: list[tuple[int, str]] = []
        self._open: list[tuple[int, str]] = []
        self._again: set[str] = set()
        self._idents: dict[tuple[str, str | None], str] = {}
        self._lone: dict[str, int] = {}
        self.qmgr = self.lone("qmgr")

    def ident(self, program: str, service: str | None = None) -> str:
        """Give the syslog tag of a program, with the service where master.cf names one."""
        key = (program, service)
        if key not in self._idents:
            path = (self.profile.syslog_name, service, program)
            self._idents[key] = "/".join(part for part in path if part)
        return self._idents[key]

    def _new_pid(self) -> int:
        self._last_pid += 1 + self._rng.randrange(3)
        return self._last_pid

    def lone(self, program: str) -> int:
        """Give the pid of a program that runs once and serves everybody."""
        if program not in self._lone:
            self._lone[program] = self._new_pid()
        return self._lone[program]

    def process(self, program: str, start: int, end: int) -> int:
        """Give the pid of a process that is free at start, and busy until end."""
        idle = self._idle.setdefault(program, [])
        if idle and idle[0][0] < start:
            _, pid, served = heappop(idle)
        else:
            pid, served = self._new_pid(), 0
        if served < SERVED:
            heappush(idle, (end, pid, served + 1))
        return pid

    def new_id(self, t: int) -> str:
        """Give the queue id of a mail born at t, by any kind of line."""
        if self._resting and self._resting[0][0] < t:
            self.reused += 1
            return heappop(self._resting)[1]
        return self._fresh_id(t)

    def open_id(self, t: int) -> str | None:
        """Give an id whose mail's end was never logged, for a mail born with client= at t."""
        if not self._open or self._open[0][0] >= t:
            return None
        self.reused_open += 1
        return heappop(self._open)[1]

    def _fresh_id(self, t: int) -> str:
        self._inode += 1
        seconds, micros = divmod(t, SECOND)
        if self.profile.long_ids:
            # The inode behind the z is in base 51, so that the last z is the separator.
            return f"{base52(seconds, 6)}{base52(micros, 4)}z{base52(self._inode, base=51)}"
        return f"{micros:05X}{self._inode:X}"

    def ended(self, t: int, queue_id: str) -> None:
        """Note that the log told of a mail's end at t."""
        self._rest(self._resting, t, queue_id)

    def left_open(self, t: int, queue_id: str) -> None:
        """Note that a mail's queue file is gone since t, and that the log will never say so."""
        self._rest(self._open, t, queue_id)

    def _rest(self, pool: list[tuple[int, str]], t: int, queue_id: str) -> None:
        if self.profile.long_ids or (
            queue_id not in self._again and self._rng.random() > self._reuse
        ):
            return
        self._again.add(queue_id)
        most = self._rng.choice(RESTS)
        heappush(pool, (t + REST + int(self._rng.uniform(0, most) * SECOND), queue_id))
