"""Messages into a batch: what is counted, and when we say that we understand nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from journal_postfix.collect import SUSPICIOUS, Collector
from journal_postfix.config import Config
from journal_postfix.messages import MsgDetails

T = datetime(2025, 11, 21, 10, 30, tzinfo=UTC)
RECORD = "3C5D120ABF: to=<a@example.com>, relay=none, delay=1, dsn=4.4.1, status=deferred (no (x))"


def said(text: str, machine: str = "m1", identifier: str = "postfix/smtp") -> MsgDetails:
    """A journal entry."""
    return {
        "t": T, "host": "mx1", "identifier": identifier, "pid": 1, "message": text,
        "position": "s=1", "machine": machine,
    }  # fmt: skip


@pytest.fixture
def collector() -> Collector:
    """One that has taken nothing in."""
    return Collector(Config())


def test_statements_without_a_fact_are_counted(collector: Collector) -> None:
    """What is recognised and tells nothing of a mail leaves no row, but is among the lines."""
    collector.add(said("connect to mx.example[192.0.2.1]:25: Connection refused"))
    collector.add(said("something nobody says"))
    collector.add(said("removed", identifier="cron"))
    batch = collector.take()
    counts = batch.counts["m1"]
    assert (counts.lines, counts.unknown, batch.facts) == (2, 1, [])


def test_trap_12_a_repeated_message_in_a_journal(collector: Collector) -> None:
    """What was said three times and sent on to the journal as one entry counts three times."""
    collector.add(said(f"message repeated 3 times: [ {RECORD}]"))
    batch = collector.take()
    assert [item.columns["reason"] for item in batch.facts] == ["no (x)"] * 3
    assert (batch.counts["m1"].lines, batch.counts["m1"].unknown) == (3, 0)


@pytest.mark.parametrize(
    "text",
    [
        f"message repeated 3 times: [ {RECORD}",
        f"message repeated 99999999 times: [ {RECORD}]",
        f"message repeated 0 times: [ {RECORD}]",
    ],
)
def test_a_repetition_that_is_not_believed(collector: Collector, text: str) -> None:
    """A count that is absurd, or a text that is cut, stays one line that is not recognised."""
    collector.add(said(text))
    batch = collector.take()
    assert (batch.facts, batch.counts["m1"].unknown) == ([], 1)


def test_a_repetition_of_a_repetition(collector: Collector) -> None:
    """Repetitions do not multiply."""
    inner = f"message repeated 1000 times: [ {RECORD}]"
    collector.add(said(f"message repeated 2 times: [ {inner}]"))
    assert collector.take().counts["m1"].unknown == 2
    collector.add({**said(inner), "position": 1})  # a file gives each repetition by itself
    assert collector.take().counts["m1"].unknown == 1


def unknown(collector: Collector, count: int, machine: str) -> None:
    """So many lines that are not recognised."""
    for number in range(count):
        collector.add(said(f"nothing we know {number}", machine))


def test_a_source_of_which_nothing_is_recognised(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    """After a thousand lines it is said, once, and for each source by itself."""
    unknown(collector, SUSPICIOUS - 1, "m1")
    unknown(collector, SUSPICIOUS - 1, "m2")
    assert caplog.messages == []
    unknown(collector, 1, "m1")
    assert caplog.messages == ["1000 lines of Postfix in a row were not recognised; see status"]
    collector.add(said(RECORD, "m1"))
    unknown(collector, 2 * SUSPICIOUS, "m1")
    assert len(caplog.messages) == 1
    unknown(collector, 1, "m2")
    assert len(caplog.messages) == 2


def test_a_recognised_line_between(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    """One line that is understood begins the count anew, whoever else says what is not."""
    unknown(collector, SUSPICIOUS - 1, "m1")
    collector.add(said(RECORD, "m2"))
    collector.add(said(RECORD, "m1"))
    unknown(collector, SUSPICIOUS - 1, "m1")
    assert caplog.messages == []
