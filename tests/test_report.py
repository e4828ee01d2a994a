"""A report's numbers, on real databases: the truth of a generated log, each mail once, and what is usual."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import psycopg2
import pytest

import generate
import stories
from conftest import fresh_database
from generate import Log
from journal_postfix import hourly, summary
from journal_postfix.backfill import FileOptions, backfill
from journal_postfix.config import config_from
from journal_postfix.period import Period
from traffic.ledger import Row

LOG = Log(lines=20_000, hosts=3, seed=11, shuffle=1.0)
KEEP = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
BEGIN = datetime(2024, 12, 31, tzinfo=UTC)
ALL = Period(BEGIN, BEGIN + timedelta(days=3))
NOW = ALL.until + timedelta(days=1)


def asked(dsn: str, period: Period = ALL, **what: Any) -> dict[str, Any]:
    """What a report says, as data."""
    given = {"mta": None, "top": 10, "by": "hour", "zone": UTC, "now": NOW} | what
    config = config_from({"dsn": dsn, "retention": KEEP}, "test")
    return summary.report(dsn, config, summary.Wanted(period, **given))


def counted(dsn: str, now: datetime = NOW) -> int:
    """Count the hourly totals, as the service does."""
    config = config_from({"dsn": dsn, "retention": KEEP}, "test")
    return hourly.fill(dsn, config, now, at_once=True)


def load(dsn: str, *files: Path) -> None:
    """Load log files; nothing is too old."""
    config = config_from({"dsn": dsn, "retention": KEEP}, "test")
    backfill(config, [str(file) for file in files], FileOptions(generate.YEAR, "UTC"))
    with closing(psycopg2.connect(dsn)) as connection:
        if connection.server_version < 150000:
            sleep(1.1)  # such a server counts rows by messages, and tells the sums twice a second


def queried(dsn: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


# --- against the truth ----------------------------------------------------------------------


@pytest.fixture(scope="module", name="generated")
def _generated(
    server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[str, list[Row]]]]:
    folder = tmp_path_factory.mktemp("generated")
    world = generate.write(LOG, "iso", folder, split=False)
    with fresh_database(server_dsn, template) as dsn:
        load(dsn, *folder.iterdir())
        yield dsn, generate.true_rows(world, "iso")


def true_fate(mail: Row, to: Row | None) -> str | None:
    """What became of a recipient, by the truth; None where he counts elsewhere or not at all."""
    reason = "" if to is None else to["reason"]
    if to is not None and to["status"] == "sent":
        if to["relay"] == "127.0.0.1[127.0.0.1]:10024" or reason.startswith("forwarded as"):
            return None
        thrown = to["daemon"] == "discard" or reason in (
            "discarded",
            "delivered to file: /dev/null",
        )
        return "discarded" if thrown else "delivered"
    if to is not None and to["status"] == "bounced":
        return "bounced"
    if mail["expired_at"]:
        return "expired"
    if mail["removed_by"] in ("postsuper", "vanished"):
        return "gone"
    if mail["removed_by"] == "discarded" or str(mail.get("verdict")).endswith("discard"):
        return "discarded"
    held = mail["held_at"] and (mail["released_at"] or BEGIN) < mail["held_at"]
    if mail["removed_at"] is None and held:
        return "held"
    return "deferred" if mail["removed_at"] is None and mail["queued_at"] else None


def true_totals(rows: dict[str, list[Row]]) -> dict[str, int]:
    """The totals of a whole log, by its truth."""
    recipients: dict[Any, list[Row]] = {}
    for to in rows["delivery_to"]:
        recipients.setdefault((to["mta"], to["queue_id"], to["mail_t_i"]), []).append(to)
    count: Counter[str] = Counter()
    senders, addresses, mails = set(), set(), 0
    octets = delivered_octets = 0
    for mail in rows["delivery_from"]:
        if mail["origin"] == "probe":
            continue
        mine = recipients.get((mail["mta"], mail["queue_id"], mail["t_i"]), [])
        came_in = (
            mail.get("accepted") or mine or mail["held_at"] or true_fate(mail, None) == "discarded"
        )
        again = mail["origin"] in ("forward", "requeue") or mail["service"] == "10025"
        if came_in and not again:
            mails += 1
            octets += mail["size"] or 0
            senders.add((mail["sender"] or "").lower())
        for to in mine or [None]:
            fate = true_fate(mail, to)
            if fate:
                count[fate] += 1
                addresses |= {to["recipient"].lower()} if to else set()
                delivered_octets += (mail["size"] or 0) if fate == "delivered" else 0
    fates = ("delivered", "deferred", "bounced", "discarded", "held", "expired")
    return {name: count[name] for name in fates} | {
        "received": mails,
        "rejected": sum(
            row["action"] == "drop" or row["action"].endswith("reject") for row in rows["noqueue"]
        ),
        "bytes_received": octets,
        "bytes_delivered": delivered_octets,
        "senders": len(senders - {""}),
        "recipients": len(addresses),
    }


def test_totals_are_the_truth(generated: tuple[str, dict[str, list[Row]]]) -> None:
    """Every total of a large generated log is the true one, and what is counted by the hour adds up to it."""
    dsn, rows = generated
    true = true_totals(rows)
    assert min(true.values()) > 0
    assert asked(dsn)["totals"] == true
    assert counted(dsn) > 0
    names = ("received", "rejected", "bytes_received")
    mails = queried(dsn, "SELECT sum(received), sum(received_bytes) FROM mail_hourly")
    refused = queried(dsn, "SELECT sum(refused) FROM noqueue_hourly")
    assert (mails[0][0], refused[0][0], mails[0][1]) == tuple(true[name] for name in names)


def test_hours_add_up(generated: tuple[str, dict[str, list[Row]]]) -> None:
    """What is counted by hour, and by host, adds up to the whole."""
    dsn, _ = generated
    report = asked(dsn)
    hours = report["hours"]
    assert sum(hour["received"] for hour in hours) == report["totals"]["received"]
    assert sum(hour["refused"] for hour in hours) == report["totals"]["rejected"]
    assert sum(hour["delivered"] for hour in hours) == report["totals"]["delivered"]
    names = [row["mta"] for row in report["coverage"]["hosts"]]
    assert len(names) == LOG.hosts
    parts = [asked(dsn, mta=name)["totals"] for name in names]
    for name in ("received", "delivered", "deferred", "bounced", "rejected", "bytes_received"):
        assert sum(part[name] for part in parts) == report["totals"][name]


def test_hourly_totals_are_those_of_reports(generated: tuple[str, dict[str, list[Row]]]) -> None:
    """The totals that outlive the mails are the same as a report's own."""
    dsn, _ = generated
    counted(dsn)
    report = asked(dsn)
    ((received, octets, delivered, waiting, returned, discarded, delayed, sent),) = queried(
        dsn,
        "SELECT sum(received), sum(received_bytes), sum(delivered + accepted_elsewhere), sum(waiting),"
        " sum(returned), sum(discarded), sum(delayed), sum(delivered_bytes) FROM mail_hourly",
    )
    totals = report["totals"]
    assert (received, octets) == (totals["received"], totals["bytes_received"])
    assert (delivered, waiting, returned) == (
        totals["delivered"], totals["deferred"], totals["bounced"],
    )  # fmt: skip
    assert (discarded, sent) == (totals["discarded"], totals["bytes_delivered"])
    assert delayed == report["recipients"]["delayed"]
    ((refused,),) = queried(dsn, "SELECT sum(refused) FROM noqueue_hourly")
    assert refused == totals["rejected"]


def test_lists_are_as_long_as_asked(generated: tuple[str, dict[str, list[Row]]]) -> None:
    """The lists hold the most frequent first, no more than asked for, and nobody twice."""
    dsn, _ = generated
    for top in (3, 1000):
        report = asked(dsn, top=top)
        for name, rows in report["top"].items():
            count = {"recipients", "mails", "refused"} & set(rows[0])
            numbers = [row[min(count)] for row in rows]
            assert numbers == sorted(numbers, reverse=True), name
            assert len(rows) <= top
    assert len(report["top"]["senders"]) == report["totals"]["senders"]
    assert len(report["top"]["domains"]) == report["distinct"]["domains"]
    assert (
        len({row["client_address"] for row in report["top"]["clients"]})
        == report["distinct"]["clients"]
    )
    assert len(report["top"]["recipients"]) == report["totals"]["recipients"]


# --- one rule -------------------------------------------------------------------------------

SAME = """
SELECT from_id, to_id, fate FROM delivery WHERE origin <> 'probe'
{0}
SELECT from_id, to_id, fate FROM recipient_between('2020-01-01Z', '2030-01-01Z')
"""
RECEIVED = """
SELECT m.id FROM mail_between('2020-01-01Z', '2030-01-01Z') m WHERE m.received
{0}
SELECT d.from_id FROM delivery d
WHERE d.origin NOT IN ('probe', 'forward', 'requeue')
  AND (d.accepted OR d.queued_at IS NOT NULL OR d.held_at IS NOT NULL OR d.verdict LIKE '%discard'
       OR d.removed_by = 'discarded' OR d.to_id IS NOT NULL)
  AND NOT EXISTS (SELECT FROM journey j WHERE j.how <> 'notice' AND j.next_id = d.from_id)
"""


@pytest.fixture(scope="module", name="told")
def _told(
    server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with fresh_database(server_dsn, template) as dsn:
        for number, group in enumerate(stories.by_config(stories.read_stories())):
            folder = tmp_path_factory.mktemp(f"told{number}")
            stories.load_files(dsn, stories.configured(group), stories.files_of(group), folder)
        yield dsn


@pytest.mark.parametrize("both", [SAME, RECEIVED])
def test_sets_and_views_give_the_same_answer(told: str, both: str) -> None:
    """What is worked out for many mails at once is what the views say of each, in all stories."""
    for first, second in (("EXCEPT", ""), ("INTERSECT", "yes")):
        assert bool(queried(told, both.format(first))) == bool(second)
    left, right = both.split("{0}")
    assert queried(told, f"{right} EXCEPT {left}") == []


WAY = """\
{0}:01 mx1 postfix/smtpd[11]: {1}A1: client=mail.example.net[198.51.100.7]
{0}:01 mx1 postfix/cleanup[12]: {1}A1: message-id=<{1}@example.net>
{0}:01 mx1 postfix/qmgr[13]: {1}A1: from=<ann@example.net>, size=1000, nrcpt=1 (queue active)
{0}:02 mx1 postfix/smtpd[21]: {1}A2: client=localhost[127.0.0.1]
{0}:02 mx1 postfix/cleanup[12]: {1}A2: message-id=<{1}@example.net>
{0}:02 mx1 postfix/qmgr[13]: {1}A2: from=<ann@example.net>, size=1200, nrcpt=1 (queue active)
{0}:02 mx1 postfix/smtp[15]: {1}A1: to=<bob@example.com>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0.1/0/0/0.9, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {1}A2)
{0}:02 mx1 postfix/qmgr[13]: {1}A1: removed
{0}:03 mx2 postfix/smtpd[31]: {1}B3: client=mx1.example.com[192.0.2.1]
{0}:03 mx2 postfix/cleanup[32]: {1}B3: message-id=<{1}@example.net>
{0}:03 mx2 postfix/qmgr[33]: {1}B3: from=<ann@example.net>, size=1400, nrcpt=1 (queue active)
{0}:03 mx1 postfix/smtp[16]: {1}A2: to=<bob@example.com>, relay=mx2.example.com[192.0.2.2]:25, delay=1, delays=0.1/0/0/0.9, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {1}B3)
{0}:03 mx1 postfix/qmgr[13]: {1}A2: removed
{0}:04 mx2 postfix/virtual[34]: {1}B3: to=<bob@example.com>, relay=virtual, delay=1, delays=0.9/0/0/0.1, dsn=2.0.0, status=sent (delivered to maildir)
{0}:04 mx2 postfix/qmgr[33]: {1}B3: removed
"""


@pytest.mark.parametrize("counted_before", [False, True])
def test_a_mail_counts_once(dsn: str, tmp_path: Path, counted_before: bool) -> None:
    """A mail through a filter and over two hosts of ours comes in once and is delivered once."""
    file = tmp_path / "mail.log"
    file.write_text(WAY.format("Dec 31 10:00", "3C5D12"))
    load(dsn, file)
    if counted_before:
        counted(dsn)
        file.write_text(file.read_text() + WAY.format("Dec 31 11:00", "4C5D12"))
        load(dsn, file)
    report = asked(dsn)
    number = 2 if counted_before else 1
    assert report["totals"]["received"] == report["totals"]["delivered"] == number
    assert report["recipients"]["delivered"] == number
    assert report["recipients"]["accepted_elsewhere"] == 0
    assert report["totals"]["bytes_received"] == 1000 * number
    assert report["totals"]["bytes_delivered"] == 1400 * number
    first, second = (asked(dsn, mta=name)["totals"] for name in ("mx1", "mx2"))
    assert (first["received"], first["delivered"]) == (number, 0)
    assert (second["received"], second["delivered"]) == (0, number)


LOGIN = """\
{0}:01 mx1 postfix/submission/smtpd[11]: {1}A1: client=laptop.example.com[198.51.100.{2}], sasl_method=PLAIN, sasl_username={3}
{0}:01 mx1 postfix/cleanup[12]: {1}A1: message-id=<{1}@example.com>
{0}:01 mx1 postfix/qmgr[13]: {1}A1: from=<ann@example.com>, size=1000, nrcpt={4} (queue active)
"""
SENT = "{0}:02 mx1 postfix/smtp[15]: {1}A1: to=<r{2}@example.org>, relay=mx.example.org[192.0.2.2]:25, delay=1, delays=0.1/0/0.3/0.6, dsn={4}, status={3} ({5} some words)\n"


def sent_by(login: str, at: str, queue_id: str, recipients: int, refused: int = 0) -> str:
    """A mail of a login to so many, of whom so many are refused."""
    text = LOGIN.format(at, queue_id, 7, login, recipients)
    for number in range(recipients):
        answer = ("bounced", "5.1.1", 550) if number < refused else ("sent", "2.0.0", 250)
        text += SENT.format(at, queue_id, number, *answer)
    return text + f"{at}:03 mx1 postfix/qmgr[13]: {queue_id}A1: removed\n"


def test_a_login_is_held_against_what_it_usually_sends(dsn: str, tmp_path: Path) -> None:
    """The usual number of a login is the median of the whole weeks before, whoever else wrote then."""
    days = ("Dec 03", "Dec 10", "Dec 17", "Dec 24", "Dec 31")
    numbers = (4, 2, 9, 6, 80)
    file = tmp_path / "mail.log"
    file.write_text(
        "".join(
            sent_by("Anna.K", f"{day} 10:00", f"3C5D{place}", number, number // 2)
            + sent_by("bob", f"{day} 11:00", f"4C5D{place}", 7)
            for place, (day, number) in enumerate(zip(days, numbers, strict=True))
        )
    )
    load(dsn, file)
    counted(dsn)
    day = Period(BEGIN, BEGIN + timedelta(days=1))
    report = asked(dsn, day)
    (row,) = report["busy_logins"]
    assert row["login"] == "anna.k"
    assert (row["recipients"], row["clients"], row["returned"]) == (80, 1, 40)
    assert row["usual"] == {"recipients": 6, "clients": 1}
    assert report["usual"]["weeks"] == 3
    assert report["usual"]["received"] == 2
    assert report["usual"]["returned"] == 3


def test_a_login_never_heard_of_usually_sends_nothing(dsn: str, tmp_path: Path) -> None:
    """Where weeks before are stored a new login is far above its usual number, which is none."""
    file = tmp_path / "mail.log"
    others = "".join(
        sent_by("bob", f"Dec {day:02d} 01:00", f"4C5D{day:02d}", 1) for day in (16, 23, 24, 30)
    )
    file.write_text(others + sent_by("eve", "Dec 30 02:00", "5C5D1", 55))
    load(dsn, file)
    counted(dsn)
    days = Period(BEGIN - timedelta(days=2), BEGIN + timedelta(days=1))  # of which bob used one
    (row,) = asked(dsn, days)["busy_logins"]
    assert (row["login"], row["usual"]) == ("eve", {"recipients": 0, "clients": 0})
    empty = asked(dsn, Period(BEGIN - timedelta(days=1), BEGIN), mta="mx9")
    assert (empty["busy_logins"], empty["totals"]["received"]) == ([], 0)


# --- totals of past hours -------------------------------------------------------------------


def test_totals_follow_what_is_told_late(dsn: str, tmp_path: Path) -> None:
    """A day is counted again when more of it was loaded, and not when nothing was."""
    first, second = tmp_path / "1.log", tmp_path / "2.log"
    first.write_text(sent_by("ann", "Dec 31 10:00", "3C5D1", 1))
    second.write_text(sent_by("bob", "Dec 31 11:00", "4C5D1", 1))
    load(dsn, first)
    assert counted(dsn) > 0
    hours = (
        "SELECT extract(hour FROM hour AT TIME ZONE 'UTC'), received FROM mail_hourly ORDER BY 1"
    )
    assert queried(dsn, hours) == [(10, 1)]
    assert counted(dsn) == 0
    load(dsn, second)
    assert counted(dsn) > 0
    assert queried(dsn, hours) == [(10, 1), (11, 1)]


def test_totals_outlive_the_mails(dsn: str, tmp_path: Path) -> None:
    """Retention takes the mails, not what was counted; much later that goes too."""
    file = tmp_path / "mail.log"
    file.write_text(sent_by("ann", "Dec 31 10:00", "3C5D1", 1))
    load(dsn, file)
    counted(dsn)
    config = config_from({"dsn": dsn}, "test")  # deletes after 30 days
    from journal_postfix.retention import clean

    assert clean(dsn, config, NOW + timedelta(days=60), at_once=True)
    assert queried(dsn, "SELECT count(*) FROM delivery_from") == [(0,)]
    assert queried(dsn, "SELECT sum(received) FROM mail_hourly") == [(1,)]
    hourly.fill(dsn, config, NOW + timedelta(days=500))
    assert queried(dsn, "SELECT count(*) FROM mail_hourly") == [(0,)]


def test_days_rest_between_two_counts(dsn: str, tmp_path: Path) -> None:
    """The service counts a recent day once an hour and an older one once a day, however much changes."""
    file = tmp_path / "mail.log"
    config = config_from({"dsn": dsn, "retention": KEEP}, "test")
    day = datetime(2024, 12, 31, 12, tzinfo=UTC)
    text = ""
    found = []
    for minutes in (0, 30, 60, 60 * 72, 60 * 73, 60 * 94):
        text += sent_by("ann", "Dec 31 10:00", f"3C{minutes:04d}", 1)
        file.write_text(text)
        load(dsn, file)
        hourly.fill(dsn, config, day + timedelta(minutes=minutes))
        found += queried(dsn, "SELECT sum(received)::integer FROM mail_hourly")[0]
    assert found == [1, 1, 3, 4, 4, 6]


def test_two_sessions_do_not_count_at_once(dsn: str) -> None:
    """Where another session is counting, this one leaves it to that."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('journal-postfix hourly'))")
        assert counted(dsn) == 0
        assert queried(dsn, "SELECT count(*) FROM hourly_filled") == [(0,)]
