"""What can happen to a database while somebody writes into it.

A `Server` is a private PostgreSQL; each fault is a function that does it some harm and leaves it
working again. `harm` does them at random moments while a load makes headway.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import psycopg2
from psycopg2.extensions import make_dsn

from conftest import open_folder
from journal_postfix import embedded, schema

PAUSE = float(os.environ.get("FAULT_PAUSE", "0.5"))
"""Seconds for which the database stays away, at most."""

FAULTS = int(os.environ.get("FAULTS", "30"))
"""How many kills a load must stand."""

PATIENCE = 30.0
DATABASE = "faults"


class Server(NamedTuple):
    """A private server; `dsn` names the database of the load, `admin` another one."""

    data_dir: Path
    admin: str
    dsn: str

    def execute(self, *statements: str, dsn: str = "") -> None:
        """Run statements, each a transaction of its own."""
        with closing(psycopg2.connect(dsn or self.admin)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)

    def up(self) -> None:
        """Start it where it is down."""
        embedded.embedded_dsn(self.data_dir, create=False)

    def set_up(self) -> None:
        """Give the load's database our tables."""
        with closing(psycopg2.connect(self.dsn)) as connection:
            schema.setup(connection)

    def ask(self, query: str) -> Any:
        """One value; None while the server is away."""
        try:
            with closing(psycopg2.connect(self.dsn)) as connection, connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchone()[0]
        except psycopg2.Error:
            return None


@contextmanager
def open_server() -> Iterator[Server]:
    """A server with an empty database that has our tables; stopped afterwards."""
    with open_folder() as folder:
        admin = embedded.embedded_dsn(folder / "data", create=True)
        server = Server(folder / "data", admin, make_dsn(admin, dbname=DATABASE))
        try:
            server.execute(f"CREATE DATABASE {DATABASE}")
            server.set_up()
            yield server
        finally:
            embedded.stop(folder / "data")


# --- faults ---------------------------------------------------------------------------------


def crash(server: Server, rng: Random) -> None:
    """End it as a crash of the machine would; it comes back and replays its log."""
    (pid_file,) = server.data_dir.glob("pg*/postmaster.pid")
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
    time.sleep(rng.uniform(0, PAUSE))
    server.up()


def restart(server: Server, rng: Random) -> None:
    """Stop it and start it again."""
    embedded.stop(server.data_dir)
    time.sleep(rng.uniform(0, PAUSE))
    server.up()


def terminate(server: Server, rng: Random) -> None:
    """End all connections of the load."""
    server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}'"
    )


def refuse(server: Server, rng: Random) -> None:
    """Let nobody in for a while, and throw out who is in."""
    server.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false")
    terminate(server, rng)
    time.sleep(rng.uniform(0, PAUSE))
    server.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true")


def cancel(server: Server, rng: Random) -> None:
    """Cancel whatever statement runs, as an administrator or a timeout does."""
    server.execute(
        f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}'"
        " AND state = 'active'"
    )


def deadlock(server: Server, rng: Random) -> None:
    """Wait for what the load holds while holding what it waits for: the load gives way."""
    with closing(psycopg2.connect(server.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SET deadlock_timeout TO '1min'")
        cursor.execute("LOCK open_mail IN SHARE MODE")
        time.sleep(0.05)  # by now a transaction has its source's row and waits for open_mail
        cursor.execute("SELECT position FROM source FOR UPDATE")
        connection.rollback()


def conflict(server: Server, rng: Random) -> None:
    """Change what the load is about to change; where it wants more isolation, it must try again."""
    with closing(psycopg2.connect(server.dsn)) as connection, connection.cursor() as cursor:
        connection.set_session("READ COMMITTED")
        cursor.execute("UPDATE source SET updated_at = now()")
        time.sleep(0.05)
        connection.commit()


Fault = Callable[[Server, Random], None]
DATABASE_FAULTS: tuple[Fault, ...] = (
    crash, restart, terminate, refuse, cancel, deadlock,
)  # fmt: skip


# --- harm while a load makes headway --------------------------------------------------------


class Load:
    """A load that runs; what it says is kept."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            self.said.extend(lines)

    def is_over(self) -> bool:
        """Tell whether it has ended."""
        return self.process.poll() is not None

    def end(self, seconds: float = 300.0) -> str:
        """Wait for its end, which must be a good one; gives what it said."""
        self.process.wait(seconds)
        self._reader.join()
        said = "".join(self.said)
        assert self.process.returncode == 0, said
        assert "Traceback" not in said, said
        return said


def harm(server: Server, load: Load, rng: Random, lines: int, count: int) -> list[str]:
    """Do harm `count` times, spread over a load of so many lines; gives the names of the faults."""
    done: list[str] = []
    for number in range(count):
        enough = max(1, lines * number / count)  # what is away at the start is told at once
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not load.is_over() and _stored(server) < enough:
            time.sleep(0.01)
        if load.is_over():
            break
        time.sleep(rng.uniform(0, 0.05))
        fault = DATABASE_FAULTS[(number + rng.randrange(2)) % len(DATABASE_FAULTS)]
        fault(server, rng)
        done.append(fault.__name__)
    return done


def _stored(server: Server) -> int:
    return int(server.ask("SELECT coalesce(sum(lines), 0) FROM source") or 0)
