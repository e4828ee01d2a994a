"""The clock of the simulation: stories that wake at their moments, lines that leave in order.

Time is counted in microseconds since 1970. A story is a generator that yields the moment at
which it wants to go on; it may say lines of any later moment. Lines are kept only until no story
can say an earlier one, so a log of any length streams out in bounded memory.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple

from traffic.cast import Cast
from traffic.ledger import Ledger
from traffic.machine import REUSE, Machine

SECOND = 1_000_000
MOST_SHUFFLED = SECOND

Story = Generator[int, None, None]


class Line(NamedTuple):
    """One log line: its moment, who wrote it, and the text behind the tag (pid 0: no pid)."""

    t: int
    machine: Machine
    ident: str
    pid: int
    text: str


class World:
    """Machines, people, the ledger, and what is to happen next.

    ``shuffle`` microseconds (at most MOST_SHUFFLED) is how far a line may stray from its place;
    its time stays, and so does all else: the same seed gives the same lines in another order.
    ``reuse`` is the share of short queue ids that come back.
    """

    def __init__(
        self,
        seed: int,
        hosts: int,
        shuffle: int = 0,
        *,
        reuse: float = REUSE,
        truth: bool = True,
    ) -> None:
        if not 0 <= shuffle <= MOST_SHUFFLED:
            raise ValueError("lines are shuffled by at most a second")
        self.rng = Random(seed)
        self._stray = Random(seed + 1)
        self.shuffle = shuffle
        self.cast = Cast(self.rng)
        self.ledger = Ledger(keep=truth)
        self.machines = [Machine(number, self.rng, reuse) for number in range(hosts)]
        self.said = 0
        self._spawned = 0
        self._lines: list[tuple[int, int, Line]] = []
        self._stories: list[tuple[int, int, Story]] = []

    def say(self, t: int, machine: Machine, ident: str, pid: int, text: str) -> None:
        """Log one line; t must not lie before the moment the story woke."""
        self.said += 1
        place = t + self._stray.randrange(self.shuffle) if self.shuffle else t
        heappush(self._lines, (place, self.said, Line(t, machine, ident, pid, text)))

    def spawn(self, t: int, story: Story) -> None:
        """Let a story begin at t."""
        self._spawned += 1
        heappush(self._stories, (t, self._spawned, story))

    def run(self) -> Iterator[Line]:
        """Play all stories to their end; yield the lines as a log would hold them."""
        while self._stories:
            now, _, story = heappop(self._stories)
            yield from self._lines_before(now)
            wake = next(story, None)
            if wake is not None:
                self.spawn(max(wake, now), story)
        while self._lines:
            yield heappop(self._lines)[2]

    def _lines_before(self, now: int) -> Iterator[Line]:
        lines = self._lines
        while lines and lines[0][0] < now:
            yield heappop(lines)[2]

    def between(self, low: float, high: float) -> int:
        """Give a random span of time between two numbers of seconds, in microseconds."""
        return int(self.rng.uniform(low, high) * SECOND)
