"""What four releases of Postfix write, recorded by script/record-versions: every line is understood.

One and the same traffic (`live`) went through each, so what differs is Postfix's doing.
"""

from __future__ import annotations

import json
import lzma
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import pytest

from journal_postfix.delivery import extract_delivery
from journal_postfix.messages import MsgDetails
from journal_postfix.parser import Parsed, parse, route
from journals import JOURNAL_REMOTE

FOLDER = Path(__file__).parent / "versions"
VERSIONS = ("3.5", "3.7", "3.10", "3.11")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, Any]

# Kinds of lines: DAEMON ACTION, or DAEMON ACTION FIELD=VALUE; what every release writes.
EVERYWHERE = """
bounce notification
cleanup content_verdict
cleanup message_id
cleanup message_rejected
cleanup verdict
discard delivery
error delivery
lmtp delivery
local delivery
master daemon_started
master terminating
pickup pickup
pipe delivery
postfix-script script
postsuper force_expired
postsuper held
postsuper postsuper
postsuper released
postsuper removed
postsuper requeued
qmgr expired
qmgr queue_active
qmgr removed
qmgr transport
smtp connect_failed
smtp delivery
smtp tls_connection
smtp try_next
smtpd client
smtpd connect
smtpd disconnect
smtpd illegal_address
smtpd login_failed
smtpd message_rejected
smtpd non_smtp_command
smtpd proxy_verdict
smtpd sasl
smtpd session_trouble
smtpd tls_connection
smtpd verdict
virtual delivery
"""
NOBODY = "65534"  # who writes under Postfix's name in the traffic
WHOLE = {
    "queue_id", "recipient", "relay", "delay", "delay_before_qmgr", "delay_in_qmgr",
    "delay_conn_setup", "delay_transmission", "dsn", "status", "reason",
}  # fmt: skip
COUNTS = """
SELECT (SELECT sum(attempts + skipped) FROM delivery_to) AS records,
       (SELECT sum(copies) FROM delivery_to) AS copies,
       (SELECT count(*) FROM delivery_to) AS recipients,
       (SELECT count(*) FROM delivery_from WHERE removed_by = 'qmgr') AS removed,
       (SELECT count(*) FROM noqueue) AS verdicts,
       (SELECT count(*) FROM delivery_from) AS mails,
       (SELECT sum(forged) FROM source) AS forged,
       (SELECT count(*) FROM unrecognised) AS unrecognised
"""


class Line(NamedTuple):
    """A line of Postfix, and what is made of it."""

    msg: MsgDetails
    uid: str
    daemon: str
    parsed: Parsed
    errors: list[str]
    delivery: Row | None

    def __str__(self) -> str:
        return f"{self.msg['identifier']}: {self.msg['message']}"


@cache
def export(version: str) -> bytes:
    """A sample, in the Journal Export Format."""
    return lzma.decompress((FOLDER / f"postfix-{version}.export.xz").read_bytes())


def _entries(text: bytes) -> Iterator[dict[str, bytes]]:
    """The entries of a text in the Journal Export Format."""
    entry: dict[str, bytes] = {}
    place = 0
    while place < len(text):
        end = text.index(b"\n", place)
        name, equals, value = text[place:end].partition(b"=")
        if name and not equals:
            start = end + 9
            end = start + int.from_bytes(text[end + 1 : start], "little")
            value = text[start:end]
        if name:
            entry[name.decode()] = value
        else:
            yield entry
            entry = {}
        place = end + 1


@cache
def lines(version: str) -> list[Line]:
    """The lines of a sample that are Postfix's by their identifier."""
    return [line for entry in _entries(export(version)) if (line := _line(entry))]


def _line(entry: dict[str, bytes]) -> Line | None:
    identifier = entry["SYSLOG_IDENTIFIER"].decode()
    found = route(identifier)
    if found is None:
        return None
    msg: MsgDetails = {
        "t": EPOCH + timedelta(microseconds=int(entry["__REALTIME_TIMESTAMP"])),
        "host": entry["_HOSTNAME"].decode(),
        "identifier": identifier,
        "pid": int(entry.get("SYSLOG_PID", entry["_PID"])),
        "message": entry["MESSAGE"].decode("utf-8", "backslashreplace"),
        "position": 0,
    }
    parsed = parse(msg)
    return Line(msg, entry["_UID"].decode(), found.daemon, parsed, *extract_delivery(msg, parsed))


def is_of(line: Line, kind: str) -> bool:
    """Whether a line is of a kind, as the tables above name it."""
    daemon, action, *condition = kind.split(" ", 2)
    if (line.daemon, line.parsed["action"]) != (daemon, action):
        return False
    name, _, value = "".join(condition).partition("=")
    return not name or str(line.parsed.get(name)) == value


def kinds(text: str) -> list[str]:
    """The kinds of a table, without the comments."""
    return [line for line in text.strip().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_line_is_recognised(version: str) -> None:
    """Nothing that this release wrote is unknown to the parser."""
    assert [str(line) for line in lines(version) if line.parsed["action"] == "unknown"] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sample_is_rich(version: str) -> None:
    """Every kind of line that all releases write is there."""
    found = lines(version)
    assert [kind for kind in kinds(EVERYWHERE) if not any(is_of(one, kind) for one in found)] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_no_line_is_odd(version: str) -> None:
    """No line is cut or ambiguous, and extraction has nothing to say against any."""
    found = lines(version)
    assert [str(one) for one in found if one.errors or one.parsed.get("odd")] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_every_delivery_record_is_whole(version: str) -> None:
    """Each names recipient, relay, all delays, dsn and status; the reason is closed."""
    wanting = [str(one) for one in lines(version) if is_record(one) and WHOLE - one.parsed.keys()]
    assert wanting == []


def is_record(line: Line) -> bool:
    """Whether it is a delivery record that Postfix wrote, not somebody else under its name."""
    return line.parsed["action"] == "delivery" and line.uid != NOBODY


@pytest.fixture(params=VERSIONS)
def loaded(request: pytest.FixtureRequest, dsn: str, tmp_path: Path) -> tuple[list[Line], str]:
    """The lines of a sample, and a database into which its journal was read."""
    if not Path(JOURNAL_REMOTE).exists():
        pytest.skip("needs systemd-journal-remote")
    journal = tmp_path / "journal" / "sample.journal"
    journal.parent.mkdir()
    command = [JOURNAL_REMOTE, "--output", str(journal), "-"]
    subprocess.run(command, input=export(request.param), check=True, capture_output=True)
    found = lines(request.param)
    config = {"dsn": dsn, "retention": {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}}
    uids = sorted({int(line.uid) for line in found if line.uid != NOBODY})
    config["journal"] = {"directory": str(journal.parent), "trusted_uids": uids}
    (tmp_path / "main.yml").write_text(json.dumps(config))  # JSON is YAML
    command = [sys.executable, "-m", "journal_postfix", "--config", str(tmp_path / "main.yml")]
    done = subprocess.run([*command, "run", "--once"], capture_output=True, text=True, check=False)
    assert (done.returncode, re.findall("WARNING|ERROR", done.stderr)) == (0, []), done.stderr
    return found, dsn


def test_every_record_is_in_the_tables(loaded: tuple[list[Line], str]) -> None:
    """Attempts, copies, removals and verdicts in PostgreSQL are as many as Postfix logged."""
    found, dsn = loaded
    true = [line for line in found if line.uid != NOBODY]
    records = [line.parsed for line in true if line.parsed["action"] == "delivery"]
    expected = {
        "records": len(records),
        "copies": sum(record["status"] == "sent" for record in records),
        "recipients": len({(r["queue_id"], r["recipient"], r.get("orig_to")) for r in records}),
        "removed": sum(is_of(line, "qmgr removed") for line in true),
        "verdicts": sum((line.delivery or {}).get("table") == "noqueue" for line in true),
        "mails": len({queue_id for line in true if (queue_id := mail_of(line))}),
        "forged": len(found) - len(true),
        "unrecognised": 0,
    }
    assert stored(dsn) == expected


def mail_of(line: Line) -> str | None:
    """The queue id of the mail that a line tells something of."""
    return line.parsed.get("queue_id") if line.delivery else None


def stored(dsn: str) -> Row:
    """What the tables hold, counted."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(COUNTS)
        return dict(
            zip((column.name for column in cursor.description), cursor.fetchone(), strict=True)
        )
