"""The logs of the benchmarks: made by tests/generate.py, kept by their options, and told about.

They are made by processes of their own, so that the benchmark stays small.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from turns import say

HERE = Path(__file__).resolve().parent.parent
GENERATOR = HERE / "tests" / "generate.py"
JOURNAL_REMOTE = Path("/lib/systemd/systemd-journal-remote")
YEAR = "2024"  # of the first line, as the generator makes it
SEED = 1
REUSE = "0.001"  # of the short queue ids come back: still more than Postfix's


@dataclass(frozen=True)
class Log:
    """A log in files: its paths in order, its lines, and how many of these are Postfix's."""

    paths: tuple[Path, ...]
    lines: int
    daemons: Counter[str]

    @property
    def path(self) -> Path:
        """The only file."""
        (path,) = self.paths
        return path

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(path.stat().st_size for path in self.paths)

    @property
    def postfix(self) -> int:
        """Lines of Postfix."""
        return self.lines - self.daemons[""]


def log(folder: Path, lines: int, form: str = "traditional", *, split: bool = False) -> Log:
    """A log of four hosts; `split`: one file for each host, with the same lines."""
    made = _made(folder, lines, 4, form, *(["--split"] if split else []))
    paths = tuple(sorted(made.glob("*.log")))
    return _told(paths, paths)


def journal(folder: Path, lines: int) -> Log:
    """A journal of one host with so many entries; its path is a folder."""
    made = _made(folder, lines, 1, "export")
    done = made / "journal"
    texts = tuple(made.glob("*.export"))
    if not done.exists():
        say(f"making a journal of {lines:,} entries")
        new = made / "journal.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        command = [JOURNAL_REMOTE, f"--output={new / 'system.journal'}", *texts]
        subprocess.run(command, check=True, capture_output=True)
        new.rename(done)
    return _told((done,), texts)


def _told(paths: tuple[Path, ...], texts: tuple[Path, ...]) -> Log:
    _warm(path for path in paths if path.is_dir())
    daemons = Counter(daemon for text in texts for daemon in _daemons(text))
    return Log(paths, daemons.total(), daemons)


def _warm(folders: Iterable[Path]) -> None:
    """Read files, so that nobody's first turn waits for the disk."""
    for path in (path for folder in folders for path in folder.iterdir()):
        with path.open("rb") as file, Path(os.devnull).open("wb") as nowhere:
            shutil.copyfileobj(file, nowhere)


def _made(folder: Path, lines: int, hosts: int, form: str, *options: str) -> Path:
    """The folder with what the generator makes of these options; made once."""
    stamp = int(max(path.stat().st_mtime for path in _sources()))
    name = "-".join([form, str(lines), str(hosts), str(SEED), *(o.strip("-") for o in options)])
    made = folder / f"{name}-{stamp}"
    if not made.exists():
        say(f"making a log of {lines:,} lines ({form})")
        new = folder / f"{name}.new"
        shutil.rmtree(new, ignore_errors=True)
        sizes = ["--lines", str(lines), "--hosts", str(hosts), "--seed", str(SEED)]
        sizes += ["--reuse", REUSE]
        where = ["--format", form, "--output", str(new), *options]
        subprocess.run([sys.executable, GENERATOR, *sizes, *where], check=True)
        for old in folder.glob(f"{name}-[0-9]*"):
            shutil.rmtree(old)
        new.rename(made)
    return made


def _sources() -> list[Path]:
    return [GENERATOR, *(GENERATOR.parent / "traffic").glob("*.py")]


def _daemons(path: Path) -> Iterator[str]:
    """The daemon of each line, '' for what is not Postfix's."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            identifier = _identifier(line) if path.suffix == ".log" else _field(line)
            if identifier is not None:
                ours = identifier.startswith("postfix")
                yield identifier.rpartition("/")[2] if ours else ""


def _identifier(line: str) -> str:
    """The identifier of `Jan  1 00:34:36 host postfix/smtpd[7]: text`, or with an ISO stamp."""
    rest = line[16:] if line[3] == " " else line.partition(" ")[2]
    return rest.split(" ", 2)[1].partition("[")[0]


def _field(line: str) -> str | None:
    """The identifier, if this line of an entry has it."""
    name, _, value = line.partition("=")
    return value.rstrip() if name == "SYSLOG_IDENTIFIER" else None
