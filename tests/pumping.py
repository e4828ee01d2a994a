"""Lines made long where they hold a value: what a pattern that is not linear would not survive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from journal_postfix.fields import LEVELS
from journal_postfix.formats import STATEMENTS
from journal_postfix.messages import MsgDetails
from journal_postfix.parser import Rule, is_queue_id, route
from test_samples import SAMPLES, statement_of

#: Characters that open, close or escape something in Postfix's statements.
PIECES = ('"', "\\", '\\"', "[", "]", "<", "> ", " ", ": ", ", ", "; ", "=", "(", "a", "a ", "-")


class Hole(NamedTuple):
    """A field of a line: where its value stands in the text."""

    msg: MsgDetails
    name: str
    start: int
    end: int


def _rule(msg: MsgDetails) -> tuple[Rule, int]:
    """The rule that reads a message, and where in the text it begins."""
    statement = statement_of(msg)
    found = route(msg["identifier"])
    assert found is not None
    label, _, rest = msg["message"].partition(": ")
    start = len(label) + 2 if label in LEVELS else 0
    head = (rest if start else msg["message"]).partition(": ")[0]
    places = found.rules[statement.level]
    inside = (places.noqueue if head == "NOQUEUE" else places.id, start + len(head) + 2)
    for rules, at in (inside, (places.bare, start)) if _is_head(head) else ((places.bare, start),):
        for rule in {rule for table in rules.values() for rule in table}:
            if rule.statement is statement:
                return rule, at
    raise AssertionError(msg["message"])


def _is_head(head: str) -> bool:
    return head == "NOQUEUE" or is_queue_id(head)


def holes() -> Iterator[Hole]:
    """The fields of one sample of each statement."""
    seen: set[object] = set()
    for sample in SAMPLES:
        statement = statement_of(sample.msg)
        if statement in seen:
            continue
        seen.add(statement)
        rule, at = _rule(sample.msg)
        match = rule.match(sample.msg["message"][at:])
        assert match is not None
        for name in match.groupdict():
            start, end = match.span(name)
            if start >= 0:
                yield Hole(sample.msg, name, at + start, at + end)
    assert seen == set(STATEMENTS)


def pieces(hole: Hole) -> list[str]:
    """What to repeat within a field: its surroundings, and characters that mean something."""
    text = hole.msg["message"]
    after, before = text[hole.end : hole.end + 12], text[max(0, hole.start - 12) : hole.start]
    value = text[hole.start : hole.end]
    around = (after, after + before, before + value + after, before + after, text[hole.start :])
    return [piece for piece in dict.fromkeys((*around, *PIECES)) if piece]


def pumped(hole: Hole, piece: str, size: int, *, broken: bool) -> str:
    """The line with a piece repeated in one field; broken, its end fits no statement."""
    text = hole.msg["message"]
    end = "\0" if broken else ""
    return text[: hole.start] + piece * (size // len(piece)) + text[hole.end :] + end
