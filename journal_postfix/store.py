"""Batches into PostgreSQL: one transaction per batch, the reading positions in it.

The deal: after `Writer.store` returns, the batch and its positions are committed, once. If the
connection is lost on the way, calling it again with the same batch finds out from the stored
position whether the transaction took place. A batch refused for its data is halved down to the
guilty line, which is counted in `unrecognised`; the others are stored. The store knows no log
syntax.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from journal_postfix import partitions
from journal_postfix.batch import Batch, Item, Key, MailRules, Merged, keys_of, merge_batch, rows_of
from journal_postfix.copytext import copy_text, inet
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
from journal_postfix.merge import RECEIVED, Mail, Row
from journal_postfix.messages import InputError, Position

ENDED_KEPT = timedelta(hours=1)  # mails stay in open_mail for so long after their end
_PREPARED = ("load_from", "load_to", "update_from", "update_to", "merge_open", "merge_unrecognised")
_INET = {
    "delivery_from": "client_address",
    "delivery_to": "relay_address",
    "noqueue": "client_address",
}
_TABLES = ("delivery_from", "delivery_to", "delivery_attempt", "noqueue", "open_mail")


class Source(NamedTuple):
    """One row of table `source`: what is read, and how far it is stored."""

    id: int
    kind: str
    identity: str
    name: str
    position: str
    digest: str
    t: datetime | None


class Horizon(NamedTuple):
    """First days that retention keeps, at this moment; None: everything is kept."""

    delivery: date | None = None
    noqueue: date | None = None


class StoreOptions(NamedTuple):
    """What the configuration says about storing."""

    rules: MailRules = MailRules()
    partition_days: Mapping[str, int] = MappingProxyType({})
    finite: bool = False  # the source ends: halves of mails stay open for `join`


class Mark(NamedTuple):
    """A source and the position that is to be stored with a batch."""

    source: Source
    position: Position


class Tables(NamedTuple):
    """The columns of the tables as this database has them, and the days it has partitions for."""

    columns: dict[str, list[str]]
    days: partitions.Known


# --- a session ------------------------------------------------------------------------------


def open_session(connection: Connection) -> Tables:
    """Prepare a writer's session: temporary tables, prepared statements, the tables' columns."""
    with connection.cursor() as cursor:
        cursor.execute(SQL["statements/session"])
        for name in _PREPARED:
            cursor.execute(f"PREPARE {name} AS {SQL['statements/' + name]}")
        columns = {table: _columns(cursor, table) for table in (*_TABLES, "unrecognised")}
        known = partitions.known(cursor)
    connection.commit()
    return Tables(columns, known)


def _columns(cursor: Cursor, table: str) -> list[str]:
    cursor.execute(f"SELECT * FROM {table} LIMIT 0")
    names = [column.name for column in cursor.description or ()]
    return [name for name in names if name not in ("refused", "temporary")]


def _copy(cursor: Cursor, tables: Tables, table: str, rows: Sequence[Row], into: str = "") -> None:
    if rows:
        columns = tables.columns[table]
        names = ", ".join(columns)
        cursor.copy_expert(f"COPY {into or table} ({names}) FROM STDIN", copy_text(rows, columns))


# --- one batch ------------------------------------------------------------------------------


def _load(cursor: Cursor, keys: set[Key]) -> dict[Key, list[Mail]]:
    """The stored mails that the keys may mean, by key, oldest first."""
    rows = [{"mta": mta, "queue_id": queue_id} for mta, queue_id in sorted(keys)]
    if not rows:
        return {}
    cursor.copy_expert("COPY batch_key FROM STDIN", copy_text(rows, ("mta", "queue_id")))
    cursor.execute("EXECUTE load_from")
    found: dict[Key, list[Mail]] = {}
    by_id: dict[int, Mail] = {}
    for row in dicts(cursor):
        mail = stored_mail({k: v for k, v in row.items() if v is not None})
        found.setdefault((row["mta"], row["queue_id"]), []).append(mail)
        by_id[row["id"]] = mail
    if by_id:
        cursor.execute("EXECUTE load_to")
        for row in dicts(cursor):
            by_id[row["from_id"]].tos[row["recipient"], row["orig_to"]] = row
    return found


def stored_mail(row: Row) -> Mail:
    """A mail from its stored row (None values left out), ready to be merged into."""
    mail = Mail(row, row.pop("born", RECEIVED), new=False)
    if row.get("queued_at"):
        mail.instance_rank = 3
    elif row.get("message_id"):
        mail.instance_rank = 2
    elif row.get("syslog_name"):
        mail.instance_rank = 1
        if row.get("client_name"):
            mail.receiver = "/".join(filter(None, (row["syslog_name"], row.get("service"))))
    return mail


def _number(cursor: Cursor, merged: Merged) -> None:
    """Give every new row its id, and the rows of a mail its day."""
    mails = [mail for mail in merged.mails if mail.new]
    for mail in mails:
        mail.row["day"] = mail.row["t_i"].date()
    tos = [(mail, row) for mail, row in rows_of(merged) if row.get("new")]
    cursor.execute(
        SQL["statements/new_ids"], {"count": len(mails) + len(tos) + len(merged.noqueue)}
    )
    ids = (number for (number,) in cursor.fetchall())
    for mail in mails:
        mail.row["id"] = next(ids)
    for mail in merged.mails:
        if mail.about is not None:
            mail.row["notification_for_id"] = mail.about.row.get("id")
    for mail, row in tos:
        one = mail.row
        row["id"] = next(ids)
        row |= {"day": one["day"], "from_id": one["id"]}
        row |= {"mta": one["mta"], "queue_id": one["queue_id"]}
    for row in merged.noqueue:
        found: Mail | None = row.pop("mail")
        row["id"] = next(ids)
        row["day"] = row["t"].date() if found is None else found.row["day"]
        if found is not None:
            row["from_id"] = found.row["id"]


def _without_old(merged: Merged, horizon: Horizon) -> tuple[Merged, int]:
    """Leave out new rows that retention would delete at once; also says how many."""
    kept = merged
    if horizon.delivery is not None:
        first = horizon.delivery
        kept = Merged(
            [m for m in kept.mails if not m.new or m.row["t_i"].date() >= first], kept.noqueue
        )
    if horizon.noqueue is not None:
        day = horizon.noqueue
        kept = Merged(kept.mails, [row for row in kept.noqueue if row["t"].date() >= day])
    old = len(merged.mails) + len(merged.noqueue) - len(kept.mails) - len(kept.noqueue)
    return kept, old


def _open_rows(merged: Merged, source_id: int) -> list[Row]:
    return [
        {
            **{name: mail.row[name] for name in ("mta", "queue_id", "day", "id", "t_f")},
            "source_id": source_id,
            "born": mail.born,
            "ended_at": mail.row.get("removed_at"),
        }
        for mail in merged.mails
    ]


def _valid_inet(table: str, rows: Sequence[Row]) -> Sequence[Row]:
    column = _INET[table]
    for row in rows:
        address = row.get(column)
        if address is not None:
            row[column] = inet(address)
    return rows


def _update(cursor: Cursor, tables: Tables, table: str, rows: Sequence[Row]) -> None:
    if rows:
        short = table.removeprefix("delivery_")
        _copy(cursor, tables, table, _valid_inet(table, rows), f"batch_{short}")
        days, ids = sorted({row["day"] for row in rows}), [row["id"] for row in rows]
        cursor.execute(f"EXECUTE update_{short} (%s::date[], %s::bigint[])", (days, ids))


def write_rows(cursor: Cursor, tables: Tables, merged: Merged, source_id: int) -> None:
    """Write merged and numbered rows: new ones by COPY, changed ones by a joined UPDATE."""
    mails = [mail.row for mail in merged.mails if mail.new]
    changed = [mail.row for mail in merged.mails if not mail.new]
    tos = [row for _, row in rows_of(merged)]
    new_tos = [row for row in tos if row.get("new")]
    old_tos = [row for row in tos if not row.get("new")]
    attempts = [
        {"day": to["day"], "to_id": to["id"], **record}
        for mail in merged.mails
        for to, record in mail.attempts
    ]
    _copy(cursor, tables, "delivery_from", _valid_inet("delivery_from", mails))
    _copy(cursor, tables, "delivery_to", _valid_inet("delivery_to", new_tos))
    _copy(cursor, tables, "delivery_attempt", attempts)
    _copy(cursor, tables, "noqueue", _valid_inet("noqueue", merged.noqueue))
    _update(cursor, tables, "delivery_from", changed)
    _update(cursor, tables, "delivery_to", old_tos)
    _copy(cursor, tables, "open_mail", _open_rows(merged, source_id), "batch_open")
    cursor.execute("EXECUTE merge_open")
    cursor.execute("TRUNCATE batch_key, batch_from, batch_to, batch_open")


def store_deliveries(
    cursor: Cursor,
    items: Sequence[Item],
    tables: Tables,
    source_id: int,
    options: StoreOptions,
    horizon: Horizon,
) -> int:
    """Merge the items with what is stored and write them, in the cursor's transaction.

    Gives the number of rows that were left out because retention would delete them at once.
    Raises the driver's error; the caller owns the transaction.
    """
    merged = merge_batch(items, _load(cursor, keys_of(items)), options.rules)
    merged, old = _without_old(merged, horizon)
    _number(cursor, merged)
    days: dict[str, set[date]] = {
        "delivery": {mail.row["day"] for mail in merged.mails if mail.new},
        "noqueue": {row["day"] for row in merged.noqueue},
    }
    partitions.ensure(cursor, tables.days, days, options.partition_days)
    write_rows(cursor, tables, merged, source_id)
    return old


# --- the writer -----------------------------------------------------------------------------


class Writer:
    """One writing session: the connection, its sources, and `store` for batch after batch."""

    def __init__(self, dsn: str, options: StoreOptions | None = None) -> None:
        self.dsn = dsn
        self.options = options or StoreOptions()
        self.sources: dict[tuple[str, str], Source] = {}
        self._held: list[tuple[str, str]] = []
        self.connection: Connection | None = None

    def session(self) -> tuple[Connection, Tables]:
        """The open connection; connects, and takes the sources' locks again, where needed."""
        if self.connection is None or self.connection.closed:
            connection = connect(self.dsn, WRITER_SETTINGS)
            self.tables = open_session(connection)
            self.connection = connection
            for kind, identity in self._held:
                self._lock(connection, kind, identity)
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
            cursor.execute(SQL["statements/lock_source"], which)
            if cursor.fetchone() == (True,):
                connection.commit()
                return
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
            tables.days.clear()
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
            stored.append(row == new and new != old)
        return bool(stored) and all(stored)

    def _store(
        self,
        cursor: Cursor,
        tables: Tables,
        batch: Batch,
        marks: Sequence[Mark],
        horizon: Horizon,
    ) -> None:
        for mta in sorted({item.mta for item in batch.items}):
            cursor.execute(SQL["statements/lock_mta"], {"mta": mta})
        source_id = marks[0].source.id if marks else 0
        refused: list[Row] = []
        batch.too_old = self._store_or_halve(
            cursor, tables, batch.items, source_id, horizon, refused
        )
        rows = refused + _unrecognised(batch)
        if rows:
            _copy(cursor, tables, "unrecognised", rows, "batch_unrecognised")
            cursor.execute("EXECUTE merge_unrecognised")
        for number, mark in enumerate(marks):
            _save_position(cursor, mark, batch if number == 0 else Batch())
        for gap in batch.gaps:
            cursor.execute(SQL["statements/new_gap"], {**gap, "source_id": source_id})
        if batch.t_last is not None and not self.options.finite:
            before = batch.t_last - ENDED_KEPT
            cursor.execute(SQL["statements/purge_open"], {"source_id": source_id, "before": before})

    def _store_or_halve(
        self,
        cursor: Cursor,
        tables: Tables,
        items: Sequence[Item],
        source_id: int,
        horizon: Horizon,
        refused: list[Row],
    ) -> int:
        if not items:
            return 0
        cursor.execute("SAVEPOINT half")
        try:
            old = store_deliveries(cursor, items, tables, source_id, self.options, horizon)
        except Error as error:
            if not is_guilty_data(error):
                raise
            cursor.execute("ROLLBACK TO SAVEPOINT half")
            tables.days.clear()
            if len(items) == 1:
                refused.append(_refused(items[0], error))
                return 0
            middle = len(items) // 2
            return sum(
                self._store_or_halve(cursor, tables, half, source_id, horizon, refused)
                for half in (items[:middle], items[middle:])
            )
        cursor.execute("RELEASE SAVEPOINT half")
        return old


def _unrecognised(batch: Batch) -> list[Row]:
    return [
        {
            **{"daemon": daemon, "shape": shape, "sqlstate": "", "example": example},
            **{"count": count, "t_first": first, "t_last": last},
        }
        for (daemon, shape), (count, example, first, last) in batch.unrecognised.items()
    ]


def _refused(item: Item, error: Error) -> Row:
    """The record of a line whose row the database refuses, without its content."""
    text = f"row refused: {item.action}"
    return {
        **{"daemon": item.daemon, "shape": text, "sqlstate": error.pgcode, "example": text},
        **{"count": 1, "t_first": item.t, "t_last": item.t},
    }


def _give_up(connection: Connection) -> None:
    try:
        connection.rollback()
    except Error:
        connection.close()


def _moved(mark: Mark) -> Source:
    new = mark.position
    return mark.source._replace(position=new.position, digest=new.digest, name=new.name, t=new.t)


def _save_position(cursor: Cursor, mark: Mark, batch: Batch) -> None:
    new = mark.position
    values = {
        "id": mark.source.id,
        "name": new.name,
        "position": new.position,
        "digest": new.digest,
        "t": new.t or batch.t_last,
        "mta": batch.mta,
        "t_first": batch.t_first,
        "state": json.dumps({}),
        "lines": batch.lines,
        "unrecognised": batch.unknown,
        "forged": batch.forged,
        "too_old": batch.too_old,
    }
    cursor.execute(SQL["statements/save_position"], values)
