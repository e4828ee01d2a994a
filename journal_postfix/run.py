"""From an input to the store: the loop that every command shares, and the service.

The deal: an input hands over messages and can say its position at any moment; the loop parses,
extracts and collects them, and commits rows and position together. While the database is away
the input is simply not asked for more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import Event
from typing import NamedTuple

from journal_postfix.collect import Collector, Debug
from journal_postfix.commit import Committer
from journal_postfix.config import Config
from journal_postfix.messages import MsgDetails, Position

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
        if (commit or collector.batch.messages >= most) and not committer.commit(
            collector.take(), positions()
        ):
            return
    committer.commit(collector.take(), positions())


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
    raise NotImplementedError
