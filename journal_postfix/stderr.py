"""What a process says about its own work: on standard error, each line with its time."""

from __future__ import annotations

import logging
import os
import sys


def log_to_stderr(level: int) -> None:
    """Say everything of this level and above; under systemd without the time, which it adds."""
    service = "JOURNAL_STREAM" in os.environ
    logging.basicConfig(
        level=level,
        format="%(message)s" if service else "%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
