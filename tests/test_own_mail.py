"""A user's own mail: what he sent and got, told once each, with nothing of others; hostile texts too."""

from __future__ import annotations

import csv
import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

import stories
from test_cli import call, refused
from test_store import rows, run_sql
from tracing import load_log

Row = dict[str, Any]

KEEP = "retention: {delivery: {delete: 0}, noqueue: {delete: 0}}"
SHOWN = ("direction", "sender", "recipient", "fate")


def mail_of(dsn: str, *arguments: Any) -> list[Row]:
    """Ask the function."""
    marks = ", ".join(["%s"] * len(arguments))
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM mail_of({marks})", arguments)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def told(dsn: str, address: str) -> list[tuple[Any, ...]]:
    """Direction, sender, recipient and fate of each row."""
    return [tuple(row[name] for name in SHOWN) for row in mail_of(dsn, address)]


def loaded(dsn: str, folder: Path, *names: str) -> None:
    """Load logs of other tests."""
    for name in names:
        load_log(name, dsn, folder)


def asked(dsn: str, tmp_path: Path, *options: str) -> Any:
    """Run trace --as."""
    path = tmp_path / "main.yml"
    path.write_text(f"dsn: {json.dumps(dsn)}\n{KEEP}\n")
    return call("--config", str(path), "trace", *options)


# --- what is told ---------------------------------------------------------------------------


def test_sender_sees_what_he_wrote(dsn: str, tmp_path: Path) -> None:
    """Each recipient as he gave it, once, with the fate at the end of the way over filter and hosts."""
    loaded(dsn, tmp_path, "help_desk")
    bob = "bob@example.com"
    assert [row for row in told(dsn, "Bob@Example.COM") if row[0] == "sent"] == [
        ("sent", bob, "ann@example.com", "delivered"),
        ("sent", bob, "dave@example.net", "waiting"),
        ("sent", bob, "erin@example.org", "returned"),
        ("sent", bob, "sales@example.com", "accepted elsewhere"),
    ]


def test_recipient_sees_what_came(dsn: str, tmp_path: Path) -> None:
    """Mail to him is told once, with its sender, from his address as he knows it."""
    loaded(dsn, tmp_path, "help_desk")
    assert told(dsn, "erin@example.org") == [
        ("received", "bob@example.com", "erin@example.org", "returned")
    ]
    for address in ("sales@example.com", "carol@example.org"):
        assert told(dsn, address) == [
            ("received", "bob@example.com", address, "accepted elsewhere")
        ]


def test_refusals_are_told(dsn: str, tmp_path: Path) -> None:
    """What was refused at the door, on its way to him, with or without a queue id."""
    loaded(dsn, tmp_path, "greylisted")
    fates = [row[3] for row in told(dsn, "ann@example.com")]
    assert fates == ["refused", "refused", "delivered", "refused"]


def test_alias_of_several_has_one_fate(dsn: str, tmp_path: Path) -> None:
    """Who wrote to an alias is not told who stands behind it, but the worst that happened."""
    lines = """\
2025-03-03T10:00:00+00:00 mx1 postfix/submission/smtpd[1]: 3C5D120ABF: client=pc[192.0.2.9], sasl_method=PLAIN, sasl_username=ann
2025-03-03T10:00:00+00:00 mx1 postfix/qmgr[3]: 3C5D120ABF: from=<ann@example.org>, size=400, nrcpt=3 (queue active)
2025-03-03T10:00:01+00:00 mx1 postfix/virtual[4]: 3C5D120ABF: to=<bob@example.com>, orig_to=<all@example.com>, relay=virtual, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (delivered to maildir)
2025-03-03T10:00:01+00:00 mx1 postfix/virtual[4]: 3C5D120ABF: to=<eve@example.com>, orig_to=<all@example.com>, relay=virtual, delay=1, delays=1/0/0/0, dsn=5.1.1, status=bounced (unknown user: "eve@example.com")
2025-03-03T10:00:01+00:00 mx1 postfix/virtual[4]: 3C5D120ABF: to=<dan@example.com>, orig_to=<all@example.com>, relay=virtual, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (delivered to maildir)
"""
    path = tmp_path / "mail.log"
    path.write_text(lines)
    stories.load_files(
        dsn, stories.configured([stories.read_stories()[0]]), [lines.splitlines(True)], tmp_path
    )
    (row,) = mail_of(dsn, "ann@example.org")
    assert [row[name] for name in SHOWN] == [
        "sent",
        "ann@example.org",
        "all@example.com",
        "returned",
    ]
    assert row["reason"] == "unknown user: ..."
    assert told(dsn, "dan@example.com") == [
        ("received", "ann@example.org", "dan@example.com", "delivered")
    ]


@pytest.mark.parametrize(
    "name",
    [
        "forwarded",
        "content_filter",
        "alias_expansion",
        "requeued_in_bulk",
        "mixed_results",
    ],
)
def test_every_mail_is_told_once(dsn: str, tmp_path: Path, name: str) -> None:
    """No mail is told to its recipient twice, whatever it went through."""
    loaded(dsn, tmp_path, name)
    recipients = rows(dsn, "SELECT DISTINCT lower(coalesce(orig_to, recipient)) FROM delivery_to")
    assert recipients
    for (recipient,) in recipients:
        got = [row for row in mail_of(dsn, recipient) if row["direction"] == "received"]
        assert got
        assert len({(row["t"], row["sender"], row["size"]) for row in got}) == len(got)
        assert not {row["fate"] for row in got} & {"filtered on", "handed on"}


def test_mail_in_his_name_from_elsewhere_hides_its_recipient(dsn: str, tmp_path: Path) -> None:
    """Who forges a sender, or forwards to an address of ours, does not show it to the owner."""
    loaded(dsn, tmp_path, "greylisted")
    got = [row for row in told(dsn, "pat@example.net") if row[0] == "sent"]
    assert got
    assert {row[2] for row in got} == {None}


# --- what is not ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "",
        "<>",
        "%",
        "%@%",
        "*",
        "@example.com",
        "ann",
        "x' OR true --@example.com",
        "_@example.org",
    ],
)
def test_what_is_no_address_finds_nothing(dsn: str, tmp_path: Path, address: str) -> None:
    """The empty sender, patterns and SQL are data, and nobody's mail."""
    loaded(dsn, tmp_path, "help_desk", "greylisted")
    assert mail_of(dsn, address) == []


def test_columns_are_fixed(dsn: str, tmp_path: Path) -> None:
    """There is no client, login, id or Message-ID, and none in the texts."""
    loaded(dsn, tmp_path, "help_desk", "greylisted", "content_filter", "forwarded")
    everybody = rows(
        dsn,
        "SELECT sender FROM delivery_from UNION SELECT recipient FROM delivery_to"
        " UNION SELECT orig_to FROM delivery_to",
    )
    addresses = {one.lower() for (one,) in everybody if one}
    secrets = rows(
        dsn,
        "SELECT unnest(ARRAY[host(client_address), client_name, sasl_username, queue_id, message_id])"
        " FROM delivery_from UNION SELECT unnest(ARRAY[host(client_address), helo_name]) FROM noqueue"
        " UNION SELECT next_queue_id FROM delivery_to",
    )
    for address in addresses:
        for row in mail_of(dsn, address):
            assert set(row) == {
                "t", "direction", "sender", "recipient", "size", "fate", "status", "dsn", "reason",
                "attempts", "t_last",
            }  # fmt: skip
            text = f" {row['reason']} ".lower()
            assert not [one for one in addresses if one in text]
            assert not [one for (one,) in secrets if one and f" {one} ".lower() in text]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("250 2.0.0 <bob@example.com> 7f3 Saved", "250 2.0.0 <...> 7f3 Saved"),
        ('unknown user: "bob"', "unknown user: ..."),
        ('"a b"@example.com is no user', "... is no user"),
        ('"a\\"b c"@example.com is no user', "... is no user"),
        ("bob@example.com, eve@example.com: no", "..., ...: no"),
        ("open <bob@example.com and never closed", "open <...>"),
        ('open "bob@example.com and never closed', "open ..."),
        ("host mx.example.org[192.0.2.7] said: 550 no", "host mx.example.org... said: 550 no"),
        ("host mx.example.org[2001:db8::7] said: 550 no", "host mx.example.org... said: 550 no"),
        ("blocked, see https://bl.example/q?ip=192.0.2.7&a=b", "blocked, see https://bl.example/q..."),
        ("see http://spf.example/why;id=ann%40example.org", "see http://spf.example/why..."),
        ("id=ann%40example.org;ip=192.0.2.7", "..."),
        ("Client host 192.0.2.7 blocked; 2001:db8::7 too", "Client host ... blocked; ... too"),
        ("delivered to file: /home/bob/mbox", "delivered to file: ..."),
        ("can't create user output file. Command output: (/home/bob)", "can't create user output file. Command output: (..."),
        ("Sender address rejected: not owned by user mallory", "Sender address rejected: not owned by user ..."),
        ("250 2.0.0 Ok: queued as 4fK2Xq1Zz9Y", "250 2.0.0 Ok: queued as ..."),
        ("forwarded as 4fK2Xq1Zz9Y", "forwarded as ..."),
        ("SRS0=AbC=dE=example.net=eve@example.org unknown", "SRS0=AbC=dE=example.net=... unknown"),
        ("451 4.7.1 Please try again later", "451 4.7.1 Please try again later"),
    ],
)  # fmt: skip
def test_answers_without_people(dsn: str, text: str, masked: str) -> None:
    """An answer keeps its sense and loses addresses, clients, paths, logins, ids."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT without_people(%s)", (text,))
        assert cursor.fetchone() == (masked,)


def test_period_and_number(dsn: str, tmp_path: Path) -> None:
    """Only what began in the period, and of it the latest."""
    loaded(dsn, tmp_path, "greylisted")
    ann = "ann@example.com"
    whole = mail_of(dsn, ann)
    t = whole[2]["t"]
    assert mail_of(dsn, ann, t) == whole[2:]
    assert mail_of(dsn, ann, "-infinity", t) == whole[:2]
    assert mail_of(dsn, ann, t, t) == []
    assert [row["t"] for row in mail_of(dsn, ann, "-infinity", "infinity", 1)][-1] == whole[-1]["t"]


def test_indexes_find_it(dsn: str, tmp_path: Path) -> None:
    """No table is read from end to end, whatever the server thinks of its size."""
    loaded(dsn, tmp_path, "help_desk")
    run_sql(dsn, "ANALYZE", "SELECT pg_stat_reset()")
    mail_of(dsn, "bob@example.com", "2025-01-01", "2025-12-31")
    run_sql(dsn, "SELECT pg_stat_force_next_flush()") if version(dsn) >= 150000 else None
    read = rows(
        dsn,
        "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE seq_tup_read > 0"
        " AND relname ~ '^(delivery_|noqueue)'",
    )
    assert read == []


def version(dsn: str) -> int:
    """The server's."""
    with closing(psycopg2.connect(dsn)) as connection:
        return connection.server_version


# --- the command ----------------------------------------------------------------------------


def test_text(dsn: str, tmp_path: Path) -> None:
    """It reads like trace, without what the user may not see."""
    loaded(dsn, tmp_path, "help_desk", "greylisted")
    said = asked(dsn, tmp_path, "--as", "bob@example.com", "--timezone", "UTC")
    assert said.status == 0, said
    golden = Path(__file__).parent / "own_mail.txt"
    if os.environ.get("RENEW"):
        golden.write_text(said.out)
    assert said.out == golden.read_text()


def test_other_formats(dsn: str, tmp_path: Path) -> None:
    """JSON and CSV have the function's rows and columns."""
    loaded(dsn, tmp_path, "help_desk")
    expected = mail_of(dsn, "bob@example.com")
    found = json.loads(asked(dsn, tmp_path, "--as", "bob@example.com", "--format", "json").out)
    assert [list(row) for row in found] == [list(row) for row in expected]
    assert [row["fate"] for row in found] == [row["fate"] for row in expected]
    lines = asked(dsn, tmp_path, "--as", "bob@example.com", "--format", "csv").out.splitlines()
    assert [row["recipient"] for row in csv.DictReader(lines)] == [
        row["recipient"] for row in expected
    ]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--status", "waiting"), 2), (("--status", "bounced"), 1), (("--limit", "2"), 2),
        (("--since", "2025-03-03 10:00Z", "--until", "2025-03-03 23:00Z"), 1), ((), 7),
        (("--status", "waiting", "--limit", "1"), 1),
    ],
    ids=str,
)  # fmt: skip
def test_options(dsn: str, tmp_path: Path, options: tuple[str, ...], count: int) -> None:
    """The period, a fate or a status, and a number narrow it."""
    loaded(dsn, tmp_path, "help_desk")
    said = asked(dsn, tmp_path, "--as", "<Bob@example.com>", "--format", "json", *options)
    assert len(json.loads(said.out)) == count
    assert ("--limit" in said.err) == ("--limit" in options)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--as", "@example.com"), "not one whole address"),
        (("--as", "*@example.com"), "not one whole address"),
        (("--as", "ann"), "not one whole address"),
        (("--as", ""), "is empty"),
        (("--as", "<>"), "not one whole address"),
        (("--as", "a@example.com", "--recipient", "b@example.com"), "--recipient does not go with"),
        (("--as", "a@example.com", "--client", "192.0.2.1"), "--client does not go with"),
        (("--as", "a@example.com", "--follow"), "--follow does not go with"),
        (("--as", "a@example.com", "--open"), "--open does not go with"),
    ],
)
def test_bad_options(dsn: str, tmp_path: Path, options: tuple[str, ...], word: str) -> None:
    """What would show more, or is no address, is wrong usage."""
    refused(asked(dsn, tmp_path, *options), 2, word)


def test_a_look_is_noted(dsn: str, tmp_path: Path) -> None:
    """Who may note it notes that he looked as somebody."""
    loaded(dsn, tmp_path, "help_desk")
    asked(dsn, tmp_path, "--as", "erin@example.org", "--ticket", "HD-2")
    found = "SELECT command, keys_hash = ARRAY[access_hash('erin@example.org')], rows, ticket FROM access_log"
    assert rows(dsn, found) == [("trace", True, 1, "HD-2")]


def test_without_tables(empty_dsn: str, tmp_path: Path) -> None:
    """A database without the function is told so in a sentence."""
    refused(asked(empty_dsn, tmp_path, "--as", "a@example.com"), 1, "journal-postfix setup")
