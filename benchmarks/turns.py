"""Turns: contenders run one after the other, round after round, and what each turn took.

Contenders take turns (A B A B A B), so that what else the machine does meets all of them. A turn
is a process of its own, measured by the kernel. It knows no database and no log.

Bugs: the kernel counts the parent's memory at the start of a process as the process's own. So
the parent stays small: it reads no log, it starts programs that do.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Timer
from typing import BinaryIO, NamedTuple

LIMIT = 1800  # seconds, for one turn
MEGABYTE = 1024  # ru_maxrss counts in kB


@dataclass(frozen=True)
class Took:
    """What one turn took: seconds, CPU seconds of it and of the server, memory in MB, lines done.

    `details`: further figures by name, such as seconds by statement.
    """

    seconds: float
    lines: int
    cpu: float | None = None
    server: float | None = None
    memory: float | None = None
    cycles: float | None = None
    details: Mapping[str, float] = field(default_factory=dict)


class Budget(NamedTuple):
    """What a ratio may be at most, and what it should be."""

    most: float
    aim: float


@dataclass(frozen=True)
class Contender:
    """A name, how it takes its turn, and whose time per line its own is a ratio to.

    `missing` says why it cannot take part; `prove` raises RuntimeError where it does no work.
    """

    name: str
    turn: Callable[[], Took]
    against: str = ""
    budget: Budget | None = None
    missing: str = ""
    prove: Callable[[], None] | None = None


@dataclass(frozen=True)
class Comparison:
    """Contenders for the same work."""

    title: str
    text: str
    contenders: Sequence[Contender]


@dataclass(frozen=True)
class Ran:
    """A process that has ended: what it took, and what it wrote on standard output."""

    seconds: float
    cpu: float
    memory: float
    cycles: float | None
    output: str


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    keep: bool = False,
    cycles: bool = False,
) -> Ran:
    """Run a program to its end and measure it; `keep` its output, else it goes to nowhere.

    Raises RuntimeError with the program's last words where it fails, or is not done in time.
    """
    words = [str(word) for word in command]
    counts = cycles and can_count_cycles()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _open(folder, "output", keep=keep) as out, _open(folder, "errors") as errors:
            begin = time.perf_counter()
            process = subprocess.Popen(
                _counted(words, folder) if counts else words,
                env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
            )  # fmt: skip
            usage = _wait(process)
            seconds = time.perf_counter() - begin
        if process.returncode:
            raise RuntimeError(f"{' '.join(words)}: exit {process.returncode}: {_end(folder)}")
        text = (folder / "output").read_text("utf-8") if keep else ""
        counted = cycles_of((folder / "cycles").read_text("utf-8")) if counts else None
    cpu, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / MEGABYTE
    return Ran(seconds, cpu, memory, counted, text)


def _open(folder: Path, name: str, *, keep: bool = True) -> BinaryIO:
    return (folder / name if keep else Path(os.devnull)).open("wb")


def _wait(process: subprocess.Popen[bytes]) -> os.struct_rusage:
    timer = Timer(LIMIT, process.kill)
    timer.start()
    _, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


def _end(folder: Path) -> str:
    lines = (folder / "errors").read_text("utf-8", errors="replace").splitlines()
    return " / ".join(lines[-5:])


def _counted(words: Sequence[str], folder: Path) -> list[str]:
    return ["perf", "stat", "-x;", "-e", "cycles", "-o", str(folder / "cycles"), "--", *words]


def cycles_of(text: str) -> float | None:
    """The cycles in what perf stat wrote, of all kinds of processors; None: not counted."""
    counts = [line.partition(";")[0] for line in text.splitlines() if ";" in line]
    return sum(map(float, counts)) if counts and all(map(str.isdigit, counts)) else None


@cache
def can_count_cycles() -> bool:
    """Tell whether the machine counts cycles for us: virtual ones often do not."""
    with tempfile.TemporaryDirectory() as name:
        try:
            subprocess.run(_counted(["true"], Path(name)), check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return False
        return cycles_of((Path(name) / "cycles").read_text("utf-8")) is not None


# --- rounds ---------------------------------------------------------------------------------

Results = dict[str, list[Took]]


def interleave(comparison: Comparison, rounds: int) -> Results:
    """Let the contenders that are at hand take turns."""
    present = [one for one in comparison.contenders if not one.missing]
    results: Results = {one.name: [] for one in present}
    for one in present:
        if one.prove is not None:
            one.prove()
    for number in range(1, rounds + 1):
        for one in present:
            took = one.turn()
            results[one.name].append(took)
            say(f"round {number}: {one.name}: {took.seconds:.2f} s")
    return results


def say(text: str) -> None:
    """Tell whoever waits how far it is; standard output is for the report."""
    print(text, file=sys.stderr, flush=True)


def median(values: Sequence[float | None]) -> float | None:
    """The median of the values there are."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def per_line(turns: Sequence[Took]) -> float:
    """The median of the seconds that a line took."""
    return statistics.median(took.seconds / took.lines for took in turns)
