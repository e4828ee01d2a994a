"""Where figures come from: the machine, the versions of all parts, the date."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg2

# What prints a version, and is asked for it, if it is there.
PROGRAMS = {
    "pflogsumm": ("pflogsumm", "--version"),
    "Postfix": ("postconf", "-d", "-h", "mail_version"),
    "systemd": ("journalctl", "--version"),
    "Perl": ("perl", "-e", "print $^V"),
}
_VERSION = re.compile(r"\d+(?:\.\d+)*")


def machine() -> str:
    """Processors, memory, kernel and distribution."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GB memory,"
        f" Linux {platform.release()}, {platform.freedesktop_os_release()['PRETTY_NAME']}"
    )


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text("utf-8"))
    return found[1] if found else platform.machine()


def versions(postgresql: str, others: Mapping[str, Sequence[str]]) -> str:
    """The versions of all parts that are there."""
    found = {
        "Python": platform.python_version(),
        "psycopg2": psycopg2.__version__.split()[0],
        "PostgreSQL": postgresql,
    }
    asked = {**PROGRAMS, **others}
    found |= {name: version for name, words in asked.items() if (version := _asked(words))}
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _asked(words: Sequence[str]) -> str:
    if not shutil.which(words[0]):
        return ""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = _VERSION.search(done.stdout + done.stderr)
    return found[0] if found else ""


def date() -> str:
    """Today."""
    return f"{datetime.now(UTC):%Y-%m-%d}"


def commit(folder: Path) -> str:
    """The commit of a checkout, `+` behind it where files were changed since; '' if it is none."""
    words = ["git", "-C", str(folder), "describe", "--always", "--dirty=+"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
