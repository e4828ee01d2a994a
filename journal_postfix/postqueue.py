"""Postfix's queues on this machine, by the words of its own programs.

It knows postqueue, postmulti and postconf, and what they say where they may not be used. It
refuses to know what the log says of the mails.

Bugs: a queue that changes while it is listed is listed as it was at no single moment; a mail on
its way from one queue directory to the next may be missed (postqueue(1)). Two listings miss it
only if it moved during both.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import IO, Any, NamedTuple

from journal_postfix.messages import InputError

TIMEOUT = 900.0  # seconds for a listing
_QUICK = 30.0  # seconds for a question about the configuration
_SYSTEM = "/usr/sbin:/usr/local/sbin:/sbin"  # not in the PATH of everybody
_DENIED = ("is not allowed to", "Permission denied")


class NoPostfix(InputError):
    """There is no Postfix on this machine."""


class NotAllowed(InputError):
    """This user may not look at the queue; trying again will not help."""


class Instance(NamedTuple):
    """One instance of Postfix: where its main.cf is, and its name in the log."""

    directory: str
    syslog_name: str


class Queued(NamedTuple):
    """A mail in a queue, and when it arrived."""

    queue_name: str
    queue_id: str
    arrived_at: datetime


def program(name: str) -> str:
    """The path of one of Postfix's programs; raises NoPostfix."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM}")
    if path is None:
        raise NoPostfix(
            f"there is no {name} on this machine: the queue is compared where Postfix is"
        )
    return path


def instances(directories: Sequence[str] = ()) -> list[Instance]:
    """The instances with these configuration directories, else all that postmulti lists."""
    return [Instance(one, _syslog_name(one)) for one in directories or listed()]


def listed() -> list[str]:
    """The configuration directories of the instances that postmulti lists."""
    lines = ask("postmulti", "-l").splitlines()
    return [words[3] for words in map(str.split, lines) if len(words) == 4]


def _syslog_name(directory: str) -> str:
    return ask("postconf", "-c", directory, "-hx", "syslog_name").strip()


def ask(name: str, *arguments: str) -> str:
    """What a program of Postfix answers; raises NoPostfix, NotAllowed or InputError."""
    command = [program(name), *arguments]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, errors="replace", timeout=_QUICK
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{name} failed: {type(error).__name__}") from None
    if done.returncode:
        raise _failure(name, done.returncode, done.stderr)
    return done.stdout


def _failure(name: str, status: int, said: str) -> InputError:
    """What a program that failed said last, and whether that is about rights."""
    last = said.strip().splitlines()[-1:] or [f"exit status {status}"]
    sentence = f"{name} failed: {last[0].removeprefix(f'{name}: ')}"
    denied = any(words in said for words in _DENIED)
    return NotAllowed(sentence) if denied else InputError(sentence)


def check_allowed(directory: str) -> None:
    """Raise NotAllowed where postqueue may not gain the rights it needs, and we have not got them.

    It would say so in the mail log, as a fatal error, at each start of the service.
    """
    if not _gains_nothing():
        return
    queue = Path(ask("postconf", "-c", directory, "-hx", "queue_directory").strip())
    if not os.access(queue / "public" / "showq", os.W_OK):
        raise NotAllowed("postqueue may not gain the rights of its group here (NoNewPrivileges)")


def _gains_nothing() -> bool:
    try:
        return "\nNoNewPrivs:\t1\n" in Path("/proc/self/status").read_text("ascii")
    except OSError:
        return False


def listing(instance: Instance, timeout: float = TIMEOUT) -> Iterator[Queued]:
    """The mails in an instance's queues; raises InputError, then what came is not all."""
    check_allowed(instance.directory)
    command = [program("postqueue"), "-c", instance.directory, "-j"]
    with TemporaryFile("w+", errors="replace") as said:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said,
                text=True, encoding="utf-8", errors="replace",
            )  # fmt: skip
        except OSError as error:
            raise InputError(f"postqueue cannot be run: {error.strerror}") from None
        alarm = Timer(timeout, process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            with process:
                assert process.stdout is not None
                yield from map(_queued, process.stdout)
        finally:
            alarm.cancel()
            process.kill()
        _check(process.returncode, said)


def _check(status: int, said: IO[str]) -> None:
    if status < 0:
        raise InputError("postqueue did not come to an end")
    if status:
        said.seek(0)
        raise _failure("postqueue", status, said.read())


def _queued(line: str) -> Queued:
    try:
        entry: dict[str, Any] = json.loads(line)
        arrived_at = datetime.fromtimestamp(entry["arrival_time"], UTC)
        return Queued(str(entry["queue_name"]), str(entry["queue_id"]), arrived_at)
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        raise InputError("postqueue -j says what is not understood") from None
