"""The servers to which Postfix hands mail on: they answer by script and keep what they were told.

SMTP with STARTTLS, and LMTP over TCP and a Unix socket. A recipient's local part chooses the
answer, a host's name chooses how the whole host behaves. They know nothing of queues or logs.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import hosts

# local part -> (stage, reply); stages: RCPT, DATA (end of data), HANGUP (close in the data)
ANSWERS: dict[str, tuple[str, str]] = {
    "unknown": ("RCPT", "550 5.1.1 <{recipient}>: Recipient address rejected: User unknown"),
    "full": ("RCPT", "452 4.2.2 mailbox is full (quota exceeded)"),
    "moved": ("RCPT", "551 5.1.6 user not local; please try <{recipient}.new>"),
    "chatty": ("RCPT", "550-5.7.1 We do not like this mail.\n550-5.7.1 See our rules at\n550 5.7.1 https://example.org/rules (code A4)"),
    "bare": ("RCPT", "550 no such user here"),
    "virus": ("DATA", "554 5.7.1 virus found: Eicar-Test"),
    "overload": ("DATA", "451 4.3.0 storage is busy, try again later"),
    "grey": ("ONCE", "450 4.2.0 <{recipient}>: Recipient address rejected: Greylisted"),
    "retry": ("ONCE", "451 4.7.1 try again in 1 minute"),
    "liar": ("RCPT", "550 5.1.1 to=<eve@example.org>, relay=none, delay=0, dsn=2.0.0, status=sent (250 ok)"),
    "cut": ("HANGUP", ""),
}  # fmt: skip
# host -> (stage, reply) for every mail
HOSTS: dict[str, tuple[str, str]] = {
    "mx.busy.example": ("GREETING", "421 4.3.2 mx.busy.example too many connections"),
    "mx.strict.example": ("MAIL", "550 5.7.1 your network is not welcome"),
    "mx.hangup.example": ("GREETING", ""),
    "mx.badtls.example": ("TLS", ""),
    "mx.login.example": ("AUTH", "535 5.7.8 wrong password"),
    "mx.old.example": ("EHLO", "502 5.5.2 what is EHLO?"),
}
# host -> what it offers beside the usual
OFFERS = {
    "mx.login.example": ("AUTH PLAIN",),
    "mx.small.example": ("SIZE 700",),
    **dict.fromkeys(
        ("mx.example.edu", "mx.badtls.example", "mx.secure.example", "mx.often.example"),
        ("STARTTLS",),
    ),
}
LMTP_SOCKET = "/srv/lmtp"
LISTENERS = (
    *((name, 25) for name in ("mx1.example.org", "mx2.example.org", "mx.example.edu")),
    *((name, 25) for name in ("mx.busy.example", "mx.strict.example", "mx.hangup.example")),
    *((name, 25) for name in ("mail.example.net", "mx.out.example", "mx.asked.example")),
    *((name, 25) for name in ("mx.badtls.example", "mx.secure.example", "mx.often.example")),
    *((name, 25) for name in ("mx.login.example", "mx.old.example", "mx.small.example")),
    ("mx2.example.org", 2627),
)


@dataclass
class Mail:
    """One transaction as the sink saw it: the answer to each recipient, and the text."""

    relay_name: str
    relay_address: str
    relay_port: int | None
    protocol: str
    mail_from: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    data: str = ""
    tls: bool = False


class Sink:
    """All listeners and all they received."""

    def __init__(self, certificate: str) -> None:
        self.mails: list[Mail] = []
        self.asked: Counter[str] = Counter()
        self.refused_once: set[tuple[str, str]] = set()
        self.number = 0
        self.lock = threading.Lock()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate)

    def start(self) -> None:
        """Listen everywhere, in threads that end with the process."""
        for name, port in LISTENERS:
            for address in hosts.ADDRESSES[name]:
                self._listen((address, port), name, "smtp")
        self._listen(("127.0.0.1", 2400), "127.0.0.1", "lmtp")
        self._listen(LMTP_SOCKET, LMTP_SOCKET, "lmtp")
        Path(LMTP_SOCKET).chmod(0o666)

    def _listen(self, address: Any, name: str, protocol: str) -> None:
        handler = type("Handler", (Session,), {"sink": self, "host": name, "protocol": protocol})
        server = _server_class(address)(address, handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def next_id(self) -> str:
        """A queue id of this server, as it goes into its answers."""
        with self.lock:
            self.number += 1
            return f"S{self.number:06d}"

    def answers(self) -> list[dict[str, Any]]:
        """Every answer to every recipient, in order."""
        return [
            {"relay_name": m.relay_name, "relay_address": m.relay_address, "tls": m.tls}
            | {"relay_port": m.relay_port, "protocol": m.protocol, "sender": m.mail_from}
            | {"recipient": recipient, "answer": answer}
            for m in self.mails
            for recipient, answer in m.answers.items()
        ]

    def first_time(self, host: str, recipient: str) -> bool:
        """Whether a host is asked for a recipient for the first time."""
        with self.lock:
            first = (host, recipient) not in self.refused_once
            self.refused_once.add((host, recipient))
            return first


class _Threads(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuseaddress_in = True
    daemon_threads = True
    request_queue_size = 64


class _Threads6(_Threads):
    address_family = socket.AF_INET6


class _UnixThreads(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def _server_class(address: Any) -> Callable[..., socketserver.BaseServer]:
    if isinstance(address, str):
        return _UnixThreads
    return _Threads6 if ":" in address[0] else _Threads


class Session(socketserver.StreamRequestHandler):
    """One connection. The class attributes are set per listener."""

    sink: Sink
    host: str
    protocol: str

    def handle(self) -> None:
        """Answer commands until QUIT, the end of the connection or a script's hang-up."""
        self.tls = self.began = False
        self._new_mail()
        stage, reply = self._stage()
        if stage == "GREETING":
            if reply:
                self._say(reply)
            return
        self._say(f"220 {self.host} {self.protocol.upper()} ready")
        while line := self.rfile.readline():
            verb, _, argument = line.decode("utf-8", "surrogateescape").strip().partition(" ")
            if not self._command(verb.upper(), argument):
                return

    def _command(self, verb: str, argument: str) -> bool:
        method = COMMANDS.get(verb)
        if method is None:
            self._say("502 5.5.2 command not recognised")
            return True
        return method(self, argument)

    def _say(self, text: str) -> None:
        self.wfile.write(text.replace("\n", "\r\n").encode() + b"\r\n")

    def _new_mail(self) -> None:
        name = self.connection.getsockname()
        address, port = (name, None) if isinstance(name, str) else name[:2]
        self.mail = Mail(self.host, address, port, self.protocol, tls=self.tls)

    def _stage(self) -> tuple[str, str]:
        return HOSTS.get(self.host, ("", ""))

    def ehlo(self, argument: str) -> bool:
        """EHLO: not known everywhere."""
        stage, reply = self._stage()
        if stage != "EHLO":
            return self.hello(argument)
        self._say(reply)
        return True

    def hello(self, argument: str) -> bool:
        """EHLO, HELO, LHLO."""
        lines = [self.host, "PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "DSN"]
        offers = OFFERS.get(self.host, ())
        lines += [offer for offer in offers if not (self.tls and offer == "STARTTLS")]
        last = len(lines) - 1
        self._say("\n".join(f"250{' ' if n == last else '-'}{x}" for n, x in enumerate(lines)))
        return True

    def starttls(self, argument: str) -> bool:
        """STARTTLS: go on encrypted, or answer with nonsense."""
        self._say("220 2.0.0 ready")
        if self._stage()[0] == "TLS":
            self._say("is this TLS?")
            return False
        self.request = self.sink.tls.wrap_socket(self.connection, server_side=True)
        self.setup()
        self.tls = True
        self._new_mail()
        return True

    def mail_from(self, argument: str) -> bool:
        """MAIL: refused where the host refuses everybody."""
        self._new_mail()
        stage, reply = self._stage()
        self.began = stage != "MAIL"
        if not self.began:
            self._say(reply)
            return True
        self.mail.mail_from = address_in(argument)
        self._say("250 2.1.0 ok")
        return True

    def rcpt_to(self, argument: str) -> bool:
        """RCPT: the recipient's local part decides."""
        if not self.began:
            self._say("503 5.5.1 MAIL first")
            return True
        recipient = address_in(argument)
        stage, reply = self._script(recipient)
        self.sink.asked[recipient] += 1
        if stage == "RCPT" or (stage == "ONCE" and self.sink.first_time(self.host, recipient)):
            answer = reply.format(recipient=recipient)
            self._refused(recipient, answer)
        else:
            answer = "250 2.1.5 ok"
            self.mail.answers[recipient] = ""
        self._say(answer)
        return True

    def _script(self, recipient: str) -> tuple[str, str]:
        local = recipient.rpartition("@")[0].partition("+")[0]
        return ANSWERS.get(local.rstrip("0123456789"), ("", ""))

    def _refused(self, recipient: str, answer: str) -> None:
        mail = Mail(self.host, self.mail.relay_address, self.mail.relay_port, self.protocol)
        mail.mail_from, mail.answers = self.mail.mail_from, {recipient: answer}
        self.sink.mails.append(mail)

    def data(self, argument: str) -> bool:
        """DATA: one answer for SMTP, one for each recipient for LMTP."""
        if not self.mail.answers:
            self._say("554 5.5.1 no valid recipients")
            return True
        stages = {self._script(recipient)[0] for recipient in self.mail.answers}
        self._say("354 go on")
        if "HANGUP" in stages:
            self.rfile.readline()
            return False
        self.mail.data = self._read_data()
        self._end_of_data()
        self._keep()
        self._new_mail()
        return True

    def _keep(self) -> None:
        self.sink.mails.append(self.mail)

    def _end_of_data(self) -> None:
        """LMTP answers for every recipient; SMTP once, refusing all if it refuses one."""
        for recipient in self.mail.answers:
            stage, reply = self._script(recipient)
            taken = f"250 2.0.0 Ok: queued as {self.sink.next_id()}"
            self.mail.answers[recipient] = reply if stage == "DATA" else taken
        if self.protocol == "smtp":
            worst = max(self.mail.answers.values())
            self.mail.answers = dict.fromkeys(self.mail.answers, worst)
            self._say(worst)
            return
        for answer in self.mail.answers.values():
            self._say(answer)

    def _read_data(self) -> str:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines).decode("utf-8", "surrogateescape")

    def ok(self, argument: str) -> bool:
        """RSET, NOOP, XFORWARD."""
        self._say("250 2.0.0 ok")
        return True

    def auth(self, argument: str) -> bool:
        """AUTH: refused, as nobody is known here."""
        self._say(self._stage()[1])
        return True

    def quit(self, argument: str) -> bool:
        """QUIT."""
        with suppress(OSError):  # who has quit need not wait
            self._say("221 2.0.0 bye")
        return False


COMMANDS: dict[str, Callable[[Session, str], bool]] = {
    "EHLO": Session.ehlo,
    **dict.fromkeys(("HELO", "LHLO"), Session.hello),
    **dict.fromkeys(("RSET", "NOOP"), Session.ok),
    "STARTTLS": Session.starttls,
    "AUTH": Session.auth,
    "MAIL": Session.mail_from,
    "RCPT": Session.rcpt_to,
    "DATA": Session.data,
    "QUIT": Session.quit,
}


def address_in(argument: str) -> str:
    """The address of ``FROM:<...>`` or ``TO:<...>``; a quoted local part may hold ``>``."""
    start, end, quoted = argument.index("<") + 1, 0, False
    for end in range(start, len(argument)):
        quoted ^= argument[end] == '"'
        if argument[end] == ">" and not quoted:
            break
    return argument[start:end]
