"""Standard input, output and error, which whoever starts a program may have closed or taken away."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def open_streams() -> None:
    """Have something behind the standard streams: else a socket may become standard output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end


def leave_output() -> None:
    """What is left of the output goes nowhere, so that Python does not complain of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
