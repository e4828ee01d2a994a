"""From an input to the store: the loop that every command shares, and the service.

The deal: an input hands over messages and can say its position at any moment; the loop parses,
extracts and collects them, and commits rows and position together. While the database is away
the input is simply not asked for more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from threading import Event, Thread
from typing import NamedTuple

from journal_postfix.collect import Collector, Debug
from journal_postfix.commit import Committer
from journal_postfix.config import Config, uids_of
from journal_postfix.journal import (
    Gap,
    JournalSet,
    iter_journal_messages_follow,
    iter_journal_messages_since,
)
from journal_postfix.messages import MsgDetails, Position
from journal_postfix.retention import clean_regularly
from journal_postfix.writer import Source, Writer

log = logging.getLogger("journal_postfix")

Messages = Iterable[tuple[bool, MsgDetails | None]]


def run_loop(
    iterable: Messages,
    positions: Callable[[], Sequence[Position]],
    collector: Collector,
    committer: Committer,
) -> None:
    """Read an input to its end, or until stopped: collect messages, commit batch after batch.

    A batch ends where the input asks for it, or after max_messages_per_commit messages.
    """
    most = committer.config.max_messages_per_commit
    for commit, msg in iterable:
        if msg is not None:
            collector.add(msg)
        if commit or collector.batch.messages >= most:
            where = positions()
            if not committer.commit(collector.take(), where):
                return
    where = positions()
    committer.commit(collector.take(), where)


class How(NamedTuple):
    """What `run` reads: the journal, or the log file `file` (`-`: standard input).

    `once`: end when caught up. `year` and `timezone` are for a file's stamps.
    """

    file: str | None = None
    once: bool = False
    year: int | None = None
    timezone: str | None = None


def run(
    config: Config,
    ready_dsn: Callable[[], str],
    stop: Event,
    how: How,
    debug: Debug | None = None,
) -> None:
    """Catch up with the input, then follow it until stopped; clean up on the way.

    `ready_dsn` gives the DSN of a database whose schema is ready. Raises InputError for what
    only a person can put right; everything else is waited for.
    """
    writer = Writer("", config.store_options())
    committer = Committer(writer, config, stop)
    collector = Collector(config, debug)

    def connect() -> None:
        writer.dsn = ready_dsn()
        writer.session()

    if not committer.attempt(connect):
        return
    log.info("started")
    try:
        if not how.once:
            _clean_beside(config, writer.dsn, stop)
        if how.file is None:
            _run_journal(config, committer, collector, stop, how)
        else:
            _run_file(how.file, config, committer, collector, stop, how)
    finally:
        writer.close()
    log.info("stopped after %d lines of Postfix", committer.lines)


def _clean_beside(config: Config, dsn: str, stop: Event) -> None:
    """Clean up by the clock in a thread of its own: an idle server cleans too."""
    arguments = (lambda: dsn, config, stop, lambda: datetime.now(UTC))
    Thread(target=clean_regularly, args=arguments, daemon=True, name="clean").start()


def _run_journal(
    config: Config, committer: Committer, collector: Collector, stop: Event, how: How
) -> None:
    writer = committer.writer
    stored: list[Source] = []

    def take_stored() -> None:
        stored[:] = writer.sources_of_kind("journal")
        for source in stored:
            writer.hold(source.kind, source.identity)

    if not committer.attempt(take_stored):
        return
    writer.sources.update({(source.kind, source.identity): source for source in stored})
    journal = JournalSet(
        config.journal_directory,
        syslog_names=config.syslog_names,
        units=config.journal_units,
        trusted_uids=uids_of(config.journal_trusted_uids),
        stored=[Position(*source[1:]) for source in stored],
    )
    try:
        told = 0

        def positions() -> list[Position]:
            nonlocal told
            for gap in journal.gaps[told:]:
                log.warning("the journal of %s lost entries: %s", gap.machine, gap.why)
                collector.batch.gaps.append(_gap(gap))
            told = len(journal.gaps)
            return journal.positions()

        messages = iter_journal_messages_since(journal, stop)
        run_loop(messages, positions, collector, committer)
        if how.once or stop.is_set():
            return
        log.info("caught up after %d lines of Postfix, following the journal", committer.lines)
        follow = iter_journal_messages_follow(
            journal, stop, config.journal_poll_interval, config.max_delay_before_commit
        )
        run_loop(follow, positions, collector, committer)
    finally:
        journal.close()


def _gap(gap: Gap) -> dict[str, object]:
    times = {"t_from": gap.begin, "t_to": gap.end}
    return {**times, "mta": None, "lost": None, "reason": gap.why}


def _run_file(
    path: str, config: Config, committer: Committer, collector: Collector, stop: Event, how: How
) -> None:
    raise NotImplementedError
