"""The settings of systemd's files, main file and drop-ins put together as systemd does it.

It knows where such files lie, and how spans of time are written in them. It asks no systemd, so
that it also works on the files of another root, and in containers.

Bugs: drop-ins of name prefixes (`postfix-.service.d`) are not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PLACES = ("etc", "run", "usr/local/lib", "usr/lib", "lib")
"""Where settings lie, those of the administrator first."""

_UNITS = {
    "": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1, "ms": 0.001, "msec": 0.001,
    "us": 1e-6, "usec": 1e-6, "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600,
    "d": 86400, "day": 86400, "days": 86400, "w": 604800, "week": 604800, "weeks": 604800,
}  # fmt: skip


def settings(root: Path, name: str, section: str, folder: str = "systemd") -> dict[str, str]:
    """The settings of a section: the file `name` of the first place, then drop-ins by their names.

    An empty value takes an earlier one back. Files that may not be read are left out.
    """
    found: dict[str, str] = {}
    for path in [*_main(root, folder, name), *_drop_ins(root, folder, f"{name}.d")]:
        for key, value in _read(path, section):
            found.pop(key, None)
            if value:
                found[key] = value
    return found


def unit_settings(root: Path, unit: str, section: str = "Service") -> dict[str, str]:
    """The settings of a section of a unit; those of its template too."""
    found: dict[str, str] = {}
    for name in dict.fromkeys((re.sub("@.*[.]", "@.", unit), unit)):
        found |= settings(root, name, section, "systemd/system")
    return found


def has_unit(root: Path, unit: str) -> bool:
    """Tell whether there is a file of this unit."""
    return bool(_main(root, "systemd/system", unit))


def _main(root: Path, folder: str, name: str) -> list[Path]:
    places = (root / place / folder / name for place in PLACES)
    return [path for path in places if path.exists()][:1]


def _drop_ins(root: Path, folder: str, name: str) -> list[Path]:
    found: dict[str, Path] = {}
    for place in PLACES:
        for path in (root / place / folder / name).glob("*.conf"):
            found.setdefault(path.name, path)
    return [found[name] for name in sorted(found)]


def _read(path: Path, section: str) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return
    here = ""
    for line in map(str.strip, text.replace("\\\n", " ").splitlines()):
        if line.startswith("["):
            here = line.strip("[]")
        elif here == section and line[:1] not in ("#", ";", "") and "=" in line:
            key, _, value = line.partition("=")
            yield key.strip(), value.strip()


def seconds(text: str) -> float | None:
    """The length of a span of time (`1min 30s`, `30`, `infinity`); None where it is none."""
    if text == "infinity":
        return float("inf")
    parts = re.findall(r"([\d.]+)\s*([a-z]*)", text)
    if not parts or re.sub(r"[\d.]+\s*[a-z]*|\s", "", text):
        return None
    try:
        return float(sum(float(number) * _UNITS[unit] for number, unit in parts))
    except (KeyError, ValueError):
        return None
