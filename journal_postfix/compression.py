"""Files opened for reading, and decompressed by what stands in them.

It knows the first bytes of compressed files, and the ways in which opening and reading can fail.
It refuses to know lines, and does not go by the ends of file names.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from journal_postfix.messages import InputError

STANDARD_INPUT = "-"

Read = Callable[[int], bytes]
"""Returns up to so many bytes, and none only at the end."""

DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, ValueError)
"""What reading raises where a compressed file is cut or damaged."""

FAULTS: tuple[tuple[type[OSError], str], ...] = (
    (FileNotFoundError, "there is no such file"),
    (PermissionError, "no permission to read this file"),
    (IsADirectoryError, "this is a directory, not a log file"),
)


def check(filepath: str) -> None:
    """Raise InputError where a file cannot be read; of a pipe nothing is taken."""
    if filepath == STANDARD_INPUT:
        return
    try:
        mode = Path(filepath).stat().st_mode
    except OSError:
        mode = stat.S_IFREG  # opening it tells what is wrong
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        with open_disk(filepath) as disk:
            text_reader(disk)
    elif not os.access(filepath, os.R_OK):
        raise InputError(f"{filepath}: no permission to read this file")


def open_disk(filepath: str) -> io.BufferedReader:
    """Open a file, ``-`` for standard input; InputError where that is not possible."""
    if filepath == STANDARD_INPUT:
        if sys.stdin is None:
            raise InputError("standard input is closed")
        return os.fdopen(0, "rb", closefd=False)
    try:
        return Path(filepath).open("rb")
    except OSError as error:
        words = (words for kind, words in FAULTS if isinstance(error, kind))
        raise InputError(f"{filepath}: {next(words, error.strerror)}") from None


def is_regular(disk: io.BufferedReader) -> bool:
    """Tell a file, which can be read twice, from a pipe, a terminal or a device."""
    return stat.S_ISREG(os.fstat(disk.fileno()).st_mode)


def text_reader(disk: io.BufferedReader) -> tuple[Read, bool]:
    """Return how to read the text from here on, and whether it is compressed.

    InputError where it is compressed with zstd and the package zstandard is missing.
    """
    try:
        head = disk.peek(LONGEST_MAGIC)
    except OSError as error:  # standard input may be open for writing, or a directory
        raise InputError(f"cannot be read: {error.strerror}") from None
    for magic, reader in READERS.items():
        if head.startswith(magic):
            return reader(disk), True
    return disk.read1, False


def _read_zstd(disk: io.BufferedReader) -> Read:
    try:
        import zstandard  # noqa: PLC0415 - an extra, needed for such files only
    except ImportError:
        raise InputError(
            "files compressed with zstd need the Python package zstandard "
            "(pip install 'journal-postfix[zstandard]')"
        ) from None

    def texts() -> Iterator[bytes]:
        frame, data = zstandard.ZstdDecompressor().decompressobj(), b""
        while data := data or disk.read1(ZSTD_INPUT):
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            try:
                text = frame.decompress(data)
            except zstandard.ZstdError as error:
                raise ValueError(*error.args) from None
            data = frame.unused_data
            if text:
                yield text
        if not frame.eof:
            raise EOFError("the last frame ends too early")

    found = texts()
    return lambda _size: next(found, b"")


ZSTD_INPUT = 1 << 14
"""Bytes decompressed at once: the only way here to bound what comes out."""

READERS: dict[bytes, Callable[[io.BufferedReader], Read]] = {
    b"\x1f\x8b": lambda disk: gzip.GzipFile(fileobj=disk).read1,
    b"BZh": lambda disk: bz2.BZ2File(disk).read1,
    b"\xfd7zXZ\x00": lambda disk: lzma.LZMAFile(disk).read1,  # noqa: SIM115 - disk is closed
    b"\x28\xb5\x2f\xfd": _read_zstd,
}
LONGEST_MAGIC = max(map(len, READERS))
