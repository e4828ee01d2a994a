"""The command `trace`: what became of mails, for people, for programs, for spreadsheets.

It tells first how much of what is asked is stored, then what was found, by time.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event

from journal_postfix import accesses, own_mail, schema, trace_rows, trace_text
from journal_postfix.accesses import Access
from journal_postfix.clock import Clock
from journal_postfix.config import Config
from journal_postfix.coverage import Coverage, cover
from journal_postfix.database import READER_SETTINGS, SEEKER_SETTINGS, Connection, connect
from journal_postfix.finding import Found, Item, find
from journal_postfix.messages import UsageError
from journal_postfix.output import FORMATS
from journal_postfix.period import KNOWN, Period
from journal_postfix.question import (
    FATES,
    FOREVER,
    LIMIT,
    STATUSES,
    VERDICTS,
    Question,
    has_key,
    read_question,
)
from journal_postfix.server import dsn_of
from journal_postfix.stamps import checked_zone
from journal_postfix.trace_layout import paragraph
from journal_postfix.trace_logins import find_logins, login_text

PAUSE = 2.0  # seconds between two looks of --follow
LATE = timedelta(hours=1)  # what is stored later than this after it happened, --follow misses
FOLLOWED = 10_000
#: Options whose values are people's, or lead to them.
_KEYS = (
    "sender", "recipient", "sasl_username", "client", "message_id", "queue_id", "subject", "own",
)  # fmt: skip

Noted = Callable[[int], None]  # called with the number of rows that are about to be shown

DESCRIPTION = """\
What became of mails: from whom, how each came in, its way through filters, forwards and hosts of
ours, and for each recipient how it ended, in words that can be read aloud. Refusals before
queueing stand in the same list. What is not stored of the time asked about is told first.

A mail is shown if all options given fit it; a hit anywhere on its way shows the whole way, once."""

EPILOG = f"""\
times:
  {KNOWN};
  a day in --until is meant with its end

words of --status:
  fates       {", ".join(FATES[:8])},
              {", ".join(FATES[8:])}
  Postfix's   {", ".join(STATUSES)},
              {", ".join(VERDICTS)}

examples:
  journal-postfix trace --sender bob@example.com --since "last monday"
  journal-postfix trace --recipient ann@example.org --status returned
  journal-postfix trace --recipient @example.org --open
  journal-postfix trace --client 192.0.2.0/24 --since 2h --status refused
  journal-postfix trace --queue-id 4fK2Xq1Zz9Y --format json
  journal-postfix trace --as ann@example.com --since yesterday

exit status:
  0 done, also where nothing was found; 1 failed; 2 wrong usage"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Tell what became of mails. By sender, recipient, id, client, login, status."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    _add_addresses(parser.add_argument_group("whose mail"))
    _add_criteria(parser.add_argument_group("which mail"))
    _add_period(parser.add_argument_group("when"))
    _add_output(parser.add_argument_group("how it is told"))


def _add_addresses(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--sender", metavar="ADDRESS",
        help="envelope sender: an address, @domain, or with *; '<>' is the empty one",
    )  # fmt: skip
    group.add_argument(
        "--recipient", metavar="ADDRESS", help="final recipient, or as given before aliases"
    )
    group.add_argument(
        "--with-tags", action="store_true", help="name+tag@ too, for name@ (needs a period)"
    )
    group.add_argument(
        own_mail.OPTION, dest="own", metavar="ADDRESS",
        help="what its owner may see: sent and received, no clients, ids, other recipients",
    )  # fmt: skip
    group.add_argument("--sasl-username", metavar="NAME", help="login of the client, or with *")
    group.add_argument(
        "--client", metavar="CLIENT", help="host name (or with *), address, or 192.0.2.0/24"
    )


def _add_criteria(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--message-id", metavar="ID", help="Message-ID, with its brackets or not")
    group.add_argument("--queue-id", metavar="ID", help="queue id on any host of ours")
    group.add_argument(
        "--subject", metavar="TEXT", help="a part of the subject, where store_subject keeps it"
    )
    group.add_argument("--status", metavar="WORD", help="of a recipient: see below")
    group.add_argument("--open", action="store_true", help="in the queue now, as far as is known")
    group.add_argument("--mta", metavar="HOST", help="host of ours, with its domain or not")
    group.add_argument(
        "--probes", action="store_true", help="also probes of addresses, which are no mails"
    )


def _add_period(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--since", metavar="TIME",
        help="mails that came, were tried or ended since; needed unless an address, an id or a"
        " login is given literally, or --open",
    )  # fmt: skip
    group.add_argument("--until", metavar="TIME", help="default: now")
    group.add_argument(
        "--timezone", metavar="ZONE", help="zone of times, such as Europe/Berlin; default: here"
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--limit", type=_limit, default=LIMIT, metavar="N",
        help=f"the latest N (default {LIMIT}); how many more there are is told",
    )  # fmt: skip
    group.add_argument(
        "--follow", action="store_true",
        help="go on printing what is new or has changed, until interrupted; json: an object a line",
    )  # fmt: skip
    group.add_argument(
        "--format", choices=FORMATS, default="table",
        help="table: for people; json: all columns; csv: a line per recipient",
    )  # fmt: skip
    accesses.add_ticket(group)


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= FOLLOWED:
        raise argparse.ArgumentTypeError(f"a number from 1 to {FOLLOWED}")
    return int(text)


# --- the answer -----------------------------------------------------------------------------


def answer(arguments: argparse.Namespace, config: Config) -> int:
    """Print what was found; gives the exit status."""
    now, zone = datetime.now(UTC), checked_zone(arguments.timezone)
    if arguments.follow and arguments.until is not None:
        raise UsageError("--follow goes on and on: leave --until out")
    owner = None if arguments.own is None else own_mail.owner_of(arguments)
    question = read_question(arguments, now, zone)
    access = _access(arguments, config, question)
    if owner is not None:
        return own_mail.answer(owner, question, access, config, Clock(zone), arguments.format)
    settings = SEEKER_SETTINGS if has_key(question) else READER_SETTINGS
    connection = connect(dsn_of(config, create=False), settings)
    try:
        connection.autocommit = True
        schema.check(connection, migrate=False)
        clock = Clock(zone)
        noted = partial(accesses.note, connection, access)
        tell(connection, question, config, clock, arguments.format, now, noted)
        if arguments.follow:
            _follow(connection, question, clock, arguments.format, noted)
    finally:
        connection.close()
    return 0


def _access(arguments: argparse.Namespace, config: Config, question: Question) -> Access:
    keys = tuple(value for name in _KEYS if (value := getattr(arguments, name)) is not None)
    since, until = question.period
    return Access(
        "trace", keys, accesses.ticket_of(arguments, config),
        since if question.given else None, until if arguments.until else None,
    )  # fmt: skip


def tell(
    connection: Connection, question: Question, config: Config, clock: Clock, how: str, now: datetime,
    noted: Noted,
) -> None:  # fmt: skip
    """Print what is stored of the period, and what was found."""
    coverage = cover(connection, question, config, now, clock)
    found = find(connection, question)
    if how == "table":
        logins = find_logins(connection, question)
        noted(trace_rows.count(found.items) + len(logins))
        print(text(coverage, found, question, clock), end="")
        print(login_text(logins, clock), end="")
        return
    noted(trace_rows.count(found.items))
    for sentence in (*coverage.missing, *_cut_off(found, question)):
        print(f"journal-postfix: {sentence}", file=sys.stderr)
    print(trace_rows.FORMATS[how](found.items, clock), end="")


def text(coverage: Coverage, found: Found, question: Question, clock: Clock) -> str:
    """The whole answer for people."""
    head = [f"NOT COVERED: {sentence}." for sentence in coverage.missing]
    lines = [paragraph(one) for one in (*head, coverage.stored)]
    lines += [f"{sentence[0].upper()}{sentence[1:]}." for sentence in _cut_off(found, question)]
    if not found.items:
        return "\n".join([*lines, "", *_nothing(question, clock)]) + "\n"
    lines.append(trace_text.counted(found.items) + "\n")
    return "\n".join(lines) + "\n" + trace_text.page(found.items, clock)


def _cut_off(found: Found, question: Question) -> Iterator[str]:
    if found.not_looked_at:
        yield (
            f"{found.not_looked_at:,} older mails were not looked at: give a shorter period, or an"
            " address"
        )
    elif found.more:
        every = question.limit + found.more
        how = f"--limit {every}" if every <= FOLLOWED else "give a shorter period"
        yield f"up to {found.more:,} more before these: {how}"


def _nothing(question: Question, clock: Clock) -> Iterator[str]:
    yield paragraph(f"Nothing found {_asked(question, clock)}.")
    yield "Try next:"
    yield from (f"  - {hint}" for asked, hint in _HINTS if asked(question))


def _asked(question: Question, clock: Clock) -> str:
    if not question.given:
        return "in all that is stored"
    since, until = question.period
    end = "now" if until == FOREVER else clock.full(until)
    return f"from {clock.full(since)} to {end} {clock.offset(since)}"


_HINTS: tuple[tuple[Callable[[Question], object], str], ...] = (
    (lambda q: q.given, "a longer period: --since 7d"),
    (lambda q: q.recipient, "the address that was given, or the one that an alias makes of it"),
    (lambda q: q.sender and not q.given, "all of the domain: --sender @domain --since 2d"),
    (lambda q: q.sender and q.recipient, "one of the two addresses alone"),
    (lambda q: q.sender or q.recipient, "--with-tags, which also finds name+tag@"),
    (lambda q: q.client, "the client's network, such as 192.0.2.0/24, with --since"),
    (lambda q: q.message_id or q.queue_id, "the sender or the recipient instead of the id"),
    (lambda q: q.subject, "the addresses: subjects are only stored with store_subject"),
    (lambda q: q.status or q.is_open, "the same without --status and --open"),
    (lambda q: q.mta, "the same without --mta"),
    (bool, "what is read, and how far: journal-postfix status"),
)


# --- and what comes after it ----------------------------------------------------------------


def _follow(
    connection: Connection, question: Question, clock: Clock, how: str, noted: Noted
) -> None:
    stop = Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    question = question._replace(limit=FOLLOWED)
    known = _known(find(connection, question).items)
    number = 1
    while not stop.wait(PAUSE):
        since = max(question.period.since, datetime.now(UTC) - LATE)
        now = question._replace(period=Period(since, question.period.until))
        items = find(connection, now).items
        new = [item for item in items if known.get(_name(item)) != trace_rows.as_line(item)]
        known = _known(items)
        if new:
            noted(trace_rows.count(new))
            _print_new(new, clock, how, number)
        number += len(new)


def _known(items: Sequence[Item]) -> dict[object, str]:
    return {_name(item): trace_rows.as_line(item) for item in items}


def _name(item: Item) -> object:
    return trace_rows.first_row(item)["id"]


def _print_new(items: Sequence[Item], clock: Clock, how: str, number: int) -> None:
    if how == "json":
        print("\n".join(trace_rows.as_line(item) for item in items))
    elif how == "csv":
        print(trace_rows.as_csv(items, clock, head=False), end="")
    else:
        print("\n" + trace_text.page(items, clock, number), end="")
    sys.stdout.flush()
