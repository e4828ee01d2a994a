"""Speed of parse and extraction, this tree against another one, turn by turn in one run.

Usage: PYTHONPATH=.:tests python benchmarks/parse.py [OTHER [LINES [ROUNDS]]]

OTHER is the folder of another version's checkout; without it only this tree is measured. The lines
are those of a generated log, and of the sample in docs. Each turn is a process of its own that
reads the messages first and then takes its best of three passes over them. Prints lines per second
of CPU, and the ratio of this tree's time to the other's: above 1 is slower. On a busy machine the
ratio of the best turns says more than that of the median one.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from generate import YEAR, Log, write

HERE = Path(__file__).resolve().parent.parent
SAMPLE = HERE / "docs" / "sample" / "mail.log.xz"
PASSES = """
import sys, time
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
print(best / len(msgs))
"""


def turn(tree: Path, path: Path, year: int) -> float:
    """Seconds per line of one tree, in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", PASSES, str(path), str(year)],
        cwd=tree, check=True, capture_output=True, text=True, env={"PYTHONPATH": str(tree)},
    )  # fmt: skip
    return float(done.stdout)


def compare(name: str, path: Path, year: int, other: Path | None, rounds: int) -> None:
    """Print what one log gives."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        ours.append(turn(HERE, path, year))
        if other is not None:
            theirs.append(turn(other, path, year))
    ratios = [one / another for one, another in zip(ours, theirs, strict=False)]
    ratio = (
        f", {min(ours) / min(theirs):.3f} of the other's time at best,"
        f" {statistics.median(ratios):.3f} in the median turn"
        if theirs
        else ""
    )
    print(f"{name}: {1 / min(ours):,.0f} lines/s{ratio}")


def main(other: str = "", lines: str = "100000", rounds: str = "5") -> None:
    """Measure a generated log and the sample."""
    tree = Path(other).resolve() if other else None
    with tempfile.TemporaryDirectory() as folder:
        write(Log(int(lines)), "traditional", Path(folder), split=False, truth=False)
        (path,) = Path(folder).iterdir()
        compare("generated", path, YEAR, tree, int(rounds))
    compare("sample", SAMPLE, 2025, tree, int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
