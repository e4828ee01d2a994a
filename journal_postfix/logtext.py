"""A growing text, read once in blocks of whole lines, with the digest of what was read.

It knows offsets, incomplete and overlong lines, and how to come back to an offset.
It refuses to know files, compression, and what stands in the lines.

A last line without newline is given as a line at the end of the text, and counts as read. Where
the text goes on later and the line turns out to be longer, it is given again, as a whole.

Bugs: of a line longer than a MiB only its beginning is given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from journal_postfix.compression import DAMAGE, Read

BLOCK = 1 << 17
"""Bytes read at once: larger buffers come from the kernel each time, smaller ones cost calls."""

LONGEST_LINE = 1 << 20


class DamagedText(Exception):
    """The text cannot be read to its end; all lines before that were given."""


class Text:
    """A text behind a function that reads it.

    ``start`` is the offset of the last block given, ``passed`` that behind the last bytes which
    belong to no block. Offsets are bytes from the beginning of the text.
    """

    def __init__(self, read: Read) -> None:
        self.start = 0
        self.passed = 0
        self._read = read
        self._ahead = b""
        self._damage: DamagedText | None = None
        self._left: int | None = None
        self._block = b""
        self._pending = b""
        self._pending_start = 0
        self._given = False
        self._cut = False
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._newlines = 0

    def beginning(self, size: int) -> bytes:
        """Return so many bytes, fewer if a line or the text ends; to be called first of all."""
        while b"\n" not in self._ahead and len(self._ahead) < size and (data := self._data()):
            self._ahead += data
        return self._ahead[:size]

    def blocks(self, *, last: bool) -> Iterator[bytes]:
        """Yield blocks of whole lines up to the present end of the text.

        ``last``: an incomplete line there is a line, and comes as a block without newline;
        otherwise it waits until the rest has come. DamagedText where reading fails.
        """
        while data := self._more():
            if block := self._whole_lines(data):
                yield block
        if last and self._pending and not self._given:
            self._given = True
            yield self._enter(self._pending)

    def waits(self) -> bool:
        """Tell whether a line is incomplete and has not been given."""
        return bool(self._pending) and not self._given

    def skip(self, offset: int, see: Callable[[bytes], None]) -> bool:
        """Read up to an offset, show the blocks before it; False where the text ends earlier."""
        self._left = offset
        for block in self.blocks(last=False):
            see(block)
        self._left = None
        self._pass_block()
        self._hash.update(self._pending)
        self._hashed += len(self._pending)
        self._given = bool(self._pending)
        return self._hashed == offset

    def digest(self, offset: int) -> str:
        """Return the SHA-256 (hex) of the text up to an offset within the last block, or its end.

        Offsets must not go back.
        """
        self._hash_up_to(offset)
        return self._hash.copy().hexdigest()

    def lines(self, offset: int) -> int:
        """Return the number of lines up to an offset within the last block, or its end."""
        seen = self._block[: max(0, offset - self.start)]
        return self._newlines + seen.count(b"\n") + (seen[-1:] not in (b"\n", b""))

    def _data(self) -> bytes:
        if self._damage:
            raise self._damage
        try:
            return self._read(BLOCK)
        except DAMAGE as error:
            self._damage = DamagedText(str(error) or type(error).__name__)
            if self._ahead:
                return b""
            raise self._damage from None

    def _more(self) -> bytes:
        if self._left == 0:
            return b""
        data, self._ahead = self._ahead or self._data(), b""
        if self._left is not None:
            data, self._ahead = data[: self._left], data[self._left :]
            self._left -= len(data)
        return data

    def _whole_lines(self, data: bytes) -> bytes:
        """Return what of the data, and of the line begun before it, is complete."""
        data = self._without_rest(data)
        end = data.rfind(b"\n") + 1
        if end:
            block, rest = self._pending + data[:end], data[end:]
        else:
            block, rest = b"", self._pending + data
            if len(rest) >= LONGEST_LINE:
                block, rest, self._cut = rest, b"", True
        if block:
            self._enter(block)
            self._pending_start += len(block)
        self._pending = rest
        return block

    def _without_rest(self, data: bytes) -> bytes:
        """Take away what still belongs to a line that was given."""
        if self._cut:
            end = data.find(b"\n") + 1 or len(data)
            self._cut = not data.startswith(b"\n", end - 1)
            return self._passed_over(data, end)
        if self._given:
            self._given = False
            if data.startswith(b"\n"):
                return self._passed_over(data, 1)
        return data

    def _passed_over(self, data: bytes, end: int) -> bytes:
        self._pass_block()
        self._hash.update(data[:end])
        self._hashed += end
        self._newlines += data.count(b"\n", 0, end)
        self._pending, self._pending_start = b"", self._hashed
        self.start = self.passed = self._hashed
        return data[end:]

    def _enter(self, block: bytes) -> bytes:
        self._pass_block()
        self._block, self.start = block, self._pending_start
        return block

    def _pass_block(self) -> None:
        self._hash_up_to(self.start + len(self._block))
        self._newlines += self._block.count(b"\n")
        self._block = b""

    def _hash_up_to(self, offset: int) -> None:
        if offset > self._hashed:
            self._hash.update(self._block[self._hashed - self.start : offset - self.start])
            self._hashed = offset
