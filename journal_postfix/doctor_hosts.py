"""Checks of `doctor` on the names of hosts: whether one host goes by two of them.

It looks at what is stored, at the journal, and at the log file beside it. journald, rsyslog and
containers call a host by its first word or with its domain, each as it likes.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from journal_postfix import schema
from journal_postfix.findings import Examined, Findings, ok, warning
from journal_postfix.messages import InputError
from journal_postfix.output import visible
from journal_postfix.queries import ask
from journal_postfix.survey import hosts
from journal_postfix.wording import number_of

_HOST = re.compile(r"(?:\S+T\S+|[A-Z][a-z]{2} [ \d]\d [\d:]{8}) (\S+) ")


def check_hosts(it: Examined) -> Findings:
    """Names that may be one host's: the one with its domain, the other without."""
    names = {it.config.mta_of(name) for name in (*_in_journal(it), *_in_file(it))} | _stored(it)
    full = {name: [one for one in names if one.startswith(f"{name}.")] for name in names}
    doubtful = {name: others[0] for name, others in full.items() if len(others) == 1}
    for name, other in sorted(doubtful.items()):
        yield warning(
            f"{visible(name)} and {visible(other)} may be one host, which journal and log files call"
            " differently: its mails would be stored twice",
            f"mta_names: {{{visible(name)}: {visible(other)}}} (before the second source is read)",
        )
    if names and not doubtful:
        yield ok(f"{number_of(len(names), 'host')}, each by one name")


def _in_journal(it: Examined) -> frozenset[str]:
    with suppress(InputError):
        if it.log is None:
            return hosts(it.config.journal_directory)
    return frozenset()


def _in_file(it: Examined) -> list[str]:
    """The host of the first line of a log file."""
    path: Path = it.log or it.root / "var/log/mail.log"
    with suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
        return _HOST.findall(file.readline(200))[:1]
    return []


def _stored(it: Examined) -> set[str]:
    if it.connection is None:
        return set()
    with suppress(InputError):
        schema.check(it.connection, migrate=False)
        return {row["mta"] for row in ask(it.connection, "doctor_hosts")}
    return set()
