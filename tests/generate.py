"""Large Postfix logs with known truth, from a seed.

    python tests/generate.py --lines 1000000 --hosts 3 --seed 1 --format iso --output DIR

writes DIR/mixed.log (all hosts) or, with --split, one file per host, and with --truth the true
rows as DIR/truth.json. The same options give the same bytes. Times begin at START, in UTC; files
of the traditional format need ``--year 2024 --timezone UTC`` when they are read.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TextIO

from traffic.formats import FORMATS, RESOLUTION, SUFFIX, Writer
from traffic.kinds import KINDS
from traffic.ledger import Row
from traffic.machine import REUSE
from traffic.world import SECOND, Line, Story, World

# The log runs over the turn of a year, and of a day.
YEAR = 2024
START = int(datetime(YEAR, 12, 31, 21, 0, tzinfo=UTC).timestamp()) * SECOND
LINES_PER_STORY = 7.5
RAMP = 20


class Log(NamedTuple):
    """What to make: how many lines, hosts and hours, how shuffled, how many ids come back."""

    lines: int = 10_000
    hosts: int = 3
    seed: int = 1
    hours: float = 6.0
    shuffle: float = 0.0
    reuse: float = REUSE


def simulate(log: Log, *, truth: bool = True) -> World:
    """Set up a simulation; its ``run()`` gives the lines, after which its ledger has the truth."""
    shuffle = int(log.shuffle * SECOND)
    world = World(log.seed, log.hosts, shuffle, reuse=log.reuse, truth=truth)
    world.spawn(START, _traffic(world, log))
    return world


def _traffic(world: World, log: Log) -> Story:
    """Begin stories at random moments until enough has been said."""
    t = START
    mean_gap = log.hours * 3600 * SECOND * LINES_PER_STORY / log.lines
    kinds, weights = list(KINDS), list(itertools.accumulate(KINDS.values()))
    while world.said < log.lines:
        kind = world.rng.choices(kinds, cum_weights=weights)[0]
        machine = world.rng.choice(world.machines)
        world.spawn(t, kind(world, machine, t))
        t += int(world.rng.expovariate(1 / mean_gap)) + 1
        yield t


def write(log: Log, form: str, folder: Path, *, split: bool, truth: bool = True) -> World:
    """Write a log into a folder: ``mixed`` or one file per host; give the played simulation."""
    world = simulate(log, truth=truth)
    write_lines(world, world.run(), form, folder, split=split)
    return world


def write_lines(
    world: World, lines: Iterable[Line], form: str, folder: Path, *, split: bool
) -> None:
    """Write the lines of a simulation into a folder, as ``write`` does."""
    line_of = FORMATS[form](START)
    names = [machine.name for machine in world.machines] if split else ["mixed"]
    with ExitStack() as stack:
        paths = [folder / f"{name}.{SUFFIX[form]}" for name in names]
        files = [stack.enter_context(path.open("w", encoding="utf-8")) for path in paths]
        for chunk in _chunks(iter(lines)):
            _write_chunk(files, chunk, line_of, split=split)


def _chunks(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while chunk := list(itertools.islice(lines, 10_000)):
        yield chunk


def _write_chunk(
    files: Sequence[TextIO], chunk: list[Line], line_of: Writer, *, split: bool
) -> None:
    if not split:
        files[0].writelines(map(line_of, chunk))
        return
    for number, file in enumerate(files):
        file.writelines(line_of(line) for line in chunk if line.machine.number == number)


def true_rows(world: World, form: str) -> dict[str, list[Row]]:
    """Give the true rows of a played simulation at the resolution of a format."""
    return world.ledger.rows(RESOLUTION[form])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write large Postfix logs with known truth.")
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=6.0, help="span of time of the log")
    parser.add_argument("--shuffle", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument(
        "--reuse", type=float, default=REUSE, help="share of short queue ids that come back"
    )
    parser.add_argument("--format", choices=FORMATS, default="traditional")
    parser.add_argument("--split", action="store_true", help="one file per host")
    parser.add_argument("--truth", action="store_true", help="write the true rows as truth.json")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    return parser.parse_args()


def main() -> int:
    """Write what the command line asks for."""
    args = _arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    log = Log(args.lines, args.hosts, args.seed, args.hours, args.shuffle, args.reuse)
    world = write(log, args.format, args.output, split=args.split, truth=args.truth)
    if args.truth:
        rows = true_rows(world, args.format)
        text = json.dumps(rows, default=str, indent=1)
        (args.output / "truth.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
