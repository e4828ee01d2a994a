"""Checks of `doctor` on Postfix's own settings, asked of postconf for each instance.

Nothing in main.cf is changed, or has to be: where a setting stands in the way it is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from journal_postfix.doctor_journal import is_ours
from journal_postfix.findings import Examined, Findings, note, ok, problem, warning
from journal_postfix.messages import InputError
from journal_postfix.postqueue import NoPostfix, ask, listed, program


def check_postfix(it: Examined) -> Findings:
    """The settings of each instance."""
    try:
        program("postconf")
        directories = list(it.config.queue_config_directories) or listed()
    except NoPostfix:
        yield note("there is no Postfix on this machine: its settings were not checked")
        return
    except InputError as error:
        yield note(f"Postfix's settings were not checked: {error}")
        return
    for directory in directories:
        try:
            yield from _instance(it, directory)
        except InputError as error:
            yield note(f"{directory}: Postfix's settings were not checked: {error}")


def _value(directory: str, name: str) -> str:
    """A parameter's value; empty where this Postfix has none of that name."""
    return ask("postconf", "-c", directory, "-hx", name).strip()


def _instance(it: Examined, directory: str) -> Findings:
    names = [_value(directory, "syslog_name"), *_services(directory)]
    missing = sorted({name.partition("/")[0] for name in names
                      if not is_ours(f"{name}/", it.config.syslog_names)})  # fmt: skip
    if missing:
        known = ", ".join([*it.config.syslog_names, *missing])
        yield problem(
            f"{directory}: Postfix logs as {', '.join(missing)}, which syslog_names does not have:"
            " these lines are not read",
            f"set syslog_names: [{known}]",
        )
    else:
        yield ok(f"{directory}: every syslog_name is one that is read")
    if _value(directory, "enable_long_queue_ids") == "yes":
        yield ok(f"{directory}: queue ids are long and do not come back")
    else:
        yield note(
            f"{directory}: queue ids are short and come back within days; mails are told apart all"
            " the same, people may not",
            f"postconf -c {directory} enable_long_queue_ids=yes && postfix -c {directory} reload",
        )
    yield from _log_file(it, directory)
    if _value(directory, "smtpd_tls_loglevel") in ("", "0"):
        yield note(
            f"{directory}: smtpd does not log TLS: encryption of incoming mail is not known",
            f"postconf -c {directory} smtpd_tls_loglevel=1 && postfix -c {directory} reload",
        )


def _services(directory: str) -> Iterator[str]:
    """What services of master.cf call themselves."""
    for line in ask("postconf", "-c", directory, "-Px", "*/*/syslog_name").splitlines():
        _, equals, name = line.partition(" = ")
        if equals:
            yield name.strip()


def _log_file(it: Examined, directory: str) -> Findings:
    path = _value(directory, "maillog_file")
    if path and path != "/dev/stdout":
        yield (problem if it.is_own_journal else warning)(
            f"{directory}: Postfix logs into {path}, nothing of it comes into the journal",
            f"journal-postfix run --file {path}, or postconf -c {directory} -X maillog_file",
        )
