"""The namespaces and private files in which the mail server lives.

``enter`` gives the command line that starts a program in fresh mount, network, process, IPC and
host name namespaces; ``prepare`` runs inside them, as root, and hides the machine's folders behind
private ones. Everything private lies below one folder, which the caller removes.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

from . import hosts
from .people import USERS

NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid")
MACHINE_ID = "c0ffee00c0ffee00c0ffee00c0ffee01"
BOOT_ID = "c0ffee00-c0ff-4e00-8c0f-fee00c0ffee2"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# Folders of the machine that are hidden behind empty private ones.
FOLDERS = (
    "/home",
    "/run/log",
    "/run/systemd/journal",
    "/srv",
    "/var/lib/postfix",
    "/var/log/journal",
    "/var/mail",
    "/var/spool/postfix",
    "/var/spool/postfix-out",
)


def enter(command: list[str]) -> list[str]:
    """The command line that runs a command in namespaces of its own; all dies with it."""
    options = ["--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    return ["unshare", *NAMESPACES, *options, "--", *command]


def prepare(root: Path) -> None:
    """Make the private world below ``root``; must run inside the namespaces."""
    socket.sethostname(hosts.SERVER)
    _network()
    _folders(root)
    _etc(root)
    _boot_id(root)
    _devices(root)


def run(*command: str) -> str:
    """Run a command to its end; its output. Raises CalledProcessError with its errors shown."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def bind(source: Path, target: str) -> None:
    """Lay a private file or folder over one of the machine."""
    run("mount", "--bind", str(source), target)


def _network() -> None:
    run("ip", "link", "set", "lo", "up")
    for address in hosts.all_addresses():
        bits, extra = ("128", ["nodad"]) if ":" in address else ("32", [])
        run("ip", "addr", "add", f"{address}/{bits}", "dev", "lo", *extra)


def _folders(root: Path) -> None:
    for path in FOLDERS:
        private = root / path.strip("/").replace("/", "-")
        private.mkdir(exist_ok=True)
        private.chmod(0o755)
        Path(path).mkdir(parents=True, exist_ok=True)
        bind(private, path)


def _etc(root: Path) -> None:
    private = root / "etc"
    shutil.copytree("/etc", private, symlinks=True, ignore_dangling_symlinks=True)
    bind(private, "/etc")
    _write_etc()
    for user in USERS:
        home = Path(user.home)
        home.mkdir(parents=True)
        os.chown(home, user.uid, user.uid)


def _write_etc() -> None:
    for name, text in {
        "machine-id": MACHINE_ID + "\n",
        "hostname": hosts.SERVER + "\n",
        "mailname": "example.com\n",
        "hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }.items():
        path = Path("/etc", name)
        path.unlink(missing_ok=True)
        path.write_text(text)
    passwd = "".join(f"{u.name}:x:{u.uid}:{u.uid}::{u.home}:/bin/sh\n" for u in USERS)
    group = "".join(f"{u.name}:x:{u.uid}:\n" for u in USERS)
    for name, text in (("passwd", passwd), ("group", group)):
        with Path("/etc", name).open("a") as file:
            file.write(text)


def _boot_id(root: Path) -> None:
    private = root / "boot_id"
    private.write_text(BOOT_ID + "\n")
    bind(private, "/proc/sys/kernel/random/boot_id")


def _devices(root: Path) -> None:
    private = root / "dev"
    private.mkdir()
    for name in DEVICES:
        (private / name).touch()
        bind(Path("/dev", name), str(private / name))
    (private / "fd").symlink_to("/proc/self/fd")
    (private / "log").symlink_to("/run/systemd/journal/dev-log")
    (private / "shm").mkdir(mode=0o1777)
    run("mount", "--rbind", str(private), "/dev")
