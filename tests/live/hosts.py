"""The hosts of the test's world: names, addresses, mail exchangers, blocked clients.

Only names of RFC 2606 and addresses of RFC 5737 and RFC 3849. All addresses sit on the
loopback interface of the test's own network namespace.
"""

from __future__ import annotations

SERVER = "mx1.example.com"
SERVER_ADDRESSES = ("192.0.2.25", "2001:db8::25")

# Names with forward and reverse entries.
ADDRESSES: dict[str, tuple[str, ...]] = {
    SERVER: SERVER_ADDRESSES,
    # who sends to us
    "mail.example.net": ("198.51.100.10", "2001:db8:0:1::10"),
    "smtp-out.example.edu": ("198.51.100.11",),
    "lists.example.org": ("198.51.100.12",),
    "shop.example": ("198.51.100.13",),
    "listed.example": ("203.0.113.9",),
    "dialup-66.isp.example": ("203.0.113.66",),
    "laptop.example.com": ("192.0.2.130",),
    "gateway.example.com": ("192.0.2.131",),
    # who is screened, each for a behaviour of its own
    "new.example": ("198.51.100.40",),
    "early.example": ("198.51.100.41",),
    "fickle.example": ("198.51.100.42",),
    "gossip.example": ("198.51.100.43",),
    "private.example": ("198.51.100.44",),
    "crowd.example": ("198.51.100.45",),
    "greedy.example": ("198.51.100.46",),
    "watched.example": ("198.51.100.47",),
    # whom we send to
    "mx1.example.org": ("198.51.100.25",),
    "mx2.example.org": ("198.51.100.26",),
    "mx.busy.example": ("198.51.100.27",),
    "mx.strict.example": ("198.51.100.28",),
    "mx.down.example": ("198.51.100.29",),
    "mx.hangup.example": ("198.51.100.30",),
    "mx.example.edu": ("198.51.100.31", "2001:db8:0:1::31"),
    "mx.out.example": ("198.51.100.32",),
    "mx.badtls.example": ("198.51.100.33",),
    "mx.secure.example": ("198.51.100.34",),
    "mx.often.example": ("198.51.100.35",),
    "mx.login.example": ("198.51.100.36",),
    "mx.old.example": ("198.51.100.37",),
    "mx.small.example": ("198.51.100.38",),
    "mx.asked.example": ("198.51.100.39",),
}

# Clients without a name: Postfix logs them as unknown.
NAMELESS = ("203.0.113.77", "203.0.113.78", "203.0.113.99")
# A name that does not lead back to the address.
MISNAMED = {"203.0.113.78": "mail.example.net"}

# Mail exchangers: domain -> (preference, host). A host "." is a null MX (RFC 7505).
EXCHANGERS: dict[str, tuple[tuple[int, str], ...]] = {
    "example.com": ((10, SERVER),),
    "example.org": ((10, "mx1.example.org"), (20, "mx2.example.org")),
    "example.net": ((10, "mail.example.net"),),
    "example.edu": ((10, "mx.example.edu"),),
    "busy.example": ((10, "mx.busy.example"),),
    "strict.example": ((10, "mx.strict.example"),),
    "down.example": ((10, "mx.down.example"),),
    "half.example": ((10, "mx.down.example"), (20, "mx2.example.org")),
    "hangup.example": ((10, "mx.hangup.example"),),
    "out.example": ((10, "mx.out.example"),),
    "badtls.example": ((10, "mx.badtls.example"),),
    "secure.example": ((10, "mx.secure.example"),),
    "often.example": ((10, "mx.often.example"),),
    "login.example": ((10, "mx.login.example"),),
    "old.example": ((10, "mx.old.example"),),
    "small.example": ((10, "mx.small.example"),),
    "asked.example": ((10, "mx.asked.example"),),
    "plain.example": ((10, "mx1.example.org"),),
    "nomail.example": ((0, "."),),
}

# The name server fails to answer for it.
SPEECHLESS = "speechless.example"

BLOCK_LIST = "dnsbl.example"
BLOCKED = {"203.0.113.99": "open relay, see https://dnsbl.example/203.0.113.99"}


def all_addresses() -> list[str]:
    """Every address that the network namespace must own."""
    named = [address for addresses in ADDRESSES.values() for address in addresses]
    return [*named, *NAMELESS]


def address_of(name: str) -> str:
    """The first (IPv4) address of a named host."""
    return ADDRESSES[name][0]


def name_of(address: str) -> str:
    """What Postfix calls a client: its name, or ``unknown``."""
    for name, addresses in ADDRESSES.items():
        if address in addresses:
            return name
    return "localhost" if address in ("127.0.0.1", "::1") else "unknown"
