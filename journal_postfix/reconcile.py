"""Open mails against Postfix's queue: what is no longer queued is closed, whoever removed it.

It closes a mail only where nothing else can be true: it is this host's and of an instance whose
queue was listed; it is in neither of two listings; no line spoke of it since shortly before the
first; and the log is stored beyond the last. A line that comes all the same takes it back.

Bugs: mails under a syslog_name that the instance no longer has are left to `queue.close_after`.
"""

from __future__ import annotations

import logging
import socket
import syslog
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from journal_postfix.config import Config
from journal_postfix.copytext import copy_into
from journal_postfix.database import PLAIN_SETTINGS, SQL, Connection, Cursor, Error, connect, dicts
from journal_postfix.mail import SHUFFLE
from journal_postfix.messages import InputError
from journal_postfix.postqueue import Instance, NoPostfix, NotAllowed, instances, listing

log = logging.getLogger("journal_postfix")

Rows = list[dict[str, Any]]

PORTION = 5000  # mails closed in one transaction, for which merges of the host wait
SETTLE = timedelta(seconds=2)  # what happened before a moment is logged by so much later
PATIENCE = 120.0  # seconds to wait until the log is stored up to the listing
FIRST_AGAIN = 60.0  # seconds until the next try where the log is not stored so far; then doubled
_LOOK = 1.0  # seconds between two looks at how far it is
_MACHINE_ID = Path("/etc/machine-id")
_SETTINGS = {**PLAIN_SETTINGS, "lock_timeout": "1min"}
_COLUMNS = ("number", "syslog_name", "queue_name", "queue_id", "arrived_at")


class NotOurs(InputError):
    """No log of this host is stored."""


class Behind(InputError):
    """The log is not stored far enough to tell what is gone from what was not read yet."""


class Here(NamedTuple):
    """This host in the tables: its name, its own sources, since when its mails are known."""

    mta: str
    own: list[int]
    t_first: datetime


class Compared(NamedTuple):
    """What came of a comparison: a row for each host name and instance, and for each mail closed."""

    instances: Rows
    closed: Rows


# --- this host ------------------------------------------------------------------------------


def machine_id() -> str:
    """The id of this machine, as its journal has it; empty where it has none."""
    try:
        return _MACHINE_ID.read_text("ascii").strip()
    except OSError:
        return ""


def _here(cursor: Cursor, config: Config) -> list[Here]:
    """This host under each of the names its lines were stored by; raises NotOurs."""
    cursor.execute(SQL["queries/local_sources"])
    sources = dicts(cursor)
    machine = machine_id()
    journals = [row for row in sources if row["kind"] == "journal" and row["identity"] == machine]
    found = journals or _of_this_name(sources, config)
    firsts = [row["t_first"] for row in found if row["t_first"] is not None]
    if not firsts:
        raise NotOurs(f"no log of this host ({socket.gethostname()}) is stored")
    known = min(firsts)
    kept = config.horizon(datetime.now(UTC)).delivery
    if kept is not None:
        known = max(known, datetime.combine(kept, time(), UTC))
    own = [row["id"] for row in found]
    return [Here(mta, own, known) for mta in sorted({mta for row in found for mta in row["hosts"]})]


def _of_this_name(sources: Rows, config: Config) -> Rows:
    """The files and streams with lines of this host, by its name."""
    host = socket.gethostname()
    names = {config.mta_of(host), config.mta_of(host.partition(".")[0])}
    files = [
        {**row, "hosts": names & set(row["hosts"])} for row in sources if row["kind"] != "journal"
    ]
    return [row for row in files if row["hosts"]]


def _stored_to(cursor: Cursor, here: list[Here]) -> datetime | None:
    cursor.execute(SQL["queries/stored_to"], {"own": here[0].own})
    row = cursor.fetchone()
    t: datetime | None = row[0] if row else None
    return t


# --- the comparison -------------------------------------------------------------------------


def _list(cursor: Cursor, number: int, found: Iterable[Instance]) -> None:
    """Hand the queues of the instances to the database as they are now."""
    for instance in found:
        rows = (
            {"number": number, "syslog_name": instance.syslog_name, **queued._asdict()}
            for queued in listing(instance)
        )
        while portion := list(islice(rows, PORTION)):
            copy_into(cursor, "listed", _COLUMNS, portion)
    cursor.execute("ANALYZE listed")


def _is_missing(cursor: Cursor, places: Iterable[dict[str, Any]]) -> bool:
    for place in places:
        cursor.execute(SQL["queries/queue_missing"], place)
        if cursor.fetchone() == (True,):
            return True
    return False


def _places(here: Iterable[Here], found: Iterable[Instance], before: datetime) -> Rows:
    """Each host name with each instance: where mails are compared."""
    names = sorted({instance.syslog_name for instance in found})
    return [
        {**one._asdict(), "syslog_name": name, "before": before} for one in here for name in names
    ]


def _wait_for_log(
    cursor: Cursor, here: list[Here], stop: Event, mark: Callable[[], object]
) -> None:
    """Wait until the log is stored beyond this moment; raises Behind."""
    until = datetime.now(UTC) + SETTLE / 2
    stop.wait(SETTLE.total_seconds())
    mark()
    for _ in range(int(PATIENCE / _LOOK) + 1):
        stored_to = _stored_to(cursor, here)
        if stored_to is not None and stored_to >= until:
            return
        if stop.wait(_LOOK):
            break
    raise Behind(
        f"nothing was compared: the queue was listed at {until:%Y-%m-%d %H:%M:%S} UTC, the log is"
        f" stored up to {stored_to or until:%Y-%m-%d %H:%M:%S} UTC; is `run` at work?"
    )


def _apart(cursor: Cursor, statement: str, values: dict[str, Any]) -> Rows:
    """The rows of a statement about a host's mails, run while no batch of the host is merged."""
    cursor.execute("BEGIN")
    cursor.execute(SQL["statements/change_hosts"], values)
    cursor.execute(SQL[f"statements/{statement}"], values)
    rows = dicts(cursor) if cursor.description else []
    cursor.execute("COMMIT")
    return rows


def _close(cursor: Cursor, place: dict[str, Any], t: datetime) -> Rows:
    """Close what is gone, some mails per transaction."""
    closed: Rows = []
    while True:
        some = _apart(cursor, "close_gone", {**place, "t": t, "most": PORTION})
        closed += some
        if len(some) < PORTION:
            return closed


def _compare(cursor: Cursor, config: Config, stop: Event, mark: Callable[[], object]) -> Compared:
    here = _here(cursor, config)
    found = instances(config.queue_config_directories)
    cursor.execute(SQL["statements/listing_session"])
    begun = datetime.now(UTC)
    places = _places(here, found, begun - SHUFFLE)
    for number in (1, 2):
        _list(cursor, number, found)
        _wait_for_log(cursor, here, stop, mark)
        if not _is_missing(cursor, places):
            break
    rows, closed = [], []
    for place in places:
        cursor.execute(SQL["queries/queue_compared"], place)
        (row,) = dicts(cursor)
        gone = _close(cursor, place, begun)
        _apart(cursor, "note_seen", {**place, "t": begun})
        rows.append({**row, "closed": len(gone)})
        closed += gone
    return Compared(rows, closed)


def reconcile(
    dsn: str, config: Config, stop: Event, mark: Callable[[], object] = lambda: None
) -> Compared:
    """Compare the open mails of this host with its queues, and close what is gone.

    `mark` is called when the queue was listed: it may write a line into the log, so that the
    log's position moves beyond that moment on an idle host too. Raises InputError: NoPostfix,
    NotAllowed, NotOurs, Behind, or for a database that cannot be used.
    """
    connection: Connection = connect(dsn, _SETTINGS)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            return _compare(cursor, config, stop, mark)
    except Error as error:
        what = " ".join(str(error).split())
        raise InputError(f"the queue was not compared: {what}") from None
    finally:
        connection.close()


def write_mark() -> None:
    """Write a line into the system's log."""
    syslog.openlog("journal-postfix", syslog.LOG_PID, syslog.LOG_MAIL)
    syslog.syslog(syslog.LOG_INFO, "the queue was listed")


# --- regularly ------------------------------------------------------------------------------


def reconcile_regularly(dsn: Callable[[], str], config: Config, stop: Event) -> None:
    """Compare now and every queue.check_interval, until stopped; a failure is said once.

    Where the log is not stored that far yet it looks again soon, then at growing intervals. Ends
    where there is no Postfix, or its queue may not be looked at.
    """
    said = ""
    soon = FIRST_AGAIN
    while True:
        pause = config.queue_check_interval
        try:
            _tell(reconcile(dsn(), config, stop, write_mark))
            said, soon = "", FIRST_AGAIN
        except NoPostfix:
            return
        except NotAllowed as error:
            log.warning("%s; `reconcile` by a user who may: see docs/configuration.rst", error)
            return
        except (NotOurs, Behind) as error:
            log.debug("%s", error)
            pause = min(soon, pause)
            soon *= 2
        except InputError as error:
            if str(error) != said:
                log.warning("%s", error)
            said = str(error)
        if stop.wait(pause):
            return


def _tell(compared: Compared) -> None:
    for row in compared.instances:
        log.info(
            "queue of %s: %d mails, %d open here, %d of them closed as gone, %d not known here",
            *(row[name] for name in ("syslog_name", "in_queue", "open", "closed", "not_in_tables")),
        )
