"""Stories: the log of a few mails as Postfix writes it, and the rows that it must leave.

A story is `mails/NAME.log` (or `NAME.1.log`, `NAME.2.log`: one log cut into files) and
`mails/NAME.yml`: under `mails` the rows of delivery_from, in each its recipients (`to`), their
replaced records (`history`) and the verdicts that belong to the mail (`verdicts`); under `noqueue`
the verdicts that belong to none; under `events` the rows of queue_event; under `logins` those of
login, hours summed up. All rows are listed; of a row only columns worth stating, a null must be NULL. `fate` is the view's, `notification_for_id` the
queue id of the row it points to (with the message-id behind it where the queue id comes back).
`config` holds configuration keys, `forged_by_pid` a process that is not Postfix's.
`only_in_order` tells why lines may not be shuffled over the end of a batch, `sessions` why the lines
of one process stay in their order, and in one file.

All stories of one configuration are loaded together, each on hosts of its own (`STORY.HOST`), as
if that many servers wrote into one log; what is stored is then taken apart again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import psycopg2
import psycopg2.extras
import yaml

from journal_postfix.backfill import FileOptions, backfill
from journal_postfix.collect import Collector
from journal_postfix.commit import Committer
from journal_postfix.config import Config, config_from
from journal_postfix.logfile import iter_logfile_messages
from journal_postfix.messages import MsgDetails, Position
from journal_postfix.run import run_loop
from journal_postfix.writer import Writer

Row = dict[str, Any]

FOLDER = Path(__file__).parent / "mails"
KEEP = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
SHUFFLE = 1.0  # seconds by which lines change places


@dataclass
class Story:
    """What is logged, and what must be stored."""

    name: str
    logs: list[list[str]]
    mails: list[Row] = field(default_factory=list)
    noqueue: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    logins: list[Row] = field(default_factory=list)
    config: Row = field(default_factory=dict)
    forged_by_pid: int | None = None
    only_in_order: str = ""
    sessions: str = ""

    @property
    def lines(self) -> list[str]:
        """All lines, as one log."""
        return [line for log in self.logs for line in log]

    def cut(self, place: int) -> tuple[list[str], list[str]]:
        """Give the lines as two files, cut behind so many lines."""
        return self.lines[:place], self.lines[place:]


def _on_own_host(name: str, line: str) -> str:
    stamp, host, rest = line.split(" ", 2)
    return f"{stamp} {name}.{host} {rest}"


def read_story(path: Path) -> Story:
    """Read the story of a .yml file."""
    name, whole = path.stem, path.with_suffix(".log")
    files = [whole] if whole.exists() else sorted(FOLDER.glob(f"{name}.[0-9].log"))
    logs = [
        [_on_own_host(name, line) for line in file.read_text("utf-8").splitlines(keepends=True)]
        for file in files
    ]
    story = Story(name, logs, **yaml.safe_load(path.read_text("utf-8")))
    if "mta_names" in story.config:
        names = story.config["mta_names"].items()
        story.config["mta_names"] = {f"{name}.{host}": f"{name}.{mta}" for host, mta in names}
    return story


def read_stories() -> list[Story]:
    """Read all stories."""
    return [read_story(path) for path in sorted(FOLDER.glob("*.yml"))]


def by_config(stories: Iterable[Story]) -> list[list[Story]]:
    """Put stories of equal configuration together."""

    def key(story: Story) -> str:
        return json.dumps(story.config)

    return [list(group) for _, group in groupby(sorted(stories, key=key), key)]


def configured(stories: Sequence[Story], **keys: Any) -> Config:
    """Give the configuration stories are read with: theirs, and nothing is too old."""
    return config_from({"retention": KEEP, **stories[0].config, **keys}, "stories")


# --- lines ----------------------------------------------------------------------------------


def stamp(line: str) -> datetime:
    """Give the time of a line."""
    return datetime.fromisoformat(line.partition(" ")[0])


def in_order(lines: Iterable[str]) -> list[str]:
    """Give lines of several hosts as one log."""
    return sorted(lines, key=stamp)


def shuffled(lines: Iterable[str], rng: Random, stories: Iterable[Story] = ()) -> list[str]:
    """Give the lines in another order: none passes one that is SHUFFLE younger.

    The processes of stories that tell of sessions keep the order of their own lines.
    """
    lines = list(lines)
    times = [stamp(line).timestamp() + rng.uniform(0, SHUFFLE) for line in lines]
    together = {story.name for story in stories if story.sessions}
    latest: dict[str, float] = {}
    for number, line in enumerate(lines):
        _, host, tag, _ = line.split(" ", 3)
        if host.partition(".")[0] in together:
            process = f"{host} {tag}"
            times[number] = latest[process] = max(times[number], latest.get(process, 0.0))
    return [line for _, line in sorted(zip(times, lines, strict=True), key=lambda pair: pair[0])]


def traditional(line: str) -> str:
    """Write a line with a stamp without year and fraction."""
    t = stamp(line)
    return f"{t:%b} {t.day:2d} {t:%H:%M:%S} {line.partition(' ')[2]}"


def in_seconds(value: Any) -> Any:
    """Give expected rows with whole seconds."""
    if isinstance(value, dict):
        return {name: in_seconds(one) for name, one in value.items()}
    if isinstance(value, list):
        return [in_seconds(one) for one in value]
    return value.replace(microsecond=0) if isinstance(value, datetime) else value


def set_back(lines: Sequence[str], place: int) -> list[str]:
    """Give a log in which the clock was set back by 47 minutes before the line of this number."""
    earlier = [
        f"{(stamp(line) - timedelta(minutes=47)).isoformat()} {line.partition(' ')[2]}"
        for line in lines[place:]
    ]
    return [*lines[:place], *earlier]


def at_any_time(value: Any) -> Any:
    """Give expected rows without times."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k != "day" and not isinstance(v, datetime)}
        return {name: at_any_time(one) for name, one in kept.items()}
    return [at_any_time(one) for one in value] if isinstance(value, list) else value


def on_any_day(value: Any) -> Any:
    """Give expected rows without their day: it is that of the line that was stored first."""
    if isinstance(value, dict):
        return {name: on_any_day(one) for name, one in value.items() if name != "day"}
    return [on_any_day(one) for one in value] if isinstance(value, list) else value


def files_of(stories: Iterable[Story]) -> list[list[str]]:
    """Give the logs of stories as common files: first parts, second parts, and so on."""
    files: list[list[str]] = []
    for story in stories:
        for number, log in enumerate(story.logs):
            if number == len(files):
                files.append([])
            files[number] += log
    return [in_order(lines) for lines in files]


# --- ways into the database -----------------------------------------------------------------


def load_files(dsn: str, config: Config, logs: Iterable[Iterable[str]], folder: Path) -> None:
    """Load logs, each as a file, one after the other."""
    paths = []
    for number, lines in enumerate(logs):
        path = folder / f"{number}.log"
        path.write_text("".join(lines), "utf-8")
        paths.append(str(path))
    backfill(replace(config, dsn=dsn), paths, FileOptions(2025, "UTC"))


def messages(lines: Iterable[str], folder: Path) -> list[MsgDetails]:
    """Give the messages of lines as an input does."""
    path = folder / "messages.log"
    path.write_text("".join(lines), "utf-8")
    return [msg for _, msg in iter_logfile_messages(str(path), 2025, "UTC")]


_LINE = re.compile(
    r"(?P<stamp>\S+) (?P<host>\S+) (?P<tag>[^\s\[]+)\[(?P<pid>\d+)\]: (?P<text>.*)\n"
)


def entries(story: Story) -> Iterator[Row]:
    """Give a story's lines as journal entries of a machine of its own."""
    machine = hashlib.md5(story.name.encode(), usedforsecurity=False).hexdigest()
    for line in story.lines:
        parts = _LINE.fullmatch(line)
        assert parts is not None, line
        t = round(stamp(line).timestamp() * 1_000_000)
        forged = int(parts["pid"]) == story.forged_by_pid
        yield {
            "__REALTIME_TIMESTAMP": t,
            "__MONOTONIC_TIMESTAMP": t,
            "_MACHINE_ID": machine,
            "_BOOT_ID": machine,
            "_HOSTNAME": parts["host"],
            "_UID": 65534 if forged else 0,
            "_SYSTEMD_UNIT": "user@65534.service" if forged else "postfix@-.service",
            "PRIORITY": 6,
            "SYSLOG_IDENTIFIER": parts["tag"],
            "SYSLOG_PID": parts["pid"],
            "MESSAGE": parts["text"],
        }


def follow(dsn: str, config: Config, batches: Iterable[Sequence[MsgDetails]]) -> None:
    """Store batches as a service that is restarted after each of them."""
    for number, batch in enumerate(batches):
        writer = Writer(dsn, config.store_options())
        for source in writer.find_sources("journal", "stories"):
            writer.sources[source.kind, source.identity] = source
        here = Position("journal", "stories", "stories", str(number), "", batch[-1]["t"])
        committer = Committer(writer, config, Event(), 5.0)
        collector = Collector(config)
        for source in writer.sources.values():
            collector.resume("", source.state)
        run_loop(((False, msg) for msg in batch), lambda p=here: [p], collector, committer)
        writer.close()


def in_batches(found: Iterable[MsgDetails], size: int) -> Iterator[list[MsgDetails]]:
    """Give messages in batches that hold at most `size` of each host."""
    batch: list[MsgDetails] = []
    hosts: Counter[str] = Counter()
    for msg in found:
        if hosts[msg["host"]] == size:
            yield batch
            batch, hosts = [], Counter()
        batch.append(msg)
        hosts[msg["host"]] += 1
    yield batch


# --- what was stored ------------------------------------------------------------------------

_QUERIES = {
    "mails": "SELECT * FROM delivery_from ORDER BY t_i, id",
    "to": "SELECT * FROM delivery_to",
    "history": "SELECT * FROM delivery_attempt",
    "noqueue": "SELECT * FROM noqueue",
    "fates": "SELECT from_id, to_id, fate FROM delivery",
    "events": "SELECT * FROM queue_event",
    "logins": (
        "SELECT mta, syslog_name, max(client_name) AS client_name, client_address, sasl_method,"
        " regexp_replace(sasl_username, '^~.{16}$', '~') AS sasl_username, reason, sum(failed)::int AS failed, sum(succeeded)::int AS succeeded,"
        " min(hour) AS hour, min(t_i) AS t_i, max(t_f) AS t_f FROM login"
        " GROUP BY mta, syslog_name, client_address, sasl_method, sasl_username, reason"
    ),
    "unrecognised": "SELECT daemon, shape, sqlstate FROM unrecognised",
}


def _rows(dsn: str) -> dict[str, list[Row]]:
    rows = {}
    with psycopg2.connect(dsn) as connection:
        for name, query in _QUERIES.items():
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute("SET timezone TO 'UTC'")
                cursor.execute(query)
                rows[name] = [_taken_apart(dict(row)) for row in cursor]
    connection.close()
    return rows


def _taken_apart(row: Row) -> Row:
    if "mta" in row:
        row["story"], _, row["mta"] = row["mta"].partition(".")
    return row


@dataclass
class Stored:
    """The rows of a database, those that belong together put together."""

    mails: list[Row]
    noqueue: list[Row]
    events: list[Row]
    logins: list[Row]
    lost: list[str]  # rows that belong to something that is not there, lines not recognised


def stored(dsn: str) -> Stored:
    """Read what a database holds."""
    rows = _rows(dsn)
    mails = {(row["day"], row["id"]): row | {"to": [], "verdicts": []} for row in rows["mails"]}
    tos = {(row["day"], row["id"]): row | {"history": []} for row in rows["to"]}
    fates = {(row["from_id"], row["to_id"]): row["fate"] for row in rows["fates"]}
    lost = []
    for (day, _), row in tos.items():
        row["fate"] = fates.get((row["from_id"], row["id"]))
        _put(mails, (day, row["from_id"]), "to", row, lost)
    for row in rows["history"]:
        _put(tos, (row["day"], row["to_id"]), "history", row, lost)
    for row in rows["noqueue"]:
        if row["from_id"] is not None:
            _put(mails, (row["day"], row["from_id"]), "verdicts", row, lost)
    by_id = {row["id"]: row for row in mails.values()}
    for row in mails.values():
        row["fate"] = fates.get((row["id"], None))
        row["notification_for_id"] = _names(by_id, row["notification_for_id"])
    free = [row for row in rows["noqueue"] if row["from_id"] is None]
    lost += [repr(row) for row in rows["unrecognised"]]
    return Stored(list(mails.values()), free, rows["events"], rows["logins"], lost)


def _put(rows: dict[Any, Row], key: Any, name: str, row: Row, lost: list[str]) -> None:
    if key in rows:
        rows[key][name].append(row)
    else:
        lost.append(f"{name} of nobody: {row}")


def _names(by_id: dict[int, Row], number: int | None) -> tuple[str | None, ...]:
    """Give the names by which a story may mean a row: its queue id, and with the message-id."""
    if number is None:
        return (None,)
    row = by_id.get(number, {})
    return row.get("queue_id"), f"{row.get('queue_id')} {row.get('message_id')}"


# --- comparison -----------------------------------------------------------------------------

_INSIDE = {"mails": ("to", "verdicts"), "to": ("history",)}


def _is(have: Any, value: Any) -> bool:
    return value in have if isinstance(have, tuple) else bool(have == value)


def _row_differences(kind: str, want: Row, have: Row) -> list[str]:
    inside = _INSIDE.get(kind, ())
    found = [
        f"{name} is {have.get(name)!r}, not {value!r}"
        for name, value in want.items()
        if name not in inside and not _is(have.get(name, "no such column"), value)
    ]
    for name in inside:
        found += differences(name, want.get(name, []), have[name])
    return found


def differences(kind: str, want: Sequence[Row], have: Sequence[Row]) -> list[str]:
    """Tell what is wrong with rows; they may come in any order."""
    found = []
    if len(want) != len(have):
        found.append(f"{len(have)} rows of {kind}, not {len(want)}")
    table = [[_row_differences(kind, one, other) for other in have] for one in want]
    partners = _partners(table)
    free = [number for number in range(len(have)) if number not in partners.values()]
    for number, row in enumerate(want):
        if number not in partners and free:
            nearest = min(free, key=lambda other, n=number: len(table[n][other]))
            name = row.get("queue_id") or row.get("recipient") or number
            found.append(f"{kind} {name}: " + "; ".join(table[number][nearest]))
    return found


def _partners(table: list[list[list[str]]]) -> dict[int, int]:
    """Give each wanted row one of the rows that fit it, as many as can have one."""
    taken: dict[int, int] = {}

    def place(one: int, seen: set[int]) -> bool:
        for other, wrong in enumerate(table[one]):
            if not wrong and other not in seen:
                seen.add(other)
                if other not in taken or place(taken[other], seen):
                    taken[other] = one
                    return True
        return False

    for one in range(len(table)):
        place(one, set())
    return {one: other for other, one in taken.items()}


def _of(story: Story, rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["story"] == story.name]


def check(
    dsn: str, stories: Iterable[Story], expected: Callable[[Any], Any] = lambda rows: rows
) -> list[str]:
    """Hold a database against what is expected of stories; nothing is said if all is well."""
    have = stored(dsn)
    wrong = list(have.lost)
    for story in stories:
        for kind in ("mails", "noqueue", "events", "logins"):
            rows = _of(story, getattr(have, kind))
            found = differences(kind, expected(getattr(story, kind)), rows)
            wrong += [f"{story.name}: {text}" for text in found]
    return wrong
