"""A private PostgreSQL for those who name no server: created, started, shared and stopped here.

It knows where the files lie and who uses the server; it knows no table and opens no database
connection, it only hands out the DSN of a server that is ready. postgresql.py knows the programs.

One server per ``data_dir``, its files in ``data_dir/pgMAJOR``, fsync on, reached through a Unix
socket only. That socket lies in the folder of the files, which PostgreSQL insists on keeping shut
to everybody but its owner; where that path is too long for a socket, in a folder under /tmp that
is shut likewise. Who may enter that folder is the whole access control: the owner and root.

Processes share the server. Each holds a shared lock on ``pgMAJOR`` while it lives (the kernel
takes it back, whatever kills the process); the last one out stops the server. A connection
from elsewhere (psql) does not count. Creating and starting is done under an exclusive lock on
``data_dir``. A server that died is started again by the next call, which also works in a
process that got its DSN before: the DSN stays the same.

Bugs: needs a local disk, because network file systems have no locks on folders. A process that
is killed leaves the server running until the next process that uses it ends.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from journal_postfix import postgresql
from journal_postfix.messages import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM_DATA_DIR = Path("/var/lib/journal-postfix")
DATABASE = "journal_postfix"
SUPERUSER = "postgres"
PORT = 5432
SOCKET_PATH_MAX = 107  # unix(7): sun_path without its closing NUL
START_SECONDS = 300  # after a crash PostgreSQL first replays its log
START_TRIES = 8  # nine seconds
STOP_SECONDS = 60
LOG_BYTES_MAX = 1_000_000
NO_PROCESS = 2**31 - 1  # more than Linux ever gives

# Terse and without statements: PostgreSQL's log would otherwise quote people's addresses.
SETTINGS = {
    "listen_addresses": "",
    "jit": "off",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}

_held: dict[Path, int] = {}  # pgdata -> the open folder that carries our shared lock


class _Postmaster(NamedTuple):
    """What postmaster.pid tells about a server that listens; ``status`` is '' at first."""

    pid: int
    socket_dir: Path
    status: str


def default_data_dir() -> Path:
    """The folder of the private database when the configuration names none.

    The service's state folder (systemd sets STATE_DIRECTORY), else the user's. Root's is
    /var/lib/journal-postfix: the server cannot run as root, and nobody else may enter /root.
    Raises InputError for a user without a home.
    """
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0])
    base = os.environ.get("XDG_STATE_HOME", "")
    if base.startswith("/"):  # the XDG specification: a relative path is to be ignored
        return Path(base, "journal-postfix")
    if os.geteuid() == 0:
        return SYSTEM_DATA_DIR
    try:
        return Path.home() / ".local/state/journal-postfix"
    except RuntimeError:
        raise InputError("this user has no home folder: set data_dir, or give --dsn") from None


def embedded_dsn(data_dir: Path, *, create: bool) -> str:
    """The libpq DSN of the private server under ``data_dir``, ready to be connected to.

    Starts it where it is down, creates it where there is none and ``create`` allows it. It runs
    until the last process that called this has ended. Raises InputError.
    """
    data_dir = data_dir.expanduser().absolute()
    try:
        return _dsn(_open(data_dir, create=create))
    except OSError as error:
        raise InputError(f"the private database in {data_dir} cannot be used: {error}") from error


def stop(data_dir: Path) -> None:
    """Stop the private server under ``data_dir`` now, whoever uses it; nothing if it is down."""
    data_dir = data_dir.expanduser().absolute()
    for pgdata in _clusters(data_dir):
        with _locked(data_dir):
            if pgdata in _held:
                os.close(_held.pop(pgdata))
            _stop(pgdata)


# The files


def _clusters(data_dir: Path) -> list[Path]:
    """The database folders that are there, newest PostgreSQL first."""
    found = [path for path in data_dir.glob("pg*") if re.fullmatch(r"pg\d+", path.name)]
    return sorted(found, key=_major, reverse=True)


def _major(pgdata: Path) -> int:
    return int(pgdata.name.removeprefix("pg"))


def _open(data_dir: Path, *, create: bool) -> Path:
    """The socket folder of the server, ready; see embedded_dsn."""
    if not _clusters(data_dir):
        if not create:
            raise InputError(
                f"no database yet: there is none in {data_dir}; load a log first with"
                " `journal-postfix backfill FILE`, or name a server with --dsn"
            )
        _make_data_dir(data_dir)
    with _locked(data_dir) as folder:
        pgdata = next(iter(_clusters(data_dir)), None) or _create(data_dir, folder)
        _check_owner(pgdata)
        _join(pgdata)
        return _serve(pgdata)


def _make_data_dir(data_dir: Path) -> None:
    """Make the folder and what is missing above it; root's server user must be let through."""
    root = os.geteuid() == 0
    missing = [path for path in (data_dir, *data_dir.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(0o700 if not root else 0o711 if path == data_dir else 0o755)


def _create(data_dir: Path, folder: int) -> Path:
    """A new database folder; it gets its name when complete, so that a kill leaves no half one."""
    version, bindir, account = postgresql.choose(data_dir, None, data_dir)
    for left in data_dir.glob("pg*.new-*"):
        shutil.rmtree(left)
    new = Path(tempfile.mkdtemp(prefix=f"pg{version[0]}.new-", dir=data_dir))
    postgresql.give(new, account)
    auth = ["--auth-local=trust", "--auth-host=reject", f"--username={SUPERUSER}"]
    initdb = [bindir / "initdb", "-D", new, *auth, "--encoding=UTF8", "--no-locale"]
    postgresql.run_or_fail(initdb, account)
    statements = [f"CREATE DATABASE {DATABASE}"]
    statements += [f"ALTER SYSTEM SET {name} = '{value}'" for name, value in SETTINGS.items()]
    single = [bindir / "postgres", "--single", "-D", new, "-c", "exit_on_error=on", "postgres"]
    postgresql.run_or_fail(single, account, "\n".join([*statements, ""]))
    pgdata = new.rename(data_dir / f"pg{version[0]}")
    os.fsync(folder)
    return pgdata


def _check_owner(pgdata: Path) -> None:
    uid = pgdata.stat().st_uid
    if os.geteuid() not in {0, uid}:
        raise InputError(f"the database in {pgdata} belongs to uid {uid}: run this as that user")


# Sharing: who holds a lock uses the server


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[int]:
    """Alone in ``data_dir``; waits for others. The value is the open folder."""
    folder = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(folder)


def _join(pgdata: Path) -> None:
    """Keep the server running while this process lives; waits while the last one out stops it."""
    if pgdata not in _held:
        folder = os.open(pgdata, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(folder, fcntl.LOCK_SH)
        _held[pgdata] = folder
        atexit.register(_leave, pgdata, os.getpid())


def _leave(pgdata: Path, pid: int) -> None:
    """Stop the server unless another process holds it; a forked child has nothing to leave."""
    if pid != os.getpid() or pgdata not in _held:
        return
    folder = _held.pop(pgdata)
    with contextlib.suppress(OSError):  # BlockingIOError: others use it; else: it is gone already
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _stop(pgdata)
    os.close(folder)


# The server's life


def _serve(pgdata: Path) -> Path:
    """Wait until the server is ready, starting it where it is down; its socket folder."""
    deadline = time.monotonic() + START_SECONDS
    tries = 0
    while time.monotonic() < deadline:
        up = _postmaster(pgdata)
        if up and up.status == "ready":
            return up.socket_dir
        if not up and not _start(pgdata):
            # Not a failure at once: what a killed server leaves behind needs a moment to go.
            tries += 1
            if tries == START_TRIES:
                raise InputError(f"PostgreSQL in {pgdata} does not start: {_last_words(pgdata)}")
        time.sleep(0.05 + 0.3 * tries)
    raise InputError(f"PostgreSQL in {pgdata} was not ready after {START_SECONDS} s")


def _postmaster(pgdata: Path) -> _Postmaster | None:
    """The server that listens, or None; its process id alone may be another process's by now."""
    try:
        lines = (pgdata / "postmaster.pid").read_text().splitlines()
        up = _Postmaster(int(lines[0]), Path(lines[4]), "".join(lines[7:8]).strip())
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(_socket_path(up.socket_dir))
    except (FileNotFoundError, ConnectionRefusedError, IndexError, ValueError):
        return None
    return up


def _start(pgdata: Path) -> bool:
    _, bindir, account = postgresql.choose(pgdata.parent, _major(pgdata), pgdata)
    socket_dir = _socket_dir(pgdata, account)
    _bury(pgdata / "postmaster.pid")
    _bury(Path(f"{_socket_path(socket_dir)}.lock"))
    log = pgdata / "server.log"
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.unlink()
    options = {
        "listen_addresses": "",
        "unix_socket_directories": socket_dir,
        "unix_socket_permissions": "0700",
        "port": PORT,
    }
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    pg_ctl = [bindir / "pg_ctl", "start", "-w", "-t", START_SECONDS, "-D", pgdata, "-l", log]
    return not postgresql.run([*pg_ctl, "-o", shlex.join(words)], account).returncode


def _bury(lock_file: Path) -> None:
    """Let go of the process id of a dead server that nobody has waited for.

    In a container without an init such a process stays for ever, and PostgreSQL would take it for
    a running server. The other lines of the lock file stay: by those of postmaster.pid it sees
    whether sessions of the dead server are still at work.
    """
    try:
        pid, rest = lock_file.read_text().split("\n", 1)
        state = Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ValueError):
        return
    if state == "Z":
        file = os.open(lock_file, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
        with os.fdopen(file, "w") as text:
            text.write(f"{NO_PROCESS}\n{rest}")


def _stop(pgdata: Path) -> None:
    """Fast shutdown: sessions end, all is on disk. Waits, but not for ever."""
    up = _postmaster(pgdata)
    if up is None:
        return
    deadline = time.monotonic() + STOP_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.kill(up.pid, signal.SIGINT)
        while (pgdata / "postmaster.pid").exists() and time.monotonic() < deadline:
            os.kill(up.pid, 0)
            time.sleep(0.02)


def _last_words(pgdata: Path) -> str:
    """The end of the server's log in one line."""
    log = pgdata / "server.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return " / ".join(lines[-3:]) or f"see {log}"


# The socket


def _socket_path(socket_dir: Path) -> str:
    return str(socket_dir / f".s.PGSQL.{PORT}")


def _socket_dir(pgdata: Path, account: postgresql.Account) -> Path:
    """The folder for the socket; commas and quotes in it would mislead libpq and PostgreSQL."""
    path = _socket_path(pgdata)
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX and not set(path) & set(',"'):
        return pgdata
    short = _short_socket_dir(pgdata)
    with contextlib.suppress(FileExistsError):
        short.mkdir(mode=0o700)
        postgresql.give(short, account)
    found = short.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == pgdata.stat().st_uid
    if not ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise InputError(f"{short} is no folder of the server's alone: remove it")
    return short


def _short_socket_dir(pgdata: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(pgdata)).hexdigest()[:16]
    return Path(f"/tmp/journal-postfix-{digest}")  # noqa: S108 -- ours alone, or refused above


def _dsn(socket_dir: Path) -> str:
    host = str(socket_dir).replace("\\", "\\\\").replace("'", "\\'")
    return f"host='{host}' port={PORT} user={SUPERUSER} dbname={DATABASE}"
