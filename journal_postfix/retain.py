"""The command `retain`: an abuse case stays out of clean-up until a day.

What belongs to the case is looked for once, when it is noted: rows stored later are not retained.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

from journal_postfix import output, schema
from journal_postfix.config import Config
from journal_postfix.database import PLAIN_SETTINGS, SQL, Connection, connect, dicts
from journal_postfix.forget import say
from journal_postfix.messages import InputError, UsageError
from journal_postfix.patterns import read_network
from journal_postfix.queries import ask
from journal_postfix.server import dsn_of

DESCRIPTION = """\
Keep what is stored about an abuse case from clean-up, and from pseudonymisation, until a day: mails with
their recipients, attempts and verdicts, refused transactions, and with --login the logins. Afterwards
retention applies again, and the note about the case goes too.
"""
EPILOG = """\
what it keeps:
  What is stored later is not retained: repeat the command for it. A queue id may come back: mails of
  other days with the same id are kept as well. `forget` leaves retained rows, says so, and has them
  deleted on the day (Art. 17(3)(e) GDPR: legal claims); --release lets them go before.

examples:
  journal-postfix retain --login ann --until 2026-12-31 --ticket "case 4711"
  journal-postfix retain --client 192.0.2.0/24 --until 2026-06-30
  journal-postfix retain --list
  journal-postfix retain --release 3
"""
KINDS = ("queue_id", "login", "sender", "recipient", "client")
LONGEST = 3660  # days; for ever is no retention period


def add_options(parser: argparse.ArgumentParser) -> None:
    """Keep an abuse case from clean-up until a day."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--queue-id", metavar="ID", help="mails with this queue id")
    group.add_argument("--login", metavar="NAME", help="mails and logins of this account")
    group.add_argument("--sender", metavar="ADDRESS", help="mails from this address")
    group.add_argument("--recipient", metavar="ADDRESS", help="mails to this address")
    group.add_argument("--client", metavar="CLIENT", help="from this host, address or 192.0.2.0/24")
    group.add_argument("--list", action="store_true", help="show the cases")
    group.add_argument("--release", type=int, metavar="ID", help="keep a case no longer")
    parser.add_argument("--until", metavar="DATE", help="first day that it need not be kept")
    parser.add_argument("--ticket", metavar="TEXT", help="why")
    parser.add_argument(
        "--format", choices=output.FORMATS, default="table", help="how to print the list"
    )


def answer(arguments: argparse.Namespace, config: Config) -> int:
    """Note a case, or show or release one."""
    case = None
    if not arguments.list and arguments.release is None:
        case = _read_case(arguments, datetime.now(UTC).date())
    with closing(connect(dsn_of(config, create=False), PLAIN_SETTINGS)) as connection:
        schema.check(connection, migrate=False)
        connection.autocommit = True
        if case is not None:
            say(retain(connection, case))
        elif arguments.list:
            rows = ask(connection, "retained")
            say(output.formatted(rows, arguments.format).rstrip() or "nothing is retained")
        else:
            release(connection, arguments.release)
            say(f"case {arguments.release} is retained no longer")
    return 0


def _read_case(arguments: argparse.Namespace, today: date) -> dict[str, Any]:
    kind = next(one for one in KINDS if getattr(arguments, one) is not None)
    text = getattr(arguments, kind).strip()
    if kind in ("sender", "recipient"):
        text = text.removeprefix("<").removesuffix(">")
    if not text or not text.isprintable() or "*" in text or text == "%":
        raise UsageError(f"--{kind.replace('_', '-')}: {text[:80]!r} names nobody in particular")
    network = read_network("--client", text) if kind == "client" else None
    return {
        "kind": kind,
        "value": text if kind == "queue_id" else text.lower(),
        "network": None if network is None else str(network),
        "until": _read_until(arguments.until, today),
        "ticket": arguments.ticket,
    }


def _read_until(text: str | None, today: date) -> date:
    if text is None:
        raise UsageError("--until is needed: the first day on which it need not be kept")
    try:
        until = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--until: {text[:80]!r} is no day such as 2026-12-31") from None
    if not 0 < (until - today).days <= LONGEST:
        raise UsageError(f"--until: {until} must lie ahead, by ten years at most")
    return until


def retain(connection: Connection, case: dict[str, Any]) -> str:
    """Note a case; says how many rows are kept."""
    with connection.cursor() as cursor:
        cursor.execute(SQL["statements/retain"], case)
        (row,) = dicts(cursor)
    return f"case {row['id']}: {row['rows']} rows are kept until {case['until']}"


def release(connection: Connection, number: int) -> None:
    """Keep a case no longer; InputError where there is no such case."""
    with connection.cursor() as cursor:
        which = {"today": date.min, "id": number}
        cursor.execute(SQL["statements/release_retained"], which)
        if not cursor.fetchall():
            raise InputError(f"there is no case {number}: see retain --list")
        cursor.execute(SQL["statements/hurry_erasures"])
