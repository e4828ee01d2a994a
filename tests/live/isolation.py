"""The namespaces and private files in which the mail server lives.

``network`` makes a network of our own, ``enter`` the command line that starts a program in it and
in fresh mount, process, IPC and host name namespaces; ``prepare`` runs inside, as root, and hides
the machine's folders behind private ones. Everything private lies below one folder, which the
caller removes.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from subprocess import PIPE

from . import hosts
from .people import USERS

NAMESPACES = ("--mount", "--uts", "--ipc", "--pid")
MACHINE_ID = "c0ffee00c0ffee00c0ffee00c0ffee01"
BOOT_ID = "c0ffee00-c0ff-4e00-8c0f-fee00c0ffee2"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# Folders of the machine that are hidden behind empty private ones.
FOLDERS = (
    "/home",
    "/run",
    "/srv",
    "/var/lib/postfix",
    "/var/log",
    "/var/mail",
    "/var/spool/postfix",
)


def network() -> int:
    """A network namespace with all addresses of the world; a descriptor to enter it by.

    It belongs to a user namespace of its own: in a container root may not set up addresses, but
    may do so there, and may then enter it.
    """
    steps = ["ip link set lo up", *map(_add_address, hosts.all_addresses()), "echo ready"]
    script = " && ".join([*steps, "exec cat"])  # cat: stay until we have the descriptor
    command = ["unshare", "--user", "--map-root-user", "--net", "--", "sh", "-c", script]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as helper:
        assert helper.stdout
        if helper.stdout.readline() != "ready\n":
            raise RuntimeError(f"no network of our own: {helper.communicate()[1]}")
        descriptor = os.open(f"/proc/{helper.pid}/ns/net", os.O_RDONLY)
        helper.communicate()
    return descriptor


def _add_address(address: str) -> str:
    bits, extra = (128, " nodad") if ":" in address else (32, "")
    return f"ip addr add {address}/{bits} dev lo{extra}"


def enter(descriptor: int, command: list[str]) -> list[str]:
    """The command line that runs a command in ``network()`` and new namespaces; all die with it."""
    options = ["--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    join = ["nsenter", f"--net=/proc/self/fd/{descriptor}", "--"]
    return [*join, "unshare", *NAMESPACES, *options, "--", *command]


def prepare(root: Path) -> None:
    """Make the private world below ``root``; must run inside the namespaces."""
    os.umask(0o022)
    socket.sethostname(hosts.SERVER)
    _root(root)
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


def _root(root: Path) -> None:
    """Go into a root folder of our own: that of a container may be closed to all but root."""
    private = root / "root"
    private.mkdir()
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(private))
    for entry in Path("/").iterdir():
        target = private / entry.name
        if entry.is_symlink():
            target.symlink_to(entry.readlink())
        elif entry.is_dir():
            target.mkdir()
            run("mount", "--rbind", str(entry), str(target))
    os.chroot(private)
    os.chdir("/")


def _folders(root: Path) -> None:
    for path in FOLDERS:
        private = root / path.strip("/").replace("/", "-")
        private.mkdir(exist_ok=True)
        private.chmod(0o755)
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
