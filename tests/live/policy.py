"""A policy server (Postfix's SMTPD_POLICY_README) that greylists: the first time no, then yes."""

from __future__ import annotations

import socketserver
import threading

LISTEN = ("127.0.0.1", 10031)


class Greylist(socketserver.StreamRequestHandler):
    """One connection of an smtpd: blocks of ``name=value`` lines, an action for each."""

    seen: set[tuple[str, str, str]]

    def handle(self) -> None:
        """Answer requests until the connection ends."""
        while request := self._request():
            key = (request["client_address"], request["sender"], request["recipient"])
            action = "DUNNO" if key in self.seen else "DEFER_IF_PERMIT greylisted, come back later"
            self.seen.add(key)
            self.wfile.write(f"action={action}\n\n".encode())

    def _request(self) -> dict[str, str]:
        attributes = {}
        while (line := self.rfile.readline().decode().rstrip("\n")) != "":
            name, _, value = line.partition("=")
            attributes[name] = value
        return attributes


def start() -> None:
    """Listen until the process ends."""
    handler = type("Handler", (Greylist,), {"seen": set()})
    server = socketserver.ThreadingTCPServer(LISTEN, handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
