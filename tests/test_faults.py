"""The database is harmed while we write: still exactly the true rows.

The short form runs with the other tests; `script/faults` runs the long one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import psycopg2
import pytest

import faults
from faults import FAULTS, Fault, Load, Server
from generate import Log
from test_known_truth import FILES, assert_true, configured, journals, run, written

LOG = Log(lines=30_000, hosts=2, seed=31, shuffle=1.0)
IDENTIFIER = "SYSLOG_IDENTIFIER=postfix"
SMALL = {"max_messages_per_commit": 300}
ROUNDS = range(1, -(-FAULTS // 30) + 1)
HARMS = 10  # in each round; each kind of fault comes about twice


@pytest.fixture(name="server")
def _server() -> Iterator[Server]:
    with faults.open_server() as server:
        yield server


@pytest.mark.parametrize("seed", ROUNDS)
def test_backfill_while_the_database_is_harmed(server: Server, seed: int, tmp_path: Path) -> None:
    """Crashed, stopped, cut off, closed, cancelled, deadlocked: a backfill ends with the true rows."""
    log = written(tmp_path / "split", LOG._replace(seed=30 + seed), "traditional", split=True)
    load = Load([*configured(tmp_path, server.dsn, **SMALL), "backfill", *FILES, *log.files])
    done = faults.harm(server, load, Random(seed), LOG.lines, HARMS)
    said = load.end()
    assert len(done) > HARMS / 2, done
    assert "trying again" in said
    assert_true(server.dsn, log.rows)


@pytest.mark.parametrize("seed", ROUNDS)
def test_run_while_the_database_is_harmed(server: Server, seed: int, tmp_path: Path) -> None:
    """The same with the service that catches up with two machines' journals."""
    log = written(tmp_path / "export", LOG._replace(seed=60 + seed), "export", split=True)
    folder = journals(tmp_path / "journal", log.files)
    program = configured(tmp_path, server.dsn, journal={"directory": str(folder)}, **SMALL)
    load = Load([*program, "run", "--once"])
    done = faults.harm(server, load, Random(seed), LOG.lines, HARMS)
    load.end()
    assert len(done) > HARMS / 2, done
    assert_true(server.dsn, log.rows)


def test_two_hosts_write_at_once(dsn: str, tmp_path: Path) -> None:
    """Services of two hosts, each with its own journal, fill one database side by side."""
    log = written(tmp_path / "export", LOG, "export", split=True)
    loads = [
        Load([*program, "run", "--once"]) for program in _hosts(dsn, tmp_path, log.files, **SMALL)
    ]
    for load in loads:
        load.end()
    assert_true(dsn, log.rows)


def test_a_host_restarts_beside_another(dsn: str, tmp_path: Path) -> None:
    """A service that starts again reads its own machine's journal, not that of another's service."""
    log = written(tmp_path / "export", LOG, "export", split=True)
    programs = _hosts(dsn, tmp_path, log.files)
    first = Load([*programs[0], "run"])
    try:
        _wait_for_reader(dsn)
        for _ in range(3):
            run(*programs[1], "run", "--once")
    finally:
        first.process.terminate()
    first.end()
    run(*programs[0], "run", "--once")
    assert_true(dsn, log.rows)


def test_a_machine_comes_back(dsn: str, tmp_path: Path) -> None:
    """A machine that was read before, and whose entries come in later, goes on where it is stored."""
    log = written(tmp_path / "export", Log(lines=10_000, hosts=2, seed=32), "export", split=True)
    ours, other = log.files
    entries = Path(other).read_text("utf-8").strip().split("\n\n")
    middle = len(entries) // 2
    parts = []
    for number, part in enumerate((entries[:middle], entries[middle:])):
        parts.append(str(tmp_path / f"part{number}.export"))
        Path(parts[-1]).write_text("\n\n".join(part) + "\n\n", encoding="utf-8")
    folder = journals(tmp_path / "journal", [ours, parts[0]])
    program = configured(tmp_path, dsn, journal={"directory": str(folder)})
    run(*program, "run", "--once")
    (folder / "part0.journal").unlink()
    service = Load([*program, "run"])
    try:
        _wait_for_reader(dsn)
        (late,) = journals(tmp_path / "late", [parts[1]]).iterdir()
        late.rename(folder / "part1.journal")
        _wait_for_lines(
            dsn, sum(Path(file).read_text("utf-8").count(IDENTIFIER) for file in log.files)
        )
    finally:
        service.process.terminate()
    service.end()
    assert_true(dsn, log.rows)


def test_two_services_on_one_journal(dsn: str, tmp_path: Path) -> None:
    """The second says in one sentence who reads the journal, and exits with 1."""
    log = written(tmp_path / "export", Log(lines=1000, hosts=1, seed=4), "export", split=True)
    folder = journals(tmp_path / "journal", log.files)
    program = configured(tmp_path, dsn, journal={"directory": str(folder)})
    run(*program, "run", "--once")
    first = Load([*program, "run"])
    try:
        _wait_for_reader(dsn)
        second = subprocess.run(
            [*program, "run"], check=False, capture_output=True, text=True, timeout=60
        )
    finally:
        first.process.terminate()
    first.end()
    assert second.returncode == 1
    (sentence,) = [line for line in second.stderr.splitlines() if "INFO" not in line]
    assert "is being read by another journal-postfix (PostgreSQL session" in sentence
    assert_true(dsn, log.rows)


def _hosts(dsn: str, tmp_path: Path, files: list[str], **keys: int) -> list[list[str]]:
    """Give the program of each host, with its own journal."""
    programs = []
    for number, file in enumerate(files):
        (home := tmp_path / f"host{number}").mkdir()
        folder = journals(home / "journal", [file])
        programs.append(configured(home, dsn, journal={"directory": str(folder)}, **keys))
    return programs


def _wait_for_lines(dsn: str, lines: int) -> None:
    """Wait until so many lines of Postfix are stored."""
    _wait_until(dsn, f"SELECT sum(lines) = {lines} FROM source")


def _wait_for_reader(dsn: str) -> None:
    """Wait until a service holds its journal."""
    _wait_until(dsn, "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND granted")


def _wait_until(dsn: str, query: str) -> None:
    """Wait until the answer to a query is true."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for _ in range(500):
            cursor.execute(query)
            if cursor.fetchone() == (True,):
                return
            time.sleep(0.1)
    raise AssertionError(f"in vain: {query}")


@pytest.mark.parametrize(
    ("fault", "isolation", "sqlstate"),
    [
        (faults.deadlock, "read committed", "40P01"),
        (faults.conflict, "repeatable read", "40001"),
        (faults.conflict, "serializable", "40001"),
    ],
)
def test_transactions_that_must_be_tried_again(
    fault: Fault, isolation: str, sqlstate: str, server: Server, tmp_path: Path
) -> None:
    """Deadlocks and failed serializations happen, are told by their SQLSTATE, and cost nothing."""
    server.execute(
        f"ALTER DATABASE {faults.DATABASE} SET default_transaction_isolation TO '{isolation}'",
        f"ALTER DATABASE {faults.DATABASE} SET deadlock_timeout TO '50ms'",
    )
    log = written(tmp_path / "split", LOG._replace(lines=20_000), "iso", split=False)
    load = Load([*configured(tmp_path, server.dsn, **SMALL), "backfill", *log.files])
    for _ in range(100):
        if load.is_over() or any(sqlstate in line for line in load.said):
            break
        fault(server, Random(1))
    said = load.end()
    assert f"the database failed ({sqlstate}); trying again" in said
    assert_true(server.dsn, log.rows)


# --- disk full ------------------------------------------------------------------------------


@pytest.fixture(name="small_disk")
def _small_disk(server: Server) -> Iterator[Path]:
    """A disk of 64 MB that the server's user owns."""
    folder = server.data_dir.parent / "small"
    folder.mkdir()
    (pgdata,) = server.data_dir.glob("pg*")
    owner = pgdata.stat()
    options = f"size=64m,uid={owner.st_uid},gid={owner.st_gid},mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.live
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_disk_full(server: Server, small_disk: Path, tmp_path: Path) -> None:
    """A load waits while PostgreSQL's disk is full; with room again it ends with the true rows."""
    log = written(tmp_path / "split", LOG, "iso", split=False)
    server.execute(
        f"DROP DATABASE {faults.DATABASE}",
        f"CREATE TABLESPACE small LOCATION '{small_disk}'",
        f"CREATE DATABASE {faults.DATABASE} TABLESPACE small",
    )
    server.set_up()
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - 6_000_000))
    load = Load(
        [*configured(tmp_path, server.dsn, min_free_disk=0, **SMALL), "backfill", *log.files]
    )
    for _ in range(3000):
        if load.is_over() or any("53100" in line for line in load.said):
            break
        time.sleep(0.02)
    stuck = server.ask("SELECT coalesce(sum(lines), 0) FROM source")
    assert not load.is_over(), load.said
    assert 0 < stuck < LOG.lines
    ballast.unlink()
    said = load.end()
    assert "trying again" in said
    assert_true(server.dsn, log.rows)
    server.execute(f"DROP DATABASE {faults.DATABASE}", "DROP TABLESPACE small")
