"""SIGKILL or SIGTERM in the middle of a load, again and again: still exactly the true rows.

Most kills wait until the load has stored a random part of what is left since it was started
again, and then for a random moment more, so that they hit the work, from its beginning to its
end; some come at once. The seed is printed.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from faults import FAULTS
from generate import Log
from test_known_truth import FILES, assert_true, configured, journals, run, written

KILLS = 30
LOG = Log(lines=60_000, hosts=3, seed=21, shuffle=1.0)
# Small batches: a kill shall find many commits before and after it.
SMALL = {"max_messages_per_commit": 300}
PATIENCE = 30.0


@pytest.fixture(name="rng", params=range(1, -(-FAULTS // KILLS) + 1))
def _rng(request: pytest.FixtureRequest) -> random.Random:
    print("seed of the kills:", request.param)  # noqa: T201 - pytest shows it when a test fails
    return random.Random(request.param)


def _stored(dsn: str) -> Iterator[int]:
    """Give the number of mails stored, again and again."""
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT count(*) FROM delivery_from")
            yield cursor.fetchone()[0]


def _kill(
    load: list[str], stored: Iterator[int], enough: int, pause: float, how: signal.Signals
) -> None:
    """Start a load and kill it a moment after so many mails are stored."""
    with subprocess.Popen(load, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + PATIENCE
        while next(stored) < enough and process.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        time.sleep(pause)
        process.send_signal(how)
    ends = {0, -how}  # it had ended before, or not yet begun to listen
    if how == signal.SIGTERM:
        ends.add(1)  # a backfill says that it was stopped
    assert process.returncode in ends


def _kill_often(load: list[str], dsn: str, mails: int, rng: random.Random) -> int:
    """Kill a load KILLS times; give how often it had stored something, but not all, by then."""
    stored = _stored(dsn)
    halfway = before = 0
    for left in range(KILLS, 0, -1):
        how = rng.choice((signal.SIGKILL, signal.SIGTERM))
        if rng.random() < 0.15:
            _kill(load, stored, 0, rng.uniform(0, 0.6), how)
        else:
            part = rng.uniform(0, 2) * (mails - before) / (left + 2)
            _kill(load, stored, before + 1 + int(part), rng.uniform(0, 0.03), how)
        now = next(stored)
        halfway += before < now < mails
        before = now
    return halfway


def test_backfill_killed_often(dsn: str, tmp_path: Path, rng: random.Random) -> None:
    """A backfill of three files killed at 30 random moments ends with exactly the true rows."""
    log = written(tmp_path / "split", LOG, "traditional", split=True)
    load = [*configured(tmp_path, dsn, **SMALL), "backfill", *FILES, *log.files]
    halfway = _kill_often(load, dsn, len(log.rows["delivery_from"]), rng)
    assert halfway > KILLS / 2
    run(*load)
    assert_true(dsn, log.rows)


def test_run_killed_often(dsn: str, tmp_path: Path, rng: random.Random) -> None:
    """A service killed at 30 random moments while it catches up has exactly the true rows."""
    log = written(tmp_path / "export", LOG, "export", split=True)
    folder = journals(tmp_path / "journal", log.files)
    program = configured(tmp_path, dsn, journal={"directory": str(folder)}, **SMALL)
    halfway = _kill_often([*program, "run"], dsn, len(log.rows["delivery_from"]), rng)
    assert halfway > KILLS / 2
    run(*program, "run", "--once")
    assert_true(dsn, log.rows)
