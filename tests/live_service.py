"""The service as a process: ``journal-postfix run`` on a journal, until it has read all of it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import psycopg2
import psycopg2.extras

from live.waiting import wait_until

Row = dict[str, Any]


def _configuration(folder: Path, dsn: str, journal: Path, uids: Sequence[int | str]) -> Path:
    settings = {
        "dsn": dsn,
        "journal": {"directory": str(journal), "trusted_uids": list(uids)},
        "max_delay_before_commit": 0.2,
        "verp_marker": "issue",
    }
    path = folder / "main.yml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


def _last_moment(journal: Path) -> datetime:
    """The time of the last entry of a mail program."""
    command = ["journalctl", "--directory", str(journal), "--lines", "1", "--output", "json"]
    done = subprocess.run([*command, "SYSLOG_FACILITY=2"], check=True, capture_output=True)
    microseconds = int(json.loads(done.stdout)["__REALTIME_TIMESTAMP"])
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)


def rows(dsn: str, table: str) -> list[Row]:
    """All rows of a table."""
    with (
        closing(psycopg2.connect(dsn, cursor_factory=psycopg2.extras.RealDictCursor)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"SELECT * FROM {table}")
        return [dict(row) for row in cursor.fetchall()]


class Service:
    """``journal-postfix run`` on a journal, while the context lasts."""

    def __init__(
        self, journal: Path, dsn: str, folder: Path, uids: Sequence[int | str] = ("root", "postfix")
    ) -> None:
        self.journal = journal
        self.dsn = dsn
        self.log = folder / "run.log"
        self.configuration = _configuration(folder, dsn, journal, uids)

    def __enter__(self) -> Self:
        wait_until(lambda: any(self.journal.rglob("*.journal")), "the journal begins")
        self._start()
        return self

    def _start(self) -> None:
        command = [sys.executable, "-m", "journal_postfix", "--config", str(self.configuration)]
        with self.log.open("a") as file:
            self.process = subprocess.Popen([*command, "run"], stdout=file, stderr=file)

    def be_killed(self) -> None:
        """Be killed when some rows are stored, and start again."""
        wait_until(lambda: len(rows(self.dsn, "delivery_from")) > 20, "some rows")
        self.process.kill()
        self.process.wait()
        self._start()

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)

    def wait(self) -> None:
        """Wait until all mail programs' entries are stored."""
        end = _last_moment(self.journal)
        wait_until(lambda: self.process.poll() is not None or self._has_reached(end), "the end")
        assert self.process.poll() is None, f"run ended before its time: {self.log.read_text()}"

    def _has_reached(self, end: datetime) -> bool:
        return any(source["t"] and source["t"] >= end for source in rows(self.dsn, "source"))

    def check(self) -> None:
        """It ended in peace when told to, complained of nothing, and named nobody."""
        said = self.log.read_text()
        assert self.process.returncode == 0, said
        assert not re.search(r"WARNING|ERROR|Traceback|@", said), said
