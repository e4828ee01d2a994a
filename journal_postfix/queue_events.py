"""What postsuper did to the queue: one row per run of it and action, in `queue_event`.

postsuper logs a line for each mail that it was given by its id, and none for those that it finds
by itself (`ALL`); at its end it says to how many mails it did what. `named` counts the former,
`messages` is the total: what is more than named was done to mails that the log does not tell.
Lines of one run may be spread over batches, and a total may come before a line that it counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from journal_postfix.copytext import copy_into
from journal_postfix.database import SQL, Cursor
from journal_postfix.mail import SHUFFLE, Fact, Row

#: A line about one mail, and postsuper's word for the total (postsuper/postsuper.c).
NAMED = {
    "force_expired": "Force-expired",
    "held": "Placed on hold",
    "released": "Released from hold",
    "removed": "Deleted",
    "requeued": "Requeued",
}
LONGEST_RUN = timedelta(hours=1)  # ids may be piped in slowly
_COLUMNS = ("number", "mta", "syslog_name", "pid", "action", "t", "named", "messages")
_KEY = ("mta", "syslog_name", "pid", "action")


def runs_of(facts: Iterable[Fact]) -> list[Row]:
    """The runs of postsuper that the facts tell of, each with what these facts say of it."""
    latest: dict[tuple[object, ...], Row] = {}
    runs: list[Row] = []
    for fact in facts:
        if fact.daemon != "postsuper" or (row := _row(fact)) is None:
            continue
        key = tuple(row[name] for name in _KEY)
        run = latest.get(key)
        if run is None or not _is_same(run, row):
            run = latest[key] = {**row, "number": len(runs), "named": 0, "messages": None}
            runs.append(run)
        run["t"] = max(run["t"], row["t"])
        run["named"] += row["named"]
        run["messages"] = row["messages"] if run["messages"] is None else run["messages"]
    return runs


def _row(fact: Fact) -> Row | None:
    """What one line of postsuper says of its run."""
    columns = fact.columns
    row = {"mta": fact.mta, "syslog_name": fact.syslog_name, "pid": fact.pid, "t": fact.t}
    if columns["table"] == "queue_event":
        return {**row, "named": 0, "messages": None, **columns}
    if fact.action in NAMED:
        return {**row, "action": NAMED[fact.action], "named": 1, "messages": None}
    return None


def _is_same(run: Row, row: Row) -> bool:
    """The line at hand belongs to the run: it has no second total, and comes little behind one."""
    apart = abs(row["t"] - run["t"])
    if run["messages"] is None:
        return bool(apart <= LONGEST_RUN)
    return row["messages"] is None and bool(apart <= SHUFFLE)


def store_runs(cursor: Cursor, runs: list[Row], first: date | None) -> None:
    """Merge runs with those stored; what is older than the first day kept is left out."""
    kept = [run for run in runs if first is None or run["t"].date() >= first]
    if kept:
        copy_into(cursor, "batch_event", _COLUMNS, kept)
        cursor.execute(SQL["statements/merge_events"], {"longest": LONGEST_RUN, "shuffle": SHUFFLE})
        cursor.execute("TRUNCATE batch_event")
