"""Addresses that smtpd has verified before it accepts them: verify(8) sends probes."""

from __future__ import annotations

from .truth import SET, sent
from .world import World


def recipients(w: World) -> None:
    """A recipient that is known there, one that is not, one that cannot be asked for now."""
    domain = "verified.example.com"
    known, unknown, full = (w.outsider(name, domain) for name in ("dora", "unknown", "full"))
    client = w.client()
    sender = w.outsider("sam")
    client.mail(sender)
    assert client.rcpt(known).code == 250
    assert client.rcpt(unknown).code == 550
    assert client.rcpt(full).code == 450
    text, message_id = w.message(sender, None, "Hello", "")
    reply = client.data(text)
    w.end(client)
    w.expect_row(
        {"queue_id": reply.queue_id},
        {"message_id": message_id, "origin": "smtp"},
        [sent(known, "smtp", SET, relay_name="mx1.example.org")],
    )
    for address in (known, unknown, full):
        w.expect_probe(address)


def senders(w: World) -> None:
    """A sender that is not known where he says he is at home."""
    client = w.client()
    unknown = w.outsider("unknown", "asked.example")
    assert client.mail(unknown).code == 550
    w.end(client)
    w.expect_probe(unknown)


STEPS = (recipients, senders)
