"""What the steps of the traffic share: who is who in this round, how to send, what to foretell."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

from . import hosts, people
from .client import Client, Reply
from .postfix import SECOND, Queue
from .sink import Sink
from .truth import Expected, Row, Truth

_NUMBERS = itertools.count(1)


@dataclass
class Sent:
    """A mail that was sent, or at least tried."""

    sender: str
    recipients: list[str]
    message_id: str
    reply: Reply
    row: Row

    @property
    def queue_id(self) -> str:
        """The queue id that Postfix told; fails where it told none."""
        assert self.reply.code == 250, self.reply
        return self.reply.queue_id


@dataclass
class World:
    """One round of the traffic."""

    round: int
    sink: Sink
    truth: Truth
    step: str = ""

    def __post_init__(self) -> None:
        self.queue = Queue()
        self.second_queue = Queue(SECOND)

    def at(self, step: str) -> World:
        """This round, at a step."""
        return replace(self, step=step)

    def user(self, number: int) -> str:
        """The local part and login of a person; parts 0 to 7 are played by others each round."""
        return people.part(number, self.round)

    def address(self, number: int) -> str:
        """The address of a person here."""
        return f"{self.user(number)}@example.com"

    def outsider(self, name: str, domain: str = "example.net") -> str:
        """An address elsewhere that only this call uses."""
        return f"{name}{next(_NUMBERS)}@{domain}"

    def client(self, source: str = "mail.example.net", **more: Any) -> Client:
        """A connection from a host of the world, by name or address; said hello."""
        address = source if source[0].isdigit() or ":" in source else hosts.address_of(source)
        client = Client(address, **more)
        client.hello(client.name if client.name != "unknown" else f"[{address}]")
        return client

    def message(self, sender: str, subject: str | None, body: str, headers: str) -> tuple[str, str]:
        """A message's text and its Message-ID."""
        number = next(_NUMBERS)
        domain = sender.rpartition("@")[2] or "example.net"
        message_id = f"<{number:04d}.{self.round}.{self.step.replace('_', '-')}@{domain}>"
        title = subject or people.subject(number)
        text = f"From: <{sender}>\nMessage-ID: {message_id}\nSubject: {title}\n{headers}\n{body}\n"
        return text, message_id

    def send(
        self,
        *recipients: str,
        sender: str | None = None,
        client: Client | None = None,
        subject: str | None = None,
        body: str = "Hello,\nhow are you?",
        headers: str = "",
        mail_options: str = "",
        rcpt_options: str = "",
    ) -> Sent:
        """Send one mail in one transaction and end the session, if it is not the caller's."""
        own = client is None
        connection = client or self.client()
        given = self.outsider("sam") if sender is None else sender
        text, message_id = self.message(given, subject, body, headers)
        reply = connection.mail(given, mail_options)
        for recipient in recipients:
            reply = connection.rcpt(recipient, rcpt_options)
        if any(r.code < 400 for r in [reply]):
            reply = connection.data(text)
        if own:
            self.end(connection)
        row = _row(connection, given, message_id)
        return Sent(given, list(recipients), message_id, reply, row)

    def send_inside(self, *recipients: str, sender: str | None = None, **more: Any) -> Sent:
        """Send one mail from a host of ours, which may send to anybody."""
        client = self.client("laptop.example.com")
        given = self.address(0) if sender is None else sender
        mail = self.send(*recipients, sender=given, client=client, **more)
        self.end(client)
        return mail

    def end(self, client: Client, logged: bool = True) -> None:
        """Say goodbye and keep what was refused."""
        client.quit()
        self.keep(client, logged)

    def keep(self, client: Client, logged: bool = True) -> None:
        """Keep what a client was refused; ``logged`` False: Postfix makes no verdict of it."""
        for refusal in client.refusals if logged else []:
            row = refusal._asdict() | {"step": self.step}
            row |= {"reply": refusal.reply._asdict()}
            self.truth.refusals.append(row)
        client.refusals.clear()

    def expect(
        self,
        mail: Sent,
        recipients: list[Row] | None = None,
        verdicts: list[Row] | None = None,
        **columns: Any,
    ) -> None:
        """Foretell the rows of a mail that was accepted; ``columns`` beside what SMTP told."""
        key = {"queue_id": mail.queue_id}
        known = mail.row | {"accepted": True, "origin": "smtp"} | columns
        self._expect(key, known, recipients, verdicts)

    def expect_discarded(self, mail: Sent, **columns: Any) -> None:
        """Foretell the row of a mail that was thrown away, though the client heard of success."""
        known = {"client_address": mail.row["client_address"], "queued_at": None} | columns
        self._expect({"queue_id": mail.queue_id}, known, [], None)

    def _expect(
        self, key: Row, known: Row, recipients: list[Row] | None, verdicts: list[Row] | None
    ) -> None:
        self.truth.expected.append(Expected(self.step, key, known, recipients, verdicts))

    def expect_verdict(self, mail: Sent, daemon: str, action: str, recipient: str = "") -> None:
        """Foretell a verdict that refuses nothing; on the last recipient if none is given."""
        row = {"daemon": daemon, "action": action, "sender": mail.sender, "step": self.step}
        self.truth.verdicts.append(row | {"recipient": recipient or mail.recipients[-1]})

    def expect_notice(self, message_id: str, sender: str, recipients: list[Row]) -> None:
        """Foretell the non-delivery notice about the mail with a Message-ID."""
        self.truth.notices.append(
            {"step": self.step, "message_id": message_id, "to": sender, "recipients": recipients}
        )

    def expect_incomplete(self, client: Client) -> None:
        """Foretell a mail of which nobody was told a queue id: only the client is known."""
        known = {"client_address": client.address, "client_name": client.name}
        self.truth.incomplete.append(known | {"step": self.step})

    def expect_drop(self, address: str, test: str) -> None:
        """Foretell that postscreen turned a client away for a test it failed, without a verdict."""
        self.truth.dropped.append({"step": self.step, "client_address": address, "test": test})

    def expect_probe(self, address: str) -> None:
        """Foretell that Postfix asked a server for an address, without a mail."""
        self.truth.probes.append({"step": self.step, "recipient": address})

    def expect_row(
        self,
        key: Row,
        columns: Row,
        recipients: list[Row] | None = None,
        verdicts: list[Row] | None = None,
    ) -> None:
        """Foretell the rows of any mail that ``key`` finds."""
        self.truth.expected.append(Expected(self.step, key, columns, recipients, verdicts))


def _row(client: Client, sender: str, message_id: str) -> Row:
    return {
        "sender": sender,
        "message_id": message_id,
        "client_address": client.address,
        "client_name": client.name,
    }
