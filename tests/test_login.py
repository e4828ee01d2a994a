"""Logins, failed and succeeded: summed by the hour, each line once, kept no longer than told."""

from __future__ import annotations

import random
import re
import string
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

import generate
from generate import Log
from journal_postfix import retention
from journal_postfix.batch import Batch
from journal_postfix.collect import Collector
from journal_postfix.database import READER_SETTINGS, connect
from journal_postfix.login_sums import LONGEST
from journal_postfix.queries import ask
from journal_postfix.writer import Mark
from test_spans import NOON as FILE_NOON
from test_spans import Hand, Place, Story, line, said_at
from test_store import EVERYTHING, NOON, configured, message, open_writer, position, rows
from traffic.world import Line as Said

Line = tuple[float, int, str]  # seconds after NOON, pid, text

SUMS = "SELECT host(client_address), sasl_method, sasl_username, reason, failed, succeeded FROM login ORDER BY hour, t_i, t_f"
PC = "pc.example.org[192.0.2.10]"
ANN = "sasl_method=PLAIN, sasl_username=ann@example.org"


def failure(
    address: str = "198.51.100.99",
    account: str = "ann@example.org",
    reason: str = "authentication failure",
    method: str = "LOGIN",
) -> str:
    """Give what smtpd says of a failed login."""
    tail = f", sasl_username={account}" if account else ""
    return f"warning: unknown[{address}]: SASL {method} authentication failed: {reason}{tail}"


def opened(queue_id: str, address: str = "192.0.2.10", account: str = "ann@example.org") -> str:
    """Give the line that begins a mail of a client that is logged in."""
    return f"{queue_id}: client=unknown[{address}], sasl_method=PLAIN, sasl_username={account}"


def batch(*lines: Line) -> Batch:
    """Give a batch of lines of a submission service."""
    collector = Collector(configured())
    for seconds, pid, text in lines:
        msg = message("submission/smtpd", text, NOON + timedelta(seconds=seconds))
        collector.add({**msg, "pid": pid})  # type: ignore[typeddict-item]
    return collector.take()


def store(dsn: str, *batches: Batch) -> list[tuple[Any, ...]]:
    """Store batches one after the other; gives the logins."""
    with open_writer(dsn) as session:
        source = session.new_source(position(0))
        for number, one in enumerate(batches, 1):
            (source,) = session.store(one, [Mark(source, position(number))], EVERYTHING)
    return rows(dsn, SUMS)


def hidden(dsn: str, name: str) -> str:
    """What stands for a name that is no account's, as the server tells a reader."""
    with closing(connect(dsn, READER_SETTINGS)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT login_hash(%s)", (name.lower(),))
        (found,) = cursor.fetchone() or ("",)
    assert re.fullmatch("~[0-9a-f]{16}", found)
    return str(found)


def answers(dsn: str, query: str, **values: Any) -> list[dict[str, Any]]:
    """Ask a named query about the day."""
    day = {"since": NOON - timedelta(hours=12), "until": NOON + timedelta(hours=12), "mta": None}
    with closing(connect(dsn, READER_SETTINGS)) as connection:
        return ask(connection, query, **day | values)


# --- sums -----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_sums_in_any_order(dsn: str, order: tuple[int, ...]) -> None:
    """Tries of one hour are one row with the first and the latest time, in whatever batches."""
    lines = [(seconds, 7, failure()) for seconds in (5, 10, 15)]
    logins = store(dsn, *(batch(lines[number], lines[number]) for number in order))
    ann = hidden(dsn, "ann@example.org")
    assert logins == [("198.51.100.99", "LOGIN", ann, "authentication failure", 6, 0)]
    assert rows(dsn, "SELECT hour, t_i - hour, t_f - hour FROM login") == [
        (NOON, timedelta(seconds=5), timedelta(seconds=15))
    ]


@pytest.mark.parametrize(
    "other",
    [
        failure(address="198.51.100.98"),
        failure(account="bob@example.org"),
        failure(account=""),
        failure(reason="Connection lost to authentication server"),
        failure(method="PLAIN"),
        "3C5D120AB1: client=unknown[198.51.100.99], sasl_method=LOGIN, sasl_username=ann@example.org",
    ],
    ids=["address", "account", "no account", "reason", "method", "success"],
)
def test_told_apart(dsn: str, other: str) -> None:
    """Another address, account, reason, method, or a success: another row."""
    assert len(store(dsn, batch((0, 7, failure()), (1, 7, other)))) == 2


def test_failures_without_a_reason_are_no_successes(dsn: str) -> None:
    """Of one account and mechanism failed and succeeded logins stay two rows, whatever is known."""
    failed, entered = (
        failure("192.0.2.10", reason="UGFzc3dvcmQ6", method="PLAIN"),
        opened("3C5D120AB1"),
    )
    for lines in ((0, 7, failed), (1, 7, entered)), ((2, 8, entered), (3, 8, failed)):
        logins = store(dsn, batch(*lines))
    assert logins == [
        ("192.0.2.10", "PLAIN", "ann@example.org", None, 2, 0),
        ("192.0.2.10", "PLAIN", "ann@example.org", None, 0, 2),
    ]


def test_hours_are_told_apart(dsn: str) -> None:
    """A try before and one after the full hour are two rows, with the hours of UTC."""
    store(dsn, batch((-1, 7, failure()), (0, 7, failure())))
    assert rows(dsn, "SELECT hour, failed FROM login ORDER BY hour") == [
        (NOON - timedelta(hours=1), 1),
        (NOON, 1),
    ]


def test_unknown_columns_are_one_row(dsn: str) -> None:
    """Rows without account and reason are summed too, although NULL equals nothing."""
    one = failure(account="(unavailable)", reason="(reason unavailable)", address="unknown")
    assert store(dsn, batch((0, 7, one)), batch((1, 7, one))) == [(None, "LOGIN", None, None, 2, 0)]


def test_a_batch_that_is_stored_again_counts_once(dsn: str) -> None:
    """A batch whose commit was not heard of, and that is stored again, adds nothing."""
    with open_writer(dsn) as session:
        mark = Mark(session.new_source(position(0)), position(1))
        for _ in range(2):
            session.store(batch((0, 7, failure())), [mark], EVERYTHING)
    assert [row[4] for row in rows(dsn, SUMS)] == [1]


@pytest.mark.parametrize(
    "text", [failure(), f"NOQUEUE: client={PC}, {ANN}", f"3C5D120AB1: client={PC}, {ANN}"]
)
def test_two_sources_of_one_line(dsn: str, tmp_path: Path, text: str) -> None:
    """What the journal and a file tell, counts once; two equal lines stay two."""
    hand = Hand(dsn, tmp_path)
    hand.follow(said_at(FILE_NOON, text), said_at(FILE_NOON, text, SYSLOG_PID="8"))
    told = line(FILE_NOON, text) + line(FILE_NOON, text, pid=8)
    assert "2 stored before from another source" in hand.load(hand.file("mail.log", told)).err
    assert rows(dsn, "SELECT failed + succeeded FROM login") == [(2,)]


def logins_of(lines: Iterable[Said]) -> tuple[Counter[str], Counter[str | None]]:
    """Count failed tries by client and sessions with a login by account, line by line."""
    failed: Counter[str] = Counter()
    sessions: Counter[str | None] = Counter()
    accounts: dict[tuple[str, str, int], str | None] = {}
    for one in lines:
        process = (one.machine.name, one.ident, one.pid)
        if tried := re.match(r"warning: \S+\[(\S+)\]: SASL \S+ authentication failed", one.text):
            failed[tried[1]] += 1
        elif not one.ident.endswith("/smtpd"):
            continue
        elif one.text.startswith("connect from "):
            accounts[process] = None
        elif named := re.search(r"sasl_username=(.*)", one.text):
            accounts[process] = named[1]
        elif one.text.startswith("disconnect from ") and " auth=1 " in one.text:
            sessions[accounts.pop(process)] += 1
    return failed, sessions


@pytest.mark.parametrize("first", ["journal", "file"])
def test_generated(dsn: str, tmp_path: Path, first: str) -> None:
    """Of a generated log all logins are counted, and once where journal and file tell them."""
    world = generate.simulate(Log(lines=8_000, hosts=2, seed=11))
    lines = list(world.run())
    place = Place(Story(world, lines, {}), dsn, tmp_path)
    ways = [place.follow, place.load]
    for way in ways if first == "journal" else reversed(ways):
        way(0, 1)
    failed, sessions = logins_of(lines)
    assert failed.total() > 3
    assert sessions[None] > 3
    found = "SELECT {}, sum({})::int FROM login WHERE {} > 0 GROUP BY 1"
    assert dict(rows(dsn, found.format("host(client_address)", *["failed"] * 2))) == failed
    assert dict(rows(dsn, found.format("sasl_username", *["succeeded"] * 2))) == sessions


# --- hostile --------------------------------------------------------------------------------


def test_long_texts_are_cut(dsn: str) -> None:
    """Texts that no index row could hold are cut between characters, and summed if then equal."""
    rng = random.Random(5)
    long, method = ("".join(rng.choices(string.ascii_letters, k=900)) for _ in range(2))
    texts = [failure(account="ü" + long + end, reason=long, method=method) for end in "ab"]
    ((_, told, account, reason, failed, _),) = store(dsn, *(batch((0, 7, text)) for text in texts))
    assert (len(reason), len(told), failed) == (LONGEST,) * 2 + (2,)
    assert account == hidden(dsn, ("ü" + long).encode()[:LONGEST].decode().lower())
    assert rows(dsn, "SELECT count(*) FROM unrecognised") == [(0,)]


def test_odd_characters_are_stored(dsn: str) -> None:
    """An account of any characters stays what it was, and does no harm, hashed or not."""
    odd = "a'; DROP TABLE login --\\|\ttab, sasl_username=b\"}]\\u0000ü\U0001f600"
    assert [row[2] for row in store(dsn, batch((0, 7, failure(account=odd))))] == [hidden(dsn, odd)]
    entered = f"NOQUEUE: client={PC}, sasl_method=PLAIN, sasl_username={odd}"
    names = [row[2] for row in store(dsn, batch((1, 8, entered)))]
    assert names == [odd.lower(), odd]


def test_characters_that_no_database_holds(dsn: str) -> None:
    """What PostgreSQL cannot hold becomes a question mark; no line is refused for it."""
    name = "a\0b\udc80c"
    logins = store(
        dsn, batch((0, 7, failure(account=name)), (1, 8, opened("3C5D120AB1", account=name)))
    )
    assert [row[2] for row in logins] == ["a?b?c", "a?b?c"]
    assert rows(dsn, "SELECT count(*) FROM unrecognised") == [(0,)]


def test_long_hosts(dsn: str) -> None:
    """A host name that no index row could hold is cut too."""
    collector = Collector(configured())
    collector.add({**message("smtpd", failure()), "host": "mx" + "1" * 3000})
    assert [row[4] for row in store(dsn, collector.take())] == [1]


def test_guessers_with_many_names_are_as_many_rows(dsn: str) -> None:
    """There are never more rows than lines, and one batch may hold thousands of them."""
    lines = [(0.001 * n, 7, failure(account=f"user{n % 500}@example.org")) for n in range(3000)]
    assert {row[4] for row in store(dsn, batch(*lines))} == {6}
    assert rows(dsn, "SELECT count(*) FROM login") == [(500,)]


# --- sessions -------------------------------------------------------------------------------


CONNECT = f"connect from {PC}"
MAILS = [f"3C5D120AB{n}: client={PC}, {ANN}" for n in range(3)]
LEAVES = f"disconnect from {PC} ehlo=1 auth=1 quit=1 commands=3"
REFUSED = (
    f"NOQUEUE: reject: RCPT from {PC}: 553 5.7.1 <bob@example.org>: Sender address rejected: not"
    " owned by user ann@example.org; from=<bob@example.org> to=<x@example.net> proto=ESMTP"
    " helo=<pc> sasl_method=PLAIN sasl_username=ann@example.org"
)
PROXY = f"NOQUEUE: client={PC}, {ANN}"


@pytest.mark.parametrize(
    ("texts", "accounts"),
    [
        ([CONNECT, *MAILS, LEAVES], ["ann@example.org"]),
        ([CONNECT, REFUSED, *MAILS, LEAVES], ["ann@example.org"]),
        ([CONNECT, REFUSED, REFUSED, LEAVES], ["ann@example.org"]),
        ([CONNECT, PROXY, PROXY, LEAVES], ["ann@example.org"]),
        ([CONNECT, MAILS[0], LEAVES] * 2, ["ann@example.org"] * 2),
        ([*MAILS, LEAVES], ["ann@example.org"]),
        ([CONNECT, LEAVES], [None]),
        ([LEAVES], []),
        (["connect from unknown[203.0.113.9]", LEAVES], []),
        ([CONNECT, f"disconnect from {PC} ehlo=1 auth=0/3 commands=1/4"], []),
        ([CONNECT, f"disconnect from {PC} ehlo=1 auth=1/4 quit=1 commands=3/6"], [None]),
        ([CONNECT, f"disconnect from {PC} ehlo=1 quit=1 commands=2"], []),
        ([CONNECT, MAILS[0].replace("PLAIN", "XCLIENT")], []),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_a_session_is_one_login(
    dsn: str, texts: list[str], accounts: list[str | None], *, together: bool
) -> None:
    """However often a session names its account it is one login; its end tells of one unnamed."""
    collector, stored = Collector(configured()), []
    with open_writer(dsn) as session:
        source = session.new_source(position(0))
        for number, text in enumerate(texts, 1):
            collector.add(message("smtpd", text, NOON + timedelta(seconds=number)))
            if not together or number == len(texts):
                one = collector.take()
                (source,) = session.store(one, [Mark(source, position(number))], EVERYTHING)
    for account, count in rows(dsn, "SELECT sasl_username, succeeded FROM login WHERE failed = 0"):
        stored += [account] * count
    assert stored == accounts


# --- retention ------------------------------------------------------------------------------


def test_logins_go_as_told(dsn: str) -> None:
    """Failed logins go with the refusals of their day, the others with the mails; both are noted."""
    store(dsn, batch((0, 7, failure()), (1, 7, f"NOQUEUE: client={PC}, {ANN}")))
    config = configured(noqueue=3, delivery=10)
    left = []
    for days in (3, 4, 10, 11):
        retention.clean(dsn, config, NOON + timedelta(days=days))
        left.append(rows(dsn, "SELECT sum(failed), sum(succeeded) FROM login")[0])
    assert left == [(1, 1), (0, 1), (0, 1), (None, None)]
    assert rows(dsn, "SELECT rows FROM retention_log WHERE table_name = 'login'") == [(1,), (1,)]


def test_logins_are_kept_for_ever_where_told(dsn: str) -> None:
    """Retention of 0 days is none, for the one kind as for the other."""
    store(dsn, batch((0, 7, failure()), (1, 7, f"NOQUEUE: client={PC}, {ANN}")))
    for config in (configured(), configured(delivery=1), configured(noqueue=1)):
        retention.clean(dsn, config, NOON + timedelta(days=400))
        kept = rows(dsn, "SELECT sum(failed), sum(succeeded) FROM login")
        store_again = config.retention_delivery_delete, config.retention_noqueue_delete
        assert kept == {(0, 0): [(1, 1)], (1, 0): [(1, 0)], (0, 1): [(None, None)]}[store_again]


def test_many_logins_go_in_portions(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than one statement deletes are deleted all the same."""
    monkeypatch.setattr(retention, "PORTION", 2)
    store(dsn, batch(*((n, 7, failure(account=f"user{n}")) for n in range(5))))
    (cleaned,) = retention.clean(dsn, configured(noqueue=3), NOON + timedelta(days=9))
    assert (cleaned["table_name"], cleaned["rows"], cleaned["oldest_left"]) == ("login", 5, None)


@pytest.mark.parametrize(
    ("keys", "kept"), [({"noqueue": 3}, (0, 1)), ({"delivery": 3}, (1, 0))], ids=str
)
def test_old_logins_are_not_stored(dsn: str, keys: dict[str, int], kept: tuple[int, int]) -> None:
    """What retention would delete at once makes no row."""
    with open_writer(dsn) as session:
        mark = Mark(session.new_source(position(0)), position(1))
        lines = batch((0, 7, failure()), (1, 7, f"NOQUEUE: client={PC}, {ANN}"))
        session.store(lines, [mark], configured(**keys).horizon(NOON + timedelta(days=4)))
    assert rows(dsn, "SELECT sum(failed), sum(succeeded) FROM login") == [kept]


# --- questions ------------------------------------------------------------------------------


def guessed(count: int, account: str, *, each_from_its_own: bool = False) -> list[Line]:
    """Give so many failed tries, from one address or each from another."""
    addresses = [f"198.51.100.{n if each_from_its_own else 99}" for n in range(count)]
    return [(n, 7, failure(address, account)) for n, address in enumerate(addresses)]


def test_report_of_nothing(dsn: str) -> None:
    """A period without logins is one row of zeros."""
    (total,) = answers(dsn, "report_logins")
    assert (total["kind"], total["failed"], total["succeeded"], total["addresses"]) == (
        "total", 0, 0, 0,
    )  # fmt: skip


def test_report_counts_addresses_and_accounts(dsn: str) -> None:
    """The total has failures, their addresses and accounts, and what succeeded."""
    lines = [(0, 7, failure(f"198.51.100.{n % 4}", f"User{n % 3}@example.org")) for n in range(9)]
    store(dsn, batch(*lines, (10, 7, opened("3C5D120AB1"))))
    (total,) = answers(dsn, "report_logins")
    assert [total[name] for name in ("failed", "succeeded", "addresses", "accounts")] == [
        9,
        1,
        4,
        3,
    ]


@pytest.mark.parametrize(
    ("tries", "success", "suspect"),
    [
        (guessed(11, "ann@example.org"), (20, 7, opened("3C5D120AB1")), True),
        (guessed(10, "ann@example.org"), (20, 7, opened("3C5D120AB1")), False),
        (guessed(11, "ann@example.org"), (-20, 7, opened("3C5D120AB1")), False),
        (guessed(11, "ANN@example.org"), (20, 7, opened("3C5D120AB1")), True),
        (
            guessed(11, "ann@example.org", each_from_its_own=True),
            (20, 7, opened("3C5D120AB1")),
            True,
        ),
        (guessed(11, "bob@example.org"), (20, 7, opened("3C5D120AB1", "198.51.100.99")), False),
        (guessed(11, ""), (20, 7, opened("3C5D120AB1", "198.51.100.99")), True),
        (guessed(11, ""), (20, 7, opened("3C5D120AB1")), False),
    ],
    ids=[
        "yes",
        "few",
        "before",
        "case",
        "many addresses",
        "another account",
        "unnamed",
        "elsewhere",
    ],
)
def test_report_of_a_guessed_account(
    dsn: str, tries: list[Line], success: Line, *, suspect: bool
) -> None:
    """An account that succeeds after more than ten failures of it is named, with its first success."""
    store(dsn, batch(*sorted([*tries, success], key=lambda one: one[0])))
    found = [row for row in answers(dsn, "report_logins") if row["kind"] == "account"]
    told = [(row["sasl_username"], row["failed"], row["t_i"]) for row in found]
    when = NOON + timedelta(seconds=success[0])
    assert told == ([("ann@example.org", 11, when)] if suspect else [])


def test_report_of_what_a_guessed_account_did(dsn: str) -> None:
    """All sessions of such an account in the period count, with their addresses and the last."""
    uses = [(3600 * n, n, opened(f"3C5D120AB{n}", f"192.0.2.{n % 2}")) for n in (1, 2, 3)]
    store(dsn, batch(*guessed(11, "ann@example.org"), *uses))
    (found,) = [row for row in answers(dsn, "report_logins") if row["kind"] == "account"]
    assert (found["succeeded"], found["addresses"]) == (3, 2)
    assert (found["client_address"], found["t_i"]) == ("192.0.2.1", NOON + timedelta(hours=1))
    assert found["t_f"] == NOON + timedelta(hours=3)


def test_report_of_guessers(dsn: str) -> None:
    """Who fails more than ten times is listed with the accounts it tried, the worst first."""
    lines = [(n, 7, failure("198.51.100.1", f"user{n}")) for n in range(11)]
    lines += [(n, 7, failure("198.51.100.2", "ann")) for n in range(20)]
    lines += [(n, 7, failure("198.51.100.3", "ann")) for n in range(10)]
    store(dsn, batch(*lines))
    found = [row for row in answers(dsn, "report_logins") if row["kind"] == "client"]
    assert [(row["client_address"], row["failed"], row["accounts"]) for row in found] == [
        ("198.51.100.2", 20, 1),
        ("198.51.100.1", 11, 11),
    ]


def test_report_of_a_login_without_a_name(dsn: str) -> None:
    """A guesser who finds a password and leaves at once is told by the end of the session."""
    end = [(30, 7, "connect from unknown[198.51.100.99]"),
           (31, 7, "disconnect from unknown[198.51.100.99] ehlo=1 auth=1 quit=1 commands=3")]  # fmt: skip
    store(dsn, batch(*guessed(11, "ann@example.org"), *end))
    (account,) = [row for row in answers(dsn, "report_logins") if row["kind"] == "account"]
    assert (account["sasl_username"], account["client_address"]) == (None, "198.51.100.99")


def test_trace_of_an_account(dsn: str) -> None:
    """An account's logins come by hour and address, its name in whatever letters, others not."""
    lines = [*guessed(2, "Ann@example.org"), (3, 7, failure(account="bob@example.org"))]
    store(dsn, batch(*lines, (3600, 7, opened("3C5D120AB1"))))
    found = answers(dsn, "trace_logins", sasl_username="ann@EXAMPLE.org")
    assert [
        (row["hour"], row["client_address"], row["failed"], row["succeeded"]) for row in found
    ] == [
        (NOON, "198.51.100.99", 2, 0),
        (NOON + timedelta(hours=1), "192.0.2.10", 0, 1),
    ]


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [(-1, 1, 1), (0, 1, 1), (1, 2, 0), (-2, 0, 0), (0.5, 2, 0)],
)
def test_questions_keep_to_the_period(dsn: str, since: float, until: float, found: int) -> None:
    """Only hours with a login within the period are told, also where it begins within an hour."""
    store(dsn, batch((60, 7, failure())))
    period: dict[str, datetime] = {
        "since": NOON + timedelta(hours=since),
        "until": NOON + timedelta(hours=until),
    }
    assert answers(dsn, "report_logins", **period)[0]["failed"] == found
    traced = answers(dsn, "trace_logins", sasl_username="ann@example.org", **period)
    assert len(traced) == found
