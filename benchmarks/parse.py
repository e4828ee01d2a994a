"""Speed of parse and extraction, this tree against another one, turn by turn in one run.

Usage: PYTHONPATH=. python benchmarks/parse.py [OTHER [LINES [ROUNDS]]]

OTHER is the folder of another version's checkout; without it only this tree is measured. The lines
are those of a generated log, and of the sample in docs. Each turn is a process of its own that
reads the messages first and then takes its best of three passes over them. Prints lines per second
of CPU, and the ratio of this tree's time to the other's: above 1 is slower. On a busy machine the
ratio of the best turns says more than that of the median one.
"""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import logs
from turns import Comparison, Contender, Took, interleave, per_line, run

SAMPLE = logs.HERE / "docs" / "sample" / "mail.log.xz"
PASSES = """
import json, sys, time
from journal_postfix.delivery import extract_delivery
from journal_postfix.logfile import iter_logfile_messages
from journal_postfix.parser import parse

msgs = [msg for _, msg in iter_logfile_messages(sys.argv[1], int(sys.argv[2]), "UTC")]
best = float("inf")
for _ in range(3):
    begin = time.process_time()
    for msg in msgs:
        extract_delivery(msg, parse(msg))
    best = min(best, time.process_time() - begin)
print(json.dumps([best, len(msgs)]))
"""


def turn(tree: Path, path: Path, year: str) -> Took:
    """The best pass of one tree, in a fresh process."""
    words = [sys.executable, "-c", PASSES, path, year]
    ran = run(words, cwd=tree, env={"PYTHONPATH": str(tree)}, keep=True)
    return Took(*json.loads(ran.output))


def compare(name: str, path: Path, year: str, trees: dict[str, Path], rounds: int) -> None:
    """Print what one log gives."""
    contenders = [Contender(one, partial(turn, tree, path, year)) for one, tree in trees.items()]
    results = interleave(Comparison(name, "", contenders), rounds)
    best = {one: min(took.seconds / took.lines for took in results[one]) for one in trees}
    print(f"{name}: {1 / best['this']:,.0f} lines/s")
    if "other" in trees:
        median = per_line(results["this"]) / per_line(results["other"])
        ratio = best["this"] / best["other"]
        print(f"{name}: {ratio:.3f} of the other's time at best, {median:.3f} of the median turn")


def main(other: str = "", lines: str = "100000", rounds: str = "5") -> None:
    """Measure a generated log and the sample."""
    trees = {"this": logs.HERE, **({"other": Path(other).resolve()} if other else {})}
    with tempfile.TemporaryDirectory() as folder:
        generated = logs.log(Path(folder), int(lines)).path
        compare("generated", generated, logs.YEAR, trees, int(rounds))
    compare("sample", SAMPLE, "2025", trees, int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
