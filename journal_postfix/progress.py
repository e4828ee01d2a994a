"""A progress bar for files being loaded: on a terminal and with `rich` at hand, else nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from journal_postfix.logfile import Reading


@contextmanager
def progress_bar() -> Iterator[Callable[[Reading], None] | None]:
    """Gives a function that shows how far a file has been read, or None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    try:
        from rich import console, progress  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        yield _plain
        sys.stderr.write("\n")
        return
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console.Console(stderr=True)) as bar:
        tasks: dict[str, progress.TaskID] = {}

        def show(reading: Reading) -> None:
            if reading.name not in tasks:
                tasks[reading.name] = bar.add_task(reading.name, total=reading.size)
            bar.update(tasks[reading.name], completed=reading.bytes_read)

        yield show


def _plain(reading: Reading) -> None:
    if reading.size:
        part = 100 * reading.bytes_read // reading.size
        sys.stderr.write(f"\r{reading.name}: {part} %")
