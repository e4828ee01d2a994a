"""One person, or one customer's domain: what tells him in stored values, and what masks him there.

The keys are mail addresses (with `tags` also name+tag@), login names, and domains with all their
addresses. Whatever tells people may stand in the place of a person: `Matcher` is all that searching
and masking need; table `erasure`, which knows hashes only, is the other one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple, Protocol

from journal_postfix.hashing import keyed_hash
from journal_postfix.identities import canonical, canonical_domain, domain_of, mentions, without_tag
from journal_postfix.messages import UsageError

MASK = "***"

_ADDRESS = re.compile(
    r"""(?P<local>"(?:[^"\\]|\\.)+"|[^\s"@<>(),;:\[\]]+)@(?P<domain>[\w.-]*\w[\w.-]*|\[[\w:.]+\])"""
)
_HOST = re.compile(r"\w[\w-]*(?:\.[\w-]+)*\.?")
_ODD = re.compile(r"[\s<>(),;:]")
#: Logins in a text: behind a word that says so, or as a part of a path.
_LOGIN = re.compile(
    r"(?:\b(?:user|username|login|account|owner|mailbox|sasl_username)\b[\s=:]*[<'\"`(\[]?|/)"
    r"(?P<login>[^\s<>'\"`()\[\],;:/]+)",
    re.IGNORECASE,
)
_OTHER_LOGIN = re.compile(
    r"(?P<before>owned by user |\b(?:user|username|login|sasl_username)=<?|unknown user: \W)"
    r"(?P<login>[^\s<>'\"`()\[\],;:@]+(?![^\s<>'\"`()\[\],;:]))",
    re.IGNORECASE,
)


class Key(NamedTuple):
    """One key: `address`, `login` or `domain`, and what it is, in the way it is compared."""

    kind: str
    text: str


class Matcher(Protocol):
    """Who is looked for."""

    def is_address(self, addresses: Collection[str]) -> bool:
        """One of the addresses is his."""

    def is_login(self, name: str) -> bool:
        """The login name is his."""


class Person:
    """Somebody known by his keys; `keys` are those of pseudonyms, with which rows may be hashed."""

    def __init__(self, given: Iterable[Key], *, tags: bool, keys: Iterable[bytes] = ()) -> None:
        self.given = tuple(dict.fromkeys(given))
        self.tags = tags
        self.addresses = {key.text for key in self.given if key.kind == "address"}
        self.logins = {key.text for key in self.given if key.kind == "login"}
        self.domains = {key.text for key in self.given if key.kind == "domain"}
        self._tagged = frozenset(self.addresses) if tags else frozenset()
        self.hashes = _pseudonyms(self.addresses | self.logins, keys)
        self.logins |= self.hashes
        self.addresses |= {
            f"{hashed}@{domain}"
            for domain in {domain_of(address) for address in self.addresses}
            for hashed in self.hashes
        }

    def is_address(self, addresses: Collection[str]) -> bool:
        """One of the addresses is his."""
        if not self.addresses.isdisjoint(addresses):
            return True
        if self._tagged and any(without_tag(one) in self._tagged for one in addresses):
            return True
        return bool(self.domains) and any(domain_of(one) in self.domains for one in addresses)

    def is_login(self, name: str) -> bool:
        """The login name is his."""
        return name.lower() in self.logins


def _pseudonyms(texts: Iterable[str], keys: Iterable[bytes]) -> set[str]:
    keys = tuple(keys)
    return {f"~{keyed_hash(key, text)}" for text in texts for key in keys}


# --- in stored values -------------------------------------------------------------------------


def holds(who: Matcher, value: str | None) -> bool:
    """A value is an address of his, or names one."""
    return bool(value) and any(who.is_address(one.addresses) for one in mentions(value or ""))


def is_account(who: Matcher, value: str | None) -> bool:
    """A login column holds him: as a login name, or as his address."""
    return value is not None and (who.is_login(value) or holds(who, value))


def masked(who: Matcher, text: str) -> str:
    """The text without him: each word with an address of his, and each login of his, is masked."""
    spans = [(one.start, one.end) for one in mentions(text) if who.is_address(one.addresses)]
    narrow = [one for one in spans if not any(_is_within(other, one) for other in spans)]
    narrow += [one.span("login") for one in _LOGIN.finditer(text) if who.is_login(one["login"])]
    return _cut_out(text, narrow)


def others_masked(who: Matcher, text: str) -> str:
    """The text in which of each address that is not his only a letter and the domain are left."""
    if holds(who, text) and not any(one.isspace() for one in text.strip()):
        return text  # a form of his own address
    for one in sorted(mentions(text), reverse=True):
        word = text[one.start : one.end]
        if not who.is_address(one.addresses) and not _ODD.search(word) and MASK not in word:
            text = text[: one.start] + _one_masked(word) + text[one.end :]
    return _OTHER_LOGIN.sub(lambda found: _other_login(who, found), text)


def _one_masked(word: str) -> str:
    local, _, domain = word.rpartition("@")
    if not local:
        return MASK
    return f"{local[:1] if local[:1].isalnum() else ''}{MASK}@{domain}"


def _other_login(who: Matcher, found: re.Match[str]) -> str:
    is_known = who.is_login(found["login"]) or MASK in found["login"]
    return found[0] if is_known else found["before"] + MASK


def _cut_out(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with a mask in the place of each span; of those that overlap, of both."""
    parts, done = [], 0
    for start, end in sorted(spans):
        if start >= done:
            parts += [text[done:start], MASK]
        done = max(done, end)
    return "".join([*parts, text[done:]])


def _is_within(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    return inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1]


def masked_deep(who: Matcher, value: Any) -> Any:
    """A value as JSON knows it, with all its texts masked; logins too."""
    if isinstance(value, dict):
        return {name: masked_deep(who, one) for name, one in value.items()}
    if isinstance(value, list):
        return [masked_deep(who, one) for one in value]
    if isinstance(value, str):
        return MASK if who.is_login(value) else masked(who, value)
    return value


# --- keys as given ----------------------------------------------------------------------------


def read_keys(
    addresses: Iterable[str], logins: Iterable[str], domains: Iterable[str], *, tags: bool
) -> tuple[Key, ...]:
    """The keys of one person as given to a command; UsageError where one is none, or there is none."""
    keys = [_read_address(text, tags=tags) for text in addresses]
    keys += [_read_login(text) for text in logins]
    keys += [_read_domain(text) for text in domains]
    if not keys:
        raise UsageError("whose? Give a mail address, --login NAME or --domain DOMAIN")
    if tags and not any(key.kind == "address" for key in keys):
        raise UsageError("--tag needs a mail address")
    return tuple(keys)


def _shown(text: str) -> str:
    return repr(text[:80])


def _is_plain(text: str) -> bool:
    return text.isprintable() and len(text) <= 500


def _read_address(text: str, *, tags: bool) -> Key:
    found = _ADDRESS.fullmatch(text.strip().removeprefix("<").removesuffix(">"))
    if found is None or not _is_plain(text):
        raise UsageError(f"{_shown(text)} is no mail address (a login is given with --login)")
    local = found["local"]
    if local in ("%", "?") or ("*" in local and local[0] != '"'):
        raise UsageError(
            f"{_shown(text)} looks like a pattern: give each address, or --domain for all of one"
        )
    address = canonical(local, found["domain"])
    if tags and (name := without_tag(address)) is not None:
        raise UsageError(f"with --tag give the address without its tag: {name}")
    return Key("address", address)


def _read_login(text: str) -> Key:
    if not text.strip() or not _is_plain(text) or text in ("*", "%"):
        raise UsageError(f"{_shown(text)} is no login name")
    return Key("login", text.lower())


def _read_domain(text: str) -> Key:
    if _HOST.fullmatch(text) is None or not _is_plain(text):
        raise UsageError(f"{_shown(text)} is no domain")
    return Key("domain", canonical_domain(text))


# --- looking for him in SQL -------------------------------------------------------------------


def pattern(person: Person) -> str:
    """A regular expression of PostgreSQL (`~*`) that finds at least all texts with him.

    For the text columns of a row, one to a line.
    """
    parts = [_address_pattern(one) for one in person.addresses if one[0] != "~"]
    parts += [
        f"(@|=|%|[+%]40|[+%]3d){host}|{host}(=|!|[+%]3d)"
        for host in map(_host_pattern, person.domains)
    ]
    for login in person.logins - person.hashes:
        name = _text_pattern(login)
        parts.append(rf"(^|\n){name}(\n|$)|(user|login|account|owner|mailbox|/)[^\n]{{0,12}}{name}")
    parts += sorted(person.hashes)
    return "|".join(parts)


def _address_pattern(address: str) -> str:
    local, _, domain = address.rpartition("@")
    name, host = _text_pattern(local), _host_pattern(domain)
    return rf"{name}([\\\"']*(@|=|%|[+%]40|[+%]3d)|[+][^\n]*){host}|{host}(=|!|[+%]3d){name}"


def _host_pattern(domain: str) -> str:
    forms = {domain}
    if "xn--" in domain:
        try:
            forms.add(domain.encode().decode("idna"))
        except UnicodeError:
            pass
    return f"({'|'.join(map(_text_pattern, sorted(forms)))})"


def _text_pattern(text: str) -> str:
    return "".join(map(_character_pattern, text))


def _character_pattern(char: str) -> str:
    r"""A character, as it is, quoted, or as hexadecimal digits; of others than ASCII just any.

    JSON writes `\u00e9` for one, xtext up to four groups of digits.
    """
    if not char.isascii():
        return r"[^\n]{1,12}"
    if char.isalnum():
        return f"({char}|[+%]{ord(char):02x})"
    return rf"(\\*\{char}|[+%]{ord(char):02x})"
