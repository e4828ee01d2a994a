"""Abuse cases stay out of clean-up until their day, and everything else goes as ever."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal_postfix import preview, retention
from journal_postfix.cli import main
from person import GUESS, KEEP, PLAIN, REJECT, config, dump, load, mail, to
from test_forget import found
from test_store import rows, run_sql

ME = PLAIN.logged
LOGIN = f", sasl_method=PLAIN, sasl_username={ME}"
TODAY = datetime.now(UTC).date()
NEXT_YEAR = TODAY + timedelta(days=365)
DELETE = {"delivery": {"delete": 30}, "noqueue": {"delete": 7}}
WIDE = {"delivery": {"delete": 250}, "noqueue": {"delete": 250}}

LINES = [
    *mail("0A01200001", ME, to("bob@example.org"), to("carol@example.net"), extra=LOGIN),
    *mail("0A01200002", "dan@example.org", to("erin@example.org")),
    *mail("0A01200003", "dan@example.org", to(ME)),
    REJECT.format(sender=ME, to="frank@example.org"),
    REJECT.format(sender="frank@example.org", to="erin@example.org"),
    GUESS.format(login=ME),
    GUESS.format(login="dan"),
]
LEFT = {
    "queue_ids": "SELECT queue_id FROM delivery_from ORDER BY 1",
    "recipients": "SELECT recipient FROM delivery_to ORDER BY 1",
    "verdicts": "SELECT sender FROM noqueue ORDER BY 1",
    "logins": "SELECT sasl_username FROM login ORDER BY 1",
}


def retain(dsn: str, *arguments: str) -> int:
    """Run the command."""
    return main(["--dsn", dsn, "retain", *arguments])


def left(dsn: str) -> dict[str, list[str]]:
    """What is stored."""
    return {name: [one for (one,) in rows(dsn, query)] for name, query in LEFT.items()}


def clean(dsn: str, now: datetime | None = None, **keys: object) -> None:
    """Clean up, on this day or another one."""
    retention.clean(dsn, config(dsn, **(keys or {"retention": DELETE})), now or datetime.now(UTC))


OF_HIS_MAIL = ["bob@example.org", "carol@example.net"]


@pytest.mark.parametrize(
    ("case", "kept"),
    [
        (["--queue-id", "0A01200001"], (["0A01200001"], OF_HIS_MAIL, [], [])),
        (["--sender", "QZVOE@example.com"], (["0A01200001"], OF_HIS_MAIL, [ME], [])),
        (["--login", ME], (["0A01200001"], OF_HIS_MAIL, [], [ME, ME])),
        (["--recipient", "erin@example.org"], (["0A01200002"], ["erin@example.org"], ["frank@example.org"], [])),
        (["--client", "192.0.2.0/24"], ([], [], ["frank@example.org", ME], [])),
        (["--client", "pc.example.com"],
         (["0A01200001", "0A01200002", "0A01200003"], [*OF_HIS_MAIL, "erin@example.org", ME], [], [])),
        (["--queue-id", "0A0120FFFF"], ([], [], [], [])),
    ],
    ids=lambda one: one[0] if one and isinstance(one[0], str) else "",
)  # fmt: skip
def test_only_the_case_is_kept(
    dsn: str, tmp_path: Path, case: list[str], kept: tuple[list[str], ...]
) -> None:
    """A clean-up leaves the rows of the case, whole mails and verdicts, and takes all others."""
    load(dsn, tmp_path, LINES)
    assert retain(dsn, *case, "--until", str(NEXT_YEAR)) == 0
    clean(dsn)
    assert tuple(left(dsn).values()) == kept


@pytest.mark.parametrize("periods", [DELETE, WIDE], ids=["days", "weeks"])
def test_it_goes_on_its_day(dsn: str, tmp_path: Path, periods: object) -> None:
    """On the day itself the next clean-up takes the rows, the note, and the empty partition."""
    load(dsn, tmp_path, LINES)
    assert retain(dsn, "--login", ME, "--until", str(NEXT_YEAR), "--ticket", "case of Ann") == 0
    last = datetime.combine(NEXT_YEAR, datetime.min.time(), UTC) - timedelta(seconds=1)
    clean(dsn, last, retention=periods)
    assert left(dsn)["queue_ids"] == ["0A01200001"]
    clean(dsn, last + timedelta(seconds=1), retention=periods)
    assert left(dsn) == {name: [] for name in LEFT}
    assert rows(dsn, "SELECT count(*) FROM retained") == [(0,)]
    assert rows(dsn, "SELECT count(*) FROM retained_row") == [(0,)]
    assert rows(dsn, "SELECT count(*) FROM pg_class WHERE relname ~ '^noqueue_[0-9]{8}$'") == [(0,)]


OVER = "DELETE FROM open_mail"  # no mail is expected to go on
NAMES = {"delivery": {"pseudonymise": 3, "delete": 0}, "noqueue": {"pseudonymise": 3, "delete": 0}}


def test_names_of_a_case_stay(dsn: str, tmp_path: Path) -> None:
    """Pseudonymisation leaves the case, as a dry run says, and takes its names after its day."""
    load(dsn, tmp_path, LINES)
    for what in ("--login", "--sender"):
        assert retain(dsn, what, ME, "--until", str(NEXT_YEAR)) == 0
    run_sql(dsn, OVER)
    last = datetime.combine(NEXT_YEAR, datetime.min.time(), UTC) - timedelta(seconds=1)
    told = preview.preview(dsn, config(dsn, retention=NAMES), last)
    done = retention.clean(dsn, config(dsn, retention=NAMES), last)
    assert [(one["table_name"], one["step"], one["rows"]) for one in told] == [
        (one["table_name"], one["step"], one["rows"]) for one in done
    ]
    kept = left(dsn)
    assert [one for one in kept["recipients"] if one[0] != "~"] == OF_HIS_MAIL
    assert [one for one in kept["logins"] if one[0] != "~"] == [ME, ME]
    assert [one for one in kept["verdicts"] if one[0] != "~"] == [ME]
    clean(dsn, last + timedelta(seconds=1), retention=NAMES)
    kept = left(dsn)
    assert all(one[0] == "~" for name in list(LEFT)[1:] for one in kept[name])


@pytest.mark.parametrize("days", [0, 30])
def test_a_dry_run_tells_the_truth(dsn: str, tmp_path: Path, days: int) -> None:
    """What a dry run says of a table with retained rows is what the clean-up does."""
    load(dsn, tmp_path, LINES)
    assert retain(dsn, "--sender", ME, "--until", str(NEXT_YEAR)) == 0
    keys = {"retention": {"delivery": {"delete": days}, "noqueue": {"delete": 7}}}
    now = datetime.now(UTC)
    told = preview.preview(dsn, config(dsn, **keys), now)
    done = retention.clean(dsn, config(dsn, **keys), now)
    assert [(one["table_name"], one["rows"]) for one in told] == [
        (one["table_name"], one["rows"]) for one in done
    ]


def test_a_customers_case_stays(dsn: str, tmp_path: Path) -> None:
    """Shorter periods of a domain do not take its retained rows."""
    load(dsn, tmp_path, LINES)
    assert retain(dsn, "--sender", "dan@example.org", "--until", str(NEXT_YEAR)) == 0
    run_sql(dsn, OVER)
    customers = {**KEEP, "domains": {"example.org": {"delete": 3}}}
    clean(dsn, retention=customers)
    assert left(dsn)["recipients"] == ["carol@example.net", "erin@example.org", ME]
    assert left(dsn)["verdicts"] == []


def test_history_is_kept(dsn: str, tmp_path: Path) -> None:
    """Earlier attempts belong to the case."""
    load(dsn, tmp_path, LINES)
    run_sql(
        dsn,
        "INSERT INTO delivery_attempt (day, to_id, t, status) SELECT day, id, t_i, 'deferred' FROM delivery_to",
    )
    assert retain(dsn, "--queue-id", "0A01200001", "--until", str(NEXT_YEAR)) == 0
    clean(dsn)
    query = (
        "SELECT recipient FROM delivery_attempt a JOIN delivery_to t ON t.id = a.to_id ORDER BY 1"
    )
    assert [one for (one,) in rows(dsn, query)] == OF_HIS_MAIL


def test_a_kept_case_is_no_failed_clean_up(dsn: str, tmp_path: Path) -> None:
    """`status` finds nothing wrong with old rows that are retained."""
    load(dsn, tmp_path, LINES)
    assert retain(dsn, "--sender", ME, "--until", str(NEXT_YEAR)) == 0
    assert main(["--dsn", dsn, "status"]) == 1  # nothing was cleaned yet
    clean(dsn)
    assert main(["--dsn", dsn, "status"]) == 0


def test_list_and_release(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cases are listed; one that is released goes with the next clean-up."""
    load(dsn, tmp_path, LINES)
    assert retain(dsn, "--list") == 0
    assert "nothing is retained" in capsys.readouterr().out
    assert retain(dsn, "--sender", ME, "--until", str(NEXT_YEAR), "--ticket", "4711") == 0
    assert "case 1: 4 rows are kept until" in capsys.readouterr().out
    assert retain(dsn, "--list", "--format", "json") == 0
    (case,) = json.loads(capsys.readouterr().out)
    assert (case["kind"], case["value"]) == ("sender", ME)
    assert (case["rows"], case["ticket"], case["until"]) == (4, "4711", str(NEXT_YEAR))
    assert retain(dsn, "--release", "1") == 0
    clean(dsn)
    assert left(dsn) == {name: [] for name in LEFT}
    assert retain(dsn, "--release", "1") == 1
    assert "no case 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--queue-id", "0A01200001"],
        ["--queue-id", "", "--until", "2099-01-01"],
        ["--login", "*", "--until", str(NEXT_YEAR)],
        ["--sender", "%", "--until", str(NEXT_YEAR)],
        ["--client", "0.0.0.0/0", "--until", str(NEXT_YEAR)],
        ["--login", "ann", "--until", "soon"],
        ["--login", "ann", "--until", str(TODAY)],
        ["--login", "ann", "--until", "9999-12-31"],
    ],
)
def test_refusals(dsn: str, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """Nobody in particular, no day, or none that lies ahead: refused in one sentence."""
    assert retain(dsn, *arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert rows(dsn, "SELECT count(*) FROM retained") == [(0,)]


def test_forget_leaves_a_case_and_finishes_it_later(
    dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is retained of a person stays until its day, which is said; then he is gone altogether."""
    load(dsn, tmp_path, LINES)
    ((dan,),) = rows(
        dsn, "SELECT sasl_username FROM login WHERE sasl_username LIKE '~%'"
    )  # a guess
    assert retain(dsn, "--queue-id", "0A01200001", "--until", str(NEXT_YEAR)) == 0
    assert main(["--dsn", dsn, "forget", "--yes", ME]) == 1
    assert f"kept by retain until {NEXT_YEAR}" in capsys.readouterr().out
    assert left(dsn) == {
        "queue_ids": ["0A01200001", "0A01200002", "0A01200003"],
        "recipients": [*OF_HIS_MAIL, "erin@example.org"],
        "verdicts": ["frank@example.org"],
        "logins": [dan],
    }
    assert rows(dsn, "SELECT waits_for, done_at FROM erasure") == [(NEXT_YEAR, None)]
    for day, is_left in ((TODAY, True), (NEXT_YEAR, False)):
        retention.clean(dsn, config(dsn), datetime.combine(day, datetime.max.time(), UTC))
        assert bool(found(PLAIN.core, dump(dsn))) is is_left
    assert rows(dsn, "SELECT count(*) FROM erasure WHERE done_at IS NULL") == [(0,)]
    assert left(dsn)["recipients"] == [*OF_HIS_MAIL, "erin@example.org"]


def test_forget_tells_of_a_case_without_rows(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A note that names him, though nothing of him is stored, is told like a kept row."""
    assert retain(dsn, "--login", "qzvoe", "--until", str(NEXT_YEAR)) == 0
    assert main(["--dsn", dsn, "forget", "--yes", "--login", "qzvoe"]) == 1
    assert f"kept by retain until {NEXT_YEAR}" in capsys.readouterr().out


def test_a_released_case_is_forgotten(dsn: str, tmp_path: Path) -> None:
    """Where the case is released before its day, the next clean-up finishes the erasure."""
    load(dsn, tmp_path, LINES)
    assert retain(dsn, "--queue-id", "0A01200001", "--until", str(NEXT_YEAR)) == 0
    assert main(["--dsn", dsn, "forget", "--yes", ME]) == 1
    assert retain(dsn, "--release", "1") == 0
    retention.clean(dsn, config(dsn), datetime.now(UTC))
    assert found(PLAIN.core, dump(dsn)) == []
