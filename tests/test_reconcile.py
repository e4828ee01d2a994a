"""Open mails against Postfix's queue: what is gone is closed, and nothing else.

Postfix's programs are stand-ins here: shell scripts that say what a test wants them to say.
`tests/test_queue_live.py` asks the real ones.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg2
import pytest

import journals
from journal_postfix import cli, postqueue, reconcile, run
from journal_postfix.config import Config, config_from
from journal_postfix.messages import InputError, Position
from journal_postfix.reconcile import Behind, Compared, NotOurs
from journal_postfix.writer import Mark
from test_closing import BEGUN, DEFERRED, QID, REMOVED, WAITS
from test_store import EVERYTHING, batch, open_writer, rows, run_sql

OTHER = "3C5D120AB2"
MACHINE = "0123456789abcdef0123456789abcdef"
HOUR = timedelta(hours=1)
END = "SELECT queue_id, removed_by FROM delivery_from ORDER BY id"
POSTMULTI = "printf '%s\\n' '-  -  y  /etc/postfix' 'postfix-out  out  n  /etc/postfix-out'"
POSTCONF = 'case "$2" in */postfix) echo postfix;; *) echo postfix-out;; esac'


class Postfix:
    """Stand-ins for Postfix's programs, and what postqueue lists of the first instance, each time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.age = HOUR / 2  # of mails in the queue
        folder.mkdir()
        self.write("postmulti", POSTMULTI)
        self.write("postconf", POSTCONF)
        name = 'n=$(ls "$0".asked.* 2>/dev/null | wc -l); : >"$0.asked.$n.$$"'
        self.write("postqueue", f'{name}; cat "$0.$(basename "$2").$n" 2>/dev/null || exit 0')

    def write(self, name: str, text: str) -> None:
        """Make one of the programs do something."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def holds(self, *queues: Sequence[str], queue: str = "deferred") -> None:
        """Have these queue ids listed at the first look, the second, and so on; the last remain."""
        for look in range(10):
            ids = queues[min(look, len(queues) - 1)]
            text = "".join(self.entry(one, queue) for one in ids)
            (self.folder / f"postqueue.postfix.{look * 2}").write_text(text)

    def entry(self, queue_id: str, queue: str) -> str:
        """Give a line of postqueue -j."""
        entry = {"queue_name": queue, "queue_id": queue_id, "message_size": 400,
                 "arrival_time": int((datetime.now(UTC) - self.age).timestamp()),
                 "sender": "ann@example.org", "recipients": [{"address": "bob@example.net"}]}  # fmt: skip
        return json.dumps(entry) + "\n"

    def looks(self) -> int:
        """Count how often both queues were listed."""
        return len(list(self.folder.glob("postqueue.asked.*"))) // 2


@pytest.fixture
def postfix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Postfix:
    """A machine with two instances of Postfix whose queues are empty, and no time to lose."""
    programs = Postfix(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{programs.folder}:/usr/bin:/bin")
    machine = tmp_path / "machine-id"
    machine.write_text(MACHINE + "\n")
    monkeypatch.setattr(reconcile, "_MACHINE_ID", machine)
    monkeypatch.setattr(reconcile, "SETTLE", timedelta(0))
    monkeypatch.setattr(reconcile, "PATIENCE", 0.0)
    return programs


def configured(**keys: Any) -> Config:
    """Give a configuration that keeps everything."""
    keep = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
    return config_from({"retention": keep, **keys}, "test")


def named(queue_id: str, lines: list[tuple[str, str]] = WAITS) -> list[tuple[str, str]]:
    """Give the lines of a mail with another queue id."""
    return [(daemon, text.replace(QID, queue_id)) for daemon, text in lines]


def log(
    dsn: str,
    *mails: list[tuple[str, str]],
    ago: timedelta = HOUR,
    read_to: timedelta = HOUR,
    machine: str = MACHINE,
    kind: str = "journal",
    config: Config | None = None,
) -> None:
    """Store mails whose lines are so old, read up to so long from now."""
    now = datetime.now(UTC)
    with open_writer(dsn) as session:
        found = session.find_sources(kind, machine)
        here = Position(kind, machine, "log", "0", "", None)
        source = found[0] if found else session.new_source(here)
        lines = [line for mail in mails for line in mail]
        collected = batch(lines, now - ago, config)
        for counts in collected.counts.values():
            counts.mta = (config or configured()).mta_of("mx1.example.com")
        mark = Mark(source, here._replace(position=f"{now}", t=now + read_to))
        session.store(collected, [mark], EVERYTHING)


def compare(dsn: str, config: Config | None = None) -> Compared:
    """Compare once."""
    return reconcile.reconcile(dsn, config or configured(), Event())


def test_what_is_gone_is_closed(dsn: str, postfix: Postfix) -> None:
    """A mail that is in no queue vanished when the queue was listed; the other one waits on."""
    log(dsn, WAITS, named(OTHER))
    postfix.holds([OTHER], [OTHER])
    before = datetime.now(UTC)
    compared = compare(dsn)
    assert rows(dsn, END) == [(QID, "vanished"), (OTHER, None)]
    ((removed_at, ended_at),) = rows(
        dsn, "SELECT removed_at, ended_at FROM delivery_from f JOIN open_mail o USING (day, id)"
             " WHERE removed_by = 'vanished'")  # fmt: skip
    assert before <= removed_at == ended_at <= datetime.now(UTC)
    assert rows(dsn, "SELECT fate FROM delivery ORDER BY from_id") == [("vanished",), ("waiting",)]
    assert [row["queue_id"] for row in compared.closed] == [QID]
    assert compared.instances == [
        {"mta": "mx1.example.com", "syslog_name": "postfix", "in_queue": 1, "open": 2,
         "not_in_tables": 0, "closed": 1},
        {"mta": "mx1.example.com", "syslog_name": "postfix-out", "in_queue": 0, "open": 0,
         "not_in_tables": 0, "closed": 0},
    ]  # fmt: skip
    assert compare(dsn).closed == []


def test_nothing_missing_is_listed_once(dsn: str, postfix: Postfix) -> None:
    """Only where a mail is missing is the queue listed again."""
    log(dsn, WAITS)
    postfix.holds([QID])
    assert compare(dsn).closed == []
    assert postfix.looks() == 1


def test_a_mail_missed_by_one_listing_lives(dsn: str, postfix: Postfix) -> None:
    """A mail that moved while the queue was listed is found by the second listing."""
    log(dsn, WAITS)
    postfix.holds([], [QID])
    assert compare(dsn).closed == []
    assert postfix.looks() == 2
    assert rows(dsn, END) == [(QID, None)]


def test_a_mail_that_speaks_lives(dsn: str, postfix: Postfix) -> None:
    """A mail with a line from about the listing or after it is not closed: it just moved."""
    log(dsn, WAITS, ago=timedelta(seconds=6))
    assert compare(dsn).closed == []
    log(dsn, named(OTHER), ago=timedelta(seconds=-60))
    assert compare(dsn).closed == []


def test_only_what_was_in_the_queue_is_closed(dsn: str, postfix: Postfix) -> None:
    """What was never queued or has ended is left as it is."""
    log(dsn, BEGUN, named(OTHER, [*WAITS, REMOVED]), [("cleanup", "3C5D120AB3: message-id=<3@x>")])
    assert compare(dsn).closed == []
    assert rows(dsn, END) == [(QID, None), (OTHER, "qmgr"), ("3C5D120AB3", None)]


def test_held_mails_are_compared_too(dsn: str, postfix: Postfix) -> None:
    """A mail on hold that is gone vanished."""
    log(dsn, [*BEGUN, ("postsuper", f"{QID}: placed on hold")])
    compare(dsn)
    assert rows(dsn, END) == [(QID, "vanished")]


def test_a_log_that_is_behind_closes_nothing(dsn: str, postfix: Postfix) -> None:
    """Lines not read yet may tell the end: without them nothing is closed, and that is said."""
    log(dsn, WAITS, read_to=-timedelta(minutes=1))
    with pytest.raises(Behind, match=r"stored up to .* is `run` at work"):
        compare(dsn)
    assert rows(dsn, END) == [(QID, None)]


def test_lines_that_come_during_the_wait(
    dsn: str, postfix: Postfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison waits for the log, and then believes it."""
    monkeypatch.setattr(reconcile, "PATIENCE", 20.0)
    log(dsn, WAITS, named(OTHER), read_to=-HOUR)
    found: list[Compared] = []
    thread = Thread(target=lambda: found.append(compare(dsn)))
    thread.start()
    log(dsn, [REMOVED], ago=timedelta(minutes=10))
    thread.join()
    assert [row["queue_id"] for row in found[0].closed] == [OTHER]
    assert rows(dsn, END) == [(QID, "qmgr"), (OTHER, "vanished")]


def test_the_mark_moves_an_idle_log(dsn: str, postfix: Postfix) -> None:
    """Where nothing is logged, the line that is written behind each listing moves the log on."""
    log(dsn, WAITS, read_to=-HOUR)
    marks: list[int] = []

    def mark() -> None:
        marks.append(postfix.looks())
        log(dsn, read_to=timedelta(seconds=1))

    compared = reconcile.reconcile(dsn, configured(), Event(), mark)
    assert len(compared.closed) == 1
    assert marks == [1, 2]


def test_a_logged_end_wins(dsn: str, postfix: Postfix) -> None:
    """If the line comes after all, what it says is what counts."""
    log(dsn, WAITS)
    compare(dsn)
    log(dsn, [REMOVED], ago=timedelta(minutes=5))
    assert rows(dsn, END) == [(QID, "qmgr")]


def test_a_later_line_takes_it_back(dsn: str, postfix: Postfix) -> None:
    """A mail that speaks after it was closed as gone was not gone."""
    log(dsn, WAITS)
    compare(dsn)
    log(dsn, [DEFERRED], ago=-timedelta(seconds=5))
    assert rows(dsn, "SELECT removed_at, removed_by, ended_at FROM delivery_from JOIN open_mail"
                     " USING (day, id)") == [(None, None, None)]  # fmt: skip


def test_a_vanished_id_comes_back(dsn: str, postfix: Postfix) -> None:
    """A new mail with the id of a vanished one is a mail of its own."""
    log(dsn, WAITS)
    compare(dsn)
    log(dsn, WAITS, ago=-timedelta(minutes=10))
    assert rows(dsn, END) == [(QID, "vanished"), (QID, None)]


# --- whose mails ----------------------------------------------------------------------------


def test_instances_are_told_apart(dsn: str, postfix: Postfix) -> None:
    """An id in the queue of one instance says nothing about a mail of another."""
    log(dsn, WAITS)
    run_sql(dsn, "UPDATE delivery_from SET syslog_name = 'postfix-out'")
    postfix.holds([QID], [QID])
    compared = compare(dsn)
    assert [row["syslog_name"] for row in compared.closed] == ["postfix-out"]
    unknown = {row["syslog_name"]: row["in_queue"] for row in compared.instances}
    assert unknown == {"postfix": 1, "postfix-out": 0}


def test_an_instance_that_is_not_listed_is_left_alone(dsn: str, postfix: Postfix) -> None:
    """Mails of an instance whose queue nobody listed are not closed."""
    log(dsn, WAITS)
    run_sql(dsn, "UPDATE delivery_from SET syslog_name = 'postfix-in'")
    assert compare(dsn).closed == []
    one = replace(configured(), queue_config_directories=("/etc/postfix",))
    run_sql(dsn, "UPDATE delivery_from SET syslog_name = 'postfix-out'")
    assert compare(dsn, one).closed == []
    assert len(compare(dsn).closed) == 1


def test_other_hosts_are_left_alone(dsn: str, postfix: Postfix) -> None:
    """Mails of another machine's journal stay open, even where `mta` gives all one name."""
    log(dsn, named(OTHER), machine="f" * 32)
    with pytest.raises(NotOurs):
        compare(dsn)
    log(dsn, WAITS)
    assert [row["queue_id"] for row in compare(dsn).closed] == [QID]
    assert rows(dsn, "SELECT queue_id FROM delivery_from WHERE removed_at IS NULL") == [(OTHER,)]


@pytest.mark.parametrize(
    ("names", "ours"),
    [({}, False), ({"HOST": "mx1.example.com"}, True), ({"HOST": "mx2.example.com"}, False)],
    ids=["unknown", "mapped", "mapped elsewhere"],
)
def test_a_file_is_ours_by_its_host(
    dsn: str, postfix: Postfix, names: dict[str, str], *, ours: bool
) -> None:
    """Without a journal the host's name decides, as mta_names has it."""
    mapped = {socket.gethostname(): mta for mta in names.values()}
    config = configured(mta_names=mapped)
    log(dsn, WAITS, machine="first line", kind="file")
    if not ours:
        with pytest.raises(NotOurs, match="no log of this host"):
            compare(dsn, config)
    else:
        assert len(compare(dsn, config).closed) == 1


def test_a_file_of_many_hosts_holds_ours_too(dsn: str, postfix: Postfix) -> None:
    """In a common file this host's mails are known by its name, whoever wrote the last line."""
    log(dsn, WAITS, named(OTHER), machine="first line", kind="file")
    run_sql(dsn, f"UPDATE delivery_from SET mta = 'mx2' WHERE queue_id = '{OTHER}'",
            f"UPDATE open_mail SET mta = 'mx2' WHERE queue_id = '{OTHER}'",
            "UPDATE source SET mta = 'mx2'")  # fmt: skip
    config = configured(mta_names={socket.gethostname(): "mx1.example.com"})
    assert [row["queue_id"] for row in compare(dsn, config).closed] == [QID]


def test_a_host_that_was_renamed(dsn: str, postfix: Postfix) -> None:
    """Open mails of this machine's journal are this host's, also under a name it had before."""
    log(dsn, WAITS)
    run_sql(dsn, "UPDATE source SET mta = 'mx9.example.com'")
    compared = compare(dsn)
    assert [row["queue_id"] for row in compared.closed] == [QID]
    assert {row["mta"] for row in compared.instances} == {"mx1.example.com", "mx9.example.com"}


def test_a_loaded_file_of_this_host_is_compared(dsn: str, postfix: Postfix) -> None:
    """Mails from a file of the host that stand open beside its journal are closed too."""
    log(dsn, named(OTHER), machine="first line", kind="file", read_to=-HOUR)
    log(dsn, WAITS)
    assert {row["queue_id"] for row in compare(dsn).closed} == {QID, OTHER}


# --- the queue ------------------------------------------------------------------------------


def test_mails_that_are_not_in_the_tables_are_counted(dsn: str, postfix: Postfix) -> None:
    """Listed mails of which no line is stored hint at lost lines; maildrop's have none yet."""
    log(dsn, WAITS, named("3C5D120AB9", [*WAITS, REMOVED]))
    postfix.holds([QID, "3C5D120AB7", "3C5D120AB8", "3C5D120AB9"])
    assert compare(dsn).instances[0]["not_in_tables"] == 3


def test_mails_from_before_the_log_are_not_counted(dsn: str, postfix: Postfix) -> None:
    """What arrived before the first stored line, or before what retention keeps, is no hint."""
    log(dsn, WAITS, ago=timedelta(minutes=10))
    postfix.holds([QID, "3C5D120AB7"])
    assert compare(dsn).instances[0]["not_in_tables"] == 0
    run_sql(dsn, "UPDATE source SET t_first = t_first - interval '9 days'")
    assert compare(dsn).instances[0]["not_in_tables"] == 1
    postfix.age = timedelta(days=3)
    postfix.holds([QID, "3C5D120AB7"])
    assert compare(dsn).instances[0]["not_in_tables"] == 1
    short = configured(retention={"delivery": {"delete": 2}})
    assert compare(dsn, short).instances[0]["not_in_tables"] == 0


def test_maildrop_is_not_counted(dsn: str, postfix: Postfix) -> None:
    """A mail in maildrop has another name later, and no line yet."""
    log(dsn, WAITS)
    postfix.holds([QID, "3C5D120AB7"], queue="maildrop")
    assert compare(dsn).instances[0]["not_in_tables"] == 0


def test_seen_mails_are_noted_once_a_day(dsn: str, postfix: Postfix) -> None:
    """A silent mail in the queue is noted as seen, so that age does not close it."""
    log(dsn, WAITS, ago=timedelta(days=3))
    log(dsn, named(OTHER))
    postfix.holds(*[[QID, OTHER]] * 2)
    compare(dsn)
    seen = rows(dsn, "SELECT seen_at FROM open_mail ORDER BY id")
    assert [at is not None for (at,) in seen] == [True, False]
    compare(dsn)
    assert rows(dsn, "SELECT seen_at FROM open_mail ORDER BY id") == seen


def test_many_are_closed_in_portions(
    dsn: str, postfix: Postfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More mails than a transaction closes are all closed."""
    monkeypatch.setattr(reconcile, "PORTION", 3)
    log(dsn, *(named(f"3C5D12{number:04X}") for number in range(7)))
    assert len(compare(dsn).closed) == 7
    assert rows(dsn, "SELECT DISTINCT removed_by FROM delivery_from") == [("vanished",)]


def fatal(words: str, status: int) -> str:
    """Give a postqueue that fails with these words."""
    return f"echo 'postqueue: fatal: {words}' >&2; exit {status}"


ALLOWED = "User nobody(65534) is not allowed to view the mail queue"
DOWN = "Queue report unavailable - mail system is down"
DENIED = f"{DOWN} (Connect to the Postfix showq service: Permission denied)"
FAILURES = {
    "not allowed": (fatal(ALLOWED, 69), postqueue.NotAllowed, "not allowed to view"),
    "no rights": (fatal(DENIED, 69), postqueue.NotAllowed, "Permission denied"),
    "down": (fatal(DOWN, 69), InputError, "postqueue failed: fatal: Queue report unavailable"),
    "silent": ("exit 1", InputError, "postqueue failed: exit status 1"),
    "killed": ("kill -9 $$", InputError, "did not come to an end"),
    "not JSON": ("echo 'Mail queue is empty'", InputError, "not understood"),
    "other JSON": ("echo '{\"queue_id\": 1}'", InputError, "not understood"),
    "broken off": ('printf \'{"queue_name": "hold", "queue_\'', InputError, "not understood"),
}


@pytest.mark.parametrize("how", FAILURES)
def test_a_listing_that_fails_closes_nothing(dsn: str, postfix: Postfix, how: str) -> None:
    """Whatever goes wrong with the listing, it is one sentence and no mail is closed."""
    text, kind, words = FAILURES[how]
    postfix.write("postqueue", text)
    log(dsn, WAITS)
    with pytest.raises(InputError, match=words) as told:
        compare(dsn)
    assert type(told.value) is kind
    assert rows(dsn, END) == [(QID, None)]


def test_a_listing_that_hangs_is_ended(postfix: Postfix) -> None:
    """A postqueue that does not end is ended after its time, and what it said does not count."""
    postfix.write("postqueue", "exec sleep 60")
    with pytest.raises(InputError, match="did not come to an end"):
        list(postqueue.listing(postqueue.Instance("/etc/postfix", "postfix"), 0.2))


def test_without_postfix(dsn: str, postfix: Postfix, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no Postfix, that is said."""
    monkeypatch.setattr(postqueue, "_SYSTEM", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    log(dsn, WAITS)
    with pytest.raises(postqueue.NoPostfix, match="there is no postmulti"):
        compare(dsn)


# --- by command, and regularly ---------------------------------------------------------------


def test_the_command(
    dsn: str, postfix: Postfix, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`reconcile` prints what it compared and closed, and says in one sentence what is wrong."""
    log(dsn, WAITS)
    file = tmp_path / "main.yml"
    file.write_text("retention: {delivery: {delete: 0}, noqueue: {delete: 0}}\n")
    command = ["--config", str(file), "--dsn", dsn, "reconcile"]
    assert cli.main([*command, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["queue_id"] for row in said["closed"]] == [QID]
    assert [row["closed"] for row in said["instances"]] == [1, 0]
    assert cli.main(command) == 0
    assert "INSTANCES" in capsys.readouterr().out
    postfix.write("postqueue", FAILURES["not allowed"][0])
    assert cli.main(command) == 1
    assert capsys.readouterr().err == (
        "journal-postfix: postqueue failed: fatal: User nobody(65534) is not allowed to view the"
        " mail queue\n"
    )


@pytest.fixture
def regularly(dsn: str) -> Iterator[Thread]:
    """The comparison as `run` makes it, every few milliseconds; ended after the test."""
    stop = Event()
    config = replace(configured(), queue_check_interval=0.01)
    thread = Thread(target=reconcile.reconcile_regularly, args=(lambda: dsn, config, stop))
    yield thread
    stop.set()
    thread.join()


def wait(done: Any) -> None:
    """Wait until something is so."""
    for _ in range(1000):
        if done():
            return
        Event().wait(0.02)
    raise AssertionError("it did not happen")


def test_a_failure_is_said_once(
    dsn: str, postfix: Postfix, regularly: Thread, caplog: pytest.LogCaptureFixture
) -> None:
    """The same failure again and again is one warning; then it works, and what is gone is closed."""
    caplog.set_level(logging.INFO, "journal_postfix")
    text = FAILURES["down"][0]
    postfix.write("postqueue", f': >"$0.asked.$$"; {text}')
    log(dsn, WAITS)
    regularly.start()
    wait(lambda: postfix.looks() > 2)
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    postfix.write("postqueue", "exit 0")
    wait(lambda: rows(dsn, END) == [(QID, "vanished")])
    wait(lambda: any("1 of them closed as gone" in r.getMessage() for r in caplog.records))
    assert "@" not in caplog.text


def journal_entries(lines: list[tuple[str, str]], t: datetime) -> Iterator[dict[str, Any]]:
    """Give the lines of a mail as journal entries, and a later one of another program."""
    common = {"_MACHINE_ID": MACHINE, "_BOOT_ID": MACHINE, "_HOSTNAME": "mx1.example.com",
              "_UID": 0, "PRIORITY": 6, "SYSLOG_PID": 1}  # fmt: skip
    said = [(f"postfix/{daemon}", text, t) for daemon, text in lines]
    for identifier, text, when in [*said, ("cron", "nothing", t + 2 * HOUR)]:
        stamp = round(when.timestamp() * 1_000_000)
        times = {"__REALTIME_TIMESTAMP": stamp, "__MONOTONIC_TIMESTAMP": stamp}
        yield {**common, **times, "SYSLOG_IDENTIFIER": identifier, "MESSAGE": text}


@pytest.mark.parametrize("interval", [0, 0.05], ids=["never", "often"])
def test_run_compares_by_itself(
    dsn: str, postfix: Postfix, tmp_path: Path, interval: float
) -> None:
    """`run` on this host's journal closes what is gone, unless it shall not look at the queue."""
    entries = list(journal_entries(WAITS, datetime.now(UTC) - HOUR))
    journals.write_journal(tmp_path / "journal" / "system.journal", entries)
    folder = {"directory": str(tmp_path / "journal")}
    often = {"journal_poll_interval": 0.1, "queue": {"check_interval": interval}}
    config = configured(dsn=dsn, journal=folder, **often)
    stop = Event()
    service = Thread(target=run.run, args=(config, stop, run.How()))
    service.start()
    try:
        wait(lambda: rows(dsn, "SELECT status FROM delivery_to") == [("deferred",)])
        if interval:
            wait(lambda: rows(dsn, END) == [(QID, "vanished")])
    finally:
        stop.set()
        service.join()
    assert bool(postfix.looks()) is bool(interval)


def test_it_gives_up_where_it_may_not(
    dsn: str, postfix: Postfix, regularly: Thread, caplog: pytest.LogCaptureFixture
) -> None:
    """A user who may not see the queue is told once, and postqueue is not called again."""
    postfix.write("postqueue", FAILURES["not allowed"][0])
    log(dsn, WAITS)
    regularly.start()
    regularly.join(20)
    assert not regularly.is_alive()
    assert [r.levelname for r in caplog.records] == ["WARNING"]


def test_it_is_silent_elsewhere(
    dsn: str, postfix: Postfix, regularly: Thread, caplog: pytest.LogCaptureFixture
) -> None:
    """On a host of which no log is stored nothing is said, and postqueue is not called."""
    log(dsn, WAITS, machine="f" * 32)
    regularly.start()
    Event().wait(0.2)
    assert caplog.records == []
    assert postfix.looks() == 0


def test_it_does_not_hold_a_merge_up(
    dsn: str, postfix: Postfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the queue is listed and the log waited for, batches of the host are stored."""
    monkeypatch.setattr(reconcile, "PATIENCE", 20.0)
    log(dsn, WAITS, read_to=-HOUR)
    with closing(psycopg2.connect(dsn)) as connection:
        connection.cursor().execute("SET lock_timeout TO '100ms'")
        thread = Thread(target=compare, args=(dsn,))
        thread.start()
        wait(lambda: postfix.looks() == 1)
        key = "SELECT pg_advisory_xact_lock(hashtextextended('journal-postfix mta mx1.example.com', 0))"
        connection.cursor().execute(key)
        connection.commit()
        log(dsn)
        thread.join()
    assert rows(dsn, END) == [(QID, "vanished")]


class Clock(Event):
    """Time that passes at once, for an hour: the pauses that were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Note how long was to be waited."""
        assert timeout is not None
        self.pauses.append(timeout)
        return len(self.pauses) == 9


def test_where_nothing_is_stored_yet_it_looks_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that has just been installed need not wait for its first comparison for an hour."""
    outcomes: list[Exception | None] = [NotOurs("no"), Behind("no"), None, *[NotOurs("no")] * 6]

    def compared(*_: object) -> Compared:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        return Compared([], [])

    monkeypatch.setattr(reconcile, "reconcile", compared)
    clock = Clock()
    config = replace(configured(), queue_check_interval=600.0)
    reconcile.reconcile_regularly(lambda: "", config, clock)
    assert clock.pauses == [60, 120, 600, 60, 120, 240, 480, 600, 600]
