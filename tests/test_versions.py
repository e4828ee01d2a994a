"""What four releases of Postfix write, recorded by script/record-versions: every line is understood.

One and the same traffic (`live`) went through each, so what differs is Postfix's doing.
"""

from __future__ import annotations

import ipaddress
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

# What every release writes: DAEMON ACTION, or DAEMON ACTION FIELD=VALUE|VALUE...: a line for each
# value; DAEMON ACTION FIELD=: a line that has the field.
EVERYWHERE = """
anvil statistics kind=connection|message|recipient
bounce notification notification=sender non-delivery|sender delay|sender delivery status
bounce notification notification=postmaster non-delivery
bounce template
cleanup content_verdict verdict=reject|hold|discard|redirect|filter|bcc|warning|info
cleanup content_verdict verdict=prepend|replace|milter-header-warning
cleanup message_id
cleanup message_rejected
cleanup verdict verdict=milter-reject|milter-discard|milter-hold
discard delivery status=sent
dnsblog dnsblog
error delivery status=bounced|deferred
lmtp delivery status=bounced|sent
local delivery status=bounced|deferred|sent
local delivery orig_to=
master daemon_started
master reload
master terminating
pickup pickup
pickup pickup orig_queue_id=
pipe delivery status=sent
postfix-script script text=starting the Postfix mail system|stopping the Postfix mail system
postfix-script script text=refreshing the Postfix mail system
postlog postlog
postlog warning
postmap table
postqueue down
postscreen cache_cleanup
postscreen dnsbl
postscreen hangup
postscreen pregreet
postscreen protocol_test test=BARE NEWLINE|NON-SMTP COMMAND|COMMAND PIPELINING
postscreen protocol_test test=COMMAND COUNT LIMIT|COMMAND LENGTH LIMIT|COMMAND TIME LIMIT
postscreen protocol_test test=DATA without valid RCPT
postscreen screen screening=PASS NEW|PASS OLD|DISCONNECT
postscreen verdict protocol_state=CONNECT|RCPT
postsuper force_expired
postsuper held
postsuper postsuper what=Deleted|Force-expired|Placed on hold|Released from hold|Requeued
postsuper released
postsuper removed
postsuper requeued
qmgr expired status=expired|force-expired
qmgr queue_active
qmgr removed
qmgr transport
qmqpd client
qmqpd connect
qmqpd disconnect
scache statistics kind=domain|address
sendmail sendmail
smtp connect_failed
smtp content_check
smtp delivery status=bounced|deferred|sent|deliverable|undeliverable
smtp delivery conn_use=
smtp tls_connection how=established|reused
smtp tls_connection tls_trust=Untrusted
smtp tls_error
smtp tls_verify
smtp try_next
smtpd bdat
smtpd client
smtpd client orig_queue_id=
smtpd client sasl_username=
smtpd connect
smtpd debug
smtpd discarding_ehlo
smtpd disconnect
smtpd etrn
smtpd hostname_mismatch
smtpd illegal_address
smtpd login_aborted
smtpd login_failed
smtpd login_failed sasl_username=
smtpd message_rejected
smtpd milter
smtpd non_smtp_command
smtpd pipelining
smtpd replacing_command
smtpd proxy_verdict verdict=proxy-accept|proxy-reject
smtpd rate_limit what=Connection concurrency|Connection rate|Message delivery request rate
smtpd rate_limit what=Recipient address rate|AUTH command rate|New TLS session rate
smtpd session_trouble trouble=lost connection|timeout|too many errors
smtpd tls_connection tls_trust=Anonymous|Untrusted
smtpd tls_error
smtpd tls_library
smtpd tls_peer
smtpd tls_session
smtpd verdict verdict=reject|hold|discard|redirect|filter|bcc|warn|info|milter-reject
smtpd verdict protocol_state=CONNECT|HELO|EHLO|MAIL|RCPT|DATA|END-OF-MESSAGE|VRFY|ETRN
tlsproxy proxy what=CONNECT from|CONNECT to|DISCONNECT
tlsproxy tls_connection tls_trust=Anonymous|Untrusted
verify cache_cleanup
virtual delivery status=sent
"""
# What a release of VERSIONS and all later ones write, and no earlier one.
SINCE = {
    "3.7": """
postscreen screen screening=ALLOWLISTED|DENYLISTED
postqueue down error=
""",
    "3.10": """
cleanup removed removed_by=canceled|discarded
smtpd session_trouble queue_id=
smtpd verdict sasl_username=
""",
    "3.11": """
lmtp delivery tls=none
smtp delivery tls=none|may|may:none|may?|!encrypt|!secure
""",
}
# What the first release of VERSIONS writes, and no later one.
ONCE = "postscreen screen screening=WHITELISTED|BLACKLISTED"
WHOLE = {
    "queue_id", "recipient", "relay", "delay", "delay_before_qmgr", "delay_in_qmgr",
    "delay_conn_setup", "delay_transmission", "dsn", "status", "reason",
}  # fmt: skip
COUNTS = """
SELECT (SELECT sum(attempts + skipped) FROM delivery_to) AS records,
       (SELECT sum(copies) FROM delivery_to) AS copies,
       (SELECT count(tls) FROM delivery_to) AS tls,
       (SELECT count(*) FROM delivery_to) AS recipients,
       (SELECT count(*) FROM delivery_from WHERE removed_by = 'qmgr') AS removed,
       (SELECT count(*) FROM noqueue WHERE action <> 'drop') AS verdicts,
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


def kinds(table: str) -> list[str]:
    """The kinds in a table, one by one."""
    return [kind for row in table.strip().splitlines() for kind in _kinds(row)]


def _kinds(row: str) -> list[str]:
    name, equals, values = row.partition("=")
    return [f"{name}={value}" for value in values.split("|")] if equals else [row]


def is_of(line: Line, kind: str) -> bool:
    """Whether a line is of a kind, as the tables above name it."""
    daemon, action, *condition = kind.split(" ", 2)
    if (line.daemon, line.parsed["action"]) != (daemon, action):
        return False
    name, _, value = "".join(condition).partition("=")
    return not name or (name in line.parsed and value in ("", str(line.parsed[name])))


def has(version: str, kind: str) -> bool:
    """Whether a sample has a line of a kind."""
    return any(is_of(line, kind) for line in lines(version))


@cache
def is_trusted(version: str, uid: str) -> bool:
    """Whether a user is root or Postfix's, as its queue manager is."""
    return uid in {"0", *(line.uid for line in lines(version) if line.daemon == "qmgr")}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_line_is_recognised(version: str) -> None:
    """Nothing that this release wrote is unknown to the parser."""
    assert [str(line) for line in lines(version) if line.parsed["action"] == "unknown"] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sample_is_rich(version: str) -> None:
    """Every kind of line that all releases write is there."""
    assert [kind for kind in kinds(EVERYWHERE) if not has(version, kind)] == []


@pytest.mark.parametrize("first", SINCE)
def test_what_is_new_is_new(first: str) -> None:
    """What came with a release is in its sample and those of later ones, in none before."""
    expected = VERSIONS[VERSIONS.index(first) :]
    found = {kind: tuple(v for v in VERSIONS if has(v, kind)) for kind in kinds(SINCE[first])}
    assert found == dict.fromkeys(found, expected)


def test_what_is_old_is_gone() -> None:
    """What was renamed is in the first sample only."""
    for kind in kinds(ONCE):
        assert [version for version in VERSIONS if has(version, kind)] == [VERSIONS[0]]


@pytest.mark.parametrize("version", VERSIONS)
def test_no_line_is_odd(version: str) -> None:
    """No line is cut or ambiguous, and extraction has nothing to say against any."""
    found = lines(version)
    assert [str(one) for one in found if one.errors or one.parsed.get("odd")] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_addresses_are_addresses(version: str) -> None:
    """What is taken for a host's address is one, and nothing of its surroundings."""
    found = {
        (line.parsed[name], str(line))
        for line in lines(version)
        for name in ("client_address", "relay_address", "server_address")
        if name in line.parsed
    }
    assert len(found) > 500
    assert [text for address, text in found if not is_address(address)] == []


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("version", VERSIONS)
def test_every_delivery_record_is_whole(version: str) -> None:
    """Each names recipient, relay, all delays, dsn and status; the reason is closed."""
    records = [line for line in lines(version) if line.parsed["action"] == "delivery"]
    true = [line for line in records if is_trusted(version, line.uid)]
    assert [str(line) for line in true if WHOLE - line.parsed.keys()] == []


@pytest.fixture(params=VERSIONS)
def loaded(request: pytest.FixtureRequest, dsn: str, tmp_path: Path) -> tuple[str, str]:
    """A version, and a database into which its journal was read."""
    if not Path(JOURNAL_REMOTE).exists():
        pytest.skip("needs systemd-journal-remote")
    journal = tmp_path / "journal" / "sample.journal"
    journal.parent.mkdir()
    command = [JOURNAL_REMOTE, "--output", str(journal), "-"]
    subprocess.run(command, input=export(request.param), check=True, capture_output=True)
    config = {"dsn": dsn, "retention": {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}}
    uids = {int(one.uid) for one in lines(request.param) if is_trusted(request.param, one.uid)}
    config["journal"] = {"directory": str(journal.parent), "trusted_uids": sorted(uids)}
    (tmp_path / "main.yml").write_text(json.dumps(config))  # JSON is YAML
    command = [sys.executable, "-m", "journal_postfix", "--config", str(tmp_path / "main.yml")]
    done = subprocess.run([*command, "run", "--once"], capture_output=True, text=True, check=False)
    assert (done.returncode, re.findall("WARNING|ERROR", done.stderr)) == (0, []), done.stderr
    return request.param, dsn


def test_every_record_is_in_the_tables(loaded: tuple[str, str]) -> None:
    """Attempts, copies, removals and verdicts in PostgreSQL are as many as Postfix logged."""
    version, dsn = loaded
    found = lines(version)
    true = [line for line in found if is_trusted(version, line.uid)]
    records = [line.parsed for line in true if line.parsed["action"] == "delivery"]
    expected = {
        "records": len(records),
        "tls": len({to_of(record) for record in records if "tls" in record}),
        "copies": sum(record["status"] == "sent" for record in records),
        "recipients": len({to_of(record) for record in records}),
        "removed": sum(is_of(line, "qmgr removed") for line in true),
        "verdicts": sum((line.delivery or {}).get("table") == "noqueue" for line in true),
        "mails": len({queue_id for line in true if (queue_id := mail_of(line))}),
        "forged": len(found) - len(true),
        "unrecognised": 0,
    }
    assert stored(dsn) == expected


def to_of(record: Parsed) -> tuple[str, str, str | None]:
    """What a row of delivery_to stands for."""
    return (record["queue_id"], record["recipient"], record.get("orig_to"))


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
