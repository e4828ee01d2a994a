"""An erasure from its first note to its end, so that one that was interrupted is not forgotten.

It is noted before anything is deleted: from then on older lines about the person are not stored, and
whoever finds it unfinished finishes it, another `forget` of the same or the next clean-up. That one
knows hashes only, and reads every row for it; so it does not try before the day on which rows kept by
`retain` may go.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import NamedTuple

from journal_postfix import free_space, planner_values
from journal_postfix.database import PLAIN_SETTINGS, SQL, Connection, Cursor, connect, dicts
from journal_postfix.erasures import PURPOSE, Erasures
from journal_postfix.forgetting import Forgetting, Tally, begin_change
from journal_postfix.hashing import key_of, keyed_hash
from journal_postfix.messages import InputError
from journal_postfix.people import Key, Matcher, Person, pattern

log = logging.getLogger("journal_postfix")

EVERY_ROW = ""  # as a pattern
_EVER = datetime(1, 1, 2, tzinfo=UTC)


class Done(NamedTuple):
    """What an erasure did, the tables it wrote anew, and those whose statistics hold the person."""

    tally: Tally
    rewritten: free_space.Rewritten
    stale: set[str]


def take(cursor: Cursor) -> bool:
    """Nobody else forgets at the same time; False: somebody does."""
    cursor.execute(SQL["statements/take_erasing"])
    return cursor.fetchone() == (True,)


def begin(cursor: Cursor, keys: Iterable[Key], *, tags: bool, ticket: str | None) -> list[int]:
    """Note who is about to be forgotten, by hashes; gives the numbers of the notes.

    Writers learn of it before the next batch: the hosts' mails change with it.
    """
    begin_change(cursor)
    secret = key_of(cursor, PURPOSE)
    if secret is None:
        raise InputError(
            "the key of purpose erasure in table hash_key was destroyed: make a new one"
        )
    numbers = []
    for key in keys:
        values = {"kind": key.kind, "tags": tags and key.kind == "address", "ticket": ticket}
        cursor.execute(
            SQL["statements/begin_erasure"], {**values, "hash": keyed_hash(secret, key.text)}
        )
        numbers += [number for (number,) in cursor.fetchall()]
    cursor.execute("COMMIT")
    return numbers


def erase(
    cursor: Cursor,
    who: Matcher | Erasures,
    found_by: str,
    numbers: Sequence[int],
    *,
    rewrite: bool = False,
    told: Callable[[int], object] = lambda _: None,
) -> Done:
    """Delete and mask all that is stored of a person whose erasure was noted; it may be repeated."""

    def noted(rows: int) -> None:
        cursor.execute(SQL["statements/count_erased"], {"rows": rows, "ids": list(numbers)})
        told(rows)

    tally = Forgetting(cursor, who, found_by).run(noted)
    rewritten = free_space.rewrite(cursor, tally.touched) if rewrite else free_space.NOTHING
    whoever = who.before(_EVER) if isinstance(who, Erasures) else who
    stale = planner_values.refresh(cursor, whoever, found_by, tally.touched)
    which = {"ids": list(numbers), "waits_for": tally.until if tally.retained else None}
    cursor.execute(SQL["statements/finish_erasure"], which)
    return Done(tally, rewritten, stale)


def erase_person(
    cursor: Cursor,
    person: Person,
    ticket: str | None = None,
    *,
    rewrite: bool = False,
    told: Callable[[int], object] = lambda _: None,
) -> Done:
    """Note the erasure of a person, and do it."""
    numbers = begin(cursor, person.given, tags=person.tags, ticket=ticket)
    return erase(cursor, person, pattern(person), numbers, rewrite=rewrite, told=told)


def finish(connection: Connection, now: datetime) -> int:
    """Finish erasures that were interrupted, or waited for a day; gives how many there were."""
    with connection.cursor() as cursor:
        if not take(cursor):
            return 0
        try:
            cursor.execute(SQL["statements/unfinished_erasures"], {"today": now.date()})
            rows = dicts(cursor)
            if rows:
                log.info("clean-up: finishing %d erasures", len(rows))
                erasures = Erasures()
                erasures.learn(cursor, rows)
                erase(cursor, erasures, EVERY_ROW, [row["id"] for row in rows])
            return len(rows)
        finally:
            if not connection.closed:
                cursor.execute(SQL["statements/leave_erasing"])


def finish_all(dsn: str, now: datetime | None = None) -> int:
    """The same with a session of its own."""
    with closing(connect(dsn, PLAIN_SETTINGS)) as connection:
        connection.autocommit = True
        return finish(connection, now or datetime.now(UTC))
