"""The configuration: one YAML file into one frozen Config; the only importer of yaml.

Every key stands in the table KEYS (`keys`) with its check and what is allowed; here are the defaults.
An unknown key or a wrong value is a UsageError that names file, key and what is allowed.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from journal_postfix import privacy
from journal_postfix.batch import MailRules
from journal_postfix.delivery import Options
from journal_postfix.keys import KEYS
from journal_postfix.messages import UsageError
from journal_postfix.partitions import width
from journal_postfix.periods import PRESETS, Customer, Periods, contradictions, first_kept, firsts
from journal_postfix.store import Horizon, StoreOptions
from journal_postfix.verp import verp_options

DEFAULT_FILE = Path("/etc/journal-postfix/main.yml")


@dataclass(frozen=True)
class Config:
    """The configuration's keys, nested ones joined by an underscore, checked, with defaults."""

    dsn: str | None = None
    data_dir: str | None = None
    journal_directory: str | None = None
    journal_units: tuple[str, ...] = ()
    journal_trusted_uids: tuple[int | str, ...] = ("root", "postfix")
    syslog_names: tuple[str, ...] = ("postfix",)
    journal_poll_interval: float = 10.0
    max_delay_before_commit: float = 1.0
    max_messages_per_commit: int = 10000
    mta: str | None = None
    mta_names: Mapping[str, str] = field(default_factory=dict)
    submission_services: tuple[str, ...] = ("submission", "submissions", "smtps")
    verp_marker: str | None = None
    verp_patterns: tuple[str, ...] = ()
    store_subject: bool = False
    store_content: bool = False
    retention_delivery_pseudonymise: int = 0
    retention_delivery_delete: int = 30
    retention_noqueue_pseudonymise: int = 0
    retention_noqueue_delete: int = 7
    retention_preset: str | None = None
    retention_domains: Mapping[str, Customer] = field(default_factory=dict)
    retention_forget_key_after: int = 0
    clean_interval: float = 3600.0
    queue_close_after: int = 30
    queue_config_directories: tuple[str, ...] = ()
    queue_check_interval: float = 3600.0
    min_free_disk: int = 500_000_000
    max_size: int = 0
    metrics_address: tuple[str, int] | None = None
    auto_migrate: bool = False
    require_ticket: bool = False
    retention_access_log: int = 365
    insecure_dsn: bool = False
    roles_writer: str = "journal_postfix_writer"
    roles_reader: str = "journal_postfix_reader"
    roles_auditor: str = "journal_postfix_auditor"
    roles_user: str = "journal_postfix_user"
    privacy_controller: str = privacy.CONTROLLER
    privacy_purposes: str = privacy.PURPOSES
    privacy_legal_basis: str = privacy.LEGAL_BASIS
    privacy_rights: str = privacy.RIGHTS
    privacy_contact: str = privacy.CONTACT

    def mta_of(self, host: str) -> str:
        """The name under which a host's lines are stored."""
        return self.mta or self.mta_names.get(host, host)

    def extract_options(self) -> Options:
        """What extraction needs to know."""
        verp = verp_options(self.verp_marker, self.verp_patterns)
        return Options(self.store_subject, self.store_content, verp, self.syslog_names)

    def store_options(self, *, finite: bool = False, overlap_ok: bool = True) -> StoreOptions:
        """What storing needs to know."""
        rules = MailRules(self.submission_services, uids_of(("postfix",)))
        widths = {
            "delivery": width(self.retention_delivery_delete),
            "noqueue": width(self.retention_noqueue_delete),
        }
        return StoreOptions(rules, widths, finite, overlap_ok)

    def horizon(self, now: datetime) -> Horizon:
        """The first days that retention keeps at this moment."""
        return Horizon(
            first_kept(now, self.retention_delivery_delete),
            first_kept(now, self.retention_noqueue_delete),
        )

    def periods(self, now: datetime) -> Periods:
        """The first days that retention keeps, and keeps with names, at this moment."""
        names = Horizon(
            first_kept(now, self.retention_delivery_pseudonymise),
            first_kept(now, self.retention_noqueue_pseudonymise),
        )
        domains = self.retention_domains.items()
        return Periods(
            self.horizon(now),
            names,
            firsts(now, {domain: days.delete for domain, days in domains}),
            firsts(now, {domain: days.names_kept() for domain, days in domains}),
            first_kept(now, self.retention_forget_key_after),
        )

    def deletes_or_pseudonymises(self) -> bool:
        """Whether retention does anything."""
        days = (
            self.retention_delivery_pseudonymise,
            self.retention_delivery_delete,
            self.retention_noqueue_pseudonymise,
            self.retention_noqueue_delete,
        )
        return any(days) or bool(self.retention_domains)


def uids_of(names: tuple[int | str, ...]) -> tuple[int, ...]:
    """User ids of names and numbers; names this machine does not know are left out."""
    uids = []
    for name in names:
        try:
            uids.append(name if isinstance(name, int) else pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    return tuple(uids)


LONGEST_SHOWN = 80  # characters of a wrong value


def _flat(tree: Any, prefix: str, where: str) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise UsageError(f"{where}: {prefix or 'the file'} must be a mapping of keys to values")
    sections = {key.rpartition(".")[0] for key in KEYS} | {"retention"}
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        key = f"{prefix}.{name}" if prefix else str(name)
        if key in sections:
            flat |= _flat(value, key, where)
        elif key in KEYS:
            flat[key] = value
        else:
            near = sorted(one for one in KEYS if one.startswith(prefix))
            raise UsageError(f"{where}: unknown key {key}; allowed: {', '.join(near)}")
    return flat


def config_from(tree: Any, where: str) -> Config:
    """A Config from what YAML made of a file; `where` names the file in errors (UsageError)."""
    values = {}
    for name, value in _flat({} if tree is None else tree, "", where).items():
        key = KEYS[name]
        if value is None:
            continue
        try:
            values[name.replace(".", "_")] = key.check(value)
        except ValueError:
            raise UsageError(
                f"{where}: {name} must be {key.allowed}, not {_shown(value)}"
            ) from None
    config = Config(**{**PRESETS.get(values.get("retention_preset", ""), {}), **values})
    for wrong in contradictions(
        config.__dict__, config.retention_domains, config.retention_forget_key_after
    ):
        raise UsageError(f"{where}: {wrong}")
    return config


def _shown(value: Any) -> str:
    """A wrong value, as far as it fits into a sentence."""
    if isinstance(value, dict | list):
        return type(value).__name__
    try:
        text = repr(value)
    except ValueError:  # a number with thousands of digits
        return "so large a number"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def file_of(file: str | None) -> Path | None:
    """The file that is read: by option, else JOURNAL_POSTFIX_CONFIG, else /etc; None without any."""
    if named := file or os.environ.get("JOURNAL_POSTFIX_CONFIG"):
        return Path(named)
    try:
        return DEFAULT_FILE if DEFAULT_FILE.exists() else None
    except PermissionError:  # of its folder; that it may not be read is told next
        return DEFAULT_FILE


def load(file: str | None, dsn: str | None = None) -> Config:
    """The configuration of a command: file by option, else JOURNAL_POSTFIX_CONFIG, else /etc.

    Without any file the defaults hold. The DSN comes from the option, else
    JOURNAL_POSTFIX_DSN, else the file. Raises UsageError.
    """
    path = file_of(file)
    config = config_from(_read(path) if path else {}, str(path or DEFAULT_FILE))
    dsn = dsn or os.environ.get("JOURNAL_POSTFIX_DSN") or config.dsn
    return Config(**{**config.__dict__, "dsn": dsn})


class _Loader(yaml.SafeLoader):
    """YAML without keys that stand twice, of which the last would win without a word."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping; ConstructorError where a key stands twice."""
        seen = set()
        for name, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(name, yaml.ScalarNode) and name.tag != "tag:yaml.org,2002:merge":
                if name.value in seen:
                    problem = f"key {name.value} stands there twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, name.start_mark)
                seen.add(name.value)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


#: What PyYAML raises: also for days and numbers that do not exist, and what is nested too deep.
_NO_YAML = (yaml.YAMLError, ValueError, KeyError, AttributeError, TypeError, RecursionError)


def _read(path: Path) -> Any:
    try:
        return yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except _NO_YAML as error:
        raise UsageError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
