"""Odd input and odd surroundings: pipes, closed streams, settings of a database, words that are no text."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn, parse_dsn

from conftest import execute
from journal_postfix import config
from journal_postfix.config import load
from journal_postfix.database import PLAIN_SETTINGS, connect
from journal_postfix.messages import InputError, UsageError
from journal_postfix.schema import setup
from test_cli import KEEP, LINES, call, refused
from test_store import rows

NAME = "zoë@example.com"
PROGRAM = [sys.executable, "-m", "journal_postfix"]
LINE_NAMES = LINES.replace("ann@example.net", NAME).replace("3C5D120ABF", "3C5D120ABC")


@pytest.fixture(name="file")
def _file(tmp_path: Path, dsn: str) -> str:
    path = tmp_path / "main.yml"
    path.write_text(f"dsn: {json.dumps(dsn)}\n{KEEP}")
    return str(path)


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> str:
    path = tmp_path / "mail.log"
    path.write_text(LINES + LINE_NAMES, "utf-8")
    return str(path)


def in_shell(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script of bash, in which "$@" is the program with these words."""
    command = ["bash", "-c", script, "bash", *PROGRAM, *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


# --- files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("script", ['"$@" <(cat "$LOG")', 'cat "$LOG" | "$@" /dev/stdin'])
def test_a_pipe_is_loaded_from_its_first_line(file: str, log: str, script: str) -> None:
    """Looking whether a file is there takes nothing from a pipe."""
    said = in_shell(f"export LOG={log}; {script}", "--config", file, "backfill", "--year", "2025")
    assert said.returncode == 0, said.stderr
    assert "14 lines of Postfix" in said.stderr


def test_the_second_signal_ends_it(file: str, tmp_path: Path) -> None:
    """Also where the first one cannot be heeded: a pipe that nobody writes into is being opened."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen([*PROGRAM, "--config", file, "backfill", str(pipe)]) as process:
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
        process.kill()
    assert process.returncode == -signal.SIGTERM


def test_a_file_name_that_is_no_text(file: str, dsn: str, tmp_path: Path) -> None:
    """Names of files are bytes: what is no UTF-8 in them is stored in hexadecimal."""
    path = os.fsencode(tmp_path) + b"/\xff.log"
    Path(os.fsdecode(path)).write_text(LINES)
    said = in_shell(f"cd {tmp_path}; \"$@\" $'\\xff.log' --year 2025", "--config", file, "backfill")
    assert said.returncode == 0, said.stderr
    assert rows(dsn, "SELECT name FROM source") == [(f"{tmp_path}/\\xff.log",)]


# --- streams --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["status", "report --since 2025-11-20", "clean", "doctor"])
@pytest.mark.parametrize("where", [">/dev/full", ">&-", "2>&-", "<&-"])
def test_streams_that_are_shut(file: str, log: str, command: str, where: str) -> None:
    """A full disk is one sentence; what is closed is no reason to stop."""
    call("--config", file, "backfill", log, "--year", "2025")
    said = in_shell(f'"$@" {where}', "--config", file, *command.split())
    assert "Traceback" not in said.stderr
    if where == ">/dev/full":
        assert said.returncode == 1
        assert said.stderr.splitlines()[-1].endswith("No space left on device")


@pytest.mark.parametrize("command", ["parse", "backfill -"])
def test_standard_input_that_is_shut(file: str, command: str) -> None:
    """Where standard input is wanted and closed, that is said."""
    said = in_shell('"$@" <&-', "--config", file, *command.split())
    assert said.returncode == 1
    assert "standard input is closed" in said.stderr
    assert "Traceback" not in said.stderr


# --- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "trace --sender $'a\\xffb@c'", "trace --mta $'\\xff'", "report --mta $'\\xff'",
        "trace --as $'\\xff@c'", "--dsn $'\\xff' status", "backfill --mta $'\\xff' /dev/null",
    ],
)  # fmt: skip
def test_words_that_are_no_text(file: str, words: str) -> None:
    """An argument that is not UTF-8 is a wrong one."""
    said = in_shell(f'"$@" {words}', "--config", file)
    assert said.returncode == 2, said.stderr
    assert "is not UTF-8" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    "words", [["report", "--since", ""], ["trace", "--mta", "mx1", "--since", ""], ["report", "--mta", ""]]
)  # fmt: skip
def test_options_that_are_empty(file: str, words: list[str]) -> None:
    """A shell's variable that is not set does not mean yesterday, or all that is stored."""
    refused(call("--config", file, *words), 2, "is empty")


def test_follow_has_no_end(file: str) -> None:
    """Until when to follow cannot be said."""
    words = ["trace", "--open", "--follow", "--until", "now"]
    refused(call("--config", file, *words), 2, "--follow", "--until")


def test_report_of_a_host_by_its_short_name(file: str, tmp_path: Path) -> None:
    """A host is found without its domain, and one that is not stored is told with those that are."""
    path = tmp_path / "mail.log"
    path.write_text(LINES)
    load_it = [
        "--config",
        file,
        "backfill",
        str(path),
        "--year",
        "2025",
        "--mta",
        "mx1.example.com",
    ]
    assert call(*load_it).status == 0
    since = ["--since", "2025-11-20", "--until", "2025-11-20"]
    said = call("--config", file, "report", *since, "--mta", "MX1")
    assert "MAIL REPORT  mx1.example.com" in said.out
    assert "received" in said.out
    said = call("--config", file, "report", *since, "--mta", "mx2")
    refused(said, 2, "--mta 'mx2'", "mx1.example.com")


@pytest.mark.parametrize("client", ["192.0.2.0/33", "1.2.3", "256.1.1.1", "192.0.2.1:25"])
def test_retain_refuses_what_cannot_match(file: str, client: str) -> None:
    """A case that would keep nothing is not opened."""
    words = ["--until", "2027-06-01", "--ticket", "7"]
    refused(call("--config", file, "retain", "--client", client, *words), 2, "--client", client)


def test_retain_takes_addresses_as_they_are_written(file: str, dsn: str, log: str) -> None:
    """In angle brackets, in square ones, and with a zone."""
    call("--config", file, "backfill", log, "--year", "2025")
    words = ["--until", "2027-06-01", "--ticket", "7"]
    for option, text in [("--sender", "<ann@example.net>"), ("--client", "[198.51.100.7]")]:
        said = call("--config", file, "retain", option, text, *words)
        assert "case" in said.out, said
        assert " 0 rows" not in said.out
    call("--config", file, "retain", "--client", "fe80::1%eth0", *words)
    assert rows(dsn, "SELECT count(*) FROM retained") == [(3,)]


def test_csv_holds_no_formulas(file: str, tmp_path: Path) -> None:
    """What a stranger may write begins no formula, whichever command prints it."""
    path = tmp_path / "mail.log"
    path.write_text(LINES.replace("ann@", "=1+1@"))
    call("--config", file, "backfill", str(path), "--year", "2025")
    said = call("--config", file, "export", "=1+1@example.net", "--format", "csv")
    assert "'=1+1@example.net" in said.out
    assert ",=1+1" not in said.out


# --- the configuration ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-13-45: 1", "is not YAML"),
        ("mta: " + "[" * 2000, "is not YAML"),
        ("mta: !!float x", "is not YAML"),
        ("mta: !!bool x", "is not YAML"),
        ("mta: a\nmta: b", "mta stands there twice"),
        (
            "retention: {delivery: {delete: 0}}\nretention: {noqueue: {delete: 0}}",
            "stands there twice",
        ),
        ("false", "must be a mapping"),
        ("[]", "must be a mapping"),
        ("max_size: " + "-0x" + "f" * 5000, "max_size must be"),
        ("mta: 1" + "0" * 500, "..."),
        ('dsn: "\\ud800"', "dsn must be"),
        ('roles: {writer: "\\ud800"}', "roles.writer must be"),
        ('data_dir: "~nouser-at-all/x"', "data_dir must be"),
        ("dsn: nonsense", "libpq connection string"),
        ("dsn: host=127.0.0.1 colour=red", "colour"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, words: str) -> None:
    """Whatever stands in the file: exit status 2 and one sentence of a bearable length."""
    path = tmp_path / "main.yml"
    path.write_text(text)
    said = call("--config", str(path), "status")
    refused(said, 2, words)
    assert len(said.err) < 1000


def test_control_characters_of_a_file_stay_there(tmp_path: Path) -> None:
    """A key that is told cannot colour the terminal."""
    path = tmp_path / "main.yml"
    path.write_text('"\\e[31mfoo": 1')
    said = call("--config", str(path), "status")
    refused(said, 2, "unknown key")
    assert "\x1b" not in said.err


def test_a_folder_that_may_not_be_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the configuration may not be read, it is not taken for missing."""

    class Shut(type(Path())):  # type: ignore[misc]
        """A file in a folder of somebody else."""

        def exists(self, **_: object) -> bool:
            """As Python does it up to 3.11."""
            raise PermissionError(13, "Permission denied")

        def read_text(self, *_: object, **__: object) -> str:
            """As for everybody."""
            raise PermissionError(13, "Permission denied")

    monkeypatch.delenv("JOURNAL_POSTFIX_CONFIG", raising=False)
    monkeypatch.setattr(config, "DEFAULT_FILE", Shut("/etc/journal-postfix/main.yml"))
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        load(None)


# --- databases ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting", ["standard_conforming_strings TO off", "client_encoding TO 'LATIN1'", "transform_null_equals TO on"]
)  # fmt: skip
def test_settings_of_a_database_do_not_matter(
    empty_dsn: str, tmp_path: Path, log: str, setting: str
) -> None:
    """Words of SQL and letters of addresses mean the same wherever they are sent."""
    name = parse_dsn(empty_dsn)["dbname"]
    execute(empty_dsn, f"ALTER DATABASE {name} SET {setting}")
    path = tmp_path / "other.yml"
    path.write_text(f"dsn: {json.dumps(empty_dsn)}\n{KEEP}")
    command = ["--config", str(path)]
    for words in (["setup"], ["backfill", log, "--year", "2025"]):
        assert call(*command, *words).status == 0
    plain = make_dsn(empty_dsn, client_encoding="UTF8")
    stored = "SELECT count(*) FROM delivery_from WHERE sender = 'zoë@example.com'"
    assert rows(plain, stored) == [(1,)]
    assert NAME in call(*command, "trace", "--sender", NAME, "--since", "2025-11-20").out
    assert call(*command, "forget", NAME, "--yes").status == 0
    assert rows(plain, stored) == [(0,)]


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_addresses(server_dsn: str, encoding: str) -> None:
    """A database is made for UTF-8, or not used."""
    name = f"encoded_{os.getpid()}_{encoding.lower()}"
    execute(
        server_dsn,
        f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0",
    )
    try:
        with (
            closing(connect(make_dsn(server_dsn, dbname=name), PLAIN_SETTINGS)) as connection,
            pytest.raises(InputError, match=encoding),
        ):
            setup(connection)
    finally:
        execute(server_dsn, f"DROP DATABASE {name}")


def test_environment_does_not_choose_the_encoding(dsn: str, file: str, log: str) -> None:
    """What PGCLIENTENCODING says is for psql."""
    latin = {"PGCLIENTENCODING": "LATIN1"}
    assert call("--config", file, "backfill", log, "--year", "2025", environment=latin).status == 0
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM delivery_from WHERE sender = %s", (NAME,))
        assert cursor.fetchall() == [(1,)]
