"""The disks that the database is on, where its server is on this machine: how much is free there.

It knows where servers keep their files, and what `min_free_disk` wants. Of a server elsewhere
it knows nothing: what is written there takes no room here.

Bugs: where the server does not tell its folder (only superusers and members of pg_monitor may
ask), the usual places are looked at. A log of transactions on a disk of its own is noticed only
where the server's folder may be read.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from journal_postfix.config import Config
from journal_postfix.database import READER_SETTINGS, SQL, Connection, connect, dicts
from journal_postfix.embedded import default_data_dir
from journal_postfix.server import dsn_of

USUAL = ("/var/lib/postgresql", "/var/lib/pgsql", "/")
EVERY = 0.2  # seconds from one look at the disk to the next
ENOUGH = 1.05  # of what is wanted must be free before writing goes on


class Room(NamedTuple):
    """What is free on the disk of a folder, in bytes."""

    folder: str
    free: int


def folders(config: Config, connection: Connection | None) -> list[str]:
    """The folders in which the database writes on this machine; none where it is elsewhere.

    `connection` is needed where a DSN is configured.
    """
    if config.dsn is None:
        return [config.data_dir or str(default_data_dir())]
    assert connection is not None
    with connection.cursor() as cursor:
        cursor.execute(SQL["queries/database_folders"])
        (told,) = dicts(cursor)
    connection.rollback()
    if not told["is_here"]:
        return []
    main = told["folder"] or next(usual for usual in USUAL if Path(usual).exists())
    found = [main, told["tablespace"], told["folder"] and f"{told['folder']}/pg_wal"]
    return [folder for folder in found if folder]


def places(config: Config) -> list[str]:
    """The same; looks for itself. Raises ConnectionFailed."""
    if config.dsn is None:
        return folders(config, None)
    with closing(connect(dsn_of(config), READER_SETTINGS)) as connection:
        return folders(config, connection)


def room(folder: str) -> Room:
    """The room on a folder's disk; of one that is not there, or shut, on its parent's."""
    path = Path(folder).expanduser().absolute()
    for place in (path, *path.parents):
        try:
            return Room(folder, shutil.disk_usage(place).free)
        except OSError:
            continue
    raise AssertionError("there is always a root")


def least_room(found: Sequence[str]) -> Room | None:
    """The fullest of the folders' disks; None where there are no folders."""
    return min(map(room, found), key=lambda one: one.free, default=None)


def shown(config: Config, connection: Connection) -> list[dict[str, Any]]:
    """A row for `status`: what is free and what the database takes, beside their limits."""
    found = least_room(folders(config, connection))
    with connection.cursor() as cursor:
        cursor.execute(SQL["queries/database_bytes"])
        (taken,) = cursor.fetchone() or (0,)
    return [
        {
            "folder": found.folder if found else None,
            "free": found.free if found else None,
            "min_free_disk": config.min_free_disk,
            "size": taken,
            "max_size": config.max_size,
        }
    ]


class Guard:
    """Tells whether less than `wanted` bytes are free; looks five times a second at most.

    `ask` is called once for the folders. Where too little was free, a little more than is wanted
    must be before it is enough again, lest writing stops and goes on with every batch.
    """

    def __init__(self, wanted: int, ask: Callable[[], Sequence[str]]) -> None:
        self._wanted = wanted
        self._ask = ask
        self._places: Sequence[str] | None = None
        self._looked = float("-inf")
        self._lack: Room | None = None

    def lack(self) -> Room | None:
        """The disk on which too little is free; None where all is well."""
        now = time.monotonic()
        if self._wanted and now - self._looked >= EVERY:
            if self._places is None:
                self._places = self._ask()
            found = least_room(self._places)
            wanted = self._wanted * (ENOUGH if self._lack else 1.0)
            self._lack = found if found is not None and found.free < wanted else None
            self._looked = now
        return self._lack
