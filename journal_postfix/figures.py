"""The figures of a running service: counters and gauges, as commits and clean-ups are told of.

The deal: figures are about what is committed, so that a batch that was rolled back and stored
again counts once. They begin at 0 with the process. Of a label's words all that come from the log
are among those that Postfix knows, so that nobody who writes into the log can make new ones.
It knows no protocol: metrics.py tells the figures to who asks.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from threading import Lock
from typing import NamedTuple

from journal_postfix.batch import Batch
from journal_postfix.commit import DISK, FAILURES
from journal_postfix.mail import Row
from journal_postfix.parser import DAEMONS
from journal_postfix.writer import Source

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TABLES = ("delivery_from", "delivery_to", "delivery_attempt", "noqueue")
STATUSES = ("sent", "deferred", "bounced", "SOFTBOUNCE", "deliverable", "undeliverable")
STEPS = {"delete": "rows_deleted", "pseudonymise": "rows_pseudonymised"}
OTHER = "other"

Key = tuple[str, ...]  # a metric's name, its labels' values


class Metric(NamedTuple):
    """One metric: what it says, its labels, and those of their values that are there from the start."""

    says: str
    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


COUNTERS: dict[str, Metric] = {
    "lines": Metric("Lines of Postfix that were read.", ("daemon",)),
    "lines_unrecognised": Metric("Lines of Postfix that were not recognised.", ("daemon",)),
    "lines_forged": Metric("Journal entries that call themselves Postfix's and are not."),
    "lines_known": Metric("Lines that another source had told before."),
    "lines_lost": Metric("Lines that the log says it lost, where it counted them."),
    "gaps": Metric("Times for which the log lost lines."),
    "rows": Metric("Rows that were added to a table.", ("table",), TABLES),
    "rows_too_old": Metric("Rows left out because retention would delete them at once."),
    "rows_deleted": Metric("Rows that retention deleted.", ("table",), TABLES),
    "rows_pseudonymised": Metric("Rows that retention pseudonymised.", ("table",), TABLES),
    "deliveries": Metric(
        "Delivery records by Postfix's word: one for each try of a recipient.",
        ("status",),
        STATUSES,
    ),
    "commits": Metric("Batches that were committed."),
    "database_errors": Metric(
        "Tries that failed, and were made again.", ("reason",), tuple(FAILURES)
    ),
    "clean_failures": Metric("Clean-ups that could not be finished."),
}

GAUGES: dict[str, Metric] = {
    "lag_seconds": Metric(
        "Age of the newest entry stored, when it was stored; and what its successor waits by now.",
        ("kind", "source"),
    ),
    "read_to_timestamp_seconds": Metric(
        "Time of the newest entry stored or passed over.", ("kind", "source")
    ),
    "last_commit_timestamp_seconds": Metric("Time of the last commit."),
    "last_clean_timestamp_seconds": Metric("Time at which the last clean-up was finished."),
    "database_up": Metric("1: the database did what it was asked last; 0: it did not."),
    "disk_full": Metric(
        "1: less than min_free_disk is free, nothing is written; 0: there is room."
    ),
    "open_mails": Metric("Mails of which more lines are expected.", ("mta",)),
    "database_size_bytes": Metric("Size of the database."),
}

#: Counters that are there from the start: those of known values, and those without labels.
_BEGUN: list[Key] = [
    (name, *values)
    for name, metric in COUNTERS.items()
    for values in ([(value,) for value in metric.values] if metric.labels else [()])
]


class Figures:
    """The figures of one service: told of by those who work, read by those who serve them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[Key] = Counter()
        self._gauges: dict[Key, float] = {}
        self._stored: dict[Key, tuple[float, float]] = {}  # by kind and source: up to when, lag
        self._asked: dict[Key, float] = {}
        self._tried: float | None = None
        self._seconds = 0.0
        self._commits = [0] * (len(BUCKETS) + 1)

    # --- told by the committer and the clean-up

    def trying(self) -> None:
        """The database is asked for something."""
        self._tried = time.time()

    def worked(self) -> None:
        """The database did it."""
        self._tried = None
        with self._lock:
            self._gauges[("database_up",)] = 1
            self._gauges[("disk_full",)] = 0

    def failed(self, reason: str) -> None:
        """The database did not do it; one of FAILURES."""
        with self._lock:
            self._counts["database_errors", reason] += 1
            self._gauges[("disk_full",)] = int(reason == DISK)
            if reason != DISK:
                self._gauges[("database_up",)] = 0

    def committed(self, batch: Batch, sources: Sequence[Source], seconds: float) -> None:
        """A batch and the positions of its sources are stored, after so many seconds."""
        counts = counted(batch)
        with self._lock:
            self._counts.update(counts)
            self._commits[sum(seconds > most for most in BUCKETS)] += 1
            self._seconds += seconds
            self._gauges[("last_commit_timestamp_seconds",)] = now = time.time()
            for source in sources:
                if source.t is not None:
                    t = source.t.timestamp()
                    self._stored[source.kind, source.name] = t, max(0.0, now - t)

    def cleaned(self, rows: Sequence[Row] | None) -> None:
        """A clean-up is over, and did this (table_name, step, rows); None: it failed."""
        with self._lock:
            if rows is None:
                self._counts[("clean_failures",)] += 1
                return
            self._gauges[("last_clean_timestamp_seconds",)] = time.time()
            for row in rows:
                if row["step"] in STEPS:
                    self._counts[STEPS[row["step"]], row["table_name"]] += row["rows"]

    def asked(self, answers: Mapping[Key, float]) -> None:
        """What the database itself told; nothing where it could not be asked."""
        with self._lock:
            self._asked = dict(answers)

    # --- read by the server

    def counts(self) -> Counter[Key]:
        """All counters at this moment, also those that are 0."""
        with self._lock:
            found = self._counts.copy()
        found.update(dict.fromkeys(_BEGUN, 0))
        return found

    def gauges(self) -> dict[Key, float]:
        """All gauges at this moment, of those that are known."""
        tried = self._tried
        waited = 0.0 if tried is None else time.time() - tried
        with self._lock:
            found = {**self._gauges, **self._asked}
            for which, (t, lag) in self._stored.items():
                found["read_to_timestamp_seconds", *which] = t
                found["lag_seconds", *which] = lag + waited
        return found

    def commit_times(self) -> tuple[list[int], float]:
        """How many commits took as long as each of BUCKETS and longer, added up; all seconds."""
        with self._lock:
            return list(accumulate(self._commits)), self._seconds


def counted(batch: Batch) -> Counter[Key]:
    """What a batch adds to the counters, now that it is stored."""
    counts: Counter[Key] = Counter()
    for identifier, lines in batch.identifiers.items():
        counts["lines", _daemon(identifier.rpartition("/")[2])] += lines
    for line in batch.stored.unrecognised:
        counts["lines_unrecognised", _daemon(line.daemon)] += 1
    told = [fact.columns["status"] for fact in batch.stored.facts if "status" in fact.columns]
    for status, times in Counter(told).items():
        counts["deliveries", status if status in STATUSES else OTHER] += times
    for table, rows in batch.stored.rows:
        counts["rows", table] += rows
    counts[("rows_too_old",)] += batch.too_old
    counts[("lines_known",)] += batch.known
    counts[("lines_forged",)] += sum(of_source.forged for of_source in batch.counts.values())
    counts[("gaps",)] += len(batch.gaps) + len(batch.stored.losses)
    counts[("lines_lost",)] += sum(loss.lost or 0 for loss in batch.stored.losses)
    counts[("commits",)] += 1
    return counts


def _daemon(name: str) -> str:
    return name if name in DAEMONS else OTHER
