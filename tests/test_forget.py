"""Forgetting a person: nothing of him is left anywhere, and everything of all others is."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Timer

import psycopg2
import pytest

from journal_postfix import erasing, free_space, holdings, retention
from journal_postfix.cli import main
from journal_postfix.database import PLAIN_SETTINGS, connect
from journal_postfix.forgetting import Forgetting
from journal_postfix.people import Key, pattern
from journal_postfix.people import Person as Forgotten
from journal_postfix.store import Horizon
from journal_postfix.writer import Mark
from person import (
    DEFERRED,
    GUESS,
    PEOPLE,
    PLAIN,
    Person,
    analyse,
    config,
    dump,
    dumped,
    load,
    mail,
    to,
    told,
)
from test_roles import Logins, logins, names
from test_store import NOON, batch, open_writer, position, rows, run_sql

__all__ = ["logins", "names"]  # fixtures

WHO = pytest.mark.parametrize("who", PEOPLE, ids=("plain", "hostile", "wild", "accent", "long"))
ME = PLAIN.logged
SOURCES = ("DELETE FROM source", "DELETE FROM stored_span")

OTHERS_MAIL = [
    ("SELECT sender, message_id, client_name FROM delivery_from WHERE queue_id = '0A0120000F'",
     [("bob@example.org", "<others@example.org>", "mail.example.org")]),
    ("SELECT recipient, status FROM delivery_to WHERE queue_id = '0A0120000F'",
     [("carol@example.net", "sent")]),
    ("SELECT sender, recipient FROM noqueue WHERE reason LIKE '<dan%Relay access denied'",
     [("bob@example.org", "dan@example.net")]),
]  # fmt: skip


def forget(dsn: str, *arguments: str) -> int:
    """Run the command."""
    return main(["--dsn", dsn, "forget", "--yes", *arguments])


def found(core: str, dumped: str) -> list[str]:
    """Where in a dump he is, each with what stands around it."""
    text = dumped.lower()
    return [text[max(0, one.start() - 60) : one.end() + 40] for one in re.finditer(core, text)]


def unchanged(dsn: str) -> str:
    """A dump without what differs from one dump to the next, and without who looked."""
    looked = ("--exclude-table-data=access_log", "--exclude-table-data=hash_key")
    return re.sub(r"\\(?:un)?restrict \S+", "", dumped(dsn, *looked))


# --- nothing is left --------------------------------------------------------------------------


@WHO
def test_no_dump_holds_him(dsn: str, tmp_path: Path, who: Person) -> None:
    """Afterwards a dump of the database holds his address in no form, and others' mail whole."""
    load(dsn, tmp_path, told(who))
    analyse(dsn)
    assert who.core in dump(dsn).lower()
    assert forget(dsn, who.given) == 0
    assert found(who.core, dump(dsn)) == []
    for query, expected in OTHERS_MAIL:
        assert rows(dsn, query) == expected


@WHO
def test_old_lines_do_not_bring_him_back(dsn: str, tmp_path: Path, who: Person) -> None:
    """The same lines from a source that nobody remembers are stored without him."""
    load(dsn, tmp_path, told(who))
    assert forget(dsn, who.given) == 0
    run_sql(dsn, *SOURCES)
    load(dsn, tmp_path, told(who), "again.log")
    assert found(who.core, dump(dsn)) == []
    sent = "SELECT count(*) FROM delivery_to WHERE recipient = 'carol@example.net'"
    assert rows(dsn, sent)[0][0] > len(who.forms)


def test_first_told_after_he_was_forgotten(dsn: str, tmp_path: Path) -> None:
    """Of old lines that come only afterwards, others' rows are stored, and nothing that is his."""
    assert forget(dsn, PLAIN.given) == 0
    load(dsn, tmp_path, told(PLAIN))
    assert found(PLAIN.core, dump(dsn)) == []
    mails = "SELECT DISTINCT sender, client_name, sasl_username FROM delivery_from WHERE queue_id = '0A01200001'"
    assert rows(dsn, mails) == [(None, None, None)]
    tos = "SELECT recipient FROM delivery_to WHERE queue_id = '0A01200001' ORDER BY 1"
    assert rows(dsn, tos) == [("bob@example.org",), ("carol@example.net",)]


def test_newer_mail_of_him_is_stored(dsn: str, tmp_path: Path) -> None:
    """What he does afterwards is logged as ever."""
    load(dsn, tmp_path, told(PLAIN))
    assert forget(dsn, ME) == 0
    later = datetime.now(UTC) + timedelta(milliseconds=1)
    load(dsn, tmp_path, mail("0A0120000E", ME, to("bob@example.org")), "new.log", later)
    assert rows(dsn, "SELECT sender FROM delivery_from WHERE queue_id = '0A0120000E'") == [(ME,)]


def test_others_keep_their_rows(dsn: str, tmp_path: Path) -> None:
    """Of a mail he sent, others' rows stay, and its own loses what is his."""
    load(dsn, tmp_path, told(PLAIN))
    assert forget(dsn, ME) == 0
    (row,) = rows(
        dsn,
        "SELECT sender, sasl_username, sasl_sender, client_name, client_address, message_id"
        " FROM delivery_from WHERE queue_id = '0A01200001'",
    )
    assert row == (None, None, None, None, None, "<0A01200001@pc.example.com>")
    tos = "SELECT recipient, orig_to FROM delivery_to WHERE queue_id IN ('0A01200001', '0A01200003') ORDER BY queue_id, 1"
    assert rows(dsn, tos) == [
        ("bob@example.org", None),
        ("carol@example.net", None),
        ("bob2@example.org", "***"),
        ("carol@example.net", None),
    ]
    assert rows(dsn, "SELECT count(*) FROM delivery_from WHERE queue_id = '0A01200202'") == [(0,)]
    history = "SELECT a.reason FROM delivery_attempt a JOIN delivery_to t ON t.id = a.to_id WHERE queue_id = '0A01200003'"
    assert rows(dsn, history) == [
        ("host mx.example.net[198.51.100.25] said: 450 4.2.0 <***>: later",)
    ]


def test_words_in_other_tables(dsn: str, tmp_path: Path) -> None:
    """Nothing of him stays in names of sources, remarks on gaps, and what was not recognised."""
    (tmp_path / ME).mkdir()
    load(dsn, tmp_path, told(PLAIN), f"{ME}/mail.log")
    run_sql(
        dsn,
        f"INSERT INTO gap (reason) VALUES ('the file /var/log/{ME} was cut')",
        f"INSERT INTO unrecognised (daemon, shape, example, count) VALUES ('x', 'a {ME}', 'a', 1), ('y', 'a', 'a {ME}', 1)",
    )
    assert forget(dsn, ME) == 0
    assert found(PLAIN.core, dump(dsn)) == []
    assert rows(dsn, "SELECT example FROM unrecognised WHERE daemon = 'y'") == [("a ***",)]


def test_pseudonymised_rows_go_too(dsn: str, tmp_path: Path) -> None:
    """Rows that hold the hash of his address instead of it are found while its key is there."""
    lines = [
        *mail("0A01200001", "bob@example.org", to(ME), to("carol@example.net")),
        *mail("0A01200002", ME, to("carol@example.net")),
        *mail("0A01200003", "bob@example.org", to("carol@example.net")),
        GUESS.format(login=ME),
        GUESS.format(login="bob"),
    ]
    load(dsn, tmp_path, lines)
    run_sql(dsn, "DELETE FROM open_mail")  # no mail is expected to go on
    days = {"pseudonymise": 1, "delete": 0}
    both = {"delivery": days, "noqueue": days}
    retention.clean(dsn, config(dsn, retention=both), datetime.now(UTC))
    assert found(PLAIN.core, dump(dsn)) == []
    assert forget(dsn, ME) == 0
    left = "SELECT recipient LIKE '~%@example.net' FROM delivery_to"
    assert rows(dsn, left) == [(True,)] * 3
    sent = "SELECT queue_id, sender LIKE '~%@example.org' FROM delivery_from ORDER BY 1"
    assert rows(dsn, sent) == [("0A01200001", True), ("0A01200002", None), ("0A01200003", True)]
    assert rows(dsn, "SELECT count(*) FROM login") == [(1,)]


def test_a_table_that_is_empty_afterwards(dsn: str, tmp_path: Path) -> None:
    """Samples of a table are gone too where none of its rows is left."""
    guess = GUESS.format(login=ME)
    lines = [*mail("0A01200001", ME, to(ME)), *mail("0A01200002", ME, to(ME)), guess]
    load(dsn, tmp_path, [*lines, guess.replace("198.51.100.99", "198.51.100.98")])
    analyse(dsn)
    samples = "SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = 'public' AND most_common_vals::text ~ 'qzvoe|~'"
    assert {"delivery_from", "delivery_to", "login"} <= {name for (name,) in rows(dsn, samples)}
    assert forget(dsn, ME) == 0
    assert rows(dsn, "SELECT count(*) FROM delivery_from") == [(0,)]
    assert rows(dsn, "SELECT count(*) FROM login") == [(0,)]
    assert found(PLAIN.core, dump(dsn)) == []
    assert rows(dsn, samples) == []


def _files(dsn: str) -> bool:
    """Whether he is in a file of a table of ours."""
    run_sql(dsn, "CHECKPOINT")
    query = (
        "SELECT bool_or(position(%s::bytea IN pg_read_binary_file(pg_relation_filepath(oid))) > 0)"
        " FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND pg_relation_size(oid) > 0"
    )
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query, (PLAIN.core.encode(),))
        return bool(cursor.fetchall()[0][0])


def test_rewritten_files_do_not_hold_him(dsn: str, tmp_path: Path) -> None:
    """With --rewrite the free space in the tables' files is gone as well."""
    load(dsn, tmp_path, told(PLAIN))
    assert _files(dsn)
    assert forget(dsn, ME, "--rewrite") == 0
    assert not _files(dsn)


def test_rewriting_later(dsn: str, tmp_path: Path) -> None:
    """Whoever was forgotten without --rewrite can have it done afterwards."""
    load(dsn, tmp_path, told(PLAIN))
    assert forget(dsn, ME) == 0
    assert _files(dsn)
    assert forget(dsn, ME, "--rewrite") == 0
    assert not _files(dsn)


def test_rewriting_waits_for_older_readers(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an open transaction may see cannot go out of the files: it is waited for, and then said."""
    load(dsn, tmp_path, told(PLAIN))
    monkeypatch.setattr(free_space, "PATIENCE", 0.3)
    with closing(psycopg2.connect(dsn)) as reader, reader.cursor() as cursor:
        reader.set_session(isolation_level="REPEATABLE READ")
        cursor.execute("SELECT count(*) FROM host")  # the tables themselves are not locked by it
        assert forget(dsn, ME, "--rewrite") == 1
        assert "transactions that began before are still open (1)" in capsys.readouterr().out
        assert _files(dsn)
        monkeypatch.setattr(free_space, "PATIENCE", 60.0)
        end = Timer(1.0, reader.rollback)
        end.start()
        assert forget(dsn, ME, "--rewrite") == 0
        end.join()
    assert not _files(dsn)


def test_rewriting_waits_for_writers_elsewhere(
    dsn: str, empty_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who begins to read while another database's transaction writes keeps what was there before it."""
    load(dsn, tmp_path, told(PLAIN))
    monkeypatch.setattr(free_space, "PATIENCE", 0.3)
    with closing(psycopg2.connect(empty_dsn)) as writer, writer.cursor() as cursor:
        cursor.execute("CREATE TABLE somewhere_else ()")
        assert forget(dsn, ME, "--rewrite") == 1
        assert _files(dsn)
        writer.rollback()
        assert forget(dsn, ME, "--rewrite") == 0
    assert not _files(dsn)


@pytest.fixture
def clerk(dsn: str) -> Iterator[str]:
    """A role that may change rows and owns no table."""
    name = f"clerk_{uuid.uuid4().hex}"
    run_sql(
        dsn,
        f"CREATE ROLE {name} LOGIN",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}",
        f"GRANT EXECUTE ON FUNCTION note_access TO {name}",
    )
    yield name
    run_sql(dsn, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_a_role_that_owns_nothing(
    dsn: str, tmp_path: Path, clerk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows go all the same; what only the owner can do is said, and ends with exit status 1."""
    load(dsn, tmp_path, told(PLAIN))
    run_sql(dsn, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {clerk}")
    analyse(dsn)
    as_clerk = f"{dsn} options='-c role={clerk}'"
    assert forget(as_clerk, ME, "--rewrite") == 1
    said = capsys.readouterr().out
    assert "statistics still hold" in said
    assert "were not written anew" in said
    assert "the tables' owner has to repeat this command" in said
    assert forget(dsn, ME, "--rewrite") == 0
    assert found(PLAIN.core, dump(dsn)) == []


def test_the_services_role(logins: Logins, tmp_path: Path) -> None:
    """The role of the service can do all of it, and sees who was forgotten by no name."""
    load(logins.writer, tmp_path, told(PLAIN))
    analyse(logins.admin)
    assert forget(logins.writer, ME, "--rewrite") == 0
    assert found(PLAIN.core, dump(logins.admin)) == []
    assert not _files(logins.admin)


# --- who is meant -----------------------------------------------------------------------------


def senders(dsn: str) -> list[str]:
    """The senders that are stored."""
    query = "SELECT DISTINCT sender FROM delivery_from WHERE sender IS NOT NULL ORDER BY 1"
    return [sender for (sender,) in rows(dsn, query)]


def _from_each(dsn: str, folder: Path, *addresses: str) -> None:
    lines = [
        line
        for number, address in enumerate(addresses)
        for line in mail(f"0A012000{number:02d}", address, to("bob@example.org"))
    ]
    load(dsn, folder, lines)


def test_similar_addresses_stay(dsn: str, tmp_path: Path) -> None:
    """Wildcards, boundaries and domains: whoever is only alike is somebody else."""
    others = [
        "aXbYc@example.com",
        "a_b%c@example.org",
        "a_b%c@sub.example.com",
        "xa_b%c@example.com",
    ]
    _from_each(dsn, tmp_path, "a_b%c@example.com", *others)
    assert forget(dsn, "a_b%c@example.com") == 0
    assert senders(dsn) == sorted(others)


def test_tags(dsn: str, tmp_path: Path) -> None:
    """name+tag@ is the person with --tag only, and then old lines of it stay away as well."""
    _from_each(dsn, tmp_path, "ann@example.com", "ann+shop@example.com", "anna+x@example.com")
    assert forget(dsn, "ann@example.com") == 0
    assert senders(dsn) == ["ann+shop@example.com", "anna+x@example.com"]
    assert forget(dsn, "ann@example.com", "--tag") == 0
    assert senders(dsn) == ["anna+x@example.com"]
    load(dsn, tmp_path, mail("0A01200009", "ann+new@example.com", to("bob@example.org")), "b.log")
    assert senders(dsn) == ["anna+x@example.com"]


def test_domain(dsn: str, tmp_path: Path) -> None:
    """A customer's domain is all its addresses, and none of its subdomains."""
    kept = ["ann@example.org", "ann@sub.example.com"]
    _from_each(dsn, tmp_path, "ann@example.com", "Bob@EXAMPLE.com", *kept)
    assert forget(dsn, "--domain", "example.com") == 0
    assert senders(dsn) == kept
    load(dsn, tmp_path, mail("0A01200009", "new@example.com", to("bob@example.org")), "b.log")
    assert senders(dsn) == kept


def test_login(dsn: str, tmp_path: Path) -> None:
    """A login name is his mails by it, its logins, and what names him as a user."""
    login = ", sasl_method=PLAIN, sasl_username=Qzvoe"
    lines = [
        *mail("0A01200001", "x@example.com", to("bob@example.org"), extra=login),
        *mail("0A01200002", "carol@example.net", to("bob@example.org")),
        "smtpd[74]: warning: unknown[198.51.100.99]: SASL PLAIN authentication failed: no, sasl_username=qzvoe",
        (
            "smtpd[75]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 553 5.7.1 <bob@example.com>: Sender"
            " address rejected: not owned by user qzvoe; from=<bob@example.com> to=<x@example.net> proto=SMTP helo=<x>"
        ),
        "pickup[76]: 0A01200003: uid=1000 from=<qzvoe>",
        "qmgr[9]: 0A01200003: from=<other@example.com>, size=4, nrcpt=1 (queue active)",
    ]
    load(dsn, tmp_path, lines)
    analyse(dsn)
    assert forget(dsn, "--login", "QZVOE") == 0
    assert found("qzvoe", dump(dsn)) == []
    assert senders(dsn) == ["carol@example.net"]
    assert rows(dsn, "SELECT sender FROM noqueue") == [("bob@example.com",)]
    run_sql(dsn, *SOURCES)
    load(dsn, tmp_path, lines, "again.log")
    assert found("qzvoe", dump(dsn)) == []


# --- a running service ------------------------------------------------------------------------

QUEUED = [
    ("smtpd", "3C5D120AB1: client=mail.example.org[192.0.2.10], sasl_method=PLAIN, sasl_username=qzvoe@example.com"),
    ("cleanup", "3C5D120AB1: message-id=<1@example.org>"),
    ("qmgr", "3C5D120AB1: from=<qzvoe@example.com>, size=400, nrcpt=1 (queue active)"),
]  # fmt: skip
RECORD = [("smtp", f"3C5D120AB1: to=<bob@example.net>, {DEFERRED.format(about=ME)}")]
OPEN_SESSION = [
    ("smtpd", "connect from pc.example.com[203.0.113.77]"),
    ("smtpd", (f"NOQUEUE: hold: RCPT from pc.example.com[203.0.113.77]: <pc>: Helo command triggers HOLD action;"
     f" from=<{ME}> to=<bob@example.org> proto=ESMTP helo=<pc>")),
]  # fmt: skip


def test_a_running_writer_learns_of_it(dsn: str) -> None:
    """A session that remembers a mail of his does not write him again, but what is new."""
    with open_writer(dsn) as session:
        source = session.new_source(position(0))
        (source,) = session.store(batch(QUEUED), [Mark(source, position(1))], Horizon())
        assert forget(dsn, ME) == 0
        later = NOON + timedelta(minutes=1)
        told_next = batch([*RECORD, *QUEUED[2:], *OPEN_SESSION], later)
        (source,) = session.store(told_next, [Mark(source, position(2))], Horizon())
        assert found(PLAIN.core, dump(dsn)) == []
        assert rows(dsn, "SELECT recipient FROM delivery_to") == [("bob@example.net",)]
        now = batch(QUEUED[2:], datetime.now(UTC) + timedelta(seconds=1))
        session.store(now, [Mark(source, position(3))], Horizon())
    assert senders(dsn) == [ME]


def test_sessions_without_a_mail_are_not_saved(dsn: str) -> None:
    """Where a batch holds nothing but an open session, its state is stored without him, too."""
    with open_writer(dsn) as session:
        source = session.new_source(position(0))
        (source,) = session.store(batch(QUEUED), [Mark(source, position(1))], Horizon())
        assert forget(dsn, ME) == 0
        kept = batch(OPEN_SESSION)
        kept.facts, kept.runs = [], []
        assert PLAIN.core in kept.states[""]
        session.store(kept, [Mark(source, position(2))], Horizon())
    assert found(PLAIN.core, dump(dsn)) == []


# --- interruptions ----------------------------------------------------------------------------


class Killed(Exception):
    """The session was ended, as by a crash."""


def _killed_at(dsn: str, portion: int) -> bool:
    """Forget, with the session killed in this portion; False: there are not so many."""
    left = [portion]

    def kill(_: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            run_sql(
                dsn,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'journal-postfix' AND datname = current_database()",
            )

    with closing(connect(dsn, PLAIN_SETTINGS)) as connection:
        connection.autocommit = True
        who = Forgotten([Key("address", ME)], tags=False)
        try:
            with connection.cursor() as cursor:
                erasing.erase_person(cursor, who, told=kill)
        except psycopg2.Error:
            return True
    return False


@pytest.mark.parametrize("portion", range(9))
@pytest.mark.parametrize("how", ["forget", "clean"])
def test_interrupted(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portion: int, how: str
) -> None:
    """After a crash in any portion, another forget, or the next clean-up, finishes it."""
    monkeypatch.setattr(holdings, "PORTION", 7)
    load(dsn, tmp_path, told(PLAIN))
    assert _killed_at(dsn, portion)
    assert found(PLAIN.core, dump(dsn)) != []
    assert rows(dsn, "SELECT count(*) FROM erasure WHERE done_at IS NULL") == [(1,)]
    if how == "forget":
        assert forget(dsn, ME) == 0
    else:
        retention.clean(dsn, config(dsn), datetime.now(UTC))
    assert found(PLAIN.core, dump(dsn)) == []
    assert rows(dsn, "SELECT count(*) FROM erasure WHERE done_at IS NULL") == [(0,)]
    for query, expected in OTHERS_MAIL:
        assert rows(dsn, query) == expected


def test_interrupted_before_the_statistics(dsn: str, tmp_path: Path) -> None:
    """Where the rows were gone already, the clean-up finds him in the server's samples."""
    load(dsn, tmp_path, told(PLAIN))
    analyse(dsn)
    who = Forgotten([Key("address", ME)], tags=False)
    with closing(connect(dsn, PLAIN_SETTINGS)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        erasing.begin(cursor, who.given, tags=False, ticket=None)
        Forgetting(cursor, who, pattern(who)).run(lambda _: None)
    assert found(PLAIN.core, dump(dsn)) != []
    assert erasing.finish_all(dsn) == 1
    assert found(PLAIN.core, dump(dsn)) == []


def test_what_a_clean_up_left_half_done(dsn: str, tmp_path: Path) -> None:
    """A partition that is detached and not dropped is no place where he stays."""
    load(dsn, tmp_path, told(PLAIN))
    ((name,),) = rows(dsn, "SELECT relname FROM pg_class WHERE relname ~ '^noqueue_[0-9]{8}$'")
    run_sql(dsn, f"ALTER TABLE noqueue DETACH PARTITION {name}")
    assert forget(dsn, ME) == 0
    assert found(PLAIN.core, dump(dsn)) == []


def test_finishing_leaves_what_is_newer(dsn: str, tmp_path: Path) -> None:
    """A clean-up that finishes an erasure leaves what he did after it."""
    load(dsn, tmp_path, told(PLAIN))
    assert _killed_at(dsn, 1)
    later = datetime.now(UTC) + timedelta(milliseconds=1)
    load(dsn, tmp_path, mail("0A0120000E", ME, to("bob@example.org")), "new.log", later)
    assert erasing.finish_all(dsn) == 1
    assert senders(dsn)[-1] == ME
    mails = "SELECT queue_id FROM delivery_from WHERE sender = 'qzvoe@example.com'"
    assert rows(dsn, mails) == [("0A0120000E",)]


# --- asking, refusing, telling ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "whose?"),
        ([""], "no mail address"),
        (["*"], "no mail address"),
        (["%"], "no mail address"),
        (["ann"], "--login"),
        (["@example.com"], "no mail address"),
        (["ann@"], "no mail address"),
        (["*@example.com"], "pattern"),
        (["%@example.com"], "pattern"),
        (["a@example.com b@example.com"], "no mail address"),
        (["a\x1b[1m@example.com"], "no mail address"),
        (["ann+x@example.com", "--tag"], "without its tag"),
        (["--login", " "], "no login"),
        (["--login", "%"], "no login"),
        (["--domain", "*"], "no domain"),
        (["--domain", "@example.com"], "no domain"),
        (["--login", "ann", "--tag"], "--tag needs"),
    ],
)
def test_refusals_change_nothing(
    dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    """A key that is none, or would match everyone, is refused in one sentence; nothing changes."""
    load(dsn, tmp_path, told(PLAIN)[:12])
    before = unchanged(dsn)
    assert forget(dsn, *arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert "\x1b" not in said
    assert unchanged(dsn) == before


def test_a_newer_schema_is_refused(
    dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables of a newer program are left alone."""
    load(dsn, tmp_path, told(PLAIN)[:12])
    run_sql(dsn, "INSERT INTO schema_version (version, works_with) VALUES (99, 1)")
    before = unchanged(dsn)
    assert forget(dsn, ME) == 1
    assert "install the newer journal-postfix" in capsys.readouterr().err
    assert unchanged(dsn) == before


def test_nobody_to_ask(dsn: str, tmp_path: Path) -> None:
    """Without a terminal and without --yes it refuses."""
    load(dsn, tmp_path, told(PLAIN)[:12])
    before = unchanged(dsn)
    command = [sys.executable, "-m", "journal_postfix", "--dsn", dsn, "forget", ME]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, b"--yes" in done.stderr) == (2, True)
    assert unchanged(dsn) == before


@pytest.mark.parametrize(("typed", "status"), [("yes", 0), ("no", 1), ("", 1)])
def test_it_asks(dsn: str, tmp_path: Path, typed: str, status: int) -> None:
    """On a terminal it tells what would go and asks; only yes makes it so."""
    load(dsn, tmp_path, told(PLAIN))
    before = unchanged(dsn)
    ours, theirs = pty.openpty()
    os.write(ours, f"{typed}\n".encode())
    command = [sys.executable, "-m", "journal_postfix", "--dsn", dsn, "forget", ME]
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == status
    assert f"{ME}: at least" in done.stdout
    assert (unchanged(dsn) == before) is bool(status)
    assert bool(found(PLAIN.core, dump(dsn))) is bool(status)


def test_it_says_what_is_left(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with his mails in the queue, and with where he still is."""
    load(dsn, tmp_path, [*mail("0A01200001", ME, to("bob@example.org"))[:-1]])
    assert forget(dsn, ME, "--ticket", "42") == 0
    said = capsys.readouterr().out
    assert re.search(r"mx1\.example\.com +0A01200001 +sender", said)
    for word in ("journalctl", "mail.log", "backups", "WAL", "free space", "reports"):
        assert word in said
    assert rows(dsn, "SELECT kind, tags, ticket, rows > 0, done_at >= erased_at FROM erasure") == [
        ("address", False, "42", True, True)
    ]


def test_who_forgot_is_noted(dsn: str, tmp_path: Path) -> None:
    """The look is noted with its ticket, without the address; where one is needed, none is no look."""
    path = tmp_path / "main.yml"
    path.write_text("require_ticket: true\n")
    load(dsn, tmp_path, told(PLAIN))
    before = unchanged(dsn)
    command = ["--config", str(path), "--dsn", dsn, "forget", "--yes", ME]
    assert main(command) == 2
    assert unchanged(dsn) == before
    assert main([*command, "--ticket", "4711"]) == 0
    noted = "SELECT command, keys_hash = ARRAY[access_hash('qzvoe@example.com')], rows > 9, ticket FROM access_log"
    assert rows(dsn, noted) == [("forget", True, True, "4711")]


def test_nothing_is_stored_of_him(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody of whom nothing is stored is noted all the same."""
    assert forget(dsn, ME) == 0
    assert "no rows" in capsys.readouterr().out
    assert rows(dsn, "SELECT count(*) FROM erasure") == [(1,)]
