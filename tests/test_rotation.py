"""Log files through rotation and the whole program: every line stored, and stored once."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from itertools import permutations
from pathlib import Path

import pytest

from test_cli import call
from test_spans import NOON, Hand, ask, rejections


class Daemon:
    """What writes a log file, and the service that follows it now and then."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.path = hand.folder / "mail.log"
        self.written = 0
        self._rotations = 0

    def write(self, lines: int) -> None:
        """Write lines at the end of the file of that name."""
        with self.path.open("a") as file:
            file.write(rejections(self.written, self.written + lines))
        self.written += lines
        self._set_time(self.path)

    def _set_time(self, path: Path) -> None:
        moment = NOON.timestamp() + self.written
        os.utime(path, (moment, moment))

    def _shift(self) -> Path:
        """Make room for another older file, as logrotate does; the third one is packed."""
        for number in range(self._rotations, 0, -1):
            for suffix in ("", ".gz"):
                old = self.path.with_name(f"mail.log.{number}{suffix}")
                if old.exists():
                    old.rename(old.with_name(f"mail.log.{number + 1}{suffix}"))
        self._rotations += 1
        self._pack(self.path.with_name("mail.log.3"))
        return self.path.with_name("mail.log.1")

    def _pack(self, path: Path) -> None:
        if path.exists():
            status = path.stat()
            packed = path.with_name(f"{path.name}.gz")
            packed.write_bytes(gzip.compress(path.read_bytes()))
            os.utime(packed, (status.st_mtime, status.st_mtime))
            path.unlink()

    def rename(self) -> None:
        """Rotate by renaming the file."""
        self.path.rename(self._shift())
        self.path.touch()

    def copy(self) -> None:
        """Rotate by copying the file and emptying it."""
        shutil.copy2(self.path, self._shift())
        os.truncate(self.path, 0)

    def follow(self) -> None:
        """Let the service run until it has caught up."""
        said = call(
            "--config", str(self.hand.config), "run", "--once", "--file", str(self.path),
            "--year", "2026", "--timezone", "UTC",
        )  # fmt: skip
        assert said.status == 0, said


@pytest.fixture(name="daemon")
def _daemon(hand: Hand) -> Daemon:
    return Daemon(hand)


@pytest.fixture(name="hand")
def _hand(dsn: str, tmp_path: Path) -> Hand:
    return Hand(dsn, tmp_path)


@pytest.mark.parametrize("way", ["rename", "copy"])
@pytest.mark.parametrize("missed", [1, 2, 3])
def test_trap_18_rotations_while_the_service_is_stopped(
    daemon: Daemon, way: str, missed: int
) -> None:
    """Rotated once, twice, three times between two runs: every line is stored once."""
    daemon.write(5)
    daemon.follow()
    for number in range(missed):
        daemon.write(3 + number)
        getattr(daemon, way)()
    daemon.write(2)
    daemon.follow()
    daemon.follow()
    assert daemon.hand.verdicts() == daemon.written
    assert ask(daemon.hand.dsn, "SELECT FROM gap") == []
    assert ask(daemon.hand.dsn, "SELECT sum(known) FROM source") == [(0,)]


@pytest.mark.parametrize("seed", range(3))
def test_trap_18_many_rotations_in_any_way(daemon: Daemon, seed: int) -> None:
    """However writing, both ways of rotation, and runs of the service follow each other."""
    rng = random.Random(seed)
    daemon.write(3)
    daemon.follow()
    unseen = 0
    for _ in range(12):
        daemon.write(rng.randint(1, 4))
        step = rng.choice(["rename", "copy", "follow", "follow"])
        unseen = 0 if step == "follow" else unseen + 1
        getattr(daemon, step)()
    daemon.write(1)
    daemon.follow()
    assert daemon.hand.verdicts() == daemon.written
    assert ask(daemon.hand.dsn, "SELECT FROM gap") == []


PARTS = {"mail.log": (20, 26), "mail.log.1": (10, 20), "mail.log.2.gz": (0, 10)}


@pytest.mark.parametrize("order", list(permutations(PARTS)), ids=" ".join)
def test_rotated_set_in_any_order(hand: Hand, order: tuple[str, ...]) -> None:
    """A rotated set given in any order, together and then again, is stored once."""
    files = [hand.file(name, rejections(*PARTS[name])) for name in order]
    assert hand.load(*files).status == 0
    assert hand.verdicts() == 26
    again = hand.load(*files)
    assert again.err.count("loaded before, nothing new") == 3
    assert hand.verdicts() == 26


def test_rotated_after_it_was_loaded(hand: Hand) -> None:
    """Renamed, grown, compressed since it was loaded: only what is new is stored."""
    hand.load(hand.file("mail.log", rejections(0, 10)))
    hand.load(hand.file("mail.log", rejections(0, 15)))
    newer = hand.file("mail.log", rejections(20, 30))
    packed = hand.file("mail.log.1.gz", rejections(0, 20))
    assert hand.load(newer, packed).status == 0
    assert hand.verdicts() == 30
    assert ask(hand.dsn, "SELECT count(*) FROM source") == [(2,)]


def test_another_content_of_the_same_name(hand: Hand) -> None:
    """Truncated and written anew, or replaced: under the same name another file is loaded whole."""
    file = hand.file("mail.log", rejections(0, 10))
    hand.load(file)
    os.truncate(file, 0)
    hand.file("mail.log", rejections(10, 13))
    hand.load(file)
    (hand.folder / "new").write_text(rejections(13, 30))
    (hand.folder / "new").replace(file)
    hand.load(file)
    assert hand.verdicts() == 30


def test_file_under_two_names(hand: Hand) -> None:
    """A file and a link to it are one file, told by its content."""
    file = hand.file("mail.log", rejections(0, 10))
    os.link(file, hand.folder / "same.log")
    assert hand.load(file, str(hand.folder / "same.log")).status == 0
    assert hand.verdicts() == 10


def test_file_that_grows_while_others_are_loaded(hand: Hand) -> None:
    """What is written to a file behind what was loaded comes with the next load, and only that."""
    for end in (5, 6, 7, 30):
        said = hand.load(hand.file("mail.log", rejections(0, end)))
        assert said.status == 0
        assert hand.verdicts() == end


@pytest.mark.parametrize("beside", [[], ["mail.log"]])
def test_standard_input_is_read_from_its_beginning(hand: Hand, beside: list[str]) -> None:
    """Nothing of standard input is used up by looking for files that share lines."""
    files = [hand.file(name, rejections(50, 60)) for name in beside]
    options = ("--config", str(hand.config), "backfill", "--year", "2026", "--timezone", "UTC")
    said = call(*options, *files, "-", given=rejections(0, 40))
    assert said.status == 0, said
    assert hand.verdicts() == 40 + 10 * len(beside)
    again = call(*options, "-", given=rejections(0, 40))
    assert again.status == 1
    assert "standard input" in again.err
    assert hand.verdicts() == 40 + 10 * len(beside)
