"""The benchmarks still run: few lines, one turn, and no time asserted."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conftest import open_folder
from journals import JOURNAL_REMOTE

HERE = Path(__file__).parent.parent
BENCHMARKS = HERE / "benchmarks"

Load = Callable[[str], Any]
Report = Callable[..., list[list[str]]]


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


@pytest.fixture
def report(load: Load, server_dsn: str, folder: Path) -> Iterator[Report]:
    """A function that runs the benchmark and gives its report's lines, cut into words."""
    bench = load("bench")

    def run(*options: str) -> list[list[str]]:
        where = ["--folder", str(folder), "--peers", str(folder / "none")]
        text = bench.measure(bench.arguments(["--quick", *where, *options]), server)
        return [line.split() for line in text.splitlines()]

    with closing(load("server").Server(server_dsn)) as server:
        yield run


def figures(report: list[list[str]], name: str) -> list[float]:
    """The first two figures of a contender: lines and seconds."""
    words = name.split()
    (row,) = [line[len(words) :] for line in report if line[: len(words)] == words]
    return [float(word.replace(",", "")) for word in row[:2]]


def test_every_comparison_runs(report: Report) -> None:
    """Each of ours takes its turn, is checked to have read everything, and has its figures."""
    told = report("--only", "backfill,calls,profile,parse,journal,jobs")
    names = [
        "backfill",
        "in database calls",
        "bare COPY",
        "backfill, sampled",
        "parse, extract",
        "--jobs 2",
    ]
    if Path(JOURNAL_REMOTE).exists():
        names += ["run --once", "reading alone", "journalctl -o json"]
    for name in names:
        lines, seconds = figures(told, name)
        assert lines >= 3000
        assert seconds >= 0
    assert [":Turns:", "1"] in [line[:2] for line in told]


@pytest.mark.parametrize("command", ["trace", "report"])
def test_every_answer_is_timed(
    load: Load, server_dsn: str, folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """A small database is filled and asked by each key, and for a report; each has its figures."""
    asking = load("asking")
    for days in ("TRACE_DAYS", "REPORT_DAYS"):
        monkeypatch.setattr(asking, days, 4)
    given = asking.arguments(["--trace=0", "--report=0", "--asks=1", f"--{command}=0.02"])
    with closing(load("server").Server(server_dsn)) as server:
        lines = asking.measure(server, folder, given).splitlines()
        server.drop(f"{command}_full")
    expected = len(asking.KEYS) if command == "trace" else 2
    told = [line for line in lines if line.endswith(("kept", "missed"))]
    assert len(told) == expected
    assert all(" 1 " in line for line in told)


def test_another_checkout_instead_of_the_peers(load: Load, folder: Path) -> None:
    """With another checkout each of ours is measured against that one, and no peer takes part."""
    comparisons = load("comparisons")
    trees = {
        added: load("ours").Tree(HERE, "template", folder / "config.yml")
        for added in ("", comparisons.OTHER)
    }
    bench = comparisons.Bench(folder, None, trees, 100, folder, folder)
    found = {one.name: one.against for one in comparisons.COMPARISONS["parse"](bench).contenders}
    assert found["parse, extract"] == found["parse, extract, other"] == "parse, extract, other"
    assert "collate.pl" not in found


def test_a_peer_that_understands_nothing_is_found_out(load: Load, folder: Path) -> None:
    """A program that prints no summary is no yardstick."""
    peers, logs = load("peers"), load("logs")
    log = logs.log(folder, 100)
    peers.check(["cat"], log, peers.GROUPS)
    with pytest.raises(RuntimeError, match="understands nothing"):
        peers.check(["true"], log, peers.GROUPS)


def test_the_server_is_new_and_goes(load: Load, folder: Path) -> None:
    """The benchmark's server makes fresh databases, tells its CPU time, and leaves nothing."""
    server = load("server")
    with server.running(folder) as one:
        assert server.rows(one.fresh("bench"), "SELECT current_database()") == [("bench",)]
        assert one.cpu() > 0
        assert "fsync on" in one.settings()
    assert not (folder / "server").exists()


def test_a_program_that_fails_stops_the_benchmark(load: Load) -> None:
    """A program's exit status counts: no figure is made of a failure."""
    with pytest.raises(RuntimeError, match="exit 3: on the way"):
        load("turns").run(["sh", "-c", "echo on the way >&2; exit 3"])


def test_cycles_are_read_where_they_are_counted(load: Load) -> None:
    """What perf stat writes is summed over kinds of processors; what it cannot count is None."""
    cycles_of = load("turns").cycles_of
    head = "# started on Fri Nov 21 10:30:00 2025\n\n"
    both = f"{head}1200;;cpu_core/cycles/;9;100.00;;\n300;;cpu_atom/cycles/;9;100.00;;\n"
    assert cycles_of(both) == 1500
    assert cycles_of(f"{head}<not supported>;;cycles;0;100.00;;\n") is None
    assert cycles_of(head) is None


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
