"""Batches and positions into the store, with patience while the database is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from threading import Event
from typing import Protocol

from journal_postfix.batch import Batch
from journal_postfix.config import Config
from journal_postfix.database import ConnectionFailed, Error, is_transient
from journal_postfix.disk import Guard, Room, places
from journal_postfix.mail import Row
from journal_postfix.messages import InputError, Position
from journal_postfix.wording import size
from journal_postfix.writer import Mark, Source, Writer

log = logging.getLogger("journal_postfix")

PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)  # seconds between tries; the last repeats
FAILURES = ("unreachable", "failed", "disk")  # kinds of what is tried again
DISK = FAILURES[2]
DISK_PAUSE = 2.0  # seconds between two looks at a disk that is full


class Watcher(Protocol):
    """Who is told what the database does for us, as it happens."""

    def trying(self) -> None:
        """The database is asked for something."""

    def worked(self) -> None:
        """The database did it."""

    def failed(self, reason: str) -> None:
        """The database did not do it, for one of FAILURES; it is asked again."""

    def committed(self, batch: Batch, sources: Sequence[Source], seconds: float) -> None:
        """A batch and the positions of its sources are stored, after so many seconds."""

    def cleaned(self, rows: Sequence[Row] | None) -> None:
        """A clean-up is over, and deleted this (day, table_name, rows); None: it failed."""


class _Silent:
    """A watcher that nobody asks."""

    def trying(self) -> None:
        pass

    def worked(self) -> None:
        pass

    def failed(self, reason: str) -> None:
        pass

    def committed(self, batch: Batch, sources: Sequence[Source], seconds: float) -> None:
        pass

    def cleaned(self, rows: Sequence[Row] | None) -> None:
        pass


SILENT = _Silent()


class Watchers:
    """Several watchers, each told of everything."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def trying(self) -> None:
        """The database is asked for something."""
        for one in self._watchers:
            one.trying()

    def worked(self) -> None:
        """The database did it."""
        for one in self._watchers:
            one.worked()

    def failed(self, reason: str) -> None:
        """The database did not do it."""
        for one in self._watchers:
            one.failed(reason)

    def committed(self, batch: Batch, sources: Sequence[Source], seconds: float) -> None:
        """A batch is stored."""
        for one in self._watchers:
            one.committed(batch, sources, seconds)

    def cleaned(self, rows: Sequence[Row] | None) -> None:
        """A clean-up is over."""
        for one in self._watchers:
            one.cleaned(rows)


def _told(lack: Room, wanted: int) -> str:
    return (
        f"{size(lack.free)} are free on the disk of {lack.folder}, min_free_disk is {size(wanted)}:"
        " nothing is written until there is more"
    )


class _DiskFull(Exception):
    """There is less room than is to be left free."""


class _Waiting:
    """Tries that failed, one after the other: for what, for how long, and what is said of it."""

    def __init__(self) -> None:
        self.kind = ""
        self.seconds = 0.0
        self.pause = 0.0
        self._tries = 0

    def go_on(self, kind: str, reason: str) -> None:
        """It failed again; a disk that is full is said once."""
        if DISK in (kind, self.kind) and kind != self.kind:
            self._tries = 0
        self.kind = kind
        if kind == DISK:
            self.pause = DISK_PAUSE
            if not self._tries:
                log.warning("%s", reason)
        else:
            self.pause = PAUSES[min(self._tries, len(PAUSES) - 1)]
            if self._tries in (0, 5) or self._tries % 20 == 0:
                log.warning("%s; trying again, next in %.1f s", reason, self.pause)
        self._tries += 1
        self.seconds += self.pause

    def end(self) -> None:
        """It succeeded."""
        if self.kind == DISK:
            log.info("there is room on the disk again, after %.1f s", self.seconds)
        elif self.kind:
            log.info("the database is back after %.1f s", self.seconds)


class Committer:
    """Batches and positions into the store, with patience while the database is away.

    `patience`: seconds to go on trying (None: for ever). `stop` ends the waiting.
    """

    def __init__(
        self,
        writer: Writer,
        config: Config,
        stop: Event,
        patience: float | None = None,
        watcher: Watcher = SILENT,
    ) -> None:
        self.writer = writer
        self.config = config
        self.stop = stop
        self.patience = patience
        self.watcher = watcher
        self._disk = Guard(config.min_free_disk, partial(places, config))
        self.elsewhere: dict[str, Source] = {}  # by machine: stored journals that may come here
        self.lines = 0
        self.too_old = 0
        self.known = 0
        self.unknown = 0

    def commit(self, batch: Batch, positions: Sequence[Position]) -> bool:
        """Store a batch with its positions; False: stopped meanwhile, nothing was stored."""
        if not positions:
            return True
        stored = self.write(lambda: self._store(batch, positions))
        if stored:
            self.lines += batch.lines
            self.too_old += batch.too_old
            self.known += batch.known
            self.unknown += batch.unknown
        return stored

    def attempt(self, work: Callable[[], object]) -> bool:
        """Do some work with the database, again and again while it is away; False: stopped."""
        waiting = _Waiting()
        self.watcher.trying()
        while not self._is_done(work, waiting):
            self.watcher.failed(waiting.kind)
            if self.stop.wait(waiting.pause):
                return False
        self.watcher.worked()
        waiting.end()
        return True

    def write(self, work: Callable[[], object]) -> bool:
        """The same for work that stores much.

        Where less than min_free_disk is free it is not tried, so that the mail server has that.
        """

        def where_there_is_room() -> None:
            if lack := self._disk.lack():
                raise _DiskFull(_told(lack, self.config.min_free_disk))
            work()

        return self.attempt(where_there_is_room)

    def _is_done(self, work: Callable[[], object], waiting: _Waiting) -> bool:
        try:
            work()
        except _DiskFull as full:
            waiting.go_on(DISK, str(full))
        except ConnectionFailed as error:
            if error.fatal or self._is_out_of_patience(waiting):
                raise
            waiting.go_on("unreachable", str(error))
        except Error as error:
            if not is_transient(error) or self._is_out_of_patience(waiting):
                raise
            reason = f"the database failed ({error.pgcode or type(error).__name__})"
            waiting.go_on("failed", reason)
        else:
            return True
        return False

    def _is_out_of_patience(self, waiting: _Waiting) -> bool:
        return self.patience is not None and waiting.seconds >= self.patience

    def _store(self, batch: Batch, positions: Sequence[Position]) -> None:
        marks = [Mark(self._source(position), position) for position in positions]
        begin = time.monotonic()
        sources = self.writer.store(batch, marks, self.config.horizon(datetime.now(UTC)))
        self.watcher.committed(batch, sources, time.monotonic() - begin)
        for source in sources:
            self.writer.sources[source.kind, source.identity] = source

    def _source(self, position: Position) -> Source:
        key = (position.kind, position.identity)
        if key not in self.writer.sources:
            self.writer.sources[key] = self._begun(position)
        return self.writer.sources[key]

    def _begun(self, position: Position) -> Source:
        """A source that is stored for the first time, or comes here; nobody else may begin it."""
        self.writer.hold(position.kind, position.identity)
        if position.kind == "journal":
            for source in self.writer.find_sources("journal", position.identity):
                known = self.elsewhere.get(position.identity)
                if known is None or known.position != source.position:
                    raise InputError(
                        f"another journal-postfix has just read {position.name}: start again"
                    )
                return source
        return self.writer.new_source(position._replace(position="", digest="", t=None))
