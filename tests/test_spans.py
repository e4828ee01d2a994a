"""No line twice from two sources, none lost between them: journals and files that overlap."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import pytest

import generate
import truth
from generate import Log
from journal_postfix.database import PLAIN_SETTINGS, SQL, connect
from journal_postfix.spans import NEAR, Shelf, fingerprint
from journals import entry, write_journal
from test_cli import KEEP, Said, call
from test_known_truth import assert_true, configured, journals, run
from traffic.ledger import Row
from traffic.world import Line, World

LOG = Log(lines=12_000, hosts=2, seed=31, shuffle=1.0)
NOON = datetime(2026, 9, 21, 12, 0, tzinfo=UTC)


class Story(NamedTuple):
    """A played simulation: its lines and the true rows in microseconds."""

    world: World
    lines: list[Line]
    rows: dict[str, list[Row]]


@pytest.fixture(scope="module", name="story")
def _story() -> Story:
    world = generate.simulate(LOG)
    lines = list(world.run())
    return Story(world, lines, generate.true_rows(world, "iso"))


class Place:
    """A folder with a journal and files, and the program that loads them into a database."""

    def __init__(self, story: Story, dsn: str, folder: Path) -> None:
        self.story = story
        self.dsn = dsn
        self.folder = folder
        self.journal = folder / "journal"
        self.journal.mkdir()
        self.program = configured(folder, dsn, journal={"directory": str(self.journal)})
        self._written = 0

    def write(self, begin: float, end: float, form: str, *, split: bool) -> list[str]:
        """Write a part of the log as files."""
        lines = self.story.lines
        part = lines[int(begin * len(lines)) : int(end * len(lines))]
        self._written += 1
        folder = self.folder / f"{form}{self._written}"
        folder.mkdir()
        generate.write_lines(self.story.world, part, form, folder, split=split)
        return sorted(str(path) for path in folder.iterdir())

    def say(self, begin: float, end: float) -> None:
        """Let a part of the log come into the journal."""
        for export in self.write(begin, end, "export", split=True):
            apart = self.folder / f"{self._written}-{Path(export).stem}"
            (made,) = journals(apart, [export]).iterdir()
            made.rename(self.journal / f"{apart.name}.journal")

    def follow(self, begin: float, end: float) -> None:
        """Let a part of the log come into the journal, and the service catch up."""
        self.say(begin, end)
        run(*self.program, "run", "--once")

    def load(self, begin: float, end: float, form: str = "iso", *options: str) -> None:
        """Load a part of the log as a file of all hosts."""
        year = datetime.fromtimestamp(
            self.story.lines[int(begin * len(self.story.lines))].t / 1e6, UTC
        ).year
        files = self.write(begin, end, form, split=False)
        run(*self.program, "backfill", f"--year={year}", "--timezone=UTC", *options, *files)


@pytest.fixture(name="place")
def _place(story: Story, dsn: str, tmp_path: Path) -> Place:
    return Place(story, dsn, tmp_path)


def ask(dsn: str, query: str) -> list[tuple[Any, ...]]:
    """Ask the database."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def unlinked(rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Leave out which mail a notice is about: it is looked for while the notice is fresh."""
    mails = [dict(row) for row in rows["delivery_from"]]
    for mail in mails:
        mail.pop("notification_for_t_i", None)
    return {**rows, "delivery_from": mails}


# --- a journal and files, against known truth -------------------------------------------------


@pytest.mark.parametrize("form", ["iso", "traditional"])
def test_file_of_what_the_journal_told_adds_nothing(place: Place, form: str) -> None:
    """A file that holds what the service has stored from the journal changes no row."""
    place.follow(0, 1)
    found = assert_true(place.dsn, place.story.rows)
    place.load(0, 1, form)
    assert truth.load(place.dsn) == found
    assert ask(place.dsn, "SELECT known > 0 FROM source WHERE kind = 'file'") == [(True,)]


def test_journal_of_what_a_file_told_adds_nothing(place: Place) -> None:
    """A journal whose lines a file brought in before changes no row."""
    place.load(0, 1)
    found = assert_true(place.dsn, place.story.rows)
    place.follow(0, 1)
    assert truth.load(place.dsn) == found


PARTS = {
    "the file ends in the journal": [("load", 0, 0.6), ("follow", 0.4, 1)],
    "the journal came before the file": [("follow", 0.4, 1), ("load", 0, 0.6)],
    "the service is behind": [("follow", 0, 0.3), ("load", 0.1, 0.8), ("follow", 0.3, 1)],
    "the file fills a gap": [("follow", 0, 0.3), ("follow", 0.7, 1), ("load", 0, 1)],
    "the file lies within": [("follow", 0, 1), ("load", 0.2, 0.5), ("load", 0.5, 0.7)],
    "edges meet": [("load", 0.5, 1), ("follow", 0, 0.5)],
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS.keys())
def test_parts_from_journal_and_files(place: Place, parts: list[tuple[Any, ...]]) -> None:
    """However journal and files overlap, and whoever comes first: exactly the true rows."""
    for how, begin, end in parts:
        getattr(place, how)(begin, end)
    assert_true(place.dsn, unlinked(place.story.rows))


def test_whole_seconds_at_the_edges(place: Place) -> None:
    """Where a file's stamps lost their fractions, no row is missing or double at the edges."""
    place.load(0, 0.4, "traditional")
    place.follow(0.2, 0.7)
    place.load(0.6, 1, "traditional")
    assert truth.count(place.dsn) == {table: len(rows) for table, rows in place.story.rows.items()}


def test_rotated_set_is_no_overlap(place: Place) -> None:
    """Files that only meet are loaded, in any order, and every row is there once."""
    for begin, end in [(0.5, 0.75), (0, 0.25), (0.75, 1), (0.25, 0.5)]:
        place.load(begin, end)
    assert_true(place.dsn, place.story.rows)


def test_shared_lines_of_two_files_are_stored_once(place: Place) -> None:
    """With --overlap-ok files that share lines give exactly the true rows."""
    place.load(0, 0.6)
    place.load(0.3, 1, "iso", "--overlap-ok")
    assert_true(place.dsn, place.story.rows)


def test_files_that_share_lines_are_refused(place: Place) -> None:
    """Without --overlap-ok nothing of a file is loaded that shares lines with a stored one."""
    place.load(0, 0.6)
    before = truth.load(place.dsn)
    (file,) = place.write(0.3, 1, "iso", split=False)
    said = call(*place.program[3:], "backfill", file)
    assert said.status == 1
    assert file in said.err
    assert str(place.folder / "iso1" / "mixed.log") in said.err
    assert "--overlap-ok" in said.err
    assert truth.load(place.dsn) == before
    assert ask(place.dsn, "SELECT count(*) FROM source") == [(1,)]


def test_journal_and_file_at_the_same_time(place: Place) -> None:
    """A service that catches up while a file of the same lines is loaded: exactly the true rows."""
    place.say(0, 1)
    (file,) = place.write(0, 1, "iso", split=False)
    small = {"max_messages_per_commit": 500, "journal": {"directory": str(place.journal)}}
    program = configured(place.folder, place.dsn, **small)
    commands = (["run", "--once"], ["backfill", file])
    both = [subprocess.Popen([*program, *command]) for command in commands]
    assert [process.wait(120) for process in both] == [0, 0]
    assert_true(place.dsn, unlinked(place.story.rows))
    assert ask(place.dsn, "SELECT sum(known) > 0 FROM source") == [(True,)]


# --- lines by hand ----------------------------------------------------------------------------


def line(t: datetime, text: str, pid: int = 7, daemon: str = "smtpd", host: str = "mx1") -> str:
    """Write a line of a log with whole seconds."""
    return f"{t:%b} {t.day:2d} {t:%H:%M:%S} {host} postfix/{daemon}[{pid}]: {text}\n"


def rejection(number: int = 0) -> str:
    """Write a verdict."""
    return (
        "NOQUEUE: reject: RCPT from mail.example.org[192.0.2.10]: 554 5.7.1 "
        f"<bob{number}@example.net>: Relay access denied; from=<ann@example.org> "
        f"to=<bob{number}@example.net> proto=ESMTP helo=<mail>"
    )


def rejections(first: int, last: int, host: str = "mx1") -> str:
    """Write one line a second."""
    return "".join(
        line(NOON + timedelta(seconds=number), rejection(number), host=host)
        for number in range(first, last)
    )


class Hand:
    """A configuration and a folder for small files and journals."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.folder = folder
        self.config = folder / "main.yml"
        self.journal = folder / "journal"
        names = "mta_names: {mx1: mx1.example.com}\n"
        journal = f"journal: {{directory: {self.journal}}}\n"
        self.config.write_text(f"dsn: {json.dumps(dsn)}\n{KEEP}{names}{journal}")

    def file(self, name: str, text: str) -> str:
        """Write a file, as if at the time of its last line."""
        path = self.folder / name
        data = text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        stamp = f"2026 {text.splitlines()[-1][:15]} +0000"
        written = datetime.strptime(stamp, "%Y %b %d %H:%M:%S %z").timestamp()
        os.utime(path, (written, written))
        return str(path)

    def load(self, *arguments: str) -> Said:
        """Load files."""
        stamps = ("--year", "2026", "--timezone", "UTC")
        return call("--config", str(self.config), "backfill", *stamps, *arguments)

    def follow(self, *entries: dict[str, Any]) -> None:
        """Let entries come into the journal, and the service catch up."""
        write_journal(self.journal / "a.journal", entries)
        run(sys.executable, "-m", "journal_postfix", "--config", str(self.config), "run", "--once")

    def verdicts(self) -> int:
        """Count the verdicts stored."""
        return int(ask(self.dsn, "SELECT count(*) FROM noqueue")[0][0])


@pytest.fixture(name="hand")
def _hand(dsn: str, tmp_path: Path) -> Hand:
    return Hand(dsn, tmp_path)


def said_at(t: datetime, text: str, **fields: Any) -> dict[str, Any]:
    """Make a journal entry of this time."""
    microseconds = int(t.timestamp() * 1e6)
    times = {"__REALTIME_TIMESTAMP": microseconds, "__MONOTONIC_TIMESTAMP": microseconds}
    return {**entry(0, MESSAGE=text, SYSLOG_PID="7"), **times, **fields}


def test_trap_08_equal_lines_stay_as_many_as_they_are(hand: Hand) -> None:
    """Two equal lines in one second are two, from the journal, from a file, and from both."""
    moments = [NOON + timedelta(milliseconds=ms) for ms in (100, 400)]
    hand.follow(*(said_at(t, rejection()) for t in moments))
    assert hand.verdicts() == 2
    file = hand.file("mail.log", line(NOON, rejection()) * 2)
    assert "2 stored before from another source" in hand.load(file).err
    assert hand.verdicts() == 2
    hand.load(hand.file("mail.log", line(NOON, rejection()) * 3))
    assert hand.verdicts() == 3


def test_equal_lines_one_of_which_only_the_file_has_yet(hand: Hand) -> None:
    """Of two equal lines the service has stored one, a file both; then the journal has both too."""
    hand.follow(said_at(NOON + timedelta(milliseconds=100), rejection()))
    hand.load(hand.file("mail.log", line(NOON, rejection()) * 2))
    assert hand.verdicts() == 2
    hand.follow(said_at(NOON + timedelta(milliseconds=400), rejection()))
    assert hand.verdicts() == 2
    hand.follow(said_at(NOON + timedelta(milliseconds=700), rejection()))
    assert hand.verdicts() == 3


def test_stamps_that_differ_a_little(hand: Hand) -> None:
    """What a logger stamped a second later than journald is still the same line."""
    entries = [
        said_at(NOON + timedelta(seconds=n, milliseconds=950), rejection(n)) for n in range(5)
    ]
    hand.follow(*entries)
    late = [line(NOON + timedelta(seconds=n + 2), rejection(n)) for n in range(5)]
    hand.load(hand.file("mail.log", "".join(late)))
    assert hand.verdicts() == 5


def test_lines_the_journal_lost_are_loaded(hand: Hand) -> None:
    """A file brings in what the journal lost in the middle of what it has."""
    hand.follow(*(said_at(NOON + timedelta(seconds=n), rejection(n)) for n in range(9) if n != 4))
    assert hand.verdicts() == 8
    hand.load(hand.file("mail.log", rejections(0, 9)))
    assert hand.verdicts() == 9


def test_forged_entries_do_not_come_back_by_a_file(hand: Hand) -> None:
    """What the journal shows to be forged is not stored from a file that cannot tell."""
    forged = said_at(NOON, rejection(1), _UID="1000")
    hand.follow(said_at(NOON, rejection(0)), forged)
    hand.load(hand.file("mail.log", rejections(0, 2)))
    assert hand.verdicts() == 1


def test_unrecognised_lines_are_counted_once(hand: Hand) -> None:
    """A line nobody recognises is counted once, although journal and file have it."""
    hand.follow(said_at(NOON, "something nobody ever said"))
    file = line(NOON, "something nobody ever said") + line(NOON, rejection())
    hand.load(hand.file("mail.log", file))
    assert ask(hand.dsn, "SELECT count FROM unrecognised") == [(1,)]


def test_equal_lines_where_files_meet(hand: Hand) -> None:
    """A program that says the same at the end of a file and in the next one said it twice."""
    seam = NOON + timedelta(seconds=10)
    older = hand.file("mail.log.1", rejections(0, 10) + line(seam, rejection()))
    newer = hand.file("mail.log", line(seam, rejection()) + rejections(11, 20))
    assert hand.load(newer).status == 0
    assert hand.load(older).status == 0
    assert hand.verdicts() == 21


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("first", ["mail.log", "mail.info"])
def test_different_files_that_share_lines(hand: Hand, first: str, *, one_by_one: bool) -> None:
    """Given together nothing is loaded, one after another nothing of the second; both are named."""
    files = {
        "mail.log": hand.file("mail.log", rejections(0, 40)),
        "mail.info": hand.file(
            "mail.info", line(NOON, "connect from x[192.0.2.1]") + rejections(5, 30)
        ),
    }
    order = sorted(files, key=lambda name: name != first)
    if one_by_one:
        assert hand.load(files[order[0]]).status == 0
    stored = hand.verdicts()
    refused = hand.load(*([files[order[1]]] if one_by_one else [files[name] for name in order]))
    assert refused.status == 1
    assert all(file in refused.err for file in files.values())
    assert "Traceback" not in refused.err
    assert hand.verdicts() == stored
    assert hand.load("--overlap-ok", *files.values()).status == 0
    assert hand.verdicts() == 40


def test_older_copy_of_a_file(hand: Hand) -> None:
    """A copy from before a file grew is noticed: it brings nothing, and says so."""
    hand.load(hand.file("mail.log", rejections(0, 40)))
    copy = hand.file("mail.log.bak", rejections(0, 20))
    assert "share lines" in hand.load(copy).err
    assert "20 stored before" in hand.load("--overlap-ok", copy).err
    assert hand.verdicts() == 40


def test_compressed_copy_beside_the_file(hand: Hand) -> None:
    """The same content given twice, once compressed, is one file."""
    plain, packed = (hand.file(name, rejections(0, 9)) for name in ("mail.log", "mail.log.1.gz"))
    said = hand.load(plain, packed)
    assert said.status == 0
    assert "loaded before, nothing new" in said.err
    assert hand.verdicts() == 9


def test_files_of_different_hosts_and_daemons(hand: Hand) -> None:
    """Files of the same time share nothing where their hosts or their daemons differ."""
    files = [
        hand.file("mx1.log", rejections(0, 20)),
        hand.file("mx2.log", rejections(0, 20, host="mx2")),
        hand.file("mx1-other.log", rejections(30, 60)),
    ]
    assert hand.load(*files).status == 0
    assert hand.verdicts() == 70


def test_hosts_with_two_names(hand: Hand) -> None:
    """A host that the journal and rsyslog call differently is one, where mta_names says so."""
    hand.follow(*(said_at(NOON + timedelta(seconds=n), rejection(n)) for n in range(5)))
    hand.load(hand.file("mail.log", rejections(0, 5, host="mx1.example.com")))
    assert hand.verdicts() == 5


def test_few_lines_of_a_long_time(hand: Hand) -> None:
    """Single lines far apart are found among many, host by host, in more than one look."""
    times = [NOON + timedelta(minutes=number) for number in range(450)]
    hand.follow(*(said_at(t, rejection(number)) for number, t in enumerate(times)))
    text = "".join(line(t, rejection(number)) for number, t in enumerate(times))
    hand.load(hand.file("mail.log", text + rejections(1, 2, host="mx2")))
    assert hand.verdicts() == 451


def test_runs_are_short(hand: Hand) -> None:
    """However many lines come at once or one by one, no run is long in lines or in time."""
    times = [NOON + timedelta(hours=number) for number in range(100)]
    hand.follow(*(said_at(t, rejection(number)) for number, t in enumerate(times)))
    for number in range(100, 105):
        hand.follow(said_at(NOON + timedelta(hours=number), rejection(number)))
    hand.load(hand.file("mail.log", rejections(0, 1100, host="mx2")))
    longest = "max(octet_length(lines)), max(t_to - t_from), sum(octet_length(lines)) / 8"
    ((size, time, lines),) = ask(hand.dsn, f"SELECT {longest} FROM stored_span")
    assert (size, lines) == (512 * 8, 105 + 1100)
    assert timedelta(hours=12) <= time <= timedelta(days=1)


def test_what_retention_deleted_is_forgotten(hand: Hand) -> None:
    """Runs of lines go with the last day of which something is kept, of every host."""
    for host in ("mx1", "mx2", "mx3"):
        hand.load(hand.file(f"{host}.log", rejections(0, 5, host=host)))
    later = NOON + timedelta(days=20)
    text = "".join(line(later, rejection(number)) for number in range(5))
    hand.load(hand.file("later.log", text))
    with closing(connect(hand.dsn, PLAIN_SETTINGS)) as connection:
        with connection.cursor() as cursor:
            cursor.execute(
                SQL["statements/forget_spans"], {"first": NOON.date() + timedelta(days=9)}
            )
        connection.commit()
    assert ask(hand.dsn, "SELECT mta, t_from FROM stored_span") == [("mx1.example.com", later)]


# --- fingerprints -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("t", "pid", "text"),
    [
        (NOON, 8, "text"),
        (NOON, 7, "texts"),
        (NOON + timedelta(seconds=NEAR + 1), 7, "text"),
        (NOON + timedelta(days=1), 7, "text"),
    ],
)
def test_other_lines_have_other_fingerprints(t: datetime, pid: int, text: str) -> None:
    """Another process, text or time is another line."""
    shelf = Shelf()
    shelf.put([fingerprint(NOON, 7, "text")])
    assert not shelf.take(fingerprint(t, pid, text))
    assert shelf.take(fingerprint(NOON, 7, " text "))
    assert not shelf.take(fingerprint(NOON, 7, "text"))


@pytest.mark.parametrize("seconds", range(-NEAR, NEAR + 1))
def test_times_near_midnight(seconds: int) -> None:
    """Two stamps of one line may stand on both sides of midnight."""
    midnight = datetime(2026, 9, 21, tzinfo=UTC)
    shelf = Shelf()
    shelf.put([fingerprint(midnight, None, "text")])
    assert shelf.take(fingerprint(midnight + timedelta(seconds=seconds), None, "text"))


def test_line_that_comes_every_day(hand: Hand) -> None:
    """What a daemon says with the same words at the same time of each day is no line twice."""
    active = "3C5D120AB1: from=<ann@example.org>, size=400, nrcpt=1 (queue active)"
    days = [line(NOON + timedelta(days=day), active, daemon="qmgr") for day in range(4)]
    files = [
        hand.file("odd.log", days[0] + days[2] + line(NOON + timedelta(days=5), rejection(1))),
        hand.file("even.log", days[1] + days[3] + line(NOON + timedelta(days=6), rejection(2))),
    ]
    assert hand.load(*files).status == 0
    assert ask(hand.dsn, "SELECT sum(known) FROM source") == [(0,)]
