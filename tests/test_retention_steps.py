"""Retention in two steps, on a real database with a clock moved by hand: names go, then rows."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from psycopg2.extensions import make_dsn

from journal_postfix import preview, retention, schema
from journal_postfix.config import Config, config_from
from journal_postfix.database import PLAIN_SETTINGS, connect
from journal_postfix.hashing import key_of, keyed_hash
from journal_postfix.queries import status
from journal_postfix.store import Horizon
from journal_postfix.writer import Mark, Writer
from test_cli import call
from test_store import (
    EVERYTHING,
    NOON,
    TABLES,
    batch,
    counts,
    open_writer,
    position,
    ranges,
    rows,
    run_sql,
)

DAY = timedelta(days=1)
MX = "relay=mx.example.net[198.51.100.25]:25, delay=1"
LATER = "delays=0.1/0/0/0.9, dsn=4.2.0, status=deferred (host mx.example.net said: 450 <bob@example.net>: later)"
SENT = "delays=60/0/0/0.9, dsn=2.0.0, status=sent (250 2.0.0 <bob@example.net> Ok)"


def begun(queue_id: str, sender: str = "ann@example.org") -> list[tuple[str, str]]:
    """Give what daemons say of a mail that comes in."""
    client = "ann-pc.dyn.example.org[192.0.2.10]:64711"
    return [
        ("smtpd", f"{queue_id}: client={client}, sasl_method=PLAIN, sasl_username={sender}"),
        ("cleanup", f"{queue_id}: message-id=<{queue_id}@ann-pc.example.org>"),
        ("qmgr", f"{queue_id}: from=<{sender}>, size=400, nrcpt=1 (queue active)"),
    ]


def tried(queue_id: str, result: str, *recipients: str) -> list[tuple[str, str]]:
    """Give what smtp says of a try for each recipient."""
    return [("smtp", f"{queue_id}: to=<{to}>, {MX}, {result}") for to in recipients]


def ended(queue_id: str) -> tuple[str, str]:
    """Give what qmgr says at a mail's end."""
    return "qmgr", f"{queue_id}: removed"


def whole(queue_id: str, sender: str = "ann@example.org", *to: str) -> list[tuple[str, str]]:
    """Give a mail that is deferred once, then sent."""
    to = to or ("bob@example.net",)
    again = [*tried(queue_id, LATER, *to), *tried(queue_id, SENT, *to)]
    return [*begun(queue_id, sender), *again, ended(queue_id)]


REJECTED = (
    "NOQUEUE: reject: RCPT from pc.dyn.example.org[192.0.2.11]: 554 5.7.1 <{to}>: Relay access"
    " denied; from=<{sender}> to=<{to}> proto=ESMTP helo=<erna-laptop>"
)
FAILED = (
    "warning: pc.dyn.example.org[192.0.2.12]: SASL LOGIN authentication failed: no,"
    " sasl_username=erna"
)


def rejected(sender: str = "erna@example.com", to: str = "bob@example.net") -> tuple[str, str]:
    """Give a verdict."""
    return "smtpd", REJECTED.format(sender=sender, to=to)


class Days:
    """One writer over many days, and the clean-up."""

    def __init__(self, dsn: str, session: Writer, config: Config) -> None:
        self.dsn, self.session, self.config = dsn, session, config
        self.source = session.new_source(position(0))

    def store(self, day: float, *lines: tuple[str, str], horizon: Horizon = EVERYTHING) -> None:
        """Store lines that were logged so many days after NOON."""
        here = position(int(self.source.position) + 1)
        given = batch(list(lines), NOON + timedelta(days=day))
        (self.source,) = self.session.store(given, [Mark(self.source, here)], horizon)

    def clean(self, day: float) -> list[tuple[Any, ...]]:
        """Clean up at so many days after NOON; gives what was done, which was foretold."""
        now = NOON + timedelta(days=day)
        run_sql(self.dsn, "UPDATE source SET updated_at = '2020-01-01'")
        foretold = told(preview.preview(self.dsn, self.config, now))
        done = told(retention.clean(self.dsn, self.config, now))
        assert done == foretold
        return done


def told(cleaned: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Give what a clean-up did as (step, table, day, rows)."""
    names = ("step", "table_name", "day", "rows")
    return sorted((tuple(row[name] for name in names) for row in cleaned), key=repr)


def configured(**keys: Any) -> Config:
    """Give a configuration of retention; nothing is closed by age."""
    everything = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
    return config_from({"retention": everything | keys, "queue": {"close_after": 0}}, "test")


@contextmanager
def days_of(dsn: str, config: Config) -> Iterator[Days]:
    """Give days to store lines of."""
    with open_writer(dsn, config) as session:
        yield Days(dsn, session, config)


def cleaned_at_once(dsn: str, config: Config, day: int) -> bool:
    """Clean up, and count all days that changed."""
    retention.clean(dsn, config, NOON + day * DAY, at_once=True)
    return True


def until(done: Callable[[], bool]) -> None:
    """Wait until the server has counted what a session changed that has ended."""
    tries = 0
    while not done():
        tries += 1
        assert tries < 100
        sleep(0.1)


#: By table and day: rows, and those with a name in them.
STATE = """
SELECT 'delivery_from', day, count(*), count(*) FILTER (WHERE f::text ~ 'ann|192\\.0\\.2|,64711,') FROM delivery_from f GROUP BY 2
UNION ALL SELECT 'delivery_to', day, count(*), count(*) FILTER (WHERE t::text ~ 'bob') FROM delivery_to t GROUP BY 2
UNION ALL SELECT 'delivery_attempt', day, count(*), count(*) FILTER (WHERE a::text ~ 'bob') FROM delivery_attempt a GROUP BY 2
UNION ALL SELECT 'noqueue', day, count(*), count(*) FILTER (WHERE n::text ~ 'erna|bob|192\\.0\\.2') FROM noqueue n GROUP BY 2
UNION ALL SELECT 'failed', hour::date, count(*), count(*) FILTER (WHERE l::text ~ 'erna|192\\.0\\.2') FROM login l WHERE failed > 0 GROUP BY 2
UNION ALL SELECT 'succeeded', hour::date, count(*), count(*) FILTER (WHERE l::text ~ 'ann|192\\.0\\.2') FROM login l WHERE succeeded > 0 GROUP BY 2
"""


def state(dsn: str) -> dict[tuple[str, date], tuple[int, int]]:
    """Give rows, and rows with names, by table and day."""
    return {(table, day): (count, named) for table, day, count, named in rows(dsn, STATE)}


PERIODS = {
    "delivery_from": (7, 30),
    "delivery_to": (7, 30),
    "delivery_attempt": (7, 30),
    "succeeded": (7, 30),
    "noqueue": (3, 7),
    "failed": (3, 7),
}


def expected(stored: int, today: date) -> dict[tuple[str, date], tuple[int, int]]:
    """Give what is to be there of so many days, with a row a day in each table."""
    found = {}
    for table, (names, keep) in PERIODS.items():
        for number in range(stored):
            day = NOON.date() + number * DAY
            if day >= today - keep * DAY:
                found[table, day] = (1, int(day >= today - names * DAY))
    return found


def keys_left(dsn: str) -> list[tuple[date, bool]]:
    """Give the months of the keys, and whether each is still there."""
    return rows(
        dsn,
        "SELECT month, key IS NOT NULL FROM hash_key WHERE purpose = 'pseudonym' ORDER BY month",
    )


HASHES = """
SELECT date_trunc('month', day)::date, count(DISTINCT sender) FROM delivery_from
WHERE sender ~ '^~' GROUP BY 1 ORDER BY 1
"""


def test_sixty_days(dsn: str) -> None:
    """Day after day names and rows go when they are due, and a month's key when the month is."""
    config = config_from(
        {"retention": {"preset": "standard", "forget_key_after": 20}}, "sixty days"
    )
    march, april = date(2025, 3, 1), date(2025, 4, 1)
    with days_of(dsn, config) as days:
        for number in range(60):
            lines = [*whole(f"3C5D12{number:04X}"), rejected(), ("smtpd", FAILED)]
            days.store(number, *lines)
            done = days.clean(number + 0.25)
            today = (NOON + (number + 0.25) * DAY).date()
            assert state(dsn) == expected(number + 1, today), today
            if number == 45:  # a person is one hash within a month
                assert rows(dsn, HASHES) == [(march, 1), (april, 1)]
            destroyed = today - 20 * DAY >= april
            assert (("key", "hash_key", march, 1) in done) == (today - 20 * DAY == april)
            assert keys_left(dsn)[:1] == ([(march, not destroyed)] if number > 3 else [])
    assert keys_left(dsn) == [(march, False), (april, True)]
    assert rows(
        dsn, "SELECT count(*), count(DISTINCT t) FROM retention_log WHERE step = 'clean'"
    ) == [(60, 60)]


def test_pseudonyms_are_those_of_the_key(dsn: str) -> None:
    """The hash in a row is that of the month's key, and what tells nobody stays as it was."""
    config = configured(delivery={"pseudonymise": 2, "delete": 30})
    columns = "id, day, t_i, t_f, queue_id, size, sasl_method, helo_name, message_id IS NOT NULL"
    with days_of(dsn, config) as days:
        days.store(0, *whole("3C5D120001"))
        days.store(1, *whole("3C5D120002"))
        before = rows(dsn, f"SELECT {columns} FROM delivery_from ORDER BY id")
        days.clean(3)
        assert rows(dsn, f"SELECT {columns} FROM delivery_from ORDER BY id") == before
    with closing(connect(dsn, PLAIN_SETTINGS)) as connection, connection.cursor() as cursor:
        key = key_of(cursor, "pseudonym", date(2025, 3, 1))
    assert key is not None
    hashed = "~" + keyed_hash(key, "ann@example.org")
    assert rows(
        dsn,
        "SELECT sender, sasl_username, client_name, client_address::text, client_port"
        " FROM delivery_from WHERE day = '2025-03-03'",
    ) == [(f"{hashed}@example.org", hashed, "example.org", "192.0.0.0/16", None)]
    to = "~" + keyed_hash(key, "bob@example.net")
    assert rows(dsn, "SELECT recipient, reason FROM delivery_to WHERE day = '2025-03-03'") == [
        (f"{to}@example.net", "250 2.0.0 <~@example.net> Ok")
    ]
    assert rows(dsn, "SELECT sender FROM delivery_from WHERE day = '2025-03-04'") == [
        ("ann@example.org",)
    ]


def test_a_second_time_changes_nothing(dsn: str) -> None:
    """What is pseudonymised stays as it is, and is not even looked through again."""
    config = configured(
        delivery={"pseudonymise": 2, "delete": 30}, noqueue={"pseudonymise": 1, "delete": 0}
    )
    everything = [f"SELECT *, xmin::text FROM {table} ORDER BY day" for table in (*TABLES,)]
    with days_of(dsn, config) as days:
        days.store(0, *whole("3C5D120001"), rejected(), ("smtpd", FAILED))
        assert len(days.clean(3)) == 5
        before = [rows(dsn, query) for query in everything]
        for _ in range(3):
            assert days.clean(3) == []
        assert [rows(dsn, query) for query in everything] == before
    assert rows(dsn, "SELECT count(*) FROM looked_through WHERE changes >= 0") == [(4,)]


def test_late_rows_are_pseudonymised_too(dsn: str) -> None:
    """What comes into a day that was done, from an old file, is done by the next clean-up, in place."""
    config = configured(delivery={"pseudonymise": 2, "delete": 30})
    file = "SELECT relfilenode FROM pg_class WHERE relname = 'delivery_from_20250303'"
    with days_of(dsn, config) as days:
        for number in range(5):
            days.store(number / 100, *whole(f"3C5D12000{number}"))
        days.store(1, *whole("3C5D120010"))
        days.clean(3)
        written = rows(dsn, file)
        days.store(0.1, *whole("3C5D120009"))
        days.store(1.1, *whole("3C5D120011"))
        assert state(dsn)["delivery_from", NOON.date()] == (6, 1)
        done = days.clean(3)
        assert ("pseudonymise", "delivery_from", NOON.date(), 1) in done
        assert state(dsn)["delivery_from", NOON.date()] == (6, 0)
        assert state(dsn)["delivery_to", NOON.date()] == (6, 0)
        assert rows(dsn, file) == written


def test_rows_of_a_month_without_key(dsn: str) -> None:
    """Late rows of a month whose key is gone, or never was made, are anonymous at once."""
    config = configured(delivery={"pseudonymise": 2, "delete": 0}, forget_key_after=3)
    with days_of(dsn, config) as days:
        days.store(0, *whole("3C5D120001"))
        days.store(1, *whole("3C5D120002"))
        assert ("key", "hash_key", date(2025, 3, 1), 1) not in days.clean(3)
        assert ("key", "hash_key", date(2025, 3, 1), 1) in days.clean(40)
        days.store(0.1, *whole("3C5D120003"))
        days.store(-40, *whole("3C5D120004"))
        days.store(41, *whole("3C5D120005"))
        days.clean(40)
    nobody = "~0000000000000000@example.org"
    found = dict(rows(dsn, "SELECT queue_id, sender FROM delivery_from"))
    assert (found["3C5D120003"], found["3C5D120004"]) == (nobody, nobody)
    assert found["3C5D120001"] not in (nobody, "ann@example.org")
    assert rows(dsn, "SELECT month FROM hash_key WHERE key IS NOT NULL") == []


def test_open_mails_stay_whole(dsn: str) -> None:
    """A mail in the queue keeps its names, so that its next line finds its row; when it is over they go."""
    config = configured(delivery={"pseudonymise": 2, "delete": 30})
    with days_of(dsn, config) as days:
        days.store(0, *begun("3C5D120001"), *tried("3C5D120001", LATER, "bob@example.net"))
        days.store(0.1, *whole("3C5D120002"))
        days.store(0.2, *whole("3C5D120003"))
        days.store(2.9, *tried("3C5D120001", LATER, "bob@example.net"))
        assert len(days.clean(3)) == 4
        assert state(dsn)["delivery_from", NOON.date()] == (3, 1)
        assert state(dsn)["delivery_to", NOON.date()] == (3, 1)
        assert state(dsn)["delivery_attempt", NOON.date()] == (3, 1)
        days.store(3.5, *tried("3C5D120001", SENT, "bob@example.net"), ended("3C5D120001"))
        assert rows(
            dsn, "SELECT status, attempts, recipient FROM delivery_to WHERE queue_id = '3C5D120001'"
        ) == [("sent", 3, "bob@example.net")]
        assert days.clean(3.6) == []  # a line more may come
        days.store(4, *whole("3C5D120004"))
        assert ("pseudonymise", "delivery_from", NOON.date(), 1) in days.clean(4.1)
        assert state(dsn)["delivery_from", NOON.date()] == (3, 0)
        assert state(dsn)["delivery_attempt", NOON.date()] == (4, 0)


@pytest.mark.parametrize(("keep", "wide"), [(90, 7), (900, 28)])
def test_wide_partitions(dsn: str, keep: int, wide: int) -> None:
    """Of a partition of several days those that are due are pseudonymised, day after day."""
    periods = {"pseudonymise": 5, "delete": keep}
    config = configured(delivery=periods, noqueue=periods)
    with days_of(dsn, config) as days:
        for number in range(10):
            days.store(number, *whole(f"3C5D12{number:04X}"), rejected())
        (first, end), *_ = sorted(ranges(dsn, "noqueue"))
        assert (end - first).days <= wide
        for today in range(5, 17):
            days.clean(today)
            for table in TABLES:
                for number in range(10):
                    named = int(number >= today - 5)
                    assert state(dsn)[table, NOON.date() + number * DAY] == (1, named)


def test_logins_that_become_equal_are_summed(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of one hour that differ in what is cut are one row afterwards; no login is lost."""
    monkeypatch.setattr(retention, "PORTION", 2)
    config = configured(noqueue={"pseudonymise": 1, "delete": 0})
    lines = [
        ("smtpd", FAILED.replace("192.0.2.12", f"192.0.2.{n}").replace("pc.", f"pc{n}."))
        for n in range(7)
    ]
    with days_of(dsn, config) as days:
        days.store(0, *lines, ("smtpd", FAILED.replace("=erna", "=Erna")), ("smtpd", FAILED))
        assert ("pseudonymise", "login", None, 8) in days.clean(3)
        days.store(0, ("smtpd", FAILED))
        assert ("pseudonymise", "login", None, 1) in days.clean(3)
    assert rows(dsn, "SELECT failed, client_name, client_address::text FROM login") == [
        (10, "example.org", "192.0.0.0/16")
    ]


# --- single domains -------------------------------------------------------------------------


def test_domains(dsn: str) -> None:
    """Of a customer's mail names go earlier, then rows; what is others' in it stays for longer."""
    config = configured(
        delivery={"pseudonymise": 20, "delete": 30},
        noqueue={"pseudonymise": 20, "delete": 30},
        domains={"Customer.example": {"pseudonymise": 2, "delete": 4}},
    )
    with days_of(dsn, config) as days:
        days.store(0, *whole("3C5D120001", "ann@customer.example", "bob@example.net"))
        days.store(0.1, *whole("3C5D120002", "ann@example.org", "Cy@CUSTOMER.example"))
        days.store(
            0.2, *whole("3C5D120003", "ann@example.org", "cy@customer.example", "bob@example.net")
        )
        days.store(0.3, *whole("3C5D120004", "ann@sub.customer.example", "bob@example.net"))
        days.store(0.4, *whole("3C5D120005", "ann@customer.example", "cy@customer.example"))
        days.store(0.4, *begun("3C5D120006", "ann@customer.example"), ended("3C5D120006"))
        days.store(
            0.4, rejected("ann@customer.example"), rejected(to="cy@customer.example"), rejected()
        )
        days.store(2, *whole("3C5D120007"))
        names = "SELECT queue_id FROM delivery_from WHERE sender !~ '^~' ORDER BY 1"
        everybody = [(f"3C5D12000{n}",) for n in range(1, 8)]
        days.clean(2)
        assert rows(dsn, names) == everybody
        days.clean(3)
        assert rows(dsn, names) == [(f"3C5D12000{n}",) for n in (3, 4, 7)]
        named = "SELECT queue_id, recipient FROM delivery_to WHERE recipient !~ '^~' ORDER BY 1, 2"
        others = [(f"3C5D12000{n}", "bob@example.net") for n in (1, 3, 4, 7)]
        assert rows(dsn, named) == others
        assert rows(dsn, "SELECT sender, recipient FROM noqueue WHERE sender !~ '^~'") == [
            ("erna@example.com", "bob@example.net")
        ]
        days.clean(5)
        left = rows(dsn, "SELECT queue_id, sender ~ '^~' FROM delivery_from ORDER BY 1")
        assert left == [
            ("3C5D120001", True),  # it has a recipient elsewhere
            ("3C5D120003", False),
            ("3C5D120004", False),
            ("3C5D120007", False),
        ]
        assert rows(dsn, "SELECT queue_id, recipient FROM delivery_to ORDER BY 1, 2") == others
        assert counts(dsn)["delivery_attempt"] == 4
        assert counts(dsn)["noqueue"] == 1
        days.clean(29)
        assert rows(dsn, named) == []
        days.clean(33)
        assert set(counts(dsn).values()) == {0}


def test_a_domain_that_is_only_deleted(dsn: str) -> None:
    """Without days for names, what others' rows keep of a customer's mail has none when it is deleted."""
    config = configured(domains={"customer.example": {"delete": 3}})
    with days_of(dsn, config) as days:
        days.store(
            0,
            *whole("3C5D120001", "ann@customer.example", "bob@example.net", "cy@customer.example"),
        )
        days.store(0, *begun("3C5D120002", "ann@customer.example"))
        days.store(0.1, *tried("3C5D120002", LATER, "bob@example.net"))
        days.store(4, *whole("3C5D120003"))
        days.clean(3.9)
        assert rows(dsn, "SELECT count(*) FROM delivery_to WHERE recipient ~ '^(bob|cy)@'") == [
            (3,)
        ]
        days.clean(4.1)
    assert rows(
        dsn, "SELECT sender ~ '^~', sasl_username ~ '^~' FROM delivery_from ORDER BY queue_id"
    ) == [
        (True, True),
        (False, False),  # in the queue
        (False, False),
    ]
    assert (
        rows(dsn, "SELECT recipient FROM delivery_to ORDER BY queue_id")
        == [("bob@example.net",)] * 3
    )


# --- what is said of it ---------------------------------------------------------------------


def problems(dsn: str, config: Config, now: datetime) -> list[str]:
    """Give what `status` finds wrong with retention."""
    with closing(connect(dsn, PLAIN_SETTINGS)) as connection:
        found = status(connection, config, now)["problems"]
    return [row["problem"] for row in found]


def test_status_tells_of_clean_ups_that_fail(dsn: str) -> None:
    """A day without a finished clean-up is a problem, where there has been one; without retention none is."""
    config = configured(delivery={"pseudonymise": 2, "delete": 10})
    with days_of(dsn, config) as days:
        days.store(0, *whole("3C5D120001"))
        assert problems(dsn, config, NOON + 2 * DAY) == []
        assert problems(dsn, config, NOON + 4 * DAY) == [
            f"{table} holds names of 2025-03-03: they were to be pseudonymised for a day"
            for table in ("delivery_attempt", "delivery_from", "delivery_to")
        ]
        days.store(2, *whole("3C5D120002"))
        days.clean(3)
        assert problems(dsn, config, NOON + 3.9 * DAY) == []
        assert problems(dsn, config, NOON + 4.1 * DAY) == [
            "no clean-up was finished since 2025-03-06 12:00"
        ]
        assert problems(dsn, configured(), NOON + 4.1 * DAY) == []


def test_dry_run_changes_nothing(dsn: str) -> None:
    """It makes no key, no record, no table, and takes nothing away."""
    config = config_from({"retention": {"preset": "standard"}}, "test")
    tables = (*TABLES, "login", "hash_key", "retention_log", "looked_through", "open_mail", "host")
    everything = [f"SELECT *, xmin::text FROM {table}" for table in tables]
    relations = "SELECT relname FROM pg_class WHERE relname !~ '^pg_' ORDER BY 1"
    with days_of(dsn, config) as days:
        for number in range(0, 40, 5):
            lines = [*whole(f"3C5D12{number:04X}"), rejected(), ("smtpd", FAILED)]
            days.store(number, *lines)
        before = [sorted(rows(dsn, query), key=repr) for query in (*everything, relations)]
        found = told(preview.preview(dsn, config, NOON + 40 * DAY))
        assert [sorted(rows(dsn, query), key=repr) for query in (*everything, relations)] == before
        assert {row[0] for row in found} == {"delete", "pseudonymise"}
        assert days.clean(40) == found


def test_hourly_totals_stay(dsn: str) -> None:
    """Totals that were counted of mails with names are not counted again without."""
    config = configured(delivery={"pseudonymise": 2, "delete": 30})
    with days_of(dsn, config) as days:
        days.store(0, *whole("3C5D120001"))
        days.store(1, *whole("3C5D120002"))
        filled_at = "SELECT day, filled_at FROM hourly_filled WHERE day = '2025-03-03'"
        retention.clean(dsn, config, NOON + 2 * DAY, at_once=True)
        before = rows(dsn, filled_at)
        assert len(before) == 1
        for number in (3, 4, 5):
            retention.clean(dsn, config, NOON + number * DAY, at_once=True)
        assert rows(dsn, filled_at) == before
        days.store(0.1, *whole("3C5D120003"))
    again = "SELECT sum(received) FROM mail_hourly"
    until(lambda: cleaned_at_once(dsn, config, 5) and rows(dsn, again) == [(3,)])
    assert rows(dsn, filled_at) != before


LOGGED = """\
2025-03-03T12:00:00+00:00 mx1 postfix/smtpd[11]: 3C5D120ABF: client=pc.example.org[192.0.2.10]
2025-03-03T12:00:01+00:00 mx1 postfix/cleanup[12]: 3C5D120ABF: message-id=<1@pc.example.org>
2025-03-03T12:00:01+00:00 mx1 postfix/qmgr[13]: 3C5D120ABF: from=<ann@example.org>, size=4, nrcpt=1 (queue active)
2025-03-03T12:00:02+00:00 mx1 postfix/smtp[14]: 3C5D120ABF: to=<bob@example.net>, relay=mx.example.net[198.51.100.25]:25, delay=1, delays=0.9/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok)
2025-03-03T12:00:02+00:00 mx1 postfix/qmgr[13]: 3C5D120ABF: removed
2025-03-03T12:00:03+00:00 mx1 postfix/smtpd[11]: NOQUEUE: reject: RCPT from pc.example.org[192.0.2.10]: 554 5.7.1 <bob@example.net>: Relay access denied; from=<erna@example.com> to=<bob@example.net> proto=ESMTP helo=<pc>
"""


def test_commands_after_pseudonymisation(dsn: str, tmp_path: Path) -> None:
    """clean says what it did as --dry-run foretold, trace what it cannot find, and report goes on."""
    log, file = tmp_path / "mail.log", tmp_path / "main.yml"
    log.write_text(LOGGED)
    days = "{pseudonymise: 3, delete: 0}"
    retained = f"retention: {{delivery: {days}, noqueue: {days}}}"
    file.write_text(f"dsn: {json.dumps(dsn)}\n{retained}\n")
    command = ("--config", str(file))
    assert call(*command, "backfill", str(log)).status == 0
    run_sql(dsn, "UPDATE source SET updated_at = '2020-01-01'")
    words = (*command, "clean", "--format", "json")
    foretold, done = (json.loads(call(*words, *more).out) for more in (["--dry-run"], []))
    assert told(foretold) == told(done)
    assert {row["step"] for row in done} == {"pseudonymise"}
    assert "nothing to delete or to pseudonymise" in call(*command, "clean", "--dry-run").out
    by_name = call(*command, "trace", "--sender", "ann@example.org")
    assert "are stored without names" in by_name.out
    assert "3C5D120ABF" not in by_name.out
    by_id = call(*command, "trace", "--queue-id", "3C5D120ABF")
    assert "are stored without names" not in by_id.out
    assert re.search(r"~[0-9a-f]{16}@example\.net", by_id.out)
    period = ("--since", "2025-03-03 00:00Z", "--until", "2025-03-04 00:00Z")
    for query in (("report", *period), ("trace", "--status", "sent", *period)):
        said = call(*command, *query)
        assert said.status == 0
        assert "Traceback" not in said.err
        assert "ann@" not in said.out
    assert call(*command, "status").status == 0


def test_by_a_role_that_is_no_superuser(empty_dsn: str) -> None:
    """The owner of the tables needs no other rights for a clean-up."""
    role = f"owner_{uuid.uuid4().hex}"
    run_sql(empty_dsn, f"CREATE ROLE {role}")
    mine = make_dsn(empty_dsn, options=f"-c role={role} -c search_path=mail")
    try:
        run_sql(empty_dsn, f"CREATE SCHEMA mail AUTHORIZATION {role}")
        with closing(connect(mine, PLAIN_SETTINGS)) as connection:
            schema.setup(connection)
        config = config_from({"retention": {"preset": "standard", "forget_key_after": 30}}, "test")
        with days_of(mine, config) as days:
            for number in (0, 25, 40, 50):
                days.store(number, *whole(f"3C5D12{number:04X}"), rejected(), ("smtpd", FAILED))
            steps = {row[0] for row in days.clean(50)}
            assert steps == {"delete", "pseudonymise"}
            assert "key" in {row[0] for row in days.clean(70)}
        owned = "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename ~ '_2025'"
        assert rows(empty_dsn, owned) == [(role,)]
    finally:
        run_sql(empty_dsn, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")
