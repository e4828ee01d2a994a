"""A large log with known truth, through files and through a journal: exactly the true rows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import pytest
import yaml

import generate
import truth
from generate import Log
from traffic.ledger import Row
from traffic.world import Line, World

LOG = Log(lines=150_000, hosts=3, seed=20, shuffle=1.0)
FILES = ("--year", str(generate.YEAR), "--timezone", "UTC")
KEEP = {"pseudonymise": 0, "delete": 0}
REMOTE = shutil.which("systemd-journal-remote", path="/usr/lib/systemd:/lib/systemd") or ""


Played = tuple[World, list[Line]]


class Written(NamedTuple):
    """A log on disk and its truth."""

    files: list[str]
    rows: dict[str, list[Row]]


def written(folder: Path, log: Log, form: str, *, split: bool) -> Written:
    """Write a log into a new folder."""
    world = generate.simulate(log)
    return _written(folder, world, list(world.run()), form, split=split)


def _written(folder: Path, world: World, lines: list[Line], form: str, *, split: bool) -> Written:
    folder.mkdir()
    generate.write_lines(world, lines, form, folder, split=split)
    files = sorted(str(path) for path in folder.iterdir())
    return Written(files, generate.true_rows(world, form))


def journals(folder: Path, exports: list[str]) -> Path:
    """Make one journal file per export file; give their folder."""
    folder.mkdir()
    for export in exports:
        journal = folder / f"{Path(export).stem}.journal"
        command = [REMOTE, f"--output={journal}", export]
        subprocess.run(command, check=True, capture_output=True)
    return folder


def configured(folder: Path, dsn: str | None, **keys: Any) -> list[str]:
    """Write a configuration that leaves old mails alone; give the command that uses it."""
    leave = {"retention": {"delivery": KEEP, "noqueue": KEEP}, "queue": {"close_after": 0}}
    config = {**({} if dsn is None else {"dsn": dsn}), **leave, **keys}
    (folder / "main.yml").write_text(yaml.safe_dump(config))
    return [sys.executable, "-m", "journal_postfix", "--config", str(folder / "main.yml")]


def run(*command: str) -> None:
    """Run a command of ours to its end; show what it says if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def assert_true(dsn: str, rows: dict[str, list[Row]]) -> truth.Tables:
    """Hold a database against the truth, every line recognised; give what it holds."""
    assert truth.count(dsn) == {table: len(rows[table]) for table in rows}
    found = truth.load(dsn)
    differences = truth.differences(found, rows)
    assert not differences, "\n".join(differences)
    assert unrecognised(dsn) == []
    return found


def unrecognised(dsn: str) -> list[Any]:
    """Give what the program did not recognise."""
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT daemon, shape FROM unrecognised")
        found = cursor.fetchall()
    connection.close()
    return found


@pytest.fixture(scope="module", name="played")
def _played() -> Played:
    world = generate.simulate(LOG)
    return world, list(world.run())


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_files_of_each_host(played: Played, dsn: str, tmp_path: Path, jobs: str) -> None:
    """Three hosts' shuffled syslog files give exactly the true rows, and given again no others."""
    log = _written(tmp_path / "split", *played, "traditional", split=True)
    load = [*configured(tmp_path, dsn), "backfill", "--jobs", jobs, *FILES, *log.files]
    run(*load)
    found = assert_true(dsn, log.rows)
    run(*load)
    assert truth.load(dsn) == found


def test_one_file_of_all_hosts(played: Played, dsn: str, tmp_path: Path) -> None:
    """One shuffled ISO file in which three hosts write gives exactly the true rows."""
    log = _written(tmp_path / "mixed", *played, "iso", split=False)
    load = [*configured(tmp_path, dsn), "backfill", *log.files]
    run(*load)
    found = assert_true(dsn, log.rows)
    run(*load)
    assert truth.load(dsn) == found


def test_journals_of_each_host(played: Played, dsn: str, tmp_path: Path) -> None:
    """The same log as three machines' journals gives exactly the true rows, and again no others."""
    log = _written(tmp_path / "export", *played, "export", split=True)
    folder = journals(tmp_path / "journal", log.files)
    load = [*configured(tmp_path, dsn, journal={"directory": str(folder)}), "run", "--once"]
    run(*load)
    found = assert_true(dsn, log.rows)
    run(*load)
    assert truth.load(dsn) == found


def test_each_machine_counts_its_own_lines(dsn: str, tmp_path: Path) -> None:
    """Of several machines in one folder each has its position, its host and its lines."""
    log = written(tmp_path / "export", Log(lines=3_000, seed=5), "export", split=True)
    folder = journals(tmp_path / "journal", log.files)
    run(*configured(tmp_path, dsn, journal={"directory": str(folder)}), "run", "--once")
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT mta, lines FROM source ORDER BY mta")
        sources = dict(cursor.fetchall())
        cursor.execute(
            "SELECT DISTINCT o.mta = s.mta FROM open_mail o JOIN source s ON s.id = o.source_id"
        )
        assert cursor.fetchall() == [(True,)]
    told = {
        Path(file).stem: Path(file).read_text().count("SYSLOG_IDENTIFIER=postfix")
        for file in log.files
    }
    assert sources == told
