"""Mails that a writing session remembers, so that their next lines need not load them again.

What is remembered of a host is true as long as nobody else changes its mails: whoever does takes
the writer's number out of the host's row (table `host`), which a batch locks and looks at first.
Mails are remembered with all others of their host and queue id that are open.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime

from journal_postfix.batch import Key
from journal_postfix.mail import Mail

Group = tuple[int, list[Mail]]  # all open mails of a key, and how many rows they have

MOST = 5_000
"""Rows remembered: a few kB each. Those of mails that ended go first, then of those silent for longest."""


class KeptMails:
    """Mails by host and queue id, and row numbers that were fetched but not needed yet."""

    def __init__(self) -> None:
        self.writer = secrets.randbits(63)
        self.numbers: list[int] = []
        self.source_id: int | None = None
        self._open: dict[Key, Group] = {}
        self._ended: dict[Key, Group] = {}
        self._rows = 0

    def clear(self) -> None:
        """Forget all mails: they may have been changed by somebody else, or not be stored."""
        self._open.clear()
        self._ended.clear()
        self._rows = 0

    def read(self, source_id: int) -> None:
        """Go on with this log file; another one's lines have an order of their own."""
        if source_id != self.source_id:
            self.clear()
        self.source_id = source_id

    def take(self, keys: Iterable[Key]) -> dict[Key, list[Mail]]:
        """Give those that are remembered, and forget them: a batch is about to change them."""
        taken: dict[Key, list[Mail]] = {}
        for key in keys:
            found = self._open.pop(key, None) or self._ended.pop(key, None)
            if found is not None:
                rows, taken[key] = found
                self._rows -= rows
        return taken

    def keep(self, mails: dict[Key, list[Mail]], settled: Mapping[str, datetime]) -> None:
        """Remember mails as they have just been written, but for those that are settled."""
        for key, group in mails.items():
            t, rows, is_ended = settled.get(key[0]), 0, True
            for mail in group:
                if "id" not in mail.row or mail.is_settled(t):  # not stored, or over
                    break
                mail.written()
                rows += 1 + len(mail.tos)
                is_ended = is_ended and mail.ended_at() is not None
            else:
                if rows:
                    (self._ended if is_ended else self._open)[key] = rows, group
                    self._rows += rows
        while self._rows > MOST:
            silent = self._ended or self._open
            rows, _ = silent.pop(next(iter(silent)))
            self._rows -= rows
