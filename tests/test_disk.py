"""The mail server comes first: no writing where the disk gets full, and days that go early."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

import faults
from faults import Server
from generate import Log
from journal_postfix import disk, retention
from journal_postfix.config import Config
from journal_postfix.database import PLAIN_SETTINGS, connect
from journal_postfix.partitions import DELIVERY_TABLES, ensure, known
from journal_postfix.queries import status
from live.waiting import wait_until
from test_known_truth import assert_true, configured, written
from test_metrics import free_port, scraped

LOG = Log(lines=40_000, hosts=2, seed=31, shuffle=1.0)
MB = 1_000_000
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


@contextmanager
def small_disk(folder: Path, options: str = "") -> Iterator[Path]:
    """A disk of 64 MB."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size=64m{options}", "tmpfs", str(folder)]
    subprocess.run(command, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def leave_free(folder: Path, octets: int) -> Path:
    """Fill a disk until only so much is free."""
    ballast = folder / "ballast"
    ballast.unlink(missing_ok=True)
    ballast.write_bytes(bytes(shutil.disk_usage(folder).free - octets))
    return ballast


@pytest.mark.live
@root_only
def test_the_guard(tmp_path: Path) -> None:
    """It tells when too little is free, does not look all the time, and wants a little more to go on."""
    asked = []
    with small_disk(tmp_path / "small") as folder:

        def ask() -> list[str]:
            asked.append(1)
            return ["/", str(folder / "not" / "yet")]

        guard = disk.Guard(20 * MB, ask)
        assert guard.lack() is None
        leave_free(folder, 19 * MB)
        assert guard.lack() is None  # it has just looked
        time.sleep(disk.EVERY)
        lack = guard.lack()
        assert lack is not None
        assert 18 * MB < lack.free < 20 * MB
        leave_free(folder, int(20.2 * MB))
        time.sleep(disk.EVERY)
        assert guard.lack() is not None
        leave_free(folder, 22 * MB)
        time.sleep(disk.EVERY)
        assert guard.lack() is None
        assert asked == [1]


def test_no_limit_asks_nobody() -> None:
    """Without min_free_disk neither disk nor database is asked."""
    assert disk.Guard(0, lambda: pytest.fail("asked")).lack() is None


def test_folders_of_a_server_here(dsn: str) -> None:
    """A server on this machine tells where it is; the private one is where the configuration says."""
    found = disk.places(Config(dsn=dsn))
    assert any(Path(folder, "PG_VERSION").exists() for folder in found)
    assert disk.places(Config(data_dir="/srv/mail")) == ["/srv/mail"]
    with closing(connect(dsn, PLAIN_SETTINGS)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SHOW data_directory")
            assert (found[0],) == cursor.fetchone()
        (row,) = disk.shown(Config(dsn=dsn, min_free_disk=5, max_size=7), connection)
    assert (row["min_free_disk"], row["max_size"]) == (5, 7)
    assert row["free"] > 0 < row["size"]


def stored(dsn: str) -> int:
    """How many lines are stored."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(lines), 0)::int FROM source")
        return int(cursor.fetchone()[0])


def is_read(dsn: str, path: Path) -> bool:
    """Whether a file is read to its end."""
    return ask(dsn, "SELECT position FROM source") == [(str(path.stat().st_size),)]


def memory(pid: int) -> int:
    """The memory of a process, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(name="server")
def _server() -> Iterator[Server]:
    with faults.open_server() as server:
        yield server


@pytest.mark.live
@root_only
def test_run_stops_writing_before_the_disk_is_full(server: Server, tmp_path: Path) -> None:
    """It stops above min_free_disk, says so once and in its figures, and goes on when there is room."""
    log = written(tmp_path / "split", LOG, "iso", split=False)
    (pgdata,) = server.data_dir.glob("pg*")
    owner = pgdata.stat()
    port = free_port()
    with small_disk(
        server.data_dir.parent / "small", f",uid={owner.st_uid},gid={owner.st_gid},mode=700"
    ) as folder:
        server.execute(
            f"DROP DATABASE {faults.DATABASE}",
            f"CREATE TABLESPACE small LOCATION '{folder}'",
            f"CREATE DATABASE {faults.DATABASE} TABLESPACE small",
        )
        server.set_up()
        wanted = 20 * MB
        ballast = leave_free(folder, wanted + 3 * MB)
        text = Path(log.files[0]).read_text().splitlines(keepends=True)
        growing = tmp_path / "growing.log"
        growing.write_text("".join(text[:30_000]))
        keys = {
            "max_messages_per_commit": 300, "min_free_disk": wanted, "metrics": {"address": port},
            "clean_interval": 86400, "queue": {"close_after": 0, "check_interval": 0},
        }  # fmt: skip
        command = [*configured(tmp_path, server.dsn, **keys), "run", "--file", str(growing)]
        with (tmp_path / "said").open("w") as said:
            process = subprocess.Popen(command, stderr=said)
        try:
            stands = "nothing is written until"
            wait_until(lambda: stands in (tmp_path / "said").read_text(), "it stops")
            stuck, taken = stored(server.dsn), memory(process.pid)
            assert 0 < stuck < 30_000
            assert shutil.disk_usage(folder).free > wanted - 4 * MB
            with growing.open("a") as file:
                file.write("".join(text[30_000:]))
            told = scraped(port)
            assert (told["disk_full",], told["database_up",]) == (1, 1)
            assert told["database_errors_total", "disk"] > 0
            time.sleep(3)
            assert stored(server.dsn) == stuck
            assert memory(process.pid) < taken + 10 * MB
            config = Config(dsn=server.dsn, min_free_disk=wanted)
            with closing(connect(server.dsn, PLAIN_SETTINGS)) as connection:
                problems = status(connection, config, datetime.now(UTC))["problems"]
            assert any("min_free_disk" in row["problem"] for row in problems)
            ballast.unlink()
            wait_until(lambda: is_read(server.dsn, growing), "it catches up")
            assert scraped(port)["disk_full",] == 0
        finally:
            process.terminate()
            process.wait(30)
        words = (tmp_path / "said").read_text()
        assert words.count("nothing is written until") == 1
        assert "there is room on the disk again" in words
        assert "53100" not in words
        assert_true(server.dsn, log.rows)
        server.execute(f"DROP DATABASE {faults.DATABASE}", "DROP TABLESPACE small")


# --- max_size --------------------------------------------------------------------------------


def filled(dsn: str, days: int) -> None:
    """So many days, each of them some MB of mails and of refusals."""
    with closing(connect(dsn, PLAIN_SETTINGS)) as connection, connection.cursor() as cursor:
        for back in range(days):
            day = (NOW - timedelta(days=back)).date()
            ensure(cursor, known(cursor), {"delivery": {day}, "noqueue": {day}}, {})
            cursor.execute(
                "INSERT INTO delivery_from (day, id, mta, queue_id, t_i, t_f, origin, is_submission, reason)"
                " SELECT %(day)s, %(back)s * 100000 + n, 'mx1', n::text, %(day)s, %(day)s, 'smtp', false,"
                " repeat('x', 1000) FROM generate_series(1, 2000) n",
                {"day": day, "back": back},
            )
            cursor.execute(
                "INSERT INTO noqueue (day, id, mta, daemon, t, action)"
                " SELECT %(day)s, %(back)s * 100000 + 50000 + n, 'mx1', 'smtpd', %(day)s, 'reject'"
                " FROM generate_series(1, 2000) n",
                {"day": day, "back": back},
            )
        connection.commit()


def ask(dsn: str, query: str) -> list[tuple[object, ...]]:
    """The rows of a query."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def taken_by(dsn: str) -> int:
    """The size of the database."""
    return int(ask(dsn, "SELECT pg_database_size(current_database())")[0][0])


def test_the_oldest_days_go_early(dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    """Above max_size whole days go, the oldest first, in all tables; that is said and recorded."""
    filled(dsn, 6)
    before = taken_by(dsn)
    config = Config(
        dsn=dsn, max_size=before - 4 * MB, retention_delivery_delete=0, retention_noqueue_delete=30
    )
    cleaned = retention.clean(dsn, config, NOW)
    assert taken_by(dsn) <= config.max_size
    first = ask(dsn, "SELECT min(day) FROM delivery_from")[0][0]
    assert NOW.date() - timedelta(days=5) < first < NOW.date()
    assert {row["day"] for row in cleaned} == {
        NOW.date() - timedelta(days=back) for back in range((NOW.date() - first).days + 1, 6)
    }
    tables = ", ".join(f"'{table}'" for table in DELIVERY_TABLES)
    ranges = ask(
        dsn, f"SELECT count(*) FROM pg_inherits WHERE inhparent::regclass::text IN ({tables})"
    )
    assert ranges == [(3 * ((NOW.date() - first).days + 1),)]
    told = dict(ask(dsn, "SELECT table_name, day FROM retention_log WHERE step = 'quota'"))
    assert told["delivery"] == first
    said = [record.message for record in caplog.records]
    assert any(
        "max_size is" in one and f"delivery before {first} is deleted early" in one for one in said
    )
    again = retention.clean(dsn, config, NOW)
    assert again == []


def test_below_max_size_nothing_goes(dsn: str) -> None:
    """Below it retention alone decides."""
    filled(dsn, 2)
    assert retention.clean(dsn, Config(dsn=dsn, max_size=taken_by(dsn) + 50 * MB), NOW) == []
    assert ask(dsn, "SELECT count(*) FROM retention_log WHERE step <> 'clean'") == [(0,)]


def test_today_stays(dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    """The present day is kept whatever max_size says, and that is said."""
    filled(dsn, 2)
    retention.clean(dsn, Config(dsn=dsn, max_size=1), NOW)
    assert ask(dsn, "SELECT min(day), count(*) FROM delivery_from") == [(NOW.date(), 2000)]
    assert "no earlier day left" in caplog.text


def test_status_tells_the_limits(dsn: str, tmp_path: Path) -> None:
    """`status` shows what is free and taken beside the limits, in bytes."""
    command = configured(tmp_path, dsn, max_size=10**12, min_free_disk=10**6)
    done = subprocess.run([*command, "status"], check=True, capture_output=True, text=True)
    (line,) = [one for one in done.stdout.splitlines() if "1000000000000" in one]
    assert " 1000000 " in line
