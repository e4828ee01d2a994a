"""A DSN to another host: refused unless its certificate is verified, as libpq would read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from journal_postfix.config import Config
from journal_postfix.messages import UsageError
from journal_postfix.remote import refuse_unprotected
from journal_postfix.server import dsn_of
from test_cli import call, refused

VARIABLES = ("PGHOST", "PGHOSTADDR", "PGSSLMODE", "PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR")
SERVICES = """\
[near]
host=/run/postgresql
dbname=mail

[far]
host=db.example.com
password=100%sesame
[safe]
host=db.example.com
sslmode=verify-full
"""

Settings = dict[str, str]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variable of libpq's but those of the test, and a service file."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGSYSCONFDIR", str(tmp_path / "etc"))
    path = tmp_path / ".pg_service.conf"
    path.write_text(SERVICES)
    return path


@pytest.mark.parametrize(
    ("dsn", "settings"),
    [
        ("dbname=mail", {}),
        ("", {}),
        ("host=/run/postgresql dbname=mail", {}),
        ("host=@abstract", {}),
        ("host=localhost", {}),
        ("host=127.0.0.1", {}),
        ("host=127.1.2.3", {}),
        ("host=::1", {}),
        ("postgresql://user:pw@localhost:5433/mail", {}),
        ("postgresql://%2Frun%2Fpostgresql/mail", {}),
        ("host=db.example.com sslmode=verify-full", {}),
        ("postgresql://db.example.com/mail?sslmode=verify-full", {}),
        ("host=db.example.com", {"PGSSLMODE": "verify-full"}),
        ("dbname=mail", {"PGHOST": "localhost"}),
        ("host=localhost", {"PGHOST": "db.example.com"}),
        ("host=localhost,/run/postgresql,::1", {}),
        ("host=db.example.com hostaddr=127.0.0.1", {}),
        ("service=near", {}),
        ("service=safe", {}),
        ("service=far host=localhost", {}),
        ("", {"PGSERVICE": "near"}),
        ("service=near", {"PGHOST": "db.example.com"}),
        ("host=127.0.0.1 colour=red", {}),  # who connects says what is wrong
    ],
)
def test_allowed(monkeypatch: pytest.MonkeyPatch, dsn: str, settings: Settings) -> None:
    """This machine, or a server whose certificate is verified."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    refuse_unprotected(dsn)


@pytest.mark.parametrize(
    ("dsn", "settings", "host"),
    [
        ("host=db.example.com", {}, "db.example.com"),
        ("host=192.0.2.7", {}, "192.0.2.7"),
        ("host=2001:db8::7", {}, "2001:db8::7"),
        ("postgresql://user:sesame@db.example.com/mail", {}, "db.example.com"),
        ("postgresql://[2001:db8::7]/mail?sslmode=require", {}, "2001:db8::7"),
        *((f"host=db.example.com sslmode={mode}", {}, "db.example.com")
          for mode in ("disable", "allow", "prefer", "require", "verify-ca")),
        ("host=db.example.com sslmode=require", {"PGSSLMODE": "verify-full"}, "db.example.com"),
        ("dbname=mail", {"PGHOST": "db.example.com"}, "db.example.com"),
        ("dbname=mail", {"PGHOSTADDR": "192.0.2.7"}, "192.0.2.7"),
        ("host=localhost hostaddr=192.0.2.7", {}, "192.0.2.7"),
        ("host=localhost,db.example.com", {}, "db.example.com"),
        ("host=a.example.com,b.example.com hostaddr=127.0.0.1,", {}, "b.example.com"),
        ("host=127.0.0.1.example.com", {}, "127.0.0.1.example.com"),
        ("host=localhost.example.com", {}, "localhost.example.com"),
        ("service=far", {}, "db.example.com"),
        ("", {"PGSERVICE": "far"}, "db.example.com"),
        ("service=nobody", {}, "of the service nobody"),
    ],
)  # fmt: skip
def test_refused(monkeypatch: pytest.MonkeyPatch, dsn: str, settings: Settings, host: str) -> None:
    """The sentence names the host and both ways out."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        refuse_unprotected(dsn)
    said = str(caught.value)
    assert f"({host})" in said
    assert "sslmode=verify-full" in said
    assert "insecure_dsn: true" in said
    assert "sesame" not in said


@pytest.mark.parametrize("where", ["own", "named", "system"])
def test_service_files(
    monkeypatch: pytest.MonkeyPatch, clean: Path, tmp_path: Path, where: str
) -> None:
    """A service stands in the user's file, in one that is named, or in the system's."""
    if where != "own":
        clean.unlink()
        path = tmp_path / ("named" if where == "named" else "etc/pg_service.conf")
        path.parent.mkdir(exist_ok=True)
        path.write_text(SERVICES)
    if where == "named":
        monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "named"))
    refuse_unprotected("service=near")
    with pytest.raises(UsageError, match="another host"):
        refuse_unprotected("service=far")


@pytest.mark.parametrize("text", ["", "host=db", "[near\nhost", "\xff"])
def test_a_broken_service_file_is_no_excuse(clean: Path, text: str) -> None:
    """What cannot be read makes the host unknown."""
    clean.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match="of the service near"):
        refuse_unprotected("service=near")


def test_key_allows_it() -> None:
    """insecure_dsn lets the DSN pass."""
    far = Config(dsn="host=192.0.2.7")
    with pytest.raises(UsageError):
        dsn_of(far)
    assert dsn_of(Config(dsn="host=192.0.2.7", insecure_dsn=True)) == "host=192.0.2.7"


@pytest.mark.parametrize(
    "command",
    [("status",), ("setup",), ("clean",), ("reconcile",), ("report",), ("trace", "--open"),
     ("trace", "--as", "ann@example.com"), ("run", "--once"), ("backfill", "/dev/null")],
    ids=" ".join,
)  # fmt: skip
def test_no_command_connects(command: tuple[str, ...]) -> None:
    """Every command that uses the database refuses, at once and with status 2."""
    said = call("--dsn", "host=192.0.2.7 password=sesame", *command)
    refused(said, 2, "insecure_dsn")
    assert "sesame" not in said.err
