"""What `trace` tells of recipients: the word for each one's fate, the answer, the tries, the notices.

That a notice was sent is told only where the notice's own row says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from journal_postfix.clock import Clock
from journal_postfix.trace_layout import address, below, codes, cut, named, titled, wrapped
from journal_postfix.trace_words import NOTICE_OF, NOTICES, ON_CONTENT, SAID
from journal_postfix.ways import Line, Row, Way

LINES_AT_MOST = 20

_SAID_BY = re.compile(r"host (?P<host>\S+?)\[\S*\] said: (?P<answer>.*)", re.DOTALL).fullmatch


class Answer(NamedTuple):
    """What was answered, and who did; None: Postfix's own words."""

    host: str | None
    text: str


def word(line: Line) -> str:
    """The capital word for a recipient's fate."""
    return SAID[line.fate].word.format(host=other_side(line))


def other_side(line: Line) -> str:
    """The server that answered last."""
    row = line.row
    name = row.get("relay_name") or row.get("relay_address") or row.get("relay")
    return named(name) if name and name != "none" else "another server"


def answer(line: Line) -> Answer | None:
    """The latest answer, where there is one."""
    text = (line.verdict or line.row or line.mail.row)["reason"]
    if not text:
        return None
    said = None if line.verdict else _SAID_BY(text)
    return Answer(said["host"], said["answer"]) if said else Answer(None, text)


def recipients(way: Way, clock: Clock) -> Iterator[str]:
    """Each recipient's lines; of very many the worst, and how many others there are."""
    lines = way.lines
    if len(lines) > LINES_AT_MOST:
        lines = sorted(lines, key=lambda line: -SAID[line.fate].rank)
    for line in lines[:LINES_AT_MOST]:
        yield from _line(line, way, clock)
    rest = Counter(SAID[line.fate].kind for line in lines[LINES_AT_MOST:])
    if rest:
        words = ", ".join(f"{count} {kind}" for kind, count in rest.items())
        yield f"    and {rest.total()} more recipients: {words}"


def _line(line: Line, way: Way, clock: Clock) -> Iterator[str]:
    given, final = line.given, line.final
    name = "(recipient not logged)" if given is None else named(given)
    became = "" if final is None or final == given else f"= {named(final)}, "
    yield wrapped(f"{name:<29} {became}{word(line)} {clock.near(line.t, way.t)}", "    ", 12)
    for text in (*_answer(line), *_tries(line, way, clock), *_notices(line, way, clock)):
        yield below(text)


def _answer(line: Line) -> Iterator[str]:
    found = answer(line)
    if line.verdict:
        yield codes(line.verdict, line.verdict["reason"])
    elif found and found.host:
        yield f"{named(found.host)} said: {cut(found.text)}"
    elif found and line.row.get("daemon") == "lmtp":
        yield f"our mail store said: {cut(found.text)}"
    elif found:
        yield cut(found.text) if line.row else codes(line.mail.row, found.text)
    if line.verdict and is_on_content(line.verdict):
        yield "It was the text: recipients besides the one named are not in the log."
    if (line.verdict or {}).get("temporary"):
        yield "For now: the sending server was asked to come back."
    if line.fate == "accepted elsewhere":
        yield "From here on only they can say more."


def is_on_content(verdict: Row) -> bool:
    """A verdict is on the text, and so on all recipients, of which the log names one at most."""
    return verdict["daemon"] == "cleanup" or verdict["protocol_state"] in ON_CONTENT


def _tries(line: Line, way: Way, clock: Clock) -> Iterator[str]:
    row = line.row
    if not row or (row["attempts"] <= 1 and not row["skipped"] and line.fate != "waiting"):
        return
    words = []
    if row["attempts"]:
        at = f" at {other_side(line)}" if row["relay_name"] or row["relay_address"] else ""
        words.append(
            f"{_times(row['attempts'], 'real try', 'real tries')} since"
            f" {clock.near(row['t_i'], way.t)}, last {clock.near(row['t_status'], way.t)}{at}"
        )
    if row["skipped"]:
        words.append(f"put off without a try {_times(row['skipped'], 'time', 'times')}")
    yield "; ".join(words)


def _times(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


# --- notices --------------------------------------------------------------------------------


def notices_of(line: Line, way: Way) -> list[Way]:
    """The notices to the sender about this recipient's fate."""
    kind = NOTICE_OF.get(line.fate or "")
    if kind is None:
        return []
    of_mail = (one for one in way.notices if one.first.key in line.mail.notice_keys)
    return [one for one in of_mail if _is_kind(one, kind)]


def _is_kind(notice: Way, kind: str) -> bool:
    words = notice.first.row["notification"] or ""
    return words.startswith("sender ") and kind in words


def _notices(line: Line, way: Way, clock: Clock) -> Iterator[str]:
    own = notices_of(line, way)
    yield from (_notice(notice, way, clock) for notice in own)
    if not own and line.fate in ("returned", "expired"):
        yield (
            "No notice: the mail has no sender to tell."
            if line.mail.row["sender"] == ""
            else "That a notice was sent is not in the log."
        )


def other_notices(way: Way, clock: Clock) -> Iterator[str]:
    """The notices that no recipient's lines tell of."""
    told = {id(notice) for line in way.lines for notice in notices_of(line, way)}
    for notice in way.notices:
        if id(notice) not in told:
            yield titled("notice", _notice(notice, way, clock))


def _notice(notice: Way, way: Way, clock: Clock) -> str:
    words = notice.first.row["notification"] or ""
    name = NOTICES.get(words, f"Notice ({cut(words, 60)})")
    to = ", ".join(dict.fromkeys(address(line.given) for line in notice.lines if line.given))
    ends = "; ".join(f"{word(line)} {clock.near(line.t, way.t)}" for line in notice.lines)
    return f"{name}{f' to {to}' if to else ''}: {ends}"
