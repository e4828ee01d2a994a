"""Starting the whole thing from outside: the one call that tests and scripts make.

Needs root, and a kernel that lets root make namespaces.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .isolation import MACHINE_ID, enter, network

TESTS = Path(__file__).parents[1]
# Inside another Debian: where it finds the tests and the folder, in a place no step hides.
THERE = ("/mnt", "/media")
GO_THERE = f"""
root=$1 tests=$2 folder=$3; shift 3
for name in proc sys dev; do mount --rbind "/$name" "$root/$name" || exit; done
mount -o bind,ro "$tests" "$root{THERE[0]}" && mount --bind "$folder" "$root{THERE[1]}" || exit
exec chroot "$root" sh -c 'cd {THERE[0]} && exec "$@"' sh "$@"
"""


def start(
    folder: Path, rounds: int, pace: float = 0.0, debian: Path | None = None
) -> subprocess.Popen[str]:
    """Start the traffic; it ends by itself, with status 0 if every step went as planned.

    ``folder`` must be empty; when the process has ended it holds ``truth.json``. ``debian`` is the
    root folder of another Debian with the packages in PACKAGES and python3: then everything that
    runs, from journald to the steps themselves, is that one's.
    """
    return start_program(folder, "live", str(rounds), str(pace), debian=debian)


def start_program(
    folder: Path, module: str, *arguments: str, debian: Path | None = None
) -> subprocess.Popen[str]:
    """Start a program of ours inside the namespaces; ``folder`` is its first argument."""
    journal_folder(folder).mkdir(parents=True)
    descriptor = network()
    if debian is None:
        inside = [sys.executable, "-m", module, str(folder), *arguments]
    else:
        inside = _there(debian, folder, ["python3", "-m", module, THERE[1], *arguments])
    try:
        return subprocess.Popen(
            enter(descriptor, inside), cwd=TESTS, text=True, pass_fds=[descriptor],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    finally:
        os.close(descriptor)


def _there(debian: Path, folder: Path, command: list[str]) -> list[str]:
    """The command line that runs a command in another Debian; what it mounts ends with it."""
    return ["sh", "-c", GO_THERE, "sh", str(debian), str(TESTS), str(folder), *command]


def journal_folder(folder: Path) -> Path:
    """Where the journal's files are, below the folder of ``start``."""
    return folder / "var-log" / "journal" / MACHINE_ID
