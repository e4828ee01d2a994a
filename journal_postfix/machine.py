"""The entries of one machine in a journal, in their order, from behind a position.

It knows cursors, and how to go on where files were rotated, moved or removed under its hands.
It refuses to know other machines, and what an entry says.

journald empties a file that it removes, even while it is being read: what was not read then is
lost at once, and is told as a gap. What was read to its end is not missed.

Bugs: entries lost from the middle of files that several machines share are not noticed.
"""

# ruff: noqa: SLF001 - the methods of Reader without underscore convert all fields of an entry,
# which takes five times as long

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from journal_postfix.entries import Rules
from journal_postfix.following import Gap
from journal_postfix.messages import InputError, MsgDetails, Position

SLICE = 10_000
"""Entries read of one machine before the turn of the next."""

LOOK = 1_000
"""Entries passed over in silence; then somebody may want to stop."""

MOST_FAILURES = 1_000
"""Entries that cannot be read before the journal is given up."""

GONE = "the entry read last is no longer in the journal, others may have gone with it"
MISSED = "entries were removed from the journal before they were read, or are damaged"
UNREADABLE = "entries of the journal cannot be read"


class Cursor(NamedTuple):
    """What a cursor says: whose numbers, which number, and what makes the entry this one."""

    numbering: str
    number: int
    entry: tuple[str, ...]


def parsed(cursor: str) -> Cursor | None:
    """Return what a cursor says, None if it is none."""
    parts = dict(part.partition("=")[::2] for part in cursor.split(";"))
    try:
        entry = tuple(parts[name] for name in "bmtx")
        return Cursor(parts["s"], int(parts["i"], 16), entry)
    except (KeyError, ValueError):
        return None


Place = tuple[str, datetime | None, int]
"""An entry's cursor and time, and how many were read up to it since the last look."""


class Machine:
    """Reader of one machine's entries.

    ``is_behind`` tells after ``messages`` that there is more. To ``gaps`` it adds the times of
    which entries are missing.
    """

    def __init__(self, position: Position, open_reader: Callable[[], Any], gaps: list[Gap]) -> None:
        self.is_behind = True
        self._gaps = gaps
        self._position = position
        self._open_reader = open_reader
        self._is_stale = False
        self._is_alone = False
        self._count = 0
        self._here: Place = (self._position.position, self._position.t, 0)
        self._looked = self._here
        self._failed = ""
        self._failures = 0
        self._seek()

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()

    def has_moved(self) -> bool:
        """Tell whether the position changed since it was last asked for."""
        return self._here[0] != self._position.position

    def position(self) -> Position:
        """Return the position of the entry read or passed over last."""
        self._position = self._position._replace(position=self._here[0], t=self._here[1])
        return self._position

    def look(self, *, files_changed: bool, alone: bool) -> None:
        """Hear whether files came or went; ``alone``: all entries in them are this machine's."""
        self._is_stale |= files_changed
        self._is_alone = alone
        self._note_missed()

    def _note_missed(self) -> None:
        """Compare the numbers of the entries with how many were read since the last look."""
        old, new = parsed(self._looked[0]), parsed(self._here[0])
        numbers = new.number - old.number if old and new and old.numbering == new.numbering else 0
        if self._is_alone and numbers > self._here[2]:
            self._note_gap(self._looked[1], self._here[1], MISSED)
        self._looked = self._here = (*self._here[:2], 0)
        self._count = 0

    def _note_gap(self, begin: datetime | None, end: datetime | None, why: str) -> None:
        self._gaps.append(Gap(self._position.identity, begin, end, why))

    def _seek(self) -> None:
        """Open a reader at the entry read last, or where that would stand."""
        self._is_stale = False
        self._reader = reader = self._open_reader()
        self._next: Callable[[], bool] = self._first_next
        self._is_placed = False
        self._count = self._here[2]
        reader.add_match(f"_MACHINE_ID={self._position.identity}")
        reader.data_threshold = 0  # or long messages would be cut
        cursor, t, _ = self._here
        try:
            if cursor:
                reader.seek_cursor(cursor)
                return
        except (OSError, ValueError):
            if t:
                reader.seek_realtime(t.timestamp() + 1e-6)
                return
        reader.seek_head()

    def _reopen(self) -> None:
        self._reader.close()
        self._seek()

    def _first_next(self) -> bool:
        """Go behind the entry read last; where it is gone, the following one is the next."""
        reader, cursor = self._reader, self._here[0]
        if not reader._next():
            return False
        self._next, self._is_placed = reader._next, True
        if not cursor:
            self._look_from_here()
            return True
        old, found = parsed(cursor), parsed(reader._get_cursor())
        if old and found and (old == found or old.entry == found.entry):
            return bool(reader._next())  # entry may be the same although moved from /run to /var
        if not (old and found and (old.numbering, old.number + 1) == found[:2]):
            self._note_gap(self._here[1], self._t(), GONE)
            self._look_from_here()
        return True

    def _look_from_here(self) -> None:
        """Count from this entry on, which is about to be read."""
        self._looked = (self._reader._get_cursor(), self._t(), 0)
        self._count = -1

    def _t(self) -> datetime:
        return datetime.fromtimestamp(self._reader._get_realtime() / 1e6, UTC)

    def _note_here(self) -> None:
        if self._is_placed:
            self._here = (self._reader._get_cursor(), self._t(), self._count)

    def messages(self, rules: Rules) -> Iterator[MsgDetails | None]:
        """Yield a slice of messages, and None now and then where nothing is for us."""
        self.is_behind = True
        for number in range(1, SLICE + 1):
            msg = None
            try:
                if not self._next():
                    self._end()
                    return
                msg = self._message(rules)
                if msg is None and number % LOOK == 0:
                    self._note_here()
            except OSError as error:
                if self._has_recovered(error):
                    return
            if msg is not None or number % LOOK == 0:
                yield msg

    def _end(self) -> None:
        """At the end of the files known: open them again if others came."""
        self._note_here()
        self._note_missed()
        self.is_behind = self._is_stale
        if self._is_stale:
            self._reopen()

    def _message(self, rules: Rules) -> MsgDetails | None:
        reader = self._reader
        self._count += 1
        try:
            identifier = rules.identifiers[reader._get("SYSLOG_IDENTIFIER")]
        except KeyError:
            return None
        if not identifier:
            return None
        cursor, t = reader._get_cursor(), self._t()
        fields = reader._get_all()
        self._here = (cursor, t, self._count)
        msg = rules.message(fields, identifier, t, cursor)
        if msg is not None:
            msg["machine"] = self._position.identity
        return msg

    def _has_recovered(self, error: OSError) -> bool:
        """After a failure go back to the entry read last, once; then leave the faulty one out."""
        if self._failed != self._here[0]:
            self._failed = self._here[0]
            self._reopen()
            return True
        self._failures += 1
        if self._failures == 1:
            self._note_gap(self._here[1], None, UNREADABLE)
        if self._failures > MOST_FAILURES:
            raise InputError(f"the journal cannot be read: {error.strerror}")
        return False
