"""What delivery agents write about an attempt: a table per agent and fate.

``via`` tells the relay: ``host`` is the server that was reached, ``none`` no server at all,
``failed`` a server that could not be reached and is named in the reason only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Reply(NamedTuple):
    """One wording: status, enhanced code, SMTP code, reason, how the relay shows.

    ``queued`` says that the reason names the mail's id behind this delivery as ``{next}``.
    """

    status: str
    dsn: str
    code: int | None
    text: str
    via: str = "host"
    queued: bool = False


class Agent(NamedTuple):
    """A delivery agent: its program, what service it adds to the tag, the relay it shows."""

    program: str
    service: str | None
    relay: str
    fates: Mapping[str, tuple[Reply, ...]]


def _said(status: str, dsn: str, code: int, reply: str, command: str = "RCPT TO command") -> Reply:
    return Reply(status, dsn, code, f"host {{host}} said: {reply} (in reply to {command})")


SMTP = {
    "sent": (
        Reply("sent", "2.0.0", 250, "250 2.0.0 Ok: queued as {next}", queued=True),
        Reply("sent", "2.0.0", 250, "250 2.0.0 Ok: queued as {next}", queued=True),
        Reply("sent", "2.0.0", 250, "250 OK id=1abcDE-0001Xy-2Z"),
        Reply("sent", "2.6.0", 250, "250 2.6.0 <x@example.net> [InternalId=7, Hostname=AM0] Queued mail"),
        Reply("sent", "2.0.0", 250, "250 2.0.0 Ok: to=<x@example.net>, relay=none, status=bounced (no)"),
        Reply("sent", "2.0.0", 250, "250-2.0.0 one 250 2.0.0 two"),
    ),
    "deferred": (
        _said("deferred", "4.2.0", 450, "450 4.2.0 <{rcpt}>: Recipient address rejected: Greylisted"),
        _said("deferred", "4.7.0", 421, "421-4.7.0 Try (again) 421 4.7.0 later; x", "MAIL FROM command"),
        Reply("deferred", "4.3.2", 421, "host {host} refused to talk to me: 421 4.3.2 too many"),
        Reply("deferred", "4.4.1", None, "connect to {host}:{port}: Connection refused", "failed"),
        Reply("deferred", "4.4.1", None, "connect to {host}:{port}: Connection timed out", "failed"),
        Reply("deferred", "4.4.2", None, "lost connection with {host} while sending RCPT TO"),
        Reply("deferred", "4.4.2", None, "conversation with {host} timed out while sending end of"
              " data -- message may be sent more than once"),
        Reply("deferred", "4.4.3", None, "Host or domain name not found. Name service error for"
              " name=nx.example type=MX: Host not found, try again", "none"),
    ),
    "bounced": (
        _said("bounced", "5.1.1", 550, "550 5.1.1 <{rcpt}>: Recipient address rejected: User unknown"),
        _said("bounced", "5.7.1", 550, "550-5.7.1 not (here) 550-5.7.1 nor there; to=<a@example.org>,"
              " relay=none, delay=0, dsn=2.0.0, status=sent (250 ok) 550 5.7.1 end",
              "end of DATA command"),
        Reply("bounced", "5.1.0", None, "Domain nomail.example does not accept mail (nullMX)", "none"),
        Reply("bounced", "5.4.4", None, "Host or domain name not found. Name service error for"
              " name=nx.example type=A: Host not found", "none"),
    ),
    "probed": (
        Reply("deliverable", "2.1.5", 250, "250 2.1.5 Ok"),
        Reply("undeliverable", "5.1.1", 550, "host {host} said: 550 5.1.1 <{rcpt}>: Recipient"
              " address rejected: User unknown (in reply to RCPT TO command)"),
    ),
}  # fmt: skip
FILTER = {
    "sent": (
        Reply("sent", "2.0.0", 250, "250 2.0.0 Ok: queued as {next}", queued=True),
        Reply("sent", "2.0.0", 250, "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025):"
              " 250 2.0.0 Ok: queued as {next}", queued=True),
    ),
}  # fmt: skip
LMTP = {
    "sent": (
        Reply("sent", "2.0.0", 250, "250 2.0.0 <{rcpt}> +ZkGM1bWHmmxEAAAAAAA Saved"),
        Reply("sent", "2.1.5", 250, "250 2.1.5 Ok"),
    ),
    "deferred": (
        _said("deferred", "4.2.2", 452, "452 4.2.2 <{rcpt}> Quota exceeded (mailbox for user is full)",
              "end of DATA command"),
    ),
    "bounced": (
        _said("bounced", "5.1.1", 550, "550 5.1.1 <{rcpt}> User doesn't exist: {rcpt}"),
    ),
}  # fmt: skip
LOCAL = {
    "sent": (
        Reply("sent", "2.0.0", None, "delivered to mailbox"),
        Reply("sent", "2.0.0", None, 'delivered to command: /usr/bin/procmail -a "$EXTENSION"'),
        Reply("sent", "2.0.0", None, "delivered to file: /dev/null"),
    ),
    "discarded": (Reply("sent", "2.0.0", None, "discarded"),),
    "forwarded": (Reply("sent", "2.0.0", None, "forwarded as {next}", queued=True),),
    "deferred": (
        Reply("deferred", "4.2.0", None, "cannot update mailbox /var/mail/user for user user."
              " unable to lock for exclusive access: Resource temporarily unavailable"),
    ),
    "bounced": (
        Reply("bounced", "5.1.1", None, 'unknown user: "{rcpt}"'),
        Reply("bounced", "5.3.0", None, 'Command died with status 1: "/usr/local/bin/handler".'
              " Command output: boom (twice)"),
    ),
}  # fmt: skip
VIRTUAL = {
    "sent": (
        Reply("sent", "2.0.0", None, "delivered to maildir"),
        Reply("sent", "2.0.0", None, "delivered to mailbox"),
    ),
    "deferred": (
        Reply("deferred", "4.2.0", None, "maildir delivery failed: create maildir file"
              " /srv/vmail/tmp/1763721000.P1234.mail: No such file or directory"),
    ),
    "bounced": (Reply("bounced", "5.1.1", None, 'unknown user: "{rcpt}"'),),
}  # fmt: skip
PIPE = {
    "sent": (
        Reply("sent", "2.0.0", None, "delivered via mailman service"),
        Reply("sent", "2.0.0", None, "delivered via mailman service (scanned: clean (0.3s))"),
    ),
    "deferred": (Reply("deferred", "4.3.0", None, "temporary failure. Command output: lock held"),),
    "bounced": (Reply("bounced", "5.1.1", None, "user unknown. Command output: (no such list)"),),
}
# error(8), also as retry: nothing is tried, unless the recipient is bounced.
SUSPENDED = {
    "skipped": (
        Reply("deferred", "4.4.1", None, "delivery temporarily suspended: connect to"
              " {host}:{port}: Connection refused", "none"),
        Reply("deferred", "4.3.0", None, "mail transport unavailable", "none"),
        Reply("deferred", "4.7.1", None, "delivery temporarily suspended: host {host} refused to"
              " talk to me: 421 4.7.1 Too many (connections)", "none"),
    ),
    "unavailable": (Reply("deferred", "4.3.0", None, "mail transport unavailable", "none"),),
    "bounced": (Reply("bounced", "5.1.1", None, "User unknown in virtual alias table", "none"),),
}  # fmt: skip
DISCARD = {"sent": (Reply("sent", "2.0.0", None, "silently", "none"),)}

AGENTS = {
    "smtp": Agent("smtp", None, "{host}:{port}", SMTP),
    "relay": Agent("smtp", "relay", "{host}:{port}", SMTP),
    "filter": Agent("smtp", None, "127.0.0.1[127.0.0.1]:10024", FILTER),
    "socket": Agent("lmtp", None, "{mta}[private/dovecot-lmtp]", LMTP),
    "lmtp": Agent("lmtp", None, "127.0.0.1[127.0.0.1]:24", LMTP),
    "local": Agent("local", None, "local", LOCAL),
    "virtual": Agent("virtual", None, "virtual", VIRTUAL),
    "pipe": Agent("pipe", None, "mailman", PIPE),
    "error": Agent("error", None, "none", SUSPENDED),
    "retry": Agent("error", "retry", "none", SUSPENDED),
    "qmgr": Agent("qmgr", None, "none", SUSPENDED),
    "discard": Agent("discard", None, "none", DISCARD),
}
