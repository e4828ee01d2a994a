"""An SMTP client that remembers what it was told: the sending side's own truth."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from typing import Any, NamedTuple

from . import hosts

CODES = re.compile(r"(?:(?P<dsn>[245]\.\d+\.\d+) )?(?P<text>.*)", re.DOTALL)


class Reply(NamedTuple):
    """An SMTP reply, taken apart as Postfix writes it."""

    code: int
    dsn: str | None
    text: str

    @property
    def queue_id(self) -> str:
        """What follows ``queued as``."""
        return self.text.rpartition("queued as ")[2]


class Refusal(NamedTuple):
    """A reply that refused something, and all that the client had said before."""

    client_address: str
    client_name: str
    helo_name: str | None
    protocol_name: str
    state: str
    sender: str | None
    recipient: str | None
    reply: Reply


def connect(source: str, port: int) -> socket.socket:
    """A bare connection to the server."""
    return socket.create_connection((hosts.SERVER_ADDRESSES[0], port), 30, (source, 0))


class _Connection(smtplib.SMTP):
    """One that speaks before it is greeted, or is encrypted from the start."""

    def __init__(self, early: bytes, tls: ssl.SSLContext | None, **more: Any) -> None:
        self.early, self.tls = early, tls
        super().__init__(**more)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        connection.sendall(self.early)
        return self.tls.wrap_socket(connection) if self.tls else connection


def trusting(certificate: str | None = None) -> ssl.SSLContext:
    """TLS that accepts any certificate of the server; with one of its own if there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate)
    return context


class Client:
    """A connection from a host of the world. ``refusals`` collects every 4xx and 5xx verdict."""

    def __init__(
        self,
        source: str,
        port: int = 25,
        server: str = hosts.SERVER_ADDRESSES[0],
        early: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.address = source
        self.name = hosts.name_of(source)
        self.helo: str | None = None
        self.protocol = "SMTP"
        self.sender: str | None = None
        self.refusals: list[Refusal] = []
        self.smtp = _Connection(_bytes(early), tls, source_address=(source, 0), timeout=30)
        self.smtp._host = server  # type: ignore[attr-defined]  # starttls() needs it
        code, text = self.smtp.connect(server, port)
        self.greeting = self._reply("CONNECT", (code, text))

    def hello(self, name: str, verb: str = "EHLO") -> Reply:
        """EHLO or HELO."""
        self.helo = name
        self.protocol = "ESMTP" if verb == "EHLO" else "SMTP"
        if verb == "EHLO":
            return self._reply(verb, self.smtp.ehlo(name))
        return self._reply(verb, self.smtp.helo(name))

    def starttls(self) -> None:
        """Go on encrypted, trusting any certificate."""
        self.smtp.starttls(context=trusting())

    def tls(self) -> dict[str, Any]:
        """What the client knows of its TLS session, as columns."""
        assert isinstance(self.smtp.sock, ssl.SSLSocket)
        cipher, _, bits = self.smtp.sock.cipher() or (None, None, None)
        return {
            "encryption_protocol": self.smtp.sock.version(),
            "encryption_cipher": cipher,
            "encryption_keysize": bits,
            "tls_trust": "Anonymous",
        }

    def login(self, user: str, password: str) -> Reply:
        """AUTH PLAIN; a refusal is no verdict on a mail."""
        self.smtp.user, self.smtp.password = user, password
        try:
            code, text = self.smtp.auth("PLAIN", self.smtp.auth_plain)
        except smtplib.SMTPAuthenticationError as error:
            code, text = error.smtp_code, bytes(error.smtp_error)  # type: ignore[arg-type]
        return _parse(code, text)

    def mail(self, sender: str, options: str = "") -> Reply:
        """MAIL FROM."""
        self.sender = sender
        return self.command("MAIL", f"MAIL FROM:<{sender}>{options}")

    def rcpt(self, recipient: str, options: str = "") -> Reply:
        """RCPT TO."""
        return self.command("RCPT", f"RCPT TO:<{recipient}>{options}", recipient)

    def data(self, text: str) -> Reply:
        """DATA and the text; the last reply, the verdict of either."""
        reply = self.command("DATA", "DATA")
        if reply.code != 354:
            return reply
        self.smtp.send(smtplib._quote_periods(_bytes(text)) + b".\r\n")  # type: ignore[attr-defined]
        return self._reply("END-OF-MESSAGE", self.smtp.getreply())

    def bdat(self, text: str, last: str = " LAST", missing: int = 0) -> Reply:
        """BDAT and the text (RFC 3030), which may be shorter than announced."""
        body = _bytes(text)
        self.smtp.send(f"BDAT {len(body) + missing}{last}\r\n".encode() + body)
        if missing:
            return Reply(0, None, "")
        return self._reply("END-OF-MESSAGE" if last else "BDAT", self.smtp.getreply())

    def raw(self, data: bytes) -> Reply:
        """Any bytes, then a reply that is no verdict."""
        self.smtp.send(data)
        return _parse(*self.smtp.getreply())

    def command(
        self, state: str, line: str, recipient: str | None = None, end: str = "\r\n"
    ) -> Reply:
        """Any command; a refusal is kept under ``state``."""
        self.smtp.send(f"{line}{end}".encode())
        return self._reply(state, self.smtp.getreply(), recipient)

    def quit(self) -> None:
        """End the session."""
        self.smtp.quit()

    def drop(self) -> None:
        """End the connection without a word."""
        self.smtp.close()

    def _reply(self, state: str, answer: tuple[int, bytes], recipient: str | None = None) -> Reply:
        reply = _parse(*answer)
        if reply.code >= 400:
            self.refusals.append(
                Refusal(self.address, self.name, self.helo, self.protocol, state, self.sender,
                        recipient, reply)
            )  # fmt: skip
        return reply


def _bytes(text: str) -> bytes:
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8")


def _parse(code: int, text: bytes) -> Reply:
    match = CODES.fullmatch(text.decode("utf-8", "replace"))
    assert match
    return Reply(code, match["dsn"], match["text"])
