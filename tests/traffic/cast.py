"""Who takes part: people, clients and servers, with names and addresses kept for documentation.

All choices are made with the random generator handed in, so that a seed decides everything.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

LOCAL_DOMAIN = "example.com"
REMOTE_DOMAINS = (
    "example.org",
    "example.net",
    "lists.example.net",
    "uni.example",
    "firma.example",
    "a-rather-long-name-of-a-domain.example.org",
)
NAMES = (
    *("ann", "bob", "carl", "dora", "emil", "fay", "gus", "hanna", "ivo", "jane", "kurt", "lea"),
    *("max.power", "n.oname+tag", "o'hara", "Peter.Pan", "q=x", "root", "sales", "team/one"),
    *("support", "SRS0=AbCd=XY=example.org=bob", "owner-list", "bounces+1234-ann=example.com"),
)
# Legal local parts that look like our own fields: only the grammar of an address tells.
QUOTED = (
    '"john doe"',
    '"a>, size=9"',
    '"a>, relay=none, delay=0, dsn=2.0.0, status=sent (b"',
    '"to=<x@example.org>, orig_to=<y"',
    r'"x\"y\\z"',
    '"a@example.org"',
)
# smtpd writes ? for blanks and <>()\";@ in a HELO name, postscreen writes what it got.
HELO_TRICKS = ("to=?x?example.org?", "status=sent", "[192.0.2.99]", "foo?bar?baz", "WIN-PC", "-")
RAW_HELO_TRICKS = ("a b", "x>, to=<evil@example.org", "y; from=<z@example.org>, proto=SMTP")
SASL_NAMES = ("ann@example.com", "bob", "ACME, Inc. scanner", "dora=2@example.com", "emil")


class Client(NamedTuple):
    """A host that talks to us: its verified name or ``unknown``, its address, its HELO name."""

    name: str
    address: str
    helo: str


class Server(NamedTuple):
    """A host that we talk to."""

    name: str
    address: str
    port: int


def _address(number: int) -> str:
    if number % 7 == 0:
        return f"2001:db8:{number + 1:x}::25"
    return f"{('192.0.2', '198.51.100', '203.0.113')[number % 3]}.{1 + number * 37 % 250}"


def _client(number: int, rng: Random) -> Client:
    name = f"mail{number}.{rng.choice(REMOTE_DOMAINS)}"
    helo = rng.choice(HELO_TRICKS) if rng.random() < 0.1 else name
    return Client("unknown" if rng.random() < 0.2 else name, _address(number), helo)


class Cast:
    """The people and hosts of one simulation."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.clients = [_client(number, rng) for number in range(150)]
        self.servers = {
            domain: [Server(f"mx{n}.{domain}", _address(200 + 3 * number + n), 25) for n in (1, 2)]
            for number, domain in enumerate(REMOTE_DOMAINS)
        }

    def client(self) -> Client:
        """Some client."""
        return self._rng.choice(self.clients)

    def server(self, recipient: str) -> Server:
        """A mail exchanger of the recipient's domain, which is one of REMOTE_DOMAINS."""
        return self._rng.choice(self.servers[recipient.rpartition("@")[2]])

    def name(self) -> str:
        """A local part, now and then a quoted one."""
        rng = self._rng
        return rng.choice(QUOTED) if rng.random() < 0.02 else rng.choice(NAMES)

    def ours(self) -> str:
        """An address in our own domain."""
        return f"{self.name()}@{LOCAL_DOMAIN}"

    def theirs(self) -> str:
        """An address elsewhere."""
        return f"{self.name()}@{self._rng.choice(REMOTE_DOMAINS)}"

    def sasl_name(self) -> str:
        """A login name; Postfix lets blanks, commas and = through."""
        return self._rng.choice(SASL_NAMES)


def unquoted(address: str) -> str:
    """Give the internal form of an address, which Postfix uses inside reply texts."""
    if not address.startswith('"'):
        return address
    local, _, domain = address.rpartition("@")
    return local[1:-1].replace("\\\\", "\0").replace("\\", "").replace("\0", "\\") + "@" + domain
