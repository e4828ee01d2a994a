"""What systemd is told of the service: ready, alive, what it does, that it ends; sd_notify(3).

The deal: the loop counts its turns, and what may take longer than a turn (the database, a log to
catch up with) has LONG for each step. A thread tells systemd that all is well as long as one of
both holds; where neither does, systemd ends the service and starts it again. Nothing is lost then.

Whoever starts a service waits until it is ready. It is so when it reads, and also while the database
is away: then it does what it can, and the boot of a mail server need not wait for it.

It speaks the protocol by itself, so that log files are followed where Python knows no systemd. What it
says has counts and times only. Without NOTIFY_SOCKET nobody is told and no thread is started.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from threading import Event, Thread
from typing import Self

from journal_postfix.batch import Batch
from journal_postfix.mail import Row
from journal_postfix.writer import Source

log = logging.getLogger("journal_postfix")

LONG = 900.0
"""Seconds that one step with the database may take, or one batch of a log that is caught up with."""

STATUS_EVERY = 60.0
"""Seconds between two words where no watchdog asks for more."""

BEATS = 3
"""Signs of life in the time after which the watchdog bites."""


class Notifier:
    """Tells systemd, where it listens, while the context lasts; a commit.Watcher.

    ``longest_wait``: seconds for which a turn of the loop may wait for something to come.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        watchdog = _watchdog(environ) if self._address else None
        self._every = STATUS_EVERY if watchdog is None else watchdog / BEATS
        self.longest_wait = inf if watchdog is None else self._every / 2
        self._turns = 0
        self._rest = LONG
        self._until = time.monotonic() + LONG
        self._is_ready = False
        self._doing = "starting"
        self._lines = 0
        self._latest = ""
        self._ended = Event()

    def __enter__(self) -> Self:
        if self._address:
            self._thread = Thread(target=self._beat, daemon=True, name="notify")
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._address:
            self._thread.join()

    # --- told by the service

    def counting(self, stop: Event) -> Callable[[], bool]:
        """The function that tells whether to stop, and counts as a turn of the loop who asks."""

        def is_stopped() -> bool:
            self._turns += 1
            return stop.is_set()

        return is_stopped

    def ready(self, doing: str = "catching up") -> None:
        """The service does its work, or waits for what it needs."""
        self._doing = doing
        words = [] if self._is_ready else ["READY=1"]
        self._is_ready = True
        self._send(*words, self._status())

    def following(self) -> None:
        """All that was logged before is stored: from now on the loop turns by itself."""
        self._rest, self._until = 0.0, 0.0
        self._doing = "following"
        self._send(self._status())

    def stopping(self) -> None:
        """The service ends."""
        self._ended.set()
        self._send("STOPPING=1", "STATUS=stopping")

    # --- told by the committer: see commit.Watcher

    def trying(self) -> None:
        """The database is asked for something."""
        self._until = time.monotonic() + LONG
        self._was = self._doing

    def worked(self) -> None:
        """The database did it."""
        self._until = time.monotonic() + self._rest
        if self._doing != self._was:
            self.ready(self._was)

    def failed(self, reason: str) -> None:
        """The database did not do it; it is asked again."""
        self._until = time.monotonic() + LONG
        if self._doing == self._was:
            now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
            self.ready(f"waiting for the database since {now} ({reason})")

    def committed(self, batch: Batch, sources: Sequence[Source], seconds: float) -> None:
        """A batch and the positions of its sources are stored."""
        self._lines += batch.lines
        t = max((source.t for source in sources if source.t), default=None)
        if t is not None and batch.lines:
            lag = max(0.0, time.time() - t.timestamp())
            self._latest = f", the latest of {t:%Y-%m-%d %H:%M:%S} UTC, {lag:.1f} s after it"

    def cleaned(self, rows: Sequence[Row] | None) -> None:
        """A clean-up is over."""

    # --- the words

    def _status(self) -> str:
        return f"STATUS={self._doing}; {self._lines} lines of Postfix stored{self._latest}"

    def _beat(self) -> None:
        """Give signs of life while there is life, until ended."""
        seen = self._turns
        while not self._ended.wait(self._every):
            if self._turns != seen or time.monotonic() < self._until:
                self._send("WATCHDOG=1", self._status())
            seen = self._turns

    def _send(self, *words: str) -> None:
        if self._address:
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                    out.sendto("\n".join(words).encode(), self._address)
            except OSError as error:
                log.debug("systemd does not listen: %s", error)


def _address(name: str) -> str:
    """The address of systemd's socket; empty where there is none (of a kind we know)."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else ""


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Seconds after which systemd takes this process for dead; None: never."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 1e6 if microseconds.isdigit() and int(microseconds) else None
