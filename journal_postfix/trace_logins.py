"""Logins of an account beside its mails: when it was tried, from where, with what success."""

from __future__ import annotations

from collections.abc import Iterator

from journal_postfix.clock import Clock
from journal_postfix.database import Connection
from journal_postfix.queries import Rows, ask
from journal_postfix.question import Question
from journal_postfix.trace_layout import client, cut, named, paragraph, wrapped
from journal_postfix.wording import counted

SHOWN = 20  # lines: an account under attack has hundreds


def find_logins(connection: Connection, question: Question) -> Rows:
    """The logins of the account asked about, by the hour; none where no single one was named."""
    account = question.sasl_username
    if account is None or account.literal is None:
        return []
    since, until = question.period
    return ask(connection, "trace_logins", sasl_username=account.literal, since=since, until=until)


def login_text(rows: Rows, clock: Clock) -> str:
    """Sums, then the latest hours; nothing where no login is stored."""
    return "\n" + "\n".join(_lines(rows, clock)) + "\n" if rows else ""


def _lines(rows: Rows, clock: Clock) -> Iterator[str]:
    sums = (_sum(rows, name) for name in ("failed", "succeeded"))
    yield paragraph(f"LOGINS of {named(rows[-1]['sasl_username'])}: {', '.join(sums)}.")
    if len(rows) > SHOWN:
        yield f"    {len(rows) - SHOWN} lines before these: a shorter period shows them"
    for row in rows[-SHOWN:]:
        count = f"failed {counted(row['failed'])}" if row["failed"] else "succeeded"
        times = f" {counted(row['succeeded'])}" if row["succeeded"] > 1 else ""
        why = f": {cut(row['reason'])}" if row["reason"] else ""
        where = f"{client(row)} at {named(row['mta'])}"
        yield wrapped(f"{where}, {count}{times}{why}", f"    {clock.full(row['t_i'])}  ", 8)


def _sum(rows: Rows, name: str) -> str:
    found = [row for row in rows if row[name]]
    addresses = len({row["client_address"] for row in found})
    words = f" from {counted(addresses)} address{'' if addresses == 1 else 'es'}" if found else ""
    return f"{name} {counted(sum(row[name] for row in found))}{words}"
