"""Control groups with the limits of a unit, for machines on which no systemd makes them.

Both kinds of control groups: one hierarchy for each controller (version 1), or one for all of them.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds in which a quota of the processor counts
BYTES = {"K": 2**10, "M": 2**20, "G": 2**30}


class Limits(NamedTuple):
    """What the processes of a group may take: bytes, microseconds of each PERIOD, processes."""

    memory: int
    processor: int
    tasks: int


def limits_of(unit: Mapping[str, str]) -> Limits:
    """The limits that a unit asks for."""
    memory = re.fullmatch(r"([0-9]+)([KMG])", unit["MemoryMax"])
    share = re.fullmatch(r"([0-9]+)%", unit["CPUQuota"])
    assert memory
    assert share
    return Limits(
        int(memory[1]) * BYTES[memory[2]], int(share[1]) * PERIOD // 100, int(unit["TasksMax"])
    )


class Group(NamedTuple):
    """The folders of a group, one or one of each controller."""

    folders: list[Path]

    def command(self, words: Sequence[str]) -> list[str]:
        """A command that first moves into the group."""
        move = "".join(f"echo $$ > {folder}/cgroup.procs; " for folder in self.folders)
        return ["sh", "-ec", f'{move}exec "$@"', "sh", *words]

    def killed(self) -> int:
        """How many processes the kernel has killed, since there was no memory left for them."""
        said = "".join(
            path.read_text()
            for folder in self.folders
            for name in ("memory.oom_control", "memory.events")
            if (path := folder / name).exists()
        )
        match = re.search(r"^oom_kill ([0-9]+)$", said, re.MULTILINE)
        assert match, said
        return int(match[1])


def _settings(limits: Limits) -> list[dict[str, str]]:
    """What is written into which files: of version 2, of version 1."""
    memory, quota, tasks = str(limits.memory), str(limits.processor), str(limits.tasks)
    return [
        {"memory.max": memory, "cpu.max": f"{quota} {PERIOD}", "pids.max": tasks},
        {
            "memory/memory.limit_in_bytes": memory,
            "cpu/cpu.cfs_quota_us": quota,
            "pids/pids.max": tasks,
        },
    ]


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    path.mkdir()
    try:
        yield path
    finally:
        path.rmdir()


@contextmanager
def limited(limits: Limits) -> Iterator[Group]:
    """A group with these limits; empty it before it is left. OSError: none may be made here."""
    name = f"journal-postfix-{uuid.uuid4().hex[:12]}"
    is_one = (ROOT / "cgroup.controllers").exists()
    with ExitStack() as stack:
        group = Group([])
        for file, value in _settings(limits)[0 if is_one else 1].items():
            controller, _, setting = file.rpartition("/")
            folder = ROOT / controller / name
            if folder not in group.folders:
                group.folders.append(stack.enter_context(_folder(folder)))
            (folder / setting).write_text(value)
        yield group


def can_limit() -> bool:
    """Tell whether this is a machine on which groups may be limited."""
    try:
        with limited(Limits(2**30, PERIOD, 100)):
            return True
    except OSError:
        return False
