"""A batch into the tables: merged with what is stored, numbered, written with few statements.

New rows go in by COPY, rows of earlier batches through a temporary table and one UPDATE. It
works in the caller's transaction and knows no log syntax.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

from journal_postfix import partitions
from journal_postfix.batch import Key, MailRules, Merged, keys_of, merge_batch
from journal_postfix.copytext import copy_into, inet
from journal_postfix.database import SQL, Behind, Connection, Cursor, dicts
from journal_postfix.kept import KeptMails
from journal_postfix.login_names import Accounts
from journal_postfix.login_sums import store_sums, sums_of
from journal_postfix.mail import LATE, RECEIVED, SHUFFLE, Fact, Mail, Row
from journal_postfix.queue_events import runs_of, store_runs

_PREPARED = (
    "find_open", "load_from", "load_to", "update_from", "update_to", "merge_open",
    "merge_unrecognised", "merge_logins",
)  # fmt: skip
_INET = {
    "delivery_from": "client_address",
    "delivery_to": "relay_address",
    "noqueue": "client_address",
}
_ELSEWHERE = "elsewhere"  # no machine's identity
_TABLES = ("delivery_from", "delivery_to", "delivery_attempt", "noqueue", "open_mail")
ENDED_KEPT = timedelta(hours=1)  # mails stay in open_mail for so long after their end
TOO_OLD = "too_old"  # no table's name
_BLOCK = 1000  # row numbers that come with one value of the sequence


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
    """What a session knows of the database: columns of the tables, days with partitions, mails."""

    columns: dict[str, list[str]]
    days: partitions.Known
    kept: KeptMails
    accounts: Accounts

    def forget(self) -> None:
        """Forget what may not be true: a transaction was rolled back."""
        self.days.clear()
        self.kept.clear()
        self.accounts.forget()


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
    return Tables(columns, known, KeptMails(), Accounts())


def _columns(cursor: Cursor, table: str) -> list[str]:
    cursor.execute(f"SELECT * FROM {table} LIMIT 0")
    names = [column.name for column in cursor.description or ()]
    return [name for name in names if name not in ("refused", "temporary")]


def lock_hosts(cursor: Cursor, tables: Tables, hosts: Iterable[str]) -> None:
    """Make sure that nobody else merges mails of these hosts until the end of the transaction."""
    for mta in sorted(hosts):
        which = {"mta": mta, "writer": tables.kept.writer}
        cursor.execute(SQL["statements/lock_host"], which)
        if (row := cursor.fetchone()) is None:
            cursor.execute(SQL["statements/new_host"], which)
            cursor.execute(SQL["statements/lock_host"], which)
            row = cursor.fetchone()
        if row != (tables.kept.writer,):
            tables.kept.clear()
            cursor.execute(SQL["statements/take_host"], which)


def copy_rows(
    cursor: Cursor | Behind, tables: Tables, table: str, rows: Sequence[Row], into: str = ""
) -> None:
    """COPY rows (dicts) into a table, or into a temporary one of its shape."""
    if rows:
        copy_into(cursor, into or table, tables.columns[table], rows)


# --- one batch ------------------------------------------------------------------------------


def _load(
    cursor: Cursor, keys: set[Key], kept: KeptMails, machines: Mapping[int, str]
) -> dict[Key, list[Mail]]:
    """The stored mails that the keys may mean, by key, as they were stored.

    `machines` are those of the sources at hand; what another source spoke of last has none.
    """
    found = kept.take(keys)
    asked: dict[str, list[str]] = {}
    for mta, queue_id in sorted(keys - found.keys()):
        asked.setdefault(mta, []).append(queue_id)
    opened: dict[int, Row] = {}
    for mta, queue_ids in asked.items():
        cursor.execute("EXECUTE find_open (%s, %s)", (mta, " ".join(queue_ids)))
        opened |= {row["id"]: {**row, "mta": mta} for row in dicts(cursor)}
    if opened:
        mails = _load_mails(cursor, opened)
        for number, row in opened.items():
            if (mail := mails.get(number)) is not None:
                mail.born, mail.superseded_at = row["born"], row["ended_at"]
                mail.machine = machines.get(row["source_id"], _ELSEWHERE)
                mail.latest = row["latest"]
                found.setdefault((row["mta"], row["queue_id"]), []).append(mail)
    return found


def _load_mails(cursor: Cursor, opened: Mapping[int, Row]) -> dict[int, Mail]:
    """The mails of these rows of open_mail, by id, with their recipients."""
    which = (sorted({row["day"] for row in opened.values()}), list(opened))
    cursor.execute("EXECUTE load_from (%s::date[], %s::bigint[])", which)
    rows = dicts(cursor)
    mails = {row["id"]: stored_mail(_known(row)) for row in rows}
    cursor.execute("EXECUTE load_to (%s::date[], %s::bigint[])", which)
    for row in dicts(cursor):
        tos = mails[row["from_id"]].tos
        tos[row["recipient"], row["orig_to"]] = _known(row)
    return mails


def _known(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


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


def _numbers(cursor: Cursor, kept: KeptMails, count: int) -> Iterator[int]:
    """So many new row numbers."""
    missing = count - len(kept.numbers)
    if missing > 0:
        cursor.execute(SQL["statements/new_ids"], {"count": -(-missing // _BLOCK)})
        for (first,) in cursor.fetchall():
            kept.numbers.extend(range(first, first + _BLOCK))
    numbers = list(islice(kept.numbers, count))
    del kept.numbers[:count]
    return iter(numbers)


def _number(cursor: Cursor, kept: KeptMails, merged: Merged) -> None:
    """Give every new row its id, and the rows of a mail its day."""
    mails = [mail for mail in merged.mails if mail.new]
    ids = _numbers(cursor, kept, len(mails) + len(merged.new_tos) + len(merged.noqueue))
    for mail in mails:
        mail.row["day"], mail.row["id"] = mail.row["t_i"].date(), next(ids)
    for mail in merged.mails:
        if mail.about is not None:
            mail.row["notification_for_id"] = mail.about.row.get("id")
    for mail, row in merged.new_tos:
        one = mail.row
        row["id"], row["from_id"], row["day"] = next(ids), one["id"], one["day"]
        row["mta"], row["queue_id"] = one["mta"], one["queue_id"]
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


def _open_row(mail: Mail, source_ids: Mapping[str, int]) -> Row:
    row, ended_at = mail.row, mail.ended_at()
    opened: Row = {
        "mta": row["mta"],
        "queue_id": row["queue_id"],
        "day": row["day"],
        "id": row["id"],
        "t_f": mail.latest or row["t_f"],
        "source_id": source_ids.get(mail.machine, source_ids[""]),
        "born": mail.born,
    }
    if ended_at is not None:
        opened["ended_at"] = ended_at
    return opened


def _valid_inet(table: str, rows: Sequence[Row]) -> Sequence[Row]:
    column = _INET[table]
    for row in rows:
        address = row.get(column)
        if address is not None:
            valid = inet(address)
            if valid is None:
                del row[column]
            else:
                row[column] = valid
    return rows


def _update(cursor: Behind, tables: Tables, table: str, rows: Sequence[Row]) -> None:
    if rows:
        short = table.removeprefix("delivery_")
        copy_rows(cursor, tables, table, _valid_inet(table, rows), f"batch_{short}")
        days, ids = sorted({row["day"] for row in rows}), [row["id"] for row in rows]
        cursor.execute(f"EXECUTE update_{short} (%s::date[], %s::bigint[])", (days, ids))
        cursor.execute(f"TRUNCATE batch_{short}")


def write_rows(
    cursor: Cursor,
    tables: Tables,
    merged: Merged,
    source_ids: Mapping[str, int],
    settled: Mapping[str, datetime] = MappingProxyType({}),
) -> Counter[str]:
    """Write merged and numbered rows: new ones by COPY, changed ones by a joined UPDATE.

    Of mails that were whole before their host's moment in `settled` no more lines are expected.
    Gives the number of new rows by table.
    """
    new = [mail for mail in merged.mails if mail.new]
    old = [mail for mail in merged.mails if not mail.new]
    new_tos = [row for _, row in merged.new_tos]
    attempts = [
        {"day": to["day"], "to_id": to["id"], **record}
        for mail in merged.mails
        for to, record in mail.attempts
    ]
    waiting = [mail for mail in new if not mail.is_settled(settled.get(mail.row["mta"]))]
    mails = [mail.row for mail in new]
    with Behind(cursor) as sent:
        copy_rows(sent, tables, "delivery_from", _valid_inet("delivery_from", mails))
        copy_rows(sent, tables, "delivery_to", _valid_inet("delivery_to", new_tos))
        copy_rows(sent, tables, "delivery_attempt", attempts)
        copy_rows(sent, tables, "noqueue", _valid_inet("noqueue", merged.noqueue))
        _update(sent, tables, "delivery_from", [mail.row for mail in old])
        _update(sent, tables, "delivery_to", merged.old_tos)
        copy_rows(sent, tables, "open_mail", [_open_row(mail, source_ids) for mail in waiting])
        if old:
            rows = [_open_row(mail, source_ids) for mail in old]
            copy_rows(sent, tables, "open_mail", rows, "batch_open")
            sent.execute("EXECUTE merge_open")
            sent.execute("TRUNCATE batch_open")
    return Counter(
        delivery_from=len(new),
        delivery_to=len(new_tos),
        delivery_attempt=len(attempts),
        noqueue=len(merged.noqueue),
    )


def _settled(facts: Sequence[Fact], *, finite: bool) -> dict[str, datetime]:
    """For each host the moment before which the facts' source has told everything.

    Where sources are followed, another one may be behind. A file's lines are joined afterwards.
    """
    latest: dict[str, datetime] = {}
    for fact in facts:
        if fact.mta not in latest or fact.t > latest[fact.mta]:
            latest[fact.mta] = fact.t
    kept = LATE + SHUFFLE if finite else ENDED_KEPT
    return {mta: t - kept for mta, t in latest.items()}


def store_deliveries(
    cursor: Cursor,
    facts: Sequence[Fact],
    tables: Tables,
    source_ids: Mapping[str, int],
    options: StoreOptions,
    horizon: Horizon,
) -> Counter[str]:
    """Merge the facts with what is stored and write them, in the cursor's transaction.

    `source_ids` gives the source of each machine ('' where there is but one source). Gives the
    number of new rows by table, and as TOO_OLD of those that were left out because retention would
    delete them at once. Raises the driver's error; the caller owns the transaction, and makes the
    tables forget where it ends otherwise than by a commit.
    """
    machines = {source_ids[name]: name for name in {fact.machine for fact in facts}}
    stored = _load(cursor, keys_of(facts), tables.kept, machines)
    merged = merge_batch(facts, stored, options.rules)
    merged, old = _without_old(merged, horizon)
    _number(cursor, tables.kept, merged.sorted_out())
    days: dict[str, set[date]] = {
        "delivery": {mail.row["day"] for mail in merged.mails if mail.new},
        "noqueue": {row["day"] for row in merged.noqueue},
    }
    partitions.ensure(cursor, tables.days, days, options.partition_days)
    settled = _settled(facts, finite=options.finite)
    rows = write_rows(cursor, tables, merged, source_ids, settled)
    store_runs(cursor, runs_of(facts), horizon.delivery)
    firsts = (horizon.noqueue, horizon.delivery)
    store_sums(cursor, sums_of(facts), *firsts, tables.accounts)
    tables.kept.keep(stored, settled)
    rows[TOO_OLD] = old
    return rows
