"""What trace finds: each option on a real database, the ways that mails go, JSON, CSV, bad input."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from threading import Timer

import psycopg2
import pytest

from conftest import fresh_database
from journal_postfix import finding, trace, trace_rows
from journal_postfix.cli import COMMANDS
from journal_postfix.clock import Clock
from journal_postfix.config import config_from
from journal_postfix.finding import Bounce, Refusals
from journal_postfix.messages import UsageError
from journal_postfix.ways import Way
from test_cli import call, refused
from tracing import NOW, found, load_log, loaded, objects, question, queue_ids, told

DAY = ("--since", "2025-03-01")
LOGS = ("help_desk", "greylisted", "terminal", "probe", "subject_is_kept_if_told", "forwarded")
SENT = "B8E6F220671"  # by bob; the filter, the next host and two notices follow
GREY, SPAM = "3C5D120ABF", "4D6E230BC0"


@pytest.fixture(scope="module")
def filled(
    server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database with the logs of several questions."""
    with fresh_database(server_dsn, template) as dsn:
        for name in LOGS:
            load_log(name, dsn, tmp_path_factory.mktemp(name))
        yield dsn


@pytest.fixture
def config(filled: str, tmp_path: Path) -> str:
    """A configuration for that database."""
    path = tmp_path / "main.yml"
    keep = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
    path.write_text(json.dumps({"dsn": filled, "retention": keep}))
    return str(path)


# --- each option ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--sender", "bob@example.com"), [SENT]),
        (("--sender", "BOB@Example.COM"), [SENT]),
        (("--sender", "<bob@example.com>"), [SENT]),
        (("--sender", "b?b@example.com"), []),
        (("--sender", "b*@example.com", *DAY), [SENT]),
        (("--sender", "@example.net", *DAY), [GREY, SPAM]),
        (("--sender", "<>", "--recipient", "bob@example.com"), [SENT, "E1B92220674"]),
        (("--recipient", "carol@example.org"), [SENT]),
        (("--recipient", "SALES@example.com"), [SENT]),
        (("--recipient", "*@EXAMPLE.org", *DAY), [SENT]),
        (("--recipient", "ann@example.com", "--sender", "bob@example.com"), [SENT]),
        (("--recipient", "ann@example.com", "--sender", "pat@example.net"), [GREY, SPAM]),
        (("--message-id", "20250303080115.31337@laptop.example.com"), [SENT]),
        (("--message-id", "<20250303080115.31337@laptop.example.com>"), [SENT]),
        (("--message-id", "20250303080115.31337@LAPTOP.example.com"), []),
        (("--queue-id", SENT), [SENT]),
        (("--queue-id", "C9F70220672"), [SENT]),
        (("--queue-id", "DEDA82206A8:"), [SENT]),
        (("--queue-id", "EEDB92206A9"), [SENT]),
        (("--queue-id", "D0A81220673"), [SENT]),
        (("--queue-id", "b8e6f220671"), []),
        (("--client", "198.51.100.23"), [SENT]),
        (("--client", "198.51.100.0/24", *DAY), [SENT]),
        (("--client", "203.0.113.9"), [GREY, SPAM]),
        (("--client", "Laptop.Example.com", *DAY), [SENT]),
        (("--client", "*.example.net", *DAY), [GREY, SPAM]),
        (("--client", "2001:db8::9"), []),
        (("--sasl-username", "Bob"), [SENT]),
        (("--sasl-username", "b*", *DAY), [SENT]),
        (("--subject", "lunch", *DAY), ["E1E1120006"]),
        (("--subject", "lunch*", *DAY), ["E1E1120006"]),
        (("--subject", "dinner", *DAY), []),
        (("--status", "returned", *DAY), [SENT]),
        (("--status", "bounced", *DAY), [SENT]),
        (("--status", "accepted_elsewhere", *DAY, "--sender", "bob@example.com"), [SENT]),
        (("--status", "filtered on", *DAY), [SENT]),
        (("--status", "refused", *DAY), [SPAM]),
        (("--status", "milter-reject", *DAY), [SPAM]),
        (("--recipient", "dave@example.net", "--status", "waiting"), [SENT]),
        (("--recipient", "dave@example.net", "--status", "deferred"), [SENT]),
        (("--recipient", "dave@example.net", "--status", "returned"), []),
        (("--client", "198.51.100.23", "--status", "returned"), [SENT]),
        (("--mta", "mx-out1", *DAY), [SENT]),
        (("--mta", "MX2.example.com", *DAY), [GREY, SPAM]),
        (("--mta", "mx2", "--client", "198.51.100.23"), []),
        (("--mta", "mx-out1", "--sasl-username", "bob"), [SENT]),
        (("--open", "--recipient", "dave@example.net"), [SENT]),
        (("--open", "--recipient", "ann@example.com", "--sender", "pat@example.net"), []),
        (("--sender", "bob@example.com", "--since", "2025-03-04"), [SENT]),
        (("--sender", "bob@example.com", "--since", "2025-03-05"), []),
        (("--sender", "bob@example.com", "--until", "2025-03-02"), []),
        (("--sender", "bob@example.com", "--until", "2025-03-03"), [SENT]),
        (("--recipient", "ann@example.com", "--until", "2025-03-03 08:01"), []),
    ],
    ids=" ".join,
)
def test_options(filled: str, options: tuple[str, ...], expected: list[str]) -> None:
    """Each option finds what it names, wherever on its way, and nothing else."""
    assert queue_ids(filled, *options) == expected


def test_tags_are_found_on_request(server_dsn: str, template: str, tmp_path: Path) -> None:
    """name+tag@ is found for name@ if asked, and not name2@."""
    with loaded("tags", server_dsn, template, tmp_path) as dsn:
        plain = ("--recipient", "ann@example.com", *DAY)
        assert queue_ids(dsn, *plain) == ["3C5D120A01"]
        assert queue_ids(dsn, *plain, "--with-tags") == ["3C5D120A01", "3C5D120A02"]


def test_probes_are_found_on_request(filled: str) -> None:
    """Probes are no mails: they are shown only if asked for."""
    probes = ("--recipient", "nobody@example.net")
    assert queue_ids(filled, *probes) == []
    assert queue_ids(filled, *probes, "--probes") == ["A4A4120002"]
    assert queue_ids(filled, "--status", "probe", *DAY) == ["A4A4120001", "A4A4120002"]


def test_open_finds_what_is_in_the_queue(filled: str) -> None:
    """--open needs no other option and no period."""
    mails = [row for row in objects(filled, "--open") if "deliveries" in row]
    assert SENT in {row["queue_id"] for row in mails}
    for row in mails:
        inside = [row, *row["deliveries"], *row["notices"]]
        assert any(one.get("fate") in ("waiting", "held", "mixed") for one in inside)


def test_limit_shows_the_latest_and_tells_of_the_rest(filled: str) -> None:
    """The latest are shown, and how many more there are."""
    every = found(filled, *DAY, "--mta", "*example.com")
    two = found(filled, *DAY, "--mta", "*example.com", "--limit", "2")
    assert len(every.items) > 2
    assert (every.more, [item.t for item in two.items]) == (0, [i.t for i in every.items[-2:]])
    assert two.more >= len(every.items) - 2
    said = told(filled, *DAY, "--mta", "*example.com", "--limit", "2")
    assert f"Up to {two.more} more before these: --limit {two.more + 2}." in said


def test_what_was_not_looked_at_is_said(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where few of very many candidates fit, the oldest are not looked at, and that is said."""
    rare = (*DAY, "--sender", "*@example.*", "--status", "expired", "--limit", "1")
    assert "not looked at" not in told(filled, *rare)
    monkeypatch.setattr(finding, "PORTION", 1)
    monkeypatch.setattr(finding, "LOOK_AT_MOST", 1)
    looked = found(filled, *rare)
    assert (looked.items, looked.not_looked_at > 0) == ([], True)
    said = f"{looked.not_looked_at} older mails were not looked at: give a shorter period"
    assert said in told(filled, *rare)


def test_timezone_moves_times(filled: str) -> None:
    """Times given and told are those of the zone."""
    zoned = ("--timezone", "Europe/Berlin", "--sender", "pat@example.net")
    assert "Mon 2025-03-03 11:17:44" in told(filled, *zoned)
    assert "10:17:44" in told(filled, "--sender", "pat@example.net")
    late = told(filled, *zoned, "--since", "2025-03-04 00:00")
    assert "Nothing found from Tue 2025-03-04 00:00:00 to now +01:00." in late


# --- ways -----------------------------------------------------------------------------------


def only_way(dsn: str, *options: str) -> Way:
    """The one mail found."""
    (way,) = (item for item in found(dsn, *options).items if isinstance(item, Way))
    return way


def test_a_way_leads_over_filter_and_host(filled: str) -> None:
    """A mail is followed through filter and next host, each recipient to its end."""
    way = only_way(filled, "--queue-id", SENT)
    ids = [(mail.row["mta"].partition(".")[0], mail.row["queue_id"]) for mail in way.mails]
    assert ids == [("mx1", SENT), ("mx1", "C9F70220672"), ("mx-out1", "DEDA82206A8")]
    ends = {(line.given, line.final, line.fate, len(line.hops)) for line in way.lines}
    assert ends == {
        ("ann@example.com", "ann@example.com", "delivered", 2),
        ("sales@example.com", "carol@example.org", "accepted elsewhere", 3),
        ("dave@example.net", "dave@example.net", "waiting", 3),
        ("erin@example.org", "erin@example.org", "returned", 3),
    }


def test_a_notice_is_told_by_its_own_row(filled: str) -> None:
    """A notice has a way of its own, through other hosts, and a fate of its own."""
    notices = only_way(filled, "--queue-id", SENT).notices
    ends = [(one.first.row["notification"], [line.fate for line in one.lines]) for one in notices]
    assert ends == [("sender non-delivery", ["delivered"]), ("sender delay", ["waiting"])]
    assert [len(one.mails) for one in notices] == [2, 1]


def test_who_was_told_to_come_back_is_joined(filled: str) -> None:
    """Refusals for now belong to the mail that came within five days, others stand alone."""
    items = found(filled, "--client", "203.0.113.9").items
    ways = {item.first.row["queue_id"]: item for item in items if isinstance(item, Way)}
    alone = [item.rows for item in items if isinstance(item, Refusals)]
    assert [len(ways[name].told_back) for name in (GREY, SPAM)] == [2, 0]
    assert [[row["recipient"] for row in rows] for rows in alone] == [
        ["ben@example.com"],
        [None, None],
    ]


def test_bounces_of_others_are_possible_ones(filled: str) -> None:
    """A mail without sender from a side that accepted one stands beside it, not found otherwise."""
    items = found(filled, "--sender", "bob@example.com").items
    (bounce,) = (item for item in items if isinstance(item, Bounce))
    assert bounce.way.first.row["queue_id"] == "E1B92220674"
    assert bounce.of.first.row["queue_id"] == SENT
    assert bounce.line.given == "sales@example.com"


def test_steps_are_those_of_the_view(filled: str) -> None:
    """Every step of the view is on the way of the mail that it began as."""
    with closing(psycopg2.connect(filled)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT queue_id, next_day, next_id FROM journey")
        steps = cursor.fetchall()
    assert len(steps) > 6
    for queue_id, day, number in steps:
        ways = [i for i in found(filled, "--queue-id", queue_id).items if isinstance(i, Way)]
        assert any((day, number) in way.keys for way in ways)


def test_fates_are_those_of_the_view(filled: str) -> None:
    """trace tells the fates that the view delivery tells."""
    with closing(psycopg2.connect(filled)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_id, fate FROM delivery WHERE to_id IS NOT NULL")
        fates = dict(cursor.fetchall())
    rows = [
        row
        for mail in objects(filled, *DAY, "--mta", "*.com", "--probes", "--limit", "500")
        for one in (mail, *mail.get("notices", ()))
        for row in one.get("deliveries", ())
    ]
    assert {row["id"]: row["fate"] for row in rows} == fates


# --- for programs ---------------------------------------------------------------------------


def _columns(dsn: str, table: str) -> list[str]:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        return [column.name for column in cursor.description or ()]


def test_json_has_all_columns(filled: str, config: str) -> None:
    """A mail has those of delivery_from, its deliveries those of delivery_to and their fate."""
    said = call("--config", config, "trace", "--sender", "bob@example.com", "--format", "json")
    assert said.status == 0, said.err
    refusal, mail, bounce = json.loads(said.out)
    assert list(refusal) == _columns(filled, "noqueue")
    parts = ["fate", "deliveries", "verdicts", "notices"]
    assert list(mail) == _columns(filled, "delivery_from") + parts
    hops = [(row["queue_id"], row["recipient"], row["fate"]) for row in mail["deliveries"]]
    assert hops[0] == (SENT, "ann@example.com", "filtered on")
    assert hops[-1] == ("DEDA82206A8", "dave@example.net", "waiting")
    assert list(mail["deliveries"][0]) == [*_columns(filled, "delivery_to"), "fate"]
    assert [notice["notification"] for notice in mail["notices"]] == [
        "sender non-delivery",
        "sender delay",
    ]
    assert bounce["possible_bounce_of"] == SENT
    assert "nothing is stored after" in said.err


def test_csv_has_a_line_per_recipient(config: str) -> None:
    """A flat line for each recipient and each refusal, with the time of the zone."""
    said = call(
        "--config", config, "trace", "--sender", "bob@example.com",
        "--format", "csv", "--timezone", "Asia/Tokyo",
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [(row["recipient"], row["orig_to"], row["fate"]) for row in rows] == [
        ("dave@example.net", "", "refused"),
        ("ann@example.com", "", "delivered"),
        ("carol@example.org", "sales@example.com", "accepted elsewhere"),
        ("dave@example.net", "", "waiting"),
        ("erin@example.org", "", "returned"),
        ("bob@example.com", "", "delivered"),
    ]
    assert rows[1]["time"] == "2025-03-03 17:01:15+09:00"


def test_nothing_reaches_a_terminal_raw(config: str) -> None:
    """Control characters, also those above ASCII, and changes of direction are masked or escaped."""
    for how in ("table", "json", "csv"):
        options = ("--sender", "*calc*", *DAY, "--format", how)
        said = call("--config", config, "trace", *options)
        assert "owned" in said.out
        assert all(char.isprintable() or char == "\n" for char in said.out)


def test_json_gives_back_what_was_logged(config: str) -> None:
    """What is escaped for the terminal is whole for a program."""
    said = call("--config", config, "trace", "--sender", "*calc*", *DAY, "--format", "json")
    (mail,) = json.loads(said.out)
    assert "\x9b31m \u202etxet" in mail["deliveries"][0]["reason"]


def test_csv_starts_no_formula(config: str) -> None:
    """A text that a spreadsheet would calculate is marked as text."""
    said = call("--config", config, "trace", "--message-id", "=1+1@example.org", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(said.out))
    assert row["message_id"].startswith("<")
    item = found_refusal("=1+1")
    (flat,) = csv.DictReader(io.StringIO(trace_rows.as_csv([item], Clock(None))))
    assert flat["reason"] == "'=1+1"


def found_refusal(reason: str) -> Refusals:
    """A refusal for a reason."""
    row = dict.fromkeys(trace_rows.COLUMNS, None) | {"t": NOW, "action": "reject"}
    return Refusals([row | {"reason": reason}])


# --- what is stored -------------------------------------------------------------------------


def test_what_is_not_stored_is_said_first(filled: str) -> None:
    """The period is told to be covered or not, before what was found."""
    said = told(filled, "--sender", "bob@example.com", "--since", "2025-02-01").splitlines()
    assert said[0] == "NOT COVERED: nothing is stored before Mon 2025-03-03 08:00:00 +00:00."
    inside = ("--sender", "pat@example.net", "--since", "2025-03-03 10:05", "--mta", "mx2")
    whole = told(filled, *inside, "--until", "2025-03-03 16:30")
    assert whole.startswith("Stored: mx2.example.com, Mon 2025-03-03 10:02:11 to 16:56:10 +00:00;")
    assert "no gaps known" in whole.splitlines()[0]


def test_retention_is_told(filled: str) -> None:
    """Where retention has deleted what is asked for, that is said."""
    config = config_from(
        {"retention": {"delivery": {"delete": 30}, "noqueue": {"delete": 7}}}, "test"
    )
    said = told(filled, "--sender", "bob@example.com", "--since", "2025-01-01", config=config)
    assert "mails before 2025-02-08 are deleted by retention" in said
    assert "refusals before 2025-03-03 are deleted by retention" in said


def test_gaps_and_holes_are_told(server_dsn: str, template: str, tmp_path: Path) -> None:
    """What the log lost within the period is said, and between what files."""
    with loaded("greylisted", server_dsn, template, tmp_path) as dsn:
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO gap (source_id, mta, t_from, t_to, lost, reason) SELECT id, mta,"
                " '2025-03-03 10:20Z', '2025-03-03 10:21Z', 1904, 'journald dropped them' FROM source"
            )
            cursor.execute(
                "INSERT INTO stored_span (source_id, mta, t_from, t_to, lines) SELECT id, mta,"
                " '2025-03-09 10:20Z', '2025-03-10 11:59Z', '' FROM source"
            )
            connection.commit()
        said = " ".join(told(dsn, "--sender", "pat@example.net", *DAY).split())
        assert "the log of mx2.example.com lost 1,904 lines Mon 2025-03-03 10:20:00" in said
        assert "(journald dropped them)" in said
        other = told(dsn, "--sender", "pat@example.net", "--since", "2025-03-09")
        assert "lost" not in other


def test_nothing_stored_and_nothing_found(dsn: str, filled: str) -> None:
    """Nothing found is a clear sentence with what to try next, and no failure."""
    empty = told(dsn, "--sender", "ann@example.org")
    assert empty.startswith("NOT COVERED: nothing is stored.\nNothing is stored yet.\n")
    nobody = told(filled, "--sender", "nobody@example.org")
    assert "Nothing found in all that is stored." in nobody
    assert "--sender @domain" in nobody


# --- the command ----------------------------------------------------------------------------


def test_exit_status_of_the_command(config: str) -> None:
    """Found or not, the status is 0; nothing goes to standard error in a table."""
    for who in ("bob@example.com", "nobody@example.com"):
        said = call("--config", config, "trace", "--sender", who)
        assert (said.status, said.err) == (0, "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ("--sender", "--open")),
        (("--since", "yesterday"), ("--sender",)),
        (("--probes",), ("--sender",)),
        (("--sender", "*"), ("everything", "--sender")),
        (("--sender", "*@*"), ("everything",)),
        (("--recipient", "@"), ("everything", "--recipient")),
        (("--sender", ""), ("empty", "'<>'")),
        (("--sender", "<>"), ("period", "--since")),
        (("--sender", "@example.com"), ("period",)),
        (("--recipient", "a*@example.com"), ("period",)),
        (("--recipient", "a@example.com", "--with-tags"), ("period",)),
        (("--subject", "lunch"), ("period",)),
        (("--status", "sent"), ("period",)),
        (("--mta", "mx1"), ("period",)),
        (("--client", "192.0.2.0/24"), ("period",)),
        (("--client", "mail.example.org"), ("period",)),
        (("--client", "0.0.0.0/0"), ("everything",)),
        (("--client", "192.0.2.1/24"), ("--client", "host bits")),
        (("--client", "192.0.2.300"), ("--client", "192.0.2.300")),
        (("--message-id", "<>"), ("--message-id",)),
        (("--queue-id", "no id"), ("--queue-id",)),
        (("--status", "lost"), ("--status", "'lost'", "accepted elsewhere")),
        (("--sender", "a@example.com", "--since", "soon"), ("--since", "soon")),
        (("--sender", "a@example.com", "--until", "2025-02-30"), ("--until", "2025-02-30")),
        (("--sender", "a@example.com", "--since", "2999-01-01"), ("future",)),
        (("--sender", "a@example.com", "--since", "1d", "--until", "2d"), ("before",)),
        (("--sender", "a@example.com", "--timezone", "Mars/Olympus"), ("Mars/Olympus",)),
    ],
    ids=" ".join,
)
def test_bad_input(config: str, options: tuple[str, ...], words: tuple[str, ...]) -> None:
    """What cannot be answered is refused in one clear sentence, before the database is asked."""
    refused(call("--config", config, "trace", *options), 2, *words)


@pytest.mark.parametrize("limit", ["0", "-1", "many", "10001"])
def test_bad_limit(config: str, limit: str) -> None:
    """A limit is a number of mails."""
    said = call("--config", config, "trace", "--open", "--limit", limit)
    assert said.status == 2
    assert "from 1 to 10000" in said.err
    assert "Traceback" not in said.err


def test_a_nul_is_no_address() -> None:
    """What PostgreSQL could not take as a text is refused."""
    for option in ("--sender", "--subject", "--client", "--message-id"):
        with pytest.raises(UsageError):
            question(option, "a\0b", *DAY)


def test_help_is_a_manual(config: str) -> None:
    """--help describes every option, and has times, words of status, examples, exit status."""
    said = call("trace", "--help")
    assert said.status == 0
    parser = argparse.ArgumentParser()
    trace.add_options(parser)
    for action in parser._actions:
        assert action.help
        assert action.option_strings[-1] in said.out
    for words in ("times:", "words of --status:", "examples:", "exit status:"):
        assert words in said.out
    assert "tell what became of mails" in call("--help").out.lower()


def test_examples_of_the_help_are_right() -> None:
    """Each example of --help is a question that can be asked."""
    examples = [line for line in trace.EPILOG.splitlines() if "journal-postfix trace" in line]
    assert len(examples) > 3
    for line in examples:
        question(*_split(line))


def _split(line: str) -> list[str]:
    return [
        part.strip('"') for part in csv.reader([line.split("trace ")[1]], delimiter=" ").__next__()
    ]


def test_trace_is_a_command() -> None:
    """The command line knows it."""
    assert COMMANDS["trace"] == (trace.add_options, trace.answer)


# --- --follow -------------------------------------------------------------------------------

WAITED = 120  # seconds until a hang is a failure


def _follow(config: str, how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "journal_postfix", "--config", config, "trace"]
    options = ["--sender", "ann@example.org", "--follow", "--format", how, "--timezone", "UTC"]
    clean = {name: value for name, value in os.environ.items() if "JOURNAL_POSTFIX" not in name}
    return subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**clean, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


def _line(stamp: datetime, text: str) -> str:
    return f"{stamp.isoformat()} mx1.example.com postfix/{text}\n"


@pytest.mark.parametrize("how", ["table", "json"])
def test_follow(dsn: str, tmp_path: Path, how: str) -> None:
    """What is stored later is printed, and again when it has changed, until interrupted: status 0."""
    config = tmp_path / "main.yml"
    config.write_text(json.dumps({"dsn": dsn}))
    log = tmp_path / "mail.log"
    begin = datetime.now().astimezone() - timedelta(minutes=5)
    lines = [
        _line(begin, "smtpd[1]: 3C5D120A01: client=mail.example.org[192.0.2.10]"),
        _line(begin, "cleanup[2]: 3C5D120A01: message-id=<1@example.org>"),
        _line(begin, "qmgr[3]: 3C5D120A01: from=<ann@example.org>, size=9, nrcpt=1 (queue active)"),
    ]
    end = [
        _line(
            begin + timedelta(seconds=9),
            "virtual[4]: 3C5D120A01: to=<bob@example.com>, relay=virtual, delay=9, delays=9/0/0/0,"
            " dsn=2.0.0, status=sent (delivered to maildir)",
        )
    ]
    with _follow(str(config), how) as running:
        assert running.stdout is not None
        _read_until(running, "[]" if how == "json" else "what is read")
        log.write_text("".join(lines))
        assert call("--config", str(config), "backfill", str(log)).status == 0
        _read_until(running, '"fate": "waiting"' if how == "json" else "WAITING")
        log.write_text("".join(lines + end))
        assert call("--config", str(config), "backfill", str(log)).status == 0
        _read_until(running, '"fate": "delivered"' if how == "json" else "DELIVERED")
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=WAITED)
    assert (running.returncode, "Traceback" in err) == (0, False)


def _read_until(running: subprocess.Popen[str], words: str) -> None:
    """Read lines; who waits for ever for one is ended."""
    assert running.stdout is not None
    watchdog = Timer(WAITED, running.kill)
    watchdog.start()
    try:
        for line in running.stdout:
            if words in line:
                return
    finally:
        watchdog.cancel()
    pytest.fail(f"{words} was never printed")
