"""What of a report is out of the ordinary, each with the next command to type.

A table of rules; each is given the report and yields findings. `!!` is for what harms now.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from journal_postfix.output import visible
from journal_postfix.reasons import normalised
from journal_postfix.wording import age, counted, number_of, percent

Report = dict[str, Any]

MANY = 50  # below, a multiple of the usual number says nothing
TIMES = 10  # a login's recipients against its usual number
CLIENTS = 10  # addresses one login comes from
RETURNED = 0.2
QUEUE_LONG = 20
QUEUE_VERY_LONG = 100
OLD = timedelta(days=1)
RISEN, FALLEN = 3, 4  # against what is usual
SILENT = timedelta(hours=1)
DOMAINS = 3
LOGINS = 5
REASON_SHOWN = 50


class Finding(NamedTuple):
    """How grave, what, and what to type."""

    grade: str
    what: str
    command: str


Rule = Callable[[Report], Iterator[Finding]]


def look_first(report: Report) -> list[dict[str, str]]:
    """The findings of all rules, the gravest first."""
    found = [finding for rule in RULES for finding in rule(report)]
    return [one._asdict() for one in sorted(found, key=lambda one: one.grade != "!!")]


def _trace(report: Report, *options: str, since: datetime | None = None, end: bool = False) -> str:
    """The command that shows the mails meant; times without a zone are the machine's."""
    period = report["period"]
    words = ["journal-postfix", "trace", *options]
    if end and since is None and period["one_day"] and not period["timezone"]:
        words += [
            "--since",
            f"{period['since']:%Y-%m-%d}",
            "--until",
            f"{period['since']:%Y-%m-%d}",
        ]
    else:
        words += ["--since", _moment(report, since or period["since"])]
        words += ["--until", _moment(report, period["until"])] if end else []
    return " ".join(shlex.quote(visible(word)) for word in words)


def _moment(report: Report, t: datetime) -> str:
    there = t.astimezone(report["period"]["since"].tzinfo)
    if report["period"]["timezone"]:
        return there.isoformat(timespec="minutes").replace("+00:00", "Z")
    return f"{there:%Y-%m-%d %H:%M}"


def _usually(number: int | None) -> str:
    return "" if number is None else f" (usual {counted(number)})"


def _logins(report: Report) -> Iterator[Finding]:
    for row in [row for row in report["busy_logins"] if _strange(row)][:LOGINS]:
        usual = row["usual"] or {"recipients": None, "clients": None}
        what = (
            f"login {visible(row['login'])}: {number_of(row['recipients'], 'recipient')}"
            f"{_usually(usual['recipients'])}, {counted(row['clients'])} client addresses"
            f"{_usually(usual['clients'])}, {percent(row['returned'], row['recipients'])} returned"
        )
        yield Finding(
            "!!", what, _trace(report, "--sasl-username", row["login"], since=row["first"])
        )


def _guessed(report: Report) -> Iterator[Finding]:
    """Accounts that somebody got into after many tries."""
    for row in report["logins"]["suspects"][:LOGINS]:
        client, account = row["client_address"], row["sasl_username"]
        who = f"login {visible(account)}" if account else "a login of which no name is logged"
        where = f", from {visible(client)}" if client else ""
        what = f"{who}: succeeded after {number_of(row['failed'], 'failure')}{where}"
        options = ("--sasl-username", account) if account else ("--client", str(client))
        yield Finding("!!", what, _trace(report, *options, since=row["t_i"]))


def _strange(row: dict[str, Any]) -> bool:
    """Far more than it usually sends, from far more places, or much of it comes back."""
    recipients, usual = row["recipients"], row["usual"]
    if usual and recipients >= TIMES * max(usual["recipients"], 1):
        return True
    if row["clients"] >= max(CLIENTS, 5 * usual["clients"] if usual else 0):
        return True
    return bool(recipients >= MANY and row["returned"] >= RETURNED * recipients)


def _waiting(report: Report) -> Iterator[Finding]:
    now = report["period"]["as_of"]
    rows = [row for row in report["queue"] if row["state"] == "waiting" and row["domain"]]
    long = [row for row in rows if row["recipients"] >= QUEUE_LONG or now - row["oldest"] > 2 * OLD]
    for row in long[:DOMAINS]:
        grade = "!!" if row["recipients"] >= QUEUE_VERY_LONG else "!"
        domain = visible(row["domain"])
        answer = f', "{_short(normalised(row["example"]))}"' if row["example"] else ""
        what = (
            f"{domain}: {number_of(row['recipients'], 'recipient')} waiting, oldest"
            f" {age(now - row['oldest'])}{answer}"
        )
        options = ("--recipient", f"@{row['domain']}", "--open")
        yield Finding(grade, what, _trace(report, *options, since=row["oldest"]))


def _held(report: Report) -> Iterator[Finding]:
    now = report["period"]["as_of"]
    rows = [row for row in report["queue"] if row["state"] == "held"]
    if not rows or now - min(row["oldest"] for row in rows) < OLD:
        return
    first = min(rows, key=lambda row: row["oldest"])
    mails = sum(row["mails"] for row in rows)
    why = f', "{_short(first["hold_reason"])}"' if first["hold_reason"] else ""
    what = f"on hold: {number_of(mails, 'mail')}, oldest {age(now - first['oldest'])}{why}"
    yield Finding("!", what, _trace(report, "--status", "held", since=first["oldest"]))


def _discarded(report: Report) -> Iterator[Finding]:
    number, usual = report["totals"]["discarded"], report["usual"].get("discarded")
    if not number or (usual is not None and number <= 2 * usual):
        return
    reasons = report["reasons"]["discarded_by_rule"] or report["reasons"]["discarded"]
    why = f', "{_short(reasons[0]["reason"])}"' if reasons else ""
    what = f"thrown away without notice: {number_of(number, 'recipient')}{_usually(usual)}{why}"
    yield Finding("!", what, _trace(report, "--status", "discarded", end=True))


def _purged(report: Report) -> Iterator[Finding]:
    """Mails deleted from the queue of a host of which the log does not say which they were."""
    zone = report["period"]["since"].tzinfo
    runs: dict[str, list[Any]] = {}
    for row in report["queue_events"]:
        if row["action"] == "Deleted" and (row["messages"] or 0) > row["named"]:
            runs.setdefault(row["mta"], []).append(row)
    for mta, rows in runs.items():
        times = [row["t"].astimezone(zone) for row in rows]
        when = f"{times[0]:%a %H:%M:%S}" + (f" to {times[-1]:%a %H:%M:%S}" if len(rows) > 1 else "")
        unnamed = sum(row["messages"] - row["named"] for row in rows)
        what = f"queue purged on {visible(mta)}, {when}: postsuper deleted {number_of(unnamed, 'mail')} without naming them"
        yield Finding("!", what, "journal-postfix reconcile")


def _gaps(report: Report) -> Iterator[Finding]:
    zone = report["period"]["since"].tzinfo
    for row in report["coverage"]["gaps"]:
        lost = "" if row["lost"] is None else f"{counted(row['lost'])} "
        times = " to ".join(
            f"{t.astimezone(zone):%a %H:%M:%S}" for t in (row["t_from"], row["t_to"]) if t
        )
        what = f"{visible(row['mta'] or 'a host')} lost {lost}lines of log, {times} ({_short(row['reason'])})"
        yield Finding("!", what, "journal-postfix status")


def _silent(report: Report) -> Iterator[Finding]:
    now, until = report["period"]["now"], report["period"]["until"]
    for row in report["coverage"]["hosts"]:
        if row["followed"] and now - row["t_to"] > SILENT and row["t_to"] < until:
            what = f"nothing was read from {visible(row['mta'])} for {age(now - row['t_to'])}"
            yield Finding("!!", what, "journal-postfix status")


def _changed(report: Report) -> Iterator[Finding]:
    """Numbers that are far from what is usual."""
    usual = report["usual"]
    for name, (word, status) in RISING.items():
        number, before = report["totals"][name], _usual_of(usual, name)
        if before is not None and number >= MANY and number >= RISEN * max(before, 1):
            command = _trace(report, "--status", status, end=True)
            yield Finding("!", f"{word}: {counted(number)}{_usually(before)}", command)
    received, before = report["totals"]["received"], usual.get("received")
    if before is not None and before >= MANY and received * FALLEN <= before:
        what = f"received only {number_of(received, 'mail')} (usual {counted(before)})"
        yield Finding("!!", what, "journal-postfix status")


#: Totals whose rise is a sign, what to call it, and the status to trace.
RISING = {
    "bounced": ("returned to sender", "returned"),
    "expired": ("given up and returned", "expired"),
}


def _usual_of(usual: Report, name: str) -> int | None:
    value: int | None = usual.get({"bounced": "returned"}.get(name, name))
    return value


def _short(text: str) -> str:
    text = visible(text)
    return text if len(text) <= REASON_SHOWN else text[: REASON_SHOWN - 3].rstrip() + "..."


RULES: tuple[Rule, ...] = (
    _silent, _logins, _guessed, _waiting, _changed, _held, _discarded, _purged, _gaps,
)  # fmt: skip
