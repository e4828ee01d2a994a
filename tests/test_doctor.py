"""`doctor` on real parts that are ill: what it finds, how grave that is, what it says to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

from conftest import execute
from journal_postfix import doctor, schema
from journal_postfix.config import Config
from journal_postfix.database import PLAIN_SETTINGS, Connection, connect
from journal_postfix.findings import GRADES, Examined, Finding
from journal_postfix.unitfiles import seconds, settings, unit_settings
from journals import JOURNAL_REMOTE, can_make_cgroups, entry, running_journald, write_journal
from test_roles import Logins, logins, names

__all__ = ["logins", "names"]  # fixtures

NOW = datetime(2026, 9, 21, 14, 20, tzinfo=UTC)  # minutes after the entries of `journals`
needs_journals = pytest.mark.skipif(
    not Path(JOURNAL_REMOTE).exists(), reason="needs systemd-journal-remote"
)


def found(it: Examined, topic: str) -> list[Finding]:
    """What is found about a topic."""
    return [finding for about, finding in doctor.examine(it) if about == topic]


def grades(findings: list[Finding], words: str) -> list[str]:
    """The grades of the findings that have these words; whatever is not well says what to do."""
    some = [one for one in findings if words in one.finding]
    assert all(one.todo for one in some if one.grade in ("problem", "warning"))
    return [one.grade for one in some]


def written(root: Path, name: str, text: str) -> Path:
    """A file under a root."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(name="it")
def _it(dsn: str, tmp_path: Path) -> Iterator[Examined]:
    """A database with the schema, an empty root."""
    with closing(connect(dsn, PLAIN_SETTINGS)) as connection:
        yield Examined(Config(dsn=dsn), None, NOW, tmp_path, connection)


# --- configuration ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dsn", "mode", "grade"),
    [
        ("host=db password=secret dbname=mail", 0o644, "problem"),
        ("postgresql://mail:secret@db/mail", 0o644, "problem"),
        ("host=db password=secret dbname=mail", 0o640, None),
        ("dbname=mail", 0o644, None),
    ],
)
def test_a_password_that_everybody_reads(
    tmp_path: Path, dsn: str, mode: int, grade: str | None
) -> None:
    """A configuration with a password that others may read is a problem, named without it."""
    file = written(tmp_path, "main.yml", f"dsn: {dsn}\n")
    file.chmod(mode)
    told = found(Examined(Config(dsn=dsn), file, NOW, tmp_path), "configuration")
    assert grades(told, "holds a password") == [grade] * (grade is not None)
    assert "secret" not in str(told)


def test_a_configuration_that_everybody_changes(tmp_path: Path) -> None:
    """Who may change it may send our data elsewhere."""
    file = written(tmp_path, "main.yml", "")
    file.chmod(0o666)
    told = found(Examined(Config(), file, NOW, tmp_path), "configuration")
    assert grades(told, "changed by everybody") == ["problem"]


def test_what_is_kept_for_ever(tmp_path: Path) -> None:
    """Retention that is off is told, one that is on as well."""
    config = Config(retention_delivery_delete=0)
    told = found(Examined(config, None, NOW, tmp_path), "retention")
    assert grades(told, "for ever") == ["note"]
    assert grades(told, "after 7 days") == ["ok"]


# --- journald's files ------------------------------------------------------------------------

CONF = "etc/systemd/journald.conf"
UNIT = "usr/lib/systemd/system/postfix.service"
LIMITS = [  # files, grade, words
    ({}, "note", "10,000 lines in 30 s"),
    ({CONF: "[Journal]\nRateLimitBurst=1000\n"}, "warning", "1,000 lines in 30 s"),
    ({CONF: "[Journal]\nRateLimitIntervalSec=0\n"}, "ok", "all lines"),
    ({CONF: "[Journal]\n#RateLimitIntervalSec=0\n; RateLimitBurst=0\n"}, "note", "10,000"),
    (
        {
            CONF: "[Journal]\nRateLimitBurst=1000\n",
            "usr/lib/systemd/journald.conf.d/10.conf": "[Journal]\nRateLimitBurst=2000\n",
            "etc/systemd/journald.conf.d/20.conf": "[Journal]\nRateLimitIntervalSec=1min 30s\n",
        },
        "warning",
        "2,000 lines in 90 s",
    ),
    (
        {
            "usr/lib/systemd/journald.conf.d/10.conf": "[Journal]\nRateLimitBurst=2000\n",
            "etc/systemd/journald.conf.d/10.conf": "[Journal]\nRateLimitBurst=500000\n",
        },
        "note",
        "500,000 lines",
    ),
    (
        {
            CONF: "[Journal]\nRateLimitBurst=10\n",
            UNIT: "[Unit]\n[Service]\nType=forking\n",
            "etc/systemd/system/postfix.service.d/log.conf": "[Service]\nLogRateLimitIntervalSec=0\n",
        },
        "ok",
        "all lines of postfix.service",
    ),
    (
        {
            CONF: "[Journal]\nRateLimitBurst=10\n",
            "usr/lib/systemd/system/postfix@.service": "[Service]\nLogRateLimitBurst=20\n",
        },
        "warning",
        "20 lines in 30 s of postfix@-.service",
    ),
]


@pytest.mark.parametrize(("files", "grade", "words"), LIMITS)
def test_rate_limits(tmp_path: Path, files: dict[str, str], grade: str, words: str) -> None:
    """Main file and drop-ins are put together as systemd does it; a unit's own limit wins."""
    for name, text in files.items():
        written(tmp_path, name, text)
    assert grades(found(Examined(Config(), None, NOW, tmp_path), "rate limit"), words) == [grade]


@pytest.mark.parametrize(
    ("text", "has_folder", "grade", "words"),
    [
        ("", True, "ok", "on disk"),
        ("", False, "warning", "in memory"),
        ("Storage=volatile", True, "warning", "in memory"),
        ("Storage=persistent", False, "ok", "on disk"),
        ("Storage=none", True, "problem", "keeps nothing"),
        ("SystemMaxUse=100M", True, "note", "SystemMaxUse=100M"),
        ("MaxLevelStore=notice", True, "problem", "drops what Postfix says"),
    ],
)
def test_storage(tmp_path: Path, text: str, has_folder: bool, grade: str, words: str) -> None:
    """Whether the journal outlives a reboot, and keeps what Postfix says."""
    written(tmp_path, CONF, f"[Journal]\n{text}\n")
    if has_folder:
        (tmp_path / "var/log/journal").mkdir(parents=True)
    assert grades(found(Examined(Config(), None, NOW, tmp_path), "storage"), words) == [grade]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30s", 30), ("30", 30), ("1min 30s", 90), ("1h", 3600), ("500ms", 0.5), ("0", 0),
        ("infinity", float("inf")), ("soon", None), ("3 moons", None), ("", None),
    ],
)  # fmt: skip
def test_spans_of_time(text: str, value: float | None) -> None:
    """Spans of systemd.time(7)."""
    assert seconds(text) == value


def test_settings_are_those_of_systemd() -> None:
    """Of this machine's own files systemd-analyze makes the same."""
    try:
        done = subprocess.run(
            ["systemd-analyze", "cat-config", "systemd/journald.conf"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs systemd-analyze and a journald.conf")
    lines = [line for line in done.stdout.splitlines() if line[:1].isalpha()]
    last = dict(line.split("=", 1) for line in lines)
    ours = settings(Path("/"), "journald.conf", "Journal")
    assert ours == {name: value for name, value in last.items() if value}


def test_units_have_the_settings_of_their_template(tmp_path: Path) -> None:
    """An instance's drop-in wins over its template's, an empty value takes back."""
    written(tmp_path, "lib/systemd/system/a@.service", "[Service]\nNice=1\nUser=x\n")
    written(tmp_path, "etc/systemd/system/a@b.service.d/1.conf", "[Service]\nNice=2\nUser=\n")
    assert unit_settings(tmp_path, "a@b.service")["Nice"] == "2"


# --- the journal -----------------------------------------------------------------------------


def in_journal(tmp_path: Path, *entries: dict[str, object], **keys: object) -> Examined:
    """A journal with entries, and the configuration that reads it."""
    write_journal(tmp_path / "journal" / "a.journal", entries)
    config = Config(journal_directory=str(tmp_path / "journal"), **keys)
    return Examined(config, None, NOW, tmp_path)


@needs_journals
def test_a_journal_that_is_well(tmp_path: Path) -> None:
    """Fresh entries of Postfix, nothing lost, one name."""
    told = found(in_journal(tmp_path, entry(1), entry(2)), "journal")
    assert [one.grade for one in told] == ["ok"] * 4
    assert grades(told, "the last entry of Postfix is 6 min old") == ["ok"]


@needs_journals
def test_a_journal_without_postfix(tmp_path: Path) -> None:
    """No line of Postfix: nothing to read."""
    told = found(in_journal(tmp_path, entry(1, SYSLOG_IDENTIFIER="cron")), "journal")
    assert grades(told, "no entry of Postfix") == ["problem"]


@needs_journals
def test_a_journal_that_fell_silent(tmp_path: Path) -> None:
    """The last line of Postfix is old."""
    it = in_journal(tmp_path, entry(1))._replace(now=NOW + timedelta(days=3))
    assert grades(found(it, "journal"), "3 d old") == ["warning"]


@needs_journals
def test_a_name_that_is_not_read(tmp_path: Path) -> None:
    """Another instance's lines are in the journal, and syslog_names leaves them out."""
    others = [
        entry(2, SYSLOG_IDENTIFIER=name) for name in ("mx-out/smtp", "mx-out/submission/smtpd")
    ]
    told = found(in_journal(tmp_path, entry(1), *others), "journal")
    assert grades(told, "names that are not read: mx-out") == ["warning"]
    named = found(in_journal(tmp_path, syslog_names=("postfix", "mx-out")), "journal")
    assert grades(named, "not read") == []


@needs_journals
def test_a_journal_that_dropped_lines(tmp_path: Path) -> None:
    """What journald itself says it dropped of Postfix counts; what others say does not."""
    said = {
        "SYSLOG_IDENTIFIER": "systemd-journald",
        "MESSAGE_ID": "a596d6fe7bfa4994828e72309e95d61e",
        "MESSAGE": "Suppressed 1904 messages from postfix@-.service",
    }
    it = in_journal(
        tmp_path,
        entry(1),
        entry(2, **said, _TRANSPORT="driver"),
        entry(
            3, **{**said, "MESSAGE": "Suppressed 7 messages from cron.service"}, _TRANSPORT="driver"
        ),
        entry(4, **said, _TRANSPORT="syslog"),
    )
    assert grades(found(it, "journal"), "1,904 lines lost in 7 days") == ["warning"]


@pytest.mark.skipif(os.geteuid() != 0, reason="runs a systemd-journald, which only root may")
@pytest.mark.skipif(not can_make_cgroups(), reason="needs a place for control groups")
def test_what_a_real_journald_dropped(tmp_path: Path) -> None:
    """A journald with a small limit says itself what it dropped of Postfix's unit."""
    with running_journald("RateLimitIntervalSec=1s\nRateLimitBurst=5\n") as journald:
        journald.write_from("postfix.service", 500)
        time.sleep(1.2)  # the interval has to pass before journald says what it dropped
        journald.write_from("postfix.service", 1)
        config = Config(journal_directory=str(journald.folder))
        told = found(Examined(config, None, datetime.now(UTC), tmp_path), "journal")
    assert grades(told, "journald let only a part through") == ["warning"]
    assert grades(told, "the last entry of Postfix is 0 min old") == ["ok"]


def test_no_journal(tmp_path: Path) -> None:
    """A folder that is not there is a problem, not an exception."""
    it = Examined(Config(journal_directory=str(tmp_path / "none")), None, NOW, tmp_path)
    assert grades(found(it, "journal"), "no such folder") == ["problem"]


@needs_journals
@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_a_journal_that_may_not_be_read(tmp_path: Path) -> None:
    """Without the group, what to do names it."""
    it = in_journal(tmp_path, entry(1))
    for path in (tmp_path / "journal").iterdir():
        path.chmod(0o600)
    for path in (tmp_path, *(one for one in tmp_path.parents if not one.stat().st_mode & 0o001)):
        path.chmod(0o755)
    user = os.geteuid()
    os.seteuid(65534)
    try:
        told = found(it, "journal")
    finally:
        os.seteuid(user)
    assert grades(told, "systemd-journal") == ["problem"]
    assert "usermod" in told[0].todo


def test_stamps_without_a_zone(tmp_path: Path) -> None:
    """The form of a log file's stamps is looked at where a file is followed, or beside a journal."""
    path = written(tmp_path, "var/log/mail.log", "Nov 20 10:00:00 mx1 postfix/smtpd[1]: x\n")
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    it = Examined(Config(), None, NOW, tmp_path)
    assert grades(found(it, "log file"), "neither year nor zone") == ["note"]
    path.write_text("2026-11-20T10:00:00.123456+01:00 mx1 postfix/smtpd[1]: x\n")
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    followed = it._replace(log=path)
    assert {one.grade for one in found(followed, "log file")} == {"ok"}
    assert found(followed, "journal") == []
    missing = found(it._replace(log=tmp_path / "none"), "log file")
    assert grades(missing, "cannot be read") == ["problem"]


@needs_journals
def test_one_host_by_two_names(tmp_path: Path) -> None:
    """The journal and the log file call a host differently; mta_names makes it one."""
    written(tmp_path, "var/log/mail.log", "Nov 20 10:00:00 mx1.example.com postfix/smtpd[1]: x\n")
    it = in_journal(tmp_path, entry(1))
    (told,) = found(it, "hosts")
    assert (told.grade, told.todo[:34]) == ("warning", "mta_names: {mx1: mx1.example.com} ")
    config = replace(it.config, mta_names={"mx1": "mx1.example.com"})
    assert grades(found(it._replace(config=config), "hosts"), "1 host, each by one") == ["ok"]


# --- Postfix ---------------------------------------------------------------------------------

POSTFIX = """\
compatibility_level = 3.6
multi_instance_name = mail-out
syslog_name = ${multi_instance_name?{$multi_instance_name}:{postfix}}
"""
MASTER = """\
smtp inet n - n - - smtpd
10025 inet n - n - - smtpd
  -o syslog_name=$multi_instance_name/10025
465 inet n - n - - smtpd
  -o syslog_name=secure/smtps
"""


def instance(tmp_path: Path, main: str = POSTFIX, **keys: object) -> list[Finding]:
    """What is found about an instance of the real Postfix with this main.cf."""
    try:
        subprocess.run(["postconf", "-h", "-d", "mail_version"], check=True, capture_output=True)
    except OSError:
        pytest.skip("needs Postfix")
    written(tmp_path, "postfix/main.cf", main)
    written(tmp_path, "postfix/master.cf", MASTER)
    config = Config(queue_config_directories=(str(tmp_path / "postfix"),), **keys)
    return found(Examined(config, None, NOW, tmp_path), "postfix")


def test_names_that_postfix_logs_under(tmp_path: Path) -> None:
    """The instance's syslog_name and those of services in master.cf, expanded, are all read or told."""
    told = instance(tmp_path)
    assert grades(told, "logs as mail-out, secure") == ["problem"]
    assert told[0].todo == "set syslog_names: [postfix, mail-out, secure]"
    told = instance(tmp_path, syslog_names=("mail", "secure"))
    assert grades(told, "every syslog_name") == ["ok"]


def test_settings_of_postfix(tmp_path: Path) -> None:
    """A log file of Postfix's own is a problem where the journal is read; short queue ids are not."""
    told = instance(tmp_path)
    assert grades(told, "queue ids are short") == ["note"]
    assert grades(told, "does not log TLS") == ["note"]
    assert grades(told, "logs into") == []
    more = (
        "enable_long_queue_ids = yes\nsmtpd_tls_loglevel = 1\nmaillog_file = /var/log/postfix.log\n"
    )
    told = instance(tmp_path, POSTFIX + more)
    assert grades(told, "queue ids are long") == ["ok"]
    assert grades(told, "does not log TLS") == []
    assert grades(told, "logs into /var/log/postfix.log") == ["problem"]


def test_a_broken_instance(tmp_path: Path) -> None:
    """What postconf cannot read is told as not checked."""
    config = Config(queue_config_directories=(str(tmp_path / "none"),))
    told = found(Examined(config, None, NOW, tmp_path), "postfix")
    assert [one.grade for one in told] == ["note"]
    assert "not checked" in told[0].finding


# --- the database ----------------------------------------------------------------------------


def test_a_database_that_is_well(it: Examined) -> None:
    """Answers, is of a version that is tried, has schema and rights; nothing stays behind."""
    assert grades(found(it, "database"), "answers") == ["ok"]
    assert grades(found(it, "schema"), f"schema {schema.VERSION}") == ["ok"]
    assert grades(found(it, "rights"), "may write, and make partitions") == ["ok"]
    assert it.connection is not None
    with it.connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'noqueue\\_9998%'")
        assert cursor.fetchone() == (0,)


def test_no_database(tmp_path: Path) -> None:
    """Without a database the rest is checked all the same."""
    config = Config(dsn=f"host={tmp_path} dbname=none")
    with doctor.database(config) as (connection, refused):
        it = Examined(config, None, NOW, tmp_path, connection, refused)
        told = doctor.examine(it)
    assert grades([one for _, one in told], "cannot be reached") == ["problem"]
    assert {topic for topic, _ in told} >= {"configuration", "rate limit", "retention"}


def test_a_database_without_tables(empty_dsn: str, tmp_path: Path) -> None:
    """No schema: what to do is setup."""
    with closing(connect(empty_dsn, PLAIN_SETTINGS)) as connection:
        it = Examined(Config(dsn=empty_dsn), None, NOW, tmp_path, connection)
        (told,) = found(it, "schema")
        assert (told.grade, told.todo) == ("problem", "journal-postfix setup")
        execute(
            empty_dsn,
            "CREATE TABLE schema_version (version int, works_with int); INSERT INTO schema_version VALUES (99, 99)",
        )
        (told,) = found(it, "schema")
        assert "install the newer" in told.finding


@contextmanager
def role(dsn: str, grant: str) -> Iterator[tuple[str, Connection]]:
    """A role with some rights on our tables, and its connection."""
    name = f"doctor_{os.getpid()}"
    execute(dsn, f"CREATE ROLE {name}", f"GRANT {grant} ON ALL TABLES IN SCHEMA public TO {name}")
    try:
        with closing(connect(dsn, PLAIN_SETTINGS)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(f"SET ROLE {name}")
            connection.commit()
            yield name, connection
    finally:
        execute(dsn, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_a_role_that_may_only_read(it: Examined, dsn: str) -> None:
    """Who may not write is told, by name."""
    with role(dsn, "SELECT") as (name, connection):
        told = found(it._replace(connection=connection), "rights")
    assert grades(told, f"{name} may not read and write") == ["problem"]


def test_a_role_that_may_not_make_partitions(it: Examined, dsn: str) -> None:
    """All rights on the tables are not enough: partitions are made by the owner."""
    with role(dsn, "ALL") as (name, connection):
        told = found(it._replace(connection=connection), "rights")
    assert grades(told, f"{name} could not make a partition") == ["problem"]


def test_the_roles_of_setup(logins: Logins, it: Examined) -> None:
    """A login of the writer's role may do all that is needed, one of the reader's may not."""
    for dsn, grade in ((logins.writer, "ok"), (logins.reader, "problem")):
        with closing(connect(dsn, PLAIN_SETTINGS)) as connection:
            told = doctor.examine(it._replace(config=Config(dsn=dsn), connection=connection))
        assert [one.grade for topic, one in told if topic == "rights"] == [grade]
        assert not [one for _, one in told if one.finding.startswith("not checked: ")]
        assert not [one for _, one in told if "is a superuser" in one.finding]


def test_settings_that_lose_data(it: Examined, server_dsn: str) -> None:
    """What the server's settings say, with what is at stake (the tests' server has fsync off)."""
    with closing(psycopg2.connect(server_dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW fsync")
        (fsync,) = cursor.fetchone()
    assert grades(found(it, "database"), "fsync is off") == ["problem"] * (fsync == "off")


def test_a_disk_without_room(it: Examined, tmp_path: Path) -> None:
    """Less than min_free_disk: nothing is written, and doctor says so."""
    config = replace(it.config, min_free_disk=2**62)
    assert grades(found(it._replace(config=config), "disk"), "min_free_disk is") == ["problem"]
    config = replace(it.config, min_free_disk=0)
    assert grades(found(it._replace(config=config), "disk"), "min_free_disk is 0") == ["warning"]


def test_what_is_stored(it: Examined, dsn: str) -> None:
    """A source nobody reads, a host of two names, lines that are not Postfix's."""
    execute(
        dsn,
        "INSERT INTO source (kind, identity, name, mta, position, digest, t, t_first, lines, forged, updated_at)"
        " VALUES ('journal', 'a', 'journal', 'mx1', 'x', '', '2026-09-21 10:00Z', '2026-09-20 10:00Z', 9, 4,"
        " '2026-09-21 10:00Z')",
        "INSERT INTO stored_span (source_id, mta, t_from, t_to, lines)"
        " SELECT id, unnest('{mx1,mx1.example.com,mx2}'::text[]), t_first, t, '' FROM source",
    )
    told = found(it, "stored")
    assert grades(told, "was last read 2026-09-21 10:00") == ["problem"]
    assert grades(told, "is read up to 4 h ago") == ["warning"]
    assert grades(told, "4 entries call themselves Postfix's") == ["warning"]
    (told,) = [one for one in found(it, "hosts") if one.grade == "warning"]
    assert told.todo.startswith("mta_names: {mx1: mx1.example.com}")


# --- the command -----------------------------------------------------------------------------


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a user would."""
    clean = {name: value for name, value in os.environ.items() if "JOURNAL_POSTFIX" not in name}
    return subprocess.run(
        [sys.executable, "-m", "journal_postfix", *arguments],
        check=False, capture_output=True, text=True, env=clean,
    )  # fmt: skip


def test_the_command(dsn: str, tmp_path: Path) -> None:
    """A line for every finding, the gravest first; exit status 1 exactly where there is a problem."""
    log = written(
        tmp_path, "mail.log", "2026-11-20T10:00:00.123456+01:00 mx1 postfix/smtpd[1]: x\n"
    )
    file = written(tmp_path, "main.yml", json.dumps({"dsn": dsn}))
    options = ("--config", str(file), "doctor", "--file", str(log))
    done = call(*options, "--format", "json")
    rows = json.loads(done.stdout)
    assert list(rows[0]) == ["topic", "grade", "finding", "todo"]
    order = [GRADES.index(row["grade"]) for row in rows]
    assert order == sorted(order)
    assert done.returncode == int(any(row["grade"] == "problem" for row in rows))
    assert "Traceback" not in done.stderr
    table = call(*options).stdout
    assert all(row["todo"] in table for row in rows)
    assert call(*options, "--format", "csv").stdout.startswith("topic,grade,finding,todo\n")


def test_a_wrong_configuration(tmp_path: Path) -> None:
    """It is told as by every command: exit status 2, one sentence."""
    file = written(tmp_path, "main.yml", "dns: x\n")
    done = call("--config", str(file), "doctor")
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown key dns" in done.stderr
