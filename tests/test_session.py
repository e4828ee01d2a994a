"""What is remembered of sessions: bounded, stored as JSON, forgotten in time.

What sessions mean for mails is told by the stories (`mails/`).
"""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from journal_postfix import remembered, retention
from journal_postfix.collect import Collector
from journal_postfix.config import Config, config_from
from journal_postfix.delivery import Delivery, extract_delivery
from journal_postfix.messages import MsgDetails, Position
from journal_postfix.parser import parse
from journal_postfix.session import MOST_PENDING, Sessions
from journal_postfix.store import Horizon
from journal_postfix.writer import Mark, Writer

NOON = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)
CLIENT = "mail.example.org[192.0.2.10]"
CONNECT = f"connect from {CLIENT}"
TLS = f"Anonymous TLS connection established from {CLIENT}: TLSv1.3 with cipher X (256/256 bits)"
OPENS = f"3C5D120AB1: client={CLIENT}"
RELAY = "mx.example.net[198.51.100.25]:25"
OUT = f"Trusted TLS connection established to {RELAY}: TLSv1.3 with cipher X (256/256 bits)"
SENT = (
    f"3C5D120AB1: to=<bob@example.net>, relay={RELAY}, delay=%s, delays=0/0/%s/0, dsn=2.0.0,"
    " status=sent (250 ok)"
)


def message(
    text: str, daemon: str = "smtpd", pid: int | None = 1, t: datetime = NOON, host: str = "mx1"
) -> MsgDetails:
    """A line of a process."""
    return {
        "t": t,
        "host": host,
        "identifier": f"postfix/{daemon}",
        "pid": pid,
        "message": text,
        "position": 0,
    }


def see(sessions: Sessions, msg: MsgDetails) -> Delivery | None:
    """What a line tells in its session."""
    parsed = parse(msg)
    assert parsed["action"] != "unknown", msg["message"]
    return sessions.see(msg, parsed, extract_delivery(msg, parsed)[1])


def restarted(sessions: Sessions) -> Sessions:
    """The sessions as they are after a restart."""
    return Sessions(json.loads(sessions.state()))


def open_keys(sessions: Sessions) -> list[str]:
    """What is remembered, of all kinds."""
    tables = json.loads(sessions.state()).values()
    return [" ".join(map(str, key)) for table in tables for key, _ in table]


# --- beyond doubt -------------------------------------------------------------------------------


def tls_of(*messages: MsgDetails) -> str | None:
    """The TLS protocol that the last of some lines tells."""
    sessions = Sessions()
    found = [see(sessions, msg) for msg in messages][-1]
    assert found is not None
    return found.get("encryption_protocol")


def test_tls_of_the_same_process() -> None:
    """The mail gets the protocol that its process told."""
    assert tls_of(message(CONNECT), message(TLS), message(OPENS)) == "TLSv1.3"


@pytest.mark.parametrize(
    "other",
    [
        {"pid": 2},
        {"pid": None},
        {"host": "mx2"},
        {"daemon": "submission/smtpd"},
    ],
    ids=str,
)
def test_tls_of_another_process(other: dict[str, Any]) -> None:
    """Another pid, host or service, or none at all, is another session."""
    assert tls_of(message(CONNECT), message(TLS), message(OPENS, **other)) is None


def test_sessions_go_over_a_restart() -> None:
    """What is known is the same before and after a restart between any two lines."""
    sessions = Sessions()
    for text in (CONNECT, TLS):
        see(sessions, message(text))
        sessions = restarted(sessions)
    found = see(sessions, message(OPENS))
    assert found is not None
    assert found["encryption_cipher"] == "X"


@pytest.mark.parametrize(
    ("seconds", "setup", "protocol"), [(3, 3, "TLSv1.3"), (30, 30, "TLSv1.3"), (30, 3, None)]
)
def test_tls_of_a_delivery_at_its_time(seconds: int, setup: int, protocol: str | None) -> None:
    """TLS that was set up before a delivery's own connection is that of an earlier one."""
    later = message(SENT % (seconds, setup), "smtp", t=NOON + timedelta(seconds=seconds))
    assert tls_of(message(OUT, "smtp"), later) == protocol


def test_what_a_dropped_client_said_is_no_reason() -> None:
    """The bytes that a client sent before the greeting stay out, but for a HELO name."""
    sessions, client = Sessions(), "[192.0.2.10]:4711"
    lines = (
        f"CONNECT from {client} to [192.0.2.25]:25",
        f"PREGREET 33 after 0.1 from {client}: EHLO mail.example\\r\\nMAIL FROM:<ann@example.org>\\r\\n",
        f"DISCONNECT {client}",
    )
    found = [see(sessions, message(text, "postscreen")) for text in lines][-1]
    assert found is not None
    assert found["helo_name"] == "mail.example"
    assert found["reason"] == "PREGREET 33 after 0.1"
    assert open_keys(sessions) == []


# --- bounds -------------------------------------------------------------------------------------


def test_sessions_are_bounded() -> None:
    """However many connect, no more are remembered; who spoke latest is kept."""
    sessions = Sessions()
    for pid in range(remembered.MOST + 50):
        see(sessions, message(CONNECT, pid=pid))
        see(sessions, message(OPENS, pid=0))
        see(sessions, message(f"CONNECT from [192.0.2.1]:{pid} to [192.0.2.25]:25", "postscreen"))
    assert len(open_keys(sessions)) == 2 * remembered.MOST
    assert "mx1 postfix/smtpd 0" in open_keys(sessions)
    assert "mx1 postfix/smtpd 1" not in open_keys(sessions)


def test_a_session_is_bounded() -> None:
    """A client that never ends a transaction, and a server with a hundred hosts, fill nothing."""
    sessions = Sessions()
    verdict = (
        f"NOQUEUE: hold: RCPT from {CLIENT}: <b%d@example.com>: Recipient address held;"
        " from=<a@example.org> to=<b@example.com> proto=SMTP helo=<x>"
    )
    for number in range(10 * MOST_PENDING):
        see(sessions, message(verdict % number))
        see(sessions, message(OUT.replace("mx.", f"mx{number}."), "smtp"))
    for _ in range(1000):
        see(sessions, message("DNSBL rank 6 for [192.0.2.1]:1", "postscreen"))
    (_, process), (_, delivering) = json.loads(sessions.state())["processes"]
    assert len(process["pending"]) == len(delivering["peers"]) == MOST_PENDING


def test_silent_sessions_are_forgotten() -> None:
    """A process that said nothing for a day is gone, and one that delivered after a moment."""
    sessions = Sessions()
    see(sessions, message(CONNECT, pid=1))
    see(sessions, message(OUT, "smtp", pid=2))
    see(sessions, message(SENT % (1, 1), "smtp", pid=2))
    see(sessions, message(CONNECT, pid=3, t=NOON + timedelta(minutes=1)))
    assert open_keys(sessions) == ["mx1 postfix/smtpd 1", "mx1 postfix/smtpd 3"]
    see(sessions, message(CONNECT, pid=4, t=NOON + timedelta(days=1, seconds=30)))
    assert open_keys(sessions) == ["mx1 postfix/smtpd 3", "mx1 postfix/smtpd 4"]


# --- in the database ------------------------------------------------------------------------------


def configured(days: int = 0) -> Config:
    """A configuration with so many days of retention."""
    return config_from({"retention": {"delivery": {"delete": 30}, "noqueue": {"delete": days}}}, "")


def store(dsn: str, lines: list[MsgDetails]) -> dict[str, Any]:
    """Store lines; gives the state that a restart begins with."""
    collector = Collector(configured())
    for msg in lines:
        collector.add(msg)
    writer = Writer(dsn, configured().store_options())
    with closing(writer):
        source = writer.new_source(Position("file", "x", "mail.log", "0", "", None))
        mark = Mark(source, Position("file", "x", "mail.log", "1", "d", NOON))
        writer.store(collector.take(), [mark], Horizon())
        (found,) = writer.find_sources("file", "x")
    return found.state


@pytest.mark.parametrize("odd", ["\0", "\ud800", "\\u0000", "'", "\u00fc\u20ac", "\x1b"])
def test_odd_texts_are_remembered(odd: str, dsn: str) -> None:
    """Whatever characters a client writes, the state is stored and comes back."""
    verdict = f"NOQUEUE: discard: RCPT from {CLIENT}: {odd}; from=<a{odd}@example.org> proto=SMTP"
    sessions = Sessions(store(dsn, [message(verdict)]))
    found = see(sessions, message(OPENS))
    assert found is not None
    assert (found["verdict"], found["sender"]) == ("discard", f"a{odd}@example.org")


def test_retention_forgets_sessions(dsn: str) -> None:
    """Sessions of a source that is not read any more go when verdicts of their day go."""
    query = "SELECT state::text <> '{}' FROM source"
    assert store(dsn, [message(CONNECT)])
    for days, kept in ((0, True), (7, True), (9, False)):
        retention.clean(dsn, configured(7), NOON + timedelta(days=days))
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            assert cursor.fetchall() == [(kept,)], days
