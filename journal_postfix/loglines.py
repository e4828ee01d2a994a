"""The parts of a log line: time, host, identifier, pid, message.

It knows the line formats of syslog daemons, of postlogd, RFC 3164 and RFC 5424, and finds out by
itself where a text changes from one to another. Lines are given as text in which each character
is one byte (latin-1); ``cleaned`` turns such text into what it says.
It refuses to know files, and what Postfix says in a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from journal_postfix.stamps import Clock
from journal_postfix.years import MONTH_NUMBERS, MONTHS

Source = tuple[str, str, int | None]
"""Host, identifier, pid."""

Parts = tuple[datetime | None, Source, str]
"""Time, source, message."""

Form = Callable[[str], Parts | None]
"""A way to split a line, None where the line is of another form."""

NO_SOURCE: Source = ("", "", None)
KEPT_SOURCES = 10_000
REPEATS = 10_000
"""More repetitions than this are not believed: the line stays one."""

BYTE_ORDER_MARK = "\xef\xbb\xbf"
"""That of UTF-8, as it looks before decoding."""

TEXT = re.DOTALL | re.ASCII
TAG = r"(?P<identifier>[^\s:\[\]]+)(?:\[(?P<pid>\d{1,9})\])?"
SOURCE = re.compile(rf" ?(?P<host>\S*[^\s:]) {TAG}", TEXT)
TAGGED = re.compile(rf" (?:(?P<host>\S*[^\s:]) )?{TAG}(?::|(?<=\])(?= |$)) ?(?P<message>.*)", TEXT)
REPEATED = re.compile(r"message repeated (\d{1,9}) times: \[ ?(.*)\]", TEXT)
REPEATED_LAST = re.compile(r"last message repeated (\d{1,9}) times?", TEXT)

PRIORITY = r"(?:<\d{1,3}>)?"
RFC_5424 = re.compile(
    rf"{PRIORITY}1 (?P<stamp>\S+) (?P<host>\S+) (?P<identifier>\S+) (?P<pid>\S+) \S+ "
    r"(?:-|(?:\[(?:[^\]\"\\]|\"(?:[^\"\\]|\\.)*\")*\])+)(?: (?P<message>.*))?",
    TEXT,
)
TIME = r"(?P<time>[012]\d:[0-5]\d:[0-6]\d)(?:[.,](?P<fraction>\d{1,9}))?"
DATE = rf"(?P<month>{'|'.join(MONTHS)}) {{1,2}}(?P<day>[0-3]?\d)"
ODD_TRADITIONAL = re.compile(rf"{PRIORITY}{DATE} {TIME}(?P<rest> .*)", TEXT)
ODD_ISO = (
    re.compile(
        rf"{PRIORITY}(?P<date>\d{{4}}-\d\d-\d\d)[T ]{TIME}"
        r" ?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?(?P<rest> .*)",
        TEXT,
    ),
    re.compile(rf"{PRIORITY}(?P<year>\d{{4}}) {DATE} {TIME}(?P<rest> .*)", TEXT),
    re.compile(rf"{PRIORITY}{DATE} (?P<year>\d{{4}}) {TIME}(?P<rest> .*)", TEXT),
)


def cleaned(text: str) -> str:
    """Return what a text of bytes says: UTF-8 decoded, NUL shown, no carriage return at its end.

    PostgreSQL cannot hold NUL; Postfix itself logs ``?`` for what it cannot print.
    """
    text = text.removesuffix("\r").replace("\0", "?")
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "replace")


def repeated(message: str) -> tuple[int, str]:
    """Return how often a message was said, and the message: rsyslog counts repetitions."""
    match = REPEATED.fullmatch(message)
    if match and 0 < int(match[1]) <= REPEATS:
        return int(match[1]), match[2]
    return 1, message


def repeated_last(message: str) -> int:
    """Return how often the last message was said again, 0 if that is not what it says (syslogd)."""
    match = REPEATED_LAST.fullmatch(message)
    count = int(match[1]) if match else 0
    return count if count <= REPEATS else 0


class Sources(dict[str, Source]):
    """Host, identifier and pid of what stands before the first colon and blank, kept as read."""

    def __missing__(self, text: str) -> Source:
        match = SOURCE.fullmatch(text)
        if match is None:
            raise KeyError(text)
        if len(self) >= KEPT_SOURCES:
            self.clear()
        self[text] = source = _source(match)
        return source


def _traditional(times: Mapping[str, datetime], sources: Mapping[str, Source]) -> Form:
    """Make the form of most lines; a function without self, because this is the hot path."""

    def form(line: str) -> Parts | None:
        head, _, message = line.partition(": ")
        try:
            return times[head[:15]], sources[head[15:]], message
        except KeyError:
            return None

    return form


def _iso(time: Callable[[str], datetime], sources: Mapping[str, Source]) -> Form:
    """Make the form of lines with ISO stamps."""

    def form(line: str) -> Parts | None:
        head, _, message = line.partition(": ")
        stamp, _, source = head.partition(" ")
        try:
            return time(stamp), sources[source], message
        except (KeyError, ValueError, OverflowError):
            return None

    return form


class LineSplitter:
    """Splitter of a text's lines, in their order; ``form`` is the way the last one was split.

    ``form(line)`` returns the parts, or None where a line is of another form; then ``split``
    finds that. Time and source are None and empty where a line is not syslog's: the message is
    then the whole line. StampError where a stamp cannot be right.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        sources = Sources()
        self._forms = (_traditional(clock, sources), _iso(clock.iso, sources), self._rfc_5424)
        self.form: Form = self._forms[0]

    def split(self, line: str) -> Parts:
        """Return the parts of a line of any form."""
        for form in self._forms:
            if parts := form(line):
                self.form = form
                return parts
        return self._odd(line.removeprefix(BYTE_ORDER_MARK)) or (None, NO_SOURCE, line)

    def _rfc_5424(self, line: str) -> Parts | None:
        match = RFC_5424.fullmatch(line)
        t = self._iso_time(match["stamp"]) if match else None
        if match is None or t is None:
            return None
        return t, _source(match), (match["message"] or "").removeprefix(BYTE_ORDER_MARK)

    def _odd(self, line: str) -> Parts | None:
        """Split what is rarer: a priority or a year in front, blanks within the stamp, no tag."""
        match = ODD_TRADITIONAL.fullmatch(line)
        t = self._traditional_time(match) if match else None
        if t is None:
            match = next(filter(None, (form.fullmatch(line) for form in ODD_ISO)), None)
            t = self._iso_time(_iso_stamp(match)) if match else None
        if match is None or t is None:
            return None
        if tagged := TAGGED.fullmatch(match["rest"]):
            return t, _source(tagged), tagged["message"]
        host, _, message = match["rest"][1:].partition(" ")
        return t, (cleaned(host), "", None), message

    def _traditional_time(self, match: re.Match[str]) -> datetime | None:
        try:
            t = self._clock[f"{match['month']} {match['day']:>2} {match['time']}"]
        except KeyError:
            return None
        return t + timedelta(seconds=float(f"0.{match['fraction'] or 0}"))

    def _iso_time(self, stamp: str) -> datetime | None:
        try:
            return self._clock.iso(stamp)
        except (ValueError, OverflowError):
            return None


def _iso_stamp(match: re.Match[str]) -> str:
    """Return the stamp as ISO 8601 has it, of one of the forms that nearly do."""
    found = match.groupdict()
    day = found.get("date") or (
        f"{match['year']}-{MONTH_NUMBERS[match['month']]:02d}-{int(match['day']):02d}"
    )
    return f"{day}T{match['time']}.{match['fraction'] or 0}{found.get('zone') or ''}"


def _source(match: re.Match[str]) -> Source:
    host, identifier, pid = (match[name] or "" for name in ("host", "identifier", "pid"))
    return (
        "" if host == "-" else cleaned(host),
        "" if identifier == "-" else cleaned(identifier),
        int(pid) if pid.isdecimal() and len(pid) < 10 else None,
    )
