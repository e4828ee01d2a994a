"""The list of personal data against what the schema says of itself."""

from __future__ import annotations

from journal_postfix import personal
from test_store import COLUMNS, rows


def test_list_is_that_of_the_comments(dsn: str) -> None:
    """A column is in the list exactly if its comment says that it holds personal data."""
    told = {
        (table, column)
        for table, column, comment in rows(dsn, COLUMNS)
        if "Personal data" in comment and table != "source"  # its state goes with the lines
    }
    listed = {(table, name) for table, columns in personal.COLUMNS.items() for name in columns}
    assert listed == told
    kinds = {kind for columns in personal.COLUMNS.values() for kind in columns.values()}
    assert kinds == set(personal.KINDS)
