"""Dovecot's side of SASL, as smtpd asks it on a Unix socket (Dovecot's auth protocol, version 1).

PLAIN only. The password decides: the right one, one that means "not now", any other.
"""

from __future__ import annotations

import base64
import binascii
import socketserver
import threading
from pathlib import Path

from .people import PASSWORD

SOCKET = "/srv/auth"
LATER = "later please"
HELLO = "VERSION\t1\t0\nCUID\t1\nCOOKIE\tc0ffee\nMECH\tPLAIN\tplaintext\nDONE\n"


class Authority(socketserver.StreamRequestHandler):
    """One connection from an smtpd: AUTH and CONT commands, an answer for each."""

    def handle(self) -> None:
        """Answer until the connection ends."""
        self.wfile.write(HELLO.encode())
        while line := self.rfile.readline():
            command, _, rest = line.decode().strip().partition("\t")
            if command in ("AUTH", "CONT"):
                self.wfile.write(_answer(*rest.split("\t")).encode() + b"\n")


def _answer(number: str, *words: str) -> str:
    """The answer to ``AUTH number PLAIN ... resp=BASE64`` or ``CONT number BASE64``."""
    given = words[-1].partition("resp=")[2] if words[0] == "PLAIN" else words[0]
    if not given:
        return f"CONT\t{number}\t"
    try:
        _, user, password = base64.b64decode(given, validate=True).decode().split("\0")
    except (binascii.Error, ValueError):
        return f"FAIL\t{number}\treason=Invalid base64 data in continued response"
    if password == LATER:
        return f"FAIL\t{number}\tuser={user}\ttemp"
    return f"OK\t{number}\tuser={user}" if password == PASSWORD else f"FAIL\t{number}\tuser={user}"


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def start() -> None:
    """Listen until the process ends."""
    server = _Server(SOCKET, Authority)
    Path(SOCKET).chmod(0o666)
    threading.Thread(target=server.serve_forever, daemon=True).start()
