"""Log files: messages, and the position behind each.

It knows when a file is one seen before, which year it begins with, and the text in front of it.
It refuses to know what Postfix says, and the database that keeps the positions.

Bugs: a file that was changed before the stored position is taken for another one. "last message
repeated" at the very place where reading goes on is not counted: the message was read before.
"""

from __future__ import annotations

import hashlib
import os
import time
import weakref
from collections.abc import Iterator
from datetime import date, datetime, tzinfo
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from journal_postfix.compression import (
    DAMAGE,
    STANDARD_INPUT,
    Read,
    is_regular,
    open_disk,
    text_reader,
)
from journal_postfix.loglines import LineSplitter, cleaned, repeated, repeated_last
from journal_postfix.logtext import BLOCK, DamagedText, Text
from journal_postfix.messages import InputError, MsgDetails, Position
from journal_postfix.stamps import Clock, StampError, checked_year, checked_zone
from journal_postfix.years import YearDay, YearScan

FIRST_LINE = 1 << 16
"""Bytes of the first line by which a file is known."""

REPEATED = "message r"
AGAIN = "last mess"
"""How a line begins that stands for several, and hardly any other."""

HEAD = 256
"""Bytes by which a file is seen to have been emptied and written anew."""

SETTLED = 1.0
"""Seconds after which nobody is in the middle of writing a line."""


class Reading(NamedTuple):
    """How far a file has been read: of how many bytes on the disk (None: not known) how many."""

    name: str
    size: int | None
    bytes_read: int


class LogFile:
    """A log text, decompressed by content, read once from its beginning or from a position.

    ``filepath`` ``-`` is standard input. InputError where the file cannot be opened. ``last`` is
    the last message given. ``read`` is another way to read the text, not compressed.
    """

    def __init__(self, filepath: str | os.PathLike[str], read: Read | None = None) -> None:
        path = os.fspath(filepath)
        self._read = read
        self.path = path if path == STANDARD_INPUT else str(Path(path).absolute())
        self.name = os.fsencode(self.path).decode("utf-8", "backslashreplace")
        self._disk = open_disk(path)
        weakref.finalize(self, self._disk.close)
        self._regular = path != STANDARD_INPUT and is_regular(self._disk)
        self.kind = "file" if self._regular else "stream"
        self._begin()

    def _begin(self) -> None:
        if self._regular:
            self._disk.seek(0)
        read, self.compressed = (self._read, False) if self._read else text_reader(self._disk)
        self._text = Text(read)
        self._identity = ""
        self._head = b""
        self.resumed = 0
        self._lines_before = 0
        self._t: datetime | None = None
        self._scan = YearScan()
        self.last: MsgDetails | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; position and counts stay."""
        self._disk.close()

    @property
    def size(self) -> int | None:
        """Bytes on the disk, None where that is not known."""
        return os.fstat(self._disk.fileno()).st_size if self._regular else None

    @property
    def bytes_read(self) -> int:
        """Bytes read from the disk so far."""
        return self._disk.tell() if self._regular else self.offset

    def reading(self) -> Reading:
        """Return how far it has been read."""
        return Reading(self.name, self.size, self.bytes_read)

    @property
    def offset(self) -> int:
        """Bytes of the text up to the end of the last line given."""
        given = self.last["position"] if self.last else 0
        return max(int(given), self.resumed, self._text.passed)

    @property
    def line_number(self) -> int:
        """Number of the last line given, counted from the beginning of the text."""
        return self._text.lines(self.offset)

    @property
    def lines_read(self) -> int:
        """Lines given, those before a position resumed at not counted."""
        return self.line_number - self._lines_before

    @property
    def identity(self) -> str:
        """SHA-256 (hex) of the first line, at most 64 kB of it; empty while the text is."""
        if not self._identity:
            try:
                self._identify(self._text.beginning(FIRST_LINE))
            except DamagedText:
                pass  # told when its lines are read
        return self._identity

    def _identify(self, text: bytes) -> None:
        if text:
            self._head = text[:HEAD]
            first = text[:FIRST_LINE].partition(b"\n")[0]
            self._identity = hashlib.sha256(first).hexdigest()

    def resume(self, offset: int, digest: str) -> bool:
        """Go behind the first ``offset`` bytes if they are those of ``digest``, else to the start.

        Returns whether they are. Standard input cannot be read twice and is left alone.
        """
        if not self._regular:
            return False
        self._begin()
        try:
            found = self._text.skip(offset, self._see) and self._text.digest(offset) == digest
        except DamagedText:
            found = False
        if not found:
            self._begin()
            return False
        self.resumed, self._lines_before = offset, self._text.lines(offset)
        return True

    def _see(self, block: bytes) -> None:
        if self._text.start == 0:
            self._identify(block)
        self._scan.feed(block)

    def position(self) -> Position:
        """Return where reading goes on after the last message given."""
        offset = self.offset
        if self.last and self.last["t"]:
            self._t = self.last["t"]
        digest = self._text.digest(offset)
        return Position(self.kind, self._identity, self.name, str(offset), digest, self._t)

    def blocks(self, *, last: bool = True) -> Iterator[tuple[int, bytes]]:
        """Yield blocks of whole lines with their offsets; InputError where the file is damaged.

        ``last``: the text ends where it ends now, and a line that is not complete is a line.
        """
        try:
            for block in self._text.blocks(last=last):
                if self._text.start == 0:
                    self._identify(block)
                yield self._text.start, block
        except DamagedText as damage:
            raise InputError(
                f"{self.name}: damaged, or not complete ({damage}); "
                f"its first {self.line_number} lines could be read"
            ) from None

    def first_day(self, year: int | None, zone: tzinfo | None) -> YearDay | None:
        """Return the day of the line above the next one, or what year the text begins with.

        None where only the clock on the wall can tell the year.
        """
        if year is None and not self._scan.day.known and self._regular:
            year = self._first_year(zone)
        if year is None:
            return self._scan.day if self._scan.day.known else None
        return self._scan.day.since(year)

    def _first_year(self, zone: tzinfo | None) -> int | None:
        """Count the years back from when the file was written: one pass over its days."""
        here = self._disk.tell()
        self._disk.seek(0)
        scan = YearScan()
        try:
            _scan_until_year(text_reader(self._disk)[0], scan)
        except DAMAGE:
            pass  # told when its lines are read
        self._disk.seek(here)
        return scan.first_year(self._written(zone))

    def _written(self, zone: tzinfo | None) -> date:
        return datetime.fromtimestamp(os.fstat(self._disk.fileno()).st_mtime, zone).date()

    def is_replaced(self) -> bool:
        """Tell whether the file was emptied, and perhaps written anew, since it was read."""
        descriptor = self._disk.fileno()
        if os.fstat(descriptor).st_size < self._disk.tell():
            return True
        return not self.compressed and os.pread(descriptor, len(self._head), 0) != self._head

    def is_at(self, path: Path) -> bool:
        """Tell whether this is still the file of that name."""
        try:
            return os.path.samestat(os.fstat(self._disk.fileno()), path.stat())
        except FileNotFoundError:
            return False

    def is_settled(self) -> bool:
        """Tell whether the last line, if not complete, will stay so as far as can be seen."""
        if self.compressed or not self._regular or not self._text.waits():
            return True
        return time.time() - os.fstat(self._disk.fileno()).st_mtime >= SETTLED


def _scan_until_year(read: Read, scan: YearScan) -> None:
    """Show a text's lines to the scan, as far as their years are not known."""
    rest = b""
    while (data := read(BLOCK)) and not scan.day.known:
        end = data.rfind(b"\n") + 1
        scan.feed(rest + data[:end])
        rest = (rest if not end else b"") + data[end:][-FIRST_LINE:]
    scan.feed(rest)


def iter_logfile_messages(
    filepath: str | os.PathLike[str] | LogFile,
    year: int | None = None,
    timezone: str | None = None,
) -> Iterator[tuple[bool, MsgDetails]]:
    """Yield (False, message) for each line of a log file, from where it is positioned.

    ``year`` is that of the file's first line, if its stamps have none; without it years are
    counted back from the time when the file was written (standard input: from now). ``timezone``
    is a name such as Europe/Berlin for stamps without offset; default is the machine's.
    InputError: the file cannot be read or is damaged (all lines before that were yielded), or a
    line lies more than a day in the future. UsageError: a year or zone that does not exist.
    """
    zone = checked_zone(timezone)
    year = checked_year(year)
    logfile = filepath if isinstance(filepath, LogFile) else LogFile(filepath)
    return chain.from_iterable(_readings(logfile, year, zone))  # one generator less per line


def _readings(
    logfile: LogFile, year: int | None, zone: tzinfo | None
) -> Iterator[Iterator[tuple[bool, MsgDetails]]]:
    """Yield what there is now, what is being written at the moment, and an incomplete line."""
    clock = Clock(zone, logfile.first_day(year, zone), is_given=year is not None)
    splitter = LineSplitter(clock)
    yield iter_messages(logfile, splitter, last=False)
    if not logfile.is_settled():
        time.sleep(SETTLED)
        yield iter_messages(logfile, splitter, last=False)
    yield iter_messages(logfile, splitter, last=True)


def iter_messages(
    logfile: LogFile, splitter: LineSplitter, *, last: bool
) -> Iterator[tuple[bool, MsgDetails]]:
    """Yield (False, message) for each line up to the present end of the file."""
    form = splitter.form
    try:
        for start, block in logfile.blocks(last=last):
            odd = _is_odd(block)
            lines = block.decode("latin-1").split("\n")
            position = start if lines.pop() == "" else start - 1
            for line in lines or [block.decode("latin-1")]:
                position += len(line) + 1
                parts = form(line)
                if parts is None:
                    parts = splitter.split(line)
                    form = splitter.form
                t, (host, identifier, pid), message = parts
                msg: MsgDetails = {
                    "t": t,
                    "host": host,
                    "identifier": identifier,
                    "pid": pid,
                    "message": message,
                    "position": position,
                }
                if odd or message[:9] == REPEATED or (not identifier and message[:9] == AGAIN):
                    yield from _repetitions(logfile, msg, max(start, position - len(line) - 1))
                logfile.last = msg
                yield False, msg
    except StampError as error:
        raise InputError(f"{logfile.name}, line {logfile.line_number + 1}: {error}") from None


def _is_odd(block: bytes) -> bool:
    """Tell whether lines need more than being split."""
    return not block.isascii() or b"\r" in block or b"\0" in block


def _times(last: MsgDetails | None, msg: MsgDetails) -> int:
    """Clean the message, put the last one of its host in place of a mere count; tell how often."""
    times, msg["message"] = repeated(cleaned(msg["message"]))
    again = "" if msg["identifier"] else msg["message"]
    if last is not None and last["host"] == msg["host"] and (count := repeated_last(again)):
        msg["identifier"], msg["pid"], msg["message"] = (
            last["identifier"],
            last["pid"],
            last["message"],
        )
        return count
    return times


def _repetitions(
    logfile: LogFile, msg: MsgDetails, start: int
) -> Iterator[tuple[bool, MsgDetails]]:
    """Clean the message, and yield it as often as it was said, but for the last time.

    The position of each lies within the line, which begins at ``start``: its distance from there
    is the number of messages yielded, of which ``resume`` makes that many fewer.
    """
    times = _times(logfile.last, msg)
    end = int(msg["position"])
    told = logfile.resumed - start if start < logfile.resumed < end else 0
    for number in range(told + 1, times):
        logfile.last = msg.copy()
        logfile.last["position"] = min(start + number, end - 1)
        yield False, logfile.last
