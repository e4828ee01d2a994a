"""Checks of `doctor` on the configuration: its file, who may read it, what it leaves open."""

from __future__ import annotations

import re
import stat
import subprocess

from journal_postfix.disk import folders
from journal_postfix.findings import Examined, Findings, note, ok, problem, warning
from journal_postfix.unitfiles import has_unit

UNIT = "journal-postfix.service"
_PASSWORD = re.compile(r"(?:^|\s)password\s*=|://[^/@\s]*:[^/@\s]*@")


def check_file(it: Examined) -> Findings:
    """Which file there is, and who may read and change it."""
    if it.file is None:
        yield note(
            "no configuration file: the defaults hold",
            "journal-postfix --config FILE, or write /etc/journal-postfix/main.yml",
        )
        return
    yield ok(f"{it.file} is right")
    mode = it.file.stat().st_mode
    if mode & stat.S_IWOTH:
        yield problem(f"{it.file} may be changed by everybody", f"chmod o-w {it.file}")
    if mode & stat.S_IROTH and _PASSWORD.search(it.config.dsn or ""):
        yield problem(
            f"{it.file} holds a password and may be read by everybody",
            f"chgrp journal-postfix {it.file} && chmod 0640 {it.file}",
        )


def check_retention(it: Examined) -> Findings:
    """What is kept for ever."""
    days = {
        "mails": ("retention.delivery.delete", it.config.retention_delivery_delete),
        "refusals": ("retention.noqueue.delete", it.config.retention_noqueue_delete),
    }
    for what, (key, kept) in days.items():
        if kept:
            yield ok(f"{what} are deleted after {kept} days ({key})")
        else:
            yield note(f"{what} are kept for ever ({key} is 0)", f"set {key} to a number of days")


def check_database_kind(it: Examined) -> Findings:
    """A private database is for trying, and for small servers."""
    if it.config.dsn is None:
        yield note(
            "no dsn: a private PostgreSQL is used, which runs only while a journal-postfix runs;"
            " that is for trying and for small servers",
            "set dsn to a server of your own",
        )


def check_min_free_disk(it: Examined) -> Findings:
    """The mail server comes first only where it is said how much disk it needs."""
    is_elsewhere = it.connection is not None and not folders(it.config, it.connection)
    if not it.config.min_free_disk and not is_elsewhere:
        yield warning(
            "min_free_disk is 0: the database may take the last byte of a disk that Postfix needs",
            "leave min_free_disk out (500 MB), or set it, such as 2000000000",
        )


def check_service(it: Examined) -> Findings:
    """Whether the service is there, and runs."""
    if not has_unit(it.root, UNIT):
        yield note(f"there is no {UNIT}: nothing follows the log by itself", "see docs/install.rst")
        return
    if not (it.root / "run/systemd/system").exists():
        yield note("systemd does not run here: the service was not checked")
        return
    command = ["systemctl", "show", "--property=ActiveState", "--value", UNIT]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    state = done.stdout.strip() or "unknown"
    if state == "active":
        yield ok(f"{UNIT} runs")
    else:
        yield problem(f"{UNIT} is {state}", f"systemctl enable --now {UNIT}; journalctl -u {UNIT}")
