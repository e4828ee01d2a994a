"""Every sample line gives what stands above it, and every statement has a sample.

A file of `samples` is a syslog file of one daemon. Above each line stand why it is here and, behind
`#=`, what it must give: the row (`t` stands for the line's own time), `parsed` with fields of
`parse`, `errors`; or `null` for a line that is recognised and tells nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from journal_postfix import parser
from journal_postfix.delivery import extract_delivery
from journal_postfix.fields import LEVELS, Statement
from journal_postfix.formats import STATEMENTS
from journal_postfix.logfile import iter_logfile_messages
from journal_postfix.messages import MsgDetails

FOLDER = Path(__file__).parent / "samples"
EXPECTED = "#= "


class Sample(NamedTuple):
    """A line as read from its file, and what stands above it."""

    name: str
    why: str
    expected: dict[str, Any]
    msg: MsgDetails


def samples_of(path: Path) -> list[Sample]:
    """The samples of a file; each line has a reason and an expectation above it."""
    found: list[Sample] = []
    above: list[str] = []
    for _, msg in iter_logfile_messages(str(path), year=2025, timezone="UTC"):
        assert msg is not None
        if msg["identifier"]:
            *_, why, expected = above
            assert why.startswith("# "), msg["message"]
            assert expected.startswith(EXPECTED), msg["message"]
            wanted = json.loads(expected.removeprefix(EXPECTED)) or {}
            found.append(Sample(f"{path.stem}-{len(found) + 1}", why, wanted, msg))
            above = []
        else:
            above.append(msg["message"])
    return found


SAMPLES = [sample for path in sorted(FOLDER.glob("*.log")) for sample in samples_of(path)]


def plain(value: Any, t: object) -> Any:
    """A row as JSON holds it, the line's own time written `t`."""
    if isinstance(value, dict):
        return {name: plain(one, t) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one, t) for one in value]
    return "t" if value is t else value


def statement_of(msg: MsgDetails) -> Statement:
    """The row of the tables that reads a message: the first that matches, as in `parse`."""
    found = parser.route(msg["identifier"])
    assert found is not None
    level, _, text = msg["message"].partition(": ")
    if level not in LEVELS:
        level, text = "info", msg["message"]
    places = found.rules[level]
    head, _, rest = text.partition(": ")
    tries = [(places.bare, text)]
    if head == "NOQUEUE":
        tries.insert(0, (places.noqueue, rest))
    elif parser.is_queue_id(head):
        tries.insert(0, (places.id, rest))
    for rules, tried in tries:
        for rule in rules.get(tried[: parser._KEY]) or rules[""]:
            if rule.match(tried):
                return rule.statement
    raise AssertionError(f"not recognised: {msg['message']}")


def test_there_are_samples() -> None:
    """The folder is found and full."""
    assert len(SAMPLES) > 300


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_sample(sample: Sample) -> None:
    """A sample is recognised, and gives the row, the fields and the errors written above it."""
    wanted = dict(sample.expected)
    parsed = parser.parse(sample.msg)
    errors, delivery = extract_delivery(sample.msg, parsed)
    assert parsed["action"] not in ("unknown", "foreign")
    for name, value in wanted.pop("parsed", {}).items():
        assert parsed.get(name) == value, name
    assert errors == wanted.pop("errors", [])
    assert plain(delivery, sample.msg["t"]) == (wanted or None)


def test_every_statement_has_a_sample() -> None:
    """No row of the tables is without a line that needs it."""
    used = {statement_of(sample.msg) for sample in SAMPLES}
    assert [f"{one.action}: {one.format}" for one in STATEMENTS if one not in used] == []
