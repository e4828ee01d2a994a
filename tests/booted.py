"""A Debian of its own, booted with systemd as init in a container without a network.

``made`` builds its folder from Debian's packages (which needs a network, outside), ``Machine`` boots
it and runs commands in it, each as a service of its own. Nothing of this machine is in it, and it is
known to no systemd outside.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from live.waiting import wait_until

PROJECT = Path(__file__).parents[1]
MIRROR = os.environ.get("JOURNAL_POSTFIX_BOOT_MIRROR", "http://deb.debian.org/debian")
UBUNTU_MIRROR = os.environ.get(
    "JOURNAL_POSTFIX_BOOT_UBUNTU_MIRROR", "http://archive.ubuntu.com/ubuntu"
)
UBUNTU = {"noble"}  # 24.04
#: All of Ubuntu's releases are built by one script, which has the name of an old one.
UBUNTU_OPTIONS = ("--components=main,universe", "--keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg")  # fmt: skip
UBUNTU_SCRIPT = "/usr/share/debootstrap/scripts/gutsy"
CACHE = os.environ.get("JOURNAL_POSTFIX_BOOT_CACHE", "")
PROGRAMS = ("debootstrap", "systemd-nspawn", "nsenter")

#: What a mail exchanger has before the role comes, and Ansible to let the role come from within.
BASE = "systemd,systemd-sysv,dbus,ca-certificates,python3,python3-apt,iproute2,procps"
PACKAGES = ("postfix", "ssl-cert", "ansible-core", "postgresql", "sudo")
#: What the role installs; here from what was fetched before, since there is no network then.
ROLE = ("python3-systemd", "python3-psycopg2", "python3-yaml", "python3-venv", "python3-prometheus-client")  # fmt: skip

_INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive
echo "postfix postfix/main_mailer_type select Local only" | debconf-set-selections
echo "postfix postfix/mailname string mx1.example.com" | debconf-set-selections
apt-get update -qq
apt-get install -y -qq --no-install-recommends {0}
"""


def run(command: Sequence[object], **options: object) -> str:
    """The output of a command, which must not fail."""
    words = list(map(str, command))
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        **options,
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(words)}\n{done.stdout[-6000:]}")
    return done.stdout


@contextmanager
def made(suite: str) -> Iterator[Path]:
    """The folder of a fresh Debian with Postfix, PostgreSQL and Ansible, never booted before."""
    top = Path(tempfile.mkdtemp(prefix=f"journal-postfix-{suite}-", dir="/var/tmp"))
    try:
        root = top / "root"
        _build(suite, root)
        yield root
    finally:
        shutil.rmtree(top)


def _build(suite: str, root: Path) -> None:
    recipe = repr((_sources(suite), BASE, PACKAGES, ROLE, _INSTALL))
    name = f"{suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.tar"
    kept = Path(CACHE, name) if CACHE else None
    if kept and kept.exists():
        root.mkdir()
        run(["tar", "-C", root, "-xf", kept])
        return
    _bootstrap(suite, root)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        run(["tar", "-C", root, "-cf", part, "."])
        part.rename(kept)


def _sources(suite: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What debootstrap is told of a release: options, and mirror with script."""
    if suite in UBUNTU:
        return UBUNTU_OPTIONS, (UBUNTU_MIRROR, UBUNTU_SCRIPT)
    return (), (MIRROR,)


def _bootstrap(suite: str, root: Path) -> None:
    options, source = _sources(suite)
    command = ["debootstrap", "--variant=minbase", f"--include={BASE}", *options]
    run(
        [*command, suite, root, *source],
        env={**os.environ, "DEBOOTSTRAP_DIR": "/usr/share/debootstrap"},
    )
    for name in ("resolv.conf", "hosts"):
        (root / "etc" / name).write_bytes(Path("/etc", name).read_bytes())
    (root / "etc/hostname").write_text("mx1\n")
    # how packages are fetched here, and in no hurry to have them on the disk
    lines = run(["apt-config", "dump"]).splitlines()
    ours = [line for line in lines if line.startswith(("Acquire::http", "Acquire::Check"))]
    (root / "etc/apt/apt.conf.d/99outside").write_text("\n".join([*ours, ""]))
    (root / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
    policy = root / "usr/sbin/policy-rc.d"  # nothing starts before the boot
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    run(["chroot", root, "sh", "-c", _INSTALL.format(" ".join((*PACKAGES, *ROLE)))])
    policy.unlink()
    (root / "etc/machine-id").write_text("")
    (root / "etc/hosts").write_text("127.0.0.1 localhost mx1.example.com mx1\n")
    (root / "etc/resolv.conf").unlink()


class Machine:
    """A Debian that is booted while the context lasts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.console = root.with_name("console")
        self._outside: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.boot()
        return self

    def __exit__(self, *_: object) -> None:
        self.shut_down()

    def boot(self) -> None:
        """Boot; returns when all services have been started."""
        options = ["--quiet", "--boot", "--register=no", "--keep-unit", "--private-network"]
        command = ["systemd-nspawn", *options, "--console=pipe", f"--directory={self.root}"]
        # Its services must not share a control group with those of another container.
        self._group = _ControlGroup()
        with self.console.open("ab") as console:
            self._outside = subprocess.Popen(
                [*self._group.enter, *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={**os.environ, "UNIFIED_CGROUP_HIERARCHY": "1"},
            )
        wait_until(self._is_up, "boot", 120)

    def _is_up(self) -> bool:
        assert self._outside
        assert self._outside.poll() is None, self.console.read_text(errors="replace")
        if not self._init():
            return False
        try:
            state = self.run("systemctl", "is-system-running", "--wait", status=None).strip()
        except AssertionError:
            return False
        return state in ("running", "degraded")

    def _init(self) -> int | None:
        """The process that is number 1 inside."""
        assert self._outside
        for outer in (self._outside.pid, *_children(self._outside.pid)):
            for pid in _children(outer):
                try:
                    status = Path(f"/proc/{pid}/status").read_text()
                except FileNotFoundError:
                    continue
                if any(line.split()[1:] == [str(pid), "1"] for line in status.splitlines() if line.startswith("NSpid:")):  # fmt: skip
                    return pid
        return None

    def shut_down(self) -> None:
        """Power off in good order."""
        if self._outside is None:
            return
        if (init := self._init()) is not None:
            os.kill(init, signal.SIGRTMIN + 4)
        try:
            self._outside.wait(120)
        finally:
            self._outside.kill()
            self._outside.wait()
            self._outside = None
            self._group.remove()

    def run(
        self, *words: object, status: int | None = 0, user: str = "root", text: str = ""
    ) -> str:
        """The output of a command inside, run as a service by a user; its exit status is that."""
        inside = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--uid={user}"]
        inside += ["--property=WorkingDirectory=/", "--setenv=LC_ALL=C.UTF-8", "--setenv=HOME=/tmp"]
        done = subprocess.run(
            ["nsenter", f"--target={self._init()}", "--all", *inside, *map(str, words)],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=600,
        )
        if status is not None and done.returncode != status:
            shown = " ".join(map(str, words))
            raise AssertionError(f"{shown}\nexit status {done.returncode}\n{done.stdout[-8000:]}")
        return done.stdout

    def shell(self, script: str, **options: object) -> str:
        """The output of a shell script inside, which ends at what fails."""
        return self.run("/bin/sh", "-euc", script, **options)  # type: ignore[arg-type]


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


class _ControlGroup:
    """A control group for a container: by systemd where that runs here, else made by hand."""

    _NUMBER = iter(range(1000))

    def __init__(self) -> None:
        self._folders: list[Path] = []
        name = f"journal-postfix-test-{os.getpid()}-{next(self._NUMBER)}"
        if Path("/run/systemd/system").is_dir():
            scope = [
                "systemd-run",
                "--quiet",
                "--scope",
                f"--unit={name}",
                "--property=Delegate=yes",
            ]
            self.enter = [*scope, "--"]
            return
        for hierarchy in ("", "systemd", "unified"):
            top = Path("/sys/fs/cgroup", hierarchy)
            if (top / "cgroup.procs").exists():
                (top / name).mkdir()
                self._folders.append(top / name)
        moves = "".join(f"echo $$ >{folder}/cgroup.procs; " for folder in self._folders)
        self.enter = ["sh", "-c", f'{moves}exec "$@"', "sh"]

    def remove(self) -> None:
        """Remove what was made; processes inside have ended, or end now."""
        for folder in self._folders:
            for one in [*sorted(folder.rglob("*/"), reverse=True), folder]:
                for _ in range(50):
                    try:
                        one.rmdir()
                        break
                    except FileNotFoundError:
                        break
                    except OSError:
                        time.sleep(0.1)
