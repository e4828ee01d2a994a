"""The benchmarks still run: few lines, one turn, and no time asserted."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import open_folder
from journals import JOURNAL_REMOTE

HERE = Path(__file__).parent.parent
BENCHMARKS = HERE / "benchmarks"

Load = Callable[[str], Any]


@pytest.fixture(scope="module", name="folder")
def _folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """A function that imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).parent == BENCHMARKS:
            del sys.modules[name]


def bench(folder: Path, *options: str) -> list[list[str]]:
    """Run the benchmark; gives the report's lines, cut into words."""
    words = [sys.executable, BENCHMARKS / "bench.py", "--quick", "--folder", folder, *options]
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [line.split() for line in done.stdout.splitlines()]


def figures(report: list[list[str]], name: str) -> list[float]:
    """The first two figures of a contender: lines and seconds."""
    words = name.split()
    (row,) = [line[len(words) :] for line in report if line[: len(words)] == words]
    return [float(word.replace(",", "")) for word in row[:2]]


def test_every_comparison_runs(folder: Path) -> None:
    """Each of ours takes its turn, is checked to have read everything, and has its figures."""
    report = bench(folder, "--only", "backfill,calls,parse,journal,jobs")
    names = ["backfill", "in database calls", "bare COPY", "parse, extract", "--jobs 2"]
    if Path(JOURNAL_REMOTE).exists():
        names += ["run --once", "reading alone", "journalctl -o json"]
    for name in names:
        lines, seconds = figures(report, name)
        assert lines >= 3000
        assert seconds >= 0
    assert [":Turns:", "1"] in [line[:2] for line in report]


def test_another_checkout_instead_of_the_peers(folder: Path) -> None:
    """With another checkout both trees take their turns, and no peer does."""
    report = bench(folder, "--only", "parse", "--other", str(HERE))
    assert figures(report, "parse, extract")[0] == figures(report, "parse, extract, other")[0]
    assert not [line for line in report if line[:1] == ["collate.pl"]]


def test_a_peer_that_understands_nothing_is_found_out(load: Load, folder: Path) -> None:
    """A program that prints no summary is no yardstick."""
    peers, logs = load("peers"), load("logs")
    log = logs.log(folder, 100)
    peers.check(["cat"], log, peers.GROUPS)
    with pytest.raises(RuntimeError, match="understands nothing"):
        peers.check(["true"], log, peers.GROUPS)


def test_a_program_that_fails_stops_the_benchmark(load: Load) -> None:
    """A program's exit status counts: no figure is made of a failure."""
    with pytest.raises(RuntimeError, match="exit 3: on the way"):
        load("turns").run(["sh", "-c", "echo on the way >&2; exit 3"])


def test_figures_replace_those_of_the_run_before(load: Load) -> None:
    """Writing twice leaves the text around the figures, and the latter figures only."""
    report = load("report")
    text = f"before\n\n{report.BEGIN}\n\nold\n\n{report.END}\n\nafter\n"
    once = report.replaced(text, "new")
    assert once == text.replace("old", "new")
    assert report.replaced(once, "newer") == text.replace("old", "newer")
    with pytest.raises(ValueError, match="no place for figures"):
        report.replaced("before", "new")


def test_the_document_has_a_place_for_figures(load: Load) -> None:
    """docs/performance.rst has the two comments between which a run is written."""
    document = (HERE / "docs" / "performance.rst").read_text("utf-8")
    assert "figures" in load("report").replaced(document, "figures")
