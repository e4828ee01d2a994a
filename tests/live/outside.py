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


def start(folder: Path, rounds: int, pace: float = 0.0) -> subprocess.Popen[str]:
    """Start the traffic; it ends by itself, with status 0 if every step went as planned.

    ``folder`` must be empty; when the process has ended it holds ``truth.json``.
    """
    return start_program(folder, "live", str(rounds), str(pace))


def start_program(folder: Path, module: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program of ours inside the namespaces; ``folder`` is its first argument."""
    journal_folder(folder).mkdir(parents=True)
    descriptor = network()
    inside = [sys.executable, "-m", module, str(folder), *arguments]
    try:
        return subprocess.Popen(
            enter(descriptor, inside), cwd=TESTS, text=True, pass_fds=[descriptor],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    finally:
        os.close(descriptor)


def journal_folder(folder: Path) -> Path:
    """Where the journal's files are, below the folder of ``start``."""
    return folder / "var-log" / "journal" / MACHINE_ID
