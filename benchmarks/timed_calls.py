"""A command of journal-postfix whose time in database calls is measured.

Usage: python benchmarks/timed_calls.py ARGUMENTS OF journal-postfix

Prints a JSON object: seconds inside of psycopg2 (of all threads), and the same by statement. The
product is as it is: every connection is of a class that looks at the clock.
"""

from __future__ import annotations

import functools
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg2
import psycopg2.extensions

SPENT: Counter[str] = Counter()
_NAME = re.compile(r"\w+(?: (?:INTO|FROM|TO|TABLE|SAVEPOINT|\w+))?")


def _name(statement: object) -> str:
    """The first two words of a statement: `COPY delivery_to`, `EXECUTE load_from`."""
    text = statement.decode() if isinstance(statement, bytes) else str(statement)
    found = _NAME.search(re.sub(r"--.*|\(SELECT.*", "", text))
    return found[0] if found else "other"


def _timed(name: str, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    begin = time.perf_counter()
    try:
        return call(*arguments, **named)
    finally:
        SPENT[name] += time.perf_counter() - begin


class TimedCursor(psycopg2.extensions.cursor):
    """A cursor that adds up the time of its calls."""

    _last = ""

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 -- psycopg2's name
        """Time a statement."""
        self._last = _name(query)
        _timed(self._last, super().execute, query, vars)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        """Time a COPY; what the stream does while it is read is part of it."""
        self._last = _name(sql)
        _timed(self._last, super().copy_expert, sql, file, size)

    def fetchone(self) -> Any:
        """Time what becomes of a row."""
        return _timed(self._last, super().fetchone)

    def fetchall(self) -> Any:
        """Time what becomes of the rows."""
        return _timed(self._last, super().fetchall)


class TimedConnection(psycopg2.extensions.connection):
    """A connection whose cursors and commits are timed."""

    def cursor(self, *arguments: Any, **named: Any) -> Any:
        """Give a timed cursor."""
        return super().cursor(*arguments, **{"cursor_factory": TimedCursor, **named})

    def commit(self) -> None:
        """Time a commit."""
        _timed("commit", super().commit)

    def rollback(self) -> None:
        """Time a rollback."""
        _timed("rollback", super().rollback)


def main() -> None:
    """Run the command, then tell."""
    connect = functools.partial(psycopg2.connect, connection_factory=TimedConnection)
    psycopg2.connect = functools.partial(_timed, "connect", connect)
    from journal_postfix import cli  # noqa: PLC0415 -- behind the change above

    status = cli.main(sys.argv[1:])
    print(json.dumps({"seconds": SPENT.total(), "statements": dict(SPENT.most_common())}))
    sys.exit(status)


if __name__ == "__main__":
    main()
