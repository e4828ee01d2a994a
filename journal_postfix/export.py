"""The command `export`: everything that is stored about a person, for that person.

It begins with who answers for the data, what they are for, how long they are kept and what he may
ask for. Others in it are masked, unless everything is wanted. It reads only.
"""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from typing import Any, NamedTuple

from journal_postfix import accesses, forget, output, personal, schema
from journal_postfix.config import Config
from journal_postfix.database import READER_SETTINGS, SQL, Cursor, connect, dicts
from journal_postfix.erasures import names
from journal_postfix.forgetting import is_sender, of_mail, of_row
from journal_postfix.holdings import Mail, Row, Searched, load_mails
from journal_postfix.people import MASK, Person, is_account, others_masked, pattern
from journal_postfix.server import dsn_of

DESCRIPTION = """\
Everything that is stored about a person, beginning with purposes, periods and rights. Other people's
addresses in it keep only their first letter and their domain.
"""
EPILOG = """\
what is in it:
  delivery_from     mails that the person sent, got, or is named in
  delivery_to       every recipient of mails the person sent, the person's own rows of others;
                    delivery_attempt: their history
  noqueue           verdicts on transactions from the person or to the person
  login             the person's logins, and tries of others with that name
  other             texts in other tables that name the person

  The client's name and address are shown where the person logged in or submitted the mail; else they
  are those of somebody else, and are masked. The texts at the beginning are those of the keys privacy.*
  of the configuration. Addresses are found in all forms, as by forget.

examples:
  journal-postfix export ann@example.com ann.smith@example.com --tag --login ann
  journal-postfix export ann@example.com --format json > ann.json
  journal-postfix export --domain example.net --format csv --full > example.net.csv
"""
TABLES = ("delivery_from", "delivery_to", "delivery_attempt", "noqueue", "login")
#: Kinds of columns that tell of the client.
_OF_CLIENT = ("client", "client_address", "host", "port", "uid")
_OURS = ("retained_until", "place")  # no columns

Sections = dict[str, list[Row]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Print everything that is stored about a person, for that person."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    forget.add_arguments(parser)
    accesses.add_ticket(parser)
    parser.add_argument("--full", action="store_true", help="do not mask other people")
    parser.add_argument(
        "--format", choices=output.FORMATS, default="table", help="how to print; default: table"
    )


def answer(arguments: argparse.Namespace, config: Config) -> int:
    """Print what is stored."""
    keys = forget.keys_of(arguments)
    access = forget.access_of("export", keys, arguments, config)
    with closing(connect(dsn_of(config, create=False), READER_SETTINGS)) as connection:
        schema.check(connection, migrate=False, exact=True)
        connection.set_session("REPEATABLE READ")  # all rows of one moment
        with connection.cursor() as cursor:
            person = forget.person_of(cursor, keys, tags=arguments.tag)
            found = exported(cursor, person, full=arguments.full)
        accesses.note(connection, access, sum(map(len, found.values())))
    sections = {"privacy": told(config, person), **found}
    if arguments.format == "table":
        forget.say(as_text(sections).rstrip())
    else:
        forget.say(output.sections(sections, arguments.format).rstrip("\n"))
    return 0


# --- before the rows --------------------------------------------------------------------------


def told(config: Config, person: Person) -> list[Row]:
    """Whose data these are, what they are for, how long they are kept, and his rights."""
    texts = {
        "person": forget.named(person),
        "controller": config.privacy_controller,
        "purposes": config.privacy_purposes,
        "legal_basis": config.privacy_legal_basis,
        "period_of_mails": _period(
            config.retention_delivery_pseudonymise, config.retention_delivery_delete
        ),
        "period_of_refusals": _period(
            config.retention_noqueue_pseudonymise, config.retention_noqueue_delete
        ),
        "rights": config.privacy_rights,
        "contact": config.privacy_contact,
    }
    return [{"what": what, "text": text} for what, text in texts.items()]


def _period(pseudonymise: int, delete: int) -> str:
    deleted = f"deleted after {delete} days" if delete else "not deleted by age"
    if not pseudonymise:
        return f"{deleted}."
    return f"names are replaced by hashes after {pseudonymise} days, {deleted}."


# --- the rows ---------------------------------------------------------------------------------


class _Shown(NamedTuple):
    """How rows are shown: of whom they are, and whether others are masked."""

    person: Person
    full: bool

    def row(self, table: str, row: Row, *, own: bool) -> Row:
        """A row as it is shown; `own`: the client in it is he."""
        kinds = personal.COLUMNS.get(table, {})
        return {
            name: self._value(kinds.get(name, ""), value, own=own)
            for name, value in row.items()
            if name not in _OURS
        }

    def _value(self, kind: str, value: Any, *, own: bool) -> Any:
        if value is None or self.full:
            return value
        if kind in _OF_CLIENT and not own:
            return MASK
        if kind == "message_id" and own:
            return value
        if kind == "login" and not own:
            return value if is_account(self.person, value) else MASK
        return others_masked(self.person, value) if isinstance(value, str) else value


def exported(cursor: Cursor, person: Person, *, full: bool) -> Sections:
    """The rows about a person, by table."""
    shown = _Shown(person, full)
    sections: Sections = {name: [] for name in (*TABLES, "other")}
    searched = Searched(cursor, pattern(person))
    for keys in searched.mails():
        for mail in load_mails(cursor, keys):
            _add_mail(cursor, shown, mail, sections)
    for place in searched.places():
        for rows in searched.portions(place):
            for row in rows:
                _add_row(shown, place.table, row, sections)
    return sections


def _add_mail(cursor: Cursor, shown: _Shown, mail: Mail, sections: Sections) -> None:
    person, row = shown.person, mail.row
    changes = of_mail(person, mail)
    if not changes:
        return
    his = row is not None and is_sender(person, row)
    named = {change.where["id"] for change in changes}
    tos = [to for to in mail.tos if his or to["id"] in named]
    if row is not None:
        sections["delivery_from"].append(shown.row("delivery_from", row, own=_is_own(person, row)))
    sections["delivery_to"] += [shown.row("delivery_to", to, own=False) for to in tos]
    which = {"days": sorted({to["day"] for to in tos}), "ids": [to["id"] for to in tos]}
    cursor.execute(SQL["queries/person_history"], which)
    sections["delivery_attempt"] += [
        shown.row("delivery_attempt", one, own=False) for one in dicts(cursor)
    ]


def _is_own(person: Person, row: Row) -> bool:
    """The client of a mail or verdict is he, or his."""
    if is_account(person, row["sasl_username"]):
        return True
    return bool(row.get("is_submission")) and is_sender(person, row)


def _add_row(shown: _Shown, table: str, row: Row, sections: Sections) -> None:
    person = shown.person
    values = of_row(person, table, row)
    if values is not None and not values:
        return
    if table == "noqueue":
        sections[table].append(shown.row(table, row, own=_is_own(person, row)))
    elif table == "login":
        sections[table].append(shown.row(table, row, own=row["succeeded"] > 0))
    elif table != "delivery_attempt":
        for name in values or row:
            if text := _words(person, name, row[name]):
                sections["other"].append(
                    shown.row("other", {"table": table, "column": name, "text": text}, own=True)
                )


def _words(person: Person, name: str, value: Any) -> str | None:
    """A value that names him, as a text; of open sessions those that do."""
    if not names(person, value):
        return None
    if name == "state":
        sessions = [one for kind in value.values() for one in kind if names(person, one)]
        return json.dumps(sessions, ensure_ascii=False)
    return str(value)


# --- for people -------------------------------------------------------------------------------


def as_text(sections: Sections) -> str:
    """Each row as lines of name and value, without what is not known."""
    parts = []
    for name, rows in sections.items():
        title = name if name == "privacy" else f"{name}: {len(rows)}"
        lines = [_privacy(row) if name == "privacy" else _lines(row) for row in rows]
        parts.append("\n".join([title.upper(), *lines]))
    return "\n\n".join(parts) + "\n"


def _privacy(row: Row) -> str:
    return f"{row['what'].replace('_', ' ')}: {output.visible(row['text'])}"


def _lines(row: Row) -> str:
    known = {name: value for name, value in row.items() if value is not None}
    width = max(map(len, known), default=0)
    lines = [f"  {name.ljust(width)}  {output.visible(value)}" for name, value in known.items()]
    return "\n".join([*lines, ""])
