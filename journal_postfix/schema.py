"""The schema in the database: its version, creating it, bringing an older one here.

`sql/schema.sql` is the whole schema; `sql/migrations/NNNN_name.sql` brings version NNNN-1 to
NNNN. Both run in the connection's current schema, in one transaction, under an advisory lock.
"""

from __future__ import annotations

import re

from journal_postfix.database import SQL, Connection, Cursor, Error
from journal_postfix.messages import InputError

_VERSION = re.compile(r"migrations/(\d+)_")
MIGRATIONS = {
    int(match[1]): name for name in sorted(SQL) if (match := _VERSION.match(name)) is not None
}
VERSION = max(MIGRATIONS, default=1)

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('journal-postfix setup'))"
_PRIVILEGE = "42501"
_NO_SCHEMA = "3F000"


def version(cursor: Cursor) -> int | None:
    """The version of the schema in this database; None where there is none."""
    cursor.execute("SELECT to_regclass('schema_version')")
    if cursor.fetchone() == (None,):
        return None
    cursor.execute("SELECT max(version) FROM schema_version")
    row = cursor.fetchone()
    return None if row is None else row[0]


def _refuse_newer(found: int) -> None:
    if found > VERSION:
        raise InputError(
            f"the database has schema {found}, this program knows {VERSION}: "
            "install the newer journal-postfix"
        )


def setup(connection: Connection) -> str:
    """Create the schema, or upgrade an older one; says in one sentence what was done."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_LOCK)
            done = _setup(cursor)
        connection.commit()
    except Error as error:
        connection.rollback()
        if error.pgcode in (_PRIVILEGE, _NO_SCHEMA):
            what = " ".join(str(error).split())
            raise InputError(f"no right to create tables in this database: {what}") from None
        raise
    return done


def _setup(cursor: Cursor) -> str:
    found = version(cursor)
    if found is None:
        cursor.execute(SQL["schema"])
        return f"schema {VERSION} created"
    _refuse_newer(found)
    if found == VERSION:
        return f"schema {VERSION} is in place"
    for number in range(found + 1, VERSION + 1):
        cursor.execute(SQL[MIGRATIONS[number]])
        cursor.execute("INSERT INTO schema_version (version) VALUES (%s)", (number,))
    return f"schema upgraded from {found} to {VERSION}"


def check(connection: Connection, *, migrate: bool) -> None:
    """Make sure that the schema is this program's; `migrate`: create or upgrade it if need be.

    Raises InputError where there is none, where it is older, and where it is newer.
    """
    with connection.cursor() as cursor:
        found = version(cursor)
    connection.rollback()
    if found is not None:
        _refuse_newer(found)
    if found == VERSION:
        return
    if migrate:
        setup(connection)
    elif found is None:
        raise InputError("the database has no tables of journal-postfix: run journal-postfix setup")
    else:
        raise InputError(f"the database has schema {found}: run journal-postfix setup")
