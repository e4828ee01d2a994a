"""What an answer takes: a mail among ten million deliveries, a day among thirty million.

Usage: PYTHONPATH=.:tests python benchmarks/asking.py [--trace 10] [--report 30] [--asks 15]
           [--folder DIR] [--keep]

Two databases of a private PostgreSQL are filled (see filling.py), in millions of deliveries: one of
40 days for `trace`, one of 30 for `report`, each with refusals of the last week; 0 leaves one out. Then `trace` is asked by each of its
keys, and `report` for some days, each time by a process of its own with a connection of its own,
for another value. Prints what the calls of the database took (connecting included; those of several
connections are added up), what the whole process took, of which Python's start is a good part, and
the server's CPU time, which counts in ticks of a hundredth of a second. With --keep the filled databases stay in
--folder for the next run, which then asks at once. Ten million deliveries take about 10 GB and ten
minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import growth
import server
import turns
from filling import fill
from tables import as_rst

from journal_postfix import embedded

TIMED = Path(__file__).with_name("timed_calls.py")
TRACE_DAYS, REPORT_DAYS = 40, 30
REFUSALS_KEPT = 7  # days, as by default
TRACE_BUDGET, REPORT_BUDGET = 50, 2000  # milliseconds

#: By each key of `trace`: values of rows picked from one day.
KEYS = {
    "recipient": ("--recipient", "SELECT recipient FROM delivery_to WHERE day = %(day)s"),
    "recipient, as given": (
        "--recipient",
        "SELECT orig_to FROM delivery_to WHERE day = %(day)s AND orig_to LIKE '%%@%%'",
    ),
    "sender": ("--sender", "SELECT sender FROM delivery_from WHERE day = %(day)s AND sender <> ''"),
    "Message-ID": (
        "--message-id",
        "SELECT message_id FROM delivery_from WHERE day = %(day)s AND message_id IS NOT NULL",
    ),
    "queue id": ("--queue-id", "SELECT queue_id FROM delivery_from WHERE day = %(day)s"),
    "client address": (
        "--client",
        """SELECT host(client_address) FROM delivery_from
        WHERE day = %(day)s AND NOT client_address <<= '127.0.0.0/8'""",
    ),
    "login": (
        "--sasl-username",
        "SELECT sasl_username FROM delivery_from WHERE day = %(day)s AND sasl_username <> ''",
    ),
    "refused sender": (
        "--sender",
        "SELECT sender FROM noqueue WHERE day = %(recent)s AND sender <> ''",
    ),
    "busiest recipient": (
        "--recipient",
        "SELECT recipient FROM delivery_to WHERE day = %(day)s GROUP BY 1 ORDER BY count(*) DESC",
    ),
}
PICKED = "SELECT * FROM ({}) picked ORDER BY random() LIMIT %(most)s"
BUSIEST = "SELECT * FROM ({}) picked LIMIT %(most)s"


class Asked(NamedTuple):
    """What one answer took, in milliseconds: in calls of the database, in all, CPU of the server."""

    database: float
    whole: float
    server: float


def days_until_yesterday(count: int) -> list[date]:
    """So many days: what is usual is told of recent ones."""
    today = datetime.now(UTC).date()
    return [today - timedelta(days=back) for back in range(count, 0, -1)]


def days_of(dsn: str) -> list[date]:
    """The days that a database is filled with."""
    ((first, last),) = growth.ask(dsn, "SELECT min(day), max(day) FROM delivery_from")
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def filled(postgres: server.Server, folder: Path, name: str, deliveries: int, count: int) -> str:
    """The DSN of a database with deliveries of so many days; filled unless it is there."""
    if postgres.ask(f"SELECT 1 FROM pg_database WHERE datname = '{name}_full'"):
        return postgres.dsn(f"{name}_full")
    postgres.drop(name)
    postgres.ask(f"CREATE DATABASE {name} TEMPLATE template0")
    dsn = postgres.dsn(name)
    turns.run(growth.command(folder, dsn, "setup"))
    turns.run(
        growth.command(folder, dsn, "backfill", growth.make_log(folder, growth.SAMPLE_LINES, 99))
    )
    days = days_until_yesterday(count)
    turns.say(f"filling {name} with {deliveries:,} deliveries in {count} days")
    fill(dsn, deliveries, days, days[-2:])
    clean(folder, dsn)
    postgres.ask(f"ALTER DATABASE {name} RENAME TO {name}_full")  # whole, where a run was ended
    postgres.ask("CHECKPOINT")
    return postgres.dsn(f"{name}_full")


def clean(folder: Path, dsn: str) -> None:
    """Keep refusals as long as is usual, and count the totals that are."""
    retention = {"delivery": growth.KEEP, "noqueue": {"pseudonymise": 0, "delete": REFUSALS_KEPT}}
    turns.run(growth.command(folder, dsn, "clean", retention=retention))


def asked(postgres: server.Server, folder: Path, dsn: str, *words: str) -> Asked:
    """Ask once, by a process of its own."""
    _, _, _, *command = growth.command(folder, dsn, *words)
    begin = postgres.cpu()
    ran = turns.run([sys.executable, str(TIMED), *command], keep=True)
    told = json.loads(ran.output.splitlines()[-1])
    cpu = postgres.cpu() - begin
    return Asked(1000 * told["seconds"], 1000 * ran.seconds, 1000 * cpu)


def row(what: str, found: Sequence[Asked], budget: int) -> dict[str, Any]:
    """One line of the table."""
    database = sorted(one.database for one in found)
    slow = database[min(len(database) - 1, round(0.95 * (len(database) - 1)))]
    return {
        "asked": what,
        "times": len(found),
        "database ms": round(statistics.median(database), 1),
        "p95 ms": round(slow, 1),
        "longest": round(database[-1], 1),
        "process ms": round(statistics.median(one.whole for one in found)),
        "server CPU": round(statistics.mean(one.server for one in found)),
        "budget": budget,
        "": "kept" if slow < budget else "missed",
    }


def traces(
    postgres: server.Server, folder: Path, dsn: str, days: Sequence[date], asks: int
) -> Iterator[dict[str, Any]]:
    """Ask for mails by each key; the day that values are from is one of the middle."""
    values: dict[str, Any] = {"day": days[len(days) // 2], "recent": days[-3], "most": asks}
    for name, (option, query) in KEYS.items():
        picked = (BUSIEST if "busiest" in name else PICKED).format(query)
        keys = [str(key) for (key,) in growth.ask(dsn, picked, **values)]
        found = [asked(postgres, folder, dsn, "trace", option, key) for key in keys]
        turns.say(f"trace by {name}: " + ", ".join(f"{one.database:.0f}" for one in found))
        yield row(f"trace by {name}", found, TRACE_BUDGET)


def reports(
    postgres: server.Server, folder: Path, dsn: str, days: Sequence[date], asks: int
) -> Iterator[dict[str, Any]]:
    """Ask for the report of whole days, those before the last."""
    chosen = days[-2 - min(asks, len(days) - 2) : -2]
    for kind, words in (("report of a day", ()), ("as JSON", ("--format", "json"))):
        found = []
        for day in chosen:
            period = ("--since", f"{day}T00:00Z", "--until", f"{day + timedelta(days=1)}T00:00Z")
            found.append(asked(postgres, folder, dsn, "report", *period, *words))
        turns.say(f"{kind}: " + ", ".join(f"{one.database:.0f}" for one in found))
        yield row(kind, found, REPORT_BUDGET)


@contextmanager
def running(folder: Path, *, keep: bool) -> Iterator[server.Server]:
    """A server in a folder; its databases stay there for the next run where they are kept."""
    if not keep:
        with server.running(folder) as postgres:
            yield postgres
        return
    data_dir = folder / "server"
    try:
        with closing(server.Server(embedded.embedded_dsn(data_dir, create=True))) as postgres:
            yield postgres
    finally:
        embedded.stop(data_dir)


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="What an answer takes.")
    parser.add_argument(
        "--trace", type=float, default=10, help="millions of deliveries, 0: leave out"
    )
    parser.add_argument("--report", type=float, default=30, help="likewise")
    parser.add_argument("--asks", type=int, default=15, help="by each key, for another value")
    parser.add_argument("--folder", type=Path, help="where the server keeps its data meanwhile")
    parser.add_argument("--keep", action="store_true", help="leave the databases for the next run")
    return parser.parse_args(argv)


def measure(postgres: server.Server, folder: Path, given: argparse.Namespace) -> str:
    """Fill and ask; gives the table."""
    table: list[dict[str, Any]] = []
    for name, millions, count, ask in (
        ("trace", given.trace, TRACE_DAYS, traces),
        ("report", given.report, REPORT_DAYS, reports),
    ):
        if millions:
            dsn = filled(postgres, folder, name, round(millions * 1e6), count)
            table += ask(postgres, folder, dsn, days_of(dsn), given.asks)
    return as_rst(table)


def main(argv: Sequence[str]) -> None:
    """Measure and tell."""
    given = arguments(argv)
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="asking-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server runs as a user of its own
        where = given.folder if given.keep and given.folder else folder
        with running(where, keep=given.keep) as postgres:
            print(f"PostgreSQL {postgres.version()}: {postgres.settings()}\n")
            print(measure(postgres, folder, given))


if __name__ == "__main__":
    main(sys.argv[1:])
