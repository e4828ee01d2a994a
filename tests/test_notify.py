"""What systemd hears of the service, at a socket as systemd has it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest

from journal_postfix.notify import Notifier

WATCHDOG = 0.6  # seconds
LINE = "Nov 21 11:39:05 mx1 postfix/qmgr[12]: 4fK2Xq1Zz9YJnJJ: removed\n"


class Heard:
    """A socket that listens, and what came."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self.lines: list[str] = []

    def during(self, seconds: float) -> list[str]:
        """Listen so long; the lines that came then."""
        before, end = len(self.lines), time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            self._socket.settimeout(rest)
            try:
                self.lines += self._socket.recv(4096).decode().split("\n")
            except TimeoutError:
                break
        return self.lines[before:]

    def wait(self, beginning: str, seconds: float = 30.0) -> str:
        """Listen until a line begins so; that line."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.during(0.05):
                if line.startswith(beginning):
                    return line
        raise AssertionError(f"{beginning} was not heard; heard: {self.lines}")

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


@pytest.fixture(name="heard", params=["path", "abstract"])
def _heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """Who listens, and the environment that says where; both forms of address."""
    name = str(tmp_path / "notify") if request.param == "path" else f"\0jp-test-{os.getpid()}"
    ears = Heard(name)
    environ = {"NOTIFY_SOCKET": name.replace("\0", "@"), "WATCHDOG_USEC": str(int(WATCHDOG * 1e6))}
    yield SimpleNamespace(ears=ears, environ=environ)
    ears.close()


@contextmanager
def running(
    folder: Path, dsn: str, environ: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """`run --file` on a log, as a process, until told to stop."""
    config = folder / "main.yml"
    config.write_text(
        json.dumps({"dsn": dsn, "journal_poll_interval": 3600, "retention": NEVER}), "utf-8"
    )
    command = [sys.executable, "-m", "journal_postfix", "--config", str(config)]
    command += ["run", "--file", str(log), "--year", "2026"]
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(command, env={**os.environ, **environ}, stderr=said)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


NEVER = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}


def count(lines: list[str], word: str) -> int:
    """How many of the lines are that word."""
    return sum(line == word for line in lines)


def test_service_tells_its_life(heard: SimpleNamespace, dsn: str, tmp_path: Path) -> None:
    """Ready, alive though nothing comes, what it did, stopping: in this order, without addresses."""
    log = tmp_path / "mail.log"
    log.write_text(LINE)
    ears = heard.ears
    with running(tmp_path, dsn, heard.environ, log) as process:
        ears.wait("READY=1")
        ears.wait("STATUS=following; 1 lines of Postfix stored, the latest of 2026-11-21")
        assert count(ears.during(WATCHDOG * 4), "WATCHDOG=1") >= 8  # a third of it each
        process.send_signal(signal.SIGTERM)
        ears.wait("STOPPING=1")
        assert process.wait(30) == 0
    assert count(ears.lines, "READY=1") == 1
    assert not count(ears.during(WATCHDOG), "WATCHDOG=1")
    assert not any("@" in line for line in ears.lines)


def test_service_waits_for_its_database(heard: SimpleNamespace, tmp_path: Path) -> None:
    """Where the database is away from the start, the service runs and says what it waits for."""
    log = tmp_path / "mail.log"
    log.write_text(LINE)
    ears = heard.ears
    with running(tmp_path, "host=/nowhere dbname=x", heard.environ, log) as process:
        ears.wait("READY=1")
        ears.wait("STATUS=waiting for the database since 20")
        assert count(ears.during(WATCHDOG * 4), "WATCHDOG=1") >= 8
        process.send_signal(signal.SIGTERM)
        ears.wait("STOPPING=1")
        assert process.wait(30) == 0


def test_what_only_a_person_can_put_right_is_never_ready(
    heard: SimpleNamespace, empty_dsn: str, tmp_path: Path
) -> None:
    """A database without tables ends the start with exit status 1; `systemctl start` then fails."""
    with running(tmp_path, empty_dsn, heard.environ, tmp_path / "mail.log") as process:
        heard.ears.wait("STOPPING=1")
        assert process.wait(30) == 1
    assert "READY=1" not in heard.ears.lines
    assert "run journal-postfix setup" in (tmp_path / "said").read_text()


def beats(heard: SimpleNamespace, work: Callable[[Notifier], object]) -> int:
    """How many signs of life there are while somebody works, in twice the time of the watchdog."""
    with Notifier(heard.environ) as notifier:
        notifier.trying()
        notifier.worked()
        notifier.ready()
        notifier.following()
        work(notifier)
        return count(heard.ears.during(WATCHDOG * 2), "WATCHDOG=1")


def test_loop_that_hangs_gives_no_sign(heard: SimpleNamespace) -> None:
    """A loop that does not turn is ended by the watchdog: nothing is said for it."""
    assert beats(heard, lambda _: None) == 0


def test_each_turn_is_a_sign(heard: SimpleNamespace) -> None:
    """One turn, one sign: not more than the loop did."""
    assert beats(heard, lambda notifier: notifier.counting(Event())()) == 1


def test_long_commit_is_no_hang(heard: SimpleNamespace) -> None:
    """While the database works, or is away, the loop may stand."""
    assert beats(heard, lambda notifier: notifier.trying()) >= 3
    assert beats(heard, lambda notifier: notifier.failed("unreachable")) >= 3


def test_nobody_listens(tmp_path: Path) -> None:
    """Without systemd, with a socket that is gone, or a watchdog of another process all is quiet."""
    with Notifier({}) as notifier:
        notifier.ready()
        assert notifier.longest_wait == float("inf")
    with Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}) as notifier:
        notifier.ready()
    environ = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "600000", "WATCHDOG_PID": "1"}
    assert Notifier(environ).longest_wait == float("inf")


def test_database_is_back() -> None:
    """The status tells what is waited for only while it is."""
    notifier = Notifier({})
    notifier.trying()
    notifier.worked()
    notifier.ready()
    notifier.trying()
    notifier.failed("unreachable")
    notifier.failed("unreachable")
    assert "waiting for the database since" in notifier._status()
    notifier.worked()
    assert notifier._status() == "STATUS=catching up; 0 lines of Postfix stored"
