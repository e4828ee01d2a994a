"""A progress bar for files being loaded: on a terminal and with `rich` at hand, else nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from journal_postfix.logfile import LogFile


@contextmanager
def progress() -> Iterator[Callable[[LogFile], None] | None]:
    """Gives a function that shows how far a file has been read, or None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield _plain
        sys.stderr.write("\n")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks = {}

        def show(logfile: LogFile) -> None:
            if logfile.path not in tasks:
                tasks[logfile.path] = bar.add_task(logfile.path, total=logfile.size)
            bar.update(tasks[logfile.path], completed=logfile.bytes_read)

        yield show


def _plain(logfile: LogFile) -> None:
    if logfile.size:
        part = 100 * logfile.bytes_read // logfile.size
        sys.stderr.write(f"\r{logfile.path}: {part} %")
