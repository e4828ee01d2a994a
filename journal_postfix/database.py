"""The connection to PostgreSQL and the SQL files: the only importer of psycopg2.

Opens connections with our session settings, gives every SQL file under its name (all are read
at import, so a missing one shows at once), and turns what the server says about a failed
connection into one clear sentence. It knows no table.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import psycopg2
import psycopg2.errorcodes
import psycopg2.extensions
import psycopg2.extras

from journal_postfix.messages import InputError, UsageError

Connection = psycopg2.extensions.connection
Cursor = psycopg2.extensions.cursor
Error = psycopg2.Error

_SQL = Path(__file__).parent / "sql"

CREDENTIAL = "journal-postfix.password"

#: jit and parallel plans cost more than our short statements, which are few rows against an
#: index; a plan made before a partition was analysed would otherwise read it whole.
WRITER_SETTINGS = {
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_memoize": "off",
    "plan_cache_mode": "force_generic_plan",
    "synchronous_commit": "on",
    "timezone": "UTC",
}
READER_SETTINGS = {"jit": "off", "timezone": "UTC", "default_transaction_read_only": "on"}
#: For answers by a key: few rows by their indexes, where the server expects many and would rather
#: merge the indexes of all partitions.
SEEKER_SETTINGS = {
    **READER_SETTINGS,
    "max_parallel_workers_per_gather": "0",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
}
PLAIN_SETTINGS = {"jit": "off", "timezone": "UTC"}
#: What our SQL means, whatever a role or a database is set to.
_OURS = {"transform_null_equals": "off", "array_nulls": "on"}


class _Told(NamedTuple):
    """What a failed connection says, what that means, and what the user is told."""

    pattern: str
    fatal: bool
    soon: bool
    sentence: str


#: First match wins; the words of a server in another language match the last.
_TOLD = (
    _Told(r"password authentication failed|no password supplied|authentication failed", True, False,
          "the database refuses the login: wrong user or password in the DSN ({0})"),
    _Told(r"database \".*\" does not exist", True, False,
          "the database of the DSN does not exist ({0})"),
    _Told(r"role \".*\" does not exist", True, False,
          "the user of the DSN does not exist ({0})"),
    _Told(r"could not translate host name", True, False,
          "the database's host name cannot be resolved ({0})"),
    _Told(r"invalid (?:dsn|connection option|URI)|missing \"=\"", True, False,
          "the DSN is not valid ({0})"),
    _Told(r"is starting up|is shutting down|in recovery mode|not (?:yet |currently )?accepting"
          r"|too many (?:clients|connections)|connection slots are reserved", False, True,
          "the database does not take connections yet ({0})"),
    _Told(r"", False, False, "the database cannot be reached ({0})"),
)  # fmt: skip


def _read_sql() -> dict[str, str]:
    files = sorted(_SQL.rglob("*.sql"))
    return {str(path.relative_to(_SQL).with_suffix("")): path.read_text("utf-8") for path in files}


#: Every SQL file by its path without suffix: `schema`, `statements/find_open`, ...
SQL = _read_sql()


class ConnectionFailed(InputError):
    """The database cannot be used now.

    `fatal`: nor later, without a change. `soon`: its server is there, and busy with itself.
    """

    def __init__(self, sentence: str, *, fatal: bool, soon: bool) -> None:
        super().__init__(sentence)
        self.fatal = fatal
        self.soon = soon


def _without_password(error: Exception) -> str:
    """What an error says, on one line."""
    return re.sub(r"password=\S+", "password=***", " ".join(str(error).split()))


def explain(error: psycopg2.Error) -> ConnectionFailed:
    """What a failed connection means, in one sentence without secrets."""
    words = _without_password(error)
    for told in _TOLD:
        if re.search(told.pattern, words):
            sentence = told.sentence.format(words)
            return ConnectionFailed(sentence, fatal=told.fatal, soon=told.soon)
    raise AssertionError("the last pattern matches everything")


def check_dsn(dsn: str) -> None:
    """Raise UsageError where a DSN or URI is none."""
    try:
        psycopg2.extensions.parse_dsn(dsn)
    except (psycopg2.Error, UnicodeEncodeError) as error:
        what = _without_password(error)
        raise UsageError(
            f"the DSN (--dsn, JOURNAL_POSTFIX_DSN or key dsn) must be a libpq connection string: {what}"
        ) from None


def dsn_parts(dsn: str) -> dict[str, str] | None:
    """What a DSN or a URI says, by libpq's names; None where it is not valid."""
    try:
        parts: dict[str, str] = psycopg2.extensions.parse_dsn(dsn)
    except psycopg2.Error:
        return None
    return parts


def _password(dsn: str) -> dict[str, Any]:
    """The password that systemd hands to the service (LoadCredential=), where the DSN has none.

    libpq would not read such a file: it is readable by an access list, which looks like a group.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder or "/nonexistent", CREDENTIAL)
    if folder is None or "password" in (dsn_parts(dsn) or {}) or not path.exists():
        return {}
    return {"password": path.read_text("utf-8").rstrip("\n")}


def _opened(dsn: str, **more: str) -> Connection:
    keywords: dict[str, Any] = {
        "application_name": "journal-postfix", "connect_timeout": 10, "client_encoding": "UTF8",
        **_password(dsn), **more,
    }  # fmt: skip
    connection: Connection = psycopg2.connect(dsn, **keywords)
    return connection


def _open(dsn: str) -> Connection:
    """A connection on which words are quoted as ours are, whatever the database is set to.

    psycopg2 learns how to quote when it connects, so a SET would come too late.
    """
    connection = _opened(dsn)
    if connection.get_parameter_status("standard_conforming_strings") == "off":
        connection.close()
        options = (dsn_parts(dsn) or {}).get("options", "")
        connection = _opened(dsn, options=f"{options} -c standard_conforming_strings=on")
    return connection


def connect(dsn: str, settings: dict[str, str]) -> Connection:
    """A connection in UTC with these session settings; raises ConnectionFailed."""
    try:
        connection = _open(dsn)
        with connection.cursor() as cursor:
            for name, value in {**_OURS, **settings}.items():
                cursor.execute(f"SET {name} TO %s", (value,))
        connection.commit()
    except psycopg2.Error as error:
        raise explain(error) from None
    return connection


class Behind:
    """Statements sent by a thread, one after the other, while the next one is being prepared.

    Leaving the context waits for all of them, and raises the error of the first that failed.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._thread = ThreadPoolExecutor(1)
        self._sent: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._thread.shutdown()
        if kind is None:
            for one in self._sent:
                one.result()

    def execute(self, query: str, values: Sequence[Any] | None = None) -> None:
        """Send a statement of which no rows are awaited."""
        self._sent.append(self._thread.submit(self._cursor.execute, query, values))

    def copy_expert(self, sql: str, file: IO[bytes], size: int) -> None:
        """Send rows."""
        self._sent.append(self._thread.submit(self._cursor.copy_expert, sql, file, size))


def dicts(cursor: Cursor) -> list[dict[str, Any]]:
    """The rows of the last query, by column name."""
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def is_guilty_data(error: psycopg2.Error) -> bool:
    """The server refuses a row for what it holds: no retry will help that row."""
    return (error.pgcode or "")[:2] in ("22", "23", "54")


def is_transient(error: psycopg2.Error) -> bool:
    """The same transaction may succeed later, perhaps on a new connection."""
    code = error.pgcode
    if code is None:  # during COPY a lost connection is a plain DatabaseError
        kinds = psycopg2.OperationalError | psycopg2.InterfaceError
        return isinstance(error, kinds) or type(error) is psycopg2.DatabaseError
    return code[:2] in ("08", "40", "53", "57", "58", "55", "25")
