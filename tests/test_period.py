"""Times as people say them: what each form names, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal_postfix.messages import UsageError
from journal_postfix.period import KNOWN, read_day, read_period

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 18, 9, 15, 30, tzinfo=UTC)  # a Wednesday, 10:15:30 in Berlin


def at(text: str, zone: tzinfo = BERLIN) -> datetime:
    """A time written out, of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("2026-11-16", "2026-11-16"),
        ("2026-11-16 02:30", "2026-11-16 02:30"),
        ("2026-11-16T02:30", "2026-11-16 02:30"),
        ("2026-11-16 2:30", "2026-11-16 02:30"),
        ("2026-11-16 02:30:15", "2026-11-16 02:30:15"),
        ("  2026-11-16   02:30 ", "2026-11-16 02:30"),
        ("20261116", "2026-11-16"),
        ("2026-11-16T02:30:15.5", "2026-11-16 02:30:15.5"),
        ("10:00", "2026-11-18 10:00"),
        ("9:05", "2026-11-18 09:05"),
        ("today", "2026-11-18"),
        ("today 08:00", "2026-11-18 08:00"),
        ("yesterday", "2026-11-17"),
        ("Yesterday 23:10", "2026-11-17 23:10"),
        ("wednesday", "2026-11-18"),
        ("last wednesday", "2026-11-11"),
        ("monday", "2026-11-16"),
        ("last monday", "2026-11-16"),
        ("mon", "2026-11-16"),
        ("LAST THU", "2026-11-12"),
        ("thursday", "2026-11-12"),
        ("last monday 02:30", "2026-11-16 02:30"),
        ("monday 9:00", "2026-11-16 09:00"),
        ("30s", "2026-11-18 10:15:00"),
        ("30m", "2026-11-18 09:45:30"),
        ("90 minutes ago", "2026-11-18 08:45:30"),
        ("1 min", "2026-11-18 10:14:30"),
        ("2h", "2026-11-18 08:15:30"),
        ("2 hours", "2026-11-18 08:15:30"),
        ("3d", "2026-11-15 10:15:30"),
        ("1w", "2026-11-11 10:15:30"),
    ],
)
def test_since(words: str, expected: str) -> None:
    """A period begins with the beginning of what is named, in the zone given."""
    assert read_period(words, None, NOW, BERLIN, "1d").since == at(expected)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("2026-11-16", "2026-11-17"),
        ("monday", "2026-11-17"),
        ("today", "2026-11-19"),
        ("2026-11-16 02:30", "2026-11-16 02:30"),
        ("2h", "2026-11-18 08:15:30"),
        ("now", "2026-11-18 10:15:30"),
    ],
)
def test_until(words: str, expected: str) -> None:
    """A period ends with the end of what is named: until monday includes it."""
    assert read_period("2026-01-01", words, NOW, BERLIN, "1d").until == at(expected)


def test_zones_written_out_win() -> None:
    """A time with a zone of its own needs none."""
    for words in ("2026-11-16T02:30Z", "2026-11-16 03:30+01:00", "2026-11-15T21:30:00-05:00"):
        since = read_period(words, None, NOW, BERLIN, "1d").since
        assert since == at("2026-11-16 02:30", UTC)


def test_days_are_as_long_as_they_are() -> None:
    """The day on which the clock is put back has 25 hours."""
    day = read_period("2026-10-25", "2026-10-25", NOW, BERLIN, "1d")
    assert day.until - day.since == timedelta(hours=25)


def test_the_usual_stands_in() -> None:
    """Without words a period is the usual one, until now."""
    assert read_period(None, None, NOW, BERLIN, "1d") == (NOW - timedelta(days=1), NOW)


def test_periods_are_in_utc() -> None:
    """Whatever the zone, both ends are in UTC."""
    period = read_period("yesterday", "today 09:00", NOW, BERLIN, "1d")
    assert {t.tzinfo for t in period} == {UTC}


def test_the_zone_of_the_machine() -> None:
    """Without a zone it is the machine's own."""
    since = read_period("2026-11-16 02:30", None, NOW, None, "1d").since
    assert since == datetime(2026, 11, 16, 2, 30).astimezone()


@pytest.mark.parametrize(
    ("word", "begin", "end"),
    [
        ("yesterday", "2026-11-17", "2026-11-18"),
        ("2026-11-16", "2026-11-16", "2026-11-17"),
        ("2h", "2026-11-18 08:15:30", "2026-11-18 10:15:30"),
    ],
)
def test_one_word_names_a_period(word: str, begin: str, end: str) -> None:
    """A whole day, or from a moment until now."""
    assert read_day(word, NOW, BERLIN) == (at(begin), at(end))


@pytest.mark.parametrize(
    "words",
    [
        "soon", "mo", "nextday", "2026-02-30", "2026-13-01", "25:00", "10:61", "last yesterday",
        "last 2026-11-16", "2026-11-16 25:00", "10", "-2h", "2y", "2h ago ago", "999999999w",
        "yesterday yesterday", "monday tuesday", "2026-11-16 02:30 PM", "\x1b[31m", "٣h",
    ],
)  # fmt: skip
def test_what_is_no_time(words: str) -> None:
    """What names no time is refused with its option and examples."""
    with pytest.raises(UsageError) as refused:
        read_period(words, None, NOW, BERLIN, "1d")
    assert "--since" in str(refused.value)
    assert KNOWN in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        ("tomorrow", None, "no time"),
        ("2026-11-19", None, "future"),
        ("2026-11-16", "2026-11-15", "before it begins"),
        ("2h", "2h", "before it begins"),
        ("1h", "2h", "before it begins"),
        ("now", None, "before it begins"),
        (None, "2026-11-01", "before it begins"),
    ],
)
def test_impossible_periods(since: str | None, until: str | None, words: str) -> None:
    """A period that cannot be is refused in a sentence that names what was given."""
    with pytest.raises(UsageError, match=words):
        read_period(since, until, NOW, BERLIN, "1d")


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(words: str) -> None:
    """Nothing but UsageError comes of any text; what is a time is in UTC."""
    try:
        named = read_day(words, NOW, BERLIN)
    except UsageError:
        return
    assert {t.tzinfo for t in named} == {UTC}
