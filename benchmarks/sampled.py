"""A command of journal-postfix that is looked at again and again: where its CPU time goes.

Usage: python benchmarks/sampled.py ARGUMENTS OF journal-postfix

Prints a JSON object: how often each function of ours was found at work in the main thread.
What a function of another package takes belongs to ours that called it.

Bugs: a call into C counts for the function that made it, never for the line. While another thread
works, the main thread counts where it waits.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

INTERVAL = 0.001  # seconds of CPU time; the kernel may not look as often
FOUND: Counter[str] = Counter()
PACKAGE = "journal_postfix"


def _look(_: int, frame: FrameType | None) -> None:
    while frame is not None and Path(frame.f_code.co_filename).parent.name != PACKAGE:
        frame = frame.f_back
    FOUND[_name(frame)] += 1


def _name(frame: FrameType | None) -> str:
    if frame is None:
        return "python"
    return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"


def main() -> None:
    """Run the command, then tell."""
    from journal_postfix import cli  # noqa: PLC0415 -- starting up is not what is looked at

    signal.signal(signal.SIGPROF, _look)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    status = cli.main(sys.argv[1:])
    signal.setitimer(signal.ITIMER_PROF, 0)
    print(json.dumps({"functions": dict(FOUND.most_common())}))
    sys.exit(status)


if __name__ == "__main__":
    main()
