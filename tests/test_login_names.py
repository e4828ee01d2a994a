"""Names of failed logins: hashed unless an account is known, in whatever order and batches lines come."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from itertools import permutations

import psycopg2
import pytest

from journal_postfix import login_names, retention
from journal_postfix.batch import Batch
from journal_postfix.writer import Mark
from test_login import answers, batch, failure, guessed, hidden, opened, store
from test_store import EVERYTHING, NOON, configured, open_writer, position, rows

SECRET = "Corr3ct horse"
NAMES = "SELECT sasl_username, sum(failed), sum(succeeded) FROM login GROUP BY 1, failed > 0 ORDER BY 2 DESC, 1"
DUMP = "SELECT string_agg(x::text, ' ') FROM {} x"


def dumped(dsn: str) -> str:
    """All rows of all tables as text."""
    tables = rows(
        dsn,
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind = 'r'",
    )
    return " ".join(str(rows(dsn, DUMP.format(table))) for (table,) in tables)


def test_password_typed_as_a_name_is_nowhere(dsn: str) -> None:
    """Neither the name nor a reason that repeats it is stored, in whatever letters."""
    reason = f"no user {SECRET.upper()} in (corr3ct horse), Corr3ct horses"
    store(dsn, batch((0, 7, failure(account=SECRET, reason=reason))))
    (name, told) = rows(dsn, "SELECT sasl_username, reason FROM login")[0]
    assert name == hidden(dsn, SECRET)
    assert told == f"no user {name} in ({name}), Corr3ct horses"
    assert "corr3ct horse " not in dumped(dsn).lower().replace(told.lower(), "")


def test_hashes_tell_accounts_apart(dsn: str) -> None:
    """One name is one hash in whatever letters, another name another one; reports count them so."""
    store(dsn, batch((0, 7, failure(account="Eve")), (1, 7, failure(account="eVE"))))
    store(dsn, batch((2, 7, failure(account="eve")), (3, 7, failure(account="adam"))))
    assert [row[1] for row in rows(dsn, NAMES)] == [3, 1]
    assert answers(dsn, "report_logins")[0]["accounts"] == 2


ORDERS = list(permutations(range(4)))


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("size", [1, 2, 4])
def test_order_and_batches_do_not_matter(dsn: str, order: tuple[int, ...], size: int) -> None:
    """Whether an account logged in before or after the failures, what is stored is the same."""
    lines = [
        (0, 7, failure(account="ann@example.org")),
        (1, 7, failure(account="ANN@example.org")),
        (2, 8, opened("3C5D120AB1", account="Ann@example.org")),
        (3, 7, failure(account="nobody@example.org")),
    ]
    shuffled = [lines[number] for number in order]
    store(dsn, *(batch(*shuffled[i : i + size]) for i in range(0, 4, size)))
    nobody = hidden(dsn, "nobody@example.org")
    assert set(rows(dsn, NAMES)) == {
        ("ann@example.org", 2, 0), ("Ann@example.org", 0, 1), (nobody, 1, 0),
    }  # fmt: skip


@pytest.mark.parametrize("again", [False, True], ids=["one session", "a session each"])
def test_other_hosts_and_sessions(dsn: str, *, again: bool) -> None:
    """An account that is known on one host is known on all, and to sessions that come later."""
    batches = [
        batch((0, 7, opened("3C5D120AB1"))),
        batch((3600, 7, failure())),
        batch((7200, 7, failure(account="eve@example.org"))),
    ]
    if again:
        for one in batches:
            store(dsn, one)
    else:
        store(dsn, *batches)
    assert [row[0] for row in rows(dsn, NAMES)] == [
        "ann@example.org", hidden(dsn, "eve@example.org"), "ann@example.org",
    ]  # fmt: skip


def test_many_hours_come_under_the_name(dsn: str) -> None:
    """All that failed under the hash is shown when the account logs in, summed with what is there."""
    store(dsn, *(batch((3600 * n, 7, failure()), (3600 * n + 1, 7, failure())) for n in range(5)))
    store(dsn, batch((10, 7, failure(account="eve"))))
    store(dsn, batch((20, 7, failure()), (86400, 7, opened("3C5D120AB1"))))
    assert rows(dsn, NAMES) == [
        ("ann@example.org", 11, 0), (hidden(dsn, "eve"), 1, 0), ("ann@example.org", 0, 1),
    ]  # fmt: skip


def test_batch_that_is_rolled_back_teaches_nothing(dsn: str) -> None:
    """A session does not take for known what was not stored, nor hash with a key that is not."""
    broken = batch((0, 7, opened("3C5D120AB1")), (1, 7, failure(account="eve")))
    gap = dict.fromkeys(("machine", "mta", "t_from", "t_to", "lost", "reason"))
    broken.gaps.append(gap)  # a gap without a reason is refused, when all else is written
    whole = batch((2, 7, failure()), (3, 7, failure(account="eve")))
    with open_writer(dsn) as session:
        mark = Mark(session.new_source(position(0)), position(1))
        with pytest.raises(psycopg2.errors.NotNullViolation):
            session.store(broken, [mark], EVERYTHING)
        session.store(whole, [mark], EVERYTHING)
    names = {row[0] for row in rows(dsn, NAMES)}
    assert names == {hidden(dsn, "ann@example.org"), hidden(dsn, "eve")}


def test_known_names_cost_no_question(dsn: str) -> None:
    """A session asks about a name once, and about none where all are known."""
    lines: list[Batch] = [batch((n, 7, opened("3C5D120AB1"), ), (n, 8, failure())) for n in range(3)]  # fmt: skip
    asked = []
    with open_writer(dsn) as session:
        source = session.new_source(position(0))
        _, tables = session.session()
        for number, one in enumerate(lines, 1):
            before = set(tables.accounts.known)
            (source,) = session.store(one, [Mark(source, position(number))], EVERYTHING)
            asked.append(tables.accounts.known - before)
    assert asked == [{"ann@example.org"}, set(), set()]


def test_memory_is_bounded(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that met very many accounts forgets them and asks again."""
    monkeypatch.setattr(login_names, "_REMEMBERED", 3)
    many = [(n, n, opened(f"3C5D120AB{n}", account=f"user{n}")) for n in range(9)]
    with open_writer(dsn) as session:
        source = session.new_source(position(0))
        (source,) = session.store(batch(*many), [Mark(source, position(1))], EVERYTHING)
        later = batch((100, 7, failure(account="user3")))
        session.store(later, [Mark(source, position(2))], EVERYTHING)
        assert session.session()[1].accounts.known == {"user3"}
    assert ("user3", 1, 0) in rows(dsn, NAMES)


def test_account_that_retention_forgot_is_not_known(dsn: str) -> None:
    """What is known is what is stored."""
    store(dsn, batch((0, 7, opened("3C5D120AB1"))))
    retention.clean(dsn, configured(delivery=1), NOON + timedelta(days=5))
    store(dsn, batch((60, 7, failure())))
    assert [row[0] for row in rows(dsn, NAMES)] == [hidden(dsn, "ann@example.org")]


def test_trace_finds_a_hashed_name(dsn: str) -> None:
    """Who knows the name finds its failures, told under the name he gave."""
    store(dsn, batch(*guessed(3, "Eve@example.org"), (9, 7, failure(account="adam"))))
    found = answers(dsn, "trace_logins", sasl_username="eve@example.org")
    assert [(row["sasl_username"], row["failed"]) for row in found] == [("eve@example.org", 3)]
    assert answers(dsn, "trace_logins", sasl_username="eve") == []
    assert answers(dsn, "trace_logins", sasl_username="~") == []


def test_without_a_key_nothing_is_hidden_and_nothing_found(dsn: str) -> None:
    """No key is made by asking, nor by logins that succeed."""
    store(dsn, batch((0, 7, opened("3C5D120AB1"))))
    assert answers(dsn, "trace_logins", sasl_username="eve") == []
    assert rows(dsn, "SELECT count(*) FROM hash_key WHERE purpose = 'login'") == [(0,)]


def test_destroyed_key_leaves_no_name(dsn: str) -> None:
    """Where the key is gone a name that nobody knows is not stored at all."""
    store(dsn, batch((0, 7, failure(account="eve"))))
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE hash_key SET key = NULL, destroyed_at = now()")
        connection.commit()
    store(dsn, batch((1, 7, failure(account="mallory", reason="no mallory"))))
    assert "mallory" not in dumped(dsn)
    assert rows(dsn, "SELECT sasl_username, reason FROM login WHERE t_i > hour") == [(None, "no ~")]
