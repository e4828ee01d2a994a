"""Waiting for something that must come soon."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 30.0


def wait_until(true: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Return when ``true()`` holds. Raises TimeoutError, naming ``what``, after ``patience`` s."""
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {patience:.0f} s: {what}")
        time.sleep(0.03)
