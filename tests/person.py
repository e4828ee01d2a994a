"""A person in a log: every form in which mail systems write his address, in every place of a line."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from journal_postfix import postgresql
from journal_postfix.backfill import FileOptions, backfill
from journal_postfix.config import Config, config_from
from test_store import rows, run_sql

KEEP = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
MORNING = datetime(2025, 3, 3, 10, 0, tzinfo=UTC)
HOST = "mx1.example.com"

SENT = (
    "relay=mx.example.net[198.51.100.25]:25, delay=1, delays=0.1/0/0/0.9, dsn=2.0.0, status=sent"
    " (250 2.0.0 Ok)"
)
DEFERRED = (
    "relay=mx.example.net[198.51.100.25]:25, delay=1, delays=0.2/0/0/0.8, dsn=4.2.0,"
    " status=deferred (host mx.example.net[198.51.100.25] said: 450 4.2.0 <{about}>: later)"
)
REJECT = (
    "smtpd[70]: NOQUEUE: reject: RCPT from unknown[192.0.2.66]: 554 5.7.1 <{to}>: Relay access"
    " denied; from=<{sender}> to=<{to}> proto=ESMTP helo=<x>"
)
ASK = (
    "smtpd[70]: NOQUEUE: reject: RCPT from unknown[192.0.2.66]: 450 4.7.1 <dan@example.net>:"
    " Recipient address rejected: ask {about} why; from=<bob@example.org> to=<dan@example.net>"
    " proto=ESMTP helo=<x>"
)
HOLD = (
    "cleanup[72]: 0A01200201: hold: header Subject: x from mail.example.org[192.0.2.10];"
    " from=<bob@example.org> to=<carol@example.net> proto=ESMTP helo=<x>: seen by <{about}>"
)
GUESS = (
    "smtpd[74]: warning: unknown[198.51.100.99]: SASL PLAIN authentication failed: authentication"
    " failure, sasl_username={login}"
)
PENDING = (
    "smtpd[75]: NOQUEUE: hold: RCPT from pc.example.com[203.0.113.77]: <pc>: Helo command triggers"
    " HOLD action; from=<{sender}> to=<bob@example.org> proto=ESMTP helo=<pc>"
)
#: Other people's mail, which nobody may lose.
OF_OTHERS = [
    "smtpd[50]: 0A0120000F: client=mail.example.org[192.0.2.10]",
    "cleanup[51]: 0A0120000F: message-id=<others@example.org>",
    "qmgr[9]: 0A0120000F: from=<bob@example.org>, size=400, nrcpt=1 (queue active)",
    f"smtp[52]: 0A0120000F: to=<carol@example.net>, {SENT}",
    "qmgr[9]: 0A0120000F: removed",
    REJECT.format(sender="bob@example.org", to="dan@example.net"),
]


class Person(NamedTuple):
    """An address as logged, and as given to a command; what of it no dump may hold."""

    logged: str
    given: str
    core: str

    @property
    def forms(self) -> dict[str, str]:
        """Other forms of it, as addresses."""
        local, _, domain = self.logged.rpartition("@")
        bare = local.strip('"').replace("\\\\", "\\").replace('\\"', '"')
        quoted = local if local[0] == '"' else f'"{local}"'
        return {
            "capitals": self.logged.upper(),
            "verp": _quoted(f"list+bounce-{bare}={domain}@lists.example.net"),
            "srs": _quoted(f"SRS0=HHH=TT={domain}={bare}@forward.example.net"),
            "srs1": _quoted(f"SRS1=HHH=b.example==HHH=TT={domain}={bare}@forward.example.net"),
            "prvs": _quoted(f"prvs=0123ab={bare}@{domain}"),
            "percent": _quoted(f"{bare}%{domain}@relay.example.net"),
            "quoted": f"{quoted}@{domain}",
            "internal": f"{bare}@{domain}",
            "xtext": "".join(
                c if (c.isascii() and c.isalnum()) or c == "." else "".join(f"+{b:02X}" for b in c.encode())
                for c in f"{bare}@{domain}"
            ),
        }  # fmt: skip


def _quoted(address: str) -> str:
    local, _, domain = address.rpartition("@")
    if not any(c in ' "\\' for c in local):
        return address
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"@{domain}'


PLAIN = Person("qzvoe@example.com", "Qzvoe@Example.com", "qzvoe")
HOSTILE = Person('"o\'qzvoe\\\\x \\" y"@example.com', '"o\'qzvoe\\\\x \\" y"@example.com', "qzvoe")
WILD = Person("a_q%zvoe(.*)@example.com".replace("(.*)", "$^"), "a_q%zvoe$^@example.com", "zvoe")
ACCENT = Person("qzvoé.qzvöe@example.com", "QZVOÉ.qzvöe@example.com", "qzvo")
LONG = Person("qzvoe" + "x" * 59 + "@example.com", "qzvoe" + "x" * 59 + "@example.com", "qzvoe")
PEOPLE = (PLAIN, HOSTILE, WILD, ACCENT, LONG)


def mail(queue_id: str, sender: str, *records: str, extra: str = "") -> list[str]:
    """What daemons say about a mail with these delivery records."""
    return [
        f"smtpd[60]: {queue_id}: client=pc.example.com[203.0.113.77]{extra}",
        f"cleanup[61]: {queue_id}: message-id=<{queue_id}@pc.example.com>",
        f"qmgr[9]: {queue_id}: from=<{sender}>, size=400, nrcpt=2 (queue active)",
        *(f"smtp[62]: {queue_id}: {record}" for record in records),
        f"qmgr[9]: {queue_id}: removed",
    ]


def to(recipient: str, orig_to: str = "") -> str:
    """A record of a mail that was sent."""
    named = f", orig_to=<{orig_to}>" if orig_to else ""
    return f"to=<{recipient}>{named}, {SENT}"


def told(person: Person) -> list[str]:
    """What daemons say about a person: everything there may be of him."""
    me, forms = person.logged, person.forms
    carol, bob = "carol@example.net", "bob@example.org"
    deferred = f"to=<{carol}>, {DEFERRED}"
    login = f", sasl_method=PLAIN, sasl_username={me}, sasl_sender={forms['xtext']}"
    lines = list(OF_OTHERS)
    lines += mail("0A01200001", me, to(bob), to(carol), extra=login)
    lines += mail("0A01200002", me, to("dan@example.net"))[:-1]
    lines += mail(
        "0A01200003", bob, to(me), to("bob2@example.org", me), deferred.format(about=me), to(carol)
    )
    for number, form in enumerate(forms.values(), 4):
        lines += mail(f"0A012000{number:02d}", form, to(form), to(carol))
        lines += mail(f"0A012001{number:02d}", bob, deferred.format(about=form), to(form))
        lines.append(REJECT.format(sender="dan@example.net", to=form))
        lines.append(ASK.format(about=form))
    return [
        *lines,
        "smtpd[71]: 0A01200201: client=mail.example.org[192.0.2.10]",
        f"cleanup[72]: 0A01200201: message-id=<{'1@x.example' if ' ' in me else me}>",
        HOLD.format(about=me),
        "qmgr[9]: 0A01200201: from=<bob@example.org>, size=4, nrcpt=1 (queue active)",
        "bounce[73]: 0A01200201: sender non-delivery notification: 0A01200202",
        "cleanup[72]: 0A01200202: message-id=<0A01200202@mx1.example.com>",
        *mail("0A01200202", "", to(me))[2:],
        "smtpd[74]: connect from unknown[198.51.100.99]",
        GUESS.format(login=me),
        f"smtpd[74]: something nobody has ever seen about <{me}>",
        # a session that is still open, with what is in no row yet
        "smtpd[75]: connect from pc.example.com[203.0.113.77]",
        PENDING.format(sender=me),
    ]


def log_lines(lines: list[str], begin: datetime = MORNING) -> Iterator[str]:
    """A log file's lines, a millisecond apart."""
    for number, text in enumerate(lines):
        at = (begin + timedelta(milliseconds=number)).isoformat(timespec="microseconds")
        yield f"{at} {HOST} postfix/{text}\n"


def config(dsn: str, **keys: object) -> Config:
    """A configuration under which nothing is too old."""
    return replace(config_from({"retention": KEEP, **keys}, "test"), dsn=dsn)


def load(
    dsn: str,
    folder: Path,
    lines: list[str],
    name: str = "mail.log",
    begin: datetime = MORNING,
) -> None:
    """Read a log file of these lines."""
    path = folder / name
    path.write_text("".join(log_lines(lines, begin)), "utf-8")
    backfill(config(dsn), [str(path)], FileOptions(2025, "UTC"))


def dump(dsn: str) -> str:
    """All that a database holds: pg_dump's text, and the values the planner keeps of columns."""
    samples = rows(dsn, "SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats")
    return dumped(dsn) + repr(samples)


def dumped(dsn: str, *options: str) -> str:
    """What pg_dump says of a database."""
    ((version,),) = rows(dsn, "SELECT current_setting('server_version_num')::int / 10000")
    found = [one for one in postgresql._found() if one.version[0] >= version]
    program = str(found[0].bindir / "pg_dump")
    done = subprocess.run([program, *options, "--dbname", dsn], capture_output=True, check=True)
    return done.stdout.decode()


def analyse(dsn: str) -> None:
    """Have the server take samples, as it does by itself sooner or later."""
    run_sql(dsn, "ANALYZE")
