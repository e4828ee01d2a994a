"""The program that runs inside the namespaces: starts everything, sends the mail, writes the truth.

Usage: ``python -m live FOLDER ROUNDS PACE``; FOLDER receives the journal (``var-log/journal``) and
``truth.json``. Each round plays all steps once, with other people. PACE is the mean pause
before a step, in seconds.
"""

from __future__ import annotations

import random
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import content_filter, dns, dovecot, isolation, journald, landed, milter, policy, postfix
from .sink import Sink
from .traffic import ALONE, TOGETHER, Step
from .truth import Truth
from .waiting import wait_until
from .world import World

# Steps of all rounds run side by side, so that the log interleaves them.
WORKERS = 3


def main(folder: str, rounds: str, pace: str) -> int:
    """Run everything; 0, or 1 where a step failed."""
    root = Path(folder)
    isolation.prepare(root)
    dns.start()
    journal = journald.start()
    postfix.start()
    policy.start()
    dovecot.start()
    milter.start()
    sink = Sink(str(postfix.CERTIFICATE))
    sink.start()
    content_filter.start(sink)
    truth = Truth()
    failures = _traffic(sink, truth, int(rounds), float(pace))
    _finish(sink, truth)
    truth.write(root / "truth.json")
    postfix.stop()
    journal.terminate()
    journal.wait()
    return 1 if failures else 0


def _traffic(sink: Sink, truth: Truth, rounds: int, pace: float) -> int:
    worlds = [World(number, sink, truth) for number in range(rounds)]
    chance = random.Random(rounds)
    plays = [
        (step, world.at(step.__name__), chance.uniform(0, 2 * pace))
        for world in worlds
        for step in TOGETHER
    ]
    chance.shuffle(plays)
    with ThreadPoolExecutor(WORKERS) as pool:
        failures = sum(pool.map(lambda play: _play(*play), plays))
    return failures + sum(_play(s, w.at(s.__name__), pace) for s in ALONE for w in worlds)


def _play(step: Step, world: World, pause: float) -> int:
    time.sleep(pause)
    try:
        step(world)
    except Exception:  # noqa: BLE001  (the other steps go on; the status tells)
        sys.stderr.write(f"step {world.step} failed:\n")
        traceback.print_exc()
        return 1
    return 0


def _finish(sink: Sink, truth: Truth) -> None:
    """Wait until nothing moves any more, then look at what arrived and what waits."""
    queues = {home: postfix.Queue(home) for home in postfix.SETTINGS}
    for queue in queues.values():
        wait_until(queue.rests, "nothing moves in the queue")
    truth.landed = landed.everything(sink)
    truth.sink = sink.answers()
    truth.queue = [
        {"instance": home.name} | entry for home, q in queues.items() for entry in q.entries()
    ]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
