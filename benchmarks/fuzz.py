"""Mutated log lines through the parser: no exception, no wrong row, no slow line.

Usage: PYTHONPATH=.:tests python benchmarks/fuzz.py [COUNT [SEED]]. Sample lines of the tests are cut, joined, repeated
and sprinkled with the characters that matter. Prints what was read and the slowest lines.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from journal_postfix.delivery import extract_delivery
from journal_postfix.messages import MsgDetails
from journal_postfix.parser import parse
from test_samples import SAMPLES

T = datetime(2025, 11, 21, 10, 30, tzinfo=UTC)
TEXTS = [(sample.msg["identifier"], sample.msg["message"]) for sample in SAMPLES]
PIECES = (
    *'<>"\\()[];:,=@ ?\0\n\t\ud800ü0',
    "; from=<", " to=<", "> proto=ESMTP", " helo=<", ", relay=", ", status=sent (", "warning: ",
    "NOQUEUE: ", "3C5D120ABF: ", " from local;", "[192.0.2.66]", "a" * 500, '"a' * 300, "\\" * 300,
)  # fmt: skip
TABLES = {
    "client": "from", "content_verdict": "noqueue", "delivery": "to", "expired": "from",
    "held": "from", "message_id": "from", "message_rejected": "from", "notification": "from",
    "pickup": "from", "proxy_verdict": "noqueue", "queue_active": "from", "released": "from",
    "removed": "from", "requeued": "from", "resent_message_id": "from",
    "screening_busy": "noqueue", "session_trouble": "from", "verdict": "noqueue",
}  # fmt: skip
SLOW = 0.02  # seconds; a line of this size takes some 10 microseconds


def mutated(random_: random.Random) -> tuple[str, str]:
    """A sample line with one to four faults."""
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
    return identifier, text[:100_000]


def check(parsed: dict[str, Any], delivery: dict[str, Any] | None) -> None:
    """Raise AssertionError for a row that no statement of this name gives."""
    assert None not in parsed.values()
    if delivery is not None:
        assert delivery["table"] == TABLES[parsed["action"]]
        assert None not in delivery.values()


def main(count: int, seed: int) -> None:
    """Parse `count` mutated lines and print what they were taken for."""
    random_ = random.Random(seed)
    actions: Counter[str] = Counter()
    slow: list[tuple[float, str]] = []
    for _ in range(count):
        identifier, text = mutated(random_)
        msg: MsgDetails = {
            "t": T, "host": "mx1", "identifier": identifier, "pid": 1, "message": text,
            "position": 0,
        }  # fmt: skip
        begin = time.process_time()
        parsed = parse(msg)
        _, delivery = extract_delivery(msg, parsed)
        took = time.process_time() - begin
        check(parsed, delivery)
        actions[parsed["action"]] += 1
        if took > SLOW:
            slow.append((took, text[:200]))
    rows = sum(actions[name] for name in TABLES)
    print(f"{count} lines, {actions['unknown']} unknown, {rows} of statements with rows")
    for took, text in sorted(slow, reverse=True)[:5]:
        print(f"{took * 1000:.0f} ms: {text!r}")


if __name__ == "__main__":
    numbers = [int(value) for value in sys.argv[1:]]
    main(*numbers, *(100_000, 1)[len(numbers) :])
