"""Hours, days and weeks of a period, by the clock of a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from journal_postfix import buckets, wording
from journal_postfix.messages import UsageError
from journal_postfix.period import Period

BERLIN = ZoneInfo("Europe/Berlin")


def period(since: str, until: str) -> Period:
    """A period by the clock of Berlin."""
    ends = (
        datetime.fromisoformat(one).replace(tzinfo=BERLIN).astimezone(UTC) for one in (since, until)
    )
    return Period(*ends)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25)]
)
def test_a_day_has_the_hours_of_its_clock(day: str, hours: int) -> None:
    """The day on which clocks change is one day, with an hour less or more."""
    begin = datetime.fromisoformat(day)
    whole = period(day, (begin + timedelta(days=1)).date().isoformat())
    assert buckets.one_day(whole, BERLIN)
    found = buckets.edges(whole, "hour", BERLIN)
    assert len(found) == hours
    assert found[0] == whole.since
    assert buckets.edges(whole, "day", BERLIN) == [whole.since]


def test_hours_and_days_begin_before_the_period() -> None:
    """A period that begins in the middle of an hour or a day begins with that hour or day."""
    some = period("2026-03-28 10:40", "2026-03-30 09:10")
    hours, days = (buckets.edges(some, by, BERLIN) for by in buckets.BY)
    assert [t.astimezone(BERLIN).isoformat() for t in (hours[0], hours[-1])] == [
        "2026-03-28T10:00:00+01:00",
        "2026-03-30T09:00:00+02:00",
    ]
    assert [t.astimezone(BERLIN).strftime("%d %H:%M") for t in days] == [
        "28 00:00", "29 00:00", "30 00:00",
    ]  # fmt: skip
    assert not buckets.one_day(some, BERLIN)


def test_weeks_before_are_by_the_clock() -> None:
    """Mondays before begin at midnight too, also over a change of clocks."""
    weeks = buckets.weeks_before(period("2026-04-06", "2026-04-07"), BERLIN)
    assert [one.since.astimezone(BERLIN).isoformat() for one in weeks] == [
        "2026-03-30T00:00:00+02:00", "2026-03-23T00:00:00+01:00",
        "2026-03-16T00:00:00+01:00", "2026-03-09T00:00:00+01:00",
    ]  # fmt: skip
    assert buckets.weeks_before(period("2026-04-01", "2026-04-10"), BERLIN) == []


def test_a_period_has_an_end() -> None:
    """More hours or days than anybody reads are refused with a sentence."""
    assert buckets.usual_by(period("2026-01-01", "2026-01-02")) == "hour"
    assert buckets.usual_by(period("2026-01-01", "2026-01-09")) == "day"
    with pytest.raises(UsageError, match=r"more than 1000 hours.*--by day"):
        buckets.edges(period("2026-01-01", "2026-03-01"), "hour", BERLIN)
    with pytest.raises(UsageError, match=r"more than 1000 days: choose a shorter one$"):
        buckets.edges(period("2016-01-01", "2026-03-01"), "day", BERLIN)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (wording.counted(1234567), "1,234,567"),
        (wording.size(999), "999 bytes"),
        (wording.size(9_800_000_000), "9.8 GB"),
        (wording.size(65_000_000_000), "65 GB"),
        (wording.age(timedelta(minutes=119)), "119 min"),
        (wording.age(timedelta(hours=31)), "31 h"),
        (wording.age(timedelta(days=3, hours=4)), "3 d 4 h"),
        (wording.age(timedelta(days=30, hours=4)), "30 d"),
        (wording.age(timedelta(seconds=-5)), "0 min"),
        (wording.seconds(None), "-"),
        (wording.seconds(0.02), "0.02"),
        (wording.seconds(61.0), "61"),
        (wording.percent(992, 1000), "99.2 %"),
        (wording.percent(38, 100), "38 %"),
        (wording.percent(0, 0), "0 %"),
        (wording.number_of(1, "mail"), "1 mail"),
        (wording.number_of(2000, "mail"), "2,000 mails"),
    ],
)  # fmt: skip
def test_numbers_are_said_as_people_do(said: str, words: str) -> None:
    """Sizes, ages, shares and seconds have few digits and a unit."""
    assert said == words
