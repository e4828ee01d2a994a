"""What the sending and the receiving side know, as plain data that goes into one JSON file.

``Expected`` is what a step of the traffic foretells about one mail: ``key`` finds its row,
``columns`` are columns of delivery_from, ``recipients`` are all its rows of delivery_to and
``verdicts`` all its rows of noqueue (None: not foretold). A value None means NULL, ``SET``
means any value but NULL.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SET = "(set)"
Row = dict[str, Any]


@dataclass
class Expected:
    """One mail as a step foretells it."""

    step: str
    key: Row
    columns: Row
    recipients: list[Row] | None = None
    verdicts: list[Row] | None = None


@dataclass
class Truth:
    """All that is known without the log."""

    expected: list[Expected] = field(default_factory=list)
    refusals: list[Row] = field(default_factory=list)
    verdicts: list[Row] = field(default_factory=list)
    notices: list[Row] = field(default_factory=list)
    incomplete: list[Row] = field(default_factory=list)
    sink: list[Row] = field(default_factory=list)
    landed: list[Row] = field(default_factory=list)
    queue: list[Row] = field(default_factory=list)
    forged: list[Row] = field(default_factory=list)
    dropped: list[Row] = field(default_factory=list)
    probes: list[Row] = field(default_factory=list)
    queue_events: list[Row] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1, default=str))


def sent(recipient: str, daemon: str, reason: str, **more: Any) -> Row:
    """A recipient whose mail was delivered once, at the first attempt."""
    row = {"recipient": recipient, "orig_to": None, "daemon": daemon, "status": "sent"}
    counts = {"dsn": "2.0.0", "reason": reason, "attempts": 1, "copies": 1, "skipped": 0}
    return row | counts | more


def to_maildir(user: str, orig_to: str | None = None) -> Row:
    """A recipient whose mail local(8) put into the Maildir."""
    return sent(f"{user}@example.com", "local", "delivered to maildir", orig_to=orig_to,
                relay="local")  # fmt: skip


def failed(recipient: str, status: str, dsn: str, **more: Any) -> Row:
    """A recipient whose mail was not delivered, after one attempt."""
    row = {"recipient": recipient, "status": status, "dsn": dsn, "attempts": 1, "copies": 0}
    return row | {"orig_to": None} | more
