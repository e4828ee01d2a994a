"""The role without a machine to put it on: its style, and that what is wrong is said before all else.

What it does to a machine is tested on booted ones (tests/test_booted.py).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[1]
ROLE = PROJECT / "ansible" / "roles" / "journal_postfix"
BIN = Path(sys.executable).parent
SPECS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())
OPTIONS: dict[str, Any] = SPECS["argument_specs"]["main"]["options"]

#: Of each type, what it is not, and how the refusal says what it must be.
NOT_OF = {
    "bool": ("perhaps", "bool"),
    "int": ("many", "int"),
    "list": ({"a": 1}, "list"),
    "dict": ([1], "dict"),
    "str": ("neither", "one of"),  # of those with choices
}
#: Values of the right type that are wrong, with what the refusal names and says.
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"journal_postfix_wheels": "a.whl"}, "journal_postfix_wheels", "allowed: journal_postfix_apt"),
    ({"journal_postfix_database_name": "Mail"}, "journal_postfix_database_name", "lower case"),
    ({"journal_postfix_database_name": "x" * 64}, "journal_postfix_database_name", "63 at most"),
    ({"journal_postfix_wheel": ""}, "journal_postfix_wheel", "path of a wheel"),
    ({"journal_postfix_database": "given"}, "journal_postfix_config.dsn", "connection string"),
    (
        {"journal_postfix_database": "embedded", "journal_postfix_config": {"dsn": "dbname=mail"}},
        "journal_postfix_config.dsn",
        "left out",
    ),
    (
        {"journal_postfix_database": "embedded", "journal_postfix_pgpass": "*:*:*:*:secret"},
        "journal_postfix_pgpass",
        "left out",
    ),
    (
        {"journal_postfix_local_only": True, "journal_postfix_prometheus": True},
        "journal_postfix_local_only",
        "journal_postfix_prometheus",
    ),
    (
        {"journal_postfix_rate_limit_interval": "soon"},
        "journal_postfix_rate_limit_interval",
        "such as 30s",
    ),
    ({"journal_postfix_rate_limit_burst": -1}, "journal_postfix_rate_limit_burst", "from 0"),
    ({"journal_postfix_apt_cache_valid_time": -1}, "journal_postfix_apt_cache_valid_time", "0 for"),
]
for option, spec in OPTIONS.items():
    value, said = NOT_OF[spec["type"]]
    if spec["type"] != "str" or "choices" in spec:
        WRONG.append(({option: value}, option, ", ".join(spec.get("choices", [said]))))

PLAY = """
- name: Say what is wrong
  hosts: all
  gather_facts: false
  pre_tasks:
    - name: Be a system that the role knows
      ansible.builtin.set_fact:
        distribution: Debian
        distribution_version: "12"
        os_family: Debian
        service_mgr: systemd
        python: {version_info: [3, 11]}
        cacheable: true
  roles: [journal_postfix]
"""


def ansible(command: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of Ansible that leaves nothing in the home folder."""
    environment = {
        **os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_ROLES_PATH": str(ROLE.parent), "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    return subprocess.run(
        [str(BIN / command), *arguments], capture_output=True, text=True, check=False,
        env=environment, cwd=PROJECT,
    )  # fmt: skip


def test_lint(tmp_path: Path) -> None:
    """Role and playbook keep the strictest of ansible-lint's profiles."""
    done = ansible("ansible-lint", "--offline", "--profile=production", "ansible", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Passed: 0 failure\(s\), 0 warning\(s\) in 1\d files", done.stderr)


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the role says to each of the hosts with something wrong; nothing is changed on any."""
    folder = tmp_path_factory.mktemp("ansible")
    python = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {f"host{number}": {**python, **wrong[0]} for number, wrong in enumerate(WRONG)}
    (folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
    (folder / "play.yml").write_text(PLAY)
    inventory = ("-i", str(folder / "hosts.yml"))
    done = ansible(
        "ansible-playbook", "--check", *inventory, str(folder / "play.yml"), folder=folder
    )
    assert done.returncode == 2, done.stdout + done.stderr
    told: dict[str, str] = dict.fromkeys(hosts, "")
    for host, text in re.findall(
        r"^(?:fatal|failed): \[(\w+)\][^{]*(\{.*)", done.stdout, re.MULTILINE
    ):
        told[host] += text
    assert re.search(r"changed=[1-9]", done.stdout) is None
    return told


@pytest.mark.parametrize("number", range(len(WRONG)), ids=lambda number: WRONG[number][1])
def test_wrong_variables_are_named(refusals: dict[str, str], number: int) -> None:
    """Every variable of the wrong type, outside its choices or its rules: its name and what is allowed."""
    _, name, allowed = WRONG[number]
    assert name in refusals[f"host{number}"]
    assert allowed in refusals[f"host{number}"]


def test_every_variable_has_a_wrong_value() -> None:
    """Whoever adds a variable says what it must not be."""
    assert set(OPTIONS) <= {name.partition(".")[0] for _, name, _ in WRONG}
