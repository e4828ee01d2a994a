"""What `doctor` looks at, and what it finds there: graded, with what to do.

It knows no check. A check is a function that is given an Examined and yields findings; what it
cannot look at it says in a note.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from journal_postfix.config import Config
from journal_postfix.database import Connection

GRADES = ("problem", "warning", "note", "ok")
"""From what stops the work, over what will hurt some day and what is good to know, to all is well."""


class Finding(NamedTuple):
    """One thing that was looked at: how it is, and a command or two that help."""

    grade: str
    finding: str
    todo: str = ""


Findings = Iterator[Finding]


class Examined(NamedTuple):
    """What is examined: a configuration and its file, the files under a root, a database.

    `connection` None: there is none, for the reason `refused`. `log`: the log file that is followed
    in place of the journal.
    """

    config: Config
    file: Path | None
    now: datetime
    root: Path = Path("/")
    connection: Connection | None = None
    refused: str = ""
    log: Path | None = None

    @property
    def is_own_journal(self) -> bool:
        """A journal is read, and it is this machine's."""
        return self.log is None and self.config.journal_directory is None

    @property
    def is_root(self) -> bool:
        """We are root, whom no rights stop."""
        return os.geteuid() == 0


Check = Callable[[Examined], Findings]


def ok(finding: str) -> Finding:
    """All is well."""
    return Finding("ok", finding)


def note(finding: str, todo: str = "") -> Finding:
    """Good to know."""
    return Finding("note", finding, todo)


def warning(finding: str, todo: str) -> Finding:
    """What will hurt some day."""
    return Finding("warning", finding, todo)


def problem(finding: str, todo: str) -> Finding:
    """What stops the work, or loses something."""
    return Finding("problem", finding, todo)
