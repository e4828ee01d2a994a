"""The command `report`: what came in during a period, and what became of it.

Reads the options, asks for the data (`summary`), says what is out of the ordinary (`lookfirst`),
and prints it in words (`report_text`), as JSON or as CSV.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from journal_postfix import accesses, buckets, output, pflogsumm, report_text, schema, summary
from journal_postfix.config import Config
from journal_postfix.database import READER_SETTINGS, Connection, connect
from journal_postfix.lookfirst import look_first
from journal_postfix.messages import UsageError
from journal_postfix.period import KNOWN, Period, read_day, read_period
from journal_postfix.queries import ask
from journal_postfix.server import dsn_of
from journal_postfix.stamps import checked_zone

Report = dict[str, Any]

MOST_TOP = 1000

DESCRIPTION = """\
What came in during a period and what became of it by now; what was refused; what to look at first.
Without --since and --until that is the whole of yesterday, for those who mail it to themselves
each morning.
"""
EPILOG = f"""\
times:
  {KNOWN}.
  A day without a time is the whole day: --until monday includes Monday. Without --until the
  period ends now.

how it counts:
  Mails are those whose first line was logged in the period. Each counts once: one that comes back
  through a content filter, is forwarded by an alias, requeued, or handed to another host of which
  the log is stored, is not received again. Recipients count on their last leg, with what became of
  them until now; one without a delivery record yet counts as one. Address verification probes do
  not count. Refusals are those of the period, of smtpd, postscreen, milters and content checks.
  With --mta only what this host logged counts: a mail that another host of ours handed to it was
  received there.
  The usual value is the median of the same weekday and time of up to four weeks before, for periods
  of a week or less; it comes from totals that outlive the mails (tables mail_hourly and
  noqueue_hourly, filled by run, clean and backfill), the usual value of a login from its mails.

formats:
  json   one object: period, coverage, look_first, totals, usual, mail, recipients, distinct,
         refused, told_to_come_back, newly_refused, reasons, logins, queue, queue_events, relays, tls,
         hours or days, top, busy_logins, database.
         totals counts mails (received), recipients (delivered here or accepted elsewhere; deferred:
         still waiting; bounced: returned; expired: given up; held; discarded), refusals (rejected),
         octets, and distinct senders and recipients.
  csv    the same as section, number, key, value.

examples:
  journal-postfix report
  journal-postfix report --since 2h
  journal-postfix report --since monday --until friday --mta mx1.example.com
  journal-postfix report --since yesterday --compat pflogsumm
  journal-postfix report --since 2026-11-01 --until 2026-11-30 --format csv > november.csv
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Sum up a period: what came in, what became of it, what to look at first."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("--since", metavar="TIME", help="begin of the period; default: yesterday")
    parser.add_argument("--until", metavar="TIME", help="end of the period; default: now")
    parser.add_argument("--mta", metavar="NAME", help="only what this host logged")
    parser.add_argument(
        "--top", type=_top, default=10, metavar="N", help="length of the lists; default: 10"
    )
    parser.add_argument(
        "--by", choices=buckets.BY, help="count over time by; default: hour, day beyond two days"
    )
    parser.add_argument(
        "--timezone", metavar="ZONE", help="zone of days and times; default: the machine's"
    )
    parser.add_argument(
        "--compat", choices=("pflogsumm",), help="count as pflogsumm does, in its layout"
    )
    parser.add_argument(
        "--format", choices=output.FORMATS, default="table", help="how to print; default: table"
    )
    accesses.add_ticket(parser)


def _top(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_TOP:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MOST_TOP}")
    return int(text)


def answer(arguments: argparse.Namespace, config: Config) -> int:
    """Print the report."""
    if arguments.compat and arguments.format != "table":
        raise UsageError("--compat pflogsumm prints text: leave --format out")
    wanted = _wanted(arguments, datetime.now(UTC))
    ticket = accesses.ticket_of(arguments, config)
    access = accesses.Access("report", (), ticket, *wanted.period)
    dsn = dsn_of(config, create=False)
    with closing(connect(dsn, READER_SETTINGS)) as connection:
        schema.check(connection, migrate=False)
        wanted = wanted._replace(mta=_host(connection, wanted.mta))
        if arguments.compat:
            text = pflogsumm.compat(connection, wanted.period, wanted.mta, wanted.zone)
            rows = text.count("\n")
        else:
            found = summary.report(dsn, config, wanted)
            found["look_first"] = look_first(found)
            unicode = _encoding().lower().startswith("utf")
            text, rows = printed(found, arguments.format, unicode=unicode), _named(found)
        accesses.note(connection, access, rows)
    _write(text)
    return 0


def _host(connection: Connection, name: str | None) -> str | None:
    """The stored host of a name, with its domain or without; UsageError where there is none."""
    if name is None:
        return None
    hosts = [row["mta"] for row in ask(connection, "hosts")]
    known = [host for host in hosts if host.lower() == name.lower()]
    known = known or [host for host in hosts if host.lower().startswith(f"{name.lower()}.")]
    if len(known) == 1 or not hosts:
        return known[0] if known else name
    raise UsageError(
        f"--mta {name!r} is none of the hosts of which something is stored: {', '.join(hosts)}"
    )


def _named(found: Report) -> int:
    """How many rows name somebody: those of the lists."""
    logins = found["logins"]
    lists = (*found["top"].values(), found["busy_logins"], logins["guessing"], logins["suspects"])
    return sum(len(rows) for rows in lists)


def _encoding() -> str:
    return sys.stdout.encoding or "ascii"


def _write(text: str) -> None:
    sys.stdout.write(text.encode(_encoding(), "replace").decode(_encoding()))


def _wanted(arguments: argparse.Namespace, now: datetime) -> summary.Wanted:
    zone = checked_zone(arguments.timezone)
    period = _period(arguments.since, arguments.until, now, zone)
    by = arguments.by or buckets.usual_by(period)
    return summary.Wanted(period, arguments.mta, arguments.top, by, zone, now)


def _period(since: str | None, until: str | None, now: datetime, zone: tzinfo | None) -> Period:
    if since is None and until is None:
        return read_day("yesterday", now, zone)
    return read_period(since, until, now, zone, "yesterday")


def printed(report: Report, form: str, *, unicode: bool) -> str:
    """The report in one of the formats."""
    if form == "table":
        return report_text.as_text(report, unicode=unicode)
    plain = _plain(report)
    return output.as_json(plain) if form == "json" else output.sections(_sections(plain), "csv")


def _plain(value: Any) -> Any:
    """A value as JSON knows it, however deep."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, datetime | date) else value


def _sections(report: Report, above: str = "") -> dict[str, list[dict[str, Any]]]:
    """The report as named lists of rows; what stands deeper is named `section.name`."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, value in report.items():
        path = f"{above}{name}"
        if isinstance(value, list):
            found[path] = value
        elif isinstance(value, dict):
            flat = {key: one for key, one in value.items() if not isinstance(one, dict | list)}
            if flat:
                found[path] = [flat]
            deep = {key: one for key, one in value.items() if isinstance(one, dict | list)}
            found |= _sections(deep, f"{path}.")
    return found
