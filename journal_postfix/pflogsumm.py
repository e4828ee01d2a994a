"""The report that pflogsumm would print: its counts in its layout, from the stored mails.

For those who compare, or whose scripts read it; `report` counts each mail once. The sections that
come from lines which leave no row (warnings, fatal errors, panics, the master daemon's messages,
smtp delivery failures) are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta, tzinfo

from journal_postfix.database import Connection
from journal_postfix.output import visible
from journal_postfix.period import Period
from journal_postfix.pflogsumm_counts import TIMED, VERDICTS, Counts, Nested, Sums, Table, counted

_KILO, _MEGA = 1 << 10, 1 << 20
_HEADS = "received  delivered   deferred    bounced     rejected"
_RULE = "    " + "-" * 68


def compat(
    connection: Connection, period: Period, mta: str | None = None, zone: tzinfo | None = None
) -> str:
    """The report of a period, of one host or of all; hours and days are those of the zone."""
    counts = counted(connection, period, mta, zone)
    lines = [*_title(period, zone), *_totals(counts), *_days(counts), *_hours(counts)]
    lines += [*_hosts(counts), *_people(counts), *_details(counts)]
    return "".join(f"{visible(line)}\n" for line in lines)


# --- numbers --------------------------------------------------------------------------------


def units(value: float) -> str:
    """A number of six digits and its unit: half a thousand k is k, half a thousand m is m."""
    for unit, one in (("m", _MEGA), ("k", _KILO)):
        if value > 512 * one:
            return f"{int(value / one):6d}{unit}"
    return f"{int(value):6d} "


def _seconds(value: float) -> str:
    for unit, one in (("h", 3600), ("m", 60)):
        if value > one:
            return f"{value / one:5.1f} {unit}"
    return f"{value:5.1f} s"


def _percent(part: int, whole: int) -> int:
    return part * 100 // whole if whole else 0


def _columns(values: Iterable[float]) -> str:
    return "".join(f"    {units(value)}" for value in values)


def _size(table: Table) -> int:
    return sum(sums.size for sums in table.values())


# --- sections -------------------------------------------------------------------------------


def _title(period: Period, zone: tzinfo | None) -> list[str]:
    """The day, where the period is one."""
    first, last = period.since.astimezone(zone), period.until.astimezone(zone)
    midnight = first.min.time()
    is_day = (first.time(), last.time()) == (midnight, midnight)
    if not is_day or last.date() != first.date() + timedelta(days=1):
        return []
    return [f"Postfix log summaries for {first:%b} {first.day:2d}"]


def _headed(title: str) -> list[str]:
    return ["", title, "-" * len(title)]


def _totals(counts: Counts) -> Iterator[str]:
    words = counts.words
    whole = words["sent"] + words["reject"] + words["discard"]
    deferrals = f"  ({units(words['deferred']).lstrip()} deferrals)" if words["deferred"] else ""
    lines = (
        (words["received"], "received"),
        (words["sent"], "delivered"),
        (words["forwarded"], "forwarded"),
        (counts.deferred_mails, f"deferred{deferrals}"),
        (words["bounced"], "bounced"),
        (words["reject"], f"rejected ({_percent(words['reject'], whole)}%)"),
        (words["reject_warning"], "reject warnings"),
        (words["hold"], "held"),
        (words["discard"], f"discarded ({_percent(words['discard'], whole)}%)"),
        None,
        (_size(counts.senders), "bytes received"),
        (_size(counts.recipients), "bytes delivered"),
        (len(counts.senders), "senders"),
        (len(counts.sending), "sending hosts/domains"),
        (len(counts.recipients), "recipients"),
        (sum(sums.messages > 0 for sums in counts.receiving.values()), "recipient hosts/domains"),
    )
    yield from (*_headed("Grand Totals"), "messages", "")
    yield from (f" {units(line[0])}  {line[1]}" if line else "" for line in lines)
    yield ""


def _by_day(counts: Counts) -> dict[str, Counter[date]]:
    days: dict[str, Counter[date]] = {name: Counter() for name in TIMED}
    for name, hours in counts.times.items():
        for hour, count in hours.items():
            days[name][hour.date()] += count
    return days


def _all_days(days: dict[str, Counter[date]]) -> list[date]:
    return sorted({day for counts in days.values() for day in counts})


def _days(counts: Counts) -> Iterator[str]:
    days = _by_day(counts)
    every = _all_days(days)
    if len(every) > 1:
        yield from (*_headed("Per-Day Traffic Summary"), f"    date          {_HEADS}", _RULE)
        for day in every:
            values = _columns(days[name][day] for name in TIMED)
            yield f"    {day:%b} {day.day:2d} {day.year}{values}"


def _hours(counts: Counts) -> Iterator[str]:
    days = max(len(_all_days(_by_day(counts))), 1)
    kind = "Daily Average" if days > 1 else "Summary"
    yield from (*_headed(f"Per-Hour Traffic {kind}"), f"    time          {_HEADS}", _RULE)
    for hour in range(24):
        sums = (_sum_of_hour(counts.times[name], hour) for name in TIMED)
        values = _columns(int(value / days + 0.5) for value in sums)
        yield f"    {hour:02d}00-{hour + 1:02d}00  {values}"


def _sum_of_hour(times: Counter[datetime], hour: int) -> int:
    return sum(count for t, count in times.items() if t.hour == hour)


def _hosts(counts: Counts) -> Iterator[str]:
    yield from _headed("Host/Domain Summary: Message Delivery ")
    yield " sent cnt  bytes   defers   avg dly max dly host/domain"
    yield " -------- -------  -------  ------- ------- -----------"
    for name, sums in _by_count(counts.receiving):
        numbers = "  ".join(map(units, (sums.messages, sums.size, sums.deferrals)))
        delays = f"{_seconds(sums.delay / max(sums.messages, 1))}  {_seconds(sums.longest)}"
        yield f" {numbers}  {delays}  {name}"
    yield from _headed("Host/Domain Summary: Messages Received ")
    yield " msg cnt   bytes   host/domain"
    yield " -------- -------  -----------"
    for name, sums in _by_count(counts.sending):
        yield f" {units(sums.messages)}  {units(sums.size)}  {name}"


def _by_count(table: Table) -> list[tuple[str, Sums]]:
    return sorted(table.items(), key=lambda item: (-item[1].messages, -item[1].size, item[0]))


def _people(counts: Counts) -> Iterator[str]:
    tables = (("Senders", counts.senders), ("Recipients", counts.recipients))
    for who, table in tables:
        messages = Counter({name: sums.messages for name, sums in table.items()})
        yield from _listed(f"{who} by message count", _counted(messages, " "))
    for who, table in tables:
        sizes = Counter({name: sums.size for name, sums in table.items()})
        yield from _listed(f"{who} by message size", _counted(sizes, " "))
    sizeless = (f" {queue_id}  {who}" for queue_id, who in sorted(counts.sizeless.items()))
    yield from _listed("Messages with no size data", sizeless)


def _listed(title: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    return [*_headed(title), *found] if found else ["", f"{title}: none"]


def _counted(counts: Counter[str], indent: str) -> Iterator[str]:
    for name in sorted(counts, key=lambda name: (-counts[name], _backwards(name))):
        yield f"{indent}{units(counts[name])}  {name}"


def _backwards(name: str) -> str:
    """What names are sorted by: the parts of the first word from the last to the first."""
    word = (name.split() or [""])[0]
    if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", word):
        return "".join(chr(int(part)) for part in word.split("."))
    return "".join(reversed(re.split("[.@]", word))).lower()


def _details(counts: Counts) -> Iterator[str]:
    yield from _listed("message deferral detail", _walked(counts.deferrals, "  "))
    yield from _listed("message bounce detail (by relay)", _walked(counts.bounces, "  "))
    for word, name in VERDICTS.items():
        yield from _listed(f"message {name} detail", _states(counts.verdicts.get(word, {})))


def _states(states: dict[str, Nested]) -> Iterator[str]:
    for state, nested in sorted(states.items()):
        yield f"  {state}"
        yield from _walked(nested, "    ")


def _walked(nested: Nested, indent: str) -> Iterator[str]:
    for name, counts in sorted(nested.items()):
        yield f"{indent}{name} (total: {counts.total()})"
        yield from _counted(counts, f"{indent}  ")
