"""Old log files into the store.

A file is recognised by its content: given again, rotated, compressed or grown it goes on where
it was left. When all files are read, mails whose halves stand in different files are joined.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Event
from typing import Any

from journal_postfix.ahead import ahead
from journal_postfix.batch import Batch
from journal_postfix.collect import Collector, Debug
from journal_postfix.commit import Committer
from journal_postfix.config import Config
from journal_postfix.database import ConnectionFailed
from journal_postfix.join import join_halves
from journal_postfix.logfile import LogFile, Reading, iter_logfile_messages
from journal_postfix.messages import InputError, MsgDetails, Position
from journal_postfix.overlap import Sample, Span, rate_of, refuse_shared, sample, span_of, touching
from journal_postfix.run import portions
from journal_postfix.server import dsn_of, ready_dsn
from journal_postfix.writer import Source, Writer

log = logging.getLogger("journal_postfix")

PATIENCE = 60.0  # seconds to wait for a database that went away

AHEAD = 4 << 20
"""Bytes of a file that are worth a process of its own to read them."""

PACKED = 10  # times smaller a compressed log may be

Progress = Callable[[Reading], None]
Portion = tuple[Batch, Sequence[Position], Reading]


@dataclass
class Loaded:
    """What became of one file: its lines of Postfix, and what was not stored of them."""

    path: str
    lines: int = 0
    unknown: int = 0
    too_old: int = 0
    known: int = 0  # lines that another source had told
    resumed: bool = False  # something of it had been loaded before


@dataclass(frozen=True)
class FileOptions:
    """How the files are to be read: year of the first line, time zone of its stamps.

    `overlap_ok`: lines that another file brought in are passed over, not an error.
    """

    year: int | None = None
    timezone: str | None = None
    overlap_ok: bool = False


def backfill(
    config: Config,
    paths: Sequence[str],
    options: FileOptions,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
    debug: Debug | None = None,
    stop: Event | None = None,
) -> list[Loaded]:
    """Load the files, one after the other or in `jobs` processes; gives what became of each.

    Raises InputError, before anything is loaded where files share lines. What was committed
    until then stays, and the next call goes on there.
    """
    stop = stop or Event()
    if not _is_ready(config, stop):
        return []
    if not options.overlap_ok:
        _refuse_overlap(config, paths, options)
    if jobs > 1 and len(paths) > 1:
        context = get_context("spawn")
        with ProcessPoolExecutor(min(jobs, len(paths)), mp_context=context) as pool:
            work = [pool.submit(_load_one, config, path, options) for path in paths]
            loaded = [one.result() for one in work]
    else:
        loaded = [
            _load_one(config, path, options, progress, debug, stop, alone=True) for path in paths
        ]
    if not stop.is_set():
        _join(config)
    return loaded


def _is_ready(config: Config, stop: Event) -> bool:
    """Wait for a server that is just starting; one that is not there is told at once."""

    def ready() -> None:
        try:
            ready_dsn(config)
        except ConnectionFailed as error:
            if not error.soon:
                raise InputError(str(error)) from None
            raise

    return Committer(Writer(""), config, stop, PATIENCE).attempt(ready)


def _refuse_overlap(config: Config, paths: Sequence[str], options: FileOptions) -> None:
    """Look into those files that may share lines with others, stored ones or each other."""
    writer = Writer(partial(dsn_of, config), config.store_options(finite=True, overlap_ok=False))
    committer = Committer(writer, config, Event(), PATIENCE)
    try:
        committer.attempt(lambda: _compare_files(writer, config, paths, options))
    finally:
        writer.close()


def _compare_files(
    writer: Writer, config: Config, paths: Sequence[str], options: FileOptions
) -> None:
    stored = [Span(*row) for row in writer.file_times()]
    found = {path: _span(writer, path, options) for path in paths}
    spans = {path: span for path, span in found.items() if span is not None}
    touches = touching(list(spans.values()), stored)
    samples = []
    for (path, span), is_touched in zip(spans.items(), touches, strict=True):
        if is_touched:
            logfile, source = _opened(writer, path)
            messages = iter_logfile_messages(logfile, options.year, options.timezone)
            rate = rate_of(logfile)
            samples.append(Sample(logfile.name, span, rate, sample(config, messages, rate)))
            own = source.id if source else None
            writer.refuse_shared(logfile.name, own, samples[-1].lines)
    refuse_shared(samples)


def _span(writer: Writer, path: str, options: FileOptions) -> Span | None:
    """Return the times of what is left to load of a file; None where that cannot be told."""
    if not Path(path).is_file():  # what is read from a pipe is gone
        return None
    logfile, _ = _opened(writer, path)
    messages = iter_logfile_messages(logfile, options.year, options.timezone)
    try:
        return span_of(logfile, messages)
    except InputError:
        return None  # told when it is loaded


def _opened(writer: Writer, path: str) -> tuple[LogFile, Source | None]:
    """Open a file where it was left; also gives its source, if it has one."""
    logfile = LogFile(path)
    return logfile, _resumed(writer, logfile)


def _join(config: Config) -> None:
    writer = Writer(partial(dsn_of, config), config.store_options(finite=True))
    committer = Committer(writer, config, Event(), PATIENCE)
    committer.write(lambda: join_halves(writer))
    writer.close()


def _load_one(
    config: Config,
    path: str,
    options: FileOptions,
    progress: Progress | None = None,
    debug: Debug | None = None,
    stop: Event | None = None,
    *,
    alone: bool = False,
) -> Loaded:
    stop = stop or Event()
    storing = config.store_options(finite=True, overlap_ok=options.overlap_ok)
    writer = Writer(partial(dsn_of, config), storing)
    try:
        committer = Committer(writer, config, stop, PATIENCE)
        logfile = LogFile(path)
        loaded = Loaded(path)
        sources: list[Source] = []

        def resume() -> None:
            sources[:] = _resume(writer, logfile)

        if not committer.attempt(resume):
            return loaded
        loaded.resumed = bool(sources)
        with _made(config, logfile, options, sources, debug, stop, alone=alone) as portions:
            for batch, where, reading in portions:
                if progress is not None:
                    progress(reading)
                if stop.is_set() or not committer.commit(batch, where):
                    break
    finally:
        writer.close()
    loaded.lines, loaded.unknown = committer.lines, committer.unknown
    loaded.too_old, loaded.known = committer.too_old, committer.known
    _refuse_unreadable(loaded)
    return loaded


def _resume(writer: Writer, logfile: LogFile) -> list[Source]:
    """Go on where the content was left, whatever the file is called; gives its source, if any."""
    writer.hold(logfile.kind, logfile.identity)
    source = _resumed(writer, logfile)
    if source is None:
        return []
    writer.sources[source.kind, source.identity] = source
    return [source]


def _resumed(writer: Writer, logfile: LogFile) -> Source | None:
    """Go on where the content was left; gives the source it was left in."""
    for source in writer.find_sources(logfile.kind, logfile.identity):
        if source.position and logfile.resume(int(source.position), source.digest):
            return source
    return None


@contextmanager
def _made(
    config: Config,
    logfile: LogFile,
    options: FileOptions,
    sources: Sequence[Source],
    debug: Debug | None,
    stop: Event,
    *,
    alone: bool,
) -> Iterator[Iterator[Portion]]:
    """Give the file's batches: a large one's from another process, if this one is ``alone``."""
    state = sources[0].state if sources else {}
    if alone and debug is None and _is_large(logfile):
        stored = sources[0].stored() if sources else None
        with ahead(stop, _read, config, logfile.path, options, stored, state) as portions:
            yield portions
    else:
        yield _portions(config, logfile, options, state, debug)


def _is_large(logfile: LogFile) -> bool:
    left = (logfile.size or 0) * (PACKED if logfile.compressed else 1) - logfile.resumed
    return left >= AHEAD


def _read(
    config: Config,
    path: str,
    options: FileOptions,
    stored: Position | None,
    state: Mapping[str, Any],
) -> Iterator[Portion]:
    """Yield a file's batches behind a stored position: what the other process does."""
    logfile = LogFile(path)
    if stored is not None and not logfile.resume(int(stored.position), stored.digest):
        raise InputError(f"{path} was changed while it was being read")
    yield from _portions(config, logfile, options, state)


def _portions(
    config: Config,
    logfile: LogFile,
    options: FileOptions,
    state: Mapping[str, Any],
    debug: Debug | None = None,
) -> Iterator[Portion]:
    """Yield a file's batches; those before a damage, then raise the InputError that tells it."""
    collector = Collector(config, debug)
    collector.resume("", state)
    damage: list[InputError] = []
    messages = _until_damage(iter_logfile_messages(logfile, options.year, options.timezone), damage)
    for batch, where in portions(messages, lambda: [logfile.position()], collector):
        yield batch, where, logfile.reading()
    if damage:
        raise damage[0]


def _until_damage(
    messages: Iterator[tuple[bool, MsgDetails]], damage: list[InputError]
) -> Iterator[tuple[bool, MsgDetails]]:
    try:
        yield from messages
    except InputError as error:
        damage.append(error)


def _refuse_unreadable(loaded: Loaded) -> None:
    if loaded.lines and loaded.lines == loaded.unknown and not loaded.resumed:
        raise InputError(
            f"{loaded.path}: {loaded.lines} lines of Postfix, and none of them was recognised"
        )
