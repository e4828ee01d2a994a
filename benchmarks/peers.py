"""The peers' turns: other programs that read Postfix's log, or write a log into PostgreSQL."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from logs import Log
from psycopg2.extensions import parse_dsn
from server import Server, rows, run_script
from turns import LIMIT, MEGABYTE, Took, run

# Of the packages rsyslog and rsyslog-pgsql, below the folder they are unpacked in.
RSYSLOGD = "usr/sbin/rsyslogd"
RSYSLOG_MODULES = "usr/lib/*/rsyslog"
RSYSLOG_TABLES = "usr/share/dbconfig-common/data/rsyslog-pgsql/install/pgsql"
# ompgsql writes a batch of its queue as one transaction.
RSYSLOG = """\
global(workDirectory="{folder}")
module(load="imfile")
module(load="ompgsql")
input(type="imfile" file="{log}" tag="mail:" freshStartTail="off" ruleset="store")
ruleset(name="store") {{
  action(type="ompgsql" server="{host}" port="{port}" user="{user}" db="{dbname}" pass=""
         queue.type="LinkedList" queue.size="100000" queue.dequeuebatchsize="1000")
}}
"""
POLL = 0.05  # seconds


SUMMARY = r"[1-9]\d* +received"
GROUPS = r"status=sent \("


def check(words: Sequence[str | Path], log: Log, pattern: str) -> None:
    """Raise RuntimeError where a program's output has no such text: it understood nothing."""
    command = [*words, log.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if not any(re.search(pattern, line) for line in process.stdout):
            raise RuntimeError(f"{words[0]} understands nothing of {log.path}")


def reader(words: Sequence[str | Path], log: Log) -> Took:
    """Run a program that reads a log and prints something, which goes to nowhere."""
    ran = run([*words, log.path], cycles=True)
    return Took(ran.seconds, log.lines, ran.cpu, None, ran.memory, ran.cycles)


def journalctl(journal: Log) -> Took:
    """Print a journal as JSON."""
    ran = run(["journalctl", "-q", "-o", "json", f"--directory={journal.path}"])
    return Took(ran.seconds, journal.lines, ran.cpu, None, ran.memory)


def rsyslog(server: Server, root: Path, log: Log) -> Took:
    """Write the raw lines of a log into rsyslog's own table; measured until all are there."""
    dsn = server.fresh("bench_rsyslog")
    run_script(dsn, (root / RSYSLOG_TABLES).read_text("utf-8"))
    folder = Path(tempfile.mkdtemp(prefix="rsyslog-"))
    try:
        conf = folder / "rsyslog.conf"
        conf.write_text(RSYSLOG.format(folder=folder, log=log.path, **parse_dsn(dsn)), "utf-8")
        return _until_stored(server, dsn, _rsyslogd(root, folder), log)
    finally:
        shutil.rmtree(folder)
        server.drop("bench_rsyslog")


def _rsyslogd(root: Path, folder: Path) -> list[str | Path]:
    (modules,) = root.glob(RSYSLOG_MODULES)
    where = ["-f", folder / "rsyslog.conf", "-i", folder / "pid", "-M", modules]
    return [root / RSYSLOGD, "-n", *where]


def _until_stored(server: Server, dsn: str, words: Sequence[str | Path], log: Log) -> Took:
    before, begin = server.cpu(), time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while _stored(dsn) < log.lines:
            if time.perf_counter() - begin > LIMIT or process.poll() is not None:
                raise RuntimeError(f"rsyslogd stored {_stored(dsn)} of {log.lines} lines")
            time.sleep(POLL)
        seconds = time.perf_counter() - begin
    finally:
        process.terminate()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    return Took(seconds, log.lines, cpu, server.cpu() - before, usage.ru_maxrss / MEGABYTE)


def _stored(dsn: str) -> int:
    """The lines that are in the table; by its key, which is quick to ask for."""
    return int(rows(dsn, "SELECT coalesce(max(id), 0) FROM systemevents")[0][0])


# --- who is at hand -------------------------------------------------------------------------


def program(name: str) -> str:
    """Why a program cannot take part; '' if it can."""
    return "" if shutil.which(name) else f"{name} is not installed"


def file(path: Path, name: str) -> str:
    """Why something that is a file cannot take part."""
    return "" if path.exists() else f"{name} is missing"


def rsyslogd(root: Path) -> str:
    """Why rsyslogd cannot take part."""
    return file(root / RSYSLOGD, "rsyslog") or file(root / RSYSLOG_TABLES, "rsyslog-pgsql")


def systemd_reader() -> str:
    """Why this Python cannot read journals."""
    code = [sys.executable, "-c", "import systemd.journal"]
    found = subprocess.run(code, capture_output=True, check=False).returncode == 0
    return "" if found else "systemd-python is not installed"
