"""Named questions to the stored mails: answers are rows, questions are files in sql/queries/."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from journal_postfix import disk
from journal_postfix.config import Config
from journal_postfix.database import SQL, Connection, dicts
from journal_postfix.wording import size

Rows = list[dict[str, Any]]

#: The sections of `status` that are a query each, in their order.
STATUS = (
    "sources", "spans", "gaps", "postsuper", "database", "tables", "unrecognised", "retention",
)  # fmt: skip
SILENT = timedelta(hours=1)  # a journal's position this old: nobody reads it any more
CLEAN_FAILED = timedelta(days=1)


def ask(connection: Connection, name: str, **values: Any) -> Rows:
    """The rows of one named query."""
    with connection.cursor() as cursor:
        cursor.execute(SQL[f"queries/{name}"], values)
        return dicts(cursor)


def status(connection: Connection, config: Config, now: datetime) -> dict[str, Rows]:
    """What `status` shows, section by section; `problems` holds what is wrong."""
    sections = {name: ask(connection, f"status_{name}", now=now) for name in STATUS}
    sections["retention"] = [_retained(row, config) for row in sections["retention"]]
    sections["disk"] = disk.shown(config, connection)
    sections["problems"] = [
        *_problems(sections, config, now),
        *_too_old(connection, sections["retention"], config, now),
        *_unclean(connection, config, now),
    ]
    return sections


def _retained(row: dict[str, Any], config: Config) -> dict[str, Any]:
    days = {
        f"{step}_after_days": getattr(config, f"retention_{row['table']}_{step}")
        for step in ("pseudonymise", "delete")
    }
    return {"table": row["table"], **days, **row}


def _unclean(connection: Connection, config: Config, now: datetime) -> Rows:
    """What a clean-up should have done for a day."""
    if not config.deletes_or_pseudonymises():
        return []
    names = config.periods(now - CLEAN_FAILED).pseudonymised._asdict()
    latest = now - CLEAN_FAILED - timedelta(seconds=config.clean_interval)
    found = [
        f"{row['table_name']} holds names of {row['day']}: they were to be pseudonymised for a day"
        for row in ask(connection, "status_plain", **names)
    ]
    found += [
        f"no clean-up was finished since {row['t']:%Y-%m-%d %H:%M}"
        for row in ask(connection, "status_cleaned", before=latest)
    ]
    return [{"problem": text} for text in found]


def _problems(sections: dict[str, Rows], config: Config, now: datetime) -> Rows:
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
    found += [
        f"{size(row['free'])} are free on the disk of {row['folder']}, less than min_free_disk"
        f" ({size(row['min_free_disk'])}): nothing is written"
        for row in sections["disk"]
        if row["free"] is not None and row["free"] < row["min_free_disk"]
    ]
    return [{"problem": text} for text in found]


def _too_old(connection: Connection, kept: Rows, config: Config, now: datetime) -> Rows:
    """Rows that should have been deleted a day ago, and that nobody retains."""
    horizon = config.horizon(now - CLEAN_FAILED)._asdict()
    found = [(row["table"], row["oldest"]) for row in kept if _is_old(row, horizon)]
    if found and ask(connection, "retained"):
        rows = ask(connection, "status_unretained")
        found = [(row["table"], row["oldest"]) for row in rows if _is_old(row, horizon)]
    return [
        {"problem": f"{table} holds rows of {oldest}: clean-up has failed for a day"}
        for table, oldest in found
    ]


def _is_old(row: dict[str, Any], horizon: Mapping[str, date | None]) -> bool:
    first, oldest = horizon[row["table"]], row["oldest"]
    return first is not None and oldest is not None and oldest < first
