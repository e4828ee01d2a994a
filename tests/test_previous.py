"""Many hosts, one database: the program before goes on beside this one on the schema of this one.

Between two releases one host is upgraded, and with it the tables; the others follow when their turn
comes. Their program is taken from the history, so these tests want a clone that has it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

import truth
from conftest import execute
from generate import Log
from journal_postfix import schema
from test_known_truth import Written, assert_true, configured, journals, written
from test_retention_steps import until
from test_roles import drop, names
from test_store import rows

__all__ = ["names"]  # a fixture

PROJECT = Path(__file__).resolve().parents[1]
#: The release before; as long as there is none, the last program made for schema 2.
PREVIOUS = "1133eaaee9643bb9cd630f1ad6d3e57f0bbe3f78"

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Ask the history of the project."""
    return subprocess.run(["git", "-C", str(PROJECT), *arguments], capture_output=True, check=False)


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the program before."""
    if git("cat-file", "-e", f"{PREVIOUS}^{{commit}}").returncode:
        pytest.skip(f"no history with {PREVIOUS}")
    folder = tmp_path_factory.mktemp("previous")
    archive = git("archive", PREVIOUS, "journal_postfix", "sql").stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder


def with_program(folder: Path, config: list[str]) -> Command:
    """Commands of the program in a folder; each must end as it is said to."""

    def command(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        done = subprocess.run(
            [*config, *arguments], capture_output=True, text=True, check=False, cwd=folder,
            env=environment,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        return done

    return command


def where_from(folder: Path) -> str:
    """Where Python finds the program, started as by `with_program`."""
    show = [sys.executable, "-c", "import journal_postfix as j; print(j.__file__)"]
    return with_program(folder, show)().stdout


class Hosts:
    """One database, one host with the program before and one with this."""

    def __init__(self, folder: Path, previous: Path, dsn: str) -> None:
        config = configured(folder, dsn)
        self.old = with_program(previous, config)
        self.new = with_program(PROJECT, config)


def in_thirds(log: Written, folder: Path) -> Iterator[str]:
    """The lines of a log in three files."""
    lines = Path(log.files[0]).read_text().splitlines(keepends=True)
    for number in range(3):
        piece = folder / f"piece-{number}.log"
        piece.write_text("".join(lines[number * len(lines) // 3 : (number + 1) * len(lines) // 3]))
        yield str(piece)


@pytest.fixture
def log(tmp_path: Path) -> Written:
    """Some of everything."""
    return written(tmp_path / "log", Log(lines=20_000, seed=53), "iso", split=False)


def test_the_program_before_goes_on(
    previous: Path, empty_dsn: str, tmp_path: Path, log: Written
) -> None:
    """It begins a database, stores into and reads from the upgraded one; the rows are the true ones."""
    assert where_from(previous).startswith(str(previous))
    assert where_from(PROJECT).startswith(str(PROJECT))
    hosts = Hosts(tmp_path, previous, empty_dsn)
    first, second, third = in_thirds(log, tmp_path)
    hosts.old("setup")
    hosts.old("backfill", first)
    assert f"to {schema.VERSION}" in hosts.new("setup").stdout
    hosts.old("backfill", second)
    hosts.new("backfill", third)
    assert_true(empty_dsn, log.rows)

    status = hosts.old("status", "--format", "json", status=hosts.new("status").returncode)
    assert '"delivery' in status.stdout
    sender = rows(empty_dsn, "SELECT sender FROM delivery_from WHERE sender LIKE '%@%' LIMIT 1")
    for asked in (
        ("trace", "--sender", sender[0][0]),
        ("report", "--since", "2024-12-31", "--until", "2025-01-01"),
    ):
        assert hosts.old(*asked).stdout == hosts.new(*asked).stdout
    hosts.old("clean", "--dry-run")
    hosts.old("clean")
    assert_true(empty_dsn, log.rows)


def test_an_upgrade_under_a_running_service(previous: Path, empty_dsn: str, tmp_path: Path) -> None:
    """Of three hosts' journals the service before has read one when another host is upgraded."""
    log = written(tmp_path / "export", Log(lines=6_000, seed=59), "export", split=True)
    folder = journals(tmp_path / "journal", log.files)
    later = [journal.rename(tmp_path / journal.name) for journal in sorted(folder.iterdir())[1:]]
    keys = {"journal": {"directory": str(folder)}, "journal_poll_interval": 0.2}
    config = configured(tmp_path, empty_dsn, **keys)
    with_program(previous, config)("setup")
    environment = {**os.environ, "PYTHONPATH": str(previous)}
    with subprocess.Popen([*config, "run"], env=environment, cwd=previous) as service:
        try:
            until(lambda: rows(empty_dsn, "SELECT count(*) FROM delivery_from") > [(100,)])
            with_program(PROJECT, config)("setup")
            for journal in later:
                journal.rename(folder / journal.name)
            wanted = {table: len(log.rows[table]) for table in log.rows}
            until(lambda: truth.count(empty_dsn) == wanted)
        finally:
            service.terminate()
    assert service.returncode == 0
    assert_true(empty_dsn, log.rows)


def test_the_program_before_leaves_persons_to_this_one(
    previous: Path, dsn: str, tmp_path: Path
) -> None:
    """What it knows of a person may not be all: it says so instead of giving or forgetting half."""
    hosts = Hosts(tmp_path, previous, dsn)
    for command in (["export"], ["forget", "--yes"]):
        said = hosts.old(*command, "ann@example.com", status=1)
        assert "install the newer" in said.stderr


def test_an_upgrade_keeps_roles(
    previous: Path, empty_dsn: str, tmp_path: Path, log: Written, names: dict[str, str]
) -> None:
    """Whoever used the roles before the upgrade may go on after it, with either program."""
    keys = {"roles": names}
    admin = configured(tmp_path, empty_dsn, **keys)
    with_program(previous, admin)("setup", "--roles")
    login = f"login_{names['writer'][:8]}"
    with closing(psycopg2.connect(empty_dsn)) as connection:
        group = psycopg2.extensions.quote_ident(names["writer"], connection)
    execute(empty_dsn, f"CREATE ROLE {login} LOGIN PASSWORD 'sesame' IN ROLE {group}")
    try:
        said = with_program(PROJECT, admin)("setup").stdout
        assert "upgraded" in said
        assert "are in place" in said
        as_login = make_dsn(empty_dsn, user=login, password="sesame")
        (tmp_path / "login").mkdir()
        writer = configured(tmp_path / "login", as_login, **keys)
        first, second, third = in_thirds(log, tmp_path)
        for program, piece in ((PROJECT, first), (previous, second), (PROJECT, third)):
            with_program(program, writer)("backfill", piece)
            with_program(program, writer)("clean")
        assert_true(empty_dsn, log.rows)
        assert "are in place" not in with_program(PROJECT, admin)("setup").stdout
    finally:
        drop(empty_dsn, login, *names.values())
