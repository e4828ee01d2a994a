"""Following a journal that is written now: how far behind, at what cost, and what idling takes.

Usage: PYTHONPATH=.:tests python benchmarks/follow.py [--rates 1,100,1000,10000] [--seconds 60]
           [--others 20] [--idle 60] [--folder DIR]

Needs root: a journald of the benchmark's own (its limits off) gets the lines of Postfix, at each
rate in turn, from a process that keeps the pace (pacing.py); `run` follows it into a private
PostgreSQL. The highest rate, which is to be the last, goes on for --seconds, others for --others.

The lag of a line is the time from when it was handed to journald until another connection sees
that it is stored. `source.lines` counts the lines that are, and changes in the transaction of
their rows, so that looking at this one row tells it of every line. Beside that the rows
themselves are looked for: from the first line of a mail until its row is seen.

Memory is what `run` has of its own; what it has mapped of the journal's files, which the kernel
takes back at will, stands beside it. Idle wake-ups are the voluntary context switches of all
threads of `run`.

Bugs: a log of hours is written in minutes, so that a line that came long after its mail's end
finds it still known here; of such mails the log makes two rows of delivery_from, and this one.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple, Self

import psycopg2
import server
import turns
from tables import as_rst

from journal_postfix.database import Cursor
from journals import Journald, running_journald

HERE = Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")
LIMITS = "RateLimitIntervalSec=0\nSystemMaxUse=8G\nForwardToSyslog=no\n"
BUDGETS = {"p99": 1.5, "max": 100, "run CPU %": 0.2}  # seconds, MB, and when idle
LOOK = 0.01  # seconds between looks at the database
SAMPLE = 0.5  # seconds between looks at the memory
PATIENCE = 60.0
WARM_UP = 200  # lines, before the first turn
STORED = "SELECT coalesce(sum(lines), 0)::bigint FROM source"
MAILS = """
SELECT id, queue_id FROM delivery_from WHERE day >= (now() AT TIME ZONE 'UTC')::date - 1 AND id > %s
"""
LEFT = """
SELECT sum(lines)::bigint, sum(unrecognised)::bigint, sum(forged)::bigint, (SELECT count(*) FROM gap)
FROM source
"""
Row = dict[str, Any]


class Watch:
    """Another connection that looks what is stored, all the time, and notes when it saw it."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg2.connect(dsn)
        self._connection.autocommit = True
        self.backend = self._connection.get_backend_pid()
        self._stop = Event()
        self.commits: list[tuple[float, int]] = []  # when, lines stored
        self.mails: dict[str, float] = {}  # queue id: when
        self.lines = 0
        self._last = 0

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with closing(self._connection), self._connection.cursor() as cursor:
            while not self._stop.wait(LOOK):
                self._look(cursor)

    def _look(self, cursor: Cursor) -> None:
        cursor.execute(STORED)
        ((lines,),) = cursor.fetchall()
        if lines == self.lines:
            return
        now = time.monotonic()
        cursor.execute(MAILS, (self._last,))
        for number, queue_id in cursor:
            self._last = max(self._last, number)
            self.mails.setdefault(queue_id, now)
        self.commits.append((now, lines))
        self.lines = lines


class Seen(NamedTuple):
    """What processes took until a moment: CPU seconds of run, server and journald."""

    run: float
    server: float
    journald: float


class Memory(NamedTuple):
    """Megabytes of a process in memory: its own, and of files that it has mapped."""

    own: float
    mapped: float


class Setting(NamedTuple):
    """The parts: server, journald, `run`, the writer, the watch."""

    postgres: server.Server
    journald: Journald
    service: subprocess.Popen[bytes]
    writer: subprocess.Popen[str]
    watch: Watch
    folder: Path

    def seen(self) -> Seen:
        """The CPU until now; without what looking takes."""
        looking = cpu_of(self.watch.backend)
        server_cpu = self.postgres.cpu() - looking
        return Seen(cpu_of(self.service.pid), server_cpu, cpu_of(self.journald.pid))

    def memory(self) -> Memory:
        """What `run` has in memory now."""
        status = status_of(self.service.pid)
        return Memory(status["RssAnon"] / 1024, status["RssFile"] / 1024)


def cpu_of(pid: int) -> float:
    """CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def status_of(pid: int | str) -> dict[str, int]:
    """The numbers in a process's or thread's status, memory in kB."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    pairs = (line.partition(":")[::2] for line in lines)
    return {
        name: int(words[0])
        for name, text in pairs
        if (words := text.split()) and words[0].isdigit()
    }


def switches_of(pid: int) -> int:
    """How often the threads of a process went to wait by themselves."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(status_of(f"{pid}/task/{one.name}")["voluntary_ctxt_switches"] for one in threads)


def lags(sent: Sequence[float], commits: Iterable[tuple[float, int]], base: int) -> list[float]:
    """Of each line the seconds until it was seen; only of those that were."""
    found: list[float] = []
    for moment, lines in commits:
        found += [moment - one for one in sent[len(found) : lines - base]]
    return found


def quantiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, the 99th percentile and the greatest."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1]


def turn(at: Setting, rate: float, count: int) -> tuple[Row, Row]:
    """Have so many lines written (0: what is left); gives what was seen, and what was written."""
    base, first = at.watch.lines, len(at.watch.commits)
    before, begin, memory = at.seen(), time.monotonic(), [at.memory()]
    file = at.folder / "turn.json"
    file.unlink(missing_ok=True)
    assert at.writer.stdin
    print(rate, count, file, file=at.writer.stdin, flush=True)
    while not written(at.writer):
        memory.append(at.memory())
    done = json.loads(file.read_text("utf-8"))
    deadline = time.monotonic() + PATIENCE
    while at.watch.lines < base + len(done["sent"]) and time.monotonic() < deadline:
        time.sleep(LOOK)
    seconds, after = time.monotonic() - begin, at.seen()
    memory.append(at.memory())
    commits = at.watch.commits[first:]
    return told(rate, done, commits, base) | {
        "mail p99": rounded(quantiles(mail_lags(done["mails"], at.watch.mails))[1]),
        **{
            f"{name} CPU %": round(100 * (b - a) / seconds, 1)
            for name, a, b in zip(Seen._fields, before, after, strict=True)
        },
        "MB first": round(memory[0].own),
        "max": round(max(one.own for one in memory)),
        "last": round(memory[-1].own),
        "mapped": round(max(one.mapped for one in memory)),
    }, done


def written(writer: subprocess.Popen[str]) -> bool:
    """Wait a little for the writer; tell whether it is done with its turn."""
    assert writer.stdout
    ready, _, _ = select.select([writer.stdout], [], [], SAMPLE)
    return bool(ready) and bool(writer.stdout.readline())


def told(rate: float, done: Row, commits: Sequence[tuple[float, int]], base: int) -> Row:
    """What the lines of a turn tell."""
    sent = done["sent"]
    found = lags(sent, commits, base)
    p50, p99, longest = map(rounded, quantiles(found))
    took = sent[-1] - sent[0]
    return {
        "asked": f"{rate:,g}",
        "lines/s": round((len(sent) - 1) / took),
        "lines": len(sent),
        "lost": len(sent) - len(found),
        "lag p50": p50,
        "p99": p99,
        "longest": longest,
        "commits/s": round(len(commits) / took, 2),
    }


def mail_lags(sent: dict[str, float], seen: dict[str, float]) -> list[float]:
    """Seconds from a mail's first line until its row was seen, of mails that began in the turn."""
    return [seen[one] - moment for one, moment in sent.items() if seen.get(one, 0) > moment]


def rounded(seconds: float) -> float:
    """Seconds, to the millisecond."""
    return round(seconds, 3)


def idle(at: Setting, seconds: float) -> Row:
    """Write nothing and see what `run` does all the same."""
    time.sleep(5)  # the last position is stored
    before, switches = at.seen(), switches_of(at.service.pid)
    time.sleep(seconds)
    after = at.seen()
    return {
        "seconds": seconds,
        "wake-ups": switches_of(at.service.pid) - switches,
        "threads": len(list(Path(f"/proc/{at.service.pid}/task").iterdir())),
        "run CPU %": round(100 * (after.run - before.run) / seconds, 2),
        "MB": round(at.memory().own),
    }


@contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """A process that is told to end when the context does."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def follower(folder: Path, dsn: str, journald: Journald) -> subprocess.Popen[bytes]:
    """Start `run` on the journal, into tables that are there."""
    config = folder / "main.yml"
    settings = {"dsn": dsn, "journal": {"directory": str(journald.folder)}}
    config.write_text(json.dumps(settings))  # JSON is YAML
    words = [sys.executable, "-m", "journal_postfix", "--config", str(config)]
    turns.run([*words, "setup"])
    with (folder / "run.log").open("wb") as log:
        return subprocess.Popen([*words, "run"], stdout=log, stderr=log)


def pacer(journald: Journald, lines: int) -> subprocess.Popen[str]:
    """Start the writer; it has all its lines when this returns."""
    words = [sys.executable, str(HERE / "pacing.py"), str(journald.address), str(lines)]
    writer = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    assert writer.stdout.readline() == "ready\n"
    return writer


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Follow a journal that is written at a pace.")
    parser.add_argument("--rates", default="1,100,1000,10000", help="lines per second")
    parser.add_argument("--seconds", type=float, default=60, help="how long the last rate goes on")
    parser.add_argument("--others", type=float, default=20, help="and each of the others")
    parser.add_argument("--idle", type=float, default=60, help="seconds without a line")
    parser.add_argument("--folder", type=Path, help="where the server keeps its data meanwhile")
    return parser.parse_args()


def measure(at: Setting, counts: Sequence[tuple[float, int]], idle_seconds: float) -> None:
    """Take all turns and print what was seen."""
    turn(at, WARM_UP, WARM_UP)
    table = []
    for rate, count in counts:
        turns.say(f"{rate:,g} lines a second")
        row, done = turn(at, rate, count)
        table.append(row)
    print("Following (lag in seconds):\n\n" + as_rst(table))
    print(checked(at, done["rows"]))
    turns.say("no lines")
    quiet = idle(at, idle_seconds)
    print("Idle:\n\n" + as_rst([quiet]))
    for told, found in (("p99", table[-1]), ("max", table[-1]), ("run CPU %", quiet)):
        kept = "kept" if found[told] <= BUDGETS[told] else "missed"
        print(f"{told}: {found[told]}, at most {BUDGETS[told]}: {kept}")


def checked(at: Setting, true: dict[str, int]) -> str:
    """Say whether everything is there, and nothing else."""
    dsn = at.postgres.dsn("follow")
    ((lines, unrecognised, forged, gaps),) = server.rows(dsn, LEFT)
    counts = {table: server.rows(dsn, f"SELECT count(*) FROM {table}")[0][0] for table in true}
    rows = ", ".join(f"{table} {counts[table]} (true: {true[table]})" for table in true)
    told = f"{lines} lines, {unrecognised} not recognised, {forged} forged, {gaps} gaps"
    return f"In the database: {told}; {rows}.\n"


def main() -> None:
    """Set everything up and measure."""
    args = arguments()
    rates = [float(rate) for rate in args.rates.split(",")]
    counts = [(rate, max(2, round(rate * args.others))) for rate in rates[:-1]]
    total = sum(count for _, count in counts) + round(rates[-1] * args.seconds)
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="follow-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server runs as a user of its own
        with server.running(folder) as postgres, running_journald(LIMITS) as journald:
            journald.write("here I am", SYSLOG_IDENTIFIER="nobody")
            dsn = postgres.fresh("follow")
            with (
                ended(follower(folder, dsn, journald)) as service,
                ended(pacer(journald, total)) as writer,
                Watch(dsn) as watch,
            ):
                at = Setting(postgres, journald, service, writer, watch, folder)
                measure(at, [*counts, (rates[-1], 0)], args.idle)
            turns.say((folder / "run.log").read_text("utf-8"))


if __name__ == "__main__":
    main()
