"""A batch into the tables: merged with what is stored, numbered, written with few statements.

New rows go in by COPY, rows of earlier batches through a temporary table and one UPDATE. It
works in the caller's transaction and knows no log syntax.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

from journal_postfix import partitions
from journal_postfix.batch import Item, Key, MailRules, Merged, keys_of, merge_batch, rows_of
from journal_postfix.copytext import copy_text, inet
from journal_postfix.database import (
    SQL,
    Connection,
    Cursor,
    dicts,
)
from journal_postfix.merge import RECEIVED, Mail, Row
from journal_postfix.queue_events import runs_of, store_runs

_PREPARED = ("load_from", "load_to", "update_from", "update_to", "merge_open", "merge_unrecognised")
_INET = {
    "delivery_from": "client_address",
    "delivery_to": "relay_address",
    "noqueue": "client_address",
}
_ELSEWHERE = "elsewhere"  # no machine's identity
_TABLES = ("delivery_from", "delivery_to", "delivery_attempt", "noqueue", "open_mail")


class Horizon(NamedTuple):
    """First days that retention keeps, at this moment; None: everything is kept."""

    delivery: date | None = None
    noqueue: date | None = None


class StoreOptions(NamedTuple):
    """What the configuration says about storing."""

    rules: MailRules = MailRules()
    partition_days: Mapping[str, int] = MappingProxyType({})
    finite: bool = False  # the source ends: halves of mails stay open for `join`
    overlap_ok: bool = True  # lines shared with another file are passed over, not an error


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


def copy_rows(
    cursor: Cursor, tables: Tables, table: str, rows: Sequence[Row], into: str = ""
) -> None:
    """COPY rows (dicts) into a table, or into a temporary one of its shape."""
    if rows:
        columns = tables.columns[table]
        names = ", ".join(columns)
        cursor.copy_expert(f"COPY {into or table} ({names}) FROM STDIN", copy_text(rows, columns))


# --- one batch ------------------------------------------------------------------------------


def _load(cursor: Cursor, keys: set[Key], machines: Mapping[int, str]) -> dict[Key, list[Mail]]:
    """The stored mails that the keys may mean, by key, as they were stored.

    `machines` are those of the sources at hand; what another source spoke of last has none.
    """
    rows = [{"mta": mta, "queue_id": queue_id} for mta, queue_id in sorted(keys)]
    if not rows:
        return {}
    cursor.copy_expert("COPY batch_key FROM STDIN", copy_text(rows, ("mta", "queue_id")))
    cursor.execute("EXECUTE load_from")
    found: dict[Key, list[Mail]] = {}
    by_id: dict[int, Mail] = {}
    for row in dicts(cursor):
        machine, latest = machines.get(row.pop("source_id"), _ELSEWHERE), row.pop("latest")
        mail = stored_mail({k: v for k, v in row.items() if v is not None})
        mail.machine, mail.latest = machine, latest
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
    mail.superseded_at = row.pop("ended_at", None)
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
        if found is not None and "id" not in found.row:  # retention keeps verdicts for longer
            found = None
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


def _open_rows(merged: Merged, source_ids: Mapping[str, int]) -> list[Row]:
    return [
        {
            **{name: mail.row[name] for name in ("mta", "queue_id", "day", "id")},
            "t_f": mail.latest or mail.row["t_f"],
            "source_id": source_ids.get(mail.machine, source_ids[""]),
            "born": mail.born,
            "ended_at": mail.ended_at(),
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
        copy_rows(cursor, tables, table, _valid_inet(table, rows), f"batch_{short}")
        days, ids = sorted({row["day"] for row in rows}), [row["id"] for row in rows]
        cursor.execute(f"EXECUTE update_{short} (%s::date[], %s::bigint[])", (days, ids))


def write_rows(
    cursor: Cursor, tables: Tables, merged: Merged, source_ids: Mapping[str, int]
) -> None:
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
    copy_rows(cursor, tables, "delivery_from", _valid_inet("delivery_from", mails))
    copy_rows(cursor, tables, "delivery_to", _valid_inet("delivery_to", new_tos))
    copy_rows(cursor, tables, "delivery_attempt", attempts)
    copy_rows(cursor, tables, "noqueue", _valid_inet("noqueue", merged.noqueue))
    _update(cursor, tables, "delivery_from", changed)
    _update(cursor, tables, "delivery_to", old_tos)
    copy_rows(cursor, tables, "open_mail", _open_rows(merged, source_ids), "batch_open")
    cursor.execute("EXECUTE merge_open")
    cursor.execute("TRUNCATE batch_key, batch_from, batch_to, batch_open")


def store_deliveries(
    cursor: Cursor,
    items: Sequence[Item],
    tables: Tables,
    source_ids: Mapping[str, int],
    options: StoreOptions,
    horizon: Horizon,
) -> int:
    """Merge the items with what is stored and write them, in the cursor's transaction.

    `source_ids` gives the source of each machine ('' where there is but one source). Gives the
    number of rows that were left out because retention would delete them at once. Raises the driver's error; the caller owns the transaction.
    """
    machines = {source_ids[name]: name for name in {item.machine for item in items}}
    merged = merge_batch(items, _load(cursor, keys_of(items), machines), options.rules)
    merged, old = _without_old(merged, horizon)
    _number(cursor, merged)
    days: dict[str, set[date]] = {
        "delivery": {mail.row["day"] for mail in merged.mails if mail.new},
        "noqueue": {row["day"] for row in merged.noqueue},
    }
    partitions.ensure(cursor, tables.days, days, options.partition_days)
    write_rows(cursor, tables, merged, source_ids)
    store_runs(cursor, runs_of(items), horizon.delivery)
    return old
