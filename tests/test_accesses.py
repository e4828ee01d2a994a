"""Who looked: a row for each answer before it is shown, that tells who, when and why, and no address."""

from __future__ import annotations

import getpass
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journal_postfix import accesses, retention
from journal_postfix.accesses import Access
from journal_postfix.config import config_from
from journal_postfix.database import PLAIN_SETTINGS, READER_SETTINGS, connect
from journal_postfix.messages import InputError
from test_cli import LINES, call, config, log, refused
from test_store import rows, run_sql

__all__ = ["config", "log"]  # fixtures

NOTED = "SELECT command, cardinality(keys_hash), rows, ticket FROM access_log ORDER BY t"
ANN = ("trace", "--sender", "ann@example.net")


@pytest.fixture
def loaded(config: str, log: str) -> str:
    """The configuration of a database with a small log."""
    assert call("--config", config, "backfill", log, "--year", "2025").status == 0
    return config


def noted(dsn: str) -> list[tuple[Any, ...]]:
    """What is noted."""
    return rows(dsn, NOTED)


# --- what is noted --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "keys", "count"),
    [
        (ANN, 1, 1),
        ((*ANN, "--recipient", "bob@example.com", "--format", "json"), 2, 1),
        ((*ANN, "--format", "csv"), 1, 1),
        (("trace", "--status", "returned", "--since", "2025-11-20"), 0, 0),
        (("report", "--since", "2025-11-20 00:00", "--until", "2025-11-21 00:00"), 0, 4),
        (("report", "--since", "2025-11-20", "--format", "json"), 0, 4),
    ],
    ids=["trace", "two keys", "csv", "no key", "report", "report json"],
)
def test_each_answer_is_noted(
    dsn: str, loaded: str, command: tuple[str, ...], keys: int, count: int
) -> None:
    """A trace and a report leave one row each: command, number of keys and rows, who it was."""
    assert call("--config", loaded, *command).status == 0
    assert noted(dsn) == [(command[0], keys, count, None)]
    who = rows(dsn, "SELECT who = session_user, os_user, now() - t < '1 min' FROM access_log")
    assert who == [(True, getpass.getuser(), True)]


def test_report_for_pflogsumm_is_noted(dsn: str, loaded: str) -> None:
    """The other layout names people too."""
    day = ("--since", "2025-11-20 00:00", "--until", "2025-11-21 00:00")
    assert call("--config", loaded, "report", "--compat", "pflogsumm", *day).status == 0
    ((command, _, count, _),) = noted(dsn)
    assert command == "report"
    assert count > 10


def test_period_is_noted(dsn: str, loaded: str) -> None:
    """The period asked about is noted as far as one was given."""
    call("--config", loaded, *ANN)
    call("--config", loaded, *ANN, "--since", "2025-11-20 00:00Z", "--until", "2025-11-20 12:00Z")
    day = datetime(2025, 11, 20, tzinfo=UTC)
    periods = rows(dsn, "SELECT t_from, t_to FROM access_log ORDER BY t")
    assert periods == [(None, None), (day, day + timedelta(hours=12))]


@pytest.mark.parametrize(
    "text",
    ["ann@example.net", " <Ann@EXAMPLE.net> ", "o'brien\\%@example.net", "Ünïcode", "\udcff"],
)
def test_auditor_finds_who_asked_for_one(dsn: str, text: str) -> None:
    """A key is found by its hash however it was written; the log holds no word of it."""
    with closing(connect(dsn, READER_SETTINGS)) as connection:
        accesses.note(connection, Access("trace", ("other@example.net", text)), 3)
        accesses.note(connection, Access("trace", ("other@example.net",)), 2)
    with closing(connect(dsn, PLAIN_SETTINGS)) as connection, connection.cursor() as cursor:
        asked = "SELECT rows FROM access_log WHERE access_hash(%s) = ANY (keys_hash)"
        cursor.execute(asked, (accesses.key_of(text),))
        assert cursor.fetchall() == [(3,)]
        cursor.execute("SELECT access_log::text FROM access_log")
        assert accesses.key_of(text) not in str(cursor.fetchall())


def test_sudo_is_seen_through(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind sudo stands who called it."""
    monkeypatch.setenv("SUDO_USER", "frank")
    with closing(connect(dsn, READER_SETTINGS)) as connection:
        accesses.note(connection, Access("trace"), 0)
    assert rows(dsn, "SELECT os_user FROM access_log") == [(f"frank as {getpass.getuser()}",)]


def test_nothing_is_shown_that_is_not_noted(dsn: str, loaded: str) -> None:
    """Where the row cannot be written nothing is printed but one sentence."""
    run_sql(dsn, "ALTER TABLE access_log ADD CHECK (rows < 0)")
    for command in (ANN, (*ANN, "--format", "json"), ("report", "--since", "2025-11-20")):
        said = call("--config", loaded, *command)
        refused(said, 1, "nothing is shown", "access_log")
        assert said.out == ""


def test_note_commits_what_was_open_before(dsn: str) -> None:
    """It is a transaction of its own, also from a session that reads and is inside of one."""
    with closing(connect(dsn, READER_SETTINGS)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        accesses.note(connection, Access("trace"), 0)
        connection.rollback()
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            assert cursor.fetchone() == ("on",)
    assert len(noted(dsn)) == 1


# --- why ------------------------------------------------------------------------------------


def test_ticket_is_noted(dsn: str, loaded: str) -> None:
    """What --ticket says stands in the row, cut where it has no end."""
    call("--config", loaded, *ANN, "--ticket", " HD-4711 ")
    call("--config", loaded, *ANN, "--ticket", "x" * 10000)
    assert [row[3] for row in noted(dsn)] == ["HD-4711", "x" * accesses.LONGEST]


@pytest.mark.parametrize("ticket", [(), ("--ticket", " ")], ids=["none", "empty"])
def test_ticket_may_be_needed(dsn: str, loaded: str, ticket: tuple[str, ...]) -> None:
    """With require_ticket a look without a reason is wrong usage, and nothing is shown."""
    with Path(loaded).open("a", encoding="utf-8") as file:
        file.write("require_ticket: true\n")
    for command in (ANN, ("report", "--since", "2025-11-20")):
        said = call("--config", loaded, *command, *ticket)
        refused(said, 2, "--ticket", "require_ticket")
        assert said.out == ""
    assert call("--config", loaded, *ANN, "--ticket", "HD-4711").status == 0
    assert noted(dsn) == [("trace", 1, 1, "HD-4711")]


# --- until when -----------------------------------------------------------------------------


def aged(dsn: str, *days: int) -> None:
    """Note looks of so many days ago."""
    for number in days:
        run_sql(dsn, f"SELECT note_access('trace', '{{}}', {number}, NULL, NULL, NULL, NULL)")
    run_sql(dsn, "UPDATE access_log SET t = now() - rows * interval '1 day'")


@pytest.mark.parametrize(("key", "left"), [(0, 4), (365, 3), (40, 2), (30, 2)])
def test_looks_are_forgotten(dsn: str, key: int, left: int) -> None:
    """The clean-up deletes what is older than retention.access_log, and says so."""
    aged(dsn, 1, 29, 300, 400)
    keys = {"access_log": key, "delivery": {"delete": 0}, "noqueue": {"delete": 0}}
    cleaned = retention.clean(dsn, config_from({"retention": keys}, "test"), datetime.now(UTC))
    assert len(noted(dsn)) == left
    assert [(row["table_name"], row["rows"]) for row in cleaned] == (
        [("access_log", 4 - left)] if left < 4 else []
    )
    told = rows(dsn, "SELECT rows FROM retention_log WHERE table_name = 'access_log'")
    assert told == [(row["rows"],) for row in cleaned]


def test_last_thirty_days_stay(dsn: str) -> None:
    """Whoever may clean up cannot make the looks of these days vanish."""
    aged(dsn, 1, 29, 31)
    assert rows(dsn, "SELECT rows FROM forget_accesses('infinity')") == [(1,)]
    run_sql(dsn, "SELECT forget_accesses('infinity')")
    assert [row[2] for row in noted(dsn)] == [29, 1]


def test_days_are_checked() -> None:
    """Fewer days than stay in any case are a wrong value."""
    with pytest.raises(InputError, match="must be days from 30"):
        config_from({"retention": {"access_log": 29}}, "test")


def test_json_stays_json(dsn: str, loaded: str) -> None:
    """Noting prints nothing."""
    said = call("--config", loaded, *ANN, "--format", "json")
    assert [mail["sender"] for mail in json.loads(said.out)] == ["ann@example.net"]
    assert "ann@example.net" in LINES
    assert len(noted(dsn)) == 1
