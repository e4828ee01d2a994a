"""The command line as a user meets it: what it prints, its exit status, and every clear error."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from journal_postfix.logfile import LogFile
from journal_postfix.messages import InputError

LINES = """\
Nov 20 10:00:00 mx1 postfix/smtpd[11]: connect from mail.example.net[198.51.100.7]
Nov 20 10:00:01 mx1 postfix/smtpd[11]: 3C5D120ABF: client=mail.example.net[198.51.100.7]
Nov 20 10:00:01 mx1 postfix/cleanup[12]: 3C5D120ABF: message-id=<1@example.net>
Nov 20 10:00:01 mx1 postfix/qmgr[13]: 3C5D120ABF: from=<ann@example.net>, size=400, nrcpt=1 (queue active)
Nov 20 10:00:02 mx1 postfix/virtual[14]: 3C5D120ABF: to=<bob@example.com>, relay=virtual, delay=1, delays=0.9/0/0/0.1, dsn=2.0.0, status=sent (delivered to maildir)
Nov 20 10:00:02 mx1 postfix/qmgr[13]: 3C5D120ABF: removed
Nov 20 10:00:03 mx1 cron[99]: not a line of Postfix
Nov 20 10:00:04 mx1 postfix/qmgr[13]: something nobody has ever said
"""
KEEP = "retention: {delivery: {delete: 0}, noqueue: {delete: 0}}\n"


class Said(NamedTuple):
    """What a command answered."""

    status: int
    out: str
    err: str


def call(*arguments: str, environment: dict[str, str] | None = None, given: str = "") -> Said:
    """Run the program as a user would."""
    clean = {name: value for name, value in os.environ.items() if "JOURNAL_POSTFIX" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "journal_postfix", *arguments],
        check=False,
        capture_output=True,
        text=True,
        input=given,
        env={**clean, **(environment or {})},
    )
    return Said(done.returncode, done.stdout, done.stderr)


def refused(said: Said, status: int, *words: str) -> None:
    """One clear sentence on standard error with these words, no traceback, this exit status."""
    assert said.status == status, said
    assert "Traceback" not in said.err
    assert len(said.err.strip().splitlines()) == 1, said.err
    for word in words:
        assert word in said.err


@pytest.fixture
def log(tmp_path: Path) -> str:
    """A small log file."""
    path = tmp_path / "mail.log"
    path.write_text(LINES)
    return str(path)


@pytest.fixture
def config(tmp_path: Path, dsn: str) -> str:
    """A configuration that keeps everything in a database with the schema."""
    path = tmp_path / "main.yml"
    path.write_text(f"dsn: {json.dumps(dsn)}\n{KEEP}")
    return str(path)


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    """The rows of a query."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_backfill_stores_a_file_once(config: str, log: str, dsn: str) -> None:
    """A file becomes rows; given again it changes nothing and says so."""
    first = call("--config", config, "backfill", log, "--year", "2025", "--timezone", "UTC")
    assert first.status == 0, first.err
    assert "7 lines of Postfix, 1 not recognised" in first.err
    query = "SELECT sender, recipient, status, fate, removed_by FROM delivery"
    expected = [("ann@example.net", "bob@example.com", "sent", "delivered", "qmgr")]
    assert rows(dsn, query) == expected
    again = call("--config", config, "backfill", log, "--year", "2025", "--timezone", "UTC")
    assert (again.status, "nothing new" in again.err) == (0, True)
    assert rows(dsn, query) == expected
    assert rows(dsn, "SELECT sum(count) FROM unrecognised") == [(1,)]


def test_backfill_of_several_files_at_once_gives_the_same_rows(
    config: str, tmp_path: Path, dsn: str
) -> None:
    """With --jobs a mail whose lines stand in two files is still one mail."""
    lines = LINES.splitlines(keepends=True)
    for name, part in (("mail.log.1", lines[:4]), ("mail.log", lines[4:])):
        (tmp_path / name).write_text("".join(part))
    files = [str(tmp_path / "mail.log"), str(tmp_path / "mail.log.1")]
    stamps = ("--year", "2025", "--timezone", "UTC")
    said = call("--config", config, "backfill", *files, "--jobs", "2", *stamps)
    assert said.status == 0, said.err
    query = "SELECT sender, recipient, client_name, removed_by FROM delivery"
    assert rows(dsn, query) == [("ann@example.net", "bob@example.com", "mail.example.net", "qmgr")]
    assert rows(dsn, "SELECT count(*) FROM delivery_to") == [(1,)]


def test_mta_option_names_the_host(config: str, log: str, dsn: str) -> None:
    """--mta stands for whatever host the lines name."""
    assert call("--config", config, "backfill", log, "--mta", "mx1.example.com").status == 0
    assert rows(dsn, "SELECT DISTINCT mta FROM delivery_from") == [("mx1.example.com",)]


def test_parse_gives_one_object_per_line(log: str) -> None:
    """Exactly one JSON object per line, Postfix's or not, recognised or not."""
    said = call("parse", log, "--year", "2025", "--timezone", "UTC")
    objects = [json.loads(line) for line in said.out.splitlines()]
    assert len(objects) == len(LINES.splitlines())
    delivery = objects[4]
    assert delivery["t"] == "2025-11-20T10:00:02+00:00"
    assert (delivery["host"], delivery["daemon"], delivery["pid"]) == ("mx1", "virtual", 14)
    assert delivery["delivery"]["table"] == "to"
    assert delivery["delivery"]["recipient"] == "bob@example.com"
    assert (objects[6]["action"], objects[6]["delivery"]) == ("foreign", None)
    assert (objects[7]["action"], objects[7]["delivery"]) == ("unknown", None)


def test_parse_reads_standard_input() -> None:
    """Without a file the lines come from standard input."""
    said = call("parse", "--year", "2025", given=LINES)
    assert (said.status, len(said.out.splitlines())) == (0, 8)


def test_parse_ends_quietly_when_nobody_reads() -> None:
    """A reader that goes away (head) is no error worth a traceback."""
    command = f"{sys.executable} -m journal_postfix parse --year 2025 | head -n 1"
    done = subprocess.run(
        ["sh", "-c", command], check=True, capture_output=True, text=True, input=LINES * 3000
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_run_follows_a_file_once(config: str, log: str, dsn: str) -> None:
    """`run --file --once` stores what a file holds and ends."""
    said = call("--config", config, "run", "--file", log, "--once", "--year", "2025")
    assert said.status == 0, said.err
    assert rows(dsn, "SELECT count(*) FROM delivery_to") == [(1,)]


def test_status_shows_sources_and_what_was_not_recognised(config: str, log: str) -> None:
    """The three formats say the same; an example shows no address."""
    call("--config", config, "backfill", log, "--year", "2025")
    table = call("--config", config, "status")
    assert table.status == 0, table.err
    assert "mail.log" in table.out
    assert "something nobody has ever said" in table.out
    status = json.loads(call("--config", config, "status", "--format", "json").out)
    assert status["sources"][0]["lines"] == 7
    (unrecognised,) = status["unrecognised"]
    assert (unrecognised["daemon"], unrecognised["count"]) == ("qmgr", 1)
    assert unrecognised["t_first"] == unrecognised["t_last"] != ""
    assert "example" in unrecognised
    assert status["sources"][0]["unrecognised"] == 1
    assert status["problems"] == []
    csv = call("--config", config, "status", "--format", "csv").out.splitlines()
    assert csv[0] == "section,number,key,value"
    assert "sources,1,lines,7" in csv


def test_status_shows_what_postsuper_did_lately(config: str, tmp_path: Path) -> None:
    """What was done to the queue within a week is shown, with how many mails the log does not name."""
    now, path = datetime.now(UTC), tmp_path / "postsuper.log"
    said = [
        (now - timedelta(days=8), "Requeued: 2 messages"),
        (now, "3C5D120AB1: removed"),
        (now, "Deleted: 4 messages"),
    ]
    path.write_text(
        "".join(f"{t:%Y-%m-%dT%H:%M:%SZ} mx1 postfix/postsuper[7]: {text}\n" for t, text in said)
    )
    assert call("--config", config, "backfill", str(path)).status == 0
    status = json.loads(call("--config", config, "status", "--format", "json").out)
    (event,) = status["postsuper"]
    found = [event[name] for name in ("mta", "action", "mails", "not_named")]
    assert found == ["mx1", "Deleted", 4, 3]


def test_status_shows_what_retention_left(config: str, log: str, dsn: str) -> None:
    """The oldest day that is stored, and what was deleted last, stand with the days to keep."""
    call("--config", config, "backfill", log, "--year", "2025")
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO retention_log (table_name, rows) VALUES ('noqueue', 12)")
        connection.commit()
    retention = json.loads(call("--config", config, "status", "--format", "json").out)["retention"]
    kept = [(row["table"], row["oldest"], row["rows_deleted"]) for row in retention]
    assert kept == [("delivery", "2025-11-20", None), ("noqueue", None, 12)]
    assert retention[0]["delete_after_days"] == 0


def test_status_fails_where_nothing_was_recognised(config: str, tmp_path: Path) -> None:
    """A log of which no line is understood is a failure, at once and in status."""
    path = tmp_path / "odd.log"
    path.write_text("Nov 20 10:00:04 mx1 postfix/qmgr[13]: words nobody says\n" * 3)
    said = call("--config", config, "backfill", str(path), "--year", "2025")
    refused(said, 1, "none of them was recognised")
    assert call("--config", config, "status").status == 1


def test_one_odd_line_at_the_end_of_a_log_is_no_failure(config: str, log: str) -> None:
    """A log that was understood before, and grew by a line that is not, is still understood."""
    call("--config", config, "backfill", log, "--year", "2025")
    with Path(log).open("a") as file:
        file.write("Nov 20 10:00:09 mx1 postfix/qmgr[13]: words nobody says\n")
    said = call("--config", config, "backfill", log, "--year", "2025")
    assert (said.status, call("--config", config, "status").status) == (0, 0), said.err


def test_lines_older_than_retention_are_counted_and_the_key_is_named(
    tmp_path: Path, dsn: str, log: str
) -> None:
    """What retention would delete at once is not stored, and that is said with the keys."""
    path = tmp_path / "short.yml"
    path.write_text(f"dsn: {json.dumps(dsn)}\n")
    said = call("--config", str(path), "backfill", log, "--year", "2020")
    assert said.status == 0
    assert "1 mails and verdicts not stored" in said.err
    assert "retention.delivery.delete" in said.err
    assert rows(dsn, "SELECT count(*) FROM delivery_from") == [(0,)]


def test_setup_creates_and_keeps(tmp_path: Path, empty_dsn: str) -> None:
    """setup makes the tables, and a second one leaves them alone."""
    assert "created" in call("--dsn", empty_dsn, "setup").out
    assert "in place" in call("--dsn", empty_dsn, "setup").out


def test_commands_ask_for_setup(empty_dsn: str, log: str) -> None:
    """Without the tables a command says what to do."""
    refused(call("--dsn", empty_dsn, "backfill", log), 1, "run journal-postfix setup")
    refused(call("--dsn", empty_dsn, "status"), 1, "run journal-postfix setup")


def test_newer_schema_is_refused(dsn: str, log: str) -> None:
    """A database of a newer program is left alone."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO schema_version (version, works_with) VALUES (999, 999)")
        connection.commit()
    for command in (("setup",), ("backfill", log), ("status",), ("clean",)):
        refused(call("--dsn", dsn, *command), 1, "999", "newer")


@pytest.fixture
def guest(server_dsn: str, empty_dsn: str) -> Iterator[str]:
    """A DSN of a user who may connect and nothing else."""
    name = "guest_of_" + str(psycopg2.extensions.parse_dsn(empty_dsn)["dbname"])[-12:]
    with closing(psycopg2.connect(server_dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'right'")
            yield make_dsn(empty_dsn, user=name, password="right")
            cursor.execute(f"DROP ROLE {name}")


def test_no_right_to_create_tables(guest: str, empty_dsn: str) -> None:
    """setup without the right to create says just that."""
    with closing(psycopg2.connect(empty_dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        connection.commit()
    said = call("--dsn", guest, "setup")
    if "cannot be reached" in said.err or "refuses the login" in said.err:
        pytest.fail(f"the guest could not even log in: {said.err}")
    refused(said, 1, "no right to create tables")


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("host=/nowhere dbname=mail", ("cannot be reached",)),
        ("host=127.0.0.1 port=1 dbname=mail", ("cannot be reached",)),
    ],
)
def test_unreachable_database(dsn: str, words: tuple[str, ...], log: str) -> None:
    """A database that cannot be had is one clear sentence, not a traceback."""
    refused(call("--dsn", dsn, "backfill", log), 1, *words)


def test_a_database_that_does_not_exist(server_dsn: str) -> None:
    """A wrong name in the DSN is told as such."""
    missing = make_dsn(server_dsn, dbname="no_such_database")
    refused(call("--dsn", missing, "status"), 1, "does not exist")


def test_passwords_are_not_told(log: str) -> None:
    """An error names no password of the DSN."""
    said = call("--dsn", "host=/nowhere dbname=mail password=sesame", "status")
    refused(said, 1, "cannot be reached")
    assert "sesame" not in said.err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("backfill", "/no/such/file"), 1, ("/no/such/file",)),
        (("backfill", "/etc"), 1, ("/etc",)),
        (("parse", "LOG", "--year", "1066"), 2, ("1066",)),
        (("parse", "LOG", "--timezone", "Mars/Olympus"), 2, ("Mars/Olympus",)),
        (("--config", "/no/such/file.yml", "status"), 2, ("/no/such/file.yml",)),
    ],
)
def test_wrong_arguments(
    arguments: tuple[str, ...], status: int, words: tuple[str, ...], log: str
) -> None:
    """What is wrong with a file, a year, a zone is told in one sentence."""
    refused(call(*(log if word == "LOG" else word for word in arguments)), status, *words)


def test_a_line_from_the_future(log: str) -> None:
    """A year that cannot be is an error that names file, line and option."""
    refused(call("parse", log, "--year", "2090"), 1, "mail.log", "line 1", "--year")


def test_wrong_usage() -> None:
    """No command, an unknown one, an unknown stage: exit status 2 and no traceback."""
    for arguments in ((), ("explode",), ("--debug", "nothing", "status")):
        said = call(*arguments)
        assert said.status == 2
        assert "Traceback" not in said.err


def test_unreadable_file(log: str) -> None:
    """A file without permission is told as such; root tries it as somebody else."""
    Path(log).chmod(0)
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(InputError, match=r"mail\.log"):
            LogFile(log)
    finally:
        os.seteuid(was)


def test_reading_commands_create_no_database(tmp_path: Path) -> None:
    """status and clean without a DSN and without a private database say what to do."""
    path = tmp_path / "main.yml"
    path.write_text(f"data_dir: {tmp_path / 'data'}\n")
    for command in ("status", "clean"):
        refused(call("--config", str(path), command), 1, "database")
    assert not (tmp_path / "data").exists()


def test_clean_says_what_went(config: str, log: str, dsn: str, tmp_path: Path) -> None:
    """clean deletes by the clock, prints what went, and keeps a record of it."""
    call("--config", config, "backfill", log, "--year", "2020")
    path = tmp_path / "short.yml"
    path.write_text(f"dsn: {json.dumps(dsn)}\n")
    cleaned = json.loads(call("--config", str(path), "clean", "--format", "json").out)
    gone = {(row["table_name"], row["rows"]) for row in cleaned}
    assert {("delivery_from", 1), ("delivery_to", 1)} <= gone
    assert rows(dsn, "SELECT count(*) FROM delivery_from") == [(0,)]
    assert rows(dsn, "SELECT count(*) > 0 FROM retention_log") == [(True,)]
    assert "nothing to delete" in call("--config", str(path), "clean").out


def test_debug_shows_the_stages(config: str, log: str) -> None:
    """--debug prints what each stage made of a line."""
    said = call("--config", config, "--debug", "parse,extract", "backfill", log, "--year", "2025")
    assert "parse: " in said.err
    assert '"action": "queue_active"' in said.err
    assert "extract: " in said.err
    assert "input: " not in said.err


def test_debug_of_a_service_is_asked_for_twice(config: str) -> None:
    """What `run --debug` prints lands in the journal: without --yes nothing is read."""
    said = call("--config", config, "--debug", "parse", "run", "--file", "-", given=LINES)
    refused(said, 2, "--yes", "journal")
    said = call("--config", config, "--debug", "parse", "run", "--yes", "--file", "-", given=LINES)
    assert said.status == 0
    assert '"action": "queue_active"' in said.err


def test_our_own_log_names_no_address(config: str, log: str) -> None:
    """Even when asked to say more, the program's own log holds no address."""
    said = call("-vv", "--config", config, "backfill", log, "--year", "2025")
    assert "@example" not in said.err
    assert "198.51.100" not in said.err


def test_a_damaged_file_keeps_what_could_be_read(config: str, tmp_path: Path, dsn: str) -> None:
    """Of a compressed file that ends too early the good lines are stored, and the damage is told."""
    path = tmp_path / "mail.log.gz"
    packed = gzip.compress((LINES * 400).encode(), mtime=0)
    path.write_bytes(packed[: len(packed) // 2])
    said = call("--config", config, "backfill", str(path), "--year", "2025", "--timezone", "UTC")
    refused(said, 1, "mail.log.gz", "damaged")
    ((lines,),) = rows(dsn, "SELECT lines FROM source")
    assert 7 < lines < 7 * 400
