"""From an input to the store: the loop that every command shares, and the service.

The deal: an input hands over messages and can say its position at any moment; the loop parses,
extracts and collects them, and commits rows and position together. While the database is away
the input is simply not asked for more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Thread
from typing import NamedTuple, Protocol

from journal_postfix.ahead import ahead
from journal_postfix.batch import Batch
from journal_postfix.collect import Collector, Debug
from journal_postfix.commit import Committer, Watcher, Watchers
from journal_postfix.config import Config, uids_of
from journal_postfix.following import Gap, Stop, catch_up
from journal_postfix.join import join_halves
from journal_postfix.journal import (
    JournalSet,
    iter_journal_messages_follow,
    iter_journal_messages_since,
)
from journal_postfix.logfollow import FollowedFile, iter_logfile_follow
from journal_postfix.messages import MsgDetails, Position
from journal_postfix.metrics import served
from journal_postfix.notify import Notifier
from journal_postfix.reconcile import reconcile_regularly
from journal_postfix.retention import clean_regularly
from journal_postfix.server import dsn_of, ready_dsn
from journal_postfix.writer import Source, Writer

log = logging.getLogger("journal_postfix")

AHEAD = timedelta(minutes=10)
"""Since the last entry that was stored: what came then is worth a process of its own to read it."""

Messages = Iterable[tuple[bool, MsgDetails | None]]


def portions(
    iterable: Messages,
    positions: Callable[[], Sequence[Position]],
    collector: Collector,
) -> Iterator[tuple[Batch, Sequence[Position]]]:
    """Yield what an input tells, batch after batch, each with the positions behind it.

    A batch ends where the input asks for it, or after max_messages_per_commit messages.
    """
    most = collector.config.max_messages_per_commit
    for commit, msg in iterable:
        if msg is not None:
            collector.add(msg)
        if commit or collector.batch.messages >= most:
            where = positions()
            yield collector.take(), where
    where = positions()
    yield collector.take(), where


def run_loop(
    iterable: Messages,
    positions: Callable[[], Sequence[Position]],
    collector: Collector,
    committer: Committer,
) -> None:
    """Read an input to its end, or until stopped: collect messages, commit batch after batch."""
    store_all(portions(iterable, positions, collector), committer)


def store_all(made: Iterable[tuple[Batch, Sequence[Position]]], committer: Committer) -> None:
    """Commit batches, whoever made them, until stopped."""
    for batch, where in made:
        if not committer.commit(batch, where):
            return


class How(NamedTuple):
    """What `run` reads: the journal, or the log file `file` (`-`: standard input).

    `once`: end when caught up. `year` and `timezone` are for a file's stamps.
    """

    file: str | None = None
    once: bool = False
    year: int | None = None
    timezone: str | None = None


def run(config: Config, stop: Event, how: How, debug: Debug | None = None) -> None:
    """Catch up with the input, then follow it until stopped; clean up on the way.

    Raises InputError for what only a person can put right; everything else is waited for.
    """
    with served(config) as figures, Notifier() as systemd:
        try:
            _run(config, stop, how, systemd, Watchers(figures, systemd), debug)
        finally:
            systemd.stopping()


def _run(
    config: Config,
    stop: Event,
    how: How,
    systemd: Notifier,
    watcher: Watcher,
    debug: Debug | None,
) -> None:
    writer = Writer(partial(dsn_of, config), config.store_options())
    committer = Committer(writer, config, stop, watcher=watcher)
    collector = Collector(config, debug)

    def connect() -> None:
        ready_dsn(config)
        writer.session()

    if not committer.attempt(connect):
        return
    log.info("started")
    try:
        if not how.once:
            _clean_beside(config, stop, watcher)
            _reconcile_beside(config, stop)
        service = Service(config, committer, collector, stop, how, systemd)
        if how.file is None:
            _run_journal(service)
        else:
            _run_file(service, how.file)
    finally:
        writer.close()
    log.info("stopped after %d lines of Postfix", committer.lines)


def _clean_beside(config: Config, stop: Event, watcher: Watcher) -> None:
    """Clean up by the clock in a thread of its own: an idle server cleans too."""
    now = partial(datetime.now, UTC)
    arguments = (partial(dsn_of, config), config, stop, now, watcher.cleaned)
    Thread(target=clean_regularly, args=arguments, daemon=True, name="clean").start()


def _reconcile_beside(config: Config, stop: Event) -> None:
    """Compare with Postfix's queue in a thread of its own: a listing may take minutes."""
    if config.queue_check_interval:
        arguments = (partial(dsn_of, config), config, stop)
        Thread(target=reconcile_regularly, args=arguments, daemon=True, name="queue").start()


def _run_journal(service: Service) -> None:
    """Read the journal of each machine behind its stored position, then follow."""
    stored = service.take_journals()
    service.systemd.ready()
    if service.debug is None and is_long_ago(service.held(), datetime.now(UTC)):
        with ahead(service.stop, read_journal, service.config, stored) as made:
            store_all(made, service.committer)
        service.join_halves()
        stored = service.take_journals()
    for source in stored:
        service.collector.resume(source.identity, source.state)
    with closing(open_journal(service.config, stored)) as journal:
        service.loop(journal, iter_journal_messages_since(journal, service.turn))
        service.join_halves()
        if not service.is_done():
            service.systemd.following()
            service.loop(journal, iter_journal_messages_follow(journal, *service.rhythm()))


def is_long_ago(stored: Sequence[Source], now: datetime) -> bool:
    """Tell whether so much may have been logged since that a process of its own should read it."""
    times = [source.t for source in stored if source.t is not None]
    return not times or now - max(times) > AHEAD


def open_journal(config: Config, stored: Sequence[Source]) -> JournalSet:
    """Open the journal of each machine behind its stored position."""
    return JournalSet(
        config.journal_directory,
        syslog_names=config.syslog_names,
        units=config.journal_units,
        trusted_uids=uids_of(config.journal_trusted_uids),
        stored=[source.stored() for source in stored],
    )


def read_journal(
    config: Config, stored: Sequence[Source]
) -> Iterator[tuple[Batch, Sequence[Position]]]:
    """Yield what the journal holds behind the stored positions: what the other process does."""
    collector = Collector(config)
    for source in stored:
        collector.resume(source.identity, source.state)
    with closing(open_journal(config, stored)) as journal:
        messages = iter_journal_messages_since(journal, Event())
        yield from portions(messages, positions_and_gaps(journal, collector), collector)


def positions_and_gaps(source: Readable, collector: Collector) -> Callable[[], list[Position]]:
    """Make the function that gives a source's new positions, and puts its new gaps in the batch."""
    told = 0

    def positions() -> list[Position]:
        nonlocal told
        moved = source.positions()
        if moved:  # without one nothing is stored
            for gap in source.gaps[told:]:
                log.warning("entries of the log are missing: %s", gap.why)
                collector.batch.gaps.append(_gap(gap))
            told = len(source.gaps)
        return moved

    return positions


def _run_file(service: Service, path: str) -> None:
    """Read a log file behind its stored position, then follow it across rotation."""
    stored = service.take_stored("file")
    how = service.how
    positions = [source.stored() for source in stored]
    followed = FollowedFile(path, how.year, how.timezone, positions)
    if followed.resumed is not None:
        source = stored[positions.index(followed.resumed)]
        service.go_on(source)
        service.collector.resume("", source.state)
    service.systemd.ready()
    with closing(followed):
        if path != "-":
            service.loop(followed, catch_up(followed, service.turn))
            service.join_halves()
        if path == "-" or not service.is_done():
            service.systemd.following()
            service.loop(followed, iter_logfile_follow(followed, *service.rhythm()))


class Readable(Protocol):
    """What JournalSet and FollowedFile have in common."""

    @property
    def gaps(self) -> Sequence[Gap]:
        """Times of which entries are missing, found so far."""

    def positions(self) -> list[Position]:
        """The positions that moved since this was last asked."""


class Service:
    """What the two ways of `run` share: the writer, the collector, and when to end."""

    def __init__(
        self,
        config: Config,
        committer: Committer,
        collector: Collector,
        stop: Event,
        how: How,
        systemd: Notifier,
    ) -> None:
        self.config = config
        self.committer = committer
        self.collector = collector
        self.stop = stop
        self.how = how
        self.systemd = systemd
        self.turn = systemd.counting(stop)
        self.debug = collector.debug
        self._positions: tuple[Readable, Callable[[], list[Position]]] | None = None

    def take_stored(self, kind: str) -> list[Source]:
        """The stored sources of a kind; none where stopped while the database was away."""
        stored: list[Source] = []

        def take() -> None:
            stored[:] = self.committer.writer.sources_of_kind(kind)

        self.committer.attempt(take)
        return stored

    def take_journals(self) -> list[Source]:
        """The stored sources of journals; those of machines that this journal has are ours now.

        Others may be read elsewhere. One that comes here later goes on where it is stored, if
        nobody has moved it since.
        """
        with closing(open_journal(self.config, [])) as journal:
            ours = journal.machines
        for source in self.take_stored("journal"):
            if source.identity in ours:
                self.go_on(source)
        stored = self.take_stored("journal")  # again: now nobody else moves ours
        for source in stored:
            if source.identity in ours:
                self.go_on(source)
            else:
                self.committer.elsewhere[source.identity] = source
        return stored

    def held(self) -> list[Source]:
        """The sources that are ours."""
        return list(self.committer.writer.sources.values())

    def go_on(self, source: Source) -> None:
        """Read this source from now on, and nobody else."""
        writer = self.committer.writer
        self.committer.attempt(lambda: writer.hold(source.kind, source.identity))
        writer.sources[source.kind, source.identity] = source

    def rhythm(self) -> tuple[Stop, float, float]:
        """When to stop, how long to wait at most, how long a line may wait for its commit."""
        config = self.config
        wait = min(config.journal_poll_interval, self.systemd.longest_wait)
        return self.turn, wait, config.max_delay_before_commit

    def is_done(self) -> bool:
        """Tell whether catching up was all that was asked for."""
        if self.how.once or self.stop.is_set():
            return True
        log.info("caught up after %d lines of Postfix, following", self.committer.lines)
        return False

    def join_halves(self) -> None:
        """Join mails of which another source told the end before this one told the beginning."""
        if self.committer.lines and not self.stop.is_set():
            self.committer.write(lambda: join_halves(self.committer.writer))

    def loop(self, source: Readable, messages: Messages) -> None:
        """Run the loop on messages of a source, gaps included."""
        if self._positions is None or self._positions[0] is not source:
            self._positions = source, positions_and_gaps(source, self.collector)
        run_loop(messages, self._positions[1], self.collector, self.committer)


def _gap(gap: Gap) -> dict[str, object]:
    times = {"t_from": gap.begin, "t_to": gap.end}
    return {**times, "machine": gap.machine, "mta": None, "lost": None, "reason": gap.why}
