"""Files that share lines, noticed before anything of them is loaded.

A file is looked into only where its times, from its first line to when it was written, touch
those of another file; then at lines chosen by what stands in them, so that two files show the
same ones. The store notices by itself, later, what this misses.

It refuses to know which lines are stored, and how they are told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from journal_postfix.batch import Seen
from journal_postfix.collect import Collector
from journal_postfix.config import Config
from journal_postfix.logfile import LogFile
from journal_postfix.messages import MsgDetails
from journal_postfix.spans import NEAR, Other, fingerprint, is_proven, shared_error

SAMPLED = 1 << 17
"""Bytes of a file of which every line is looked at; of larger ones the fewer."""

PACKED = 10
"""How many times smaller a compressed log is, at most."""

UNDATED = 1_000
"""Lines at the beginning of a file among which one has a time."""

Messages = Iterator[tuple[bool, MsgDetails]]


class Span(NamedTuple):
    """The times of a file: of the first line to be loaded, and when it was written."""

    identity: str
    first: datetime
    last: datetime

    def touches(self, other: Span) -> bool:
        """Tell whether the files may share lines; those that begin alike go on from each other."""
        if self.identity == other.identity:
            return False
        return min(self.last, other.last) - max(self.first, other.first) > timedelta(seconds=NEAR)


class Sample(NamedTuple):
    """Some of a file's lines: all with a fingerprint divisible by the rate."""

    name: str
    span: Span
    rate: int
    lines: list[Seen]


def span_of(logfile: LogFile, messages: Messages) -> Span | None:
    """Return the times of a file, None where nothing in it has any; reads a few messages."""
    times = (msg["t"] for _, msg in islice(messages, UNDATED))
    first = next((t for t in times if t is not None), None)
    written = Path(logfile.path).stat().st_mtime
    if first is None:
        return None
    return Span(logfile.identity, first, datetime.fromtimestamp(written, UTC))


def touching(spans: Sequence[Span], stored: Iterable[Span]) -> list[bool]:
    """Tell of each file whether its times touch those of another one, given or stored."""
    others = list(stored)
    found = [any(span.touches(other) for other in others) for span in spans]
    for one, span in enumerate(spans):
        for two in range(one):
            if span.touches(spans[two]):
                found[one] = found[two] = True
    return found


def rate_of(logfile: LogFile) -> int:
    """Return of how many lines one is looked at: a power of two, so that files show the same."""
    size = (logfile.size or 0) * (PACKED if logfile.compressed else 1)
    return 1 << max(0, (size // SAMPLED).bit_length())


def sample(config: Config, messages: Messages, rate: int) -> list[Seen]:
    """Return those of the chosen lines that leave something."""
    collector = Collector(config)
    lines: list[Seen] = []
    beginnings = tuple(f"{name}{mark}" for name in config.syslog_names for mark in "/-")
    for _, msg in messages:
        t = msg["t"]
        if t is None or not msg["identifier"].startswith(beginnings):
            continue
        if _is_chosen(fingerprint(t, msg["pid"], msg["message"]), rate):
            collector.add(msg)
            lines += _seen(collector)
    return lines


def _is_chosen(one: int, rate: int) -> bool:
    return (one >> 32) % rate == 0  # by its text alone: the same time may be told differently


def _seen(collector: Collector) -> list[Seen]:
    told = collector.take().told()
    return [Seen(line.t, line.mta, "", line.fingerprint) for line in told]


def refuse_shared(samples: Sequence[Sample]) -> None:
    """Raise InputError where two of the files share lines."""
    for number, one in enumerate(samples):
        for two in samples[:number]:
            if one.span.touches(two.span):
                _compare(one, two)


def _compare(one: Sample, two: Sample) -> None:
    rate = max(one.rate, two.rate)
    lines = [line for line in one.lines if _is_chosen(line.fingerprint, rate)]
    other = Other("file", two.name, two.span.first, two.span.last)
    for line in two.lines:
        other.shelves[line.mta].put([line.fingerprint])
    shared = [lines[number] for number in other.shared_with(lines, {})]
    if is_proven(other, "file", shared, lines, one.span.first):
        raise shared_error(one.name, two.name, min(line.t for line in shared))
