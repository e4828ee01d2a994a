"""A user's own mail, as `trace --as` shows it: what he sent and what was sent to him, and no more.

It asks function `mail_of` alone, so that a role which may do nothing else will do. What that
leaves out (clients, logins, ids, other recipients) nobody puts back here.
"""

from __future__ import annotations

import csv
import io
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import groupby
from typing import Any

from journal_postfix import accesses, output, patterns
from journal_postfix.accesses import Access
from journal_postfix.clock import Clock
from journal_postfix.config import Config
from journal_postfix.database import SEEKER_SETTINGS, Connection, Error, connect
from journal_postfix.messages import InputError, UsageError
from journal_postfix.queries import ask
from journal_postfix.question import Question
from journal_postfix.server import dsn_of
from journal_postfix.trace_layout import address, below, codes, cut, named, paragraph, wrapped
from journal_postfix.trace_rows import cell
from journal_postfix.trace_words import SAID
from journal_postfix.wording import size

Row = dict[str, Any]
Rows = list[Row]

OPTION = "--as"
#: What else may be asked; every other option would look behind what is shown.
_ALLOWED = ("since", "until", "status", "timezone", "limit", "format", "ticket")
_REFUSED = {
    "sender": "--sender", "recipient": "--recipient", "with_tags": "--with-tags",
    "sasl_username": "--sasl-username", "client": "--client", "message_id": "--message-id",
    "queue_id": "--queue-id", "subject": "--subject", "open": "--open", "mta": "--mta",
    "probes": "--probes", "follow": "--follow",
}  # fmt: skip
_MISSING = ("42883", "3F000")  # no such function, no such schema
_PRIVILEGE = "42501"
LOOK_AT_MOST = 5_000  # rows of each kind, where few of them are what is asked
_HIDDEN = "(recipient not shown)"
COLUMNS = (
    "t", "direction", "sender", "recipient", "size", "fate", "status", "dsn", "reason", "attempts",
    "t_last",
)  # fmt: skip


def owner_of(arguments: Namespace) -> str:
    """The address that --as names; UsageError where it is none, or goes with other options."""
    for name, option in _REFUSED.items():
        if getattr(arguments, name):
            allowed = ", ".join(f"--{one}" for one in _ALLOWED)
            raise UsageError(f"{option} does not go with {OPTION}, which takes {allowed}")
    pattern = patterns.read_address(OPTION, arguments.own)
    name, at, domain = (pattern.literal or "").rpartition("@")
    if not (name and at and domain):
        raise UsageError(f"{OPTION} {arguments.own!r} is not one whole address, name@domain")
    return f"{name}@{domain}"


def answer(
    owner: str, question: Question, access: Access, config: Config, clock: Clock, how: str
) -> int:
    """Print the mail of an address; gives the exit status."""
    with closing(connect(dsn_of(config, create=False), SEEKER_SETTINGS)) as connection:
        try:
            rows, more = _found(connection, owner, question)
            (noted,) = ask(connection, "may_note")
        except Error as error:
            raise _explained(error) from None
        if noted["may"] or config.require_ticket:
            accesses.note(connection, access, len(rows))
    if more:
        sys.stderr.write(f"journal-postfix: the latest {len(rows)}; more: --limit, --until\n")
    sys.stdout.write(FORMATS[how](rows, owner, clock))
    return 0


def _found(connection: Connection, owner: str, question: Question) -> tuple[Rows, bool]:
    """The latest rows by time, and whether there are older ones."""
    since, until = question.period
    most = question.limit + 1 if question.status is None else LOOK_AT_MOST
    rows = ask(connection, "mail_of", address=owner, since=since, until=until, most=most)
    fitting = [row for row in rows if question.status in (None, row["fate"], row["status"])]
    return fitting[-question.limit :], len(fitting) > question.limit


def _explained(error: Error) -> Exception:
    if error.pgcode in _MISSING:
        return InputError(
            "the database has no function mail_of for this role: run journal-postfix setup, and give"
            " the role its schema (search_path)"
        )
    if error.pgcode == _PRIVILEGE:
        what = " ".join(str(error).split())
        return InputError(f"this role may not see the mail of users ({what}): docs/access.rst")
    return error


# --- how it is told -------------------------------------------------------------------------


def _as_text(rows: Rows, owner: str, clock: Clock) -> str:
    mails = [list(group) for _, group in groupby(rows, _mail)]
    sent = [mail for mail in mails if mail[0]["direction"] == "sent"]
    counts = f"{len(sent)} sent, {len(mails) - len(sent)} received"
    blocks = [paragraph(f"Mail of {named(owner)}: {counts}, as far as the log is stored.")]
    blocks += ["\n".join(_block(mail, n, clock)) for n, mail in enumerate(mails, 1)]
    return "\n\n".join(blocks) + "\n"


def _mail(row: Row) -> tuple[Any, ...]:
    """What the rows of one mail have in common."""
    alone = row["direction"] == "received" or row["size"] is None
    return (
        row["t"],
        row["direction"],
        row["sender"],
        row["size"],
        row["recipient"] if alone else None,
    )


def _block(mail: Rows, number: int, clock: Clock) -> Iterator[str]:
    first = mail[0]
    head = f"[{number}] {clock.full(first['t'])}  "
    octets = "" if first["size"] is None else f"  {size(first['size'])}"
    if first["direction"] == "received":
        yield paragraph(f"{head}RECEIVED  from {address(first['sender'])}{octets}")
        yield from _recipient(first, "", clock)
        return
    yield f"{head}SENT  to {len(mail)}{octets}"
    for row in mail:
        yield from _recipient(row, f"{_name(row):<29} ", clock)


def _name(row: Row) -> str:
    return _HIDDEN if row["recipient"] is None else named(row["recipient"])


def _recipient(row: Row, name: str, clock: Clock) -> Iterator[str]:
    word = SAID[row["fate"]].word.format(host="another server")
    yield wrapped(f"{name}{word} {clock.near(row['t_last'], row['t'])}", "    ", 12)
    if row["reason"]:
        yield below(
            codes({"reply_code": None, **row}, row["reason"])
            if _is_ours(row)
            else cut(row["reason"])
        )
    if (row["attempts"] or 0) > 1:
        yield below(f"tried {row['attempts']} times")


def _is_ours(row: Row) -> bool:
    """The answer is one of ours, and stored without its codes."""
    return bool(row["fate"] == "refused")


def _as_json(rows: Rows, owner: str, clock: Clock) -> str:
    return output.as_json([{name: output.plain(row[name]) for name in COLUMNS} for row in rows])


def _as_csv(rows: Rows, owner: str, clock: Clock) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(row[name], clock) for name in COLUMNS} for row in rows)
    return out.getvalue()


FORMATS: dict[str, Callable[[Rows, str, Clock], str]] = {
    "table": _as_text,
    "json": _as_json,
    "csv": _as_csv,
}
