"""What a report says, as data: the mails of a period, counted once each, and what became of them.

The questions go to the server at the same time, over connections that share one snapshot. Counts
are those of `mail_between` and `recipient_between`: a mail that came back through a filter, was
forwarded, requeued or handed to another host of ours is not received again, recipients count on
their last leg, probes do not count.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from journal_postfix import buckets
from journal_postfix.config import Config
from journal_postfix.database import READER_SETTINGS, SQL, Connection, connect
from journal_postfix.patterns import like_of
from journal_postfix.period import Period
from journal_postfix.queries import Rows, ask
from journal_postfix.reasons import merged

Row = dict[str, Any]
Report = dict[str, Any]

#: A day of a busy server is summed up in memory by hashing, partition by partition.
SETTINGS = {**READER_SETTINGS, "work_mem": "128MB", "hash_mem_multiplier": "8",
            "enable_partitionwise_join": "on", "enable_sort": "off"}  # fmt: skip
_NAMES = ("recipients", "mails", "refused", "came_back", "newly_refused", "queue", "usual",
          "usual_refused", "events", "logins", "stored", "database")  # fmt: skip
QUESTIONS = {name: f"report_{name}" for name in _NAMES} | {"gaps": "coverage_gaps"}
AT_ONCE = 3
#: Questions whose rows are of several parts, each row as JSON.
IN_PARTS = ("recipients", "mails", "refused")

#: What a report calls the fates of recipients that count, in the order of telling.
FATES = {
    "delivered": "delivered",
    "accepted elsewhere": "accepted_elsewhere",
    "waiting": "waiting",
    "returned": "returned",
    "expired": "expired",
    "discarded": "discarded",
    "swallowed by filter": "discarded",
    "held": "held",
    "deleted": "deleted",
    "vanished": "not_known",
    "not known": "not_known",
}
BUSY = 50  # recipients of a login worth a closer look
DONE = ("delivered", "accepted_elsewhere")


class Wanted(NamedTuple):
    """What is asked for: the period, the host (None: all), the length of lists, and how to count."""

    period: Period
    mta: str | None
    top: int
    by: str
    zone: tzinfo | None
    now: datetime


def report(dsn: str, config: Config, wanted: Wanted) -> Report:
    """Ask everything and put it together."""
    edges = buckets.edges(wanted.period, wanted.by, wanted.zone)
    before = buckets.weeks_before(wanted.period, wanted.zone)
    values = {
        "since": wanted.period.since,
        "until": wanted.period.until,
        "mta": wanted.mta,
        "mta_like": None if wanted.mta is None else [like_of(wanted.mta.lower().replace("*", ""))],
        "top": wanted.top,
        "edges": edges,
        "begins": [one.since for one in before],
        "ends": [one.until for one in before],
    }
    with closing(connect(dsn, SETTINGS)) as connection:
        found = _answers(connection, dsn, values)
        weeks = {row["number"] for row in found["usual"]}
        busy = _busy_logins(connection, found["recipients"]["logins"], values, weeks)
    return _put_together(found, config, wanted, edges) | {"busy_logins": busy}


# --- asking ---------------------------------------------------------------------------------


def _answers(connection: Connection, dsn: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The answers to all questions, of one moment."""
    connection.set_session(isolation_level="REPEATABLE READ")
    ((snapshot,),) = _fetched(connection, SQL["queries/report_snapshot"])
    with ThreadPoolExecutor(AT_ONCE) as threads:
        asked = {
            name: threads.submit(_answer, dsn, str(snapshot), name, values) for name in QUESTIONS
        }
        return {name: one.result() for name, one in asked.items()}


def _fetched(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _answer(dsn: str, snapshot: str, name: str, values: Mapping[str, Any]) -> Any:
    with closing(connect(dsn, SETTINGS)) as connection:
        connection.set_session(isolation_level="REPEATABLE READ")
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION SNAPSHOT %s", (snapshot,))
        rows = ask(connection, QUESTIONS[name], **values)
    return _by_part(rows) if name in IN_PARTS else rows


def _by_part(rows: Rows) -> dict[str, Rows]:
    parts: dict[str, Rows] = defaultdict(list)
    for row in rows:
        parts[row["part"]].append(row["found"])
    return parts


def _busy_logins(
    connection: Connection, top: Rows, values: Mapping[str, Any], weeks: set[int]
) -> Rows:
    """What the busiest logins sent, with what is usual for each: medians over the weeks before."""
    logins = [row["login"] for row in top if row["recipients"] >= BUSY]
    if not logins:
        return []
    rows = ask(connection, "report_accounts", **values, logins=logins)
    usual = _usual_logins(connection, logins, values, weeks) if weeks else {}
    return [{**row, "usual": usual.get(row["login"])} for row in rows]


def _usual_logins(
    connection: Connection, logins: list[str], values: Mapping[str, Any], weeks: set[int]
) -> dict[str, Row]:
    """Medians by login; a login that was not heard of in a week sent nothing then."""
    found: dict[str, dict[int, Row]] = {login: {} for login in logins}
    days = _days(values["begins"], values["ends"])
    for row in ask(connection, "report_usual_logins", **values, logins=logins, days=days):
        found[row["login"]][row["number"]] = row
    none = {"recipients": 0, "clients": 0}
    return {
        login: {
            name: round(median([sent.get(week, none)[name] for week in weeks])) for name in none
        }
        for login, sent in found.items()
    }


def _days(begins: list[datetime], ends: list[datetime]) -> list[date]:
    """The days of some periods; rows of a mail may stand on the day after its first line."""
    return sorted({
        begin.date() + timedelta(days=number)
        for begin, end in zip(begins, ends, strict=True)
        for number in range((end.date() - begin.date()).days + 2)
    })  # fmt: skip


# --- putting together -----------------------------------------------------------------------


def _put_together(
    found: dict[str, Any], config: Config, wanted: Wanted, edges: list[datetime]
) -> Report:
    mails, recipients, refused = (found[name] for name in ("mails", "recipients", "refused"))
    fates = _fates(recipients["fates"])
    kinds = _kinds(mails["kinds"])
    report: Report = {
        "period": _period(wanted, found["stored"]),
        "coverage": _coverage(found, config, wanted),
        "totals": _totals(kinds, fates, found),
        "usual": _usual(found["usual"], found["usual_refused"]),
        "mail": _mail(kinds, mails),
        "recipients": {name: one["recipients"] for name, one in fates.items()}
        | {"delayed": sum(row["delayed"] for row in recipients["fates"])},
        "distinct": {
            "domains": recipients["distinct"][0]["domains"],
            "clients": mails["distinct"][0]["clients"],
        },
        "refused": sorted(refused["kinds"], key=lambda row: -row["refused"]),
        "told_to_come_back": {
            "refused": sum(row["temporary"] for row in refused["kinds"]),
            "came_back": found["came_back"][0]["came_back"],
        },
        "newly_refused": found["newly_refused"],
        "reasons": _reasons(recipients, refused),
        "logins": _logins(found["logins"], wanted.top),
        "queue": found["queue"],
        "queue_events": found["events"],
        "relays": recipients["relays"],
        "tls": _tls(kinds, recipients),
        f"{wanted.by}s": _over_time(
            [t.astimezone(wanted.zone) for t in edges], mails, recipients, refused
        ),
        "top": _top(mails, recipients, refused, wanted.top),
        "database": _database(found["database"][0]),
    }
    return report


def _period(wanted: Wanted, stored: Rows) -> Row:
    """The period, and as of when its mails are known: now, or the end of what is stored."""
    as_of = min(wanted.now, max((row["t_to"] for row in stored), default=wanted.now))
    return {
        "since": wanted.period.since.astimezone(wanted.zone),
        "until": wanted.period.until.astimezone(wanted.zone),
        "mta": wanted.mta,
        "timezone": None if wanted.zone is None else str(wanted.zone),
        "one_day": buckets.one_day(wanted.period, wanted.zone),
        "by": wanted.by,
        "now": wanted.now.astimezone(wanted.zone),
        "as_of": as_of.astimezone(wanted.zone),
    }


def _coverage(found: dict[str, Any], config: Config, wanted: Wanted) -> Row:
    horizon = config.horizon(wanted.now)
    return {
        "hosts": found["stored"],
        "gaps": found["gaps"],
        "unknown": found["database"][0].pop("unknown"),
        "mails_kept_since": horizon.delivery,
        "refusals_kept_since": horizon.noqueue,
    }


def _database(row: Row) -> Row:
    """With the share of the disk that is used, where the database's folder is at hand."""
    return row | {"disk_used": None if (folder := row.pop("folder")) is None else _used(folder)}


def _used(folder: str) -> float | None:
    """The share of the disk that is used, as df tells it; the folder itself may be closed to us."""
    for path in (Path(folder), *Path(folder).parents[:-1]):
        with suppress(OSError):
            disk = os.statvfs(path)
            used = disk.f_blocks - disk.f_bfree
            return used / ((used + disk.f_bavail) or 1)
    return None


def _kinds(rows: Rows) -> dict[str, Row]:
    """Mails and octets by where the mails came from, and how many of them by SMTP, and encrypted."""
    kinds: dict[str, Row] = {}
    for row in rows:
        none = {"received": 0, "bytes": 0, "by_smtp": 0, "encrypted": 0}
        kind = kinds.setdefault(row["kind"], none)
        kind["received"] += row["received"]
        kind["bytes"] += row["bytes"]
        if row["by_smtp"]:
            kind["by_smtp"] += row["received"]
            kind["encrypted"] += row["received"] if row["encrypted"] else 0
    return kinds


def _fates(rows: Rows) -> dict[str, Row]:
    """Recipients and octets by what a report calls their fates; every name is there."""
    names = dict.fromkeys(FATES.values())
    totals = {name: {"recipients": 0, "bytes": 0} for name in names}
    for row in rows:
        for column in ("recipients", "bytes"):
            totals[FATES[row["fate"]]][column] += int(row[column])
    return totals


def _totals(kinds: dict[str, Row], fates: dict[str, Row], found: dict[str, Any]) -> Row:
    count = {name: one["recipients"] for name, one in fates.items()}
    return {
        "received": sum(row["received"] for row in kinds.values()),
        "delivered": sum(count[name] for name in DONE),
        "deferred": count["waiting"],
        "bounced": count["returned"],
        "rejected": sum(row["refused"] for row in found["refused"]["kinds"]),
        "discarded": count["discarded"],
        "held": count["held"],
        "expired": count["expired"],
        "bytes_received": sum(int(row["bytes"]) for row in kinds.values()),
        "bytes_delivered": sum(fates[name]["bytes"] for name in DONE),
        "senders": found["mails"]["distinct"][0]["senders"],
        "recipients": found["recipients"]["distinct"][0]["recipients"],
    }


def _mail(kinds: dict[str, Row], mails: dict[str, Rows]) -> Row:
    names = ("from_outside", "from_users", "notices")
    counts = {name: kinds.get(name, {"received": 0})["received"] for name in names}
    return counts | {"backscatter": mails["backscatter"][0]["mails"]}


def _logins(rows: Rows, top: int) -> Row:
    """Logins that failed, who guesses, and which accounts were logged in after many failures."""
    kinds: dict[str, Rows] = defaultdict(list)
    for row in rows:
        kinds[row.pop("kind")].append(row)
    names = ("failed", "succeeded", "addresses", "accounts")
    counts = {name: kinds["total"][0][name] for name in names}
    guessing = [{name: row[name] for name in _GUESSING} for row in kinds["client"][:top]]
    return counts | {"guessing": guessing, "suspects": kinds["account"]}


_GUESSING = ("client_address", "client_name", "failed", "succeeded", "accounts", "t_i", "t_f")


def _usual(rows: Rows, refused: Rows) -> Row:
    """Medians of the weeks before by name, and how many there were; None where there was none."""
    names = [name for name in (rows[0] if rows else {}) if name != "number"]
    found: Row = {"weeks": len(rows)}
    found |= {name: round(median([row[name] for row in rows])) for name in names}
    found["refused"] = _usual_refused(refused)
    return found


def _usual_refused(rows: Rows) -> dict[str, int]:
    weeks = {row["number"] for row in rows}
    kinds: dict[str, dict[int, int]] = defaultdict(lambda: dict.fromkeys(weeks, 0))
    for row in rows:
        kinds[row["refusal"]][row["number"]] += row["refused"]
        kinds[""][row["number"]] += row["refused"]
        kinds["temporary"][row["number"]] += row["temporary"]
    return {kind: round(median(numbers.values())) for kind, numbers in sorted(kinds.items())}


def _reasons(recipients: dict[str, Rows], refused: dict[str, Rows]) -> dict[str, Rows]:
    def of(*fates: str) -> Rows:
        rows = [row for row in recipients["reasons"] if row["fate"] in fates]
        return merged(rows, "recipients")

    return {
        "returned": of("returned", "expired"),
        "deferred": of("waiting"),
        "discarded": of("discarded", "swallowed by filter"),
        "discarded_by_rule": merged(refused["discards"], "times"),
        "refused": merged(refused["reasons"], "times", "refusal", "reply_code", "dsn"),
    }


def _tls(kinds: dict[str, Row], recipients: dict[str, Rows]) -> Row:
    row = recipients["tls"][0]
    return {
        "received_by_smtp": sum(one["by_smtp"] for one in kinds.values()),
        "received_encrypted": sum(one["encrypted"] for one in kinds.values()),
        "sent_out": row["recipients"],
        "sent_encrypted": row["encrypted"],
        "plain_relays": row["plain_relays"],
    }


def _over_time(
    edges: list[datetime],
    mails: dict[str, Rows],
    recipients: dict[str, Rows],
    refused: dict[str, Rows],
) -> Rows:
    """What began in each hour or day; every one is there."""
    rows: Rows = [
        {"begin": t, "received": 0, "bytes": 0, "delivered": 0, "waiting": 0, "returned": 0, "refused": 0}
        for t in edges
    ]  # fmt: skip
    for row in mails["buckets"]:
        rows[row["bucket"] - 1] |= {"received": row["received"], "bytes": int(row["bytes"])}
    for row in refused["buckets"]:
        rows[row["bucket"] - 1]["refused"] = row["refused"]
    shown = {"delivered": "delivered", "accepted_elsewhere": "delivered", "waiting": "waiting",
             "returned": "returned", "expired": "returned"}  # fmt: skip
    for row in recipients["fates"]:
        name = shown.get(FATES[row["fate"]])
        if name:
            rows[row["bucket"] - 1][name] += row["recipients"]
    return rows


def _top(
    mails: dict[str, Rows], recipients: dict[str, Rows], refused: dict[str, Rows], top: int
) -> dict[str, Rows]:
    return {
        "senders": mails["senders"],
        "recipients": recipients["recipients"],
        "domains": recipients["domains"],
        "clients": mails["clients"],
        "logins": recipients["logins"][:top],
        "refused_clients": refused["clients"],
    }
