"""A content filter: takes mail on ports 10026 and 10027, hands it back to Postfix on port 10025.

It swallows mail for ``swallowed@``, as filters do with spam, and says so in its reply. It refuses
mail with a certain word, which a client hears where the filter is a before-queue proxy (10027).
"""

from __future__ import annotations

import smtplib
import socketserver
import threading

from .sink import Session, Sink, address_in

PROXY = 10027
LISTEN = (("127.0.0.1", 10026), ("127.0.0.1", PROXY))
REFUSED = "offensive"
BACK = ("127.0.0.1", 10025)


class Filter(Session):
    """One connection from Postfix; the mail goes back before the reply is given."""

    host = "127.0.0.1"
    protocol = "smtp"
    forward = ""

    def _command(self, verb: str, argument: str) -> bool:
        if verb == "EHLO":
            self._say(
                "250-filter\n250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\n250 8BITMIME"
            )
        elif verb == "XFORWARD":
            self.forward = f"{self.forward} {argument}".strip()
            self._say("250 2.0.0 ok")
        elif verb == "RCPT":
            self.mail.answers[address_in(argument)] = ""
            self._say("250 2.1.5 ok")
        else:
            return super()._command(verb, argument)
        return True

    def _end_of_data(self) -> None:
        swallowed = any(name.startswith("swallowed") for name in self.mail.answers)
        reply = f"250 2.7.0 Ok, discarded, id={self.sink.next_id()} - spam"
        if REFUSED in self.mail.data:
            reply = "554 5.7.0 offensive, refused"
        elif not swallowed:
            reply = f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): {self._hand_back()}"
        self.mail.answers = dict.fromkeys(self.mail.answers, reply)
        self._say(reply)

    def _keep(self) -> None:
        """What an smtpd passed through the proxy is no delivery."""
        if self.mail.relay_port != PROXY:
            super()._keep()

    def _hand_back(self) -> str:
        with smtplib.SMTP(*BACK, local_hostname="localhost") as back:
            back.ehlo()
            back.docmd("XFORWARD", self.forward)
            back.docmd("MAIL", f"FROM:<{self.mail.mail_from}>")
            for recipient in self.mail.answers:
                back.docmd("RCPT", f"TO:<{recipient}>")
            code, text = back.data(self.mail.data.encode("utf-8", "surrogateescape"))
        return f"{code} {text.decode()}"


def start(sink: Sink) -> None:
    """Listen until the process ends."""
    handler = type("Handler", (Filter,), {"sink": sink})
    for address in LISTEN:
        server = socketserver.ThreadingTCPServer(address, handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
