"""Periods as people say them: `2026-11-16 02:30`, `yesterday`, `last monday`, `10:00`, `2h`.

A word names a moment or a whole day. A period begins with the beginning of what `since` names, and
ends with the end of what `until` names: until monday includes that Monday. Times are those of a
zone, the machine's own where none is given; periods are in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from journal_postfix.messages import UsageError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
KNOWN = "2026-11-16, 2026-11-16 02:30, 10:00, yesterday, monday, last monday, 30m, 2h, 3d or 1w"

_AGO = re.compile(
    r"(?P<count>[0-9]{1,9}) ?(?P<unit>s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:ours?)?|d(?:ays?)?|w(?:eeks?)?)"
    r"(?: ago)?"
).fullmatch
_DAY = re.compile(r"(?P<last>last )?(?P<name>[a-z]+|[0-9]{4}-[0-9]{2}-[0-9]{2})").fullmatch
_TIME = re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?").fullmatch


class Period(NamedTuple):
    """From `since` up to, not including, `until`; both aware, in UTC."""

    since: datetime
    until: datetime


class _Named(NamedTuple):
    """What words name: from `begin` to `end`, the same for a moment."""

    begin: datetime
    end: datetime


def read_period(
    since: str | None, until: str | None, now: datetime, zone: tzinfo | None, usual: str
) -> Period:
    """The period two options give; `usual` stands in for `since`. UsageError for an impossible one."""
    begin = _read("--since", since or usual, now, zone).begin
    end = _read("--until", until, now, zone).end if until else now
    if begin > now:
        raise UsageError(f"--since {since!r} lies in the future: {begin.astimezone(zone):%F %T %z}")
    if end <= begin:
        given = f"--until {until!r}" if until else "now"
        raise UsageError(f"the period ends ({given}) before it begins (--since {since or usual!r})")
    return Period(begin, end)


def read_day(text: str, now: datetime, zone: tzinfo | None) -> Period:
    """The period that one word names: a whole day, or from a moment until now."""
    named = _read("the period", text, now, zone)
    return Period(named.begin, named.end if named.end > named.begin else now)


def _read(option: str, text: str, now: datetime, zone: tzinfo | None) -> _Named:
    words = " ".join(text.lower().split())
    try:
        named = _ago(words, now) or _moment(words, now, zone) or _iso(text.strip(), zone)
    except (ValueError, OverflowError):
        named = None
    if named is None:
        raise UsageError(f"{option} {text!r} is no time: give for example {KNOWN}")
    return named


def _ago(words: str, now: datetime) -> _Named | None:
    if words == "now":
        return _Named(now, now)
    found = _AGO(words)
    if found is None:
        return None
    t = now - timedelta(**{UNITS[found["unit"][0]]: int(found["count"])})
    return _Named(t, t)


def _moment(words: str, now: datetime, zone: tzinfo | None) -> _Named | None:
    """A day, a time of today, or a time of a day."""
    today = now.astimezone(zone).date()
    head, _, tail = words.replace("t", " ").rpartition(" ") if words[:1].isdigit() else ("", "", "")
    if not head:
        head, _, tail = words.rpartition(" ")
    if not _TIME(tail):
        day = _day(words, today)
        if day is None:
            return None
        return _Named(_utc(day, time(), zone), _utc(day + timedelta(days=1), time(), zone))
    day = _day(head, today) if head else today
    if day is None:
        return None
    t = _utc(day, time.fromisoformat(tail.zfill(len(tail) + len(tail) % 3 % 2)), zone)
    return _Named(t, t)


def _day(words: str, today: date) -> date | None:
    found = _DAY(words)
    if found is None:
        return None
    name, last = found["name"], bool(found["last"])
    if name[0].isdigit():
        return None if last else date.fromisoformat(name)
    if name in ("today", "yesterday"):
        return None if last else today - timedelta(days=name == "yesterday")
    number = _weekday(name)
    if number is None:
        return None
    back = (today.weekday() - number) % 7
    return today - timedelta(days=back or (7 if last else 0))


def _weekday(name: str) -> int | None:
    if len(name) < 3:  # two letters could be two days
        return None
    return next((n for n, day in enumerate(WEEKDAYS) if day.startswith(name)), None)


def _iso(text: str, zone: tzinfo | None) -> _Named | None:
    """Any other form of ISO 8601: with a zone, with fractions."""
    t = datetime.fromisoformat(text)
    t = t.astimezone(UTC) if t.tzinfo else _utc(t.date(), t.time(), zone)
    return _Named(t, t)


def _utc(day: date, at: time, zone: tzinfo | None) -> datetime:
    naive = datetime.combine(day, at)
    return (naive.replace(tzinfo=zone) if zone else naive).astimezone(UTC)
