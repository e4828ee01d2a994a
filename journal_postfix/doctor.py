"""The command `doctor`: looks at everything around the service, says what to do.

Every check is a function in the table CHECKS. What a check cannot look at (no rights, no Postfix, no
systemd, no database) is a note, and the others go on.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from journal_postfix import (
    doctor_config,
    doctor_database,
    doctor_hosts,
    doctor_journal,
    doctor_postfix,
)
from journal_postfix.config import Config, file_of
from journal_postfix.database import PLAIN_SETTINGS, Connection, Error, connect
from journal_postfix.findings import GRADES, Check, Examined, Finding, note
from journal_postfix.messages import InputError
from journal_postfix.output import FORMATS, formatted, visible
from journal_postfix.server import dsn_of
from journal_postfix.wording import number_of

WIDTH = 96

DESCRIPTION = """\
Look at what the service depends on: configuration, rights on the journal, limits of journald,
settings of Postfix, the database and its disk. Each finding says what to do. It works as far as it
can without root, Postfix, systemd and database, and says what it could not look at. Nothing is
changed. Run it as the user of the service to check that user's rights."""

EPILOG = """\
grades:
  problem   something does not work, or is lost
  warning   it will hurt some day
  note      good to know; also what could not be checked
  ok        all is well

exit status:
  0 no problem; 1 a problem; 2 wrong usage or configuration"""


class Topic(NamedTuple):
    """A check and what it is about; `needs_database`: it is left out where there is none."""

    topic: str
    check: Check
    needs_database: bool = False


CHECKS = (
    Topic("configuration", doctor_config.check_file),
    Topic("configuration", doctor_config.check_database_kind),
    Topic("service", doctor_config.check_service),
    Topic("journal", doctor_journal.check_journal),
    Topic("rate limit", doctor_journal.check_rate_limit),
    Topic("storage", doctor_journal.check_storage),
    Topic("log file", doctor_journal.check_files),
    Topic("postfix", doctor_postfix.check_postfix),
    Topic("database", doctor_database.check_connection),
    Topic("database", doctor_database.check_server, needs_database=True),
    Topic("schema", doctor_database.check_schema, needs_database=True),
    Topic("rights", doctor_database.check_rights, needs_database=True),
    Topic("disk", doctor_database.check_disk, needs_database=True),
    Topic("disk", doctor_config.check_min_free_disk),
    Topic("retention", doctor_config.check_retention),
    Topic("stored", doctor_database.check_stored, needs_database=True),
    Topic("hosts", doctor_hosts.check_hosts),
)

Found = list[tuple[str, Finding]]  # topic, finding


def examine(it: Examined) -> Found:
    """All findings, the gravest first."""
    found = [(one.topic, finding) for one in CHECKS for finding in _findings(it, one)]
    return sorted(found, key=lambda pair: GRADES.index(pair[1].grade))


def _findings(it: Examined, one: Topic) -> Iterator[Finding]:
    if one.needs_database and it.connection is None:
        return
    try:
        yield from one.check(it)
    except (OSError, InputError, Error) as error:
        if it.connection is not None and not it.connection.closed:
            it.connection.rollback()
        yield note(f"not checked: {' '.join(str(error).split())}")


@contextmanager
def database(config: Config) -> Iterator[tuple[Connection | None, str]]:
    """Give a connection to the database; None, and why, where there is none."""
    try:
        connection = connect(dsn_of(config, create=False), PLAIN_SETTINGS)
    except InputError as error:
        yield None, str(error)
        return
    with closing(connection):
        yield connection, ""


def as_text(found: Found) -> str:
    """Findings for people: what is wrong first, each with what to do."""
    lines = [_summary(found), ""]
    for topic, finding in found:
        head = f"{finding.grade.upper() if finding.grade == 'problem' else finding.grade:<8} {topic:<14} "
        lines += textwrap.wrap(
            visible(finding.finding), WIDTH, initial_indent=head, subsequent_indent=" " * len(head),
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        if finding.todo:  # in one line, to be copied
            lines.append(f"{' ' * len(head)}> {visible(finding.todo)}")
    return "\n".join(lines) + "\n"


def _summary(found: Found) -> str:
    counts = {grade: sum(one.grade == grade for _, one in found) for grade in GRADES}
    words = [number_of(counts[grade], grade) for grade in GRADES[:3] if counts[grade]]
    return f"{', '.join(words) or 'nothing to do'}; {counts['ok']} ok"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Check rights, journald, Postfix, database and disk. Says what to do."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--file", metavar="PATH", help="the service follows this log file")
    parser.add_argument("--format", choices=FORMATS, default="table", help="how to print")


def answer(arguments: argparse.Namespace, config: Config) -> int:
    """Print the findings; 1 where there is a problem."""
    log = Path(arguments.file) if arguments.file else None
    file = file_of(arguments.config)
    with database(config) as (connection, refused):
        it = Examined(config, file, datetime.now(UTC), Path("/"), connection, refused, log)
        found = examine(it)
    if arguments.format == "table":
        text = as_text(found)
    else:
        rows = [{"topic": topic, **finding._asdict()} for topic, finding in found]
        text = formatted(rows, arguments.format)
    _write(text)
    return 1 if any(finding.grade == "problem" for _, finding in found) else 0


def _write(text: str) -> None:
    print(text, end="")  # noqa: T201 - a command prints
