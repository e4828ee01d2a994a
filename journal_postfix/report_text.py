"""A report in words, for those who read it each morning: at most a hundred columns of text.

Exceptions first, each with the next command; the usual value beside every number where there is
one; sections without content are left out. Nothing from the log comes through raw.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from textwrap import wrap
from typing import Any

from journal_postfix.output import visible
from journal_postfix.reasons import normalised
from journal_postfix.report_lists import login_lines, over_time, pairs_of_columns, top_lists
from journal_postfix.wording import (
    age,
    counted,
    day_and_time,
    number_of,
    percent,
    seconds,
    size,
)

Report = dict[str, Any]
Lines = Iterable[str]

WIDTH = 100
LABEL = 66
NUMBER = 11
QUIET = timedelta(minutes=30)  # a host may have nothing to say for so long
SHOWN = 5  # reasons and domains in a column


def as_text(report: Report, *, unicode: bool) -> str:
    """The whole report."""
    blocks = [list(section(report)) for section in (SECTIONS if _any(report) else EMPTY)]
    blocks.append(list(over_time(report, WIDTH, unicode=unicode)))
    blocks.append(list(_database(report)))
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    return text + "\n"


# --- the head -------------------------------------------------------------------------------


def _head(report: Report) -> Lines:
    period = report["period"]
    hosts = " ".join(visible(row["mta"]) for row in report["coverage"]["hosts"])
    title = f"MAIL REPORT  {visible(period['mta'] or '') or hosts}".rstrip()
    weeks = report["usual"]["weeks"]
    when = period_words(report)
    usual = f"usual: median of {_weeks(report)}" if weeks else "no weeks before to compare with"
    first = f"{title}   {when}   {usual}"
    if len(first) <= WIDTH:
        yield first
    else:
        yield from wrap(title, WIDTH, subsequent_indent=" " * 13)
        yield f"{when}   {usual}"
    yield from wrap(" ".join(_coverage(report)), WIDTH)


def period_words(report: Report) -> str:
    """The period as its reader thinks of it: a day, or from when to when."""
    since, until = report["period"]["since"], report["period"]["until"]
    if report["period"]["one_day"]:
        return f"{since:%a} {since:%Y-%m-%d} 00:00-24:00 {_offset(since)}"
    return f"{day_and_time(since)} to {day_and_time(until)} {_offset(until)}"


def _offset(t: datetime) -> str:
    text = f"{t:%z}"
    return f"{text[:3]}:{text[3:5]}"


def _weeks(report: Report) -> str:
    weeks, one_day = report["usual"]["weeks"], report["period"]["one_day"]
    word = f"{report['period']['since']:%A}" if one_day else "week"
    return f"{weeks} {word}{'' if weeks == 1 else 's'} before"


def _coverage(report: Report) -> Iterator[str]:
    coverage, period = report["coverage"], report["period"]
    late = list(_not_covered(report))
    if coverage["gaps"]:
        lost = sum(gap["lost"] or 0 for gap in coverage["gaps"])
        number = len(coverage["gaps"])
        times = "once" if number == 1 else f"{number} times"
        yield f"The log lost lines {times}{f', {counted(lost)} of them' if lost else ''}: see below."
    elif coverage["hosts"] and not late:
        yield "Log complete."
    yield from late
    lags = [period["now"] - row["t_to"] for row in coverage["hosts"] if row["followed"]]
    if lags and period["now"] - period["until"] < timedelta(hours=1):
        yield f"Lag {age(max(lags))}."
    if coverage["unknown"]:
        yield f"Lines not recognised so far: {counted(coverage['unknown'])} (journal-postfix status)."


def _not_covered(report: Report) -> Iterator[str]:
    """What of the period is not stored, and why."""
    coverage, period = report["coverage"], report["period"]
    zone = period["since"].tzinfo
    for row in coverage["hosts"]:
        begin, end = row["t_from"].astimezone(zone), row["t_to"].astimezone(zone)
        words = [f"since {day_and_time(begin)}"] if begin > period["since"] + QUIET else []
        words += [f"up to {day_and_time(end)}"] if end < period["until"] - QUIET else []
        if words:
            yield f"{visible(row['mta'])} is stored only {', '.join(words)}."
    for what, name in (("Mails", "mails_kept_since"), ("Refusals", "refusals_kept_since")):
        kept = coverage[name]
        if kept is not None and period["since"].astimezone(zone).date() < kept:
            yield f"{what} before {kept:%a %Y-%m-%d} were deleted (retention)."


def _any(report: Report) -> bool:
    """Whether anything is stored of the period."""
    totals = report["totals"]
    return bool(totals["received"] or totals["rejected"] or sum(report["recipients"].values()))


def _nothing(report: Report) -> Lines:
    """What is stored, where of this period nothing is."""
    hosts = report["coverage"]["hosts"]
    if not hosts:
        yield "Nothing is stored yet: journal-postfix run follows the journal, backfill loads log files."
        return
    zone = report["period"]["since"].tzinfo
    first = min(row["t_from"] for row in hosts).astimezone(zone)
    last = max(row["t_to"] for row in hosts).astimezone(zone)
    yield f"Of this time no mail and no refusal is stored; the log is stored from {day_and_time(first)}"
    yield f"to {day_and_time(last)}:"
    yield f"     journal-postfix report --since {last:%Y-%m-%d} --until {last:%Y-%m-%d}"


def _look_first(report: Report) -> Lines:
    if not report["look_first"]:
        return
    yield "LOOK AT THIS FIRST"
    for row in report["look_first"]:
        yield from wrap(f"{row['grade']:<2} {row['what']}", WIDTH, subsequent_indent="   ")
        yield from _command(row["command"])


def _command(command: str) -> Lines:
    """A command to copy; one that is too long goes on behind a backslash, between two options."""
    text = shlex.join(shlex.split(command))
    lines = wrap(
        re.sub(r" (?!--)", "\0", text), WIDTH - 10, break_long_words=False, break_on_hyphens=False
    )
    for number, line in enumerate(lines, 1):
        indent, more = " " * (5 if number == 1 else 9), "" if number == len(lines) else " \\"
        yield indent + line.replace("\0", " ") + more


# --- numbers --------------------------------------------------------------------------------


def _row(label: str, number: str, usual: str = "") -> str:
    return f"{label:<{LABEL}}{number:>{NUMBER}}{usual:>{NUMBER}}".rstrip()


def _mail(report: Report) -> Lines:
    if not report["totals"]["received"] and not sum(report["recipients"].values()):
        return
    period, weeks = report["period"], report["usual"]["weeks"]
    column = f"{period['since']:%A}" if period["one_day"] else "period"
    title = "MAIL, each counted once (filter and alias hops not again)"
    yield _row(title, column, "usual" if weeks else "")
    yield from _numbers(report, _MAIL)
    numbers = {**report["distinct"], **report["totals"]}
    yield "  distinct: " + ", ".join(number_of(numbers[name], word) for name, word in _DISTINCT)


_DISTINCT = (
    ("senders", "sender"),
    ("recipients", "recipient"),
    ("domains", "domain"),
    ("clients", "client"),
)
#: Level, label, section and name of a number, and the name of its usual value; `always`: also if 0.
_MAIL = (
    (1, "received", "totals", "received", "received", True),
    (2, "from outside", "mail", "from_outside", "from_outside", False),
    (2, "from our users (submission, sendmail)", "mail", "from_users", "from_users", False),
    (2, "notices we made", "mail", "notices", "notices", False),
    (3, "to strangers, about mail from strangers (backscatter?)", "mail", "backscatter", "", False),
    (1, "recipients", "recipients", "", "", True),
    (2, "delivered here", "recipients", "delivered", "delivered", False),
    (2, "accepted by other servers", "recipients", "accepted_elsewhere", "accepted_elsewhere", False),
    (2, "waiting", "recipients", "waiting", "", False),
    (2, "returned to sender", "recipients", "returned", "returned", False),
    (2, "given up and returned", "recipients", "expired", "expired", False),
    (2, "thrown away by a rule or filter", "recipients", "discarded", "discarded", False),
    (2, "on hold", "recipients", "held", "", False),
    (2, "deleted by us", "recipients", "deleted", "deleted", False),
    (2, "not known", "recipients", "not_known", "", False),
    (1, "deferred at least once, whatever became of them", "recipients", "delayed", "delayed", False),
)  # fmt: skip


def _numbers(report: Report, table: tuple[tuple[int, str, str, str, str, bool], ...]) -> Lines:
    for level, label, section, name, usual, always in table:
        number = report[section][name] if name else _all_recipients(report)
        before = report["usual"].get(usual) if usual else None
        if number or before or always:
            words = "" if before is None else counted(before)
            yield _row(f"{'  ' * level}{label}{_beside(report, name)}", counted(number), words)


def _all_recipients(report: Report) -> int:
    return sum(number for name, number in report["recipients"].items() if name != "delayed")


def _beside(report: Report, name: str) -> str:
    """What a label says further: of those waiting how old the oldest is."""
    waiting = [row for row in report["queue"] if row["state"] == "waiting"]
    if name != "waiting" or not waiting:
        return ""
    oldest = min(row["oldest"] for row in waiting)
    return f"{_when(report)} (the oldest in the queue {age(report['period']['as_of'] - oldest)})"


def _when(report: Report) -> str:
    """As of when mails wait: the log of a file ends somewhere."""
    period = report["period"]
    return " now" if period["now"] - period["as_of"] < timedelta(hours=1) else " when the log ended"


REFUSALS = {
    "blocklist": "client on a blocklist (DNSBL)",
    "postscreen": "postscreen tests (client never told us the mail)",
    "unknown recipient": "unknown recipient",
    "relaying": "relaying denied",
    "greylisted": "greylisted",
    "sender": "sender",
    "client": "client's name or greeting",
    "content": "content: milter, filter, header and body checks",
    "policy": "policy and others",
}


def _refused(report: Report) -> Lines:
    rows, usual = report["refused"], report["usual"]["refused"]
    told = report["told_to_come_back"]
    if not rows:
        return
    whole = counted(usual[""]) if "" in usual else ""
    yield _row("REFUSED AT THE DOOR", counted(report["totals"]["rejected"]), whole)
    for row in rows:
        kind = row["refusal"]
        before = counted(usual.get(kind, 0)) if usual else ""
        yield _row(f"  {REFUSALS[kind]}", counted(row["refused"]), before)
    if told["refused"]:
        before = counted(usual["temporary"]) if usual else ""
        yield _row("  of all these told to come back (4xx)", counted(told["refused"]), before)
        yield _row("    and of these came back within a day", counted(told["came_back"]))
    if report["newly_refused"]:
        yield from _newly_refused(report["newly_refused"])
    for row in report["reasons"]["refused"][:SHOWN]:
        code = " ".join(str(row[name]) for name in ("reply_code", "dsn") if row[name])
        text = f"{counted(row['times']):>9}  {code} {visible(row['reason'])}"
        yield text[:WIDTH].rstrip()


def _newly_refused(rows: list[Report]) -> Lines:
    named = [
        f"{visible(row['client_name'])} [{visible(row['client_address'])}],"
        f" {number_of(row['refused'], 'time')}"
        for row in rows[:SHOWN]
    ]
    more = [f"{len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    words = (
        f"newly refused though they delivered here in the last 30 days: {'; '.join(named + more)}"
    )
    yield from wrap(words, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _logins(report: Report) -> Lines:
    yield from (line[:WIDTH] for line in login_lines(report["logins"], SHOWN))


def _problems(report: Report) -> Lines:
    waiting = [row for row in report["queue"] if row["state"] == "waiting"]
    now = report["period"]["as_of"]
    reasons = report["reasons"]
    yield from _why("RETURNED, why", reasons["returned"], 2 * SHOWN)
    if waiting:
        if reasons["returned"]:
            yield ""
        yield _three("WAITING, where", "recipients", "tries", "oldest")
        for row in waiting[:SHOWN]:
            name = visible(row["domain"] or "(not tried yet)")
            yield _three(
                f"  {name}", counted(row["recipients"]), counted(row["tries"]),
                age(now - row["oldest"]),
            )  # fmt: skip
            if row["example"]:
                yield f"      {visible(normalised(row['example']))}"[:WIDTH].rstrip()
        yield from _other_domains(waiting[SHOWN:], now)
    if reasons["deferred"]:
        if waiting or reasons["returned"]:
            yield ""
        yield from _why(
            "WAITING, why, of those that came in this period", reasons["deferred"], SHOWN
        )


def _why(title: str, rows: list[Report], shown: int) -> Lines:
    if rows:
        yield title
    for row in rows[:shown]:
        yield f"{counted(row['recipients']):>9}  {visible(row['reason'])}"[:WIDTH].rstrip()
    if rest := rows[shown:]:
        others = sum(row["recipients"] for row in rest)
        yield f"{counted(others):>9}  {number_of(len(rest), 'other reason')}"


def _three(label: str, *cells: str) -> str:
    return f"{label[:55]:<56}" + "".join(f"{cell:>{NUMBER}}" for cell in cells)


def _other_domains(rows: list[Report], now: datetime) -> Lines:
    if rows:
        recipients, tries = (sum(row[name] for row in rows) for name in ("recipients", "tries"))
        oldest = min(row["oldest"] for row in rows)
        label = f"  {len(rows)} other domains"
        yield _three(label, counted(recipients), counted(tries), age(now - oldest))


def _speed(report: Report) -> Lines:
    if not report["relays"]:
        return
    title = "SPEED (connect + transfer, not queue age), seconds"
    yield f"{title:<52}" + "".join(f"{word:>12}" for word in ("recipients", "p50", "p95", "p99"))
    for row in report["relays"][:SHOWN]:
        cells = [
            counted(row["recipients"]),
            *(seconds(row[name]) for name in ("p50", "p95", "p99")),
        ]
        yield f"  {visible(row['relay'])[:49]:<50}" + "".join(f"{cell:>12}" for cell in cells)
    tls, totals = report["tls"], report["totals"]
    words = []
    if tls["received_by_smtp"]:
        words.append(f"TLS in {percent(tls['received_encrypted'], tls['received_by_smtp'])}")
    if tls["sent_out"]:
        plain = f" ({number_of(tls['plain_relays'], 'host')} plain)" if tls["plain_relays"] else ""
        words.append(f"TLS out {percent(tls['sent_encrypted'], tls['sent_out'])}{plain}")
    words.append(
        f"{size(totals['bytes_received'])} in, {size(totals['bytes_delivered'])} delivered"
    )
    yield f"  {'   '.join(words)}"


def _top(report: Report) -> Lines:
    yield from pairs_of_columns(top_lists(report["top"]), WIDTH)


def _database(report: Report) -> Lines:
    row, now = report["database"], report["period"]["now"]
    grows = f" ({size(row['bytes_per_day'])} a day)" if row["bytes_per_day"] else ""
    words = [f"DATABASE {size(row['bytes'])}{grows}"]
    if row["disk_used"] is not None:
        words.append(f"disk {100 * row['disk_used']:.0f} % used")
    if row["oldest_mail"]:
        words.append(f"oldest mail {row['oldest_mail']}")
    if row["oldest_refusal"]:
        words.append(f"oldest refusal {row['oldest_refusal']}")
    if row["cleaned_at"]:
        words.append(f"retention last deleted {age(now - row['cleaned_at'])} ago")
    yield ", ".join(words)


Section = Callable[[Report], Lines]
SECTIONS: tuple[Section, ...] = (
    _head, _look_first, _mail, _refused, _logins, _problems, _speed, _top,
)  # fmt: skip
EMPTY: tuple[Section, ...] = (_head, _nothing, _look_first, _logins)
