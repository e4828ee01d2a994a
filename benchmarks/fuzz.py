"""Mutated log lines through reader, parser and extraction: no exception, no wrong row, no slow line.

Usage: PYTHONPATH=.:tests python benchmarks/fuzz.py [COUNT [SEED]]
       PYTHONPATH=.:tests python benchmarks/fuzz.py --pump

Lines of every daemon (the samples and the catalogue of the tests) are cut, joined, repeated and
sprinkled with the characters that matter, their identifiers too. Half of them go to `parse` as
texts; half are written to a file, damaged once more as bytes, and read back. Prints what was read
and the slowest lines. --pump makes each field of each statement long, in all ways that its own
text suggests, and prints where four times the length takes more than eight times as long.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from journal_postfix.delivery import extract_delivery
from journal_postfix.formats import STATEMENTS
from journal_postfix.logfile import iter_logfile_messages
from journal_postfix.messages import MsgDetails
from journal_postfix.parser import parse, route
from journal_postfix.shapes import masked, shape
from pumping import holes, pieces, pumped
from test_catalog import CATALOG, message
from test_samples import SAMPLES

T = datetime(2025, 11, 21, 10, 30, tzinfo=UTC)
MSGS = [sample.msg for sample in SAMPLES] + [message(entry["example"]) for entry in CATALOG]
TEXTS = [(msg["identifier"], msg["message"]) for msg in MSGS]
DAEMONS = sorted({daemon for statement in STATEMENTS for daemon in statement.daemons})
PIECES = (
    *'<>"\\()[];:,=@ ?\0\n\t\ud800ü0', "\u2028", "\x85", "\U0001f4e7", "\x1b[0m",
    "; from=<", " to=<", "> proto=ESMTP", " helo=<", ", relay=", ", status=sent (", "warning: ",
    "NOQUEUE: ", "3C5D120ABF: ", " from local;", "[192.0.2.66]", "a" * 500, '"a' * 300, "\\" * 300,
    " sasl_username=", ", orig_to=<", " -- ", '" with "', "message repeated 3 times: [ ",
)  # fmt: skip
BYTES = (
    b"\0",
    b"\n",
    b"\r",
    b"\xff",
    b"\xc3",
    b"\xe2\x82",
    b"\x80",
    b" ",
    b":",
    b"[",
    b"]",
    b"<13>",
)
TABLES = {
    "client": "from", "content_verdict": "noqueue", "delivery": "to", "expired": "from",
    "held": "from", "login_aborted": "login", "login_failed": "login", "message_id": "from", "message_rejected": "from", "notification": "from",
    "pickup": "from", "proxy_verdict": "noqueue", "queue_active": "from", "rate_limit": "login", "released": "from",
    "postsuper": "queue_event", "force_expired": "queue_event", "removed": "from", "requeued": "from", "resent_message_id": "from",
    "screening_busy": "noqueue", "session_trouble": "from", "verdict": "noqueue",
}  # fmt: skip
SAYS: dict[str, set[str]] = {}
for one in STATEMENTS:
    for name in one.daemons or DAEMONS:
        SAYS.setdefault(name, set()).add(one.action)
SLOW = 0.02  # seconds; a line of this size takes some 10 microseconds
BLOCK = 2000  # lines of a file


def mutated(random_: random.Random) -> tuple[str, str]:
    """A line with one to four faults, sometimes said by somebody else."""
    identifier, text = random_.choice(TEXTS)
    for _ in range(random_.randint(1, 4)):
        start, end = sorted((random_.randint(0, len(text)), random_.randint(0, len(text))))
        middle = random_.choice(
            (
                random_.choice(PIECES),
                random_.choice(TEXTS)[1],
                text[start:end] * random_.randint(2, 4),
                "",
            )
        )
        text = text[:start] + middle + text[random_.choice((start, end)) :]
    if random_.random() < 0.2:
        identifier = f"postfix/{random_.choice(DAEMONS)}"
    if random_.random() < 0.05:
        at = random_.randint(0, len(identifier))
        identifier = identifier[:at] + random_.choice(PIECES) + identifier[at:]
    return identifier, text[:100_000]


def texts(random_: random.Random, count: int) -> Iterator[MsgDetails]:
    """Messages as a journal gives them."""
    for _ in range(count):
        identifier, text = mutated(random_)
        yield {
            "t": T, "host": "mx1", "identifier": identifier, "pid": 1, "message": text,
            "position": 0,
        }  # fmt: skip


def damaged(random_: random.Random, data: bytearray) -> bytes:
    """The bytes of a file with a fault in every tenth line or so."""
    for _ in range(BLOCK // 10):
        start = random_.randrange(len(data))
        end = start + random_.choice((0, 0, 1, 1, 2, 40))
        data[start:end] = random_.choice(BYTES) * random_.choice((1, 1, 1, 3))
    return bytes(data)


def read_back(random_: random.Random, path: Path) -> Iterator[MsgDetails]:
    """Messages of a damaged file, of which each line was mutated before."""
    lines = bytearray()
    for _ in range(BLOCK):
        identifier, text = mutated(random_)
        stamp = random_.choice(("Nov 21 10:30:01", "2025-11-21T10:30:01.5+00:00"))
        line = f"{stamp} mx1 {identifier}[{random_.randint(1, 99999)}]: {text}\n"
        lines += line.encode("utf-8", "surrogatepass")
    path.write_bytes(damaged(random_, lines))
    yield from (msg for _, msg in iter_logfile_messages(path, 2025, "UTC"))


def check(msg: MsgDetails, parsed: dict[str, Any], delivery: dict[str, Any] | None) -> None:
    """Raise AssertionError for a row that no statement of this name, or of this daemon, gives."""
    assert None not in parsed.values()
    found = route(msg["identifier"])
    assert (found is None) == (parsed["action"] == "foreign")
    if found is not None and parsed["action"] != "unknown":
        assert found.daemon not in SAYS or parsed["action"] in SAYS[found.daemon]
    if delivery is not None:
        in_front = parsed["action"] == "client" and "queue_id" not in parsed
        assert delivery["table"] == ("login" if in_front else TABLES[parsed["action"]])
        assert None not in delivery.values()


def sources(random_: random.Random, count: int, folder: str) -> Iterator[MsgDetails]:
    """Half of the messages as texts, half through a file."""
    for number in range(count // (2 * BLOCK)):
        yield from texts(random_, BLOCK)
        yield from read_back(random_, Path(folder) / f"mail{number % 2}.log")


def main(count: int, seed: int) -> None:
    """Parse `count` mutated lines and print what they were taken for."""
    random_ = random.Random(seed)
    actions: Counter[str] = Counter()
    slow: list[tuple[float, str]] = []
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for msg in sources(random_, count, folder):
            begin = time.process_time()
            parsed = parse(msg)
            _, delivery = extract_delivery(msg, parsed)
            took = time.process_time() - begin
            check(msg, parsed, delivery)
            if parsed["action"] == "unknown":
                shape(masked(msg["message"]))
            actions[parsed["action"]] += 1
            slowest = max(slowest, took)
            if took > SLOW:
                slow.append((took, msg["message"][:200]))
    rows = sum(actions[name] for name in TABLES)
    print(
        f"{sum(actions.values())} lines, {actions['foreign']} foreign, {actions['unknown']} unknown,"
        f" {rows} of statements with rows, {len(actions)} actions; slowest {slowest * 1000:.1f} ms"
    )
    for took, text in sorted(slow, reverse=True)[:5]:
        print(f"{took * 1000:.0f} ms: {text!r}")


def _took(msg: MsgDetails) -> float:
    begin = time.process_time()
    parse(msg)
    return time.process_time() - begin


def pump() -> None:
    """Print the fields of which a length makes more work than it should."""
    count = 0
    for hole in holes():
        for piece in pieces(hole):
            for broken in (False, True):
                short, long = (
                    _took({**hole.msg, "message": pumped(hole, piece, size, broken=broken)})
                    for size in (20_000, 80_000)
                )
                count += 1
                if long > max(8 * short, SLOW):
                    print(f"{long * 1000:.0f} ms: {hole.name} {piece!r} in {hole.msg['message']!r}")
    print(f"{count} fields pumped")


if __name__ == "__main__":
    if sys.argv[1:] == ["--pump"]:
        pump()
    else:
        numbers = [int(value) for value in sys.argv[1:]]
        main(*numbers, *(100_000, 1)[len(numbers) :])
