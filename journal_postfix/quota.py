"""The most that the database may take: the oldest days go early where it has grown beyond.

It moves the first days that retention keeps, by whole partitions, so that everything that goes
with a day goes in the same way. The present day always stays.

Bugs: days that go by rows (the rest of a wide partition) make no room on the disk at once, and are
not counted. The clean-up looks every `clean_interval`: between two of them there may be more.
"""

from __future__ import annotations

import logging
from datetime import date, datetime
from typing import NamedTuple

from journal_postfix.config import Config
from journal_postfix.database import SQL, Cursor, dicts
from journal_postfix.periods import Periods
from journal_postfix.store import Horizon
from journal_postfix.wording import size

log = logging.getLogger("journal_postfix")


class Block(NamedTuple):
    """Partitions of the same days: which tables' (`delivery`, `noqueue`), and what they take."""

    tables: str
    day_to: date
    bytes: int


def shortened(cursor: Cursor, config: Config, periods: Periods, now: datetime) -> Periods:
    """What is to be kept: what retention keeps, and less where max_size wants room.

    What goes early is said, and recorded in `retention_log`.
    """
    if not config.max_size:
        return periods
    cursor.execute(SQL["queries/database_bytes"])
    (taken,) = cursor.fetchone() or (0,)
    over = taken - config.max_size
    if over <= 0:
        return periods
    kept = periods.deleted
    cursor.execute(SQL["queries/partition_bytes"], {"today": now.date()})
    blocks = [Block(**row) for row in dicts(cursor)]
    firsts = _firsts(blocks, over, kept)
    early = {
        name: first for name, first in firsts._asdict().items() if first != getattr(kept, name)
    }
    for name, first in early.items():
        log.warning(
            "the database has %s, max_size is %s: %s before %s is deleted early",
            size(taken), size(config.max_size), name, first,
        )  # fmt: skip
        cursor.execute(SQL["statements/log_quota"], {"t": now, "day": first, "table_name": name})
    if sum(block.bytes for block in blocks) < over:
        log.warning(
            "the database has %s, max_size is %s, and there is no earlier day left to delete",
            size(taken), size(config.max_size),
        )  # fmt: skip
    return periods._replace(deleted=firsts)


def _firsts(blocks: list[Block], over: int, kept: Horizon) -> Horizon:
    """Give up the oldest blocks, until so many bytes are free."""
    firsts = kept._asdict()
    for block in sorted(blocks, key=lambda one: one.day_to):
        if over <= 0:
            break
        over -= block.bytes
        firsts[block.tables] = max(firsts[block.tables] or block.day_to, block.day_to)
    return Horizon(**firsts)
