"""Checks of `doctor` on the database: server, settings, schema, rights, room, what is stored.

The check of rights makes a partition for a day far away, and takes it back: nothing stays.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from journal_postfix import schema
from journal_postfix.database import Connection, Error
from journal_postfix.disk import folders, least_room
from journal_postfix.findings import Examined, Findings, note, ok, problem, warning
from journal_postfix.messages import InputError
from journal_postfix.queries import ask, status
from journal_postfix.wording import age, counted, number_of, size

Row = dict[str, Any]

OLDEST, NEWEST = 14, 18  # major versions that are tested
LAG = timedelta(minutes=15)
GB = 10**9
LARGE = 2 * GB  # a database for which the default of shared_buffers is small
SMALL_BUFFERS = 128 * 1024 * 1024  # that default
FREE_CONNECTIONS = 5
LOCKS = 64
SWITCHES = {
    "fsync": "a crash of the machine may destroy the database",
    "full_page_writes": "a crash of the machine may destroy the database",
    "autovacuum": "tables grow without end, and plans go wrong",
}
WRITER = "name a login in dsn that owns the tables, or is of the writer's role (setup --roles)"
ALTER = 'psql -c "ALTER SYSTEM SET {name} = {value}" (as superuser), then restart PostgreSQL'


def check_connection(it: Examined) -> Findings:
    """Whether the database answers."""
    if it.connection is None:
        yield problem(f"the database was not checked: {it.refused}", _way_in(it))
    else:
        yield ok("the database answers")


def _way_in(it: Examined) -> str:
    if it.config.dsn is None:
        return "journal-postfix backfill FILE, or journal-postfix run, makes a private one"
    return "psql with the same DSN says more; journal-postfix --dsn DSN doctor tries another"


def _connection(it: Examined) -> Connection:
    assert it.connection is not None
    return it.connection


def check_server(it: Examined) -> Findings:
    """Version and settings of the server."""
    (row,) = ask(_connection(it), "doctor_server")
    yield from _version(row)
    if row["is_superuser"] and it.config.dsn is not None:
        yield note(
            f"role {row['role']} is a superuser: the service needs far less",
            "journal-postfix setup --roles, and a user of the writer's role in dsn",
        )
    if row["is_standby"]:
        yield problem("this server is a standby: nothing can be written", "name the primary in dsn")
    if row["server_encoding"] != "UTF8":
        yield problem(
            f"the database's encoding is {row['server_encoding']}: addresses beyond ASCII are not stored as they are",
            "createdb --encoding UTF8 --template template0 journal_postfix",
        )
    for name, what in SWITCHES.items():
        if row[name] == "off":
            yield problem(f"{name} is off: {what}", ALTER.format(name=name, value="on"))
    if row["synchronous_commit"] == "off":
        yield note("synchronous_commit is off for others; our writing sessions switch it on")
    yield from _sizes(row)


def _version(row: Row) -> Findings:
    major = row["version_num"] // 10000
    if major < OLDEST:
        yield problem(f"PostgreSQL {row['version']} is too old", f"install {OLDEST} or later")
    elif major > NEWEST:
        yield note(f"PostgreSQL {row['version']} is newer than {NEWEST}, the newest that was tried")
    else:
        yield ok(f"PostgreSQL {row['version']}, as role {row['role']}")


def _sizes(row: Row) -> Findings:
    if row["max_connections"] - row["connections"] < FREE_CONNECTIONS:
        yield warning(
            f"{row['connections']} of max_connections {row['max_connections']} are taken",
            ALTER.format(name="max_connections", value=row["max_connections"] * 2),
        )
    if row["max_locks_per_transaction"] < LOCKS:
        yield warning(
            f"max_locks_per_transaction is {row['max_locks_per_transaction']}: a query over all"
            " partitions may run out of shared memory",
            ALTER.format(name="max_locks_per_transaction", value=LOCKS),
        )
    if row["bytes"] > LARGE and row["shared_buffers"] <= SMALL_BUFFERS:
        yield note(
            f"shared_buffers is {row['shared_buffers_text']}, the database {size(row['bytes'])}",
            ALTER.format(name="shared_buffers", value="'1GB'"),
        )


def check_schema(it: Examined) -> Findings:
    """Whether the tables are this program's."""
    connection = _connection(it)
    try:
        schema.check(connection, migrate=False)
    except InputError as error:
        yield problem(str(error), "journal-postfix setup")
    else:
        yield ok(f"schema {schema.VERSION}")


def _has_schema(connection: Connection) -> bool:
    try:
        schema.check(connection, migrate=False)
    except InputError:
        return False
    return True


def check_rights(it: Examined) -> Findings:
    """Whether this role may do what the service does."""
    connection = _connection(it)
    if not _has_schema(connection):
        return
    (row,) = ask(connection, "doctor_server")
    lacking = [one["table_name"] for one in ask(connection, "doctor_rights")]
    if lacking:
        yield problem(
            f"role {row['role']} may not read and write {', '.join(lacking)}",
            WRITER,
        )
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout TO '1s'")
            cursor.execute("SELECT create_partition('noqueue', '9998-01-01', '9998-01-02')")
    except Error as error:
        what = str(error).partition("\n")[0]
        yield problem(
            f"role {row['role']} could not make a partition: {what}",
            WRITER,
        )
    else:
        yield ok(f"role {row['role']} may write, and make partitions")
    finally:
        connection.rollback()


def check_disk(it: Examined) -> Findings:
    """Whether there is room for what will come."""
    connection = _connection(it)
    places = folders(it.config, connection)
    found = least_room(places)
    if found is None:
        yield note(
            "the server is on another machine: its disk was not checked", "max_size bounds it"
        )
        return
    wanted = it.config.min_free_disk
    if found.free < wanted:
        yield problem(
            f"{size(found.free)} are free on the disk of {found.folder}, min_free_disk is"
            f" {size(wanted)}: nothing is written until there is more",
            "make room, or journal-postfix clean after lowering retention or max_size",
        )
        return
    yield ok(f"{size(found.free)} are free on the disk of {found.folder}")
    if not _has_schema(connection):
        return
    for row in ask(connection, "doctor_growth"):
        if not row["days"] or not row["bytes_per_day"]:
            continue
        more = max(0, (it.config.retention_delivery_delete or 365) - row["days"])
        needed = row["bytes_per_day"] * more
        if needed > found.free - wanted:
            days = (found.free - wanted) // row["bytes_per_day"]
            yield warning(
                f"a day takes {size(row['bytes_per_day'])}: the disk is full in"
                f" {number_of(days, 'day')}, before retention deletes the first day",
                "a larger disk, a shorter retention.delivery.delete, or max_size",
            )


def check_stored(it: Examined) -> Findings:
    """What `status` calls a problem, and how far sources are read."""
    connection = _connection(it)
    if not _has_schema(connection):
        return
    sections = status(connection, it.config, it.now)
    for row in sections["problems"]:
        yield problem(row["problem"], "systemctl status journal-postfix; journal-postfix status")
    if not sections["sources"]:
        yield note("nothing was read yet", "systemctl enable --now journal-postfix")
    for row in sections["sources"]:
        where = f"{row['kind']} {row['mta'] or row['name']}"
        if row["kind"] == "journal" and row["read_to"] is not None:
            lag = it.now - row["read_to"]
            what = f"{where} is read up to {age(lag)} ago"
            yield (warning(what, "systemctl status journal-postfix") if lag > LAG else ok(what))
        if row["forged"]:
            yield warning(
                f"{where}: {counted(row['forged'])} entries call themselves Postfix's and are not"
                " of its user: forged, or Postfix runs under another user",
                "journalctl -t postfix/qmgr -o verbose -n 1; journal.trusted_uids",
            )
    if sections["unrecognised"]:
        lines = sum(row["count"] for row in sections["unrecognised"])
        yield note(f"{number_of(lines, 'line')} not recognised", "journal-postfix status")
    for row in sections["gaps"][:1]:
        yield note(
            f"the log lost lines, last at {row['t_to'] or row['t_from']}: {row['reason']}",
            "journal-postfix status",
        )
