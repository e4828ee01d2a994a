"""The roles of the database: who writes, who asks, who sees who looked, and who sees his own mail only.

Group roles, which an administrator grants to those that log in. What each may is in
sql/queries/role_grants.sql, from which the server makes the statements, so that names are quoted
as it wants them. Whoever runs this keeps what guards the others: `access_log`, keys, functions.
"""

from __future__ import annotations

from collections.abc import Mapping

from journal_postfix.config import Config
from journal_postfix.database import SQL, Connection, Cursor, Error
from journal_postfix.messages import InputError, UsageError
from journal_postfix.schema import LOCK_TIMEOUT

_PRIVILEGE = "42501"
_LOCKED = "55P03"

#: In this order: what one makes the next needs.
_STEPS = ("roles_missing", "role_member", "role_grants")


def names_of(config: Config) -> dict[str, str]:
    """The names of the roles; UsageError where two are the same."""
    names = {
        "writer": config.roles_writer,
        "reader": config.roles_reader,
        "auditor": config.roles_auditor,
        "user": config.roles_user,
    }
    if len(set(names.values())) < len(names):
        raise UsageError("roles.writer, reader, auditor and user must be four different roles")
    return names


def are_made(connection: Connection, names: Mapping[str, str]) -> bool:
    """Whether roles of these names were made for the tables here."""
    with connection.cursor() as cursor:
        cursor.execute(SQL["queries/roles_made"], names)
        found = cursor.fetchone()
    connection.rollback()
    return found == (True,)


def make(connection: Connection, names: Mapping[str, str]) -> str:
    """Make the roles that are missing and give each what it may; says in one sentence what there is.

    All or nothing. Raises InputError where the user of the connection may not.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(SQL["statements/lock_setup"], {"timeout": LOCK_TIMEOUT})
            for step in _STEPS:
                _run(cursor, step, names)
        connection.commit()
    except Error as error:
        connection.rollback()
        raise _explained(error) from None
    return f"roles {', '.join(names.values())} are in place"


def _run(cursor: Cursor, query: str, names: Mapping[str, str]) -> None:
    cursor.execute(SQL[f"queries/{query}"], names)
    for row in cursor.fetchall():
        cursor.execute(row[-1])


def _explained(error: Error) -> Exception:
    what = " ".join(str(error).split())
    if error.pgcode == _PRIVILEGE:
        return InputError(
            f"roles were not made ({what}): this takes a superuser, or a role with CREATEROLE that owns"
            " the schema's tables, or is a member of who does"
        )
    if error.pgcode == _LOCKED:
        return InputError(
            f"roles were not made ({what}): tables are in use, stop the service meanwhile and run setup --roles"
        )
    return error
