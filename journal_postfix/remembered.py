"""What is remembered of open sessions: bounded, and plain enough to be stored as JSON.

It knows no line and no meaning; `session` and `screening` do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from journal_postfix.delivery import Delivery
from journal_postfix.messages import MsgDetails
from journal_postfix.parser import Parsed

Key = tuple[str | int | None, ...]
"""Whatever tells sessions apart: host and identifier, and process or client."""

Session = dict[str, Any]
"""What one session told; values as JSON knows them, and `t`, seconds since 1970, of its latest line."""

MOST = 1000
"""Sessions remembered of one source; the one silent for longest goes for the next."""

KEPT = 86400.0
"""Seconds of silence after which a session is forgotten, where it has no `kept` of its own."""


class Remembered:
    """The open sessions of one kind and source; ``stored`` as the method of that name gives them."""

    def __init__(self, stored: Iterable[tuple[Iterable[str | int | None], Session]] = ()) -> None:
        self._open: dict[Key, Session] = {tuple(key): session for key, session in stored}
        self._latest = 0.0

    def begin(self, key: Key, msg: MsgDetails) -> Session:
        """Begin a session anew, whatever was open under this key."""
        self._open.pop(key, None)
        return self.go_on(key, msg)

    def go_on(self, key: Key, msg: MsgDetails) -> Session:
        """The open session, or a new one whose beginning was not seen."""
        session = self._open.pop(key, None)
        if session is None:
            session = {}
            if len(self._open) >= MOST:
                del self._open[next(iter(self._open))]
        self._open[key] = session  # the last to go
        assert msg["t"] is not None
        session["t"] = t = msg["t"].timestamp()
        self._latest = max(self._latest, t)
        return session

    def get(self, key: Key) -> Session | None:
        """The open session, if it is known."""
        return self._open.get(key)

    def end(self, key: Key) -> Session | None:
        """End a session; gives what was known of it."""
        return self._open.pop(key, None)

    def stored(self) -> list[tuple[Key, Session]]:
        """All open sessions, without those that have been silent for too long."""
        self._open = {
            key: one
            for key, one in self._open.items()
            if one["t"] + one.get("kept", KEPT) >= self._latest
        }
        return list(self._open.items())


Note = Callable[[Remembered, MsgDetails, Parsed, "Delivery | None"], "Delivery | None"]
"""Remembers what a line adds to its session; gives what the line tells, with the session's part."""
