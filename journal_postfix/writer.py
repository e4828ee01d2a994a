"""Batch after batch into PostgreSQL: one transaction each, the reading positions in it.

The deal: after `Writer.store` returns, the batch and its positions are committed, once. If the
connection is lost on the way, calling it again with the same batch finds out from the stored
position whether the transaction took place. A batch refused for its data is halved down to the
guilty line, which is counted in `unrecognised`; the others are stored.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from journal_postfix import spans
from journal_postfix.batch import Batch, Counts, Loss, Stored, Unknown
from journal_postfix.database import (
    SQL,
    WRITER_SETTINGS,
    Connection,
    Cursor,
    Error,
    connect,
    dicts,
    is_guilty_data,
)
from journal_postfix.mail import Fact, Row
from journal_postfix.messages import InputError, Position
from journal_postfix.store import (
    ENDED_KEPT,
    TOO_OLD,
    Horizon,
    StoreOptions,
    Tables,
    copy_rows,
    lock_hosts,
    open_session,
    store_deliveries,
)

LOCK_PAUSE = 0.1  # a reader that was killed holds its lock until the server notices
LOCK_TRIES = 50


class Source(NamedTuple):
    """One row of table `source`: what is read, and how far it is stored."""

    id: int
    kind: str
    identity: str
    name: str
    position: str
    digest: str
    t: datetime | None
    state: dict[str, Any]

    def stored(self) -> Position:
        """The position that is stored."""
        return Position(self.kind, self.identity, self.name, self.position, self.digest, self.t)


class Mark(NamedTuple):
    """A source and the position that is to be stored with a batch."""

    source: Source
    position: Position


class Writer:
    """One writing session: the connection, its sources, and `store` for batch after batch.

    `dsn` may be a function: it is asked at each new connection, and may start a server.
    """

    def __init__(self, dsn: str | Callable[[], str], options: StoreOptions | None = None) -> None:
        self._dsn = dsn
        self.options = options or StoreOptions()
        self.sources: dict[tuple[str, str], Source] = {}
        self._held: list[tuple[str, str]] = []
        self.connection: Connection | None = None

    def session(self) -> tuple[Connection, Tables]:
        """The open connection; connects, and takes the sources' locks again, where needed."""
        if self.connection is None or self.connection.closed:
            connection = connect(
                self._dsn if isinstance(self._dsn, str) else self._dsn(), WRITER_SETTINGS
            )
            self.tables = open_session(connection)
            for kind, identity in self._held:
                self._lock(connection, kind, identity)
            self.connection = connection  # only now: never one without the locks
        return self.connection, self.tables

    def close(self) -> None:
        """End the session; the sources are free for others."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def hold(self, kind: str, identity: str) -> None:
        """Make sure that nobody else reads this source meanwhile; InputError names who does."""
        connection, _ = self.session()
        if (kind, identity) not in self._held:
            self._lock(connection, kind, identity)
            self._held.append((kind, identity))

    def _lock(self, connection: Connection, kind: str, identity: str) -> None:
        which = {"kind": kind, "identity": identity}
        with connection.cursor() as cursor:
            for _ in range(LOCK_TRIES):
                cursor.execute(SQL["statements/lock_source"], which)
                if cursor.fetchone() == (True,):
                    connection.commit()
                    return
                connection.commit()
                time.sleep(LOCK_PAUSE)
            cursor.execute(SQL["statements/source_holder"], which)
            holder = cursor.fetchone()
        connection.rollback()
        raise InputError(
            f"this {kind} is being read by another journal-postfix"
            + (
                f" (PostgreSQL session {holder[0]}, user {holder[1]}, {holder[2]})"
                if holder
                else ""
            )
        )

    def find_sources(self, kind: str, identity: str) -> list[Source]:
        """The stored sources of this kind and identity; of files those that begin alike."""
        return self._sources("find_source", {"kind": kind, "identity": identity})

    def sources_of_kind(self, kind: str) -> list[Source]:
        """All stored sources of a kind."""
        return self._sources("sources_of_kind", {"kind": kind})

    def _sources(self, statement: str, values: dict[str, Any]) -> list[Source]:
        connection, _ = self.session()
        with connection.cursor() as cursor:
            cursor.execute(SQL[f"statements/{statement}"], values)
            found = [Source(**row) for row in dicts(cursor)]
        connection.commit()
        return found

    def file_times(self) -> list[tuple[str, datetime, datetime]]:
        """Identity, first and last time of each log file that was read."""
        connection, _ = self.session()
        with connection.cursor() as cursor:
            cursor.execute(SQL["statements/file_times"])
            found = cursor.fetchall()
        connection.commit()
        return found

    def refuse_shared(self, name: str, own: int | None, lines: Sequence[spans.Line]) -> None:
        """Raise InputError where another file told lines of this one, whose source is ``own``."""
        connection, _ = self.session()
        ids = {} if own is None else {"": own}
        with connection.cursor() as cursor:
            reader = spans.Reader("file", name, ids, overlap_ok=False)
            spans.told_elsewhere(cursor, lines, spans.runs_of(lines), reader)
        connection.commit()

    def new_source(self, position: Position) -> Source:
        """Begin a source at this position."""
        return self._sources("new_source", position._asdict())[0]

    def store(self, batch: Batch, marks: Sequence[Mark], horizon: Horizon) -> list[Source]:
        """Store a batch and its positions in one transaction; gives the sources as they are now.

        Raises the driver's error where the server cannot be reached or asks for another try:
        nothing is stored then, or the next call with the same arguments finds that it was.
        """
        connection, tables = self.session()
        try:
            with connection.cursor() as cursor:
                if not self._was_stored(cursor, marks):
                    self._store(cursor, tables, batch, marks, horizon)
            connection.commit()
        except BaseException:
            _give_up(connection)
            tables.forget()
            raise
        return [_moved(mark) for mark in marks]

    def _was_stored(self, cursor: Cursor, marks: Sequence[Mark]) -> bool:
        stored = []
        for mark in sorted(marks, key=lambda mark: mark.source.id):
            cursor.execute(SQL["statements/take_position"], {"id": mark.source.id})
            row = cursor.fetchone()
            new = (mark.position.position, mark.position.digest)
            old = (mark.source.position, mark.source.digest)
            if row is None or row not in (new, old):
                raise InputError(f"the position of {mark.source.name} was changed by someone else")
            if new != old:
                stored.append(row == new)
        return bool(stored) and all(stored)

    def _store(
        self,
        cursor: Cursor,
        tables: Tables,
        batch: Batch,
        marks: Sequence[Mark],
        horizon: Horizon,
    ) -> None:
        lines = batch.told()
        lock_hosts(cursor, tables, {run.mta for run in batch.runs})
        source_ids = {mark.source.identity: mark.source.id for mark in marks}
        source_ids[""] = marks[0].source.id
        name, kind = marks[0].position.name, marks[0].source.kind
        if kind != "journal":
            tables.kept.read(source_ids[""])
        reader = spans.Reader(kind, name, source_ids, self.options.overlap_ok)
        known = spans.told_elsewhere(cursor, lines, batch.runs, reader)
        spans.remember(cursor, batch.runs, reader)
        batch.known = len(known)
        known_of = Counter(lines[number].machine for number in known)
        new = batch.without(known) if known else batch
        refused: list[Row] = []
        made = self._store_or_halve(cursor, tables, new.facts, source_ids, horizon, refused)
        batch.too_old = made.pop(TOO_OLD, 0)
        rows_made = tuple(made.items())
        batch.stored = Stored(new.facts, new.unrecognised, new.losses, rows_made)
        rows = refused + _unrecognised(new)
        if rows:
            copy_rows(cursor, tables, "unrecognised", rows, "batch_unrecognised")
            cursor.execute("EXECUTE merge_unrecognised")
            cursor.execute("TRUNCATE batch_unrecognised")
        for number, mark in enumerate(marks):
            counts = _counts_of(batch, mark, first=number == 0)
            state = batch.states.get(mark.source.identity)
            if state is None and mark is marks[-1]:
                state = batch.states.get("")
            state = tables.erasures.state_of(state, counts.t_last)
            left_out = {"known": known_of[mark.source.identity]}
            if number == 0:
                left_out = {"known": left_out["known"] + known_of[""], "too_old": batch.too_old}
            left_out["unjoined"] = self.options.finite
            _save_position(cursor, mark, counts, left_out, state)
            if counts.t_last is not None and not self.options.finite:
                old = {"source_id": mark.source.id, "before": counts.t_last - ENDED_KEPT}
                cursor.execute(SQL["statements/purge_open"], old)
        for gap in [*batch.gaps, *map(_gap, new.losses)]:
            source = self.sources.get((kind, gap["machine"]), marks[0].source)
            cursor.execute(SQL["statements/new_gap"], {**gap, "source_id": source.id})

    def _store_or_halve(
        self,
        cursor: Cursor,
        tables: Tables,
        facts: Sequence[Fact],
        source_ids: Mapping[str, int],
        horizon: Horizon,
        refused: list[Row],
    ) -> Counter[str]:
        if not facts:
            return Counter()
        cursor.execute("SAVEPOINT half")
        try:
            made = store_deliveries(cursor, facts, tables, source_ids, self.options, horizon)
        except Error as error:
            if not is_guilty_data(error):
                raise
            cursor.execute("ROLLBACK TO SAVEPOINT half")
            tables.forget()
            if len(facts) == 1:
                refused.append(_refused(facts[0], error))
                return Counter()
            middle = len(facts) // 2
            return sum(
                (
                    self._store_or_halve(cursor, tables, half, source_ids, horizon, refused)
                    for half in (facts[:middle], facts[middle:])
                ),
                Counter(),
            )
        cursor.execute("RELEASE SAVEPOINT half")
        return made


def _unrecognised(batch: Batch) -> list[Row]:
    """The lines that were not recognised, counted by daemon and shape, each with an example."""
    groups: dict[tuple[str, str], list[Unknown]] = defaultdict(list)
    for line in batch.unrecognised:
        groups[line.daemon, line.shape].append(line)
    return [
        {
            "daemon": daemon,
            "shape": shape,
            "sqlstate": "",
            "example": lines[0].example,
            "count": len(lines),
            "t_first": min(line.t for line in lines),
            "t_last": max(line.t for line in lines),
        }
        for (daemon, shape), lines in groups.items()
    ]


def _gap(loss: Loss) -> Row:
    return {
        "machine": loss.machine,
        "mta": loss.mta,
        "t_from": loss.since,
        "t_to": loss.t,
        "lost": loss.lost,
        "reason": loss.reason,
    }


def _refused(fact: Fact, error: Error) -> Row:
    """The record of a line whose row the database refuses, without its content."""
    text = f"row refused: {fact.action}"
    return {
        "daemon": fact.daemon,
        "shape": text,
        "sqlstate": error.pgcode,
        "example": text,
        "count": 1,
        "t_first": fact.t,
        "t_last": fact.t,
    }


def _give_up(connection: Connection) -> None:
    try:
        connection.rollback()
    except Error:
        connection.close()


def _moved(mark: Mark) -> Source:
    new = mark.position
    return mark.source._replace(position=new.position, digest=new.digest, name=new.name, t=new.t)


def _counts_of(batch: Batch, mark: Mark, *, first: bool) -> Counts:
    """What came of the mark's source: its machine's counts, or all of the only source."""
    found = batch.counts.get(mark.source.identity)
    return found or (batch.counts.get("") if first else None) or Counts()


def _save_position(
    cursor: Cursor, mark: Mark, counts: Counts, left_out: Mapping[str, int], state: str | None
) -> None:
    new = mark.position
    values = {
        "id": mark.source.id,
        "name": new.name,
        "position": new.position,
        "digest": new.digest,
        "t": new.t or counts.t_last,
        "mta": counts.mta,
        "t_first": counts.t_first,
        "state": state,
        "lines": counts.lines,
        "unrecognised": counts.unknown,
        "forged": counts.forged,
        "too_old": 0,
        **left_out,
    }
    cursor.execute(SQL["statements/save_position"], values)
