"""The command `report` as a user meets it: formats, options, and every clear error."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from test_cli import KEEP, LINES, call, refused

TOTALS = {
    "received", "delivered", "deferred", "bounced", "rejected", "discarded", "held", "expired",
    "bytes_received", "bytes_delivered", "senders", "recipients",
}  # fmt: skip
DAY = ("--since", "2025-11-20", "--until", "2025-11-20", "--timezone", "UTC")


@pytest.fixture(name="options")
def _options(dsn: str, tmp_path: Path) -> tuple[str, ...]:
    """A database with one mail."""
    (tmp_path / "main.yml").write_text(KEEP)
    (tmp_path / "mail.log").write_text(LINES)
    options = ("--config", str(tmp_path / "main.yml"), "--dsn", dsn)
    told = call(
        *options, "backfill", "--year", "2025", "--timezone", "UTC", str(tmp_path / "mail.log")
    )
    assert told.status == 0, told
    return options


def test_json_holds_the_promised_keys(options: tuple[str, ...]) -> None:
    """`totals` has the keys people script against, with numbers; times are ISO 8601."""
    said = call(*options, "report", *DAY, "--format", "json")
    assert (said.status, said.err) == (0, "")
    report = json.loads(said.out)
    assert set(report["totals"]) == TOTALS
    assert report["totals"]["received"] == report["totals"]["delivered"] == 1
    assert report["totals"]["bytes_delivered"] == 400
    assert all(isinstance(number, int) for number in report["totals"].values())
    assert report["period"]["since"] == "2025-11-20T00:00:00+00:00"
    assert len(report["hours"]) == 24
    assert report["hours"][10]["received"] == 1
    assert report["top"]["senders"] == [{"sender": "ann@example.net", "mails": 1, "bytes": 400}]
    named = {"look_first", "mail", "recipients", "refused", "reasons", "queue", "relays", "tls"}
    assert named <= set(report)


def test_csv_holds_the_same(options: tuple[str, ...]) -> None:
    """Every number stands in its line, for spreadsheets."""
    said = call(*options, "report", *DAY, "--format", "csv", "--by", "day")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    found = {(row["section"], row["number"], row["key"]): row["value"] for row in rows}
    assert len(found) == len(rows)
    assert found["totals", "1", "received"] == "1"
    assert found["top.senders", "1", "sender"] == "ann@example.net"
    assert found["days", "1", "delivered"] == "1"
    assert {key for section, _, key in found if section == "totals"} == TOTALS


def test_text_names_period_and_host(options: tuple[str, ...]) -> None:
    """The head says which day, which hosts, and that one line was not recognised."""
    said = call(*options, "report", *DAY)
    assert said.status == 0
    assert said.out.startswith("MAIL REPORT  mx1   Thu 2025-11-20 00:00-24:00 +00:00")
    assert "Lines not recognised so far: 1" in " ".join(said.out.split())
    assert "delivered here" in said.out


def test_yesterday_is_the_default(options: tuple[str, ...]) -> None:
    """Without options the report is of yesterday; of that nothing is stored here, and it says so."""
    said = call(*options, "report", "--timezone", "UTC")
    assert said.status == 0
    assert "00:00-24:00 +00:00" in said.out
    assert "report --since 2025-11-20 --until 2025-11-20" in said.out


def test_another_host_has_nothing(options: tuple[str, ...], tmp_path: Path) -> None:
    """--mta leaves out what other hosts logged."""
    log = tmp_path / "other.log"
    log.write_text("Nov 19 10:00:00 mx9 postfix/smtpd[1]: connect from unknown[198.51.100.7]\n")
    assert call(*options, "backfill", str(log), "--year", "2025").status == 0
    said = call(*options, "report", *DAY, "--mta", "mx9", "--format", "json")
    totals = json.loads(said.out)["totals"]
    assert set(totals.values()) == {0}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("--since", "someday"), ("--since", "is no time")),
        (("--since", "2025-11-20", "--until", "2025-11-19"), ("ends", "before it begins")),
        (("--since", "2999-01-01"), ("future",)),
        (("--since", "2025-11-20", "--until", "2025-11-20", "--timezone", "Mars"), ("time zone",)),
        (("--by", "hour", "--since", "2025-01-01"), ("more than 1000 hours",)),
    ],
)
def test_bad_input_gets_a_clear_answer(
    options: tuple[str, ...], wrong: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """What cannot be meant is refused with a sentence, and exit status 2."""
    refused(call(*options, "report", *wrong), 2, *words)


@pytest.mark.parametrize("wrong", [("--top", "0"), ("--top", "\u0663"), ("--by", "week")])
def test_unknown_values_are_refused(wrong: tuple[str, str]) -> None:
    """A value that an option does not have is refused with what it may be, and exit status 2."""
    said = call("report", *wrong)
    assert said.status == 2
    assert re.search("a number from 1 to 1000|choose from", said.err)


def test_pflogsumms_counts(options: tuple[str, ...]) -> None:
    """With --compat the report is pflogsumm's, of the same period; it is text and nothing else."""
    said = call(*options, "report", *DAY, "--compat", "pflogsumm")
    assert said.status == 0
    assert re.search(r"Grand Totals\n-+\nmessages\n\n +1   received\n +1   delivered", said.out)
    wrong = call(*options, "report", *DAY, "--compat", "pflogsumm", "--format", "json")
    refused(wrong, 2, "--compat", "text")


def test_guessed_logins_come_first(options: tuple[str, ...], tmp_path: Path) -> None:
    """Who guesses is named, and an account that somebody got into after that stands at the top."""
    host, client = "mx1 postfix/submission/smtpd", "unknown[198.51.100.99]"
    failed = "SASL PLAIN authentication failed: authentication failure, sasl_username=anna.k"
    tries = [f"Nov 20 11:00:{n:02} {host}[7]: warning: {client}: {failed}" for n in range(12)]
    login = f"Nov 20 11:01:00 {host}[8]: 3C5D12: client={client}, sasl_method=PLAIN, sasl_username=anna.k"
    (tmp_path / "logins.log").write_text("\n".join([*tries, login]) + "\n")
    file = str(tmp_path / "logins.log")
    assert call(*options, "backfill", "--year", "2025", "--timezone", "UTC", file).status == 0
    said = call(*options, "report", *DAY)
    assert "login anna.k: succeeded after 12 failures, from 198.51.100.99" in said.out
    assert "journal-postfix trace --sasl-username anna.k --since" in said.out
    assert "LOGINS  failed 12 from 1 address, for 1 name; succeeded 1" in said.out
    assert "       12  198.51.100.99, for 1 name" in said.out
    report = json.loads(call(*options, "report", *DAY, "--format", "json").out)
    assert report["logins"]["suspects"][0]["sasl_username"] == "anna.k"


def test_help_tells_how_it_counts() -> None:
    """The help text says what the numbers mean, and gives examples."""
    said = call("report", "--help")
    assert said.status == 0
    for words in ("how it counts", "examples:", "median", "--mta", "totals"):
        assert words in said.out


def test_a_terminal_without_unicode(options: tuple[str, ...]) -> None:
    """Where output is ASCII nothing else is written, whatever the log held."""
    said = call(*options, "report", *DAY, environment={"PYTHONIOENCODING": "ascii"})
    assert said.status == 0
    assert said.out.isascii()
