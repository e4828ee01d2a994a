"""Whether a DSN leads to another host unprotected, found out before anything is sent there.

As libpq reads it: what the DSN leaves out comes from its service, then from the environment. What
cannot be told for sure is taken for another host.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as NoConfiguration
from ipaddress import ip_address
from pathlib import Path

from journal_postfix.database import dsn_parts
from journal_postfix.messages import UsageError

PROTECTED = "verify-full"
_FROM_ENVIRONMENT = {
    "host": "PGHOST", "hostaddr": "PGHOSTADDR", "sslmode": "PGSSLMODE", "service": "PGSERVICE",
}  # fmt: skip
_UNKNOWN = "of the service {}"


def refuse_unprotected(dsn: str) -> None:
    """Raise UsageError for a DSN with another host whose certificate is not verified in full.

    A DSN that is not valid is left to who connects.
    """
    parts = _parts(dsn)
    if parts is None or parts.get("sslmode") == PROTECTED:
        return
    others = [host for host in _hosts(parts) if not _is_local(host)]
    if others:
        raise UsageError(
            f"the database is on another host ({', '.join(others)}), and the DSN lacks"
            f" sslmode={PROTECTED}, so mail data could be read or changed on the way:"
            f" add sslmode={PROTECTED} to the DSN, or set insecure_dsn: true"
        )


def _parts(dsn: str) -> dict[str, str] | None:
    """What decides, from wherever it comes; None for a DSN that is not valid."""
    given = dsn_parts(dsn)
    if given is None:
        return None
    set_here = {
        name: value
        for name, variable in _FROM_ENVIRONMENT.items()
        if (value := os.environ.get(variable)) is not None
    }
    service = given.get("service") or set_here.get("service")
    return {**set_here, **(_of_service(service) if service else {}), **given}


def _of_service(name: str) -> Mapping[str, str]:
    """What a service file says; of a service that is in none, a host that nobody knows."""
    for path in _service_files():
        parser = ConfigParser(interpolation=None, strict=False, delimiters="=")
        try:
            parser.read_string(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, NoConfiguration):
            continue
        if parser.has_section(name):
            return dict(parser.items(name))
    return {"host": _UNKNOWN.format(name)}


def _service_files() -> list[Path]:
    own = os.environ.get("PGSERVICEFILE")
    files = [Path(own) if own else Path("~/.pg_service.conf").expanduser()]
    folder = os.environ.get("PGSYSCONFDIR")
    return [*files, Path(folder or "/etc/postgresql-common", "pg_service.conf")]


def _hosts(parts: Mapping[str, str]) -> list[str]:
    """Where libpq connects: the address of each host, else its name; '' is the local socket."""
    names = parts.get("host", "").split(",")
    addresses = parts.get("hostaddr", "").split(",")
    many = max(len(names), len(addresses))
    names += [""] * (many - len(names))
    addresses += [""] * (many - len(addresses))
    return [address or name for name, address in zip(names, addresses, strict=True)]


def _is_local(host: str) -> bool:
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
