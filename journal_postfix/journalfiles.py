"""The files of a journal, and whether they may be read.

libsystemd says nothing of files it may not open; here that becomes a sentence for the user.
It knows where journals lie. It refuses to know what stands in them.
"""

from __future__ import annotations

import os
import pwd
import resource
from collections.abc import Iterator
from pathlib import Path

from journal_postfix.messages import InputError

JOURNALS = (Path("/var/log/journal"), Path("/run/log/journal"))
MACHINE_ID = Path("/etc/machine-id")

OTHER_FILES = 100
"""Descriptors wanted for everything but journal files; also for files that come meanwhile."""


def check_readable(directory: str | None) -> None:
    """Raise InputError where there is no journal, or a part of it may not be read.

    ``directory`` None is this machine's journal. Of that, users may read what they wrote
    themselves, which is not enough.
    """
    places = _own_places() if directory is None else [Path(directory)]
    if directory is not None and not places[0].is_dir():
        raise InputError(f"{directory}: there is no such folder of journal files")
    try:
        files = [path for place in places if place.is_dir() for path in _journal_files(place)]
    except PermissionError as error:
        raise _not_readable(str(error.filename)) from None
    for path in files:
        if not os.access(path, os.R_OK, effective_ids=True):
            raise _not_readable(str(path))
    if not files:
        raise InputError(f"no journal files in {' or '.join(map(str, places))}")


def journal_files(directory: str | None) -> set[str]:
    """Return the paths of the journal's files; none where a folder goes meanwhile."""
    places = _own_places() if directory is None else [Path(directory)]
    try:
        return {str(path) for place in places if place.is_dir() for path in _journal_files(place)}
    except OSError:
        return set()


def make_room(directory: str | None, readers: int) -> None:
    """Have so many readers of all the journal's files allowed; InputError where they are not.

    Each reader holds each file open, and libsystemd leaves out files beyond the limit.
    """
    places = JOURNALS if directory is None else (Path(directory),)
    files = sum(1 for place in places if place.is_dir() for _ in place.rglob("*.journal*"))
    wanted = files * readers + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY not in (soft, hard) and wanted > hard:
        raise InputError(
            f"{files} journal files, read for {readers - 1} machines, want {wanted} open files, "
            f"and {hard} are allowed: raise LimitNOFILE of the service (ulimit -n)"
        )
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _own_places() -> list[Path]:
    """Return the folders of this machine's journal; beside them may lie those of others."""
    machine_id = MACHINE_ID.read_text("utf-8").strip() if MACHINE_ID.exists() else ""
    return [place / machine_id for place in JOURNALS]


def _journal_files(place: Path) -> Iterator[Path]:
    """Yield the journal files of a folder and of those in it, one for each machine."""
    for path in sorted(place.iterdir()):
        if path.is_dir():
            yield from (one for one in sorted(path.iterdir()) if one.suffix == ".journal")
        elif path.suffix == ".journal":
            yield path


def _not_readable(path: str) -> InputError:
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    return InputError(
        f"the journal is not readable ({path}): add the user {user} to the group systemd-journal"
    )
