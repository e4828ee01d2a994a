"""A log file that is written while it is read: rotation in every form, and standard input."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal_postfix.logfollow import FollowedFile, iter_logfile_follow
from journal_postfix.messages import InputError, MsgDetails, Position

NOW = datetime.now(UTC)


def lines(*numbers: int) -> str:
    """Write a line for each number."""
    stamp = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    return "".join(f"{stamp} mx1 postfix/smtpd[1]: {number}\n" for number in numbers)


class Log:
    """A log file and the daemon that writes it, which keeps its file open as real ones do."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mail.log"
        self._file = self.path.open("a", buffering=1)

    def reopen(self) -> None:
        """Open the file of that name, as after SIGHUP."""
        self.close()
        self._file = self.path.open("a", buffering=1)

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def write(self, *numbers: int) -> None:
        """Write lines."""
        self._file.write(lines(*numbers))

    def write_part(self, text: str) -> None:
        """Write something that is no whole line."""
        self._file.write(text)
        self._file.flush()

    def rename(self, name: str = "mail.log.1") -> Path:
        """Rename the file; the daemon goes on writing to it."""
        return self.path.rename(self.path.with_name(name))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """An empty log file."""
    log = Log(tmp_path)
    yield log
    log.close()


def new(followed: FollowedFile) -> list[int]:
    """Return the numbers that came since the last look."""
    return [int(msg["message"]) for msg in followed.new_messages()]


def test_new_lines(log: Log) -> None:
    """Lines come when they are complete."""
    log.write(1, 2)
    followed = FollowedFile(log.path)
    assert new(followed) == [1, 2]
    assert new(followed) == []
    log.write(3)
    log.write_part(lines(4)[:-3])
    assert new(followed) == [3]
    log.write_part(lines(4)[-3:])
    assert new(followed) == [4]


def test_positions(log: Log) -> None:
    """Positions are told when they changed; from them reading goes on."""
    log.write(1, 2)
    followed = FollowedFile(log.path)
    assert followed.positions() == []
    assert new(followed) == [1, 2]
    assert followed.has_moved()
    (position,) = followed.positions()
    assert position[:4] == ("file", position.identity, str(log.path), str(len(lines(1, 2))))
    assert followed.positions() == []
    log.write(3)
    again = FollowedFile(log.path, stored=[position])
    assert again.resumed == position
    assert again.positions() == []
    assert new(again) == [3]


def test_renamed_file(log: Log) -> None:
    """After a rename the old file is read to its end, then the new one."""
    log.write(1)
    followed = FollowedFile(log.path)
    assert new(followed) == [1]
    log.write(2)
    log.rename()
    log.write(3)
    assert new(followed) == [2, 3]
    log.path.touch()
    log.write(4)
    assert new(followed) == [4]
    log.write(5)
    log.reopen()
    log.write(6)
    assert new(followed) == [5, 6]
    log.write(7)
    assert new(followed) == [7]
    old, current = followed.positions()
    assert (old.position, current.position) == (
        str(len(lines(1, 2, 3, 4, 5))),
        str(len(lines(6, 7))),
    )
    assert old.identity != "" != current.identity


def test_last_line_of_a_renamed_file(log: Log) -> None:
    """What stands at the end of a file that was rotated away is a line, complete or not."""
    log.write(1)
    followed = FollowedFile(log.path)
    log.write_part(lines(2)[:-1])
    log.rename()
    log.reopen()
    log.write(3)
    assert new(followed) == [1, 2, 3]


def test_emptied_file(log: Log) -> None:
    """A file that was copied and emptied is read from its beginning."""
    log.write(1, 2)
    followed = FollowedFile(log.path)
    assert new(followed) == [1, 2]
    os.truncate(log.path, 0)
    assert new(followed) == []
    log.write(3)
    assert new(followed) == [3]
    assert followed.positions()[-1].position == str(len(lines(3)))


def test_emptied_file_that_grew_beyond_its_old_size(log: Log) -> None:
    """Emptied and filled anew between two looks, a file is read from its beginning."""
    log.write(1)
    followed = FollowedFile(log.path)
    assert new(followed) == [1]
    os.truncate(log.path, 0)
    log.write(2, 3, 4)
    assert new(followed) == [2, 3, 4]


def stored_after(log: Log, *numbers: int) -> list[Position]:
    """Write lines, read them, and return the position behind them."""
    log.write(*numbers)
    followed = FollowedFile(log.path)
    assert new(followed) == list(numbers)
    positions = followed.positions()
    followed.close()
    return positions


@pytest.mark.parametrize("name", ["mail.log.1", "mail.log-20261121", "mail.log.2.gz"])
def test_trap_18_rotated_while_stopped(log: Log, name: str) -> None:
    """Rotated while nobody looked: the unread end of the old file comes first."""
    stored = stored_after(log, 1, 2)
    log.write(3)
    old = log.rename(name)
    if name.endswith(".gz"):
        old.write_bytes(gzip.compress(old.read_bytes()))
    log.reopen()
    log.write(4)
    followed = FollowedFile(log.path, stored=stored)
    assert new(followed) == [3, 4]
    assert len(followed.positions()) == 2
    assert followed.gaps == []


def test_trap_18_rotated_twice_while_stopped(log: Log) -> None:
    """Two rotated files: the end of the older one, all of the newer one, then the new one."""
    stored = stored_after(log, 1, 2)
    log.write(3)
    for number, name in ((4, "mail.log.2"), (6, "mail.log.1")):
        log.rename(name)
        log.reopen()
        log.write(number, number + 1)
        set_time(log.path.with_name(name), number)
    log.path.with_name("mail.log.old").write_text(lines(99))
    followed = FollowedFile(log.path, stored=stored)
    assert new(followed) == [3, 4, 5, 6, 7]
    assert len(followed.positions()) == 3


def set_time(path: Path, number: int) -> None:
    """Set the time at which a file was written."""
    seconds = NOW.timestamp() - 1000 + number
    os.utime(path, (seconds, seconds))


def test_trap_18_emptied_while_stopped(log: Log) -> None:
    """Copied and emptied while nobody looked: the copy is read on, then the file."""
    stored = stored_after(log, 1, 2)
    log.write(3)
    shutil.copy2(log.path, log.path.with_name("mail.log.1"))
    os.truncate(log.path, 0)
    log.write(4)
    assert new(FollowedFile(log.path, stored=stored)) == [3, 4]


def test_old_file_is_gone(log: Log) -> None:
    """Where the file read last is not found, that is a gap, and the present one is read."""
    stored = stored_after(log, 1, 2)
    log.rename().unlink()
    log.reopen()
    log.write(3)
    followed = FollowedFile(log.path, stored=stored)
    assert new(followed) == [3]
    assert [gap[:2] for gap in followed.gaps] == [(str(log.path), stored[0].t)]


def test_damaged_old_file(log: Log) -> None:
    """A damaged old file does not keep the new one from being read; it is a gap."""
    log.write(*range(2000))
    old = log.rename("mail.log.1.gz")
    read = FollowedFile(old)
    next(read.new_messages())
    stored = read.positions()
    old.write_bytes(gzip.compress(old.read_bytes())[:-2000])
    log.reopen()
    log.write(9999)
    followed = FollowedFile(log.path, stored=stored)
    found = new(followed)
    assert found[0] == 1
    assert found[-1] == 9999
    assert "damaged" in followed.gaps[0].why


def test_unknown_file_is_read_from_its_beginning(log: Log) -> None:
    """Older files are not touched where nothing was stored before."""
    log.write(1)
    log.rename()
    log.reopen()
    log.write(2)
    assert new(FollowedFile(log.path)) == [2]


def test_stamps_of_a_live_log(log: Log) -> None:
    """Stamps without year are of the latest year possible, those in the future are no error."""
    local = NOW.astimezone()
    future = local + timedelta(days=40)
    log.write_part(f"{local:%b %e %H:%M:%S} mx1 a: 1\n{future:%b %e %H:%M:%S} mx1 a: 2\n")
    log.write_part(f"{future.isoformat()} mx1 a: 3\n")
    now, last_year, clamped = (msg["t"] for msg in FollowedFile(log.path).new_messages())
    assert now == NOW.replace(microsecond=0)
    assert last_year is not None
    assert last_year < NOW
    assert clamped is not None
    assert abs(clamped - NOW) < timedelta(hours=1)


def test_what_cannot_be_followed(tmp_path: Path) -> None:
    """A file must be there, and be one."""
    with pytest.raises(InputError, match="no such file"):
        FollowedFile(tmp_path / "none.log")
    with pytest.raises(InputError, match="standard input"):
        FollowedFile("/dev/null")


def test_following(log: Log) -> None:
    """Lines come as they are written; the commit comes by the clock; a signal ends it."""
    log.write(1)
    stop = threading.Event()
    followed = FollowedFile(log.path)
    pairs = iter_logfile_follow(followed, stop, 36000.0, 0.2)
    assert told(next(pairs)) == (False, "1")
    assert next(pairs) == (True, None)
    followed.positions()
    writer = threading.Timer(0.1, log.write, [2])
    writer.start()
    assert told(next(pairs)) == (False, "2")
    before = signal.signal(signal.SIGUSR1, lambda *_: stop.set())
    sender = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    sender.start()
    try:
        assert [msg for _, msg in pairs if msg] == []
    finally:
        signal.signal(signal.SIGUSR1, before)
        sender.join()


def told(pair: tuple[bool, MsgDetails | None]) -> tuple[bool, str | None]:
    """Return the commit flag and the text."""
    return pair[0], pair[1]["message"] if pair[1] else None


FOLLOW = """
from journal_postfix.logfollow import FollowedFile, iter_logfile_follow
followed = FollowedFile("-")
for commit, msg in iter_logfile_follow(followed, None, 36000.0, 36000.0):
    if msg:
        print(msg["message"], flush=True)
print(*(position[:4] for position in followed.positions()))
"""


def test_following_standard_input() -> None:
    """Lines come at once, also those whose second half comes later; the end is the end."""
    command = [sys.executable, "-c", FOLLOW]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, bufsize=1) as running:
        talk_to(running)
    assert running.returncode == 0


def talk_to(running: subprocess.Popen[str]) -> None:
    """Write lines in whole and in parts, and see each come back."""
    assert running.stdin
    assert running.stdout
    for number in range(3):
        running.stdin.write(lines(number))
        assert running.stdout.readline() == f"{number}\n"
    line = lines(3)
    for part in (line[:40], line[40:]):
        running.stdin.write(part)
        running.stdin.flush()
    assert running.stdout.readline() == "3\n"
    running.stdin.write(lines(4)[:-1])
    running.stdin.close()
    assert running.stdout.readline() == "4\n"
    assert f"'-', '{len(lines(0, 1, 2, 3, 4)) - 1}'" in running.stdout.readline()
