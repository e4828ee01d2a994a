"""What a person gets to see of his data, and what of others in it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from journal_postfix.cli import main
from person import DEFERRED, GUESS, PEOPLE, PLAIN, REJECT, Person, load, mail, to, told
from test_store import rows, run_sql

ME = PLAIN.logged
WHO = pytest.mark.parametrize("who", PEOPLE, ids=("plain", "hostile", "wild", "accent", "long"))


def export(capsys: pytest.CaptureFixture[str], dsn: str, *arguments: str) -> dict[str, Any]:
    """Run the command for JSON."""
    capsys.readouterr()
    assert main(["--dsn", dsn, "export", "--format", "json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@WHO
def test_everything_of_him(
    dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], who: Person
) -> None:
    """Every row that he is in is there, in whatever form his address stands in it."""
    load(dsn, tmp_path, told(who))
    found = export(capsys, dsn, who.given)
    for table in ("delivery_from", "delivery_to", "noqueue"):
        have = {row["id"] for row in found[table]}
        key = "r.from_id" if table == "delivery_to" else "r.id"
        query = f"SELECT r.id, r::text FROM {table} r WHERE {key} IS NOT NULL"
        his = {number for number, text in rows(dsn, query) if who.core in text.lower()}
        assert his
        assert his <= have
    assert len(found["login"]) == 2
    assert [row["table"] for row in found["other"]] == ["source"]


LINES = [
    *mail(
        "0A01200001", ME, to("bob@example.org"), f"to=<carol@example.net>, {DEFERRED}".format(about="carol@example.net"),
        extra=f", sasl_method=PLAIN, sasl_username={ME}",
    ),
    *mail("0A01200002", "dan@example.org", to(ME), to("erin@example.org"), extra=", sasl_method=PLAIN, sasl_username=dan"),
    *mail("0A01200003", "dan@example.org", to("erin@example.org")),
    REJECT.format(sender="frank@example.org", to=ME),
    GUESS.format(login=ME),
]  # fmt: skip


def test_others_are_masked(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of other people a letter and the domain are left, of their clients and logins nothing."""
    load(dsn, tmp_path, LINES)
    found = export(capsys, dsn, ME)
    told = json.dumps(found)
    for name in ("bob", "carol", "dan", "erin", "frank", "192.0.2.66", "198.51.100.99"):
        assert name not in told
    assert {row["recipient"] for row in found["delivery_to"]} == {
        ME, "b***@example.org", "c***@example.net",
    }  # fmt: skip
    sent, got = sorted(found["delivery_from"], key=lambda row: str(row["queue_id"]))
    assert (sent["sender"], sent["client_address"], sent["sasl_username"]) == (
        ME,
        "203.0.113.77",
        ME,
    )
    assert (got["sender"], got["client_address"], got["sasl_username"]) == (
        "d***@example.org",
        "***",
        "***",
    )
    reasons = {row["reason"] for row in found["delivery_to"]}
    assert "host mx.example.net[198.51.100.25] said: 450 4.2.0 <c***@example.net>: later" in reasons
    assert [row["sender"] for row in found["noqueue"]] == ["f***@example.org"]


def test_full(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --full others are shown; mails that are not his still are not."""
    load(dsn, tmp_path, LINES)
    found = export(capsys, dsn, ME, "--full")
    assert {row["recipient"] for row in found["delivery_to"]} == {
        ME, "bob@example.org", "carol@example.net",
    }  # fmt: skip
    assert {row["sender"] for row in found["delivery_from"]} == {ME, "dan@example.org"}
    assert found["noqueue"][0]["client_address"] == "192.0.2.66"
    assert "0A01200003" not in json.dumps(found)


def test_history(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Earlier attempts of deliveries to him are there."""
    load(
        dsn,
        tmp_path,
        mail("0A01200001", "bob@example.org", f"to=<{ME}>, {DEFERRED.format(about=ME)}", to(ME)),
    )
    found = export(capsys, dsn, ME)
    assert [row["status"] for row in found["delivery_attempt"]] == ["deferred"]


def test_it_begins_with_his_rights(
    dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Purposes, periods and rights come first, in the words of the configuration."""
    path = tmp_path / "main.yml"
    path.write_text(
        "privacy: {controller: Example Ltd, rights: All of them}\nretention: {delivery: {delete: 11}}\n"
    )
    assert main(["--config", str(path), "--dsn", dsn, "export", ME]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "PRIVACY\nperson: qzvoe@example.com\ncontroller: Example Ltd\npurposes: "
    )
    assert "period of mails: deleted after 11 days." in said
    assert "period of refusals: deleted after 7 days." in said
    assert "rights: All of them" in said
    assert "DELIVERY_FROM: 0" in said


def test_pseudonymised_rows(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows that hold the hash of his address or login instead of it are his, too."""
    load(dsn, tmp_path, LINES[:6])
    run_sql(
        dsn,
        "INSERT INTO hash_key (purpose, month, key) VALUES ('pseudonym', '2025-03-01', 'k')",
        "UPDATE delivery_from SET sasl_username = '~' || keyed_hash(sasl_username, hash_masks('k')), sender = 'x@example.org'",
        "UPDATE delivery_to SET recipient = 'x@example.org'",
    )
    assert len(export(capsys, dsn, ME)["delivery_from"]) == 1
    assert len(export(capsys, dsn, "--login", ME)["delivery_from"]) == 1


def test_formats(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same rows as text and as CSV; control characters reach no terminal."""
    load(dsn, tmp_path, [*LINES, *mail("0A01200009", ME, to("bob@example.org"))])
    run_sql(
        dsn, "UPDATE delivery_from SET subject = E'red \\x1b[31m' WHERE queue_id = '0A01200009'"
    )
    assert main(["--dsn", dsn, "export", ME]) == 0
    said = capsys.readouterr().out
    assert "DELIVERY_FROM: 3" in said
    assert "\x1b" not in said
    assert main(["--dsn", dsn, "export", ME, "--format", "csv"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    senders = [
        one["value"] for one in lines if (one["section"], one["key"]) == ("delivery_from", "sender")
    ]
    assert sorted(senders) == ["d***@example.org", ME, ME]


@pytest.mark.parametrize("arguments", [[], ["*"], ["@example.com"], ["--tag"], ["--domain", "%"]])
def test_refusals(dsn: str, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """Without a key, or with one that is none, nothing is shown."""
    assert main(["--dsn", dsn, "export", *arguments]) == 2
    assert capsys.readouterr().out == ""


def test_who_looked_is_noted(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An export is noted before it is shown; where a ticket is needed, none shows nothing."""
    load(dsn, tmp_path, LINES)
    path = tmp_path / "main.yml"
    path.write_text("require_ticket: true\n")
    command = ["--config", str(path), "--dsn", dsn, "export", ME]
    capsys.readouterr()
    assert main(command) == 2
    assert capsys.readouterr().out == ""
    assert main([*command, "--ticket", "Art. 15"]) == 0
    noted = "SELECT command, keys_hash = ARRAY[access_hash('qzvoe@example.com')], rows, ticket FROM access_log"
    assert rows(dsn, noted) == [("export", True, 8, "Art. 15")]


def test_a_domain(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a customer: all that concerns the addresses of his domain, those of others masked."""
    load(dsn, tmp_path, LINES)
    found = export(capsys, dsn, "--domain", "example.org")
    assert {row["sender"] for row in found["delivery_from"]} == {
        "dan@example.org",
        "q***@example.com",
    }
    assert {row["recipient"] for row in found["delivery_to"]} == {
        "bob@example.org", "erin@example.org", "q***@example.com",
    }  # fmt: skip
