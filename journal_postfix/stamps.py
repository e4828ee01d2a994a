"""Time stamps of log lines, from their text to aware times in UTC.

It knows the stamps of RFC 3164 (no year, no zone) and of RFC 3339 (ISO 8601), and tells apart the two
passes of an hour that comes twice.
It refuses to know what else stands in a line, and where the lines come from.

Bugs: in the hour that comes twice, lines after a pause are taken for its first pass as long as
that is possible.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from journal_postfix.messages import InputError, UsageError
from journal_postfix.years import DAYS, MONTH_NUMBERS, MONTHS, YearDay

YEARS = range(1970, 2101)
AHEAD = timedelta(days=1)
"""How far a stamp may lie in the future: a clock or a zone may be wrong, a year may not."""

SHUFFLED = timedelta(minutes=2)
"""How far lines may be out of order at the end of an hour that comes twice."""

LEAP_YEARS = 9
"""Years in which every day of the calendar exists at least once."""

APART = timedelta(hours=1)
KEPT_SECONDS = 64
KEPT_MINUTES = 8
from_iso = datetime.fromisoformat
EARLIEST = datetime(YEARS[0], 1, 1, tzinfo=UTC)

TRADITIONAL = re.compile(
    rf"({'|'.join(MONTHS)}) ( [1-9]|0[1-9]|[12]\d|3[01]) ([01]\d|2[0-3]):([0-5]\d):(?:[0-5]\d|60)"
)
SECONDS = {f":{number:02d}": timedelta(seconds=number) for number in range(61)}
OFFSETS = {
    f"{sign}{hours:02d}:{minutes:02d}": factor * timedelta(hours=hours, minutes=minutes)
    for sign, factor in (("+", 1), ("-", -1))
    for hours in range(16)
    for minutes in (0, 15, 30, 45)
}


class StampError(InputError):
    """A stamp that cannot be right; the reader of the file adds file and line."""


def checked_year(year: int | None) -> int | None:
    """Return the year; UsageError where it is outside 1970 to 2100."""
    if year is not None and year not in YEARS:
        raise UsageError(f"the year {year} is not between {YEARS[0]} and {YEARS[-1]}")
    return year


def checked_zone(name: str | None) -> tzinfo | None:
    """Return the time zone of a name such as Europe/Berlin, None (the machine's own) for none.

    UsageError where no such zone is known.
    """
    if name is None:
        return None
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise UsageError(
            f"unknown time zone {name!r}: give a name such as Europe/Berlin or UTC"
        ) from None


def local_time(year: int, month: int, day: int, hour: int, minute: int) -> datetime | None:
    """Return a local time, None where this year has no such day."""
    try:
        return datetime(year, month, day, hour, minute)  # noqa: DTZ001 - local, zone to come
    except ValueError:
        return None


def utc_now() -> datetime:
    """Return the time by the machine's clock."""
    return datetime.now(UTC)


class Clock(dict[str, datetime]):
    """Reader of a text's stamps, line by line and in the order of the text.

    ``clock["Nov  3 09:01:00"]`` is the time of a traditional stamp, KeyError where it is none;
    ``clock.iso(stamp)`` that of an ISO stamp, ValueError or OverflowError where it is none. Both
    raise StampError where a time lies more than a day in the future or its day does not exist.

    ``zone`` is that of stamps which do not say theirs, None the machine's own. ``day`` is where
    counting the years begins: the day of the line above, its year known; without it the first
    stamp is taken for the latest possible one. ``is_given``: somebody gave the year, so that a
    day in the future is an error; else the year was a guess, and is again the latest possible
    one. ``live``: the lines are written now, so that an ISO time in the future is now.

    The last seconds and minutes are kept, because this is done for every line.
    """

    def __init__(
        self,
        zone: tzinfo | None = None,
        day: YearDay | None = None,
        *,
        is_given: bool = False,
        live: bool = False,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__()
        self._zone = zone
        self._day = day
        self._is_given = is_given
        self._live = live
        self._now = now
        self._limit = now() + AHEAD
        self._minutes: dict[str, datetime] = {}
        self._last: datetime | None = None
        self._iso: datetime | None = None

    def __missing__(self, stamp: str) -> datetime:
        minute = self._minutes.get(stamp[:12])
        if minute is None:
            return self._new_minute(stamp)
        t = minute + SECONDS[stamp[12:]]
        if len(self) >= KEPT_SECONDS:
            self.clear()
        self[stamp] = t
        return t

    def iso(self, stamp: str) -> datetime:
        """Return the time of an ISO 8601 stamp with ``T``."""
        offset = OFFSETS.get(stamp[-6:])
        # "Z" and a subtraction take half as long as fromisoformat and astimezone
        t = from_iso(stamp[:-6] + "Z") - offset if offset is not None else self._odd_iso(stamp)
        if not EARLIEST <= t <= self._limit:
            t = self._possible(t, stamp)
        self._iso = t
        return t

    def _odd_iso(self, stamp: str) -> datetime:
        """Read what is rarer: Z, +0200, +02, no offset at all, a leap second."""
        if stamp[10:11] != "T":
            raise ValueError(stamp)
        self._last = self._iso or self._last
        leap = stamp[16:19] == ":60"
        t = from_iso(stamp[:16] + ":59" + stamp[19:] if leap else stamp)
        t = self._in_order(t) if t.tzinfo is None else t.astimezone(UTC)
        return t + timedelta(seconds=leap)

    def _possible(self, t: datetime, stamp: str) -> datetime:
        if t < EARLIEST:
            raise ValueError(stamp)
        if not self._is_future(t):
            return t
        if not self._live:
            raise StampError(f"the time {stamp} lies in the future; is this machine's clock right?")
        return self._now()

    def _is_future(self, t: datetime) -> bool:
        if t > self._limit:
            self._limit = self._now() + AHEAD
        return t > self._limit

    def _new_minute(self, stamp: str) -> datetime:
        """Read a stamp in full, and keep its minute unless the minute comes twice."""
        match = TRADITIONAL.fullmatch(stamp)
        if match is None:
            raise KeyError(stamp)
        naive = self._dated(stamp, MONTH_NUMBERS[match[1]], *map(int, match.groups()[1:]))
        t = self._in_order(naive)
        if self._last is None or abs(t - self._last) > APART or len(self._minutes) > KEPT_MINUTES:
            self.clear()
            self._minutes.clear()
        if self._utc(naive, 0) == self._utc(naive, 1):
            self._minutes[stamp[:12]] = t
        self._last = t
        return t + SECONDS[stamp[12:]]

    def _dated(self, stamp: str, month: int, day: int, hour: int, minute: int) -> datetime:
        """Return the local time of a stamp, its year counted from the line above."""
        if day > DAYS[month - 1]:
            raise KeyError(stamp)
        naive = None
        if above := self._day_above():
            naive = local_time(above.next(month, day).year, month, day, hour, minute)
            if naive is None or self._is_future(self._utc(naive, 0)):
                if self._is_given:
                    year = above.next(month, day).year
                    raise StampError(
                        f"{stamp!r} in {year} lies in the future or does not exist; "
                        "give the year of the file's first line with --year"
                    )
                naive = None
        naive = naive or self._latest(month, day, hour, minute)
        self._day = YearDay(naive.year, month, day, True)
        return naive

    def _day_above(self) -> YearDay | None:
        """Return the day of the line above, which may have been written with its year."""
        if self._iso is not None:
            local = self._iso.astimezone(self._zone)
            self._day = YearDay(local.year, local.month, local.day, True)
            self._last, self._iso = self._iso, None
        return self._day

    def _latest(self, month: int, day: int, hour: int, minute: int) -> datetime:
        """Return the latest local time of this day and hour that is not in the future."""
        end = self._now() + AHEAD
        last = end.astimezone(self._zone).year
        times = (local_time(last - back, month, day, hour, minute) for back in range(LEAP_YEARS))
        return next(t for t in times if t and self._utc(t, 0) <= end)

    def _utc(self, naive: datetime, fold: int) -> datetime:
        """Read a local time; without a zone it is the machine's, as the C library knows it."""
        return naive.replace(tzinfo=self._zone, fold=fold).astimezone(UTC)

    def _in_order(self, naive: datetime) -> datetime:
        """Read a local time: in an hour that comes twice, the pass that keeps the order."""
        first, second = self._utc(naive, 0), self._utc(naive, 1)
        if first >= second or self._last is None or first >= self._last - SHUFFLED:
            return first
        return second
