"""Named questions to the stored mails: answers are rows, questions are files in sql/queries/.

``python -m journal_postfix.queries NAME...`` prints the answers to questions without parameters.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Any

from journal_postfix.config import Config, load
from journal_postfix.database import READER_SETTINGS, SQL, Connection, connect, dicts
from journal_postfix.messages import InputError, UsageError
from journal_postfix.output import as_table
from journal_postfix.server import dsn_of

Rows = list[dict[str, Any]]

SILENT = timedelta(hours=1)  # a journal's position this old: nobody reads it any more
CLEAN_FAILED = timedelta(days=1)


def ask(connection: Connection, name: str, **values: Any) -> Rows:
    """The rows of one named query."""
    with connection.cursor() as cursor:
        cursor.execute(SQL[f"queries/{name}"], values)
        return dicts(cursor)


def status(connection: Connection, config: Config, now: datetime) -> dict[str, Rows]:
    """What `status` shows, section by section; `problems` holds what is wrong."""
    sections = {
        name: ask(connection, f"status_{name}", now=now)
        for name in ("sources", "spans", "gaps", "database", "tables", "unrecognised")
    }
    sections["retention"] = [
        {"table": "delivery", "delete_after_days": config.retention_delivery_delete},
        {"table": "noqueue", "delete_after_days": config.retention_noqueue_delete},
    ]
    sections["problems"] = _problems(connection, sections, config, now)
    return sections


def _problems(
    connection: Connection, sections: dict[str, Rows], config: Config, now: datetime
) -> Rows:
    found = [
        f"the journal of {row['mta'] or row['name']} was last read {row['updated_at']:%Y-%m-%d %H:%M}"
        for row in sections["sources"]
        if row["kind"] == "journal" and row["updated_at"] < now - SILENT
    ]
    found += [
        f"{row['name']}: none of {row['lines']} lines of Postfix was recognised"
        for row in sections["sources"]
        if row["lines"] and row["lines"] == row["unrecognised"]
    ]
    horizon = config.horizon(now - CLEAN_FAILED)
    for table, first in (("delivery_from", horizon.delivery), ("noqueue", horizon.noqueue)):
        if first is not None:
            (row,) = ask(connection, f"oldest_{table}")
            if row["day"] is not None and row["day"] < first:
                found.append(f"{table} holds rows of {row['day']}: clean-up has failed for a day")
    return [{"problem": text} for text in found]


def main(names: list[str]) -> int:
    """Print the answers to named queries, by the configuration of the environment."""
    config = load(None)
    connection = connect(dsn_of(config, create=False), READER_SETTINGS)
    try:
        for name in names:
            if f"queries/{name}" not in SQL:
                raise UsageError(f"no query {name}; there are: {', '.join(_names())}")
            print(as_table(ask(connection, name)), end="")
    finally:
        connection.close()
    return 0


def _names() -> list[str]:
    return [name.rpartition("/")[2] for name in SQL if name.startswith("queries/")]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except InputError as error:
        sys.exit(f"journal-postfix: {error}")
