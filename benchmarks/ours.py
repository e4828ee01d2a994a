"""journal-postfix's turns: its commands, of this checkout or of another, and the drivers here.

A command is started as a user starts it and measured until it ends. Its database is fresh, has the
tables, and keeps everything; nobody else uses the server.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logs import YEAR, Log
from server import Server, rows
from turns import Ran, Took, run

DRIVERS = Path(__file__).resolve().parent
STAMPS = ("--year", YEAR, "--timezone", "UTC")
CONFIG = """\
retention:
  delivery: {delete: 0}
  noqueue: {delete: 0}
"""
READ = "SELECT coalesce(sum(lines), 0), coalesce(sum(unrecognised), 0) FROM source"


@dataclass(frozen=True)
class Tree:
    """A checkout: its folder, the database that is the template of its turns, a configuration."""

    folder: Path
    template: str
    config: Path

    def command(self, *arguments: str | Path) -> list[str | Path]:
        """The words that run a command of it."""
        return [sys.executable, "-m", "journal_postfix", "--config", self.config, *arguments]

    def environment(self) -> dict[str, str]:
        """An environment in which Python finds this checkout, and no configuration of a user."""
        kept = {name: value for name, value in os.environ.items() if "JOURNAL_POSTFIX" not in name}
        return {**kept, "PYTHONPATH": str(self.folder)}


def tree(folder: Path, number: int, server: Server, scratch: Path) -> Tree:
    """Prepare a checkout: its template has the tables."""
    config = scratch / f"config{number}.yml"
    config.write_text(CONFIG, "utf-8")
    made = Tree(folder.resolve(), f"bench_template{number}", config)
    dsn = server.fresh(made.template)
    _run(made, "--dsn", dsn, "setup")
    return made


def _run(one: Tree, *arguments: str | Path) -> Ran:
    return run(one.command(*arguments), env=one.environment(), cwd=one.folder)


def driver(one: Tree, name: str, *arguments: str | Path) -> tuple[Ran, dict[str, Any]]:
    """Run a driver of this folder on a checkout; also gives what it tells."""
    words = [sys.executable, DRIVERS / name, *arguments]
    ran = run(words, env=one.environment(), cwd=one.folder, keep=True, cycles=True)
    return ran, json.loads(ran.output.splitlines()[-1])


# --- turns ----------------------------------------------------------------------------------


def backfill(server: Server, one: Tree, log: Log, jobs: int = 1) -> Took:
    """Load a log."""
    words = ["backfill", *STAMPS, "--jobs", str(jobs), *log.paths]
    return _stored(server, one, log, words)


def catch_up(server: Server, one: Tree, journal: Log) -> Took:
    """Catch up with a journal."""
    configured = Tree(one.folder, one.template, one.config.with_suffix(".journal.yml"))
    configured.config.write_text(f"{CONFIG}journal:\n  directory: {journal.path}\n", "utf-8")
    return _stored(server, configured, journal, ["run", "--once"])


def _stored(server: Server, one: Tree, log: Log, words: Sequence[str | Path]) -> Took:
    dsn = server.fresh("bench", one.template)
    before = server.cpu()
    ran = _run(one, "--dsn", dsn, *words)
    spent = server.cpu() - before
    check_stored(dsn, log)
    server.drop("bench")
    return Took(ran.seconds, log.lines, ran.cpu, spent, ran.memory)


def check_stored(dsn: str, log: Log) -> None:
    """Raise RuntimeError where not every line of Postfix was read and recognised."""
    lines, unrecognised = rows(dsn, READ)[0]
    if (lines, unrecognised) != (log.postfix, 0):
        raise RuntimeError(f"{lines} of {log.postfix} lines stored, {unrecognised} not recognised")


def sampled(server: Server, one: Tree, log: Log) -> Took:
    """Load a log, and tell which functions take how much of the CPU time."""
    dsn = server.fresh("bench", one.template)
    words = ["--config", one.config, "--dsn", dsn, "backfill", *STAMPS, log.path]
    ran, told = driver(one, "sampled.py", *words)
    check_stored(dsn, log)
    server.drop("bench")
    return Took(ran.seconds, log.lines, ran.cpu, None, ran.memory, details=told["functions"])


def in_calls(server: Server, one: Tree, log: Log, database: str) -> Took:
    """Load a log; the seconds are those inside of database calls. The database stays."""
    dsn = server.fresh(database, one.template)
    before = server.cpu()
    words = ["--config", one.config, "--dsn", dsn, "backfill", *STAMPS, log.path]
    ran, told = driver(one, "timed_calls.py", *words)
    spent = server.cpu() - before
    check_stored(dsn, log)
    return Took(
        told["seconds"], log.lines, None, spent, ran.memory, details=told["statements"]
    )  # fmt: skip


def bare_copy(server: Server, one: Tree, log: Log, filled: str) -> Took:
    """Copy the rows of a filled database into a fresh one, in as many batches."""
    dsn = server.fresh("bench_copy", one.template)
    before = server.cpu()
    ran, told = driver(one, "bare_copy.py", server.dsn(filled), dsn, str(log.lines))
    took = Took(told["seconds"], log.lines, None, server.cpu() - before, ran.memory)
    server.drop("bench_copy")
    return took


def to_nowhere(one: Tree, log: Log, what: str) -> Took:
    """Read and parse a log, or read a journal, and keep nothing."""
    ran, told = driver(one, "nowhere.py", what, log.path, YEAR)
    if told["postfix"] != log.postfix:
        raise RuntimeError(f"{told['postfix']} of {log.postfix} lines read")
    return Took(ran.seconds, log.lines, ran.cpu, None, ran.memory, ran.cycles)


def parse_command(one: Tree, log: Log) -> Took:
    """The command `parse`: every line as JSON."""
    words = one.command("parse", *STAMPS, log.path)
    ran = run(words, env=one.environment(), cwd=one.folder, cycles=True)
    return Took(ran.seconds, log.lines, ran.cpu, None, ran.memory, ran.cycles)


def tables(server: Server, one: Tree, log: Log) -> dict[str, int]:
    """How many rows a log makes, by table."""
    dsn = server.fresh("bench", one.template)
    _run(one, "--dsn", dsn, "backfill", *STAMPS, log.path)
    names = ("delivery_from", "delivery_to", "delivery_attempt", "noqueue")
    found = {name: int(rows(dsn, f"SELECT count(*) FROM {name}")[0][0]) for name in names}
    server.drop("bench")
    return found
