"""The database goes away: while loading, while following, before the start. Nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import yaml
from psycopg2.extensions import make_dsn

from generate import Log
from journal_postfix import embedded
from journal_postfix.database import CREDENTIAL, PLAIN_SETTINGS, connect
from journal_postfix.messages import InputError
from test_known_truth import KEEP, assert_true, configured, written

LOG = Log(lines=40_000, hosts=2, seed=9, shuffle=1.0)


def kill_server(data_dir: Path) -> None:
    """End a private server as a crash of the machine would."""
    (pid_file,) = data_dir.glob("pg*/postmaster.pid")
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)


def lines_stored(dsn: str) -> int:
    """How far a load has come; 0 while the server is away."""
    try:
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(sum(lines), 0) FROM source")
            return int(cursor.fetchone()[0])
    except psycopg2.Error:
        return 0


def test_server_killed_while_loading(data_dir: Path, tmp_path: Path) -> None:
    """A private server killed again and again during a load: exactly the true rows."""
    log = written(tmp_path / "log", LOG, "iso", split=False)
    config = {"data_dir": str(data_dir), "retention": {"delivery": KEEP, "noqueue": KEEP}}
    config["max_messages_per_commit"] = 1000
    (tmp_path / "main.yml").write_text(yaml.safe_dump(config))
    command = [*configured(tmp_path, "unused")[:-1], str(tmp_path / "main.yml")]
    (tmp_path / "main.yml").write_text(yaml.safe_dump(config))
    private = embedded.embedded_dsn(data_dir, create=True)
    load = subprocess.Popen([*command, "backfill", *log.files], stderr=subprocess.PIPE, text=True)
    kills, stored = 0, 0
    while load.poll() is None and kills < 5:
        time.sleep(0.05)
        if (now := lines_stored(private)) > stored:
            stored = now
            kill_server(data_dir)
            kills += 1
    _, said = load.communicate(timeout=120)
    assert load.returncode == 0, said
    assert kills == 5
    assert_true(private, log.rows)


def test_run_waits_for_a_database_that_is_not_up_yet(
    data_dir: Path, tmp_path: Path, dsn: str
) -> None:
    """At its start `run` waits for the database instead of giving up."""
    log = written(tmp_path / "log", Log(lines=500, hosts=1, seed=4), "iso", split=False)
    socket_dir = tmp_path / "later"
    late = make_dsn(dsn, host=str(socket_dir))
    command = [*configured(tmp_path, late), "run", "--once", "--file", log.files[0]]
    waiting = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.communicate(timeout=2)
    socket_dir.symlink_to(psycopg2.extensions.parse_dsn(dsn)["host"])
    _, said = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, said
    assert "trying again" in said
    assert_true(dsn, log.rows)


def with_password(data_dir: Path) -> str:
    """The DSN of a server that asks the user `reader` for the password `right`."""
    dsn = embedded.embedded_dsn(data_dir, create=True)
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE ROLE reader LOGIN PASSWORD 'right'")
            cursor.execute("SHOW hba_file")
            (hba,) = cursor.fetchone()
            Path(hba).write_text("local all reader scram-sha-256\n" + Path(hba).read_text())
            cursor.execute("SELECT pg_reload_conf()")
    return dsn


def test_wrong_password_ends_at_once(data_dir: Path, tmp_path: Path) -> None:
    """A login that is refused is told in one sentence, and not tried again."""
    dsn = with_password(data_dir)
    wrong = make_dsn(dsn, user="reader", password="wrong")
    for command in (["run", "--once"], ["status"]):
        said = subprocess.run(
            [*configured(tmp_path, wrong), *command],
            check=False, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert said.returncode == 1
        assert "wrong user or password" in said.stderr
        assert "Traceback" not in said.stderr
        assert "'wrong'" not in said.stderr


def test_password_from_a_credential(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What systemd hands over is the password, where the DSN has none."""
    dsn = make_dsn(with_password(data_dir), user="reader")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(InputError, match="wrong user or password"):
        connect(dsn, PLAIN_SETTINGS)
    (tmp_path / CREDENTIAL).write_text("right\n")
    connect(dsn, PLAIN_SETTINGS).close()
    with pytest.raises(InputError, match="wrong user or password"):
        connect(make_dsn(dsn, password="wrong"), PLAIN_SETTINGS)
