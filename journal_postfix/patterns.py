"""Words that name addresses, hosts and clients: literal, `@domain`, with `*`, or a network.

A pattern becomes parameters of a query, never a part of its text, and can tell by itself whether
it fits a value. Case never matters. A key is a pattern that an index can find: it is literal.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from journal_postfix.messages import UsageError

Network = IPv4Network | IPv6Network

NULL_SENDER = "<>"


class Pattern(NamedTuple):
    """One literal value, or several patterns of which one must fit; both in lower case.

    `likes` are SQL's patterns, for LIKE; None where the value is literal.
    """

    literal: str | None
    likes: tuple[str, ...] | None

    def fits(self, value: str | None) -> bool:
        """Whether a value is one of those meant."""
        if value is None:
            return False
        if self.likes is None:
            return value.lower() == self.literal
        return any(_like(like).fullmatch(value.lower()) for like in self.likes)

    @property
    def is_key(self) -> bool:
        """An index finds it; the empty sender is literal too, and that of every notice."""
        return bool(self.literal)

    def parameters(self, name: str) -> dict[str, object]:
        """The values of a query's NAME and NAME_like."""
        return {name: self.literal, f"{name}_like": list(self.likes) if self.likes else None}


ANYTHING = Pattern(None, None)


class Client(NamedTuple):
    """A client by its name, or by the network that its address is in."""

    name: Pattern | None
    network: Network | None

    def fits(self, name: str | None, address: str | None) -> bool:
        """Whether a client with this name and address is meant."""
        if self.network is not None:
            return address is not None and ip_address(address) in self.network
        return self.name is not None and name != "unknown" and self.name.fits(name)

    @property
    def is_key(self) -> bool:
        """It is one address; names are in no index."""
        return self.network is not None and self.network.num_addresses == 1

    def parameters(self) -> dict[str, object]:
        """The values of a query's client, client_like and network."""
        by_name = (self.name or ANYTHING).parameters("client")
        return {**by_name, "network": str(self.network) if self.network else None}


def read_address(option: str, text: str, *, tags: bool = False) -> Pattern:
    """An address, `@domain`, or either with `*`; `tags`: also name+tag@domain for name@domain."""
    if text == NULL_SENDER:
        return Pattern("", None)
    words = _worded(option, text).removeprefix("<").removesuffix(">")
    if words.startswith("@"):
        words = f"*{words}"
    _refuse_everything(option, text, words)
    name, at, domain = words.rpartition("@")
    if tags and at:
        return Pattern(None, (like_of(words), like_of(f"{name}+*@{domain}")))
    return _pattern(words)


def read_name(option: str, text: str) -> Pattern:
    """A name, literal or with `*`."""
    words = _worded(option, text)
    _refuse_everything(option, text, words)
    return _pattern(words)


def read_host(option: str, text: str) -> Pattern:
    """A host with its domain or without, or with `*`."""
    words = _worded(option, text)
    _refuse_everything(option, text, words)
    return Pattern(None, (like_of(words), like_of(f"{words}.*")))


def read_part(option: str, text: str) -> Pattern:
    """A part of a text, or all of it where it has `*`."""
    words = _worded(option, text)
    _refuse_everything(option, text, words)
    return Pattern(None, (like_of(words if "*" in words else f"*{words}*"),))


def read_client(option: str, text: str) -> Client:
    """A client's host name, address, or network such as 192.0.2.0/24."""
    network = read_network(option, text)
    if network is not None:
        return Client(None, network)
    words = _worded(option, text).removeprefix("[").removesuffix("]")
    _refuse_everything(option, text, words)
    return Client(Pattern(None, (like_of(words),)), None)  # no index has names


def read_network(option: str, text: str) -> Network | None:
    """An address or network, also in brackets or with a zone (RFC 4007); None for a host name."""
    words = _worded(option, text).removeprefix("[").removesuffix("]")
    if ":" in words:
        words = re.sub(r"%[^/]*", "", words)
    try:
        network = ip_network(words)
    except ValueError as error:
        if re.search(r"[/:]|^[0-9.]+$", words):
            raise UsageError(f"{option} {text!r} is no address and no network: {error}") from None
        return None
    if network.prefixlen == 0:
        raise UsageError(_EVERYTHING.format(option=option, text=text))
    return network


_EVERYTHING = "{option} {text!r} means everything: name at least a part"


def _worded(option: str, text: str) -> str:
    words = text.strip().lower()
    if not words:
        raise UsageError(f"{option} is empty; the empty sender is written '{NULL_SENDER}'")
    if "\0" in words:
        raise UsageError(f"{option} holds a NUL, which nothing stored does")
    return words


def _refuse_everything(option: str, text: str, words: str) -> None:
    if not words.strip("*@."):
        raise UsageError(_EVERYTHING.format(option=option, text=text))


def _pattern(words: str) -> Pattern:
    return Pattern(None, (like_of(words),)) if "*" in words else Pattern(words, None)


def like_of(words: str) -> str:
    """The pattern of LIKE for words in which only `*` stands for anything."""
    escaped = re.sub(r"([\\%_])", r"\\\1", words)
    return re.sub(r"\*+", "%", escaped)


def _like(like: str) -> re.Pattern[str]:
    """What LIKE does."""
    parts = re.findall(r"\\.|%|[^\\%]+", like, re.DOTALL)
    return re.compile(
        "".join(".*" if p == "%" else re.escape(p.removeprefix("\\")) for p in parts), re.DOTALL
    )
