"""What postsuper did to the queue: runs of it told apart, counted once, kept as long as mails."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from journal_postfix import retention
from journal_postfix.batch import Batch
from journal_postfix.collect import Collector
from journal_postfix.writer import Mark
from test_store import EVERYTHING, NOON, configured, message, open_writer, position, rows

Line = tuple[float, str, int | None, str]  # seconds after NOON, instance, pid, text

NAMED = [(0.1, "postfix", 500, "3C5D120AB1: removed"), (0.2, "postfix", 500, "3C5D120AB2: removed")]
TOTAL = (0.3, "postfix", 500, "Deleted: 6 messages")


def batch(*lines: Line) -> Batch:
    """Give a batch of lines of postsuper."""
    collector = Collector(configured())
    for seconds, instance, pid, text in lines:
        msg = message("postsuper", text, NOON + timedelta(seconds=seconds))
        collector.add({**msg, "identifier": f"{instance}/postsuper", "pid": pid})  # type: ignore[typeddict-item]
    return collector.take()


def store(dsn: str, *batches: Batch) -> list[tuple[Any, ...]]:
    """Store batches one after the other; gives the events."""
    with open_writer(dsn) as session:
        source = session.new_source(position(0))
        for number, one in enumerate(batches, 1):
            (source,) = session.store(one, [Mark(source, position(number))], EVERYTHING)
    return rows(dsn, "SELECT syslog_name, action, named, messages FROM queue_event ORDER BY t, id")


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_a_run_is_one_row_in_any_order(dsn: str, order: tuple[int, ...]) -> None:
    """Lines of one run, each in a batch of its own, are one row with the time of the last."""
    lines = [*NAMED, TOTAL]
    events = store(dsn, *(batch(lines[number]) for number in order))
    assert events == [("postfix", "Deleted", 2, 6)]
    assert rows(dsn, "SELECT t FROM queue_event") == [(NOON + timedelta(seconds=0.3),)]


def test_a_batch_that_is_stored_again_counts_once(dsn: str) -> None:
    """A batch whose commit was not heard of, and that is stored again, adds nothing."""
    with open_writer(dsn) as session:
        mark = Mark(session.new_source(position(0)), position(1))
        for _ in range(2):
            session.store(batch(*NAMED, TOTAL), [mark], EVERYTHING)
    assert rows(dsn, "SELECT named, messages FROM queue_event") == [(2, 6)]


@pytest.mark.parametrize(
    "other",
    [
        (0.4, "postfix", 501, "Deleted: 6 messages"),
        (0.4, "postfix-out", 500, "Deleted: 6 messages"),
        (0.4, "postfix", 500, "Requeued: 6 messages"),
        (0.4, "postfix", 500, "Deleted: 1 message"),
        (7200.0, "postfix", 500, "3C5D120AB9: removed"),
        (0.4, "postfix", None, "Deleted: 6 messages"),
    ],
    ids=["process", "instance", "action", "total", "later", "no process"],
)
@pytest.mark.parametrize("together", [True, False])
def test_runs_are_told_apart(dsn: str, other: Line, *, together: bool) -> None:
    """Another process, instance, action, a second total, or a line much later: another run."""
    batches = [batch(TOTAL, other)] if together else [batch(TOTAL), batch(other)]
    assert len(store(dsn, *batches)) == 2


def test_two_runs_of_a_batch_meet_the_same_stored_one(dsn: str) -> None:
    """Of two later totals of a process the first ends the run that was stored without one."""
    again = (1200.0, "postfix", 500, "Deleted: 3 messages")
    assert store(dsn, batch(*NAMED), batch(TOTAL, again)) == [
        ("postfix", "Deleted", 2, 6),
        ("postfix", "Deleted", 0, 3),
    ]


def test_other_totals_are_no_events(dsn: str) -> None:
    """Only postsuper's own words make a row; the rest of what it counts is only recognised."""
    assert store(dsn, batch((0.1, "postfix", 500, "Greeted: 6 messages"))) == []
    assert rows(dsn, "SELECT count(*) FROM unrecognised") == [(0,)]


def test_events_go_with_the_mails_of_their_time(dsn: str) -> None:
    """Clean-up deletes events older than mails are kept; those of later days stay."""
    later = (86400.0, "postfix", 501, "Deleted: 1 message")
    store(dsn, batch(TOTAL, later))
    config = configured(delivery=10)
    for days, left in ((10, 2), (11, 1), (12, 0)):
        retention.clean(dsn, config, NOON + timedelta(days=days))
        assert rows(dsn, "SELECT count(*) FROM queue_event") == [(left,)]


def test_old_events_are_not_stored(dsn: str) -> None:
    """What retention would delete at once makes no row."""
    with open_writer(dsn) as session:
        mark = Mark(session.new_source(position(0)), position(1))
        horizon = configured(delivery=10).horizon(NOON + timedelta(days=11))
        session.store(batch(TOTAL), [mark], horizon)
    assert rows(dsn, "SELECT count(*) FROM queue_event") == [(0,)]
