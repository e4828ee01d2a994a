"""A report as people read it: golden texts, and what is said where little or nothing is stored.

Golden files stand in tests/reports/. After a wanted change of words write them anew and read them:
``RENEW=1 .venv/bin/pytest tests/test_report_text.py``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from journal_postfix import hourly, report_text, summary
from journal_postfix.backfill import FileOptions, backfill
from journal_postfix.config import config_from
from journal_postfix.lookfirst import look_first
from journal_postfix.period import Period

GOLDEN = Path(__file__).parent / "reports"
KEEP = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
ZONE = timezone(timedelta(hours=1))
MONDAY = datetime(2025, 3, 31, tzinfo=ZONE)
NOW = MONDAY + timedelta(hours=30)

CLIENT = "{qid}: client={client}"
LOGIN = CLIENT + ", sasl_method=PLAIN, sasl_username={login}"
ANSWERS = {
    "sent": "relay=mx.example.org[192.0.2.25]:25, delay=2, delays=0.1/0/0.4/1.5, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4Z{qid})",
    "here": "relay=mail[private/dovecot-lmtp], delay=0.2, delays=0.1/0/0.01/0.1, dsn=2.0.0, status=sent (250 2.0.0 <{to}> Saved)",
    "unknown": "relay=mx.example.org[192.0.2.25]:25, delay=1, delays=0.1/0/0.4/0.5, dsn=5.1.1, status=bounced (host mx.example.org[192.0.2.25] said: 550 5.1.1 <{to}>: Recipient address rejected: User unknown (in reply to RCPT TO command))",
    "spam": "relay=mx.example.net[192.0.2.77]:25, delay=1, delays=0.1/0/0.4/0.5, dsn=5.7.1, status=bounced (host mx.example.net[192.0.2.77] said: 554 5.7.1 Message {qid} looks like spam, see https://mx.example.net/why/{qid} (in reply to end of DATA command))",
    "later": "relay=mx.example.net[192.0.2.77]:25, delay=3, delays=0.1/0/1/2, dsn=4.7.1, status=deferred (host mx.example.net[192.0.2.77] said: 451 4.7.1 {to}: rate limited, try again later (in reply to RCPT TO command))",
}
AGENTS = {"here": "lmtp"}


class Log:
    """Lines of hosts, in the order of time."""

    def __init__(self) -> None:
        self._lines: list[tuple[datetime, str]] = []
        self._number = 0

    def say(self, t: datetime, tag: str, text: str, host: str = "mx1") -> None:
        """Add a line."""
        self._lines.append((t, f"{t.isoformat()} {host}.example.com postfix/{tag}: {text}\n"))

    def mail(
        self, t: datetime, sender: str, to: dict[str, str], login: str = "",
        client: str = "mail.example.net[198.51.100.7]", end: str = "removed",
    ) -> None:  # fmt: skip
        """Add a mail: recipients with their answers; the queue keeps it if one has to wait."""
        self._number += 1
        qid = f"{self._number:05X}20ABC"
        service, first = ("submission/smtpd[21]", LOGIN) if login else ("smtpd[11]", CLIENT)
        self.say(t, service, first.format(qid=qid, client=client, login=login))
        self.say(t, "cleanup[12]", f"{qid}: message-id=<{qid}@mail.example.net>")
        opened = f"{qid}: from=<{sender}>, size=2048, nrcpt={len(to)} (queue active)"
        self.say(t, "qmgr[13]", opened)
        for address, answer in to.items():
            words = ANSWERS[answer].format(qid=qid, to=address)
            tag = f"{AGENTS.get(answer, 'smtp')}[14]"
            self.say(t + timedelta(seconds=1), tag, f"{qid}: to=<{address}>, {words}")
        if "later" not in to.values() and end:
            self.say(t + timedelta(seconds=2), "qmgr[13]", f"{qid}: {end}")

    def text(self) -> str:
        """The log."""
        return "".join(line for _, line in sorted(self._lines, key=lambda line: line[0]))


def weekday(log: Log, day: datetime, mails: int) -> None:
    """An ordinary day."""
    for number in range(mails):
        t = day + timedelta(hours=7, minutes=9 * number)
        log.mail(t, f"pat{number % 7}@example.net", {f"user{number % 5}@example.com": "here"})
    log.mail(
        day + timedelta(hours=9), "anna.k@example.com", {"carol@example.org": "sent"}, "anna.k"
    )
    refuse = (
        "NOQUEUE: reject: RCPT from {0}: {1}; from=<x@example.net> to=<{2}> proto=ESMTP helo=<x>"
    )
    for number in range(6):
        t = day + timedelta(hours=number)
        client = f"unknown[203.0.113.{number}]"
        listed = f"554 5.7.1 Service unavailable; Client host [203.0.113.{number}] blocked using zen.example.net"
        nobody = f"550 5.1.1 <no{number}@example.com>: Recipient address rejected: User unknown in virtual mailbox table"
        words = listed if number % 3 else nobody
        log.say(t, "smtpd[11]", refuse.format(client, words, f"no{number}@example.com"))


def stolen_account(log: Log, day: datetime) -> None:
    """Somebody else writes with anna.k's login, from many places, to people who do not exist."""
    for number in range(15):
        t = day + timedelta(hours=2, minutes=30 + number)
        answers = ("sent", "sent", "spam", "unknown", "sent")
        to = {f"r{number}.{place}@example.org": answer for place, answer in enumerate(answers)}
        client = f"unknown[203.0.113.{100 + number}]"
        log.mail(t, "anna.k@example.com", to, "anna.k", client)


def bad_day(log: Log, day: datetime) -> None:
    """What a postmaster should know of."""
    stolen_account(log, day)
    for number in range(25):
        t = day + timedelta(hours=11, minutes=number)
        log.mail(t, "bob@example.com", {f"c{number}@example.net": "later"}, "bob")
    for number in range(3):
        qid = f"F000{number}20ABC"
        t = day - timedelta(days=2) + timedelta(hours=3, minutes=number)
        log.say(t, "smtpd[11]", f"{qid}: client=mail.example.net[198.51.100.7]")
        hold = "hold: header Subject: x from mail.example.net[198.51.100.7]; from=<x@example.net> to=<bob@example.com> proto=ESMTP helo=<x>: manual review\x1b[31m"
        log.say(t, "cleanup[12]", f"{qid}: {hold}")
        log.say(t, "cleanup[12]", f"{qid}: message-id=<{qid}@example.net>")
        log.mail(
            day + timedelta(hours=13, minutes=number), "old@example.net", {"x@example.com": "here"}
        )
    discard = "NOQUEUE: discard: RCPT from mail.example.net[198.51.100.7]: <old-list@example.com>: Recipient address nobody reads this; from=<x@example.net> to=<old-list@example.com> proto=ESMTP helo=<x>"
    t = day + timedelta(hours=14)
    log.say(t, "smtpd[17]", discard)
    log.say(t, "smtpd[17]", "D000020ABC: client=mail.example.net[198.51.100.7]")
    log.say(t + timedelta(hours=1), "postsuper[99]", "Deleted: 4 messages")


def told_to_come_back(log: Log, day: datetime) -> None:
    """One sender comes back after greylisting, another does not; a known client is refused for good."""
    greylisted = "NOQUEUE: reject: RCPT from mail.example.org[198.51.100.9]: 450 4.2.0 <{0}>: Recipient address rejected: Greylisted; from=<{1}> to=<{0}> proto=ESMTP helo=<mail.example.org>"
    for number in range(2):
        t = day + timedelta(hours=16, minutes=5 * number)
        log.say(t, "smtpd[11]", greylisted.format("User1@example.com", "kim@example.org"))
        log.say(t, "smtpd[11]", greylisted.format("user2@example.com", "once@example.org"))
    client = "mail.example.org[198.51.100.9]"
    back = day + timedelta(hours=16, minutes=20)
    log.mail(back, "kim@example.org", {"user1@example.com": "here"}, client=client)
    refused = "NOQUEUE: reject: RCPT from mail.example.net[198.51.100.7]: 554 5.7.1 <mail.example.net[198.51.100.7]>: Client host rejected: Access denied; from=<pat1@example.net> to=<user1@example.com> proto=ESMTP helo=<x>"
    for number in range(3):
        log.say(day + timedelta(hours=17, minutes=number), "smtpd[11]", refused)


@pytest.fixture(name="loaded")
def _loaded(dsn: str, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def load(log: Log, period: Period | None = None, **keys: Any) -> dict[str, Any]:
        file = tmp_path / "mail.log"
        file.write_text(log.text())
        config = config_from({"dsn": dsn, "retention": KEEP} | keys, "test")
        if log.text():
            backfill(config, [str(file)], FileOptions(2025, "UTC"))
        hourly.fill(dsn, config, NOW, at_once=True)
        period = period or Period(
            MONDAY.astimezone(UTC), (MONDAY + timedelta(days=1)).astimezone(UTC)
        )
        wanted = summary.Wanted(period, None, 5, "hour", ZONE, NOW)
        found = summary.report(dsn, config, wanted)
        return found | {"look_first": look_first(found)}

    return load


def golden(name: str, report: dict[str, Any]) -> None:
    """Hold a report's text against a file."""
    text = report_text.as_text(report, unicode=True)
    assert max(map(len, text.splitlines())) <= report_text.WIDTH
    assert all(char.isprintable() or char == "\n" for char in text)
    text = re.sub(
        r"DATABASE .*?(?=, oldest)", "DATABASE 9.9 MB (90 kB a day), disk 50 % used", text
    )
    if os.environ.get("RENEW"):
        (GOLDEN / name).write_text(text, "utf-8")
    assert text == (GOLDEN / name).read_text("utf-8")


def test_a_day_with_exceptions(loaded: Callable[..., dict[str, Any]]) -> None:
    """What is out of the ordinary comes first, with the next command; usual values stand beside."""
    log = Log()
    for week in range(4, -1, -1):
        weekday(log, MONDAY - timedelta(days=7 * week), 12 + week)
    bad_day(log, MONDAY)
    told_to_come_back(log, MONDAY)
    log.say(
        MONDAY + timedelta(hours=23, minutes=55), "anvil[5]", "statistics: max cache size 1 at x"
    )
    golden("exceptions.txt", loaded(log))


def test_a_quiet_day(loaded: Callable[..., dict[str, Any]]) -> None:
    """Where nothing happened, little is said."""
    log = Log()
    log.mail(MONDAY + timedelta(hours=8), "pat@example.net", {"user@example.com": "here"})
    for hours in (-1, 23.9):
        t = MONDAY + timedelta(hours=hours)
        log.say(t, "smtpd[11]", "connect from mail.example.net[198.51.100.7]")
    report = loaded(log)
    golden("quiet.txt", report)
    assert len(report_text.as_text(report, unicode=True).splitlines()) <= 25


def test_without_unicode(loaded: Callable[..., dict[str, Any]]) -> None:
    """A terminal that knows ASCII only gets nothing else."""
    log = Log()
    weekday(log, MONDAY, 12)
    report = loaded(log)
    text = report_text.as_text(report, unicode=False)
    assert text.isascii()
    assert re.search(r"^00h [ .:=+*#@-]{24} 23h   received per hour", text, re.MULTILINE)


def test_a_day_of_which_nothing_is_stored(loaded: Callable[..., dict[str, Any]]) -> None:
    """It says what is stored, and how to ask for it."""
    log = Log()
    log.mail(MONDAY - timedelta(days=3), "pat@example.net", {"user@example.com": "here"})
    text = report_text.as_text(loaded(log), unicode=True)
    assert "Of this time no mail and no refusal is stored" in text
    assert "journal-postfix report --since 2025-03-28 --until 2025-03-28" in text
    assert "received" not in text


def test_an_empty_database(loaded: Callable[..., dict[str, Any]]) -> None:
    """It says that nothing is stored yet."""
    assert "Nothing is stored yet" in report_text.as_text(loaded(Log()), unicode=True)


def test_what_retention_deleted_is_said(loaded: Callable[..., dict[str, Any]]) -> None:
    """A period that retention has begun to delete is not shown as complete."""
    log = Log()
    log.mail(MONDAY + timedelta(hours=8), "pat@example.net", {"user@example.com": "here"})
    kept = {"delivery": {"delete": 0}, "noqueue": {"delete": 1}}
    before = Period(MONDAY - timedelta(days=5), MONDAY + timedelta(days=1))
    text = report_text.as_text(loaded(log, before, retention=kept), unicode=True)
    words = " ".join(text.split())
    assert "Refusals before Mon 2025-03-31 were deleted (retention)." in words
    assert "Log complete" not in words
