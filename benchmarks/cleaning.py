"""One day dropped by `clean` while others read and write: how long, which locks, who waits.

`clean` runs as a role of its own, whose locks another session looks at all the time. A writer
stores a row into the newest day every few milliseconds, a reader asks for mails of a recipient in
all days; each notes how long it took. Then the same again, with a report that has read all days
and stays in its transaction.
"""

from __future__ import annotations

import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import psycopg2
import turns
from filling import PEOPLE
from psycopg2.extensions import make_dsn

from journal_postfix.database import SQL, Cursor
from journal_postfix.finding import LAST_ID
from journal_postfix.patterns import read_address
from journal_postfix.question import FOREVER, Question

ROLE = "cleaner"
BEFORE = 3.0  # seconds of reading and writing alone, to compare with
PAUSE = 0.01
SAMPLE = 0.002
LOCKS = """
SELECT regexp_replace(l.relation::regclass::text, '_[0-9]{8}$', '_DAY'), l.mode
FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_class c ON c.oid = l.relation
WHERE a.usename = %s AND l.granted AND c.relkind IN ('r', 'p') AND c.relname ~ '^(delivery|noqueue)'
"""
WAITING = """
SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE NOT l.granted AND a.usename <> %s
"""
STORED = """
INSERT INTO delivery_from (day, id, mta, queue_id, t_i, t_f, origin, is_submission, sender, message_id)
VALUES (%(day)s, nextval('row_id'), 'mx1.example.com', md5(random()::text), now(), now(), 'smtp',
        false, 'ann@example.org', '<' || md5(random()::text) || '@example.org>')
"""
SIZE = """
SELECT sum(pg_total_relation_size(relid))::bigint, sum(n_dead_tup)::bigint FROM pg_stat_user_tables
WHERE relname ~ '^(delivery|noqueue)'
"""
Row = dict[str, Any]
Command = Callable[..., list[str | Path]]


class Watch:
    """What a session does again and again until the end, and how long each time took."""

    def __init__(self, dsn: str, act: Callable[[Cursor], None], pause: float) -> None:
        self.took: list[tuple[float, float]] = []  # when, seconds
        self._stop = Event()
        self._work = (dsn, act, pause)

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        dsn, act, pause = self._work
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SET jit TO off")
            while not self._stop.wait(pause):
                begin = time.perf_counter()
                act(cursor)
                self.took.append((begin, time.perf_counter() - begin))

    def told(self, since: float) -> str:
        """Median and longest time before a moment, and behind it."""
        parts = [[s for t, s in self.took if t < since], [s for t, s in self.took if t >= since]]
        return " / ".join(
            f"{1000 * statistics.median(part):.1f}, {1000 * max(part):.1f}" if part else "-"
            for part in parts
        )


class Locks:
    """The locks of the role, each with the seconds that it was seen."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], float] = defaultdict(float)
        self.waiting = 0.0
        self._last = time.perf_counter()

    def look(self, cursor: Cursor) -> None:
        """Look once."""
        cursor.execute(LOCKS, (ROLE,))
        held = set(cursor.fetchall())
        cursor.execute(WAITING, (ROLE,))
        ((others,),) = cursor.fetchall()
        now = time.perf_counter()
        for lock in held:
            self.seen[lock] += now - self._last
        self.waiting += (now - self._last) * bool(others)
        self._last = now

    def told(self) -> Iterator[tuple[str, str]]:
        """The locks that others may have to wait for, longest first."""
        for (table, mode), seconds in sorted(self.seen.items(), key=lambda item: -item[1]):
            if mode in ("AccessExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock"):
                yield f"{mode} on {table}, ms", f"{1000 * seconds:.0f}"


def _store(day: date) -> Callable[[Cursor], None]:
    return lambda cursor: cursor.execute(STORED, {"day": day})


def _trace(days: Sequence[date]) -> Callable[[Cursor], None]:
    rng = random.Random(1)

    def act(cursor: Cursor) -> None:
        recipient = f"p{rng.randrange(PEOPLE)}.ann@example.org"
        question = Question(recipient=read_address("--recipient", recipient))
        values = question.parameters() | {"first": days[0], "last": days[-1], "most": 20}
        values |= {"before": FOREVER, "before_id": LAST_ID}
        cursor.execute(SQL["queries/trace_recipients"], values)

    return act


@contextmanager
def _report(dsn: str) -> Iterator[None]:
    """Stay in a transaction that has read from all days."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM delivery_from")
        cursor.execute("SELECT max(id) FROM delivery_to")
        yield


def clean_a_day(dsn: str, days: Sequence[date], command: Command) -> list[Row]:
    """Delete the oldest day, then the next one beside a report; gives what was seen, to print."""
    _execute(dsn, f"DROP ROLE IF EXISTS {ROLE}; CREATE ROLE {ROLE} SUPERUSER LOGIN")
    found = _cleaned(dsn, days, command)
    with _report(dsn):
        beside = _cleaned(dsn, days[1:], command)
    after = _cleaned(dsn, days[1:], command)
    return [
        {
            "what": what,
            "alone": found.get(what),
            "beside a report": beside.get(what),
            "then": after.get(what),
        }
        for what in dict.fromkeys([*found, *beside, *after])
    ]


def _cleaned(dsn: str, days: Sequence[date], command: Command) -> dict[str, str]:
    """Delete the first of the days and watch."""
    keep = {"pseudonymise": 0, "delete": (datetime.now(UTC).date() - days[1]).days}
    words = command(
        make_dsn(dsn, user=ROLE), "clean", retention={"delivery": keep, "noqueue": keep}
    )
    locks = Locks()
    (size, dead), watched = _execute(dsn, SIZE), ExitStack()
    with watched:
        writer = watched.enter_context(Watch(dsn, _store(days[-1]), PAUSE))
        reader = watched.enter_context(Watch(dsn, _trace(days), PAUSE))
        time.sleep(BEFORE)
        watched.enter_context(Watch(dsn, locks.look, SAMPLE))
        begin = time.perf_counter()
        end = _run(words)
        seconds = time.perf_counter() - begin
    (size_after, dead_after) = _execute(dsn, SIZE)
    return {
        "clean, seconds": f"{seconds:.2f}",
        "ended": end,
        "size before, after, MB": f"{size / 1e6:.0f}, {size_after / 1e6:.0f}",
        "dead rows before, after": f"{dead}, {dead_after}",
        "writer, ms (median, longest; before / meanwhile)": writer.told(begin),
        "reader, ms (median, longest; before / meanwhile)": reader.told(begin),
        "others waited for a lock, ms": f"{1000 * locks.waiting:.0f}",
        **dict(locks.told()),
    }


def _run(words: Sequence[str | Path]) -> str:
    try:
        turns.run(words)
    except RuntimeError as error:
        return str(error).rpartition(": ")[2]
    return "done"


def _execute(dsn: str, statement: str) -> tuple[Any, ...]:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)
        return (cursor.fetchone() or ()) if cursor.description else ()
