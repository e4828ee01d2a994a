"""A log file that is written now: its lines as they come, across its rotation.

It knows renamed and emptied files, and where in older ones reading stopped.
It refuses to know formats of lines, and the database that keeps the positions.

A renamed file is read until the new one has lines: until then the daemon may write to the old.
Files are looked at twice a second, which works on network file systems too.

Bugs: of a file that is copied and emptied, what was written since the last look is lost.
"""

from __future__ import annotations

import os
import re
import select
from collections.abc import Iterable, Iterator
from pathlib import Path

from journal_postfix.compression import STANDARD_INPUT
from journal_postfix.following import Gap, Stop, Waiter, follow
from journal_postfix.logfile import LogFile, iter_messages
from journal_postfix.loglines import LineSplitter
from journal_postfix.messages import InputError, MsgDetails, Position
from journal_postfix.stamps import Clock, checked_year, checked_zone

__all__ = ["FollowedFile", "Gap", "iter_logfile_follow"]

LOOK = 0.5
"""Seconds between two looks at a file."""

GONE = "the file read last is gone"

ROTATED = re.compile(r"[.-]\d[\d.-]*(\.(gz|bz2|xz|zst))?")
"""What logrotate and its like put behind a name: numbers, or dates."""


class StandardInput:
    """Standard input, read without waiting; ``is_finished`` when nothing more can come."""

    def __init__(self) -> None:
        self.is_finished = False
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN)

    def read(self, size: int) -> bytes:
        """Return what is there now, nothing at all included."""
        if self.is_finished or not self._poll.poll(0):
            return b""
        data = os.read(0, size)
        self.is_finished = not data
        return data


class FollowedFile:
    """A log file that is written now, behind its stored position; ``-`` is standard input.

    ``stored`` are the positions of files read before. Where the file that was read last has been
    renamed since, what is left of it and of newer ones comes first. ``year`` and ``timezone`` as
    for ``iter_logfile_messages``; a stamp in the future is not an error here. ``gaps`` are the
    times of which lines are missing; ``resumed`` is the stored position reading went on behind.
    InputError where the file cannot be opened.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        year: int | None = None,
        timezone: str | None = None,
        stored: Iterable[Position] = (),
    ) -> None:
        zone = checked_zone(timezone)
        year = checked_year(year)
        self.gaps: list[Gap] = []
        self.resumed: Position | None = None
        self._path = Path(filepath).absolute()
        self._input = StandardInput() if os.fspath(filepath) == STANDARD_INPUT else None
        self._stored = [one for one in stored if one.kind == "file" and one.position]
        self._files = self._opened()
        self._done: list[Position] = []
        self._told = self._files[0].offset
        self._splitter = LineSplitter(Clock(zone, self._files[0].first_day(year, zone), live=True))

    def _opened(self) -> list[LogFile]:
        """Return the files to read: the one read last, if it is found, and those after it."""
        if self._input:
            return [LogFile(STANDARD_INPUT, self._input.read)]
        files = [LogFile(self._path)]
        if files[0].kind != "file":
            raise InputError(f"{self._path}: is not a file; give a pipe as standard input, -")
        if self._is_resumed(files[0]) or not self._stored:
            return files
        for older in self._rotated():
            files.insert(0, older)
            if self._is_resumed(older):
                return files
        self._note_loss()
        return files[-1:]

    def _is_resumed(self, logfile: LogFile) -> bool:
        for one in self._stored:
            if one.identity == logfile.identity and logfile.resume(int(one.position), one.digest):
                self.resumed = one
                return True
        return False

    def _rotated(self) -> Iterator[LogFile]:
        """Yield the older files of this name, the newest first."""
        name = self._path.name
        found = [
            path
            for path in self._path.parent.iterdir()
            if path.name.startswith(name)
            and ROTATED.fullmatch(path.name, len(name))
            and os.access(path, os.R_OK, effective_ids=True)
        ]
        for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True):
            yield LogFile(path)

    def _note_loss(self) -> None:
        times = [one.t for one in self._stored if one.name == str(self._path)]
        if times:
            last = max((t for t in times if t), default=None)
            self.gaps.append(Gap(str(self._path), last, None, GONE))

    def close(self) -> None:
        """Close all files."""
        for logfile in self._files:
            logfile.close()

    def positions(self) -> list[Position]:
        """Return the positions of the files that were read on since this was last asked."""
        moved, self._done = self._done, []
        if self._files[0].offset != self._told:
            moved.append(self._files[0].position())
            self._told = self._files[0].offset
        return moved

    def has_moved(self) -> bool:
        """Tell whether ``positions`` would return any."""
        return bool(self._done) or self._files[0].offset != self._told

    def is_finished(self) -> bool:
        """Tell whether standard input has ended; a file never does."""
        return self._input is not None and self._input.is_finished

    def new_messages(self) -> Iterator[MsgDetails]:
        """Yield the messages of the lines that were written meanwhile."""
        while True:
            if self._is_emptied():
                self._files.insert(1, LogFile(self._path))
            else:
                yield from self._read(last=False)
                if not self._has_ended():
                    return
                yield from self._read(last=True)
            if not self._files[1:]:
                return
            self._done = self.positions()
            self._files.pop(0).close()
            self._told = self._files[0].offset

    def _is_emptied(self) -> bool:
        logfile = self._files[0]
        return not self._input and logfile.is_at(self._path) and logfile.is_replaced()

    def _read(self, *, last: bool) -> Iterator[MsgDetails]:
        try:
            for _, msg in iter_messages(self._files[0], self._splitter, last=last):
                yield msg
        except InputError as error:
            if not self._files[1:]:
                raise
            self.gaps.append(Gap(self._files[0].name, None, None, str(error)))

    def _has_ended(self) -> bool:
        """Tell whether nothing will be written behind what was read, and open what follows."""
        if self._input:
            return self._input.is_finished
        if not self._files[1:]:
            self._files += self._successor()
        return bool(self._files[1:])

    def _successor(self) -> list[LogFile]:
        logfile = self._files[0]
        try:
            if logfile.is_at(self._path):
                return []
            return [LogFile(self._path)] if self._path.stat().st_size else []
        except FileNotFoundError:
            return []

    def wait(self, waiter: Waiter, seconds: float) -> None:
        """Wait until there may be new lines, at most so long."""
        if self._input:
            waiter.wait(seconds, [0])
        else:
            waiter.wait(min(seconds, LOOK))


def iter_logfile_follow(
    followed: FollowedFile,
    stop: Stop | None = None,
    poll_interval: float = 10.0,
    max_delay_before_commit: float = 1.0,
) -> Iterator[tuple[bool, MsgDetails | None]]:
    """Yield (commit, message) as lines come, until ``stop`` says so or standard input ends.

    ``commit`` is True when ``max_delay_before_commit`` seconds have passed since the first
    message not committed, then also (True, None) where no message came meanwhile.
    """
    return follow(followed, stop, poll_interval, max_delay_before_commit)
