"""A look at a journal as a whole: who writes into it, since when, what it says it lost.

It reads a few entries and lists of values, never all entries. It knows no Postfix: who asks says
which identifiers count.

Bugs: identifiers and host names of entries that are gone may still be listed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple

from journal_postfix.journal import open_reader
from journal_postfix.journalfiles import check_readable
from journal_postfix.losses import JOURNALD, MESSAGE_IDS, read

SECOND = 1_000_000
LISTED = 1000  # losses that are looked at


class Loss(NamedTuple):
    """What journald said of lines it lost: when, how many where it counted, why."""

    t: datetime
    lost: int | None
    reason: str


class Survey(NamedTuple):
    """What a journal holds: names of programs, the first entry, the last that counts, losses."""

    identifiers: frozenset[str]
    first: datetime | None
    last: datetime | None
    losses: list[Loss]


def survey(directory: str | None, counts: Callable[[str], bool], since: datetime) -> Survey:
    """Look at a journal: `counts` tells identifiers that matter, losses are those since a moment.

    Raises InputError where there is no journal, or it may not be read.
    """
    check_readable(directory)
    with closing(open_reader(directory)) as reader:
        identifiers = _values(reader, "SYSLOG_IDENTIFIER")
        return Survey(
            frozenset(identifiers),
            _first(reader),
            _last(reader, [name for name in identifiers if counts(name)]),
            _losses(reader, since),
        )


def hosts(directory: str | None) -> frozenset[str]:
    """The names of the hosts in a journal; raises InputError as `survey`."""
    check_readable(directory)
    with closing(open_reader(directory)) as reader:
        return frozenset(_values(reader, "_HOSTNAME"))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _values(reader: Any, field: str) -> set[str]:
    try:
        return {_text(value) for value in reader.query_unique(field)}
    except OSError:  # a damaged file
        return set()


def _time(reader: Any) -> datetime:
    return datetime.fromtimestamp(reader._get_realtime() / SECOND, UTC)  # noqa: SLF001 - fields are not wanted


def _first(reader: Any) -> datetime | None:
    reader.seek_head()
    return _time(reader) if reader._next() else None  # noqa: SLF001


def _last(reader: Any, identifiers: list[str]) -> datetime | None:
    if not identifiers:
        return None
    for name in identifiers:
        reader.add_match(SYSLOG_IDENTIFIER=name)
    reader.seek_tail()
    found = _time(reader) if reader._previous() else None  # noqa: SLF001
    reader.flush_matches()
    return found


def _losses(reader: Any, since: datetime) -> list[Loss]:
    """What journald itself said it lost; others may say such things, and are not asked."""
    for message_id in sorted(MESSAGE_IDS):
        reader.add_match(MESSAGE_ID=message_id.decode())
    reader.add_conjunction()
    reader.add_match(_TRANSPORT="driver")
    reader.seek_realtime(since.timestamp())
    found: list[Loss] = []
    while len(found) < LISTED and reader._next():  # noqa: SLF001
        said = read(JOURNALD, _text(reader._get("MESSAGE")))  # noqa: SLF001
        if said is not None:
            found.append(Loss(_time(reader), said.lost, said.reason))
    reader.flush_matches()
    return found
