"""The rhythm of following an input that is written now: when to wait, when to commit.

It knows clocks, signals and file descriptors, and asks an input for what is new.
It refuses to know what kind of input that is.

A wait ends early when a signal arrives (in the main thread), when ``Waiter.wake`` is called, or
when a file descriptor has something to read; it never ends early for nothing.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from threading import Event
from typing import NamedTuple, Protocol

from journal_postfix.messages import MsgDetails

Stop = Event | Callable[[], bool]

PASSED_OVER_DELAY = 30.0
"""Seconds after which the position is committed where only other programs' entries came."""


LEAST = 0.25
"""The part of the delay for which a batch grows at least."""

AT_ONCE = 0.005
"""Seconds within which a wait ends for which there was no need."""

COMMITTING = 0.05
"""Seconds after which it was a commit that kept us waiting, whoever found it due."""


class Gap(NamedTuple):
    """A time of a machine (its id, or a log file's path) of which lines may be missing, and why."""

    machine: str
    begin: datetime | None
    end: datetime | None
    why: str


class Input(Protocol):
    """What is followed."""

    def new_messages(self) -> Iterable[MsgDetails | None]:
        """Yield what is new, and None now and then where that is nothing for us."""

    def has_moved(self) -> bool:
        """Tell whether the position changed since it was last asked for."""

    def is_finished(self) -> bool:
        """Tell whether nothing new can come."""

    def wait(self, waiter: Waiter, seconds: float) -> None:
        """Wait until there may be something new, at most so long."""


def is_stopped(stop: Stop | None) -> Callable[[], bool]:
    """Return the function that tells whether to stop."""
    if isinstance(stop, Event):
        return stop.is_set
    return stop or (lambda: False)


class Waiter:
    """A wait that can be ended: by ``wake`` from any thread, or by a signal.

    ``stop`` is an event, or a function that tells whether to stop; it is asked before each wait.
    """

    def __init__(self, stop: Stop | None = None) -> None:
        self.stopped = is_stopped(stop)
        self._woken, self._alarm = os.pipe()
        for end in (self._woken, self._alarm):
            os.set_blocking(end, False)

    def close(self) -> None:
        """Give the file descriptors back."""
        os.close(self._woken)
        os.close(self._alarm)

    def wake(self) -> None:
        """End the present wait, or the next one."""
        try:
            os.write(self._alarm, b"\0")
        except BlockingIOError:
            pass  # woken more than once already

    def wait(self, seconds: float, descriptors: Sequence[int] = ()) -> None:
        """Wait so long, or until one of the descriptors can be read."""
        poll = select.poll()
        for descriptor in (self._woken, *descriptors):
            poll.register(descriptor, select.POLLIN)
        before = self._set_alarm(self._alarm)
        try:
            if not self.stopped():
                poll.poll(max(0.0, seconds) * 1000)
        finally:
            if before is not None:
                self._set_alarm(before)
        self._drain()

    def _set_alarm(self, descriptor: int) -> int | None:
        """Have signals written to the pipe: Python itself would go on waiting after a handler."""
        try:
            return signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
        except ValueError:
            return None  # signals are the main thread's

    def _drain(self) -> None:
        try:
            while os.read(self._woken, 4096):
                pass
        except BlockingIOError:
            pass


class Pace:
    """When a commit is due, so that the first message not committed is visible ``delay`` after it came.

    It came after the last look at an input that had no more, or after the last commit began. The
    next commit will take as long as the last one. A batch has a moment to grow all the same.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._since = time.monotonic()
        self._asked = self._since
        self._took = 0.0
        self._due: float | None = None
        self._has_message = False

    def note(self, *, message: bool) -> None:
        """Remember that there is something to commit: a message, or only a position."""
        if self._has_message or (self._due is not None and not message):
            return
        self._has_message = message
        due = self._due_now() if message else time.monotonic() + self._passed_over()
        self._due = due if self._due is None else min(due, self._due)

    def _due_now(self) -> float:
        soonest = time.monotonic() + self._delay * LEAST
        return max(soonest, self._since + self._delay - self._took)

    def _passed_over(self) -> float:
        return max(self._delay, PASSED_OVER_DELAY)

    def resumed(self) -> None:
        """Remember that a commit is over, if there was one: it alone takes any time."""
        took = time.monotonic() - self._asked
        if took > COMMITTING:
            self._took, self._since = took, self._asked
            self._due, self._has_message = None, False

    def waited(self, begin: float) -> None:
        """Remember that since a moment until now nothing had come, if that was any time at all."""
        now = time.monotonic()
        if now - begin > AT_ONCE:
            self._since = now

    def is_due(self) -> bool:
        """Tell whether to commit now; then all is taken for committed."""
        self._asked = now = time.monotonic()
        if self._due is None or now < self._due:
            return False
        self._due, self._has_message, self._since = None, False, now
        return True

    def rest(self, longest: float) -> float:
        """Return the seconds until a commit is due, at most ``longest``."""
        return longest if self._due is None else min(longest, self._due - time.monotonic())


def catch_up(source: Input, stop: Stop | None) -> Iterator[tuple[bool, MsgDetails]]:
    """Yield (False, message) for what the source holds behind its position, then end."""
    stopped = is_stopped(stop)
    for msg in source.new_messages():
        if msg is not None:
            yield False, msg
        if stopped():
            return


def follow(
    source: Input, stop: Stop | None, poll_interval: float, max_delay_before_commit: float
) -> Iterator[tuple[bool, MsgDetails | None]]:
    """Yield (commit, message) as messages come, (True, None) where only the clock moved.

    ``commit`` is True so long before ``max_delay_before_commit`` seconds have passed since the first
    message after the last commit came, as that commit took. ``poll_interval`` (seconds) is the longest wait. Ends
    when ``stop`` says so, or the source has come to its end.
    """
    pace = Pace(max_delay_before_commit)
    waiter = Waiter(stop)
    try:
        while not waiter.stopped() and not source.is_finished():
            for msg in source.new_messages():
                pace.note(message=msg is not None)
                is_due = pace.is_due()
                if msg is not None or is_due:
                    yield is_due, msg
                    pace.resumed()
                if waiter.stopped():
                    return
            if source.has_moved():
                pace.note(message=False)
            if pace.is_due():
                yield True, None
                pace.resumed()
            begin = time.monotonic()
            source.wait(waiter, pace.rest(poll_interval))
            pace.waited(begin)
    finally:
        waiter.close()
