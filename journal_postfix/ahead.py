"""Batches made ahead: one process reads and parses while this one merges and stores.

What makes the batches runs in a process of its own, which knows no database; they come through a
pipe, so that it is ahead by little, and waits while the database is away. It lives as long as
somebody listens: whatever ends this process breaks the pipe.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import os
import pickle
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import IO, Any, TypeVar

from journal_postfix.messages import InputError
from journal_postfix.stderr import log_to_stderr

Made = TypeVar("Made")

_START = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer);"
    "from journal_postfix.ahead import serve; serve()"
)
_SIZE = 4  # bytes that tell the size of what follows; 0 at the end
_LOOK = 200  # milliseconds between looks whether to stop
_OBJECTS = 100_000  # made and not yet gone
_QUEUED = 1 << 20  # bytes that the pipe may hold, about a batch


@contextlib.contextmanager
def ahead(
    stop: Event, make: Callable[..., Iterator[Made]], *arguments: Any
) -> Iterator[Iterator[Made]]:
    """Give what ``make(*arguments)`` yields, made by another process, until stopped.

    Function, arguments and what is made travel by pickle. The iterator raises the InputError that
    ended the other process, after all that was made before.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _START], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):  # an ordinary user may have used up his share
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _QUEUED)
    received = _received(process.stdout.fileno(), stop)
    try:
        with contextlib.suppress(BrokenPipeError), process.stdin as order:
            order.write(pickle.dumps(sys.path))
            order.write(pickle.dumps((logging.root.getEffectiveLevel(), make, arguments)))
        yield received
    finally:
        process.kill()  # first: nobody wants more, and the thread need not wait for it
        received.close()
        process.wait()
        process.stdout.close()


def look_for_garbage_seldom() -> None:
    """Let the collector of garbage run once in many batches.

    They make tens of thousands of objects and no cycles; by default it would look at them again
    and again, for a sixteenth of the time.
    """
    gc.set_threshold(_OBJECTS, 10, 10)


def serve() -> None:
    """Make what standard input asks for, and write it to standard output: the other process."""
    for which in (signal.SIGINT, signal.SIGTERM):  # who stores decides when to end
        signal.signal(which, signal.SIG_IGN)
    level, make, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
    log_to_stderr(level)
    look_for_garbage_seldom()
    with contextlib.suppress(BrokenPipeError), sys.stdout.buffer as out:
        try:
            for made in make(*arguments):
                _send(out, pickle.dumps(made, pickle.HIGHEST_PROTOCOL))
        except InputError as error:
            _send(out, pickle.dumps(error))
        _send(out, b"")


def _send(out: IO[bytes], data: bytes) -> None:
    out.write(len(data).to_bytes(_SIZE, "big"))
    out.write(data)
    out.flush()


def _received(pipe: int, stop: Event) -> Generator[Any, None, None]:
    """What comes, with the next one fetched by a thread meanwhile."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(_fetched, pipe, stop)
        while (made := coming.result()) is not None:
            if isinstance(made, InputError):
                raise made
            coming = thread.submit(_fetched, pipe, stop)
            yield made


def _fetched(pipe: int, stop: Event) -> Any:
    data = _next(pipe, stop)
    return _loaded(data) if data else None


def _next(pipe: int, stop: Event) -> bytearray:
    size = int.from_bytes(_read(pipe, _SIZE, stop), "big")
    return _read(pipe, size, stop)


def _read(pipe: int, size: int, stop: Event) -> bytearray:
    """So many bytes; none where stopped. InputError where the other process was killed."""
    data = bytearray()
    ready = select.poll()
    ready.register(pipe, select.POLLIN)
    while len(data) < size and not stop.is_set():
        if ready.poll(_LOOK):
            part = os.read(pipe, size - len(data))
            if not part:
                raise InputError("the process that reads the log has ended before its time")
            data += part
    return data if len(data) == size else bytearray()


def _loaded(data: bytearray) -> Any:
    """What was sent; the collector of garbage would look through all of it again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return pickle.loads(data)  # noqa: S301 - from our own child
    finally:
        if was_enabled:
            gc.enable()
