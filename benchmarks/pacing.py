"""The lines of a generated log, written to a journald at a pace; and when each was handed over.

Usage: PYTHONPATH=.:tests python benchmarks/pacing.py SOCKET LINES

A process of its own, so that it keeps its pace. All lines are made first, then "ready" is printed.
Each line of standard input is a turn: RATE COUNT FILE, where COUNT 0 stands for all that is left.
The FILE gets, as JSON, the moment of each line, by the clock that all processes share; the moment
of the first line of each queue id; and after the last turn how many rows all the lines make.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from logs import REUSE

from generate import Log, simulate
from traffic.world import Line, World

ONE_BY_ONE = 0.001  # seconds; whoever is due within that long is not waited for
ID = re.compile(r"(?:NOQUEUE: )?([0-9A-Za-z]{6,20}): ")


class Datagram(NamedTuple):
    """What journald gets for a line, and the queue id that the line begins with."""

    data: bytes
    queue_id: str


def datagram(line: Line) -> Datagram:
    """Give a line in journald's native protocol, without fields that only journald may set."""
    pid = f"SYSLOG_PID={line.pid}\n" if line.pid else ""
    priority = 4 if line.text.startswith("warning:") else 6
    fields = f"SYSLOG_IDENTIFIER={line.ident}\n{pid}PRIORITY={priority}\nSYSLOG_FACILITY=2\n"
    found = ID.match(line.text)
    return Datagram(f"{fields}MESSAGE={line.text}\n".encode(), found[1] if found else "")


def write(there: socket.socket, lines: Sequence[Datagram], rate: float) -> list[float]:
    """Hand the lines over, so many in a second; gives the moment at which each was."""
    begin = time.monotonic()
    sent = []
    for number, (data, _) in enumerate(lines):
        wait = begin + number / rate - time.monotonic()
        if wait > ONE_BY_ONE:
            time.sleep(wait)
        there.send(data)
        sent.append(time.monotonic())
    return sent


def postfix_lines(world: World) -> Iterator[Datagram]:
    """Give the lines of Postfix; others are passed over by whoever reads."""
    return (datagram(line) for line in world.run() if line.ident.startswith("postfix"))


def turn(there: socket.socket, lines: Sequence[Datagram], rate: float) -> dict[str, object]:
    """Write some lines and say when."""
    sent = write(there, lines, rate)
    first: dict[str, float] = {}
    for moment, line in zip(sent, lines, strict=True):
        first.setdefault(line.queue_id, moment)
    return {"sent": sent, "mails": first}


def main(address: str, count: str) -> None:
    """Make the lines, then take turns."""
    world = simulate(Log(int(count), hosts=1, reuse=float(REUSE)))
    lines = list(postfix_lines(world))
    rows = {table: len(found) for table, found in world.ledger.rows(1).items()}
    del world
    there = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    there.connect(address)
    print("ready", flush=True)
    at = 0
    for order in sys.stdin:
        rate, wanted, file = order.split()
        end = at + int(wanted) if int(wanted) else len(lines)
        done = turn(there, lines[at:end], float(rate)) | {"rows": rows if end == len(lines) else {}}
        Path(file).write_text(json.dumps(done), "utf-8")
        at = end
        print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
