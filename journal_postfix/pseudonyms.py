"""Pseudonymisation as SQL expressions, made out of the list of personal data.

Of each kind of `personal.KINDS` SQL function `pseudonym_KIND` makes what stands in its place, or it
is cleared. It knows no table and no connection.
"""

from __future__ import annotations

from collections.abc import Iterable

from journal_postfix import personal

CLEARED = ("port", "subject")


def _pseudonym(column: str, kind: str, masks: str) -> str:
    return "NULL" if kind in CLEARED else f"pseudonym_{kind}(r.{column}, {masks})"


def changes(table: str) -> str:
    """The SET list that pseudonymises a row `r`, with the masks in `k`."""
    kinds = personal.COLUMNS[table].items()
    return ", ".join(f"{column} = {_pseudonym(column, kind, 'k.masks')}" for column, kind in kinds)


def named(table: str) -> str:
    """The SELECT list of the columns of a row `r` with personal data, pseudonymised."""
    kinds = personal.COLUMNS[table].items()
    return ", ".join(f"{_pseudonym(column, kind, 'k.masks')} AS {column}" for column, kind in kinds)


def copied(table: str, columns: Iterable[str]) -> str:
    """The SELECT list of all columns, pseudonymised where `k.due`."""
    kinds = personal.COLUMNS[table]
    return ", ".join(
        f"CASE WHEN k.due THEN {_pseudonym(column, kinds[column], 'k.masks')} ELSE r.{column} END"
        if column in kinds
        else f"r.{column}"
        for column in columns
    )


def is_plain(table: str) -> str:
    """The condition that something of a row `r` is not pseudonymised; it needs no key."""
    kinds = personal.COLUMNS[table]
    return "({}) IS DISTINCT FROM ({})".format(
        ", ".join(f"r.{column}" for column in kinds),
        ", ".join(_pseudonym(column, kind, "NULL") for column, kind in kinds.items()),
    )
