"""Numbers, sizes, ages and shares as people say them."""

from __future__ import annotations

from datetime import datetime, timedelta

_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def counted(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}"


def number_of(number: int, word: str) -> str:
    """A number with the word for what is counted."""
    return f"{counted(number)} {word}{'' if number == 1 else 's'}"


def size(octets: int) -> str:
    """Octets in the unit that leaves few digits."""
    for unit, name in _UNITS:
        if octets >= unit:
            value = octets / unit
            return f"{value:.1f} {name}" if value < 10 else f"{value:,.0f} {name}"
    return f"{octets} bytes"


def age(span: timedelta) -> str:
    """A span in its one or two greatest units."""
    minutes = int(span.total_seconds()) // 60
    hours, days = minutes // 60, minutes // 1440
    if days >= 2:
        rest = hours % 24
        return f"{days} d {rest} h" if rest and days < 10 else f"{days} d"
    if hours >= 2:
        return f"{hours} h"
    return f"{max(minutes, 0)} min"


def seconds(value: float | None) -> str:
    """Seconds with as many digits as matter."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}" if value < 1 else f"{value:.1f}"


def percent(part: int, whole: int) -> str:
    """A share; nothing of nothing is nothing."""
    if not whole:
        return "0 %"
    share = 100 * part / whole
    return f"{share:.1f} %" if 0 < share < 100 and (share > 99 or share < 1) else f"{share:.0f} %"


def day_and_time(t: datetime) -> str:
    """A moment with its weekday, to the minute."""
    return f"{t:%a} {t:%Y-%m-%d %H:%M}"
