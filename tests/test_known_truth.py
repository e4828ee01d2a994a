"""A large log with known truth, through files and through a journal: exactly the true rows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import pytest
import yaml

import generate
import truth
from generate import Log
from traffic.ledger import Row

LOG = Log(lines=150_000, hosts=3, seed=20, shuffle=1.0)
FILES = ("--year", str(generate.YEAR), "--timezone", "UTC")
KEEP = {"pseudonymise": 0, "delete": 0}
REMOTE = shutil.which("systemd-journal-remote", path="/usr/lib/systemd:/lib/systemd") or ""


class Written(NamedTuple):
    """A log on disk and its truth."""

    files: list[str]
    rows: dict[str, list[Row]]


def written(folder: Path, log: Log, form: str, *, split: bool) -> Written:
    """Write a log into a new folder."""
    folder.mkdir()
    world = generate.write(log, form, folder, split=split)
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


def configured(folder: Path, dsn: str, **keys: Any) -> list[str]:
    """Write a configuration that keeps everything; give the command that uses it."""
    config = {"dsn": dsn, "retention": {"delivery": KEEP, "noqueue": KEEP}, **keys}
    (folder / "main.yml").write_text(yaml.safe_dump(config))
    return [sys.executable, "-m", "journal_postfix", "--config", str(folder / "main.yml")]


def run(*command: str) -> None:
    """Run a command of ours to its end; show what it says if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def assert_true(dsn: str, rows: dict[str, list[Row]]) -> None:
    """Hold a database against the truth; every line must have been recognised, too."""
    assert truth.count(dsn) == {table: len(rows[table]) for table in rows}
    differences = truth.differences(truth.load(dsn), rows)
    assert not differences, "\n".join(differences)
    assert unrecognised(dsn) == []


def unrecognised(dsn: str) -> list[Any]:
    """Give what the program did not recognise."""
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT daemon, shape FROM unrecognised")
        found = cursor.fetchall()
    connection.close()
    return found


@pytest.fixture(scope="module", name="split_files")
def _split_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    folder = tmp_path_factory.mktemp("truth")
    yield written(folder / "split", LOG, "traditional", split=True)
    shutil.rmtree(folder)


def test_files_of_each_host(split_files: Written, dsn: str, tmp_path: Path) -> None:
    """Three hosts' shuffled syslog files give exactly the true rows, and given again no others."""
    load = [*configured(tmp_path, dsn), "backfill", *FILES, *split_files.files]
    run(*load)
    assert_true(dsn, split_files.rows)
    before = truth.load(dsn)
    run(*load)
    assert truth.load(dsn) == before


def test_one_file_of_all_hosts(dsn: str, tmp_path: Path) -> None:
    """One shuffled ISO file in which three hosts write gives exactly the true rows."""
    log = written(tmp_path / "mixed", LOG, "iso", split=False)
    load = [*configured(tmp_path, dsn), "backfill", *log.files]
    run(*load)
    assert_true(dsn, log.rows)
    before = truth.load(dsn)
    run(*load)
    assert truth.load(dsn) == before


def test_journals_of_each_host(dsn: str, tmp_path: Path) -> None:
    """The same log as three machines' journals gives exactly the true rows, and again no others."""
    log = written(tmp_path / "export", LOG, "export", split=True)
    folder = journals(tmp_path / "journal", log.files)
    load = [*configured(tmp_path, dsn, journal={"directory": str(folder)}), "run", "--once"]
    run(*load)
    assert_true(dsn, log.rows)
    before = truth.load(dsn)
    run(*load)
    assert truth.load(dsn) == before
