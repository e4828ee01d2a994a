"""A milter that judges by the subject and the sender, speaking Postfix's side of the protocol.

Packets are a length (4 bytes), a command letter and data. It asks for every step and answers
each (``libmilter/mfapi.h`` names the letters).
"""

from __future__ import annotations

import socketserver
import struct
import threading

LISTEN = ("127.0.0.1", 10030)
VERSION = 6
MAY_ADD_HEADERS_AND_QUARANTINE = 0x01 | 0x20
CONTINUE = b"c"
GONE = b""  # no answer, and the connection ends
# word in the subject -> packets at the end of the message
SUBJECTS: dict[str, list[bytes]] = {
    "casino": [b"y550 5.7.1 looks like gambling\0"],
    "overdue": [b"t"],
    "prize": [b"r"],
    "junk": [b"d"],
    "attachment": [b"qattachment to be looked at\0", CONTINUE],
    "vanishing": [GONE],
    "greeting": [b"hX-Milter\0seen\0", CONTINUE],
}
# local part of the sender, or of the recipient -> packet
SENDERS = {"banned": b"y554 5.7.1 this sender is banned\0", "paused": b"t"}
RECIPIENTS = {"abuse": b"y451 4.7.1 not today\0"}


class Milter(socketserver.StreamRequestHandler):
    """One connection from an smtpd."""

    def handle(self) -> None:
        """Answer packets until the end."""
        self.subject = ""
        while header := self.rfile.read(4):
            packet = self.rfile.read(struct.unpack(">I", header)[0])
            command, data = packet[:1], packet[1:]
            if command == b"Q":
                return
            for answer in self._answers(command, data):
                if answer == GONE:
                    return
                self.wfile.write(struct.pack(">I", len(answer)) + answer)

    def _answers(self, command: bytes, data: bytes) -> list[bytes]:
        if command in b"DAK":  # macros, abort, new connection: no answer
            return []
        if command == b"O":
            return [b"O" + struct.pack(">III", VERSION, MAY_ADD_HEADERS_AND_QUARANTINE, 0)]
        if command == b"M":
            return [SENDERS.get(_local(data), CONTINUE)]
        if command == b"R":
            return [RECIPIENTS.get(_local(data), CONTINUE)]
        if command == b"L":
            self._header(data)
        return self._verdict() if command == b"E" else [CONTINUE]

    def _header(self, data: bytes) -> None:
        name, value = data.decode("utf-8", "replace").split("\0")[:2]
        if name.lower() == "subject":
            self.subject = value

    def _verdict(self) -> list[bytes]:
        for word, answers in SUBJECTS.items():
            if word in self.subject:
                return answers
        return [CONTINUE]


def _local(data: bytes) -> str:
    address = data.split(b"\0")[0].decode("utf-8", "replace").strip("<>")
    return address.rpartition("@")[0].rstrip("0123456789")


def start() -> None:
    """Listen until the process ends."""
    socketserver.ThreadingTCPServer.daemon_threads = True
    server = socketserver.ThreadingTCPServer(LISTEN, Milter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
