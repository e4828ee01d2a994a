"""The PostgreSQL of the benchmarks: a private one, a fresh database for each turn, and its CPU."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn

from journal_postfix import embedded

SHOWN = (
    "shared_buffers",
    "max_wal_size",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "jit",
    "autovacuum",
)
TICK = os.sysconf("SC_CLK_TCK")


class Server:
    """A server on this machine, and the databases made in it."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._made: set[str] = set()
        self._connection = psycopg2.connect(dsn)
        self._connection.autocommit = True
        (backend,) = self.ask("SELECT pg_backend_pid()")[0]
        self._postmaster = int(_stat(backend)[1])

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement in no database of a turn; gives its rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def dsn(self, database: str) -> str:
        """The DSN of a database."""
        return str(make_dsn(self._dsn, dbname=database))

    def fresh(self, database: str, template: str = "template0") -> str:
        """Make a database anew, like the template, with nothing left to write from before."""
        self.drop(database)
        self._made.add(database)
        self.ask(f"CREATE DATABASE {database} TEMPLATE {template}")
        self.ask("CHECKPOINT")
        return self.dsn(database)

    def drop(self, database: str) -> None:
        """Drop a database, if there is one."""
        self.ask(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def settings(self) -> str:
        """The settings that matter for speed, in words."""
        shown = [(name, self.ask(f"SHOW {name}")[0][0]) for name in SHOWN]
        return ", ".join(f"{name} {value}" for name, value in shown)

    def version(self) -> str:
        """The version of the server."""
        return str(self.ask("SHOW server_version")[0][0])

    def cpu(self) -> float:
        """CPU seconds of the server until now, of processes that have ended too."""
        children = sum(sum(_times(pid)[:2]) for pid in _children(self._postmaster))
        return (sum(_times(self._postmaster)) + children) / TICK

    def close(self) -> None:
        """Drop what was made, and close the connection."""
        for database in self._made:
            self.drop(database)
        self._connection.close()


def rows(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a query in a database of a turn."""
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()


def run_script(dsn: str, statements: str) -> None:
    """Run a script of SQL in a database of a turn."""
    connection = psycopg2.connect(dsn)
    with connection.cursor() as cursor:
        cursor.execute(statements)
    connection.commit()
    connection.close()


def _stat(pid: int) -> list[str]:
    """The fields of proc(5) stat from the third on: the state, the parent, and so on."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()


def _times(pid: int) -> list[int]:
    """User and system time of a process, then those of its children that have ended."""
    try:
        return [int(ticks) for ticks in _stat(pid)[11:15]]
    except OSError:  # it has just ended
        return [0] * 4


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8")
    return [int(child) for child in text.split()]


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A new server in a folder, gone with its data afterwards.

    It is made and set as journal-postfix does for those who name none.
    """
    data_dir = folder / "server"
    embedded.stop(data_dir)
    shutil.rmtree(data_dir, ignore_errors=True)
    try:
        with closing(Server(embedded.embedded_dsn(data_dir, create=True))) as server:
            yield server
    finally:
        embedded.stop(data_dir)
        shutil.rmtree(data_dir)
