"""Lines that carry no delivery fact, and lines of other programs."""

from __future__ import annotations

from traffic.arrivals import MS, connect, disconnect
from traffic.machine import Machine
from traffic.world import SECOND, Story, World

# program, text; ``{ip}`` an address.
REMARKS = (
    ("anvil", "statistics: max connection rate 3/60s for (smtp:{ip}) at Mar  3 10:00:00"),
    ("anvil", "statistics: max cache size 2 at Mar  3 10:00:00"),
    ("scache", "statistics: start interval Mar  3 10:00:00"),
    ("smtp", "connect to mx1.example.org[{ip}]:25: Connection refused"),
    (
        "smtp",
        "Untrusted TLS connection established to x.example[{ip}]:25: TLSv1 with cipher X (256/256 bits)",
    ),
    ("smtp", "SSL_connect error to mx2.example.net[{ip}]:25: -1"),
    ("smtpd", "warning: unknown[{ip}]: SASL LOGIN authentication failed: x, sasl_username=to=<x>"),
    ("smtpd", "warning: hostname x.example.net does not resolve to address {ip}"),
    ("postscreen", "CONNECT from [{ip}]:40122 to [192.0.2.1]:25"),
    ("postscreen", "PASS NEW [{ip}]:40122"),
    ("postscreen", "PASS OLD [{ip}]:40123"),
    ("cleanup", "table hash:/etc/postfix/virtual(0,lock|fold_fix) has changed -- restarting"),
    ("local", "warning: required alias not found: postmaster"),
    ("smtpd", "warning: Connection rate limit exceeded: 61 from unknown[{ip}] for service smtp"),
)
RECORD = (
    "3C5D120ABF: to=<x@example.org>, relay=none, delay=1, delays=0/0/1/0, dsn=2.0.0,"
    " status=sent (250 ok)"
)
FOREIGN = (
    ("dovecot", 0, "lmtp(bob)<1><x>: msgid=<a@example.org>, from=<x>: saved mail to INBOX"),
    ("dovecot", 0, "imap-login: Login: user=<ann@example.com>, method=PLAIN, rip={ip}"),
    ("amavis", 4711, "(04711-01) Passed CLEAN, [{ip}] Queue-ID: 3C5D120ABF, queued_as: 4D5E6F7A8B"),
    ("opendkim", 901, "3C5D120ABF: DKIM-Signature field added (s=mail, d=example.com)"),
    (
        "systemd",
        1,
        "Started Session 12 of User ann: to=<x@example.net>, relay=none, status=sent (x).",
    ),
    ("CRON", 911, "(root) CMD (/usr/sbin/postqueue -p)"),
    ("not-postfix/smtp", 912, RECORD),
)


def remark(world: World, machine: Machine, t: int) -> Story:
    """A line of Postfix's that says nothing about a mail."""
    program, text = world.rng.choice(REMARKS)
    ident = machine.ident(program)
    pid = machine.process(ident, t, t + MS)
    world.say(t, machine, ident, pid, text.format(ip=world.cast.client().address))
    yield t


def foreign(world: World, machine: Machine, t: int) -> Story:
    """A line that is not Postfix's, whatever it looks like."""
    program, pid, text = world.rng.choice(FOREIGN)
    world.say(t, machine, program, pid, text.format(ip=world.cast.client().address))
    yield t


def idle_client(world: World, machine: Machine, t: int) -> Story:
    """A client that connects, says little and goes, or is cut off."""
    session = connect(world, machine, t, 20 * SECOND)
    t += world.between(0.1, 9)
    if world.rng.random() < 0.5:
        prefix = "NOQUEUE: " if machine.version >= (3, 10) else ""
        stage = world.rng.choice(("CONNECT", "EHLO", "AUTH", "STARTTLS", "UNKNOWN"))
        text = f"{prefix}lost connection after {stage} from {session.peer}"
        world.say(t, machine, session.ident, session.pid, text)
    disconnect(world, session, t + MS, "ehlo=1 auth=0/1 quit=1 commands=2/3")
    yield t
