"""The comparisons: who does the same work, against whom, with which budget (by name).

With another checkout at hand each of ours is measured against that one, and the peers rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import logs
import ours
import peers
from logs import Log
from ours import Tree
from server import Server
from turns import Budget, Comparison, Contender, Took

LINES = 1_000_000
JOURNAL_LINES = 300_000  # a second says as much as ten
SLOW_LINES = 100_000  # for who takes minutes
OTHER = ", other"


@dataclass(frozen=True)
class Bench:
    """What every comparison needs: the server, the checkouts by what is added to their names.

    `folder` keeps the logs, `peers` what is not installed: logsums/, rsyslog/ and collate.pl.
    """

    folder: Path
    server: Server
    trees: dict[str, Tree]
    lines: int
    peers: Path
    collate: Path

    @property
    def logsums(self) -> Path:
        """The program postfix-logsums."""
        return self.peers / "logsums" / "bin" / "postfix-logsums"

    def versions(self) -> dict[str, tuple[str, str]]:
        """What prints the versions of peers that are not installed."""
        rsyslogd = self.peers / "rsyslog" / peers.RSYSLOGD
        return {
            "postfix-logsums": (str(self.logsums), "--version"),
            "rsyslog": (str(rsyslogd), "-v"),
        }

    def log(self, form: str = "traditional", *, split: bool = False) -> Log:
        """The log."""
        return logs.log(self.folder, self.lines, form, split=split)

    def short_log(self, form: str = "traditional") -> Log:
        """The same kind of log, not too long."""
        return logs.log(self.folder, min(self.lines, SLOW_LINES), form)


class Ours(NamedTuple):
    """A contender that each checkout has: what it does, against which peer, with which budget."""

    name: str
    turn: Callable[[Tree], Took]
    against: str = ""
    budget: Budget | None = None
    missing: str = ""


def _comparison(
    bench: Bench, title: str, text: str, own: Sequence[Ours], others: Sequence[Contender]
) -> Comparison:
    """Ours beside the peers; with another checkout at hand beside that one only."""
    if len(bench.trees) == 1:
        (tree,) = bench.trees.values()
        mine = [
            Contender(one.name, partial(one.turn, tree), one.against, one.budget, one.missing)
            for one in own
        ]
        return Comparison(title, text, [*mine, *others])
    contenders = [
        Contender(one.name + added, partial(one.turn, tree), one.name + OTHER, None, one.missing)
        for one in own
        for added, tree in bench.trees.items()
    ]
    return Comparison(title, text, contenders)


def _reader(
    bench: Bench, name: str, words: Sequence[str | Path], says: str, form: str, missing: str
) -> Contender:
    """A program that reads the log in a format of its own, and says something about it."""
    return Contender(
        name,
        lambda: peers.reader(words, bench.log(form)),
        "" if name == "collate.pl" else "pflogsumm",
        missing=missing,
        prove=lambda: peers.check(words, bench.short_log(form), says),
    )


# --- comparisons ----------------------------------------------------------------------------

BACKFILL = """\
The file into indexed tables, against programs that read it and print a summary, and against
rsyslogd that stores raw lines, 100,000 at most (imfile, ompgsql, 1,000 in a transaction, one index).
postfix-logsums counts nothing where stamps have no year: it gets the same lines with ISO stamps.
Memory has a budget too: below 150 MB."""
CALLS = """\
Time inside of database calls during a backfill, against COPY of the rows that resulted, as text
made before, into tables with the same indexes, in as many transactions."""
PROFILE = """\
Where the CPU time of a backfill goes, by function: each with what it calls that is not ours."""
PARSE = """\
The file read, parsed and extracted to nowhere in one process, and by the command ``parse``, against
Postfix's own collate.pl, which groups lines by queue id and session without taking them apart."""
JOURNAL = """\
A journal of one host caught up with and stored, and read alone, against journalctl printing it."""
JOBS = """\
The same lines in four files, one for each host."""


def _backfill(bench: Bench) -> Comparison:
    log, root = bench.log(), bench.peers / "rsyslog"
    rsyslog = partial(peers.rsyslog, bench.server, root, bench.short_log())
    own = [
        Ours("backfill", lambda tree: ours.backfill(bench.server, tree, log), "pflogsumm",
             Budget(0.7, 0.5)),
    ]  # fmt: skip
    others = [
        _reader(bench, "pflogsumm", ["pflogsumm"], peers.SUMMARY, "traditional",
                peers.program("pflogsumm")),
        _reader(bench, "postfix-logsums", [bench.logsums], peers.SUMMARY, "iso",
                peers.file(bench.logsums, "postfix-logsums")),
        Contender("rsyslog, ompgsql", rsyslog, "pflogsumm",
                  missing=peers.rsyslogd(root)),
    ]  # fmt: skip
    return _comparison(bench, "Backfill", BACKFILL, own, others)


def _calls(bench: Bench) -> Comparison:
    log, server, filled = bench.log(), bench.server, "bench_calls"
    own = [
        Ours("in database calls", lambda tree: ours.in_calls(server, tree, log, filled),
             "bare COPY", Budget(1.5, 1.25)),
    ]  # fmt: skip
    (tree, *_) = bench.trees.values()
    others = [Contender("bare COPY", partial(ours.bare_copy, server, tree, log, filled))]
    return _comparison(bench, "Database calls", CALLS, own, others)


def _profile(bench: Bench) -> Comparison:
    log = bench.log()
    own = [Ours("backfill, sampled", lambda tree: ours.sampled(bench.server, tree, log))]
    return _comparison(bench, "Profile", PROFILE, own, [])


def _parse(bench: Bench) -> Comparison:
    log = bench.log()
    own = [
        Ours("parse, extract", lambda tree: ours.to_nowhere(tree, log, "parse"), "collate.pl"),
        Ours(
            "the same, ISO stamps",
            lambda tree: ours.to_nowhere(tree, bench.log("iso"), "parse"),
            "collate.pl",
        ),
        Ours("parse, as JSON", lambda tree: ours.parse_command(tree, log), "collate.pl"),
    ]
    words = ["perl", "-X", bench.collate]
    missing = peers.program("perl") or peers.file(bench.collate, "collate.pl")
    others = [_reader(bench, "collate.pl", words, peers.GROUPS, "traditional", missing)]
    return _comparison(bench, "Parsing", PARSE, own, others)


def _journal(bench: Bench) -> Comparison:
    missing = peers.file(logs.JOURNAL_REMOTE, "systemd-journal-remote") or peers.systemd_reader()
    journal = Log((), 0, Counter())
    if not missing:
        journal = logs.journal(bench.folder, min(bench.lines, JOURNAL_LINES))
    own = [
        Ours("run --once", lambda tree: ours.catch_up(bench.server, tree, journal),
             "journalctl -o json", Budget(1.0, 0.5), missing),
        Ours("reading alone", lambda tree: ours.to_nowhere(tree, journal, "journal"),
             "journalctl -o json", None, missing),
    ]  # fmt: skip
    others = [
        Contender("journalctl -o json", partial(peers.journalctl, journal), missing=missing),
    ]
    return _comparison(bench, "Journal", JOURNAL, own, others)


def _jobs(bench: Bench) -> Comparison:
    log = bench.log(split=True)
    own = [
        Ours(f"--jobs {jobs}", lambda tree, n=jobs: ours.backfill(bench.server, tree, log, n),
             "--jobs 1")
        for jobs in (1, 2)
    ]  # fmt: skip
    return _comparison(bench, "Several files at once", JOBS, own, [])


COMPARISONS: dict[str, Callable[[Bench], Comparison]] = {
    "backfill": _backfill,
    "calls": _calls,
    "profile": _profile,
    "parse": _parse,
    "journal": _journal,
    "jobs": _jobs,
}
