"""Debian's Postfix with the configuration in ``etc``, and its queue as ``postqueue`` shows it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from .isolation import run
from .people import NAMES, PASSWORD, VMAIL
from .waiting import wait_until

CONFIGURATION = Path(__file__).with_name("etc")
HOME = Path("/etc/postfix")
SECOND = Path("/etc/postfix-out")
SETTINGS = {HOME: ("main.cf", "master.cf"), SECOND: ("main-out.cf", "master-out.cf")}
CERTIFICATE = HOME / "server.pem"
# Run by local(8) and pipe(8); what they take lands in /srv/landed.
COMMANDS = {
    "ticket": 'umask 0; exec cat >"/srv/landed/ticket.$$"',
    "archive": 'umask 0; exec cat >"/srv/landed/archive.$$"',
    "refuse": 'cat >/dev/null; echo "no tickets any more"; exit 69',
    "tempfail": 'cat >/dev/null; echo "busy, come back"; exit 75',
}


def start() -> None:
    """Configure and start both instances; they answer when this returns."""
    _commands()
    _configure()
    for home in SETTINGS:
        run("postfix", "-c", str(home), "start")
    wait_until(Path("/var/spool/postfix/public/pickup").exists, "postfix runs")


def stop() -> None:
    """Stop both instances."""
    for home in SETTINGS:
        run("postfix", "-c", str(home), "stop")


def _commands() -> None:
    for folder, mode in (("bin", 0o755), ("landed", 0o1777), ("virtual", 0o755)):
        path = Path("/srv", folder)
        path.mkdir()
        path.chmod(mode)
    shutil.chown("/srv/virtual", VMAIL.uid, VMAIL.uid)
    Path("/srv/queue-out").mkdir()
    for data in ("/var/lib/postfix", "/srv/data-out"):
        Path(data).mkdir(exist_ok=True)
        shutil.chown(data, "postfix", "postfix")
    for name, text in COMMANDS.items():
        path = Path("/srv/bin", name)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)


def _configure() -> None:
    shutil.copytree(CONFIGURATION, HOME, dirs_exist_ok=True)
    for path in CONFIGURATION.rglob("*"):
        HOME.joinpath(path.relative_to(CONFIGURATION)).chmod(0o755 if path.is_dir() else 0o644)
    SECOND.mkdir()
    for path in HOME.glob("dynamicmaps.cf"):  # Debian has it elsewhere since 3.11
        shutil.copy(path, SECOND)
    level = _compatibility_level()
    for home, (main, master) in SETTINGS.items():
        text = (CONFIGURATION / main).read_text()
        (home / "main.cf").write_text(text.replace("{level}", level))
        shutil.copy(CONFIGURATION / master, home / "master.cf")
    (HOME / "logins").write_text(
        "".join(f"{name}@example.com {name}@example.com\n" for name in NAMES)
    )
    _certificate()
    _passwords()
    _saslauthd()


def _compatibility_level() -> str:
    """The highest level that this Postfix knows, so that it does not warn about defaults."""
    version = run("postconf", "-C", "builtin", "-hd", "mail_version").split(".")
    levels = ("3.11", "3.6")
    known = [level for level in levels if _numbers(version) >= _numbers(level.split("."))]
    return known[0] if known else "2"


def _numbers(version: list[str]) -> tuple[int, ...]:
    return tuple(int(part) for part in version[:2])


def _certificate() -> None:
    key = HOME / "key.pem"
    name = ["-subj", "/CN=mx1.example.com", "-days", "30"]
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name,
        "-keyout", str(key), "-out", str(CERTIFICATE))  # fmt: skip
    CERTIFICATE.write_text(CERTIFICATE.read_text() + key.read_text())
    CERTIFICATE.chmod(0o600)


def _passwords() -> None:
    for name in NAMES:
        subprocess.run(
            ["saslpasswd2", "-p", "-c", "-u", "example.com", name],
            input=PASSWORD.encode(),
            check=True,
        )
    shutil.chown("/etc/sasldb2", "postfix", "postfix")


def _saslauthd() -> None:
    folder = Path("/run/saslauthd")
    folder.mkdir()
    run("saslauthd", "-a", "sasldb", "-m", str(folder), "-n", "1")


class Queue:
    """The mail queue of one instance, by the words of postqueue and postsuper."""

    def __init__(self, home: Path = HOME) -> None:
        self.environment = {**os.environ, "MAIL_CONFIG": str(home)}

    def entries(self) -> list[dict[str, Any]]:
        """What ``postqueue -j`` lists."""
        return [json.loads(line) for line in self._run("postqueue", "-j").splitlines()]

    def names(self) -> dict[str, str]:
        """Queue id -> name of the queue."""
        return {entry["queue_id"]: entry["queue_name"] for entry in self.entries()}

    def rests(self) -> bool:
        """Whether no mail is on its way."""
        return {"active", "incoming", "maildrop"}.isdisjoint(self.names().values())

    def wait(self, queue_id: str, name: str | None) -> None:
        """Wait until a mail is in the named queue; None: until it is gone."""
        wait_until(lambda: self.names().get(queue_id) == name, f"{queue_id} is in queue {name}")

    def try_again(self, queue_id: str) -> None:
        """Have a deferred mail delivered now."""
        self._run("postqueue", "-i", queue_id)

    def try_all_again(self) -> None:
        """Have every deferred mail delivered now."""
        self._run("postqueue", "-f")

    def super(self, option: str, queue_id: str) -> None:
        """What only the superuser may do: -d, -h, -H, -r, -e with a queue id or ALL."""
        self._run("postsuper", option, queue_id)

    def _run(self, *command: str) -> str:
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=self.environment
        ).stdout


def command(home: Path, *words: str) -> None:
    """Run one of Postfix's commands on an instance; what it complains about is in the log."""
    environment = {**os.environ, "MAIL_CONFIG": str(home)}
    subprocess.run(words, check=True, capture_output=True, env=environment)


def sendmail(user: str | None, arguments: list[str], text: str) -> None:
    """Submit a mail as Postfix's sendmail does, by root (None) or a user."""
    subprocess.run(["sendmail", *arguments], input=text, text=True, check=True, user=user)
