"""The list of personal data against what the schema says of itself."""

from __future__ import annotations

from pathlib import Path

from journal_postfix import personal
from test_store import COLUMNS, rows

DOCS = Path(__file__).parent.parent / "docs" / "retention.rst"


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


def as_documented() -> str:
    """Give the table of docs/retention.rst."""
    lines = []
    for table, columns in personal.COLUMNS.items():
        lines.append(f"``{table}``, {WHEN[table]}:\n")
        for kind in dict.fromkeys(columns.values()):
            named = ", ".join(f"``{name}``" for name, one in columns.items() if one == kind)
            what, becomes = personal.KINDS[kind]
            lines.append(f"- {named}: {what}; {becomes}")
        lines.append("")
    return "\n".join(lines)


WHEN = {
    "delivery_from": "after the days of ``retention.delivery``",
    "delivery_to": "after the days of ``retention.delivery``",
    "delivery_attempt": "after the days of ``retention.delivery``",
    "noqueue": "after the days of ``retention.noqueue``",
    "login": "failed ones as ``noqueue``, the others as ``delivery_from``",
    "access_log": "deleted after ``retention.access_log``",
    "retained": "on the day that was given to ``retain``",
}


def test_every_column_is_documented() -> None:
    """docs/retention.rst says of each column with personal data what becomes of it, and when."""
    text = DOCS.read_text("utf-8")
    begin, end = (text.index(mark) for mark in (".. columns", ".. end of columns"))
    assert text[begin:end].partition("\n\n")[2].rstrip() == as_documented().rstrip()
