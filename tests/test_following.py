"""When a commit is due: so that a line is visible in time, by a clock that the test moves."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from journal_postfix import following
from journal_postfix.following import COMMITTING, LEAST, PASSED_OVER_DELAY, Pace


class Clock:
    """Seconds, as the test has them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Give the time."""
        return self.now


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def wait(clock: Clock, pace: Pace, seconds: float) -> None:
    """Let time pass while nothing comes."""
    begin = clock.now
    clock.now += seconds
    pace.waited(begin)


def due_after(clock: Clock, pace: Pace) -> float:
    """Give the seconds until a commit is due, and let them pass."""
    begin = clock.now
    clock.now += pace.rest(1000.0)
    assert pace.is_due()
    return round(clock.now - begin, 6)


def commit(clock: Clock, pace: Pace, seconds: float) -> None:
    """Let a commit take its time."""
    clock.now += seconds
    pace.resumed()


def test_a_single_line(clock: Clock) -> None:
    """A line that comes after a rest is committed when the delay has passed, and only once."""
    pace = Pace(1.0)
    wait(clock, pace, 60.0)
    pace.note(message=True)
    assert not pace.is_due()
    assert due_after(clock, pace) == 1.0
    assert not pace.is_due()


def test_the_first_line_decides(clock: Clock) -> None:
    """Later lines do not put a commit off."""
    pace = Pace(1.0)
    wait(clock, pace, 5.0)
    pace.note(message=True)
    wait(clock, pace, 0.5)
    pace.note(message=True)
    assert due_after(clock, pace) == 0.5


def test_lines_that_came_during_a_commit(clock: Clock) -> None:
    """They may have come when it began, and the next commit may take as long as this one."""
    pace = Pace(1.0)
    wait(clock, pace, 5.0)
    pace.note(message=True)
    due_after(clock, pace)
    commit(clock, pace, 0.25)
    pace.note(message=True)
    assert due_after(clock, pace) == 0.5


def test_a_batch_grows_for_a_moment(clock: Clock) -> None:
    """However far behind, a commit is not for one line alone."""
    pace = Pace(1.0)
    wait(clock, pace, 5.0)
    pace.note(message=True)
    due_after(clock, pace)
    commit(clock, pace, 7.0)
    pace.note(message=True)
    assert due_after(clock, pace) == LEAST


def test_a_commit_that_others_found_due(clock: Clock) -> None:
    """A full batch is committed before its time: what came before it waits no longer."""
    pace = Pace(1.0)
    wait(clock, pace, 5.0)
    pace.note(message=True)
    assert not pace.is_due()
    commit(clock, pace, 0.3)
    assert not pace.is_due()
    assert pace.rest(1000.0) == 1000.0
    pace.note(message=True)
    assert due_after(clock, pace) == 0.4


def test_a_hitch_is_no_commit(clock: Clock) -> None:
    """What takes less than a commit changes nothing."""
    pace = Pace(1.0)
    wait(clock, pace, 5.0)
    pace.note(message=True)
    assert not pace.is_due()
    commit(clock, pace, COMMITTING / 2)
    assert round(pace.rest(1000.0), 6) == 1.0 - COMMITTING / 2


def test_only_a_position(clock: Clock) -> None:
    """Where only others' entries came, the position is committed seldom; a line does not wait for it."""
    pace = Pace(1.0)
    wait(clock, pace, 5.0)
    pace.note(message=False)
    assert round(pace.rest(1000.0), 6) == PASSED_OVER_DELAY
    pace.note(message=True)
    assert due_after(clock, pace) == 1.0
