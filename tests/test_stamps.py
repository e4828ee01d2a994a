"""Time stamps and the years of those that say none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal_postfix.messages import UsageError
from journal_postfix.stamps import Clock, StampError, checked_year, checked_zone
from journal_postfix.years import YearDay, YearScan

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def clock(year: int | None = 2026, zone: str | None = "UTC", *, live: bool = False) -> Clock:
    """Make a clock on 21 November 2026, 10:00 UTC, for a text that begins in a year."""
    day = YearDay(year, known=True) if year else None
    is_given = year is not None and not live
    return Clock(checked_zone(zone), day, is_given=is_given, live=live, now=lambda: NOW)


def utc(text: str) -> datetime:
    """Return a time written in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_traditional_stamp() -> None:
    """A stamp without year and zone is a time in UTC."""
    assert clock()["Nov  3 09:01:00"] == utc("2026-11-03T09:01:00")


def test_postlogd_stamp() -> None:
    """postlogd writes days of one digit with a zero."""
    assert clock()["Nov 03 09:01:59"] == utc("2026-11-03T09:01:59")


@pytest.mark.parametrize(
    "stamp",
    [
        "Nov 31 09:01:00",
        "Feb 30 09:01:00",
        "Nov  0 09:01:00",
        "Nov  3 24:01:00",
        "Nov  3 09:60:00",
        "Nov  3 09:01:61",
        "Nox  3 09:01:00",
        "nov  3 09:01:00",
        "Nov  3 09:01",
        "",
        "Nov  3 09:01:0x",
    ],
)
def test_what_is_no_traditional_stamp(stamp: str) -> None:
    """What only looks like a stamp is none."""
    with pytest.raises(KeyError):
        clock()[stamp]


def test_no_stamp_within_a_known_minute() -> None:
    """A broken second is seen also where its minute is known."""
    stamps = clock()
    assert stamps["Nov  3 09:01:00"]
    with pytest.raises(KeyError):
        stamps["Nov  3 09:01:xx"]


def test_leap_second() -> None:
    """Second 60 is the first one of the next minute."""
    assert clock()["Jun 30 23:59:60"] == utc("2026-07-01T00:00:00")
    assert clock().iso("2016-12-31T23:59:60Z") == utc("2017-01-01T00:00:00")
    assert clock().iso("2016-12-31T23:59:60.25Z") == utc("2017-01-01T00:00:00.250000")


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-11-03T09:01:02Z", "2026-11-03T09:01:02"),
        ("2026-11-03T09:01:02+00:00", "2026-11-03T09:01:02"),
        ("2026-11-03T09:01:02+02:00", "2026-11-03T07:01:02"),
        ("2026-11-03T09:01:02-03:00", "2026-11-03T12:01:02"),
        ("2026-11-03T09:01:02+05:45", "2026-11-03T03:16:02"),
        ("2026-11-03T09:01:02+0200", "2026-11-03T07:01:02"),
        ("2026-11-03T09:01:02+02", "2026-11-03T07:01:02"),
        ("2026-11-03T09:01:02.5+02:00", "2026-11-03T07:01:02.500000"),
        ("2026-11-03T09:01:02.123Z", "2026-11-03T09:01:02.123000"),
        ("2026-11-03T09:01:02.123456+02:00", "2026-11-03T07:01:02.123456"),
        ("2026-11-03T09:01:02.123456789+02:00", "2026-11-03T07:01:02.123456"),
        ("2026-11-03T09:01:02.123456789Z", "2026-11-03T09:01:02.123456"),
        ("2026-11-03T09:01:02", "2026-11-03T09:01:02"),
    ],
)
def test_iso_stamp(stamp: str, expected: str) -> None:
    """ISO stamps with and without fraction, with Z, with every form of offset."""
    t = clock().iso(stamp)
    assert (t, t.tzinfo) == (utc(expected), UTC)


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-13-03T09:01:02Z",
        "2026-11-03",
        "20261103",
        "2026-11-03 09:01:02Z",
        "",
        "Nov",
        "021-02-06T10:57:57+01:00",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:30:00+01:00",
        "0001-01-01T00:00:00+01:00",
    ],
)
def test_what_is_no_iso_stamp(stamp: str) -> None:
    """What only looks like an ISO stamp is none, and neither is a time before 1970."""
    with pytest.raises((ValueError, OverflowError)):
        clock().iso(stamp)


def test_naive_iso_stamp_is_local() -> None:
    """An ISO stamp without offset is of the zone given."""
    assert clock(zone="Europe/Berlin").iso("2026-07-03T09:01:02") == utc("2026-07-03T07:01:02")


def test_zone_in_summer_and_winter() -> None:
    """The offset is that of the day, not of today."""
    stamps = clock(zone="Europe/Berlin")
    assert stamps["Jul  3 09:01:00"] == utc("2026-07-03T07:01:00")
    assert stamps["Nov  3 09:01:00"] == utc("2026-11-03T08:01:00")


def test_hour_that_comes_twice_keeps_the_order() -> None:
    """Where the clock is put back, the second 02:30 is an hour after the first."""
    stamps = clock(zone="Europe/Berlin")
    local = ["01:59:59", "02:00:00", "02:30:00", "02:59:59", "02:00:00", "02:30:00", "03:00:00"]
    times = [stamps[f"Oct 25 {time}"] for time in local]
    assert [f"{t:%H:%M:%S}" for t in times] == [
        "23:59:59",
        "00:00:00",
        "00:30:00",
        "00:59:59",
        "01:00:00",
        "01:30:00",
        "02:00:00",
    ]


def test_lines_out_of_order_where_the_hour_begins_again() -> None:
    """A late line of the first 02:59 is not put an hour later."""
    stamps = clock(zone="Europe/Berlin")
    for time in ("02:59:58", "02:00:00"):
        stamps[f"Oct 25 {time}"]
    assert stamps["Oct 25 02:59:59"] == utc("2026-10-25T00:59:59")
    assert stamps["Oct 25 02:00:01"] == utc("2026-10-25T01:00:01")


def test_naive_iso_stamps_of_the_hour_that_comes_twice() -> None:
    """ISO stamps without offset keep the order too."""
    stamps = clock(zone="Europe/Berlin")
    assert stamps.iso("2026-10-25T02:59:59.9") == utc("2026-10-25T00:59:59.900000")
    assert stamps.iso("2026-10-25T02:00:00.1") == utc("2026-10-25T01:00:00.100000")


def test_hour_that_does_not_exist() -> None:
    """A stamp within the hour that is skipped is read with the offset before it."""
    stamps = clock(zone="Europe/Berlin")
    assert stamps["Mar 29 02:30:00"] == utc("2026-03-29T01:30:00")
    assert stamps["Mar 29 03:31:00"] == utc("2026-03-29T01:31:00")


def test_december_to_january() -> None:
    """After December, January is of the next year, and a late December line of the old one."""
    stamps = clock(2025)
    assert stamps["Dec 31 23:59:59"] == utc("2025-12-31T23:59:59")
    assert stamps["Jan  1 00:00:01"] == utc("2026-01-01T00:00:01")
    assert stamps["Dec 31 23:59:59"] == utc("2025-12-31T23:59:59")
    assert stamps["Jan  1 00:00:02"] == utc("2026-01-01T00:00:02")


def test_trap_14_several_years() -> None:
    """A log over several years gets each year right, also where months are missing."""
    stamps = clock(2021)
    months = "Mar Nov Jan Dec Feb Feb Jan Jul".split()
    years = [stamps[f"{month} 10 00:00:00"].year for month in months]
    assert years == [2021, 2021, 2022, 2022, 2023, 2023, 2024, 2024]


def test_clock_that_jumps_back_is_no_new_year() -> None:
    """A stamp up to a week before the line above is of the same year, at the end of February too."""
    stamps = clock()
    stamps["Mar  3 12:00:00"]
    assert stamps["Feb 25 12:00:00"] == utc("2026-02-25T12:00:00")
    assert stamps["Mar  3 12:00:01"] == utc("2026-03-03T12:00:01")


def test_stamp_seen_a_year_ago_is_not_remembered() -> None:
    """The same stamp a year later is another time, although seconds are kept."""
    stamps = clock(2024)
    assert stamps["Feb  1 12:00:00"] == utc("2024-02-01T12:00:00")
    assert stamps["Aug  1 12:00:00"] == utc("2024-08-01T12:00:00")
    assert stamps["Feb  1 12:00:00"] == utc("2025-02-01T12:00:00")


def test_february_29() -> None:
    """29 February exists in leap years; in others it means that the year is wrong."""
    assert clock(2024)["Feb 29 12:00:00"] == utc("2024-02-29T12:00:00")
    with pytest.raises(StampError, match=r"Feb 29 12:00:00.*2025"):
        clock(2025)["Feb 29 12:00:00"]


def test_first_stamp_without_a_year_is_the_latest_possible() -> None:
    """Nothing known, a stamp is of this year, unless that lies more than a day ahead."""
    assert clock(None)["Nov 21 09:00:00"] == utc("2026-11-21T09:00:00")
    assert clock(None)["Nov 22 09:59:00"] == utc("2026-11-22T09:59:00")
    assert clock(None)["Nov 22 10:01:00"] == utc("2025-11-22T10:01:00")
    assert clock(None)["Feb 29 10:01:00"] == utc("2024-02-29T10:01:00")


def test_year_counts_on_from_iso_stamps() -> None:
    """After stamps that say their year, those that do not go on from there."""
    stamps = clock(None)
    stamps.iso("2023-12-31T23:59:59+00:00")
    assert stamps["Jan  1 00:00:01"] == utc("2024-01-01T00:00:01")


def test_future_is_an_error() -> None:
    """A line more than a day ahead names its stamp."""
    assert clock()["Nov 22 09:59:59"]
    with pytest.raises(StampError, match="Nov 22 10:01:00"):
        clock()["Nov 22 10:01:00"]
    with pytest.raises(StampError, match="2026-11-22T10:00:01Z"):
        clock().iso("2026-11-22T10:00:01Z")
    with pytest.raises(StampError, match="2027"):
        clock(2027)["Jan  1 00:00:00"]


def test_guessed_year_is_never_in_the_future() -> None:
    """Counted on into the future, a year that nobody gave was counted wrong."""
    stamps = clock(None)
    stamps.iso("2026-11-18T10:00:00Z")
    assert stamps["Oct  4 04:36:48"] == utc("2026-10-04T04:36:48")
    assert stamps["Feb 29 10:00:00"] == utc("2024-02-29T10:00:00")


def test_limit_of_the_future_moves_with_time() -> None:
    """What was the future when reading began may be the past when the line is read."""
    times = iter([NOW, NOW + timedelta(days=3)])
    stamps = Clock(UTC, None, now=lambda: next(times))
    assert stamps.iso("2026-11-23T00:00:00Z") == utc("2026-11-23T00:00:00")


def test_live_clock_takes_no_offence() -> None:
    """Of a log that is written now, a stamp from the future is a wrong clock's."""
    stamps = clock(live=True)
    assert stamps["Nov 21 10:00:00"] == NOW
    assert stamps["Jan  1 00:00:05"] == utc("2026-01-01T00:00:05")
    assert stamps["Nov 21 10:00:01"] == NOW + timedelta(seconds=1)
    assert stamps.iso("2099-01-01T00:00:00Z") == NOW


@given(
    st.integers(10**9, int(NOW.timestamp())),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
)
def test_stamps_are_read_as_written(seconds: int, name: str) -> None:
    """Whatever time a machine writes, traditional and ISO, comes back, but for the hour twice."""
    written = datetime.fromtimestamp(seconds, ZoneInfo(name))
    stamps = clock(written.year, name)
    assert stamps.iso(written.isoformat()).timestamp() == seconds
    if written.fold == 0:
        t = clock(written.year, name)[f"{written:%b %e %H:%M:%S}"]
        assert t.timestamp() == seconds


@given(st.lists(st.integers(1, 300 * 86400), max_size=60), st.integers(1990, 2005))
def test_years_are_counted_from_both_ends(steps: list[int], year: int) -> None:
    """Counted on from the first year, or back from the last day, all years come out right."""
    t = datetime(year, 3, 1, tzinfo=UTC)
    times = [t := t + timedelta(seconds=step) for step in steps]
    lines = "".join(f"{t:%b %e %H:%M:%S} mx1 tag: text\n" for t in times).encode()
    stamps = clock(year)
    if times and times[0].year == year:
        assert [stamps[f"{t:%b %e %H:%M:%S}"] for t in times] == times
    scan = YearScan()
    scan.feed(lines)
    assert scan.first_year((times or [t])[-1].date()) == (times[0].year if times else None)


def scanned(text: str, end: date = date(2026, 11, 21)) -> tuple[int | None, YearDay]:
    """Scan a text; return the year of its first stamp, and its last day."""
    scan = YearScan()
    scan.feed(text.encode())
    return scan.first_year(end), scan.day


def test_scan_sees_each_turn_of_the_year() -> None:
    """The first year is as many before the last as there are turns of the year between."""
    text = "".join(
        f"{month} 10 00:00:00 h t: x\n" * 3 for month in "Mar Dec Jan Nov Feb Nov".split()
    )
    assert scanned(text)[0] == 2024


def test_scan_forgives_late_december_lines() -> None:
    """December lines among the first of January are no further year."""
    text = "Dec 31 1\nJan  1 1\nDec 31 1\nJan  1 1\nFeb  1 1\n".replace(" 1\n", " 11:00:00 h t:\n")
    assert scanned(text)[0] == 2025


def test_scan_ends_with_the_file() -> None:
    """The last stamp may be a day after the file's own time, but not more."""
    line = "Nov 22 10:00:00 h t: x\n"
    assert scanned(line, date(2026, 11, 21))[0] == 2026
    assert scanned(line, date(2026, 11, 20))[0] == 2025
    assert scanned("Jan  1 10:00:00 h t: x\n", date(2025, 12, 31))[0] == 2026


def test_scan_counts_back_from_the_first_stamp_with_a_year() -> None:
    """Where the format changes, the year of the new stamps tells that of the old ones."""
    iso = "2024-02-01T00:00:00+01:00 h t: x\n"
    assert scanned("Dec 31 10:00:00 h t: x\n" + iso)[0] == 2023
    assert scanned("Nov 30 10:00:00 h t: x\nJan 31 23:00:00 h t: x\n" + iso)[0] == 2023
    assert (
        scanned("<22>Jan 31 23:00:00 h t: x\n<22>1 2024-02-01T00:00:00Z h t - - - x\n")[0] == 2024
    )


def test_scan_leaves_texts_with_years_alone() -> None:
    """A text whose stamps have years has no first year to find; its last day is known."""
    first, day = scanned("2023-02-01T00:00:00Z h t: x\nnoise\n2024-03-01 00:00:00 h t: x\n")
    assert (first, day) == (None, YearDay(2024, 3, 1, known=True))


def test_scan_passes_over_noise() -> None:
    """Lines without stamp do not count, empty texts neither."""
    assert scanned("noise\n\nMar 99 10:00:00 h t\nMar 10 10:00:00 h t: x\nMay I 2\n")[0] == 2026
    assert scanned("")[0] is None


@pytest.mark.parametrize("year", [0, 99, 1969, 2101, -2026])
def test_year_out_of_range(year: int) -> None:
    """A year that cannot be meant is wrong usage."""
    with pytest.raises(UsageError, match=str(year)):
        checked_year(year)


@pytest.mark.parametrize("name", ["Europe/Nowhere", "", "../../etc/passwd", "/etc/passwd", "\0"])
def test_unknown_zone(name: str) -> None:
    """A zone that does not exist is wrong usage, whatever its name looks like."""
    with pytest.raises(UsageError, match="time zone"):
        checked_zone(name)


@pytest.fixture
def set_machine_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Set the machine's own zone for a test."""
    import time

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("name", ["Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"])
def test_machine_zone(name: str, set_machine_zone: Callable[[str], None]) -> None:
    """Without a zone the machine's own holds, as the C library knows it."""
    set_machine_zone(name)
    stamps = clock(zone=None)
    assert stamps["Jul  3 09:01:00"] == utc("2026-07-03T07:01:00")
    assert [f"{stamps[f'Oct 25 02:{m}:00']:%H:%M}" for m in (10, 50, 10, 50)] == [
        "00:10",
        "00:50",
        "01:10",
        "01:50",
    ]
