"""The forms in which a log reaches us: syslog files of two kinds, and journal export text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from traffic.arrivals import POSTFIX_UID
from traffic.world import SECOND, Line

BOOT = 3600 * SECOND
# Programs that run as root; all others of Postfix's as its own user.
ROOT = frozenset(("local", "virtual", "pipe", "master", "postsuper", "error"))
PRIORITIES = (("warning:", 4), ("fatal:", 2))
# rsyslog writes the zone as an offset, others write Z.
ZONES = (timedelta(0), timedelta(hours=2), None)

Writer = Callable[[Line], str]


def _tag(line: Line) -> str:
    return f"{line.ident}[{line.pid}]" if line.pid else line.ident


def traditional() -> Writer:
    """Write ``Nov  3 09:01:00 host tag[pid]: text``, in UTC and without a year."""
    stamps: dict[int, str] = {}

    def write(line: Line) -> str:
        second = line.t // SECOND
        stamp = stamps.get(second)
        if stamp is None:
            stamps.clear()
            moment = datetime.fromtimestamp(second, UTC)
            stamp = stamps[second] = f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S}"
        return f"{stamp} {line.machine.name} {_tag(line)}: {line.text}\n"

    return write


def _iso_line(line: Line) -> str:
    """Write ``2025-11-03T09:01:00.123456+02:00 host tag[pid]: text``, each host in its zone."""
    zone = ZONES[line.machine.number % len(ZONES)]
    seconds, micros = divmod(line.t, SECOND)
    moment = datetime.fromtimestamp(seconds, timezone(zone or timedelta(0)))
    offset = "Z" if zone is None else f"{moment:%z}"[:3] + ":00"
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{micros:06d}{offset}"
    return f"{stamp} {line.machine.name} {_tag(line)}: {line.text}\n"


def export(start: int) -> Writer:
    """Write journal export entries; start is the simulation's first moment."""

    def write(line: Line) -> str:
        return _entry(line, line.t - start + BOOT)

    return write


def _entry(line: Line, monotonic: int) -> str:
    machine, program = line.machine, line.ident.rpartition("/")[2]
    ours = line.ident.startswith("postfix")
    priority = next((level for label, level in PRIORITIES if line.text.startswith(label)), 6)
    pid = f"SYSLOG_PID={line.pid}\n_PID={line.pid}\n" if line.pid else ""
    return (
        f"__REALTIME_TIMESTAMP={line.t}\n__MONOTONIC_TIMESTAMP={monotonic}\n"
        f"_BOOT_ID={machine.boot_id}\n_MACHINE_ID={machine.machine_id}\n"
        f"_HOSTNAME={machine.name}\nSYSLOG_IDENTIFIER={line.ident}\n{pid}"
        f"_UID={0 if program in ROOT or not ours else POSTFIX_UID}\nPRIORITY={priority}\n"
        f"SYSLOG_FACILITY=2\n_TRANSPORT=syslog\n"
        f"_SYSTEMD_UNIT={'postfix@-.service' if ours else f'{program}.service'}\n"
        f"MESSAGE={line.text}\n\n"
    )


FORMATS: dict[str, Callable[[int], Writer]] = {
    "traditional": lambda _: traditional(),
    "iso": lambda _: _iso_line,
    "export": export,
}
RESOLUTION = {"traditional": SECOND, "iso": 1, "export": 1}
SUFFIX = {"traditional": "log", "iso": "log", "export": "export"}
