"""Log files: every form of line, every compression, and positions that are exact for any bytes."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from journal_postfix import logtext
from journal_postfix.compression import READERS
from journal_postfix.logfile import LogFile, iter_logfile_messages
from journal_postfix.messages import InputError, MsgDetails, UsageError

LINE = "Nov  3 09:01:00 mx1 postfix/smtpd[123]: connect from unknown[192.0.2.1]\n"
ISO = "2026-11-03T09:01:00+00:00 mx1 postfix/smtpd[123]: connect from unknown[192.0.2.1]\n"
COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": lambda text: bz2.compress(text, 1),
    "xz": lambda text: lzma.compress(text, preset=0),
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a log file, last changed some time ago."""

    def written(content: str | bytes, name: str = "mail.log", changed: str = "2026-11-20") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        seconds = datetime.fromisoformat(changed).replace(tzinfo=UTC).timestamp()
        os.utime(path, (seconds, seconds))
        return path

    return written


def read(path: Path | LogFile, year: int | None = None) -> list[MsgDetails]:
    """Read all messages of a file with stamps in UTC."""
    pairs = list(iter_logfile_messages(path, year, "UTC"))
    assert all(commit is False for commit, _ in pairs)
    return [msg for _, msg in pairs]


def read_one(write: Callable[..., Path], line: str | bytes) -> MsgDetails:
    """Read a file of one line."""
    (msg,) = read(write(line))
    return msg


def utc(text: str) -> datetime:
    """Return a time written in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_message_of_a_line(write: Callable[..., Path]) -> None:
    """A line becomes time, host, identifier, pid, message, and the offset behind it."""
    assert read_one(write, LINE) == {
        "t": utc("2026-11-03T09:01:00"),
        "host": "mx1",
        "identifier": "postfix/smtpd",
        "pid": 123,
        "message": "connect from unknown[192.0.2.1]",
        "position": len(LINE),
    }


REST = " mx1 postfix/smtpd[123]: text"


@pytest.mark.parametrize(
    ("line", "t"),
    [
        (f"Nov 03 09:01:00{REST}", "2026-11-03T09:01:00"),
        (f"Nov 3 09:01:00{REST}", "2026-11-03T09:01:00"),
        (f"Nov  3 09:01:00.25{REST}", "2026-11-03T09:01:00.250000"),
        (f"<22>Nov  3 09:01:00{REST}", "2026-11-03T09:01:00"),
        (f"Nov  3 2025 09:01:00{REST}", "2025-11-03T09:01:00"),
        (f"2025 Nov 3 09:01:00.123{REST}", "2025-11-03T09:01:00.123000"),
        (f"2026-11-03T09:01:00Z{REST}", "2026-11-03T09:01:00"),
        (f"2026-11-03T09:01:00.5+02:00{REST}", "2026-11-03T07:01:00.500000"),
        (f"2026-11-03T09:01:00.123456789+0200{REST}", "2026-11-03T07:01:00.123456"),
        (f"2026-11-03 09:01:00{REST}", "2026-11-03T09:01:00"),
        (f"2026-11-03 09:01:00.5Z{REST}", "2026-11-03T09:01:00.500000"),
        (f"2026-11-03 09:01:00+02:00{REST}", "2026-11-03T07:01:00"),
        (f"2026-11-03 09:01:00 +0200{REST}", "2026-11-03T07:01:00"),
        (f"<22>2026-11-03T09:01:00Z{REST}", "2026-11-03T09:01:00"),
        (f"\ufeff2026-11-03T09:01:00Z{REST}", "2026-11-03T09:01:00"),
        (f"\ufeffNov  3 09:01:00{REST}", "2026-11-03T09:01:00"),
        ("<22>1 2026-11-03T09:01:00Z mx1 postfix/smtpd 123 - - text", "2026-11-03T09:01:00"),
        (
            "1 2026-11-03T09:01:00.5+02:00 mx1 postfix/smtpd 123 - - text",
            "2026-11-03T07:01:00.500000",
        ),
        (
            "<22>1 2026-11-03T09:01:00Z mx1 postfix/smtpd 123 ID7 - \ufefftext",
            "2026-11-03T09:01:00",
        ),
        (
            r'<22>1 2026-11-03T09:01:00Z mx1 postfix/smtpd 123 - [a@1 b="] \" ["][c] text',
            "2026-11-03T09:01:00",
        ),
    ],
)
def test_forms_of_stamps(write: Callable[..., Path], line: str, t: str) -> None:
    """Every form of stamp gives the same parts, whatever stands before the host."""
    msg = read_one(write, line + "\n")
    assert (msg["t"], msg["host"], msg["identifier"], msg["pid"], msg["message"]) == (
        utc(t),
        "mx1",
        "postfix/smtpd",
        123,
        "text",
    )
    assert msg["position"] == len(line.encode()) + 1


@pytest.mark.parametrize(
    ("rest", "parts"),
    [
        ("mx1 postfix/smtpd: text", ("mx1", "postfix/smtpd", None, "text")),
        ("mx1 postfix-out/smtp[7]: a: b", ("mx1", "postfix-out/smtp", 7, "a: b")),
        ("mx1 postfix/smtpd[7]:", ("mx1", "postfix/smtpd", 7, "")),
        ("mx1 postfix/smtpd[7]: ", ("mx1", "postfix/smtpd", 7, "")),
        ("mx1 postfix/smtpd[7]:text", ("mx1", "postfix/smtpd", 7, "text")),
        ("mx1 postfix/smtpd[7] text: x", ("mx1", "postfix/smtpd", 7, "text: x")),
        ("mx1 postfix/smtpd[7]:  two blanks", ("mx1", "postfix/smtpd", 7, " two blanks")),
        ("2001:db8::25 postfix/smtpd[7]: text", ("2001:db8::25", "postfix/smtpd", 7, "text")),
        ("postfix/smtpd[7]: text", ("", "postfix/smtpd", 7, "text")),
        ("mx1 CRON[7]: (root) CMD (x: y)", ("mx1", "CRON", 7, "(root) CMD (x: y)")),
        ("mx1 kernel: [ 12.3] a", ("mx1", "kernel", None, "[ 12.3] a")),
        ("mx1 a[1234567890]: text", ("mx1", "", None, "a[1234567890]: text")),
        ("mx1 -- MARK --", ("mx1", "", None, "-- MARK --")),
        ("mx1 last message repeated 2 times", ("mx1", "", None, "last message repeated 2 times")),
        ("mx1", ("mx1", "", None, "")),
        ("", ("", "", None, "")),
    ],
)
@pytest.mark.parametrize("stamp", ["Nov  3 09:01:00", "2026-11-03T09:01:00Z"])
def test_forms_of_tags(
    write: Callable[..., Path], stamp: str, rest: str, parts: tuple[str, str, int | None, str]
) -> None:
    """Tags with and without pid, lines without tag: all have their time."""
    msg = read_one(write, f"{stamp} {rest}\n")
    assert (msg["host"], msg["identifier"], msg["pid"], msg["message"]) == parts
    assert msg["t"] == utc("2026-11-03T09:01:00")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "noise",
        "postfix/cleanup[4]: JKL: message-id=<g@example.com>",
        "Nov  3 postfix/smtpd[1]: text",
        "Nov 31 09:01:00 mx1 postfix/smtpd[1]: text",
        "1969-01-01T00:00:00Z mx1 postfix/smtpd[1]: text",
        "0001-01-01T00:00:00+01:00 mx1 postfix/smtpd[1]: text",
        "021-02-06T10:57:57+01:00 mx1 postfix/smtpd[1]: text",
        "<22>1 - mx1 postfix/smtpd 1 - - text",
        '<22>1 2026-11-03T09:01:00Z mx1 postfix/smtpd 1 - [a b="] text',
    ],
)
def test_what_is_no_log_line(write: Callable[..., Path], line: str) -> None:
    """A line without a readable stamp is yielded as it is, without time and identifier."""
    msg = read_one(write, f"{line}\n")
    assert (msg["t"], msg["host"], msg["identifier"], msg["message"]) == (None, "", "", line)


def test_nil_values_of_rfc_5424(write: Callable[..., Path]) -> None:
    """What RFC 5424 leaves out with a hyphen is empty."""
    msg = read_one(write, "<22>1 2026-11-03T09:01:00Z - - - - -\n")
    assert (msg["host"], msg["identifier"], msg["pid"], msg["message"]) == ("", "", None, "")


def test_text_is_decoded_and_fit_for_the_database(write: Callable[..., Path]) -> None:
    """UTF-8 is read, what is none is replaced, NUL becomes a question mark, CR at the end goes."""
    msg = read_one(write, b"Nov  3 09:01:00 mx1 a[1]: K\xc3\xb6ln \xff \0 \x1b \r x\r\n")
    assert msg["message"] == "Köln \ufffd ? \x1b \r x"


def test_hosts_are_decoded(write: Callable[..., Path]) -> None:
    """Host names need not be ASCII either."""
    assert read_one(write, "Nov  3 09:01:00 k\u00e0ln a[1]: x\n")["host"] == "k\u00e0ln"


def test_trap_08_identical_lines_are_two_events(write: Callable[..., Path]) -> None:
    """The same line twice is two messages, each with its own position."""
    assert [msg["position"] for msg in read(write(LINE * 2))] == [len(LINE), 2 * len(LINE)]


def test_trap_12_repeated_messages(write: Callable[..., Path]) -> None:
    """rsyslog's count of repetitions is as many messages; only the last one ends the line."""
    line = "Nov  3 09:01:00 mx1 postfix/smtpd[1]: message repeated 3 times: [ a [b] c]\n"
    first, second, third = read(write(line))
    assert first["message"] == second["message"] == third["message"] == "a [b] c"
    assert third["position"] == len(line)
    assert first["position"] < second["position"] < third["position"]


def test_the_last_message_repeated(write: Callable[..., Path]) -> None:
    """syslogd's count is as many messages more, of the same process, at the time of the count."""
    again = "Nov  3 09:05:00 mx1 last message repeated 2 times\n"
    first, *more = read(write(LINE + again))
    assert [(msg["identifier"], msg["pid"], msg["message"]) for msg in more] == [
        (first["identifier"], first["pid"], first["message"])
    ] * 2
    assert {msg["t"] for msg in more} == {datetime(2026, 11, 3, 9, 5, tzinfo=UTC)}
    assert first["position"] < more[0]["position"] < more[1]["position"]
    assert more[1]["position"] == len(LINE + again)


def test_a_last_message_that_is_not_known(write: Callable[..., Path]) -> None:
    """Another host's message, an absurd count, or none before it: nothing is made up."""
    for host, count in (("mx2", 2), ("mx1", 99999999)):
        line = f"Nov  3 09:05:00 {host} last message repeated {count} times\n"
        _, message = read(write(LINE + line))
        assert (message["identifier"], message["message"][:12]) == ("", "last message")
    (alone,) = read(write("Nov  3 09:05:00 mx1 last message repeated 2 times\n"))
    assert alone["identifier"] == ""


def test_repetition_that_is_cut_stays_one_message(write: Callable[..., Path]) -> None:
    """Where the repeated text is not complete, or the count absurd, nothing is made up."""
    for text in ("message repeated 3 times: [ a", "message repeated 99999999 times: [ a]"):
        msg = read_one(write, f"Nov  3 09:01:00 mx1 postfix/smtpd[1]: {text}\n")
        assert msg["message"] == text


def test_reading_goes_on_within_a_repetition(write: Callable[..., Path]) -> None:
    """Stopped between two messages of one line, the rest of them comes next, none twice."""
    line = "Nov  3 09:01:00 mx1 postfix/smtpd[1]: message repeated 5 times: [ a]\n"
    path = write(LINE + line + LINE)
    for taken in range(8):
        logfile = LogFile(path)
        messages = iter_logfile_messages(logfile, 2026, "UTC")
        before = [next(messages)[1] for _ in range(taken)]
        position = logfile.position()
        again = LogFile(path)
        assert again.resume(int(position.position), position.digest)
        assert len(before) + len(read(again)) == 7


def test_trap_13_format_changes_half_way(write: Callable[..., Path]) -> None:
    """A file may go from one format to another and back, line by line."""
    lines = [
        "Nov  3 09:01:00 mx1 a[1]: x",
        "2026-11-03T09:01:01Z mx1 a[1]: x",
        "2026-11-03T10:01:02.000001+01:00 mx1 a[1]: x",
        "<22>1 2026-11-03T09:01:03Z mx1 a 1 - - x",
        "noise",
        "Nov  3 09:01:04 mx1 a[1]: x",
    ]
    messages = read(write("\n".join(lines * 3) + "\n"))
    seconds = [msg["t"].second if msg["t"] else None for msg in messages]
    assert seconds == [0, 1, 2, 3, None, 4] * 3


def test_years_of_a_file_that_changes_format(write: Callable[..., Path]) -> None:
    """Old stamps get their year from the first new one, not from the file's time."""
    old, new = "Dec 31 23:00:00 mx1 a[1]: x\n", "2024-01-01T00:00:00Z mx1 a[1]: x\n"
    years = [msg["t"].year for msg in read(write(old + new + "Jan  2 00:00:00 mx1 a: x\n"))]
    assert years == [2023, 2024, 2024]


def stamped(*stamps: str) -> str:
    """Write one line for each stamp."""
    return "".join(f"{stamp} mx1 a[1]: x\n" for stamp in stamps)


def test_trap_14_years_are_counted_back_from_the_files_time(write: Callable[..., Path]) -> None:
    """Without a year given, the last line is of the year in which the file was written."""
    text = stamped("Mar  1 10:00:00", "Dec 31 10:00:00", "Jan  1 10:00:00", "Feb  1 10:00:00")
    path = write(text + stamped("Jan  1 10:00:00"), changed="2025-01-02")
    assert [msg["t"].year for msg in read(path)] == [2023, 2023, 2024, 2024, 2025]


def test_year_of_the_first_line(write: Callable[..., Path]) -> None:
    """The year given is that of the first line; after December it is the next one."""
    path = write(stamped("Dec 31 23:59:59", "Jan  1 00:00:00", "Dec 31 23:59:59"))
    assert [msg["t"].year for msg in read(path, 2021)] == [2021, 2022, 2021]


def test_years_after_resuming(write: Callable[..., Path]) -> None:
    """Read on from a position, lines have the same years as read at once."""
    path = write(
        stamped("Nov  1 00:00:00", "Jan  1 00:00:00", "Nov  1 00:00:00", "Jan  1 00:00:00")
    )
    whole = read(path, 2020)
    for msg in whole:
        offset = int(msg["position"])
        logfile = LogFile(path)
        assert logfile.resume(offset, hashlib.sha256(path.read_bytes()[:offset]).hexdigest())
        assert read(logfile, 2020) == [one for one in whole if int(one["position"]) > offset]


def test_year_after_resuming_behind_stamps_with_year(write: Callable[..., Path]) -> None:
    """Read on behind ISO stamps, those without year go on from them."""
    iso = "2021-12-31T00:00:00Z mx1 a: x\n"
    path = write(iso + stamped("Jan  1 00:00:00"))
    logfile = LogFile(path)
    assert logfile.resume(len(iso), hashlib.sha256(iso.encode()).hexdigest())
    assert read(logfile)[0]["t"] == utc("2022-01-01T00:00:00")


def test_zone_of_stamps(write: Callable[..., Path]) -> None:
    """The time zone given holds for stamps that have none."""
    path = write("Jul  3 09:01:00 mx1 a: x\n2026-07-03T09:01:00Z mx1 a: x\n")
    times = [msg["t"] for _, msg in iter_logfile_messages(path, 2026, "Europe/Berlin")]
    assert times == [utc("2026-07-03T07:01:00"), utc("2026-07-03T09:01:00")]


@pytest.mark.parametrize("kind", ["plain", *COMPRESSED])
def test_compression_is_told_by_content(write: Callable[..., Path], kind: str) -> None:
    """Compressed or not, whatever its name, a file has the same messages and positions."""
    text = "".join(LINE.replace("123", str(pid)) for pid in range(20_000))
    content = COMPRESSED[kind](text.encode()) if kind in COMPRESSED else text.encode()
    logfile = LogFile(write(content, name="whatever.dat"))
    messages = read(logfile)
    assert [msg["pid"] for msg in messages] == list(range(20_000))
    assert (logfile.size, logfile.bytes_read) == (len(content), len(content))
    assert (logfile.compressed, logfile.lines_read) == (kind in COMPRESSED, 20_000)
    assert logfile.position().digest == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("kind", COMPRESSED)
def test_compressed_parts_put_together(write: Callable[..., Path], kind: str) -> None:
    """Compressed files put one behind the other are one text."""
    content = COMPRESSED[kind](LINE.encode()) + COMPRESSED[kind](LINE.encode() * 2)
    assert len(read(write(content))) == 3


def lines_before_damage(path: Path) -> tuple[list[str], str, LogFile]:
    """Read a damaged file; return the messages, the error, and the file."""
    logfile, found = LogFile(path), []
    messages = iter_logfile_messages(logfile, None, "UTC")
    try:
        for _, msg in messages:
            found.append(msg["message"])
    except InputError as error:
        return found, str(error), logfile
    raise AssertionError("the damage was not noticed")


@pytest.mark.parametrize("kind", COMPRESSED)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.999])
def test_cut_compressed_file(write: Callable[..., Path], kind: str, part: float) -> None:
    """Of a compressed file that was cut, all complete lines come, then an error that names it."""
    lines = [f"Nov  3 09:01:00 mx1 a[1]: {os.urandom(100).hex()}\n" for _ in range(8_000)]
    content = COMPRESSED[kind]("".join(lines).encode())
    path = write(content[: int(len(content) * part)])
    found, error, logfile = lines_before_damage(path)
    assert [line.split(": ")[1][:-1] for line in lines[: len(found)]] == found
    assert len(found) > 8_000 * part * 0.2
    assert error.startswith(f"{path}: damaged")
    assert f"first {len(found)} lines" in error
    assert logfile.position().position == str(sum(map(len, lines[: len(found)])))


@pytest.mark.parametrize("kind", COMPRESSED)
def test_damaged_compressed_file(write: Callable[..., Path], kind: str) -> None:
    """Damage in the middle of a compressed file is told, after the lines before it."""
    rng = Random(
        2
    )  # gzip may read on behind a damage, to its checksum at the end; not in this text
    sent = [rng.randbytes(50).hex() for _ in range(50_000)]
    text = "".join(f"Nov  3 09:01:00 mx1 a[1]: {one}\n" for one in sent)
    content = bytearray(COMPRESSED[kind](text.encode()))
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    path = write(bytes(content))
    found, error, _ = lines_before_damage(path)
    assert 0 < len(found) < 50_000
    assert found[:20_000] == sent[: len(found)][:20_000]
    assert str(path) in error


def test_text_that_is_only_called_compressed(write: Callable[..., Path]) -> None:
    """A plain text keeps being one, whatever its name ends with."""
    assert len(read(write(LINE, name="mail.log.1.gz"))) == 1


def test_zstd_without_its_package(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the package zstandard, an error says what to install."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(InputError, match="zstandard"):
        LogFile(write(COMPRESSED["zst"](LINE.encode())))


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(InputError, match=r"/none\.log: there is no such file"):
        iter_logfile_messages(tmp_path / "none.log")


def test_folder(tmp_path: Path) -> None:
    """A folder is no log file."""
    with pytest.raises(InputError, match="is a directory"):
        LogFile(tmp_path)


def test_unreadable_file(write: Callable[..., Path]) -> None:
    """A file that may not be read is named."""
    path = write(LINE)
    path.chmod(0)
    user = os.geteuid()
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        folder.chmod(0o755)
    if user == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(InputError, match="no permission"):
            LogFile(path)
    finally:
        os.seteuid(user)


def test_wrong_year_and_zone(write: Callable[..., Path]) -> None:
    """Year and zone are checked before anything is read."""
    path = write(LINE)
    with pytest.raises(UsageError, match="year 26 "):
        iter_logfile_messages(path, 26)
    with pytest.raises(UsageError, match="Mars"):
        iter_logfile_messages(path, None, "Mars")


def test_future_line(write: Callable[..., Path]) -> None:
    """A line from the future ends the reading: its number, its stamp, and what to do."""
    future = datetime.now(UTC) + timedelta(days=3)
    for stamp, advice in ((f"{future:%b %e %H:%M:%S}", "--year"), (future.isoformat(), "clock")):
        path = write(f"noise\n{LINE}{stamp} mx1 a[1]: x\n{LINE}")
        logfile = LogFile(path)
        messages = iter_logfile_messages(logfile, future.year, "UTC")
        assert len([next(messages) for _ in range(2)]) == 2
        with pytest.raises(InputError, match=f"{path}, line 3: .*{re.escape(stamp)}.*{advice}"):
            next(messages)
        assert logfile.position().position == str(len("noise\n") + len(LINE))


def test_line_number_of_the_future_after_resuming(write: Callable[..., Path]) -> None:
    """Line numbers count from the beginning of the file, wherever reading began."""
    path = write(LINE * 3 + "2099-01-01T00:00:00Z mx1 a: x\n")
    logfile = LogFile(path)
    assert logfile.resume(len(LINE), hashlib.sha256(LINE.encode()).hexdigest())
    with pytest.raises(InputError, match="line 4: "):
        read(logfile, 2025)
    assert logfile.lines_read == 2


def test_identity_is_that_of_the_first_line(write: Callable[..., Path]) -> None:
    """A file is known by its first line, at most 64 kB of it, before and after it is read."""
    expected = hashlib.sha256(LINE[:-1].encode()).hexdigest()
    for content in (LINE, LINE + ISO, gzip.compress((LINE + ISO).encode())):
        logfile = LogFile(write(content))
        assert logfile.identity == expected
        assert read(logfile)
        assert logfile.identity == logfile.position().identity == expected
    unseen = LogFile(write(LINE))
    assert read(unseen)
    assert unseen.identity == expected
    long = b"x" * 70_000
    assert LogFile(write(long + b"\n")).identity == hashlib.sha256(long[:65536]).hexdigest()


def test_identity_of_an_empty_text(write: Callable[..., Path]) -> None:
    """An empty text has no identity; one that begins with an empty line has."""
    assert LogFile(write("")).identity == ""
    assert LogFile(write(gzip.compress(b""))).identity == ""
    assert LogFile(write("\n")).identity == hashlib.sha256(b"").hexdigest()
    assert read(write("")) == []


def test_trap_18_rotated_and_compressed_copies_are_recognised(write: Callable[..., Path]) -> None:
    """Under another name, compressed, or grown: reading goes on where it ended."""
    logfile = LogFile(write(LINE + ISO))
    assert read(logfile)
    position = logfile.position()
    text = (LINE + ISO + LINE).encode()
    for content in (text, *(compress(text) for compress in COMPRESSED.values())):
        again = LogFile(write(content, name="mail.log.1.gz"))
        assert again.identity == position.identity
        assert again.resume(int(position.position), position.digest)
        assert [msg["position"] for msg in read(again)] == [len(text)]
        assert again.lines_read == 1


def test_another_content_is_another_file(write: Callable[..., Path]) -> None:
    """Where the text up to the position is not the same, or shorter, reading starts over."""
    logfile = LogFile(write(LINE * 3))
    assert read(logfile)
    position = logfile.position()
    for content in (LINE * 2 + ISO + LINE, LINE * 2, "", gzip.compress(LINE.encode() * 3)[:-20]):
        again = LogFile(write(content))
        assert not again.resume(int(position.position), position.digest)
        assert again.position().position == "0"


def test_resuming_an_unchanged_file(write: Callable[..., Path]) -> None:
    """The same file again has nothing new."""
    logfile = LogFile(write(LINE * 3))
    assert read(logfile)
    position = logfile.position()
    again = LogFile(write(LINE * 3))
    assert again.resume(int(position.position), position.digest)
    assert (read(again), again.lines_read) == ([], 0)
    assert again.position()[:5] == position[:5]


def test_last_line_without_newline(write: Callable[..., Path]) -> None:
    """A last line without newline is a line; read again, the file has nothing new."""
    logfile = LogFile(write(LINE + LINE[:-1]))
    assert [msg["position"] for msg in read(logfile)] == [len(LINE), 2 * len(LINE) - 1]
    position = logfile.position()
    again = LogFile(write(LINE + LINE[:-1]))
    assert again.resume(int(position.position), position.digest)
    assert read(again) == []


def test_last_line_that_was_complete_but_for_its_newline(write: Callable[..., Path]) -> None:
    """When only the newline was missing, the line is not read twice."""
    logfile = LogFile(write(LINE + LINE[:-1]))
    assert read(logfile)
    position = logfile.position()
    again = LogFile(write(LINE * 3))
    assert again.resume(int(position.position), position.digest)
    assert [msg["position"] for msg in read(again)] == [3 * len(LINE)]
    assert again.position().digest == hashlib.sha256(LINE.encode() * 3).hexdigest()


def test_last_line_that_was_longer(write: Callable[..., Path]) -> None:
    """When more than the newline was missing, the line is read again, as a whole."""
    logfile = LogFile(write(LINE + LINE[:50]))
    assert read(logfile)[1]["message"] == LINE[:50].split(": ")[1]
    position = logfile.position()
    again = LogFile(write(LINE * 3))
    assert again.resume(int(position.position), position.digest)
    assert [(msg["message"], msg["position"]) for msg in read(again)] == [
        ("connect from unknown[192.0.2.1]", 2 * len(LINE)),
        ("connect from unknown[192.0.2.1]", 3 * len(LINE)),
    ]
    assert again.position().digest == hashlib.sha256(LINE.encode() * 3).hexdigest()


def test_line_that_is_just_being_written(tmp_path: Path) -> None:
    """A line whose beginning was written this moment is waited for."""
    path = tmp_path / "mail.log"
    path.write_text(LINE + LINE[:50])
    messages = iter_logfile_messages(path, None, "UTC")
    assert next(messages)[1]["position"] == len(LINE)
    with path.open("a") as file:
        file.write(LINE[50:])
    assert [msg["position"] for _, msg in messages] == [2 * len(LINE)]


def test_line_of_100_kb(write: Callable[..., Path]) -> None:
    """A long line comes as a whole."""
    line = LINE[:-1] + "x" * 100_000 + "\n"
    first, second = read(write(line + LINE))
    assert (len(first["message"]), first["position"]) == (100_031, len(line))
    assert second["position"] == len(line + LINE)


def test_line_beyond_all_measure(write: Callable[..., Path]) -> None:
    """Of a line of megabytes the beginning comes, once, and the next line is in its place."""
    line = LINE[:-1] + "x" * (3 * logtext.LONGEST_LINE) + "\n"
    path = write(line + LINE)
    logfile = LogFile(path)
    messages = iter_logfile_messages(logfile, None, "UTC")
    assert len(next(messages)[1]["message"]) >= logtext.LONGEST_LINE - len(LINE)
    position = logfile.position()
    ((_, last),) = messages
    assert (last["message"], last["position"]) == (
        "connect from unknown[192.0.2.1]",
        len(line + LINE),
    )
    assert logfile.position().digest == hashlib.sha256(path.read_bytes()).hexdigest()
    again = LogFile(path)
    assert again.resume(int(position.position), position.digest)
    assert read(again) == [last]


PIECES = st.sampled_from(
    [LINE.encode(), ISO.encode(), b"\n", b"\r\n", b"\0", b"\xff", b"\xe2\x82", b"\x85", b"\xc2\x85"]
)
TEXTS = (
    st.lists(PIECES | st.binary(max_size=40), max_size=30)
    .map(b"".join)
    .filter(lambda text: not text.startswith(tuple(READERS)))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=TEXTS, block=st.integers(1, 200), longest=st.integers(1, 300))
@example(text=b"a\nb\nc", block=1, longest=300)
def test_positions_are_exact_for_any_bytes(
    write: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    text: bytes,
    block: int,
    longest: int,
) -> None:
    """Whatever stands in a file: each line once, the offset behind it, the digest up to there."""
    monkeypatch.setattr(logtext, "BLOCK", block)
    monkeypatch.setattr(logtext, "LONGEST_LINE", 10**6 if longest > 200 else longest)
    path = write(text)
    logfile = LogFile(path)
    whole = []
    for _, msg in iter_logfile_messages(logfile, 2026, "UTC"):
        whole.append(msg)
        position = logfile.position()
        offset = int(position.position)
        assert offset >= int(msg["position"])
        assert position.digest == hashlib.sha256(text[:offset]).hexdigest()
        assert logfile.lines_read == len(whole)
    lines = text.split(b"\n")
    assert len(whole) == len(lines) - (lines[-1] == b"")
    ends = [sum(map(len, lines[: n + 1])) + n + 1 for n in range(len(whole))]
    if longest > 200:
        assert [msg["position"] for msg in whole] == [min(end, len(text)) for end in ends]
    for number in range(0, len(whole), 1 + len(whole) // 3):
        offset = int(whole[number]["position"])
        again = LogFile(path)
        assert again.resume(offset, hashlib.sha256(text[:offset]).hexdigest())
        rest = read(again, 2026)
        assert len(rest) == len(whole) - number - 1
        assert longest <= 200 or rest == whole[number + 1 :]


COUNT = """
import sys
from journal_postfix.logfile import LogFile, iter_logfile_messages
logfile = LogFile("-")
for _, msg in iter_logfile_messages(logfile, None, "UTC"):
    print(msg["t"].year, msg["position"])
position = logfile.position()
print(position.kind, position.name, position.position, position.identity == logfile.identity)
assert not logfile.resume(3, "")
"""


@pytest.mark.parametrize("kind", ["plain", *COMPRESSED])
def test_standard_input(kind: str) -> None:
    """Standard input may be compressed too; without years it ends in the latest ones possible."""
    now = datetime.now(UTC)
    year_ago = now + timedelta(days=20 + ((now + timedelta(days=20)).month == 2) * 30)
    text = "".join(f"{t:%b %e %H:%M:%S} mx1 a: x\n" for t in (year_ago, now))
    content = COMPRESSED[kind](text.encode()) if kind in COMPRESSED else text.encode()
    done = subprocess.run([sys.executable, "-c", COUNT], input=content, stdout=-1, check=True)
    words = done.stdout.decode().split()
    assert words[-4:] == ["stream", "-", str(len(text)), "True"]
    assert (words[0], words[2]) == (str(year_ago.year - 1), str(now.year))


def test_pipe_in_place_of_a_file(tmp_path: Path) -> None:
    """A named pipe is read like standard input."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with subprocess.Popen(["sh", "-c", f"printf '%s' '{LINE}' > {path}"]):
        logfile = LogFile(path)
        assert [msg["pid"] for msg in read(logfile, 2025)] == [123]
    assert (logfile.position().kind, logfile.size) == ("stream", None)


def test_memory_stays_flat(write: Callable[..., Path]) -> None:
    """A text of 36 MB that compresses to next to nothing is read in little memory."""
    path = write(bz2.compress(LINE.encode() * 500_000, 9))
    program = (
        "import sys; from pathlib import Path\n"
        "from journal_postfix.logfile import iter_logfile_messages\n"
        "print(sum(1 for _ in iter_logfile_messages(sys.argv[1], 2025, 'UTC')))\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], stdout=-1, check=True)
    lines, kilobytes = map(int, done.stdout.split())
    assert lines == 500_000
    assert kilobytes < 50_000
