"""Logins, failed and succeeded, summed by the hour: table `login`.

A row stands for one hour, service, client address, mechanism, account and, of failures, reason. So
there are never more rows than lines, and a guesser who tries one account all night leaves few.
Sums are the same in whatever order and batches the lines come. It knows no log syntax.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date

from journal_postfix.copytext import inet
from journal_postfix.database import Cursor
from journal_postfix.login import of_line
from journal_postfix.login_names import Accounts, hide_names
from journal_postfix.mail import Fact, Row

#: Bytes of a text: no account has more (RFC 4616), and a row of an index has its limit.
LONGEST = 255
_TEXTS = ("client_name", "sasl_method", "sasl_username", "reason")
_KEY = (
    "hour", "mta", "syslog_name", "client_name", "client_address", "sasl_method", "sasl_username",
    "reason",
)  # fmt: skip


def sums_of(facts: Iterable[Fact]) -> list[Row]:
    """The logins that the facts tell of, summed."""
    sums: dict[tuple[object, ...], Row] = {}
    for fact in facts:
        columns = fact.columns
        if columns["table"] != "login" and "also" not in columns:
            continue
        told = of_line(columns)
        if told is None:
            continue
        row = _row(fact, told)
        key = (row["failed"] > 0, *(row[name] for name in _KEY))
        known = sums.setdefault(key, row)
        if known is not row:
            known["failed"] += row["failed"]
            known["succeeded"] += row["succeeded"]
            known["t_i"], known["t_f"] = min(known["t_i"], fact.t), max(known["t_f"], fact.t)
    return list(sums.values())


def _row(fact: Fact, told: Row) -> Row:
    texts = {name: _cut(told[name]) if name in told else None for name in _TEXTS}
    if texts["sasl_method"] is not None:
        texts["sasl_method"] = texts["sasl_method"].upper()  # as clients like to write it
    return {
        "hour": fact.t.replace(minute=0, second=0, microsecond=0),
        "mta": _cut(fact.mta),
        "syslog_name": _cut(fact.syslog_name),
        "client_address": inet(told.get("client_address", "")),
        "failed": told.get("failed", 0),
        "succeeded": told.get("succeeded", 0),
        "t_i": fact.t,
        "t_f": fact.t,
        **texts,
    }


def _cut(text: str) -> str:
    """The text as JSON may hold it for PostgreSQL, and no longer than an index row may."""
    plain = text.replace("\0", "?").encode(errors="replace")
    return plain[:LONGEST].decode(errors="ignore")


def store_sums(
    cursor: Cursor, sums: Iterable[Row], failed_first: date | None, succeeded_first: date | None,
    accounts: Accounts,
) -> None:  # fmt: skip
    """Add sums to those stored; what is older than the first days kept is left out.

    Names of failures that are no known account's are hashed.
    """
    kept = [
        row for row in sums if _is_kept(row, failed_first if row["failed"] else succeeded_first)
    ]
    if kept:
        hide_names(cursor, kept, accounts)
        cursor.execute("EXECUTE merge_logins (%s)", (json.dumps(kept, default=str),))


def _is_kept(row: Row, first: date | None) -> bool:
    return first is None or bool(row["hour"].date() >= first)
