"""Journals for tests: files made from export text, and a journald of a test's own.

Files are made by systemd-journal-remote, which sets every field as given, the trusted ones too.
The journald runs in a namespace of its own: other sockets and another folder than the machine's.
"""

from __future__ import annotations

import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

JOURNAL_REMOTE = "/lib/systemd/systemd-journal-remote"
JOURNALD = "/lib/systemd/systemd-journald"
MACHINE = "a" * 32
BOOT = "b" * 32
START = 1_790_000_000_000_000
"""Time of the first entry, in microseconds: 2026-09-21 14:13:20 UTC."""

DEFAULTS = {
    "_MACHINE_ID": MACHINE,
    "_BOOT_ID": BOOT,
    "_HOSTNAME": "mx1",
    "_UID": "0",
    "PRIORITY": "6",
    "SYSLOG_IDENTIFIER": "postfix/smtpd",
    "SYSLOG_PID": "123",
}
Value = str | bytes | int | list[str] | None
Entry = Mapping[str, Value]


def entry(number: int, /, **fields: Value) -> dict[str, Value]:
    """Make an entry of Postfix, ``number`` milliseconds after the start; None leaves a field out.

    MESSAGE is the number where it is not given.
    """
    times = {
        "__REALTIME_TIMESTAMP": START + number * 1000,
        "__MONOTONIC_TIMESTAMP": 1_000_000 + number * 1000,
    }
    return {**times, **DEFAULTS, "MESSAGE": str(number), **fields}


def export_text(entries: Iterable[Entry]) -> bytes:
    """Return entries in the Journal Export Format."""
    return b"".join(b"".join(_fields(one)) + b"\n" for one in entries)


def _fields(one: Entry) -> Iterator[bytes]:
    for name, values in one.items():
        for value in values if isinstance(values, list) else [values]:
            if value is None:
                continue
            raw = value if isinstance(value, bytes) else str(value).encode()
            if b"\n" in raw or isinstance(value, bytes):
                yield name.encode() + b"\n" + struct.pack("<Q", len(raw)) + raw + b"\n"
            else:
                yield name.encode() + b"=" + raw + b"\n"


def write_journal(path: Path, entries: Iterable[Entry]) -> Path:
    """Write entries into a journal file, behind those it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [JOURNAL_REMOTE, "-o", str(path), "-"]
    subprocess.run(command, input=export_text(entries), capture_output=True, check=True)
    return path


class GrowingJournal:
    """A journal file that a process keeps open and writes to, as journald does."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [JOURNAL_REMOTE, "-o", str(path), "-"], stdin=-1, stdout=-3, stderr=-3
        )

    def write(self, *entries: Entry) -> None:
        """Write entries; they can be read a moment later."""
        assert self._process.stdin
        self._process.stdin.write(export_text(entries))
        self._process.stdin.flush()

    def close(self) -> None:
        """End the writing; then all entries can be read."""
        assert self._process.stdin
        self._process.stdin.close()
        assert self._process.wait(30) == 0


class Journald:
    """A systemd-journald with sockets and a folder of its own."""

    def __init__(self, settings: str = "") -> None:
        self._name = f"jp{uuid.uuid4().hex[:12]}"
        self._run = Path(f"/run/systemd/journal.{self._name}")
        self.address = self._run / "socket"
        machine = Path("/etc/machine-id").read_text("utf-8").strip()
        self.machine = machine
        self.folder = Path(f"/var/log/journal/{machine}.{self._name}")
        self._settings = Path(f"/etc/systemd/journald@{self._name}.conf")
        self._settings.write_text(f"[Journal]\n{settings}", "utf-8")
        self._process = subprocess.Popen([JOURNALD, self._name], stdout=-3, stderr=-3)
        self.pid = self._process.pid
        self._wait_until_it_listens()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.connect(str(self.address))

    def write(self, *messages: str, **fields: str) -> None:
        """Write messages as an entry each, by the native protocol; they are readable at once."""
        known = {"SYSLOG_IDENTIFIER": "postfix/smtpd", "PRIORITY": "6", **fields}
        for message in messages:
            self._socket.send(
                "".join(f"{k}={v}\n" for k, v in {**known, "MESSAGE": message}.items()).encode()
            )
        self.control("--sync")

    def write_from(self, unit: str, count: int) -> None:
        """Write so many entries from a process that belongs to a unit."""
        with _cgroup(unit) as group:
            code = [sys.executable, "-c", FROM_UNIT, str(group), str(self.address)]
            with subprocess.Popen([*code, str(count)], stdin=PIPE, stdout=PIPE) as process:
                assert process.stdin
                assert process.stdout
                assert process.stdout.readline() == b"written\n"
                self.control("--sync")  # of a process that has gone journald cannot tell the unit
                process.stdin.close()
            assert process.returncode == 0

    def control(self, *options: str) -> None:
        """Ask for --rotate, --vacuum-files=1 and the like."""
        command = ["journalctl", f"--namespace={self._name}", *options]
        subprocess.run(command, check=True, capture_output=True)

    def close(self) -> None:
        """Stop it, and remove what it wrote."""
        self._socket.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self._run, ignore_errors=True)
        self._settings.unlink()

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + 30
        while not (self._run / "io.systemd.journal").exists():
            assert time.monotonic() < deadline, "journald does not listen"
            time.sleep(0.01)


FROM_UNIT = """
import pathlib, os, socket, sys
group, path, count = sys.argv[1:]
pathlib.Path(group, "cgroup.procs").write_text(str(os.getpid()))
there = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
there.connect(path)
for number in range(int(count)):
    text = f"SYSLOG_IDENTIFIER=postfix/smtpd\\nPRIORITY=6\\nMESSAGE={number}\\n"
    there.send(text.encode())
print("written", flush=True)
sys.stdin.read()
"""


@contextmanager
def _cgroup(unit: str) -> Iterator[Path]:
    """Make the control group of a unit, in which systemd would run it."""
    root = Path("/sys/fs/cgroup")
    mounts = (root / "unified", root, root / "systemd")  # as systemd itself looks for them
    group = next(place for place in mounts if (place / "cgroup.procs").exists()) / unit
    group.mkdir()
    try:
        yield group
    finally:
        group.rmdir()


def can_make_cgroups() -> bool:
    """Tell whether processes can be put into a unit here: many containers forbid it."""
    try:
        with _cgroup(f"jp{uuid.uuid4().hex[:12]}.service"):
            return True
    except (OSError, StopIteration):
        return False


@contextmanager
def running_journald(settings: str = "") -> Iterator[Journald]:
    """Run a journald for a test; needs root."""
    journald = Journald(settings)
    try:
        yield journald
    finally:
        journald.close()
