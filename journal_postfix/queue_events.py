"""What postsuper did to the queue: one row per run of it and action, in `queue_event`.

postsuper logs a line for each mail that it was given by its id, and none for those that it finds
by itself (`ALL`); at its end it says to how many mails it did what. `named` counts the former,
`messages` is the total: what is more than named was done to mails that the log does not tell.
Lines of one run may be spread over batches, and a total may come before a line that it counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from journal_postfix.batch import Item
from journal_postfix.copytext import copy_text
from journal_postfix.database import SQL, Cursor
from journal_postfix.merge import SHUFFLE, Row

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


def runs_of(items: Iterable[Item]) -> list[Row]:
    """The runs of postsuper that the items tell of, each with what these items say of it."""
    latest: dict[tuple[object, ...], Row] = {}
    runs: list[Row] = []
    for item in items:
        row = _row(item)
        if row is None:
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


def _row(item: Item) -> Row | None:
    """What one line says of its run."""
    delivery = item.delivery
    row = {"mta": item.mta, "syslog_name": item.syslog_name, "pid": item.pid, "t": item.t}
    if delivery["table"] == "queue_event":
        return {**row, "named": 0, "messages": None, **delivery}
    if item.daemon == "postsuper" and item.action in NAMED:
        return {**row, "action": NAMED[item.action], "named": 1, "messages": None}
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
        columns = ", ".join(_COLUMNS)
        cursor.copy_expert(f"COPY batch_event ({columns}) FROM STDIN", copy_text(kept, _COLUMNS))
        cursor.execute(SQL["statements/merge_events"], {"longest": LONGEST_RUN, "shuffle": SHUFFLE})
        cursor.execute("TRUNCATE batch_event")
