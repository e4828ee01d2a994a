"""The command `forget`: deletes what is stored about a person, and says where else the person still is."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from datetime import UTC, datetime

from journal_postfix import accesses, retention, schema
from journal_postfix.config import Config
from journal_postfix.database import PLAIN_SETTINGS, SQL, Connection, Cursor, Error, connect
from journal_postfix.erasing import Done, erase_person, take
from journal_postfix.forgetting import Forgetting, Tally
from journal_postfix.holdings import pseudonym_keys
from journal_postfix.messages import InputError, UsageError
from journal_postfix.output import as_table, visible
from journal_postfix.people import Key, Person, pattern, read_keys
from journal_postfix.server import dsn_of

DESCRIPTION = """\
Delete what is stored about a person: what was sent to them, verdicts and logins; mails they sent as a
whole, or where others got them too the sender's part; and mask them in all other texts. Lines from
before that are not stored again, whoever reads them. What you are about to do is told, and asked for.
"""
EPILOG = """\
keys:
  Give all addresses and logins of the person. An address is found in upper and lower case, quoted, in
  variable return paths (list+bounce-ann=example.com@), rewritten by forwarders (SRS), and in texts;
  name+tag@ only with --tag. --domain means every address of a domain, not of its subdomains.

exit status:
  0 done; 1 something is left: rows that `retain` keeps, or values that only the tables' owner can
  have removed; 2 wrong usage, nothing was changed.

What it cannot reach (journal, log files, backups...) is said at the end; see docs/erasure.rst.

examples:
  journal-postfix forget ann@example.com
  journal-postfix forget ann@example.com ann.smith@example.com --tag --login ann
  journal-postfix forget --domain example.net --yes --rewrite
"""
#: Where the person still is when the tables are clean.
ELSEWHERE = """\
Not reached by this command, where there are any:
  the journal of each mail server      journalctl --rotate; journalctl --vacuum-time=1s (removes all older entries)
  log files and their rotated copies   /var/log/mail.log*
  backups, replicas, archived WAL      they go when theirs go
  free space in the tables' files      until it is used again; forget --rewrite writes the tables anew
  the database server's own log        where it logs statements
  what was printed or mailed           reports, traces, exports
  Postfix's queue and the mailboxes    they are not ours\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the keys of a person."""
    parser.add_argument("addresses", nargs="*", metavar="ADDRESS", help="mail address")
    parser.add_argument("--tag", action="store_true", help="also name+tag@ for each name@ given")
    parser.add_argument(
        "--login", action="append", default=[], metavar="NAME", help="login name; may be repeated"
    )
    parser.add_argument(
        "--domain", action="append", default=[], metavar="DOMAIN", help="all addresses of a domain"
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Delete what is stored about a person."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    add_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--rewrite",
        action="store_true",
        help="write the tables anew, so that free space is gone too; locks each meanwhile",
    )
    accesses.add_ticket(parser)


def keys_of(arguments: argparse.Namespace) -> tuple[Key, ...]:
    """The keys that were given; UsageError where one is wrong or there is none."""
    return read_keys(arguments.addresses, arguments.login, arguments.domain, tags=arguments.tag)


def person_of(cursor: Cursor, keys: tuple[Key, ...], *, tags: bool) -> Person:
    """The person, known also by what pseudonymised rows hold of him."""
    return Person(keys, tags=tags, keys=pseudonym_keys(cursor))


def access_of(
    command: str, keys: tuple[Key, ...], arguments: argparse.Namespace, config: Config
) -> accesses.Access:
    """What is noted about who looks; UsageError where a ticket is needed and none was given."""
    ticket = accesses.ticket_of(arguments, config)
    return accesses.Access(command, tuple(key.text for key in keys), ticket)


def answer(arguments: argparse.Namespace, config: Config) -> int:
    """Tell what would go, ask, and do it."""
    keys = keys_of(arguments)
    access = access_of("forget", keys, arguments, config)
    if not arguments.yes and not sys.stdin.isatty():
        raise UsageError("forget asks before it deletes, and there is no terminal: give --yes")
    with closing(connect(dsn_of(config, create=False), PLAIN_SETTINGS)) as connection:
        schema.check(connection, migrate=False, exact=True)
        connection.autocommit = True
        return _forget(connection, access, keys, arguments)


def _forget(
    connection: Connection,
    access: accesses.Access,
    keys: tuple[Key, ...],
    arguments: argparse.Namespace,
) -> int:
    with connection.cursor() as cursor:
        if not take(cursor):
            raise InputError(
                "another forget, or a clean-up that finishes one, is at work: try again later"
            )
        person = person_of(cursor, keys, tags=arguments.tag)
        tally = Forgetting(cursor, person, pattern(person)).count()
        accesses.note(connection, access, tally.rows.total())
        say(announced(person, tally))
        if not arguments.yes and not _is_wanted():
            say("nothing was changed")
            return 1
        done = _erase(cursor, person, access.ticket, rewrite=arguments.rewrite)
    say(concluded(done))
    is_left = done.tally.retained or done.stale or done.rewritten.refused or done.rewritten.older
    return 1 if is_left else 0


def _erase(cursor: Cursor, person: Person, ticket: str | None, *, rewrite: bool) -> Done:
    try:
        retention.take_turn(cursor)
        retention.finish_detached(cursor)  # what a clean-up left half done holds rows, too
        today = {"today": datetime.now(UTC).date(), "id": None}
        cursor.execute(SQL["statements/release_retained"], today)
        return erase_person(cursor, person, ticket, rewrite=rewrite)
    except Error as error:
        what = " ".join(str(error).split())
        raise InputError(
            f"not finished, the same command or the next clean-up goes on: {what}"
        ) from None


def _is_wanted() -> bool:
    try:
        return input("Forget? Type yes: ").strip().lower() == "yes"
    except EOFError:
        return False


def say(text: str) -> None:
    """Print a text, as far as the terminal knows its characters."""
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


# --- words ------------------------------------------------------------------------------------


def named(person: Person) -> str:
    """The keys, as they were understood."""
    tags = " (and name+tag@)" if person.tags else ""
    words = {"address": "", "login": "login ", "domain": "domain "}
    return ", ".join(f"{words[key.kind]}{visible(key.text)}" for key in person.given) + tags


def announced(person: Person, tally: Tally) -> str:
    """What is about to be done."""
    if not tally.rows:
        text = "no rows; lines from before now will not be stored"
    else:
        text = f"at least {tally.rows.total()} rows to delete or change\n{_counted(tally)}"
    kept = (
        f"\n{tally.retained} more are kept by retain until {tally.until}" if tally.retained else ""
    )
    return f"{named(person)}: {text}{kept}".rstrip()


def _counted(tally: Tally) -> str:
    rows = [
        {"table": table, "what": what, "rows": count}
        for (table, what), count in sorted(tally.rows.items())
        if count
    ]
    return as_table(rows).rstrip()


def concluded(done: Done) -> str:
    """What was done, and what is left where."""
    tally = done.tally
    parts = [f"{tally.rows.total()} rows deleted or changed\n{_counted(tally)}".rstrip()]
    if tally.queued:
        queued = [one._asdict() for one in tally.queued.values()]
        parts.append(
            "In the queue when last seen: Postfix goes on logging about these mails\n"
            + as_table(queued).rstrip()
        )
    if tally.retained:
        parts.append(
            f"NOT DONE: {tally.retained} mails or rows are kept by retain until {tally.until}; the"
            " clean-up of that day finishes it (retain --list, retain --release)"
        )
    if done.stale:
        parts.append(
            "NOT DONE: the server's column statistics still hold values of"
            f" {', '.join(sorted(done.stale))}: the tables' owner has to repeat this command"
        )
    if done.rewritten.refused:
        parts.append(
            f"NOT DONE: {', '.join(done.rewritten.refused)} were not written anew: the tables' owner has to"
            " repeat this command"
        )
    if done.rewritten.older:
        parts.append(
            f"NOT DONE: transactions that began before are still open ({done.rewritten.older}) and may see what"
            " was deleted, so the tables were not written anew: repeat this command when they have ended"
        )
    return "\n\n".join([*parts, ELSEWHERE])
