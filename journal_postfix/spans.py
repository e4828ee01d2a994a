"""Lines told apart across sources: each that left something is stored once, whoever told it.

Of every line that leaves something its source keeps a fingerprint, in runs of lines (table
stored_span). A line that another source has told already is passed over. Several equal lines
within a moment are as many as the source that tells most of them says.

It knows what makes a line this one: text, process id, and the time, which a log file gives less
exactly, and a little later, than the journal. It refuses to know what lines mean.

The deal: all of it happens in the transaction that stores the lines, under the lock of their
host, so that two sources read at the same time see each other.

Bugs: stamps of one line that differ by more than NEAR seconds make it two lines.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol
from zlib import crc32

from journal_postfix.database import SQL, Cursor, dicts
from journal_postfix.messages import InputError

NEAR = 2
"""Seconds by which two stamps of one line differ at most."""

PROOF = 3
"""Different lines that two files share only if one has been copied from the other."""

APART = timedelta(seconds=10)
"""A pause in which no line is told; well above NEAR."""

MOST_WINDOWS = 200
RUN = 512
"""Lines in a run at most."""

HALF_A_DAY = timedelta(hours=12)
"""The time from the first line of a run to others at most: runs are looked for by their time."""

STREAM = "standard input"

SECOND = (1 << 32) - 1
"""The bits of a fingerprint that hold the second since 1970."""


class Line(Protocol):
    """What is asked of a line that leaves something."""

    @property
    def t(self) -> datetime:
        """When it was said."""

    @property
    def mta(self) -> str:
        """On which host."""

    @property
    def machine(self) -> str:
        """The identity of the source, where several are read."""

    @property
    def fingerprint(self) -> int:
        """What tells it from others; 0: not known, never compared."""


class Reader(NamedTuple):
    """Who reads: the kind and name of the sources, the row of each machine's ('' the first).

    ``overlap_ok``: lines shared with another file are passed over; else they are an error.
    """

    kind: str
    name: str
    ids: Mapping[str, int]
    overlap_ok: bool = True


def fingerprint(t: datetime, pid: int | None, text: str) -> int:
    """Return what tells a line from others: 32 bits of its text and process, 32 of its time."""
    # loggers differ in the blanks they keep
    said = crc32(text.strip().encode("utf-8", "replace"), pid or 0)
    return said << 32 | int(t.timestamp()) & SECOND


class Shelf:
    """The lines one source has told: each can be taken once."""

    def __init__(self) -> None:
        self._lines: dict[int, int] = {}

    def put(self, fingerprints: Iterable[int]) -> None:
        """Lay lines on the shelf."""
        lines = self._lines
        for one in fingerprints:
            lines[one] = lines.get(one, 0) + 1

    def take(self, one: int) -> bool:
        """Take a line of this text and about this time, the earliest, if there is one left."""
        lines = self._lines
        for found in range(one - NEAR, one + NEAR + 1):
            if lines.get(found):
                lines[found] -= 1
                return True
        return False


class Other:
    """A source that told lines of the same hosts and times: its shelf for each host.

    ``first`` and ``last`` are the times of its first and last line.
    """

    def __init__(self, kind: str, name: str, first: datetime | None, last: datetime | None) -> None:
        self.kind = kind
        self.name = name
        self.first = first
        self.last = last
        self.shelves: dict[str, Shelf] = defaultdict(Shelf)

    def shared_with(self, lines: Sequence[Line], before: Mapping[str, Sequence[int]]) -> set[int]:
        """Return the numbers of the lines that this source told too.

        What the reader told ``before`` is taken away first: the second of two equal lines is
        on the shelf only if this source has told two.
        """
        for mta, fingerprints in before.items():
            for one in fingerprints:
                self.shelves[mta].take(one)
        return {
            number
            for number, line in enumerate(lines)
            if line.fingerprint and self.shelves[line.mta].take(line.fingerprint)
        }


# --- lines that were told before --------------------------------------------------------------


def _may_be_told(cursor: Cursor, runs: Iterable[Run], reader: Reader) -> list[datetime | None]:
    """Return, if another source told anything of these hosts and times, when the reader began.

    An empty list, nearly always: then no line has to be looked at.
    """
    times: dict[str, list[datetime]] = defaultdict(list)
    for run in runs:
        times[run.mta] += (run.first, run.last)
    windows = [Window(mta, min(ts), max(ts)) for mta, ts in times.items()]
    cursor.execute(SQL["statements/spans_near"], {**_asked(reader), **_in_columns(windows)})
    return [begin for (begin,) in cursor.fetchall()]


def told_elsewhere(
    cursor: Cursor, lines: Sequence[Line], runs: Iterable[Run], reader: Reader
) -> set[int]:
    """Return the numbers of those lines that another source has told already.

    InputError where that is another file and ``overlap_ok`` does not allow it.
    """
    found: set[int] = set()
    for begin in _may_be_told(cursor, runs, reader):
        for numbers, windows in _slices(lines):
            values = {**_asked(reader), **_in_columns(windows)}
            found |= _told(cursor, lines, numbers, values, reader, begin)
    return found


def _asked(reader: Reader) -> dict[str, Any]:
    return {"own": list(set(reader.ids.values())), "is_journal": reader.kind == "journal"}


def _told(
    cursor: Cursor,
    lines: Sequence[Line],
    numbers: Sequence[int],
    values: dict[str, Any],
    reader: Reader,
    begin: datetime | None,
) -> set[int]:
    """Return which of the lines with these numbers another source has told."""
    found: set[int] = set()
    part = [lines[number] for number in numbers]
    before = _before(cursor, values)
    for other in _others(cursor, values):
        shared = other.shared_with(part, before)
        told = [part[one] for one in shared]
        if is_proven(other, reader.kind, told, part, begin):
            if not (reader.overlap_ok or "journal" in (other.kind, reader.kind)):
                raise shared_error(reader.name, other.name, min(line.t for line in told))
            found |= {numbers[one] for one in shared}
    return found


def _others(cursor: Cursor, values: dict[str, Any]) -> list[Other]:
    """Return the other sources that told of these hosts about these times."""
    cursor.execute(SQL["statements/spans_elsewhere"], values)
    others: dict[int, Other] = {}
    for row in dicts(cursor):
        said = Other(row["kind"], row["name"], row["t_first"], row["t"])
        other = others.setdefault(row["source_id"], said)
        other.shelves[row["mta"]].put(_unpacked(row["lines"]))
    return list(others.values())


def _before(cursor: Cursor, values: dict[str, Any]) -> dict[str, list[int]]:
    """Return what the reader told of these hosts about these times."""
    cursor.execute(SQL["statements/spans_own"], values)
    before: dict[str, list[int]] = defaultdict(list)
    for row in dicts(cursor):
        before[row["mta"]] += _unpacked(row["lines"])
    return before


# --- where to look ----------------------------------------------------------------------------


class Window(NamedTuple):
    """A time of a host of which lines were told."""

    mta: str
    first: datetime
    last: datetime


def _slices(lines: Sequence[Line]) -> Iterator[tuple[list[int], list[Window]]]:
    """Yield the numbers of the lines, cut where none were told for a while, with their windows.

    So a few lines of a long time do not bring in all that others told in that time.
    """
    known = [number for number, line in enumerate(lines) if line.fingerprint]
    known.sort(key=lambda number: (lines[number].mta, lines[number].t))
    numbers: list[int] = []
    windows: list[Window] = []
    for number in known:
        mta, t = lines[number].mta, lines[number].t
        if windows and windows[-1].mta == mta and t - windows[-1].last < APART:
            windows[-1] = windows[-1]._replace(last=t)
        else:
            if len(windows) == MOST_WINDOWS:
                yield sorted(numbers), windows
                numbers, windows = [], []
            windows.append(Window(mta, t, t))
        numbers.append(number)
    if numbers:
        yield sorted(numbers), windows


def _in_columns(windows: Sequence[Window]) -> dict[str, list[Any]]:
    """Return the windows as PostgreSQL takes them, a little wider."""
    near = timedelta(seconds=2 * NEAR)
    return {
        "mtas": [one.mta for one in windows],
        "firsts": [one.first - near for one in windows],
        "lasts": [one.last + near for one in windows],
    }


# --- equal, or the same -----------------------------------------------------------------------


def is_proven(
    other: Other, kind: str, shared: Sequence[Line], lines: Sequence[Line], begin: datetime | None
) -> bool:
    """Tell whether lines are the same ones in both sources, not only equal.

    Of two files a few equal lines prove nothing: a program may say the same before and after
    the end of one. But where all is equal, it is the same, unless it stands at such an end.
    `begin` is the time of the first line the reader ever told.
    """
    if not shared:
        return False
    if "journal" in (other.kind, kind):
        return True
    if len({one.fingerprint >> 32 for one in shared}) >= PROOF:
        return True
    if len(shared) < len(lines):
        return False
    first, last = min(line.t for line in lines), max(line.t for line in lines)
    begins = (other.last, min(first, begin or first))
    ends = (other.first, last)
    return not all(
        all(_is_near_to(line.t, t) for t in begins) or all(_is_near_to(line.t, t) for t in ends)
        for line in shared
    )


def _is_near_to(t: datetime, other: datetime | None) -> bool:
    return other is not None and abs(t - other) <= timedelta(seconds=NEAR)


def shared_error(name: str, other: str, t: datetime) -> InputError:
    """Return what the user is told of two files that share lines."""
    one, two = (STREAM if path == "-" else path for path in (name, other))
    return InputError(
        f"{one} and {two} share lines, the first of {t:%Y-%m-%d %H:%M:%S} UTC: not loaded; "
        "with --overlap-ok lines that stand in both are stored once"
    )


# --- what was told is remembered --------------------------------------------------------------


class Run(NamedTuple):
    """Lines of one host that a source told one after the other, as they are stored."""

    machine: str
    mta: str
    first: datetime
    last: datetime
    fingerprints: bytes


def runs_of(lines: Iterable[Line]) -> list[Run]:
    """Return the lines in runs: what there is to write down of them."""
    found: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        if line.fingerprint:
            found[line.machine, line.mta].append(line)
    return [
        Run(machine, mta, *_ends(part), _packed([line.fingerprint for line in part]))
        for (machine, mta), run in found.items()
        for part in _parts(run)
    ]


def remember(cursor: Cursor, runs: Sequence[Run], reader: Reader) -> None:
    """Write down that the reader told these lines."""
    if runs:
        cursor.execute(
            SQL["statements/save_spans"],
            {
                "sources": [reader.ids[run.machine] for run in runs],
                "mtas": [run.mta for run in runs],
                "firsts": [run.first for run in runs],
                "lasts": [run.last for run in runs],
                "lines": [run.fingerprints for run in runs],
            },
        )


def _parts(run: Sequence[Line]) -> Iterator[Sequence[Line]]:
    """Cut a run where it becomes too large, or too long a time."""
    start = 0
    for end, line in enumerate(run):
        if end - start == RUN or abs(line.t - run[start].t) > HALF_A_DAY:
            yield run[start:end]
            start = end
    yield run[start:]


def _ends(run: Sequence[Line]) -> tuple[datetime, datetime]:
    times = [line.t for line in run]
    return min(times), max(times)


def _packed(fingerprints: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(fingerprints)}Q", *fingerprints)


def _unpacked(lines: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(lines) // 8}Q", lines)
