"""Every index has a query that needs it: EXPLAIN shows its use, and what it would cost without."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import psycopg2
import psycopg2.errors
import pytest

import generate
from conftest import fresh_database
from generate import Log
from journal_postfix.backfill import FileOptions, backfill
from journal_postfix.config import config_from
from journal_postfix.database import (
    READER_SETTINGS,
    SQL,
    WRITER_SETTINGS,
    Cursor,
    connect,
)
from journal_postfix.finding import LAST_ID
from journal_postfix.patterns import Pattern, read_client
from journal_postfix.period import Period
from journal_postfix.question import FOREVER, Question

LOG = Log(lines=30_000, hosts=3, seed=7, hours=96.0)
KEEP = {"pseudonymise": 0, "delete": 0}
CONFIG = {"retention": {"delivery": KEEP, "noqueue": KEEP}, "queue": {"close_after": 0}}

# A generated log is one source, and few of its mails are still open. A server that collects from
# many hosts has thousands, and with them that many runs of lines, gaps and runs of postsuper.
MANY_SOURCES = """
INSERT INTO source (kind, identity, name, position, digest, t)
SELECT 'file', md5(n::text), 'mail.log.' || n, '0', md5(n::text), now() FROM generate_series(1, 5000) n;
INSERT INTO open_mail (mta, queue_id, day, id, source_id, born, t_f, ended_at)
SELECT mta, queue_id, day, id, 1, 3, t_f, removed_at FROM delivery_from ON CONFLICT DO NOTHING;
INSERT INTO host (mta) SELECT format('mx%s.example.org', n) FROM generate_series(1, 1000) n;
INSERT INTO stored_span (source_id, mta, t_from, t_to, lines)
SELECT n, format('mx%s.example.net', n % 100), t, t + interval '1 hour', sha256(n::text::bytea)
FROM generate_series(1, 5000) n
CROSS JOIN LATERAL (SELECT timestamptz '2024-01-01 00:00Z' + n * interval '1 hour' AS t) at;
INSERT INTO queue_event (mta, t, syslog_name, pid, action, named)
SELECT format('mx%s.example.net', n % 100), timestamptz '2024-01-01 00:00Z' + n * interval '1 hour',
       'postfix', n, 'Deleted', 1
FROM generate_series(1, 5000) n;
INSERT INTO login (hour, mta, syslog_name, client_address, sasl_username, failed, succeeded, t_i, t_f)
SELECT date_trunc('hour', t), 'mx1.example.net', 'postfix', '192.0.2.1'::inet + n % 100,
       format('user%s@example.org', n % 5000), 1, 0, t, t
FROM generate_series(1, 50000) n
CROSS JOIN LATERAL (SELECT timestamptz '2025-01-01 00:00Z' + n * interval '1 minute' AS t) at;
INSERT INTO gap (source_id, mta, t_from, t_to, reason)
SELECT n, 'mx1.example.net', now(), now(), 'rotated away' FROM generate_series(1, 1000) n;
INSERT INTO unrecognised (daemon, shape, example, count)
SELECT 'smtpd', 'shape ' || n, 'example ' || n, 1 FROM generate_series(1, 1000) n;
INSERT INTO mail_hourly
SELECT t, 'mx1.example.net', 9, 9, 0, 0, 9000, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9000
FROM generate_series(timestamptz '2023-12-01 00:00Z', '2025-01-01 00:00Z', '1 hour') t;
INSERT INTO noqueue_hourly
SELECT t, 'mx1.example.net', kind, 9, 1
FROM generate_series(timestamptz '2023-12-01 00:00Z', '2025-01-01 00:00Z', '1 hour') t
CROSS JOIN (VALUES ('blocklist'), ('content'), ('sender')) k (kind);
INSERT INTO hash_key (purpose, month, key) VALUES ('login', '0001-01-01', 'x') ON CONFLICT DO NOTHING;
INSERT INTO hourly_filled SELECT 'noqueue', d, now(), 1 FROM generate_series(date '2024-01-01', '2024-12-31', '1 day') d;
"""

DAYS = {
    "first": date(2024, 12, 31), "last": date(2025, 1, 3),
    "most": 20, "before": FOREVER, "before_id": LAST_ID,
}  # fmt: skip
AT = "2025-01-01 12:00Z"
ROW = {"day": date(2025, 1, 1), "id": 5000, "new_day": date(2025, 1, 1), "new_id": 1}
WEEKS = {
    "begins": ["2024-12-24 00:00Z", "2024-12-17 00:00Z"],
    "ends": ["2024-12-25 00:00Z", "2024-12-18 00:00Z"],
    "mta": None,
}
WHERE = {"mtas": ["mx1.example.net"], "firsts": [AT], "lasts": [AT]}
PERIOD = {"since": "2025-01-01 00:00Z", "until": "2025-02-01 00:00Z"}
RUN = {"longest": timedelta(hours=1), "shuffle": timedelta(seconds=1)}
EVENING = Period(datetime(2025, 1, 3, 18, tzinfo=UTC), FOREVER)
NOBODY = Pattern("nobody@example.net", None)
ADDRESS = read_client("--client", "192.0.2.254")
# What the prepared statements are given.
KEYS = "'{2025-01-01}', '{4000, 5000, 6000}'"
GIVEN = {
    "statements/find_open": "'mx1.example.com', '2F12820001 2F12820002'",
    "statements/load_from": KEYS,
    "statements/load_to": KEYS,
    "statements/update_from": KEYS,
    "statements/update_to": KEYS,
    "statements/merge_logins": "'[]'",
}
# What a batch hands over; nobody analyses a temporary table, and here it is its size that counts.
A_BATCH = """
INSERT INTO batch_from SELECT * FROM delivery_from ORDER BY day DESC, id DESC LIMIT 50;
INSERT INTO batch_to SELECT * FROM delivery_to ORDER BY day DESC, id DESC LIMIT 50;
INSERT INTO batch_event SELECT id, mta, syslog_name, pid, action, t, named FROM queue_event LIMIT 2;
ANALYZE batch_from, batch_to, batch_event;
"""


class Need(NamedTuple):
    """A query that needs an index, and what is asked: by a reader, or by a writer in a batch."""

    query: str
    values: dict[str, Any]
    settings: dict[str, str]


def asked(name: str, **values: Any) -> Need:
    """What a reader asks about some days."""
    return Need(f"queries/{name}", DAYS | values, READER_SETTINGS)


def traced(name: str, **criteria: Any) -> Need:
    """What trace asks about all that is stored."""
    return Need(f"queries/{name}", Question(**criteria).parameters() | DAYS, READER_SETTINGS)


def done(name: str, **values: Any) -> Need:
    """What a writer does."""
    return Need(f"statements/{name}", values, WRITER_SETTINGS)


NEEDS = {
    "delivery_from_pkey": done("load_from"),
    "delivery_from_queue_id": done("close_vanished", sources=[1, 2, 3]),
    "delivery_from_sender": traced("trace_mails", sender=NOBODY),
    "delivery_from_message_id": traced("trace_mails", message_id="<1@example.org>"),
    "delivery_from_client_address": traced("trace_mails", client=ADDRESS),
    "delivery_from_notification_for_id": asked(
        "trace_family", message_ids=[], queue_ids=[], ids=[5000], days=[ROW["day"]]
    ),
    "delivery_from_sasl_username": traced("trace_mails", sasl_username=Pattern("nobody", None)),
    "delivery_to_pkey": done("update_to"),
    "delivery_to_from_id": done("load_to"),
    "delivery_to_recipient": traced("trace_recipients", recipient=NOBODY),
    "delivery_to_orig_to": traced("trace_recipients", recipient=NOBODY, period=EVENING),
    "delivery_attempt_to_id": done("move_attempts", **ROW),
    "noqueue_pkey": asked("status_retention"),
    "noqueue_from_id": done("move_verdicts", **ROW),
    "noqueue_sender": traced("trace_verdicts", sender=NOBODY),
    "noqueue_recipient": traced("trace_verdicts", recipient=NOBODY),
    "noqueue_client_address": traced("trace_verdicts", client=ADDRESS),
    "noqueue_sasl_username": traced("trace_verdicts", sasl_username=Pattern("nobody", None)),
    "source_pkey": done("take_position", id=5),
    "source_identity": done("find_source", kind="file", identity="an identity"),
    "open_mail_pkey": done("find_open"),
    "open_mail_ended": done("purge_open", source_id=5, before=AT),
    "host_pkey": done("take_host", mta="mx1.example.org", writer=1),
    "stored_span_pkey": asked("status_spans"),
    "stored_span_time": done("spans_elsewhere", **WHERE, own=[5], is_journal=False),
    "unrecognised_pkey": done("merge_unrecognised"),
    "queue_event_pkey": done("merge_events", **RUN),
    "queue_event_t": done("merge_events", **RUN),
    "login_key": done("merge_logins"),
    "login_username": asked("trace_logins", sasl_username="User7@example.org", **PERIOD),
    "mail_hourly_pkey": asked("report_usual", **WEEKS),
    "noqueue_hourly_pkey": asked("report_usual_refused", **WEEKS),
    "looked_through_pkey": done(
        "note_looked", partition="noqueue_20250101", step="pseudonymise", asked="{}", changes=1
    ),
    "hourly_filled_pkey": done(
        "mark_hourly", table_name="noqueue", day=ROW["day"], now=AT, changes=1
    ),
}
# How much more the query must cost without its index.
MULTIPLE = 2
# No query looks into these: they hold that there are no two.
GUARDS = {"schema_version_pkey": "schema_version", "gap_pkey": "gap", "hash_key_pkey": "hash_key"}


class Plan(NamedTuple):
    """What the server means to do: the indexes, partitions' taken for their tables', and the cost."""

    indexes: set[str]
    cost: float


@pytest.fixture(scope="module")
def grown(
    server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database with a generated log of some days, and with what many sources leave."""
    folder = tmp_path_factory.mktemp("indexes")
    generate.write(LOG, "iso", folder, split=False, truth=False)
    with fresh_database(server_dsn, template) as dsn:
        config = config_from({"dsn": dsn, **CONFIG}, "test")
        backfill(config, [str(path) for path in folder.iterdir()], FileOptions())
        with closing(connect(dsn, {})) as connection, connection.cursor() as cursor:
            cursor.execute(MANY_SOURCES)
            connection.commit()
            connection.autocommit = True
            cursor.execute("VACUUM ANALYZE")
        yield dsn


@contextmanager
def session(dsn: str, need: Need) -> Iterator[Cursor]:
    """A session as the product's have it; a writer's also has the shapes of a batch."""
    with closing(connect(dsn, need.settings)) as connection, connection.cursor() as cursor:
        if need.settings is WRITER_SETTINGS:
            cursor.execute(SQL["statements/session"])
            connection.commit()
        yield cursor


def explained(cursor: Cursor, need: Need) -> Plan:
    """Ask the server how it would answer now."""
    text = SQL[need.query]
    if need.query in GIVEN:
        cursor.execute(f"PREPARE needed AS {text}")
        text = f"EXECUTE needed ({GIVEN[need.query]})"
    cursor.execute(f"EXPLAIN (FORMAT JSON) {text}", need.values)
    ((explained,),) = cursor.fetchall()
    cursor.execute("DEALLOCATE ALL")
    plan = explained[0]["Plan"]
    parents = parents_of_indexes(cursor)
    return Plan({parents[name] for name in indexes_of(plan)}, plan["Total Cost"])


def indexes_of(plan: dict[str, Any]) -> Iterator[str]:
    """The indexes that a plan looks into, or asks whether there is a row already."""
    if "Index Name" in plan:
        yield plan["Index Name"]
    yield from plan.get("Conflict Arbiter Indexes", ())
    for child in plan.get("Plans", ()):
        yield from indexes_of(child)


def parents_of_indexes(cursor: Cursor) -> dict[str, str]:
    """All indexes of the schema, partitions' by the name of their table's."""
    cursor.execute(
        "SELECT c.relname, coalesce(p.relname, c.relname) FROM pg_class c"
        " LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent"
        " WHERE c.relkind IN ('i', 'I') AND c.relnamespace = current_schema()::regnamespace"
    )
    return dict(cursor.fetchall())


def drop(cursor: Cursor, index: str) -> None:
    """Drop an index, or the constraint that it belongs to."""
    cursor.execute(
        "SELECT conrelid::regclass FROM pg_constraint WHERE conindid = %s::regclass", (index,)
    )
    found = cursor.fetchone()
    cursor.execute(
        f"ALTER TABLE {found[0]} DROP CONSTRAINT {index}" if found else f"DROP INDEX {index}"
    )


def cost_without(cursor: Cursor, index: str, need: Need) -> float:
    """The least that the query costs without an index; infinite where it cannot be asked then."""
    drop(cursor, index)
    try:
        return cost_at_best(cursor, need)
    except psycopg2.errors.InvalidColumnReference:  # ON CONFLICT
        return math.inf


def cost_at_best(cursor: Cursor, need: Need) -> float:
    """The least that the query costs by the server's estimate, every way of it allowed."""
    for name in ("enable_seqscan", "enable_bitmapscan", "enable_memoize"):
        cursor.execute(f"SET LOCAL {name} TO on")
    return explained(cursor, need).cost


def test_every_index_is_needed(dsn: str) -> None:
    """There is no index of which nobody could say what it is for."""
    with closing(connect(dsn, READER_SETTINGS)) as connection, connection.cursor() as cursor:
        found = set(parents_of_indexes(cursor).values())
    assert found == {*NEEDS, *GUARDS}


@pytest.mark.parametrize("index", NEEDS)
def test_the_index_is_used(grown: str, index: str) -> None:
    """The query takes the index, in a session as the product's have it."""
    with session(grown, NEEDS[index]) as cursor:
        assert index in explained(cursor, NEEDS[index]).indexes


@pytest.mark.parametrize("index", NEEDS)
def test_without_the_index_it_costs_more(grown: str, index: str) -> None:
    """Without it the query would cost a multiple, or not be possible at all."""
    need = NEEDS[index]
    with session(grown, need) as cursor:
        cursor.execute(
            A_BATCH if need.settings is WRITER_SETTINGS else "SET TRANSACTION READ WRITE"
        )
        before = cost_at_best(cursor, need)
        assert cost_without(cursor, index, need) > MULTIPLE * before


@pytest.mark.parametrize("index", GUARDS)
def test_a_second_row_is_refused(grown: str, index: str) -> None:
    """An index that nothing asks holds that there is no second row of the same key."""
    with closing(connect(grown, {})) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.UniqueViolation) as refused:
            cursor.execute(f"INSERT INTO {GUARDS[index]} SELECT * FROM {GUARDS[index]} LIMIT 1")
        assert refused.value.diag.constraint_name == index
