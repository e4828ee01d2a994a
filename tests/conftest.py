"""The PostgreSQL of the tests: one server for the session, a database of its own for each test."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from journal_postfix import database, embedded, schema

# Tests kill processes, not the machine: what is written need not reach the disk.
QUICK = ("fsync", "synchronous_commit", "full_page_writes")


def execute(dsn: str, *statements: str) -> None:
    """Run statements that want no transaction, such as CREATE DATABASE."""
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@pytest.fixture(autouse=True)
def _garbage() -> Iterator[None]:
    """Commands that a test runs in this process look for garbage seldom; tests after it need not."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that the server's user may enter too, which pytest's tmp_path is not for root."""
    folder = Path(tempfile.mkdtemp(prefix="journal-postfix-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A place for a private server, stopped and gone after the test."""
    with open_folder() as folder:
        yield folder / "data"
        embedded.stop(folder / "data")


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """A server for all tests: that of JOURNAL_POSTFIX_TEST_DSN, else a private one."""
    if dsn := os.environ.get("JOURNAL_POSTFIX_TEST_DSN"):
        yield dsn
        return
    with open_folder() as folder:
        dsn = embedded.embedded_dsn(folder / "data", create=True)
        off = [f"ALTER SYSTEM SET {name} = off" for name in QUICK]
        execute(dsn, *off, "SELECT pg_reload_conf()")
        yield dsn
        embedded.stop(folder / "data")


@contextmanager
def fresh_database(server_dsn: str, template: str) -> Iterator[str]:
    """The DSN of a copy of the template database, dropped afterwards whoever is still in it."""
    name = f"journal_postfix_test_{uuid.uuid4().hex}"
    execute(server_dsn, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield make_dsn(server_dsn, dbname=name)
    finally:
        execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def template(server_dsn: str) -> Iterator[str]:
    """The name of a database that holds the schema and no rows."""
    with fresh_database(server_dsn, "template0") as dsn:
        with closing(database.connect(dsn, database.PLAIN_SETTINGS)) as connection:
            schema.setup(connection)
        yield psycopg2.extensions.parse_dsn(dsn)["dbname"]


@pytest.fixture
def dsn(server_dsn: str, template: str) -> Iterator[str]:
    """A database of this test's own, with the schema."""
    with fresh_database(server_dsn, template) as dsn:
        yield dsn


@pytest.fixture
def empty_dsn(server_dsn: str) -> Iterator[str]:
    """A database of this test's own, without the schema."""
    with fresh_database(server_dsn, "template0") as dsn:
        yield dsn


# --- who runs what, where several processes do (pytest --numprocesses) -------------------------

#: Files that start services of the machine, of which there is but one: one process runs them all.
ALONE = ("test_booted", "test_doctor", "test_end_to_end", "test_journal", "test_losses",
         "test_queue_live")  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let one process run a file: its tests share databases."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            group = "alone" if item.path.stem in ALONE else item.path.stem
            item.add_marker(pytest.mark.xdist_group(group))
