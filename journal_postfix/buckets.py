"""The hours or days that a period is counted by, and the same time of weeks before.

Days are those of a zone: one that is 23 or 25 hours long is one day.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from journal_postfix.messages import UsageError
from journal_postfix.period import Period

BY = ("hour", "day")
BY_HOUR_UP_TO = timedelta(days=2)
MOST = 1000
WEEKS = 4  # how far back `usual` looks
_WEEK = timedelta(days=7)


def moved(t: datetime, days: int, zone: tzinfo | None) -> datetime:
    """The same time of day so many days later (or earlier) by the clock of a zone; in UTC."""
    there = t.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    return (there.replace(tzinfo=zone) if zone else there).astimezone(UTC)


def usual_by(period: Period) -> str:
    """Hours for a day or two, else days."""
    return "hour" if period.until - period.since <= BY_HOUR_UP_TO else "day"


def edges(period: Period, by: str, zone: tzinfo | None) -> list[datetime]:
    """The beginnings of the hours or days of a period; the first is not after its beginning."""
    there = period.since.astimezone(zone)
    if by == "hour":
        first = (period.since - timedelta(minutes=there.minute, seconds=there.second)).replace(
            microsecond=0
        )
        count = _ceil(period.until - first, timedelta(hours=1))
        found = [first + timedelta(hours=number) for number in range(min(count, MOST + 1))]
    else:
        midnight = there.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        first = (midnight.replace(tzinfo=zone) if zone else midnight).astimezone(UTC)
        days = range(min((period.until - first).days + 2, MOST + 1))
        found = [t for t in (moved(first, day, zone) for day in days) if t < period.until]
    if len(found) > MOST:
        or_days = ", or --by day" if by == "hour" else ""
        raise UsageError(f"the period has more than {MOST} {by}s: choose a shorter one{or_days}")
    return found


def _ceil(span: timedelta, step: timedelta) -> int:
    return -(-span // step)


def weeks_before(period: Period, zone: tzinfo | None) -> list[Period]:
    """The same weekdays and times of the four weeks before; none for a period beyond a week."""
    if period.until - period.since > _WEEK + timedelta(hours=1):
        return []
    backs = [-7 * week for week in range(1, WEEKS + 1)]
    return [
        Period(moved(period.since, back, zone), moved(period.until, back, zone)) for back in backs
    ]


def one_day(period: Period, zone: tzinfo | None) -> bool:
    """Whether a period is one whole day."""
    there = period.since.astimezone(zone)
    midnight = (there.hour, there.minute, there.second, there.microsecond) == (0, 0, 0, 0)
    return midnight and moved(period.since, 1, zone) == period.until
