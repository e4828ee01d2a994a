"""What the log itself lost: told by journald, by rsyslogd, by the inputs, and shown in status."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journal_postfix import losses
from journals import MACHINE, can_make_cgroups, entry, running_journald, write_journal
from test_cli import KEEP, call
from test_journal import OTHER, needs_root, time_of
from test_spans import ask

LIMIT = "due to rate-limiting"
PID = "[pid: 77, name: /usr/lib/postfix/sbin/smtpd]"
DROPPED = {
    "_TRANSPORT": "driver",
    "SYSLOG_IDENTIFIER": "systemd-journald",
    "MESSAGE_ID": "a596d6fe7bfa4994828e72309e95d61e",
}
CURSOR = "s=0;i=1;b=0;m=0;t=0;x=0"


@pytest.mark.parametrize(
    ("identifier", "text", "lost"),
    [
        ("systemd-journald", "Suppressed 182 messages from postfix.service", 182),
        ("systemd-journald", "Suppressed 1 messages from postfix@-.service", 1),
        ("systemd-journald", "Suppressed 3 messages from /system.slice/postfix.service", 3),
        ("systemd-journal", "Suppressed 3 messages from /", 3),
        ("systemd-journald", "Missed 12 kernel messages", 12),
        ("systemd-journald", "Forwarding to syslog missed 9 messages.", 9),
        ("rsyslogd-2177", f"imuxsock lost 45 messages from pid 77 {LIMIT}", 45),
        ("rsyslogd-2177", f"imuxsock begins to drop messages from pid 77 {LIMIT}", None),
        ("rsyslogd", f"imuxsock[pid 77]: begin to drop messages {LIMIT}", None),
        ("rsyslogd", f"imuxsock{PID}: 45 messages lost {LIMIT} (200 allowed within 5 seconds)", 45),
        (
            "rsyslogd",
            f"imuxsock{PID} from <mx1:postfix/smtpd>: begin to drop messages {LIMIT}",
            None,
        ),
        (
            "rsyslogd",
            f"imjournal: 84667 messages lost {LIMIT} (20000 allowed within 600 seconds)",
            84667,
        ),
        ("rsyslogd-2177", f"imjournal: begin to drop messages {LIMIT}", None),
    ],
)
def test_losses_are_understood(identifier: str, text: str, lost: int | None) -> None:
    """Each way of saying that lines were lost is understood, with their number if it is said."""
    said = losses.read(identifier, text)
    assert said is not None
    assert said.lost == lost


@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        ("systemd-journald", "Suppressed 182 messages from nginx.service"),
        ("systemd-journald", "Journal started"),
        ("systemd-journald", "Suppressed many messages from postfix.service"),
        ("rsyslogd", f"imuxsock[pid: 77, name: /usr/sbin/nginx]: 45 messages lost {LIMIT}"),
        ("rsyslogd", '[origin software="rsyslogd"] rsyslogd was HUPed'),
        ("rsyslogd", "Suppressed 182 messages from postfix.service"),
    ],
)
def test_what_is_no_loss_of_ours(identifier: str, text: str) -> None:
    """Other programs' losses, and what is no loss at all, are passed over."""
    assert losses.read(identifier, text) is None


class Machine:
    """A journal in a folder, and the program that reads it."""

    def __init__(self, dsn: str, folder: Path, journal: Path | None = None) -> None:
        self.dsn = dsn
        self.journal = journal or folder / "journal"
        self.config = folder / "main.yml"
        directory = f"journal: {{directory: {self.journal}}}\n"
        self.config.write_text(f"dsn: {json.dumps(dsn)}\n{KEEP}{directory}")

    def follow(self) -> None:
        """Catch up with the journal."""
        said = call("--config", str(self.config), "run", "--once")
        assert said.status == 0, said

    def status(self) -> dict[str, list[dict[str, Any]]]:
        """Ask for the status."""
        said = call("--config", str(self.config), "status", "--format", "json")
        sections: dict[str, list[dict[str, Any]]] = json.loads(said.out)
        return sections


@pytest.fixture(name="machine")
def _machine(dsn: str, tmp_path: Path) -> Machine:
    return Machine(dsn, tmp_path)


@needs_root
@pytest.mark.skipif(not can_make_cgroups(), reason="needs a place for control groups")
def test_what_a_real_journald_dropped(dsn: str, tmp_path: Path) -> None:
    """Lines of Postfix's unit beyond RateLimitBurst are a gap: from the last line to the next."""
    with running_journald("RateLimitIntervalSec=1s\nRateLimitBurst=5\n") as journald:
        journald.write_from("postfix.service", 500)
        journald.write_from("other.service", 500)
        time.sleep(1.2)  # the interval has to pass before journald says what it dropped
        journald.write_from("postfix.service", 1)
        journald.write_from("other.service", 1)
        machine = Machine(dsn, tmp_path, journald.folder)
        machine.follow()
    ((lines,),) = ask(dsn, "SELECT lines FROM source")
    ((mta, lost, reason, seconds),) = ask(
        dsn, "SELECT mta, lost, reason, extract(epoch FROM t_to - t_from) FROM gap"
    )
    assert (mta, "RateLimitBurst" in reason) == (os.uname().nodename, True)
    assert 0 < lost < 500
    assert lines == 1002 - lost - _dropped_of_others(lines, lost)
    assert seconds > 1


def _dropped_of_others(lines: int, lost: int) -> int:
    """The other unit lost lines too, which is no gap of Postfix."""
    others = 1002 - lost - lines
    assert 0 < others < 500
    return others


def test_losses_in_a_journal(machine: Machine) -> None:
    """A loss belongs to its machine, begins with the line before it; forged ones are none."""
    ours = [
        entry(0, MESSAGE="daemon started"),
        entry(5, MESSAGE="Suppressed 7 messages from postfix@-.service", **DROPPED),
        entry(6, MESSAGE="Suppressed 8 messages from nginx.service", **DROPPED),
        entry(
            7,
            MESSAGE="Suppressed 9 messages from postfix.service",
            **{**DROPPED, "_TRANSPORT": "syslog"},
        ),
        entry(8, MESSAGE="Journal started", **{**DROPPED, "MESSAGE_ID": "f" * 32}),
    ]
    missed = {**DROPPED, "MESSAGE_ID": "e9bf28e6e834481bb6f48f548ad13606", "_HOSTNAME": "mx2"}
    theirs = [
        entry(1, MESSAGE="daemon started", _MACHINE_ID=OTHER, _HOSTNAME="mx2"),
        entry(3, MESSAGE="Missed 4 kernel messages", _MACHINE_ID=OTHER, **missed),
    ]
    write_journal(machine.journal / "a.journal", ours)
    write_journal(machine.journal / "b.journal", theirs)
    machine.follow()
    found = ask(
        machine.dsn,
        "SELECT s.identity, g.mta, g.t_from, g.t_to, g.lost FROM gap g"
        " JOIN source s ON s.id = g.source_id ORDER BY g.mta",
    )
    assert found == [
        (MACHINE, "mx1", time_of(0), time_of(5), 7),
        (OTHER, "mx2", time_of(1), time_of(3), 4),
    ]
    machine.follow()
    assert len(ask(machine.dsn, "SELECT FROM gap")) == 2


def test_loss_begins_with_the_line_of_an_earlier_batch(machine: Machine) -> None:
    """Where the line before a loss is stored already, the gap still begins there."""
    lines = [entry(n, MESSAGE="daemon started") for n in range(4)]
    loss = entry(9, MESSAGE="Suppressed 7 messages from postfix.service", **DROPPED)
    write_journal(machine.journal / "a.journal", [*lines, loss])
    text = machine.config.read_text()
    machine.config.write_text(f"{text}max_messages_per_commit: 2\n")
    machine.follow()
    assert ask(machine.dsn, "SELECT t_from, t_to FROM gap") == [(time_of(3), time_of(9))]


def test_trap_02_gap_of_the_machine_it_is_in(machine: Machine) -> None:
    """Of two machines one lost entries: the gap is that one's, told once, with its times."""
    for identity, host in ((MACHINE, "mx1"), (OTHER, "mx2")):
        one = {"_MACHINE_ID": identity, "_HOSTNAME": host, "MESSAGE": "daemon started"}
        write_journal(machine.journal / f"{host}.journal", [entry(n, **one) for n in (0, 5)])
    machine.follow()
    (machine.journal / "mx2.journal").unlink()
    later = {"_MACHINE_ID": OTHER, "_HOSTNAME": "mx2", "MESSAGE": "daemon started"}
    write_journal(machine.journal / "mx2.journal", [entry(n, **later) for n in (40, 50)])
    machine.follow()
    machine.follow()
    ((identity, mta, begin, end),) = ask(
        machine.dsn,
        "SELECT s.identity, g.mta, g.t_from, g.t_to FROM gap g JOIN source s ON s.id = g.source_id",
    )
    assert (identity, mta, begin, end) == (OTHER, "mx2", time_of(5), time_of(40))


def test_losses_in_a_file(dsn: str, tmp_path: Path) -> None:
    """What rsyslogd says of dropped lines is a gap of the host; given again it is none more."""
    machine = Machine(dsn, tmp_path)
    file = tmp_path / "mail.log"
    file.write_text(
        "Nov 20 10:00:00 mx1 postfix/master[11]: daemon started\n"
        f"Nov 20 10:00:09 mx1 rsyslogd-2177: imuxsock lost 45 messages from pid 77 {LIMIT}\n"
        f"Nov 20 10:00:09 mx1 rsyslogd: imuxsock[pid: 9, name: /bin/x]: 5 messages lost {LIMIT}\n"
    )
    load = ("--config", str(machine.config), "backfill", "--year", "2025", "--timezone", "UTC")
    assert call(*load, str(file)).status == 0
    assert call(*load, str(file)).status == 0
    (gap,) = machine.status()["gaps"]
    assert (gap["mta"], gap["name"], gap["lost"]) == ("mx1", str(file), 45)
    assert "rsyslogd" in gap["reason"]
    times = [datetime.fromisoformat(gap[name]) for name in ("t_from", "t_to")]
    assert times[1] - times[0] == timedelta(seconds=9)


def test_status_shows_what_each_source_covers_and_lost(machine: Machine) -> None:
    """Of each source and host: from when to when lines are stored, and how much was lost."""
    mail = "NOQUEUE: reject: RCPT from x[192.0.2.1]: 450 4.7.1 no; from=<> to=<b@example.com>"
    entries = [
        entry(0, MESSAGE=mail),
        entry(9, MESSAGE="Suppressed 7 messages from postfix.service", **DROPPED),
        entry(20, MESSAGE=mail),
        entry(21, MESSAGE=mail, _UID="1000"),
        entry(22, MESSAGE=mail, _UID="1000", SYSLOG_IDENTIFIER="postfix/postdrop"),
    ]
    write_journal(machine.journal / "a.journal", entries)
    machine.follow()
    status = machine.status()
    (covered,) = status["spans"]
    assert (covered["mta"], covered["gaps"], covered["lost"]) == ("mx1", 1, 7)
    moments = [datetime.fromisoformat(covered[name]) for name in ("t_from", "t_to")]
    assert moments == [time_of(0), time_of(22)]
    (source,) = status["sources"]
    assert (source["forged"], source["known"], source["lines"]) == (2, 0, 2)
    assert ask(machine.dsn, "SELECT count(*) FROM noqueue") == [(2,)]
    for form in ("table", "csv"):
        said = call("--config", str(machine.config), "status", "--format", form)
        assert "RateLimitBurst" in said.out
        assert "forged" in said.out


def test_gap_without_a_new_line_is_told_later(machine: Machine) -> None:
    """A gap that is noticed while nothing new is there is not forgotten."""
    write_journal(machine.journal / "a.journal", [entry(0, MESSAGE="daemon started")])
    machine.follow()
    (machine.journal / "a.journal").unlink()
    write_journal(
        machine.journal / "b.journal", [entry(1, MESSAGE="x", _MACHINE_ID=OTHER, PRIORITY="7")]
    )
    machine.follow()
    assert ask(machine.dsn, "SELECT FROM gap") == []
    write_journal(machine.journal / "c.journal", [entry(30, MESSAGE="daemon started")])
    machine.follow()
    assert ask(machine.dsn, "SELECT t_from, t_to FROM gap") == [(time_of(0), time_of(30))]
