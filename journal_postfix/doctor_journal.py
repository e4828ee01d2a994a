"""Checks of `doctor` on the journal: may it be read, what is in it, what does journald let through.

journald's limits are read from its files. A journal that comes from elsewhere (journal.directory)
has its limits there, which are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import inf

from journal_postfix import unitfiles
from journal_postfix.findings import Examined, Findings, note, ok, problem, warning
from journal_postfix.messages import InputError
from journal_postfix.output import visible
from journal_postfix.parser import DAEMONS
from journal_postfix.postgresql import SERVICE_USER
from journal_postfix.survey import Survey, survey
from journal_postfix.wording import age, counted, number_of

INTERVAL, BURST = 30.0, 10000  # journald.conf(5)
LOOK_BACK = timedelta(days=7)
QUIET = timedelta(days=1)
TEMPLATE = "postfix@.service"  # of Debian 12; later ones have postfix.service alone
DROP_IN = (
    "mkdir -p /etc/systemd/system/{unit}.d && printf '[Service]\\nLogRateLimitIntervalSec=0\\n'"
    " > /etc/systemd/system/{unit}.d/log.conf && systemctl daemon-reload && systemctl restart postfix"
)
JOIN = f"usermod --append --groups systemd-journal {SERVICE_USER}"
PERSISTENT = (
    "mkdir -p /var/log/journal && systemd-tmpfiles --create --prefix /var/log/journal"
    " && systemctl restart systemd-journald"
)


def is_ours(identifier: str, names: Iterable[str]) -> bool:
    """Tell whether an identifier makes a line Postfix's."""
    return identifier.startswith(tuple(f"{name}{mark}" for name in names for mark in "/-"))


def check_journal(it: Examined) -> Findings:
    """Whether the journal may be read, and has lines of Postfix."""
    if it.log is not None:
        return

    def counts(identifier: str) -> bool:
        return is_ours(identifier, it.config.syslog_names)

    try:
        found = survey(it.config.journal_directory, counts, it.now - LOOK_BACK)
    except InputError as error:
        todo = JOIN if "group" in str(error) else "of log files: journal-postfix doctor --file PATH"
        yield problem(str(error), todo)
        return
    yield ok("the journal may be read")
    if it.is_root and it.is_own_journal:
        yield note(
            "root may read every journal: whether the service may was not checked",
            f"sudo -u {SERVICE_USER} journal-postfix doctor",
        )
    yield from _lines(it, found)
    yield from _other_names(it, found)
    yield from _losses(found)


def _lines(it: Examined, found: Survey) -> Findings:
    names = ", ".join(it.config.syslog_names)
    if found.last is None:
        yield problem(
            f"no entry of Postfix ({names}) is in the journal",
            "postconf maillog_file syslog_name: does Postfix log into a file, or under another name?",
        )
    elif found.last < it.now - QUIET:
        yield warning(
            f"the last entry of Postfix in the journal is {age(it.now - found.last)} old",
            "systemctl status postfix systemd-journald; postconf maillog_file",
        )
    else:
        yield ok(f"the last entry of Postfix is {age(it.now - found.last)} old")
    if found.first is not None:
        yield ok(f"the journal reaches back {age(it.now - found.first)}")


def _other_names(it: Examined, found: Survey) -> Findings:
    """Identifiers of Postfix's daemons under names that are not read."""
    names = {
        name
        for name, mark, rest in (one.partition("/") for one in found.identifiers)
        if mark and rest.rpartition("/")[2] in DAEMONS and not is_ours(f"{name}/", it.config.syslog_names)
    }  # fmt: skip
    if names:
        listed = ", ".join(visible(name) for name in sorted(names)[:10])
        yield warning(
            f"the journal has lines of Postfix's daemons under names that are not read: {listed}",
            f"add them: syslog_names: [{', '.join(it.config.syslog_names)}, {listed}]",
        )


def _losses(found: Survey) -> Findings:
    if not found.losses:
        yield ok("journald told of no line of Postfix that it dropped within 7 days")
    for reason in sorted({loss.reason for loss in found.losses}):
        told = [loss for loss in found.losses if loss.reason == reason]
        lost = sum(loss.lost or 0 for loss in told)
        last = max(loss.t for loss in told)
        yield warning(
            f"{reason}: {number_of(lost, 'line')} lost in 7 days, last at"
            f" {last:%Y-%m-%d %H:%M} UTC",
            "raise the limit (see rate limit); what was lost is in `journal-postfix status`",
        )


# --- journald's settings ---------------------------------------------------------------------


def check_rate_limit(it: Examined) -> Findings:
    """How many lines of a unit journald lets through."""
    if it.log is not None:
        return
    if not it.is_own_journal:
        yield note("rate limits of other hosts' journald were not checked", "run doctor there too")
        return
    journald = unitfiles.settings(it.root, "journald.conf", "Journal")
    has_template = unitfiles.has_unit(it.root, TEMPLATE)
    unit = TEMPLATE.replace("@", "@-") if has_template else "postfix.service"
    interval, burst = _limit(journald, unitfiles.unit_settings(it.root, unit))
    if not interval or not burst:
        yield ok(f"journald lets all lines of {unit} through")
        return
    what = f"journald lets {counted(burst)} lines in {interval:g} s of {unit} through"
    todo = DROP_IN.format(unit=TEMPLATE if has_template else unit)
    if burst / interval < BURST / INTERVAL:
        yield warning(f"{what}, less than is usual: a mail is some 10 lines", todo)
    else:
        yield note(f"{what}, some {counted(int(burst / interval / 10))} mails a second", todo)


def _limit(journald: dict[str, str], unit: dict[str, str]) -> tuple[float, int]:
    """Seconds and lines; 0: no limit. A unit's own limit wins."""
    interval = unitfiles.seconds(
        unit.get("LogRateLimitIntervalSec") or journald.get("RateLimitIntervalSec", f"{INTERVAL}")
    )
    burst = unit.get("LogRateLimitBurst") or journald.get("RateLimitBurst", f"{BURST}")
    if interval == inf:
        interval = 0.0
    return INTERVAL if interval is None else interval, int(burst) if burst.isdigit() else BURST


def check_storage(it: Examined) -> Findings:
    """Whether the journal outlives a reboot, and how large it may become."""
    if not it.is_own_journal:
        return
    journald = unitfiles.settings(it.root, "journald.conf", "Journal")
    storage = journald.get("Storage", "auto")
    if storage == "none":
        yield problem(
            "journald keeps nothing (Storage=none)", "set Storage=persistent in journald.conf"
        )
        return
    if storage == "volatile" or (storage == "auto" and not (it.root / "var/log/journal").is_dir()):
        todo = PERSISTENT if storage == "auto" else "set Storage=persistent in journald.conf"
        yield warning("the journal is kept in memory: what was not read is lost at a reboot", todo)
    else:
        yield ok("the journal is kept on disk")
    for key in ("SystemMaxUse", "MaxRetentionSec", "SystemKeepFree"):
        if key in journald:
            yield note(
                f"journald.conf: {key}={journald[key]} bounds how long the service may stand still"
            )
    for key in ("MaxLevelStore",):
        if journald.get(key, "debug") in (
            "emerg",
            "alert",
            "crit",
            "err",
            "warning",
            "notice",
            *"012345",
        ):
            yield problem(
                f"journald.conf: {key}={journald[key]} drops what Postfix says about mails (info)",
                f"set {key}=debug",
            )


def check_files(it: Examined) -> Findings:
    """Whether the log file may be read, and its stamps have a zone."""
    path = it.log or it.root / "var/log/mail.log"
    if it.log is None and not path.is_file():
        return
    try:
        with path.open("rb") as file:
            first = file.readline(200)
    except OSError as error:
        what = f"{path}: cannot be read: {error.strerror}"
        todo = f"usermod --append --groups adm {SERVICE_USER}"
        yield problem(what, todo) if it.log else note(what, todo)
        return
    if first[:4].isdigit():
        yield ok(f"stamps in {path} have their zone")
    elif first:
        yield note(
            f"stamps in {path} have neither year nor zone: hours that come twice in autumn are"
            " guessed, and a file from elsewhere needs --timezone",
            "rsyslog: remove $ActionFileDefaultTemplate RSYSLOG_TraditionalFileFormat",
        )
    if it.log is not None:
        silent = it.now - datetime.fromtimestamp(path.stat().st_mtime, UTC)
        what = f"{path} was last written {age(silent)} ago"
        yield ok(what) if silent < QUIET else warning(what, "systemctl status postfix rsyslog")
