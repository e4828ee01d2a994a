"""A systemd-journald of our own, without an init: what syslog and its sockets lead to."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .waiting import wait_until

PROGRAM = "/lib/systemd/systemd-journald"
SOCKET = Path("/run/systemd/journal/dev-log")
# The kernel's and the audit log belong to the machine, not to this test.
SETTINGS = """[Journal]
Storage=persistent
ReadKMsg=no
Audit=no
RateLimitIntervalSec=0
ForwardToSyslog=no
ForwardToWall=no
SystemMaxUse=200M
"""


def start() -> subprocess.Popen[bytes]:
    """Start journald; it listens when this returns."""
    Path("/etc/systemd/journald.conf").write_text(SETTINGS)
    # Without this flag the journal stays in /run.
    SOCKET.parent.mkdir(parents=True)
    SOCKET.with_name("flushed").touch()
    # a service manager's socket, where there is one, is not reached from here
    environment = {k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"}
    process = subprocess.Popen([PROGRAM], env=environment)
    wait_until(SOCKET.exists, "journald listens")
    return process
