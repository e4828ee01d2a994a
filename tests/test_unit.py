"""The unit of the service, by the words of systemd's own checkers; tests/test_booted.py runs it."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from generate import Log
from journal_postfix import embedded
from journal_postfix.notify import LONG
from limits import can_limit, limited, limits_of
from test_known_truth import assert_true, configured, journals, run, written

SERVICE = Path(__file__).parents[1] / "service"
UNIT = SERVICE / "journal-postfix.service"
PROGRAM = "/opt/journal-postfix/bin/journal-postfix"
DROP_INS = sorted(path.name for path in (SERVICE / "drop-ins").glob("*.conf"))
SINCE = {"growing-pauses.conf": 254}
EXPOSURE = 15  # tenths

analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze"
)


def installed(folder: Path, drop_ins: list[str]) -> Path:
    """The unit as in /etc/systemd/system, with a program that is there."""
    unit = folder / UNIT.name
    text = UNIT.read_text()
    assert PROGRAM in text
    unit.write_text(text.replace(PROGRAM, "/bin/true"))
    for name in drop_ins:
        (folder / f"{UNIT.name}.d").mkdir(exist_ok=True)
        shutil.copy(SERVICE / "drop-ins" / name, folder / f"{UNIT.name}.d")
    return unit


def analysed(*words: object) -> tuple[int, str]:
    """Exit status and all words of systemd-analyze."""
    command = ["systemd-analyze", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def version() -> int:
    """The version of systemd."""
    match = re.match(r"systemd (\d+)", analysed("--version")[1])
    assert match
    return int(match[1])


@analyze
@pytest.mark.parametrize("drop_in", ["", *DROP_INS])
def test_verify_is_silent(drop_in: str, tmp_path: Path) -> None:
    """systemd has nothing to say about the unit, nor about it with a drop-in."""
    if version() < SINCE.get(drop_in, 0):
        pytest.skip(f"{drop_in} is for systemd {SINCE[drop_in]} and later")
    unit = installed(tmp_path, [drop_in] if drop_in else [])
    assert analysed("verify", "--man=no", unit) == (0, "")


@analyze
def test_exposure_is_small(tmp_path: Path) -> None:
    """`systemd-analyze security` counts at most 1.5 of 10."""
    unit = installed(tmp_path, [])
    status, said = analysed("security", "--offline=true", f"--threshold={EXPOSURE}", unit)
    assert status == 0, said


@analyze
def test_exposure_without_network_is_smaller(tmp_path: Path) -> None:
    """The drop-in for a local database takes effect: a third of the rest goes."""
    unit = installed(tmp_path, ["local-database.conf"])
    # offline, drop-ins are not read: what they say is put into the unit
    text = (SERVICE / "drop-ins" / "local-database.conf").read_text()
    unit.write_text(f"{unit.read_text()}\n{text}")
    status, said = analysed("security", "--offline=true", "--threshold=6", unit)
    assert status == 0, said


def test_mail_server_comes_first() -> None:
    """The unit is ordered behind Postfix and PostgreSQL, and binds itself to neither."""
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(UNIT)
    unit, service = parser["Unit"], parser["Service"]
    assert {"postfix.service", "postgresql.service"} <= set(unit["After"].split())
    assert not {"Requires", "BindsTo", "Wants", "Requisite", "PartOf", "Before"} & set(unit)
    assert int(service["Nice"]) > 0
    assert service["IOSchedulingClass"] == "idle"
    assert {"CPUQuota", "MemoryMax"} <= set(service)


def test_start_may_take_one_long_step() -> None:
    """systemd waits for the first step of the database as long as the program does later."""
    assert f"TimeoutStartSec={LONG / 60:.0f}min" in UNIT.read_text().split("\n")


@pytest.mark.live
@pytest.mark.skipif(not can_limit(), reason="control groups cannot be limited here")
def test_it_lives_within_its_limits(data_dir: Path, tmp_path: Path) -> None:
    """Catching up, the private database with it, takes no more than the unit lets it have."""
    log = written(tmp_path / "export", Log(lines=60_000, seed=61), "export", split=True)
    folder = journals(tmp_path / "journal", log.files)
    keys = {"journal": {"directory": str(folder)}, "data_dir": str(data_dir)}
    command = configured(tmp_path, None, **keys)
    unit = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line)
    with limited(limits_of(unit)) as group:
        run(*group.command([*command, "run", "--once"]))
        assert group.killed() == 0
    assert_true(embedded.embedded_dsn(data_dir, create=False), log.rows)
