"""What `trace` gives to read aloud about a mail, and the one thing to do."""

from __future__ import annotations

import re
from collections import Counter

from journal_postfix.clock import Clock
from journal_postfix.output import visible
from journal_postfix.trace_layout import cut, named
from journal_postfix.trace_recipients import answer, notices_of, other_side
from journal_postfix.trace_words import SAID, UNTRIED
from journal_postfix.ways import Line, Way

SENTENCES_AT_MOST = 6
NAMED_AT_MOST = 3
LONGEST_ANSWER = 140

# What a reply has besides its sentence: codes, the address it is about, the command it answers.
_CODES = re.compile(
    r"(?:^|(?<=\s))[245][0-9]{2}[ -](?:[245]\.[0-9]{1,3}\.[0-9]{1,3} )?|^[245]\.[0-9.]+ "
)
_ABOUT = re.compile(r"^<[^>]*>:? ?")
_COMMAND = re.compile(r" ?\(in reply to [A-Za-z -]+ commands?\)$")


def to_read(way: Way, clock: Clock) -> str:
    """Sentences that tell what became of a mail, recipients of the same fate together."""
    groups: dict[str, list[Line]] = {}
    for line in way.lines:
        groups.setdefault(_sentence(line, way, clock), []).append(line)
    if len(groups) > SENTENCES_AT_MOST:
        kinds = Counter(SAID[line.fate].kind for line in way.lines)
        return '"' + ", ".join(f"{count} {kind}" for kind, count in kinds.items()) + '."'
    return '"' + " ".join(f"{_who(lines)}: {text}" for text, lines in groups.items()) + '"'


def to_do(way: Way) -> str:
    """What to do about the recipient who is worst off."""
    line = max(way.lines, key=lambda one: SAID[one.fate].rank)
    queue_id = visible(line.mail.row["queue_id"])
    return SAID[line.fate].do.format(host=other_side(line), queue_id=queue_id)


def _sentence(line: Line, way: Way, clock: Clock) -> str:
    untried = line.fate == "waiting" and not line.row.get("attempts")
    sentence = UNTRIED if untried else SAID[line.fate].sentence
    return sentence.format(
        host=other_side(line),
        t=clock.near(line.t, way.t),
        at=_at(line, way, clock),
        why=_why(line),
        notice=_told(line, way, clock),
    )


def _at(line: Line, way: Way, clock: Clock) -> str:
    t = clock.near(line.t, way.t)
    return f"at {t}" if t[0].isdigit() else f"on {t}"


def _why(line: Line) -> str:
    found = answer(line)
    if found is None:
        return ""
    text = _COMMAND.sub("", found.text)
    text = _ABOUT.sub("", _CODES.sub("", text)).strip()
    return f" Why: {cut(text or found.text, LONGEST_ANSWER).rstrip('.')}."


def _who(lines: list[Line]) -> str:
    names = list(dict.fromkeys(_name(line) for line in lines if line.given is not None))
    if len(names) > NAMED_AT_MOST:
        return f"{len(names)} recipients"
    return " and ".join(names) or "The mail"


def _name(line: Line) -> str:
    given, final = named(line.given), named(line.final)
    return given if final == given else f"{given} (that is {final})"


def _told(line: Line, way: Way, clock: Clock) -> str:
    """Whether the sender was told, and when."""
    for notice in notices_of(line, way):
        for end in notice.lines:
            if end.fate in ("delivered", "accepted elsewhere"):
                return f" The sender was told {_at(end, way, clock)}."
    if line.mail.row["sender"] == "":
        return " There is no sender to tell."
    return " That the sender was told is not in our log."
