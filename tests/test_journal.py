"""The journal: what is read and believed, and positions that survive all that journals do."""

from __future__ import annotations

import gc
import os
import pwd
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journal_postfix import following, journalfiles
from journal_postfix.journal import (
    JournalSet,
    iter_journal_messages_follow,
    iter_journal_messages_since,
)
from journal_postfix.messages import InputError, MsgDetails, Position
from journals import (
    MACHINE,
    START,
    GrowingJournal,
    Journald,
    entry,
    running_journald,
    write_journal,
)

OTHER = "c" * 32
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: runs a systemd-journald")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for journal files."""
    return tmp_path / "journal"


@pytest.fixture
def journald() -> Iterator[Journald]:
    """A journald of the test's own."""
    with running_journald() as running:
        yield running


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Readers that a test leaves behind watch no files after it: a user may only watch so many."""
    yield
    gc.collect()


def opened(folder: Path, stored: list[Position] | None = None, **options: Any) -> JournalSet:
    """Open the journal in a folder."""
    return JournalSet(str(folder), stored=stored or [], **options)


def since(journal: JournalSet) -> list[MsgDetails]:
    """Read what there is."""
    pairs = list(iter_journal_messages_since(journal))
    assert all(commit is False for commit, _ in pairs)
    return [msg for _, msg in pairs]


def texts(journal: JournalSet) -> list[str]:
    """Read what there is, only the texts."""
    return [msg["message"] for msg in since(journal)]


def numbers(*limits: int) -> list[str]:
    """Return the messages of entries with these numbers."""
    return [str(number) for number in range(*limits)]


def time_of(number: int) -> datetime:
    """Return the time of an entry."""
    return datetime.fromtimestamp(START / 1e6, UTC) + timedelta(milliseconds=number)


def test_message_of_an_entry(folder: Path) -> None:
    """An entry becomes time, host, identifier, pid, message, and its cursor."""
    write_journal(folder / "a.journal", [entry(7, MESSAGE="connect from unknown[192.0.2.1]")])
    journal = opened(folder)
    (msg,) = since(journal)
    (position,) = journal.positions()
    assert msg == {
        "t": time_of(7),
        "host": "mx1",
        "identifier": "postfix/smtpd",
        "pid": 123,
        "message": "connect from unknown[192.0.2.1]",
        "position": position.position,
        "machine": position.identity,
    }
    assert position == Position(
        "journal", MACHINE, str(folder), str(msg["position"]), "", time_of(7)
    )


def test_microseconds_of_times(folder: Path) -> None:
    """Times are exact to the microsecond."""
    times = [START + number * 999_983 for number in range(500)]
    write_journal(
        folder / "a.journal",
        [entry(0, __REALTIME_TIMESTAMP=us, __MONOTONIC_TIMESTAMP=us) for us in times],
    )
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    read = [(msg["t"] - epoch) // timedelta(microseconds=1) for msg in since(opened(folder))]
    assert read == times


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"SYSLOG_PID": None, "_PID": 77}, {"pid": 77}),
        ({"SYSLOG_PID": 5, "_PID": 77}, {"pid": 5}),
        ({"SYSLOG_PID": None}, {"pid": None}),
        ({"SYSLOG_PID": "x", "_PID": "1" * 30}, {"pid": None}),
        ({"_HOSTNAME": None}, {"host": ""}),
        ({"MESSAGE": None}, {"message": ""}),
        ({"MESSAGE": b"K\xc3\xb6ln \xff\0\x1b"}, {"message": "Köln \ufffd?\x1b"}),
        ({"MESSAGE": "a\nb"}, {"message": "a\nb"}),
        ({"MESSAGE": "x" * 200_000}, {"message": "x" * 200_000}),
        ({"PRIORITY": None}, {"message": "0"}),
        ({"MESSAGE": ["first", "second"]}, {}),
        ({"_HOSTNAME": ["a", "b"], "_UID": ["0", "1"], "_SYSTEMD_UNIT": ["a", "b"]}, {}),
    ],
)
def test_odd_fields(folder: Path, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Fields that are missing, binary, huge or there twice do no harm."""
    write_journal(folder / "a.journal", [entry(0, **fields)])
    (msg,) = since(opened(folder))
    assert {name: msg[name] for name in expected} == expected  # type: ignore[literal-required]


@pytest.mark.parametrize(
    ("fields", "is_read"),
    [
        ({"SYSLOG_IDENTIFIER": "postfix/smtpd"}, True),
        ({"SYSLOG_IDENTIFIER": "postfix-out/smtp"}, True),
        ({"SYSLOG_IDENTIFIER": "postfix"}, False),
        ({"SYSLOG_IDENTIFIER": "postfixadmin/x"}, False),
        ({"SYSLOG_IDENTIFIER": "opendkim"}, False),
        ({"SYSLOG_IDENTIFIER": None}, False),
        ({"PRIORITY": "7"}, False),
        ({"PRIORITY": "4"}, True),
    ],
)
def test_which_entries_are_read(folder: Path, fields: dict[str, Any], is_read: bool) -> None:
    """Read is what has one of the names and a mark behind it, from level info on."""
    write_journal(folder / "a.journal", [entry(0, **fields)])
    assert len(since(opened(folder))) == is_read


def test_syslog_names(folder: Path) -> None:
    """Other names may be configured, several of them."""
    identifiers = ["postfix/smtpd", "mail/smtpd", "mx-in/smtpd", "mx/smtpd"]
    write_journal(
        folder / "a.journal", [entry(i, SYSLOG_IDENTIFIER=n) for i, n in enumerate(identifiers)]
    )
    assert texts(opened(folder, syslog_names=("mail", "mx"))) == numbers(1, 4)


def test_units_narrow(folder: Path) -> None:
    """Units, if any are given, leave out what belongs to others or to none."""
    units = ["postfix@-.service", "postfix@out.service", "session-1.scope", None]
    write_journal(
        folder / "a.journal", [entry(i, _SYSTEMD_UNIT=unit) for i, unit in enumerate(units)]
    )
    assert texts(opened(folder)) == numbers(4)
    assert texts(opened(folder, units=("postfix@*.service",))) == numbers(2)
    assert texts(opened(folder, units=("postfix@-.service", "session-?.scope"))) == ["0", "2"]


@pytest.mark.parametrize(
    ("fields", "trusted"),
    [
        ({"_UID": "0"}, True),
        ({"_UID": "104"}, True),
        ({"_UID": "1000"}, False),
        ({"_UID": "00"}, False),
        ({"_UID": None}, False),
        ({"_UID": None, "_SYSTEMD_UNIT": "postfix@-.service"}, True),
        ({"_UID": "1000", "_SYSTEMD_UNIT": "postfix.service"}, True),
        ({"_UID": "1000", "_SYSTEMD_UNIT": "postfix@a-b.service"}, True),
        ({"_UID": "1000", "_SYSTEMD_UNIT": "postfix.service.scope"}, False),
        ({"_UID": "1000", "_SYSTEMD_UNIT": "notpostfix.service"}, False),
        ({"_UID": "1000", "_SYSTEMD_USER_UNIT": "postfix.service"}, False),
        ({"_UID": "1000", "UID": "0", "SYSTEMD_UNIT": "postfix.service"}, False),
        ({"_UID": ["1000", "0"]}, False),
    ],
)
def test_which_entries_are_believed(folder: Path, fields: dict[str, Any], trusted: bool) -> None:
    """Believed is what only journald could write: root's, Postfix's uid, Postfix's units."""
    write_journal(folder / "a.journal", [entry(0, **fields)])
    (msg,) = since(opened(folder, trusted_uids=(0, 104)))
    assert msg.get("trusted", True) is trusted


def test_trap_01_reading_goes_on_behind_the_position(folder: Path) -> None:
    """From each position, the next entry is the following one: none twice, none left out."""
    write_journal(folder / "a.journal", [entry(number) for number in range(20)])
    for msg in since(opened(folder)):
        stored = Position("journal", MACHINE, "", str(msg["position"]), "", msg["t"])
        journal = opened(folder, [stored])
        assert texts(journal) == numbers(int(msg["message"]) + 1, 20)
        assert journal.gaps == []


def test_positions_are_told_once(folder: Path) -> None:
    """A position is told when it has changed, and not again."""
    write_journal(folder / "a.journal", [entry(0), entry(1)])
    journal = opened(folder)
    assert journal.positions() == []
    assert texts(journal) == ["0", "1"]
    assert journal.has_moved()
    assert len(journal.positions()) == 1
    assert not journal.has_moved()
    assert journal.positions() == []
    assert texts(journal) == []
    assert journal.positions() == []


def test_trap_02_entry_read_last_is_gone(folder: Path) -> None:
    """Vacuumed past the position: on from the oldest entry after it, and the gap is told."""
    for part in range(3):
        write_journal(folder / f"{part}.journal", [entry(part * 10 + i) for i in range(10)])
    journal = opened(folder)
    messages = iter_journal_messages_since(journal)
    assert [next(messages)[1]["message"] for _ in range(5)] == numbers(5)
    stored = journal.positions()
    for part in range(2):
        (folder / f"{part}.journal").unlink()
    again = opened(folder, stored)
    assert texts(again) == numbers(20, 30)
    ((machine, begin, end, why),) = again.gaps
    assert (machine, begin, end) == (MACHINE, time_of(4), time_of(20))
    assert "no longer in the journal" in why


def test_trap_02_everything_is_gone(folder: Path) -> None:
    """A journal that was emptied is read on when it has entries again, and the gap is told."""
    write_journal(folder / "a.journal", [entry(0)])
    journal = opened(folder)
    assert texts(journal) == ["0"]
    stored = journal.positions()
    (folder / "a.journal").unlink()
    write_journal(folder / "b.journal", [entry(1)])
    again = opened(folder, stored)
    assert texts(again) == ["1"]
    assert [gap[:3] for gap in again.gaps] == [(MACHINE, time_of(0), time_of(1))]


def test_trap_01_entries_moved_to_another_file(folder: Path) -> None:
    """Moved as journald moves its entries from /run to /var, none is read twice or lost."""
    entries = [entry(number) for number in range(10)]
    write_journal(folder / "a.journal", entries)
    journal = opened(folder)
    messages = iter_journal_messages_since(journal)
    assert [next(messages)[1]["message"] for _ in range(5)] == numbers(5)
    stored = journal.positions()
    (folder / "a.journal").unlink()
    write_journal(folder / "b.journal", entries)
    again = opened(folder, stored)
    assert texts(again) == numbers(5, 10)
    assert again.gaps == []


@pytest.mark.parametrize("cursor", ["garbage", "", "s=1;i=x", "\u00fc"])
def test_trap_02_position_that_is_no_cursor(folder: Path, cursor: str) -> None:
    """A position nobody can read is a gap from its time on; without time all is read."""
    write_journal(folder / "a.journal", [entry(number) for number in range(10)])
    stored = Position("journal", MACHINE, "", cursor, "", time_of(4))
    journal = opened(folder, [stored])
    assert texts(journal) == (numbers(5, 10) if cursor else numbers(10))
    assert len(journal.gaps) == bool(cursor)
    assert texts(opened(folder, [stored._replace(t=None)])) == numbers(10)


def test_trap_04_position_moves_over_other_entries(folder: Path) -> None:
    """What is not Postfix's moves the position too."""
    others = [entry(i, SYSLOG_IDENTIFIER="sshd" if i % 3 else None) for i in range(1, 3000)]
    write_journal(folder / "a.journal", [entry(0), *others])
    journal = opened(folder)
    assert texts(journal) == ["0"]
    (position,) = journal.positions()
    assert position.t == time_of(2999)
    again = opened(folder, [position])
    assert (texts(again), again.positions()) == ([], [])


def test_trap_07_clock_that_jumps_back(folder: Path) -> None:
    """Order is that of the journal, not of the times."""
    jumping = [entry(1000), entry(2000), entry(0), entry(1), entry(1500)]
    for number, one in enumerate(jumping):
        one |= {"__MONOTONIC_TIMESTAMP": 5_000_000 + number, "MESSAGE": str(number)}
    write_journal(folder / "a.journal", jumping)
    messages = since(opened(folder))
    assert [msg["message"] for msg in messages] == numbers(5)
    for msg in messages:
        stored = Position("journal", MACHINE, "", str(msg["position"]), "", msg["t"])
        assert texts(opened(folder, [stored])) == numbers(int(msg["message"]) + 1, 5)


def test_trap_08_identical_entries_are_two_events(folder: Path) -> None:
    """The same text by the same process in the same microsecond is two messages."""
    write_journal(folder / "a.journal", [entry(0), entry(0)])
    assert texts(opened(folder)) == ["0", "0"]


def machine(number: int, name: str) -> dict[str, Any]:
    """Make an entry of another machine."""
    boot = (name * 32)[:32]
    return entry(number, _MACHINE_ID=name, _BOOT_ID=boot, _HOSTNAME=name[:2])


def test_machines_have_their_own_positions(folder: Path) -> None:
    """Entries of a machine that arrive late are read, although others' are newer."""
    write_journal(folder / "a.journal", [entry(100), machine(101, OTHER)])
    journal = opened(folder)
    assert sorted(texts(journal)) == ["100", "101"]
    stored = journal.positions()
    assert {position.identity for position in stored} == {MACHINE, OTHER}
    write_journal(folder / "a.journal", [machine(50, OTHER), entry(102), machine(103, OTHER)])
    late = opened(folder, stored)
    assert sorted((msg["host"], msg["message"]) for msg in since(late)) == [
        ("cc", "103"),
        ("cc", "50"),
        ("mx1", "102"),
    ]


def test_entries_of_one_machine_stay_in_order(folder: Path) -> None:
    """However machines' entries are mixed and long, each machine's come in their order."""
    mixed = [entry(i) if i % 3 else machine(i, OTHER) for i in range(30_000)]
    write_journal(folder / "a.journal", mixed)
    seen: dict[str, list[int]] = {"mx1": [], "cc": []}
    for msg in since(opened(folder)):
        seen[msg["host"]].append(int(msg["message"]))
    assert seen["mx1"] == [i for i in range(30_000) if i % 3]
    assert seen["cc"] == [i for i in range(30_000) if not i % 3]


def test_new_machine_starts_at_its_oldest_entry(folder: Path) -> None:
    """A machine that was not known is read from its first entry on."""
    write_journal(folder / "a.journal", [entry(number) for number in range(3)])
    journal = opened(folder)
    assert len(texts(journal)) == 3
    write_journal(folder / "b.journal", [machine(number, OTHER) for number in range(2)])
    assert texts(journal) == ["0", "1"]
    assert texts(opened(folder, journal.positions())) == []


def test_positions_of_other_kinds_are_not_ours(folder: Path) -> None:
    """A file's position that happens to be stored under the same name is left alone."""
    write_journal(folder / "a.journal", [entry(0)])
    assert texts(opened(folder, [Position("file", MACHINE, "", "5", "", None)])) == ["0"]


def test_entries_without_machine(folder: Path) -> None:
    """A journal of which no position could be kept is refused."""
    write_journal(folder / "a.journal", [entry(0, _MACHINE_ID=None)])
    with pytest.raises(InputError, match="_MACHINE_ID"):
        opened(folder)


def test_missing_and_empty_folder(tmp_path: Path) -> None:
    """A folder that is not there, or has no journal files, is named."""
    with pytest.raises(InputError, match=f"{tmp_path}/none: there is no such folder"):
        opened(tmp_path / "none")
    with pytest.raises(InputError, match=f"no journal files in {tmp_path}"):
        opened(tmp_path)


def test_journal_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a folder given, this machine's journal is looked for, in both its places."""
    places = tuple(tmp_path / name for name in ("var", "run"))
    monkeypatch.setattr(journalfiles, "JOURNALS", places)
    with pytest.raises(InputError, match=f"no journal files in {places[0]}/.* or {places[1]}/"):
        JournalSet()
    monkeypatch.setattr(journalfiles, "MACHINE_ID", tmp_path / "none")
    write_journal(places[1] / MACHINE / "system.journal", [entry(0)])
    journalfiles.check_readable(None)


def test_unreadable_journal(folder: Path) -> None:
    """Who may not read the journal is told the group to join."""
    path = write_journal(folder / "a.journal", [entry(0)])
    path.chmod(0)
    user = os.geteuid()
    for place in (folder, *folder.parents):
        if not place.stat().st_mode & 0o001:
            place.chmod(0o755)
    if user == 0:
        os.seteuid(65534)
    name = pwd.getpwuid(os.geteuid()).pw_name
    try:
        with pytest.raises(InputError, match=f"add the user {name} to the group systemd-journal"):
            opened(folder)
    finally:
        os.seteuid(user)


def test_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its Python package the module can be imported, and says what is missing."""
    program = (
        "import sys; sys.modules['systemd'] = None\n"
        "from journal_postfix import journal, messages\n"
        "try: journal.JournalSet()\n"
        "except messages.InputError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=-1, check=True)
    assert b"systemd-python" in done.stdout
    assert b"python3-systemd" in done.stdout


def follow(
    journal: JournalSet, stop: Any = None, poll_interval: float = 600.0, delay: float = 0.0
) -> Iterator[tuple[bool, MsgDetails | None]]:
    """Follow a journal, committing each message unless told otherwise."""
    return iter_journal_messages_follow(journal, stop, poll_interval, delay)


def next_text(pairs: Iterator[tuple[bool, MsgDetails | None]]) -> str:
    """Wait for the next message."""
    return next(msg["message"] for _, msg in pairs if msg is not None)


def test_following_a_growing_journal(folder: Path) -> None:
    """What is written while we wait comes without waiting for the poll interval."""
    growing = GrowingJournal(folder / "a.journal")
    growing.write(entry(0))
    wait_for_file(folder / "a.journal")
    pairs = follow(opened(folder))
    assert next_text(pairs) == "0"
    for number in range(1, 5):
        growing.write(entry(number))
        assert next_text(pairs) == str(number)
    pairs.close()  # type: ignore[attr-defined]
    growing.close()


def wait_for_file(path: Path) -> None:
    """Wait until a journal file can be opened."""
    deadline = time.monotonic() + 30
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_trap_01_following_from_the_last_entry(folder: Path) -> None:
    """Opened at the journal's end, what is appended to the same file comes, and only that."""
    growing = GrowingJournal(folder / "a.journal")
    growing.write(entry(0), entry(1))
    wait_for_file(folder / "a.journal")
    journal = opened(folder)
    pairs = follow(journal)
    assert [next_text(pairs), next_text(pairs)] == ["0", "1"]
    again = opened(folder, journal.positions())
    assert texts(again) == []
    growing.write(entry(2))
    growing.close()
    assert next_text(follow(again)) == "2"
    assert again.gaps == []


def test_following_begins_with_what_is_left(folder: Path) -> None:
    """After a break, what was written meanwhile comes first."""
    write_journal(folder / "a.journal", [entry(0), entry(1)])
    journal = opened(folder)
    assert texts(journal) == ["0", "1"]
    write_journal(folder / "b.journal", [entry(2)])
    again = opened(folder, journal.positions())
    assert next_text(follow(again)) == "2"


def test_commit_is_asked_for_by_the_clock(folder: Path) -> None:
    """A message is not committed before its time; then a bare commit comes, once."""
    write_journal(folder / "a.journal", [entry(0), entry(1)])
    journal = opened(folder)
    pairs = follow(journal, delay=0.3, poll_interval=0.1)
    assert [
        (commit, msg is not None) for commit, msg in (next(pairs), next(pairs), next(pairs))
    ] == [
        (False, True),
        (False, True),
        (True, False),
    ]
    journal.positions()
    write_journal(folder / "a.journal", [entry(2)])
    assert [(commit, msg is not None) for commit, msg in (next(pairs), next(pairs))] == [
        (False, True),
        (True, False),
    ]


def test_commit_comes_with_a_message_where_they_never_end(folder: Path) -> None:
    """Where the time passes while messages come, one of them carries the commit."""
    write_journal(folder / "a.journal", [entry(number) for number in range(200)])
    commits = 0
    for commit, msg in follow(opened(folder), delay=0.05):
        assert msg is not None
        commits += commit
        time.sleep(0.001)
        if msg["message"] == "199":
            break
    assert 1 <= commits < 50


def test_trap_04_passed_over_entries_are_committed_seldom(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only others' entries come, the position is committed too, but not for each."""
    monkeypatch.setattr(following, "PASSED_OVER_DELAY", 0.5)
    growing = GrowingJournal(folder / "a.journal")
    others = [entry(number, SYSLOG_IDENTIFIER="sshd") for number in range(10)]
    growing.write(others[0])
    wait_for_file(folder / "a.journal")
    journal = opened(folder)
    pairs = follow(journal, poll_interval=0.1)
    for one in others[1:]:
        growing.write(one)
    growing.close()
    assert next(pairs) == (True, None)
    assert [position.t for position in journal.positions()] == [time_of(9)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_signal_ends_the_following_at_once(folder: Path, number: signal.Signals) -> None:
    """A signal whose handler says stop ends a wait of hours."""
    write_journal(folder / "a.journal", [entry(0)])
    stop = threading.Event()
    before = signal.signal(number, lambda *_: stop.set())
    sender = threading.Timer(0.3, os.kill, (os.getpid(), number))
    try:
        pairs = follow(opened(folder), stop, poll_interval=36000.0, delay=36000.0)
        assert next_text(pairs) == "0"
        sender.start()
        assert list(pairs) == []
    finally:
        signal.signal(number, before)
        sender.join()


def test_stop_ends_catching_up(folder: Path) -> None:
    """Stopped while reading what there is, nothing more comes."""
    write_journal(folder / "a.journal", [entry(number) for number in range(10)])
    stop = threading.Event()
    pairs = iter_journal_messages_since(opened(folder), stop)
    next(pairs)
    stop.set()
    assert list(pairs) == []


def test_new_machine_while_following(folder: Path) -> None:
    """A machine whose file appears is noticed at once, whatever the poll interval."""
    write_journal(folder / "a.journal", [entry(0)])
    pairs = follow(opened(folder))
    assert next_text(pairs) == "0"
    write_journal(folder / "b.journal", [machine(number, OTHER) for number in range(2)])
    assert [next_text(pairs), next_text(pairs)] == ["0", "1"]


@needs_root
def test_trap_03_rotation_while_following(journald: Journald) -> None:
    """However often journald rotates, every entry comes, once and in its order."""
    journald.write("first")
    pairs = follow(opened(journald.folder))
    assert next_text(pairs) == "first"
    for number in range(12):
        journald.write(f"a{number}", f"b{number}")
        if number % 2:
            journald.control("--rotate")
        if number % 3:
            journald.write(f"c{number}")
        expected = [f"a{number}", f"b{number}"] + [f"c{number}"] * bool(number % 3)
        assert [next_text(pairs) for _ in expected] == expected
    pairs.close()  # type: ignore[attr-defined]


def follow_while_vacuumed() -> None:
    """Entries that were read may be vacuumed: nothing is lost, and no gap is told."""
    with running_journald() as journald:
        journald.write("first")
        journal = opened(journald.folder)
        pairs = follow(journal)
        assert next_text(pairs) == "first"
        for number in range(5):
            journald.write(f"a{number}")
            assert next_text(pairs) == f"a{number}"
            journald.control("--rotate")
            journald.control("--vacuum-files=1")
            journald.write(f"b{number}")
            assert next_text(pairs) == f"b{number}"
        assert journal.gaps == []
        pairs.close()  # type: ignore[attr-defined]


@needs_root
def test_trap_03_rotation_and_vacuum_while_following() -> None:
    """Vacuuming does no harm to who follows, or kills a process that systemd then starts again.

    journald empties a file before it removes it. In that moment libsystemd may read it, which is
    SIGBUS: no program can do anything about that in a library's code.
    """
    code = [sys.executable, "-c", "import test_journal; test_journal.follow_while_vacuumed()"]
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    for _ in range(3):
        environment = {**os.environ, "PYTHONPATH": path}
        with subprocess.Popen(code, env=environment, start_new_session=True) as process:
            try:
                status = process.wait(120)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # its journald, where it left one
        if status != -signal.SIGBUS:
            break
    assert status == 0


@needs_root
def test_trap_03_many_rotations_unseen(journald: Journald) -> None:
    """What was rotated away while nobody looked comes first, then the rest."""
    journald.write("0")
    journal = opened(journald.folder)
    assert texts(journal) == ["0"]
    for number in range(1, 60):
        journald.write(str(number))
        if number % 7 == 0:
            journald.control("--rotate")
    pairs = follow(journal)
    assert [next_text(pairs) for _ in range(59)] == numbers(1, 60)
    pairs.close()  # type: ignore[attr-defined]
    assert texts(opened(journald.folder, journal.positions())) == []


@needs_root
def test_trap_02_vacuumed_while_stopped(journald: Journald) -> None:
    """What was vacuumed unread is a gap; only read entries vacuumed are none."""
    journald.write("0", "1")
    journal = opened(journald.folder)
    assert texts(journal) == ["0", "1"]
    stored = journal.positions()
    journald.control("--rotate")
    journald.write("2")
    journald.control("--vacuum-files=1")
    harmless = opened(journald.folder, stored)
    assert texts(harmless) == ["2"]
    assert harmless.gaps == []
    journald.control("--rotate")
    journald.write("3")
    journald.control("--vacuum-files=1")
    lost = opened(journald.folder, stored)
    assert texts(lost) == ["3"]
    assert [gap.machine for gap in lost.gaps] == [journald.machine]


@needs_root
def test_trap_02_vacuumed_while_reading(journald: Journald) -> None:
    """journald empties the files it removes: what was not read yet is told as a gap."""
    for part in range(4):
        journald.write(*numbers(part * 2000, part * 2000 + 2000))
        journald.control("--rotate")
    journald.write("last")
    journal = opened(journald.folder)
    messages = iter_journal_messages_since(journal)
    read = [next(messages)[1]["message"] for _ in range(5)]
    journald.control("--vacuum-files=1")
    read += [msg["message"] for _, msg in messages]
    assert read[:5] == numbers(5)
    assert read[-1] == "last"
    assert len(set(read)) == len(read) < 8001
    assert [gap.machine for gap in journal.gaps] == [journald.machine]
    assert texts(opened(journald.folder, journal.positions())) == []


def spoil(path: Path, part: float) -> None:
    """Damage a journal file from a part of what is written on."""
    data = path.read_bytes()
    used = len(data.rstrip(b"\0"))
    begin = int(used * part)
    path.write_bytes(data[:begin] + os.urandom(used - begin) + data[used:])


@needs_root
@pytest.mark.parametrize("part", [0.0, 0.5, 0.9])
def test_damaged_end_of_a_file(journald: Journald, part: float) -> None:
    """Entries behind a damage are not given by libsystemd: the others are, and the gap is told."""
    for first in range(0, 1500, 500):
        journald.write(*(f"{number} {'x' * 300}" for number in range(first, first + 500)))
        journald.control("--rotate")
    journald.write("last")
    archived = sorted(path for path in journald.folder.iterdir() if "@" in path.name)
    spoil(archived[1], part)
    journal = opened(journald.folder)
    read = [text.split()[0] for text in texts(journal)]
    assert read[:500] == numbers(500)
    assert read[-501:] == [*numbers(1000, 1500), "last"]
    assert len(read) < 1501
    assert [gap.machine for gap in journal.gaps] == [journald.machine]
    assert texts(opened(journald.folder, journal.positions())) == []


def test_damage_hides_no_other_machine(folder: Path) -> None:
    """A damaged file, which ends libsystemd's list of machines, hides those of other files not."""
    for number in range(6):
        name = f"{number}" * 32
        write_journal(folder / f"{number}.journal", [entry(number, _MACHINE_ID=name)])
    for number in (0, 2, 4):
        spoil(folder / f"{number}.journal", 0.05)
    read = {msg.get("machine") for msg in since(opened(folder))}
    assert {f"{number}" * 32 for number in (1, 3, 5)} <= read


def test_boots(folder: Path) -> None:
    """After a boot, where other clocks begin again at zero, the order is still the journal's."""
    boots = [
        entry(number, _BOOT_ID=boot * 32, __MONOTONIC_TIMESTAMP=1000 + number % 3)
        for number, boot in enumerate("ddd999eee")
    ]
    write_journal(folder / "a.journal", boots[:4])
    write_journal(folder / "b.journal", boots[4:])
    journal = opened(folder)
    assert texts(journal) == numbers(9)
    assert journal.gaps == []
    for msg in since(opened(folder)):
        stored = Position("journal", MACHINE, "", str(msg["position"]), "", msg["t"])
        assert texts(opened(folder, [stored])) == numbers(int(msg["message"]) + 1, 9)


@needs_root
def test_what_journald_says_of_an_entry(journald: Journald) -> None:
    """An entry's host, pid and trust are those of the process that really wrote it."""
    journald.write("text", SYSLOG_PID="5", _UID="0", _HOSTNAME="elsewhere")
    (msg,) = [m for m in since(opened(journald.folder)) if m["message"] == "text"]
    assert (msg["host"], msg["pid"]) == (os.uname().nodename, 5)
    assert msg.get("trusted", True)
    (msg,) = since(opened(journald.folder, trusted_uids=(4242,)))
    assert msg["trusted"] is False


COUNT = """
import sys
from journal_postfix.journal import JournalSet
from journal_postfix.messages import InputError
try:
    print(sum(msg is not None for msg in JournalSet(sys.argv[1]).new_messages()))
except InputError as error:
    print(error)
"""


def test_more_watchers_than_the_kernel_allows(folder: Path) -> None:
    """Where a user's programs watch too much already, it is said what to raise."""
    write_journal(folder / "1.journal", [entry(7, MESSAGE="daemon started")])
    none = 'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"'
    outside = ["unshare", "--user", "--map-root-user", "sh", "-c", none, "sh"]
    if subprocess.run([*outside, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespace can be made")
    done = subprocess.run(
        [*outside, sys.executable, "-c", COUNT, str(folder)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "max_user_instances" in done.stdout


@pytest.mark.parametrize(
    ("limits", "said"), [((64, 4096), "20"), ((64, 128), "LimitNOFILE")], ids=["soft", "hard"]
)
def test_more_journal_files_than_descriptors(
    folder: Path, limits: tuple[int, int], said: str
) -> None:
    """Files that may not be opened are never left out in silence: more are allowed, or it is said."""
    for number in range(20):
        one = entry(7, MESSAGE="daemon started", _MACHINE_ID=f"{number:032x}")
        write_journal(folder / f"{number}.journal", [one])
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(folder)],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
    )
    assert said in done.stdout
