"""journal-postfix beside its peers on one machine in one go; the figures of docs/performance.rst.

Usage: PYTHONPATH=. python benchmarks/bench.py [--help]

script/bench installs the peers and then runs this; without them it measures those that are there.
The report goes to standard output, or with --write into docs/performance.rst.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import ours
import report
import surroundings
from comparisons import COMPARISONS, LINES, OTHER, Bench
from logs import HERE
from server import Server, running
from turns import interleave, say

DOCUMENT = HERE / "docs" / "performance.rst"
PEERS = HERE / ".venv" / "peers"
QUICK = {"lines": 3000, "rounds": 1}


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="script/bench", description="Measure journal-postfix beside its peers."
    )
    parser.add_argument("--lines", type=int, default=LINES, metavar="N", help="lines of the log")
    parser.add_argument("--rounds", type=int, default=3, metavar="R", help="turns of each")
    parser.add_argument(
        "--only", type=_names, default=tuple(COMPARISONS), metavar="NAME,...",
        help=f"of {', '.join(COMPARISONS)}",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="few lines, one turn: does it run?")
    parser.add_argument(
        "--other", type=Path, metavar="DIR", help="compare with this checkout, not with the peers"
    )
    parser.add_argument("--write", action="store_true", help=f"into {DOCUMENT.relative_to(HERE)}")
    parser.add_argument("--folder", type=Path, default=_cache(), help="for logs and the database")
    parser.add_argument(
        "--peers", type=Path, default=PEERS, metavar="DIR", help="of peers that are not installed"
    )
    parser.add_argument("--collate", type=Path, metavar="PATH", help="Postfix's collate.pl")
    given = parser.parse_args(argv)
    given.command = shlex.join(["script/bench", *(word for word in argv if word != "--write")])
    if given.quick:
        vars(given).update(QUICK)
    return given


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(COMPARISONS):
        raise argparse.ArgumentTypeError(f"one of {', '.join(COMPARISONS)}")
    return names


def _cache() -> Path:
    """Root's is not in /root, which the database's user may not enter."""
    if os.geteuid() == 0:
        return Path("/var/cache/journal-postfix-bench")
    return (
        Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "journal-postfix-bench"
    )


def measured(bench: Bench, names: Sequence[str], rounds: int) -> list[str]:
    """Let them take turns; gives a section for each comparison."""
    sections = []
    for name in names:
        say(f"== {name}")
        comparison = COMPARISONS[name](bench)
        sections.append(report.compared(comparison, interleave(comparison, rounds)))
    return sections


def preface(bench: Bench, command: str, rounds: int) -> str:
    """Where and of what the figures are."""
    (tree, *_) = bench.trees.values()
    told = [
        ("Command", f"``{command}``"),
        ("Date", f"{surroundings.date()}, commit {surroundings.commit(tree.folder) or 'unknown'}"),
        ("Machine", surroundings.machine()),
        (
            "Versions",
            surroundings.versions(bench.server.version(), bench.versions()),
        ),
        ("Server", bench.server.settings()),
        ("Log", _log(bench, tree)),
        ("Turns", f"{rounds} of each; medians"),
    ]
    return "\n".join(report.wrapped(f":{name}: {text}", "    ") for name, text in told)


def _log(bench: Bench, tree: ours.Tree) -> str:
    log, short = bench.log(), bench.short_log()
    rows = ours.tables(bench.server, tree, short)
    share = log.lines / short.lines
    made = ", ".join(f"{name} {count * share:,.0f}" for name, count in rows.items())
    return (
        f"{log.lines:,} lines, {log.size / 1e6:.0f} MB; by daemon: {report.daemons(log.daemons)};"
        f" {short.lines / rows['delivery_from']:.1f} lines per mail; rows (about): {made}"
    )


def _trees(arguments: argparse.Namespace, server: Server) -> dict[str, ours.Tree]:
    folders = {"": HERE, **({OTHER: arguments.other} if arguments.other else {})}
    return {
        added: ours.tree(folder, number, server, arguments.folder)
        for number, (added, folder) in enumerate(folders.items())
    }


def measure(arguments: argparse.Namespace, server: Server) -> str:
    """Measure what the arguments ask for; gives the report."""
    bench = Bench(
        folder=arguments.folder,
        server=server,
        trees=_trees(arguments, server),
        lines=arguments.lines,
        peers=arguments.peers.absolute(),
        collate=arguments.collate or arguments.peers.absolute() / "collate.pl",
    )
    sections = [preface(bench, arguments.command, arguments.rounds)]
    sections += measured(bench, arguments.only, arguments.rounds)
    return "\n\n".join(sections)


def main(argv: Sequence[str]) -> None:
    """Measure on a server of our own, and tell or write."""
    given = arguments(argv)
    given.folder.mkdir(parents=True, exist_ok=True)
    with running(given.folder) as server:
        text = measure(given, server)
    if given.write:
        report.write(DOCUMENT, text)
    else:
        print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
