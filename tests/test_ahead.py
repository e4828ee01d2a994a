"""Batches made by another process: all of them, its errors, and its end with ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from journal_postfix.ahead import ahead
from journal_postfix.messages import InputError, UsageError

LARGE = "x" * 300_000


def numbers(count: int) -> Iterator[tuple[int, str, int]]:
    """Some large things, and who made them."""
    for number in range(count):
        yield number, LARGE, os.getpid()


def failing() -> Iterator[int]:
    """One thing, then an error."""
    yield 1
    raise UsageError("the file is of wax")


def endless() -> Iterator[int]:
    """The id of the process that makes it, again and again."""
    while True:
        yield os.getpid()


def silent(path: str) -> Iterator[int]:
    """Nothing for a long time; a file tells who is waiting."""
    Path(path).write_text(str(os.getpid()), encoding="ascii")
    time.sleep(600)
    yield 1


def is_running(pid: int) -> bool:
    """The process is there, and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process."""
    for _ in range(100):
        if not is_running(pid):
            return
        time.sleep(0.1)
    raise AssertionError(f"{pid} is still running")


def test_all_comes_in_order_from_another_process() -> None:
    """What is made arrives whole and in its order, and was not made here."""
    with ahead(Event(), numbers, 20) as made:
        found = list(made)
    assert [number for number, _, _ in found] == list(range(20))
    assert {(text == LARGE, pid == os.getpid()) for _, text, pid in found} == {(True, False)}


def test_its_error_is_ours() -> None:
    """The error that ended the other process is raised behind what was made before, as it was."""
    with ahead(Event(), failing) as made:
        assert next(made) == 1
        with pytest.raises(UsageError, match="of wax"):
            next(made)


def test_killed() -> None:
    """A process that is killed before its time is told."""
    with ahead(Event(), endless) as made:
        os.kill(next(made), signal.SIGKILL)
        with pytest.raises(InputError, match="ended before its time"):
            list(made)


def test_nobody_listens() -> None:
    """The process ends with the interest in what it makes."""
    with ahead(Event(), endless) as made:
        pid = next(made)
        assert is_running(pid)
    assert not is_running(pid)


def test_stopped_while_nothing_comes(tmp_path: Path) -> None:
    """Stopping does not wait for the next thing to be made."""
    stop, told = Event(), tmp_path / "pid"
    with ahead(stop, silent, str(told)) as made:
        while not told.exists() or not told.read_text("ascii"):
            time.sleep(0.05)
        stop.set()
        assert list(made) == []
    assert not is_running(int(told.read_text("ascii")))


def test_ends_with_us() -> None:
    """The process does not outlive one that is killed."""
    script = (
        "from threading import Event; from journal_postfix.ahead import ahead;"
        "from test_ahead import endless\n"
        "with ahead(Event(), endless) as made:\n"
        "    print(next(made), flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent,
    ) as ours:
        assert ours.stdout is not None
        pid = int(ours.stdout.readline())
        assert is_running(pid)
        ours.kill()
    wait_until_gone(pid)
