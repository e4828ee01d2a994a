"""Loading into ever larger tables, and dropping a day of them.

Usage: PYTHONPATH=.:tests python benchmarks/growth.py [--millions 0,1,10] [--lines 200000]
           [--rounds 3] [--folder DIR]

For each size, in millions of stored deliveries over thirty days, the tables of a private
PostgreSQL are filled (see filling.py), then logs of one host each are loaded with `backfill` into
the last two days, one log per round, the same ones at every size. Prints what a line takes, in
seconds and in CPU of the program and of the server, the time in the database, the memory, and
the sizes of the indexes. At the largest size `clean` then drops one day of the thirty (see
cleaning.py). Ten million deliveries take about 10 GB on disk, and ten minutes to fill.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import server
import turns
from cleaning import clean_a_day
from filling import fill
from tables import as_rst

HERE = Path(__file__).resolve().parent.parent
GENERATOR = HERE / "tests" / "generate.py"
LAST = date(2025, 1, 1)  # the generated log runs into it from the evening before
DAYS = [LAST - timedelta(days=back) for back in reversed(range(30))]
BUSY = DAYS[-2:]
SAMPLE_LINES = 20_000
KEEP = {"pseudonymise": 0, "delete": 0}
CONFIG = {"retention": {"delivery": KEEP, "noqueue": KEEP}, "queue": {"close_after": 0}}
SIZES = """
SELECT coalesce(p.relname, c.relname), sum(pg_relation_size(c.oid)),
       sum(t.reltuples) FILTER (WHERE t.reltuples > 0)
FROM pg_class c
JOIN pg_index x ON x.indexrelid = c.oid
JOIN pg_class t ON t.oid = x.indrelid
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
WHERE c.relkind = 'i' AND t.relname ~ '^(delivery_|noqueue|open_mail)'
  AND (NOT %(busy)s OR t.relname ~ ANY (%(days)s))
GROUP BY 1
"""
ACTIVE = "SELECT active_time FROM pg_stat_database WHERE datname = current_database()"
Row = dict[str, Any]


class Load(NamedTuple):
    """One load: of each line microseconds, CPU of the program, of the server, in the database."""

    line: float
    program: float
    server: float
    database: float
    memory: float


def make_log(folder: Path, lines: int, seed: int) -> Path:
    """Make a log of one host; a process of its own, so that this one stays small."""
    target = folder / f"log-{lines}-{seed}"
    size = ["--lines", str(lines), "--hosts", "1", "--seed", str(seed)]
    size += ["--reuse", "0.001"]  # of the queue ids come back: see logs.py
    where = ["--format", "iso", "--output", str(target)]
    subprocess.run([sys.executable, str(GENERATOR), *size, *where], check=True)
    (path,) = target.iterdir()
    return path


def command(folder: Path, dsn: str, *words: str | Path, **config: Any) -> list[str | Path]:
    """Give a command of ours, with its configuration."""
    path = folder / "main.yml"
    path.write_text(json.dumps({"dsn": dsn, **CONFIG, **config}))  # JSON is YAML
    return [sys.executable, "-m", "journal_postfix", "--config", path, *words]


def load(postgres: server.Server, folder: Path, dsn: str, log: Path, mta: str, lines: int) -> Load:
    """Load a log and measure it."""
    postgres.ask("CHECKPOINT")
    ((active,),), cpu = ask(dsn, ACTIVE), postgres.cpu()
    ran = turns.run(command(folder, dsn, "backfill", "--mta", mta, log))
    ((end,),) = ask(dsn, ACTIVE)
    busy = postgres.cpu() - cpu
    seconds = (ran.seconds, ran.cpu, busy, (end - active) / 1000)
    return Load(*(1e6 * value / lines for value in seconds), memory=ran.memory)


def prepare(postgres: server.Server, folder: Path, millions: float, sample: Path) -> str:
    """Give the DSN of a new database that is filled to a size."""
    dsn = postgres.fresh("growth")
    turns.run(command(folder, dsn, "setup"))
    turns.run(command(folder, dsn, "backfill", sample))
    turns.say(f"filling to {millions:g} million deliveries")
    fill(dsn, round(millions * 1e6), DAYS, BUSY)
    postgres.ask("CHECKPOINT")
    return dsn


def ask(dsn: str, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def loads(
    postgres: server.Server, folder: Path, dsn: str, logs: list[Path], lines: int
) -> list[Load]:
    """Load all logs, each as a host of its own."""
    done = []
    for number, log in enumerate(logs):
        one = load(postgres, folder, dsn, log, f"mx{number}.example.net", lines)
        figures = ", ".join(f"{name} {value:.1f}" for name, value in one._asdict().items())
        turns.say(f"round {number + 1}: {figures}")
        done.append(one)
    return done


def told(millions: float, stored: int, done: list[Load]) -> Row:
    """One line of the table of loads: medians, and how far the rounds are apart."""
    middle = Load(*(statistics.median(values) for values in zip(*done, strict=True)))
    return {
        "deliveries": f"{stored:,}",
        "lines/s": round(1e6 / middle.line),
        "µs/line": round(middle.line, 2),
        "from..to": f"{min(one.line for one in done):.2f}..{max(one.line for one in done):.2f}",
        "program CPU": round(middle.program, 2),
        "server CPU": round(middle.server, 2),
        "in database": round(middle.database, 2),
        "CPU": round(statistics.median(one.program + one.server for one in done), 2),
        "MB": round(max(one.memory for one in done)),
        "millions": millions,
    }


def with_ratios(table: list[Row]) -> list[Row]:
    """Set each size against one million, or the smallest there is."""
    base = next((row for row in table if row["millions"] >= 1), table[0])
    ratios = ("µs/line", "CPU")
    return [
        {name: value for name, value in row.items() if name != "millions"}
        | {f"{name} ratio": round(row[name] / base[name], 2) for name in ratios}
        for row in table
    ]


def index_sizes(dsn: str, *, busy: bool = False) -> dict[str, tuple[int, int]]:
    """Bytes of each index and rows of its table; `busy`: of the days that were filled by inserts."""
    days = [f"_{day:%Y%m%d}$" for day in BUSY]
    found = ask(dsn, SIZES, busy=busy, days=days)
    return {name: (int(size), max(int(count or 0), 1)) for name, size, count in found}


def sizes_table(sizes: dict[str, dict[str, tuple[int, int]]], busy: Row) -> list[Row]:
    """Megabytes of each index at each size, and bytes per row where rows came one by one."""
    names = sorted(next(iter(sizes.values())))
    return [
        {"index": name}
        | {f"at {level}": round(found[name][0] / 1e6, 1) for level, found in sizes.items()}
        | {"bytes/row": round(busy[name][0] / busy[name][1], 1) if name in busy else None}
        for name in names
    ]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Load into ever larger tables; drop a day of them."
    )
    parser.add_argument("--millions", default="0,1,10", help="sizes in millions of deliveries")
    parser.add_argument("--lines", type=int, default=200_000, help="of each log")
    parser.add_argument("--rounds", type=int, default=3, help="logs per size")
    parser.add_argument("--folder", type=Path, help="where the server keeps its data meanwhile")
    return parser.parse_args()


def main() -> None:
    """Measure all sizes, then the dropping of a day."""
    args = arguments()
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="growth-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server runs as a user of its own
        sample = make_log(folder, SAMPLE_LINES, 99)
        logs = [make_log(folder, args.lines, 1 + number) for number in range(args.rounds)]
        table, sizes = [], {}
        with server.running(folder) as postgres:
            for millions in map(float, args.millions.split(",")):
                dsn = prepare(postgres, folder, millions, sample)
                ((stored,),) = ask(dsn, "SELECT count(*) FROM delivery_to")
                sizes[f"{millions:g} M"], busy = index_sizes(dsn), index_sizes(dsn, busy=True)
                table.append(told(millions, stored, loads(postgres, folder, dsn, logs, args.lines)))
            print(f"PostgreSQL {postgres.version()}: {postgres.settings()}")
            print("\nOf a line, in microseconds:\n\n" + as_rst(with_ratios(table)))
            print("Indexes, in megabytes:\n\n" + as_rst(sizes_table(sizes, busy)))
            print("One day of thirty deleted:\n")
            print(as_rst(clean_a_day(dsn, DAYS, partial(command, folder))))


if __name__ == "__main__":
    main()
