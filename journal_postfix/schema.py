"""The schema in the database: its version, creating it, bringing an older one here.

`sql/schema.sql` is the whole schema; `sql/migrations/NNNN_name.sql` brings version NNNN-1 to
NNNN, and says so in `schema_version`. Both run in the connection's current schema, in one
transaction, under an advisory lock. `works_with` is the oldest version a program may know that
goes on with this schema: of many hosts that write into one database, each is upgraded when its
turn comes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from journal_postfix.database import SQL, Connection, Cursor, Error
from journal_postfix.messages import InputError

_VERSION = re.compile(r"migrations/(\d+)_")
MIGRATIONS = {
    int(match[1]): name for name in sorted(SQL) if (match := _VERSION.match(name)) is not None
}
VERSION = max(MIGRATIONS, default=1)

LOCK_TIMEOUT = "10s"  # who waits for a table makes all wait that come after
_LOCKED = "55P03"
_PRIVILEGE = "42501"
_NO_SCHEMA = "3F000"


class Found(NamedTuple):
    """The schema in a database: its version, and for which one a program may be made to use it."""

    version: int
    works_with: int


def found_in(cursor: Cursor) -> Found | None:
    """The schema in this database; None where there is none."""
    cursor.execute("SELECT to_regclass('schema_version')")
    if cursor.fetchone() == (None,):
        return None
    cursor.execute(SQL["queries/schema_version"])
    row = cursor.fetchone()
    return None if row is None else Found(*row)


def _refuse_newer(found: Found, *, exact: bool) -> None:
    """Migrations only add, so an older program goes on until a schema says otherwise."""
    if found.version > VERSION and (exact or found.works_with > VERSION):
        raise InputError(
            f"the database has schema {found.version}, this program knows {VERSION}: "
            "install the newer journal-postfix"
        )


def is_behind(connection: Connection) -> bool:
    """Whether there is a schema, and it is older than this program's."""
    with connection.cursor() as cursor:
        found = found_in(cursor)
    connection.rollback()
    return found is not None and found.version < VERSION


def setup(connection: Connection) -> str:
    """Create the schema, or upgrade an older one; says in one sentence what was done.

    Raises InputError where the user of the connection may not, where tables are in use for
    longer than `LOCK_TIMEOUT`, and where the schema is too new for this program.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(SQL["statements/lock_setup"], {"timeout": LOCK_TIMEOUT})
            done = _setup(cursor)
        connection.commit()
    except Error as error:
        connection.rollback()
        what = " ".join(str(error).split())
        if error.pgcode in (_PRIVILEGE, _NO_SCHEMA):
            raise InputError(f"no right to create tables in this database: {what}") from None
        if error.pgcode == _LOCKED:
            raise InputError(
                f"tables are in use ({what}): run setup again, nothing was done"
            ) from None
        raise
    return done


def _refuse_encoding(cursor: Cursor) -> None:
    cursor.execute("SHOW server_encoding")
    (encoding,) = cursor.fetchone() or ("",)
    if encoding != "UTF8":
        raise InputError(
            f"the database's encoding is {encoding}, and addresses are UTF-8: make it with"
            " createdb --encoding UTF8 --template template0"
        )


def _setup(cursor: Cursor) -> str:
    found = found_in(cursor)
    if found is None:
        _refuse_encoding(cursor)
        cursor.execute(SQL["schema"])
        return f"schema {VERSION} created"
    _refuse_newer(found, exact=False)
    if found.version > VERSION:
        return f"schema {found.version} is in place, newer than {VERSION} and good for this program"
    if found.version == VERSION:
        return f"schema {VERSION} is in place"
    for number in range(found.version + 1, VERSION + 1):
        cursor.execute(SQL[MIGRATIONS[number]])
    return f"schema upgraded from {found.version} to {VERSION}"


def check(connection: Connection, *, migrate: bool, exact: bool = False) -> None:
    """Make sure that this program can use the schema; `migrate`: create or upgrade it if need be.

    Raises InputError where there is none, where it is older, and where it is too new for this
    program: `exact`, newer at all.
    """
    with connection.cursor() as cursor:
        found = found_in(cursor)
    connection.rollback()
    if found is not None:
        _refuse_newer(found, exact=exact)
    if found is not None and found.version >= VERSION:
        return
    if migrate:
        setup(connection)
    elif found is None:
        raise InputError("the database has no tables of journal-postfix: run journal-postfix setup")
    else:
        raise InputError(f"the database has schema {found.version}: run journal-postfix setup")
