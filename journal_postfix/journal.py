"""The systemd journal: messages, and the position behind each, machine by machine.

It knows which machines there are, and when something came. It alone imports systemd.
It refuses to know entries, and the database that keeps the positions.

Each machine in the journal is read by a reader of its own: entries of one machine come in order,
those of another may come late. A reader is never moved to the journal's end. Where files came or
went, what is known is read to its end; then the files are opened again behind the last entry.

Bugs: damaged journal files, and damaged ends of them, are left out by libsystemd without a word.
That is seen by the numbers of the entries, and told as a gap, where one machine is read. journald
empties files before it removes them: if libsystemd looks into one in that moment, the process dies
of SIGBUS. systemd starts it again, and it goes on where it was.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from journal_postfix.entries import Rules, text
from journal_postfix.following import Gap, Stop, Waiter, catch_up, follow
from journal_postfix.journalfiles import check_readable, journal_files, make_room
from journal_postfix.machine import Machine
from journal_postfix.messages import InputError, MsgDetails, Position

__all__ = ["Gap", "JournalSet", "iter_journal_messages_follow", "iter_journal_messages_since"]

try:
    from systemd import journal as systemd_journal
except ImportError:  # not on every machine where log files are read
    systemd_journal = None

JOURNAL = "journal"
_CONVERTERS = {"_MACHINE_ID": text}
MACHINE_CHECK = 5.0
"""Seconds from one look for new machines to the next, where entries keep coming."""


def check_package() -> None:
    """Raise InputError where the Python package is missing."""
    if systemd_journal is None:
        raise InputError(
            "reading the journal needs the Python package systemd-python (Debian: python3-systemd)"
        )


def open_reader(directory: str | None) -> Any:
    """Open a reader of this machine's journal, or of that in a directory; raises InputError."""
    check_package()
    try:
        return systemd_journal.Reader(path=directory, converters=_CONVERTERS)
    except OSError as error:
        raise InputError(f"{directory or JOURNAL}: cannot be opened ({error.strerror})") from None


class JournalSet:
    """The journal of this machine, or of all machines in a directory, behind stored positions.

    ``directory`` None is this machine's journal. ``syslog_names``: identifiers are read that
    begin with one of them and ``/`` or ``-``; ``units``: if any are given, only entries of these
    systemd units (``*`` and ``?`` allowed). ``trusted_uids``: whose entries are believed beside
    those of Postfix's units. ``stored`` positions of other kinds are ignored; a machine without
    one is read from its oldest entry.

    ``gaps`` are the times from which entries are missing, found so far. InputError where there
    is no journal, or it may not be read, or the Python package for it is missing.
    """

    def __init__(
        self,
        directory: str | None = None,
        *,
        syslog_names: Iterable[str] = ("postfix",),
        units: Sequence[str] = (),
        trusted_uids: Iterable[int] = (0,),
        stored: Iterable[Position] = (),
    ) -> None:
        check_package()
        check_readable(directory)
        make_room(directory, 1)
        self._directory = directory
        self._rules = Rules(syslog_names, units, trusted_uids)
        self._stored = {one.identity: one for one in stored if one.kind == JOURNAL}
        self._machines: dict[str, Machine] = {}
        self._told: dict[str, set[str]] = {}  # which machines' entries each file has
        self.gaps: list[Gap] = []
        self._watcher = self._open()
        self._watch()
        self._check_at = 0.0
        self._discover()
        if not self._machines and self._watcher.get_next():
            raise InputError(f"{directory or JOURNAL}: its entries have no field _MACHINE_ID")

    def _watch(self) -> None:
        """From now on no change of the files is missed."""
        try:
            self._watcher.fileno()
        except OSError as error:
            if error.errno != errno.EMFILE:
                raise
            raise InputError(
                "the journal cannot be watched: programs of this user watch as many files as they may;"
                " raise fs.inotify.max_user_instances (sysctl)"
            ) from None

    def _open(self) -> Any:
        return open_reader(self._directory)

    def close(self) -> None:
        """Close all readers."""
        for reader in (self._watcher, *self._machines.values()):
            reader.close()

    @property
    def machines(self) -> frozenset[str]:
        """The machines of which there are entries."""
        return frozenset(self._machines)

    def positions(self) -> list[Position]:
        """Return the positions of the machines that moved since this was last asked.

        A position is that of the last entry read or passed over, Postfix's or not.
        """
        return [one.position() for one in self._machines.values() if one.has_moved()]

    def has_moved(self) -> bool:
        """Tell whether ``positions`` would return any."""
        return any(machine.has_moved() for machine in self._machines.values())

    def new_messages(self) -> Iterator[MsgDetails | None]:
        """Yield what the journal holds behind the positions, and None now and then.

        Machines take turns; each one's entries are in the journal's order.
        """
        while True:
            self._look_around()  # first: a change during the reading then ends the next wait
            for machine in list(self._machines.values()):
                yield from machine.messages(self._rules)
            if not any(machine.is_behind for machine in self._machines.values()):
                return

    def _look_around(self) -> None:
        """Note new and vanished files, and now and then new machines."""
        change = self._watcher.process()
        files_changed = change == systemd_journal.INVALIDATE
        if files_changed or not self._machines:
            self._check_at = 0.0
        for machine in self._machines.values():
            machine.look(files_changed=files_changed, alone=len(self._machines) == 1)
        self._has_unseen |= change != systemd_journal.NOP
        if self._has_unseen and time.monotonic() >= self._check_at:
            self._discover()

    def _discover(self) -> None:
        self._check_at = time.monotonic() + MACHINE_CHECK
        self._has_unseen = False
        identities = self._identities()
        make_room(self._directory, 1 + len(self._machines.keys() | identities))
        for identity in sorted(identities):
            if identity not in self._machines:
                position = self._stored.get(identity) or Position(
                    JOURNAL, identity, self._directory or JOURNAL, "", "", None
                )
                self._machines[identity] = Machine(position, self._open, self.gaps)

    def _identities(self) -> set[str]:
        """Return the machines that the journal has entries of.

        libsystemd's answer for all files ends at the first that is damaged, without a word: each
        file is asked by itself too, until it has told some.
        """
        found: set[str] = self._watcher.query_unique("_MACHINE_ID")
        files = journal_files(self._directory)
        self._told = {path: self._told.get(path) or _machines_in(path) for path in files}
        return found.union(*self._told.values())

    def is_finished(self) -> bool:
        """A journal never ends."""
        return False

    def wait(self, waiter: Waiter, seconds: float) -> None:
        """Wait until the journal changes, at most so long."""
        milliseconds = self._watcher.get_timeout_ms()  # -1 but on network file systems
        if milliseconds >= 0:
            seconds = min(seconds, milliseconds / 1000)
        if self._has_unseen:
            seconds = min(seconds, self._check_at - time.monotonic())
        waiter.wait(seconds, [self._watcher.fileno()])


def _machines_in(path: str) -> set[str]:
    """Return the machines that a file has entries of, as far as it can be read."""
    found: set[str] = set()
    try:
        with systemd_journal.Reader(files=[path], converters=_CONVERTERS) as reader:
            found |= reader.query_unique("_MACHINE_ID")
            found |= {reader.get_next().get("_MACHINE_ID", "")} - {""}
    except (OSError, ValueError):
        pass  # damaged, or gone meanwhile
    return found


def iter_journal_messages_since(
    journal: JournalSet, stop: Stop | None = None
) -> Iterator[tuple[bool, MsgDetails]]:
    """Yield (False, message) for what the journal holds behind the positions, then end."""
    return catch_up(journal, stop)


def iter_journal_messages_follow(
    journal: JournalSet,
    stop: Stop | None = None,
    poll_interval: float = 10.0,
    max_delay_before_commit: float = 1.0,
) -> Iterator[tuple[bool, MsgDetails | None]]:
    """Yield (commit, message) as entries come, until ``stop`` says so.

    ``commit`` is True when ``max_delay_before_commit`` seconds have passed since the first
    message not committed; (True, None) where no message came then. Where only other programs'
    entries come, that is so every 30 s, lest the position stay behind. ``poll_interval``
    (seconds) is the longest wait; a change of the journal or a signal ends it at once.
    """
    return follow(journal, stop, poll_interval, max_delay_before_commit)
