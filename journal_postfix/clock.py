"""Times and durations as people read them, in a zone of theirs."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

_WEEK = timedelta(days=6)
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


class Clock(NamedTuple):
    """Tells the time of a zone; None: the machine's."""

    zone: tzinfo | None

    def full(self, t: datetime) -> str:
        """With weekday and date."""
        return f"{t.astimezone(self.zone):%a %Y-%m-%d %H:%M:%S}"

    def near(self, t: datetime, to: datetime) -> str:
        """As short as it can be told beside another time: without the day where it is the same."""
        here, there = t.astimezone(self.zone), to.astimezone(self.zone)
        if here.date() == there.date():
            return f"{here:%H:%M:%S}"
        return (
            f"{here:%a %H:%M:%S}" if abs(here - there) < _WEEK else f"{here:%a %Y-%m-%d %H:%M:%S}"
        )

    def offset(self, t: datetime) -> str:
        """The zone's distance from UTC at a time."""
        text = f"{t.astimezone(self.zone):%z}"
        return f"{text[:3]}:{text[3:5]}"


def duration(seconds: float) -> str:
    """A duration in its two largest units."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    left = round(seconds)
    words: list[tuple[int, str]] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count or words:
            words.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in words[:2] if count)
