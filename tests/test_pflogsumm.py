"""Our report in pflogsumm's habit, beside what pflogsumm itself prints of the same log.

Whole logs and stories: grand totals and the table of hours must be equal figure by figure, and of
the other sections every line that both have. DIFFER tells which stories cannot agree, and why.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import generate
import stories
from generate import Log
from journal_postfix.backfill import FileOptions, backfill
from journal_postfix.config import config_from
from journal_postfix.database import READER_SETTINGS, connect
from journal_postfix.period import Period
from journal_postfix.pflogsumm import compat, units
from journal_postfix.pflogsumm_counts import client, shortened

PFLOGSUMM = shutil.which("pflogsumm")
needs_pflogsumm = pytest.mark.skipif(PFLOGSUMM is None, reason="needs pflogsumm (script/test)")
EVER = Period(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
SAMPLE = Path(__file__).parent.parent / "docs" / "sample" / "mail.log.xz"
KEEP = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
#: Sections that pflogsumm makes of lines that leave no row, and those whose reasons it tears apart.
NOT_OURS = {
    "smtp delivery failures", "Warnings", "Fatal Errors", "Panics", "Master daemon messages",
    "message reject detail", "message reject warning detail", "message hold detail",
    "message discard detail",
}  # fmt: skip
TOTALS, HOURS, DELIVERED = (
    "Grand Totals", "Per-Hour Traffic Summary", "Host/Domain Summary: Message Delivery",
)  # fmt: skip
DEFERRALS = "message deferral detail"
PEOPLE = tuple(
    f"{who} by message {what}" for who in ("Senders", "Recipients") for what in ("count", "size")
)
#: Stories of which some sections cannot agree, which, and why.
DIFFER = {
    # a proxy's client stands in lines without a mail; only those that log in leave a row
    "before_queue_proxy": {TOTALS, HOURS},
    # a syslog name without "postfix/" is no Postfix to pflogsumm
    "flat_syslog_name": {TOTALS, HOURS, DELIVERED, *PEOPLE[2:]},
    # > in a quoted address ends it for pflogsumm
    "hostile_texts": {TOTALS, HOURS, DELIVERED, *PEOPLE[2:], "Messages with no size data"},
    # its size grew; the first one counts there, the largest here
    "nrcpt_is_a_maximum": {TOTALS, DELIVERED, "Host/Domain Summary: Messages Received",
                           "Senders by message size", "Recipients by message size"},
    # of records in which nothing was tried some are only counted
    "skipped": {DELIVERED, DEFERRALS},
    "force_expired": {DELIVERED, DEFERRALS},
    # it makes small letters byte by byte
    "smtputf8": {DELIVERED, *PEOPLE[2:]},
    # verp_marker takes the id out of the sender
    "verp": {*PEOPLE[:2]},
}  # fmt: skip
STORIES = [story for story in stories.read_stories() if story.forged_by_pid is None]


def sections(report: str) -> dict[str, list[str]]:
    """Take a report apart: the lines of each section, in an order of their own."""
    found: dict[str, list[str]] = {}
    lines = report.splitlines()
    name = ""
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if line and not lines[number - 1] and re.fullmatch("-{3,}", below):
            name = line.strip()
            found[name] = []
        elif line.endswith(": none"):
            found[line.removesuffix(": none")] = []
        elif name and line and not re.fullmatch("[- ]{3,}", line):
            found[name].append(line.rstrip())
    return {name: sorted(lines) for name, lines in found.items()}


def theirs(*logs: str) -> str:
    """What pflogsumm prints of logs."""
    assert PFLOGSUMM is not None
    done = subprocess.run(
        [PFLOGSUMM], input="".join(logs).encode(), capture_output=True, timeout=120, check=True,
        env={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )  # fmt: skip
    return done.stdout.decode("utf-8", "replace")


def ours(dsn: str, period: Period = EVER, zone: str = "UTC", mta: str | None = None) -> str:
    """What we print."""
    with closing(connect(dsn, READER_SETTINGS)) as connection:
        return compat(connection, period, mta, ZoneInfo(zone))


def load(dsn: str, paths: Iterable[Path], year: int) -> None:
    """Load log files."""
    config = config_from({"dsn": dsn, "retention": KEEP}, "test")
    backfill(config, [str(path) for path in paths], FileOptions(year, "UTC"))


def without_tls(log: str) -> str:
    """A log without what Postfix 3.11 adds to delivery records: pflogsumm 1.1.5 reads none with it."""
    return re.sub(r"(, delays=[0-9./]+), tls=[^,]+", r"\1", log)


def comparable(report: str) -> dict[str, list[str]]:
    """The sections as far as they can be compared."""
    found = {name: lines for name, lines in sections(report).items() if name not in NOT_OURS}
    days = found.get("Per-Day Traffic Summary", [])
    found["Per-Day Traffic Summary"] = [_day(line) for line in days if "date" not in line]
    agents: Counter[str] = Counter()
    for line in found[DEFERRALS]:
        if "(total: " not in line:
            agents[line[10:].strip()] += int(line[:10])
    found[DEFERRALS] = [f"{reason}: {count}" for reason, count in sorted(agents.items())]
    sizeless = found.get("Messages with no size data", [])
    found["Messages with no size data"] = [line.split()[0] for line in sizeless]
    return found


def _day(line: str) -> str:
    """A line of the table of days: without the year, which pflogsumm guesses, and with all zeros."""
    month, day, _, *numbers = line.split()
    return " ".join([month, day, *numbers, *["0"] * (5 - len(numbers))])


def differences(one: str, other: str) -> dict[str, Any]:
    """What differs between two reports, by section."""
    mine, its = comparable(one), comparable(other)
    return {
        name: (mine.get(name), its.get(name))
        for name in sorted(mine.keys() | its.keys())
        if mine.get(name) != its.get(name)
    }


# --- equal ----------------------------------------------------------------------------------


@needs_pflogsumm
def test_sample(dsn: str) -> None:
    """Of the sample log of docs both print the same."""
    load(dsn, [SAMPLE], 2026)
    log = lzma.decompress(SAMPLE.read_bytes()).decode()
    differ = differences(ours(dsn), theirs(without_tls(log)))
    assert differ.keys() <= {DEFERRALS}, differ


@needs_pflogsumm
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story(story: stories.Story, dsn: str, tmp_path: Path) -> None:
    """Of a story both print the same, but for the sections that DIFFER names."""
    config = stories.configured([story])
    stories.load_files(dsn, config, story.logs, tmp_path)
    differ = differences(ours(dsn), theirs(without_tls("".join(story.lines))))
    assert differ.keys() == DIFFER.get(story.name, set()), differ


def generated(log: Log, folder: Path, *, skips: bool) -> tuple[Path, list[str]]:
    """A generated log without quoted addresses, and if told without records of no real try."""
    generate.write(log, "traditional", folder, split=False, truth=False)
    (path,) = folder.iterdir()
    lines = [
        line
        for line in path.read_text("utf-8").splitlines(keepends=True)
        if '"' not in line and (skips or not _SKIP.search(line))
    ]
    path.write_text("".join(lines), "utf-8")
    return path, lines


_SKIP = re.compile(r"/(?:error|retry|qmgr)\[[0-9]+\]: .*status=deferred")
LOGS = {
    "one host": Log(lines=8_000, hosts=1, seed=3, hours=2.5),
    "several days": Log(lines=10_000, hosts=3, seed=4, hours=60.0),
}


@needs_pflogsumm
@pytest.mark.parametrize("name", LOGS)
def test_generated(name: str, dsn: str, tmp_path: Path) -> None:
    """Of large generated logs, in which queue ids come back, both print the same."""
    path, lines = generated(LOGS[name], tmp_path, skips=False)
    load(dsn, [path], generate.YEAR)
    assert differences(ours(dsn), theirs(without_tls("".join(lines)))) == {}


@needs_pflogsumm
def test_generated_with_skips(dsn: str, tmp_path: Path) -> None:
    """With records of no real try the totals are the same, and all of the hours but deferrals."""
    path, lines = generated(LOGS["one host"], tmp_path, skips=True)
    load(dsn, [path], generate.YEAR)
    mine, its = (comparable(one) for one in (ours(dsn), theirs(without_tls("".join(lines)))))
    assert mine[TOTALS] == its[TOTALS]
    hours = [[line.split() for line in one[HOURS]] for one in (mine, its)]
    for column in (0, 1, 2, 4, 5):
        assert [line[column] for line in hours[0]] == [line[column] for line in hours[1]]
    assert {name for name in mine if mine[name] != its[name]} <= {HOURS, DELIVERED, DEFERRALS}


@needs_pflogsumm
def test_one_host_of_several(dsn: str, tmp_path: Path) -> None:
    """The report of one host is that of its lines."""
    path, lines = generated(LOGS["several days"], tmp_path, skips=False)
    load(dsn, [path], generate.YEAR)
    host = lines[0].split()[3]
    log = "".join(line for line in lines if line.split()[3] == host)
    assert differences(ours(dsn, mta=host), theirs(without_tls(log))) == {}


@needs_pflogsumm
def test_one_day_of_several(dsn: str, tmp_path: Path) -> None:
    """The totals of a day are those of its lines, also where mails came the day before."""
    path, lines = generated(LOGS["several days"], tmp_path, skips=False)
    load(dsn, [path], generate.YEAR)
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    log = "".join(line for line in lines if line.startswith("Jan  1 "))
    mine, its = (
        comparable(one)
        for one in (ours(dsn, Period(begin, begin + timedelta(days=1))), theirs(without_tls(log)))
    )
    assert (mine[TOTALS], mine[HOURS]) == (its[TOTALS], its[HOURS])


# --- ours alone -----------------------------------------------------------------------------


GOLDEN = Path(__file__).parent / "golden" / "pflogsumm.txt"
TOLD = ("delivered", "mixed_results", "header_check_rejects", "held_by_a_rule", "relay_none",
        "verdicts_that_do_not_refuse", "sent_but_not_delivered", "log_starts_in_the_middle")  # fmt: skip


def test_layout(dsn: str, tmp_path: Path) -> None:
    """A report of some stories is the golden file, to the letter.

    Renew it with ``RENEW=1 pytest tests/test_pflogsumm.py -k layout`` and read what changed.
    """
    group = [story for story in STORIES if story.name in TOLD]
    assert len(group) == len(TOLD)
    lines = [line for story in group for line in story.lines]
    stories.load_files(dsn, stories.configured(group), [stories.in_order(lines)], tmp_path)
    day = datetime(2025, 3, 3, tzinfo=UTC)
    report = ours(dsn, Period(day, day + timedelta(days=1)))
    if os.environ.get("RENEW"):
        GOLDEN.write_text(report, "utf-8")
    assert report == GOLDEN.read_text("utf-8")


def test_nothing(dsn: str) -> None:
    """A period without mail is a report of zeros, not a failure."""
    report = ours(dsn)
    assert "      0   received\n" in report
    assert "    2300-2400           0          0          0          0          0 \n" in report
    assert "\nSenders by message count: none\n" in report


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("UTC", "1000-1100"), ("Asia/Kolkata", "1500-1600"), ("America/St_Johns", "0600-0700")],
)
def test_hours_of_a_zone(zone: str, hours: str, dsn: str, tmp_path: Path) -> None:
    """Hours are those of the zone, also where it is apart from UTC by a part of an hour."""
    (story,) = (one for one in STORIES if one.name == "delivered")
    stories.load_files(dsn, stories.configured([story]), story.logs, tmp_path)
    table = sections(ours(dsn, zone=zone))[HOURS]
    (busy,) = (line for line in table if line.split()[1:] == ["1", "1", "0", "0", "0"])
    assert busy.split()[0] == hours


@pytest.mark.parametrize(
    ("since", "until", "title"),
    [
        ("2025-03-03T00:00Z", "2025-03-04T00:00Z", "Postfix log summaries for Mar  3\n"),
        ("2025-03-03T00:00Z", "2025-03-05T00:00Z", "\n"),
        ("2025-03-03T01:00Z", "2025-03-04T01:00Z", "\n"),
    ],
)
def test_title(since: str, until: str, title: str, dsn: str) -> None:
    """A period that is a day is named, another one is not."""
    period = Period(datetime.fromisoformat(since), datetime.fromisoformat(until))
    assert ours(dsn, period).startswith(title)


@pytest.mark.parametrize(
    ("name", "address", "domain"),
    [
        ("mail.example.org", "192.0.2.1", "example.org"),
        ("a.b.MAIL.Example.ORG", "192.0.2.1", "example.org"),
        ("example.org", "192.0.2.1", "example.org"),
        ("mx.shop.co.uk", "192.0.2.1", "shop.co.uk"),
        ("shop.co.uk", "192.0.2.1", "shop.co.uk"),
        ("mail.firma.example", "192.0.2.1", "mail.firma.example"),
        ("unknown", "2001:db8::1", "2001:db8::1"),
        (None, "192.0.2.1", "192.0.2.1"),
    ],
)
def test_domain_of_a_client(name: str | None, address: str, domain: str) -> None:
    """A client's name is cut to its domain where the top-level domain has three letters, or two twice."""
    assert client(name, address) == domain


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "     0 "),
        (524_288, "524288 "),
        (524_289, "   512k"),
        (536_870_912, "524288k"),
        (536_870_913, "   512m"),
    ],
)
def test_units(number: int, text: str) -> None:
    """Large numbers are given in k and m, from half a thousand of them on."""
    assert units(number) == text


@pytest.mark.parametrize(
    ("reason", "shorter"),
    [
        ("short: as it is", "short: as it is"),
        ("host mx.example.net[192.0.2.1] said: 450 4.7.1 wait", "450 4.7.1 wait"),
        ("first: second: " + "y" * 20, "second: " + "y" * 20),
        ("z" * 31, "z" * 27 + "..."),
    ],
)
def test_reasons_are_shortened(reason: str, shorter: str) -> None:
    """A long reason loses what is in front of `said:`, then of each colon, then its end."""
    assert shortened(reason, 30) == shorter
