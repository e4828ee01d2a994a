"""The years of stamps that say none, counted from line to line.

It knows the order of days in a calendar and which lines of a text begin with a day.
It refuses to know hours, zones and files.

Bugs: a pause of a log longer than about a year cannot be seen; nor can a clock that was wrong by
more than a week, which is taken for the turn of a year.
"""

from __future__ import annotations

import re
from datetime import date
from itertools import accumulate
from typing import NamedTuple

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTH_NUMBERS = {name: number for number, name in enumerate(MONTHS, 1)}
DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of each month, of a leap year: 29 February needs a number too."""

DAYS_BEFORE = (0, *accumulate(DAYS))

BACKWARDS = 7
"""Days by which a stamp may lie before the one of the line above and still mean the same year."""

AHEAD = 1
"""Days by which the last stamp of a text may lie after the day it was written: zones differ."""

PREFIX = r"<\d{1,3}>(?:1 )?"
SCANNED = re.compile(
    rf"(?P<prefix>{PREFIX}|1 )?"
    rf"(?:(?P<traditional>(?:{'|'.join(MONTHS)}) (?: [1-9]|0[1-9]|[12]\d|3[01]|[1-9])) \d\d:"
    rf"|(?P<iso>\d{{4}}-\d\d-\d\d)[T ]\d\d:)".encode()
)


def day_number(month: int, day: int) -> int:
    """Return the number of a day in a leap year, 1 to 366."""
    return DAYS_BEFORE[month - 1] + day


class YearDay(NamedTuple):
    """A day of a text, its year counted from the text's first stamp, or known; month 0: none."""

    year: int = 0
    month: int = 0
    day: int = 0
    known: bool = False

    def next(self, month: int, day: int) -> YearDay:
        """Return the day of the line below, whose stamp says only month and day."""
        days = day_number(month, day) - day_number(self.month, self.day) if self.month else 0
        turn = (days < -BACKWARDS) - (days > 365 - BACKWARDS)
        return YearDay(self.year + turn, month, day, self.known)

    def year_above(self, month: int, day: int, ahead: int) -> int:
        """Return the year of a day not after this one, or at most ``ahead`` days after it."""
        days = day_number(month, day) - day_number(self.month, self.day)
        return self.year - (days > ahead) + (days < ahead - 365)

    def since(self, first_year: int) -> YearDay:
        """Return the day with its year known, given the year of the text's first stamp."""
        return self if self.known else self._replace(year=self.year + first_year, known=True)


class YearScan:
    """A pass over a text that sees nothing but its days, and so the years between them.

    ``day`` is that of the last stamp. The first stamp with a year puts an end to the counting.
    """

    def __init__(self) -> None:
        self.day = YearDay()
        self._first_year: int | None = None
        self._next_day = re.compile(rb"\n")

    def feed(self, block: bytes) -> None:
        """Look through the next lines, which are whole."""
        start = 0
        while True:
            if match := SCANNED.match(block, start):
                self._note(match)
            found = self._next_day.search(block, start)
            if found is None:
                return
            start = found.end()

    def _note(self, match: re.Match[bytes]) -> None:
        stamp = match["traditional"] or match["iso"]
        prefix = PREFIX.encode() if match["prefix"] else b""
        self._next_day = re.compile(rb"\n(?!" + prefix + stamp + rb"[ T])")
        if match["iso"]:
            year, month, day = map(int, stamp.split(b"-"))
            self._anchor(YearDay(year, month, day, True))
        else:
            self.day = self.day.next(MONTH_NUMBERS[stamp[:3].decode()], int(stamp[4:]))

    def _anchor(self, day: YearDay) -> None:
        if 1 <= day.month <= len(MONTHS):
            if self.day.month and not self.day.known:
                self._first_year = self._counted_back(day, BACKWARDS)
            self.day = day

    def _counted_back(self, end: YearDay, ahead: int) -> int:
        return end.year_above(self.day.month, self.day.day, ahead) - self.day.year

    def first_year(self, end: date) -> int | None:
        """Return the year of the first stamp, if it has none, of a text written until ``end``."""
        if self.day.known or not self.day.month:
            return self._first_year
        return self._counted_back(YearDay(end.year, end.month, end.day), AHEAD)
