r"""Whose address a stored value holds: every form in which mail systems write one into a log.

An address stands there as it is, with a tag (`name+tag@`), quoted (`"a b"@`), in a variable envelope
return path (`list+bounce-name=example.com@`, `prvs=TAG=name@`), rewritten by a forwarder (SRS0, SRS1),
with a percent or bang route, in xtext (`name+40example.com`) or as in a URL (`name%40example.com`); alone
or in a text. Where a form may be read in several ways each reading counts: of `list-ann=example.com@`
ann@example.com and list-ann@example.com.

It knows no person and no database. An address here is `name@domain` in lower case, unquoted, its
domain as DNS has it (`xn--`).
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

LONGEST = 2000  # characters of a text that are looked at: no column holds more
LONGEST_LOCAL = 80  # characters of a local part; RFC 5321 allows 64
MOST_SIGNS = 16  # of one kind in a word: no name has more, and work may not grow with their square


class Mention(NamedTuple):
    """A part of a text, and the addresses that it may stand for."""

    start: int
    end: int
    addresses: frozenset[str]


_PLAIN = r"[^\s<>()\[\],;:\"]"  # characters that need no quotation in an address
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_LITERAL = r"\[[^\]\s]*\]"
#: What stands between blanks, brackets and the like, with a quoted local part or an address literal.
_WORD = re.compile(
    rf"(?P<quoted>{_QUOTED})@(?P<domain>{_LITERAL}|[^\s<>()\[\],;:\"@]*)|{_PLAIN}+(?:(?<=@){_LITERAL})?"
)
_AT = re.compile(rf"@(?P<domain>[\w.-]+|{_LITERAL})")
_BEFORE = re.compile(r"(?<![^\s<>()\[\],;:\"'=])[^\s]")  # where an unquoted address may begin
_ODD = re.compile(r"[\s\"<>(),;:\[\]]")
_HOST = re.compile(rf"[\w.-]+|{_LITERAL}")
_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)+\.?")
_BOUNDARIES = "='/{}|!?&`%#*$^~"  # behind these an address may begin within a word
_BEGINS = re.compile(f"(?<=[{re.escape(_BOUNDARIES)}])")
_BEGINS_VERP = re.compile(f"(?<=[{re.escape(_BOUNDARIES)}+-])")
_SRS = re.compile(r"SRS[01][=+-]", re.IGNORECASE)
_ESCAPES = (re.compile(r"(?:\+[0-9A-F]{2})+"), re.compile(r"(?:%[0-9A-Fa-f]{2})+"))
_TELLING = re.compile("[@=%!]|[+]40")


def canonical(local: str, domain: str) -> str:
    """An address in the one way in which it is compared."""
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = _unquoted(local)
    return f"{unicodedata.normalize('NFC', local).lower()}@{canonical_domain(domain)}"


def _unquoted(local: str) -> str:
    return re.sub(r"\\(.)", r"\1", local[1:-1], flags=re.DOTALL)


@lru_cache(maxsize=4096)
def canonical_domain(domain: str) -> str:
    """A domain in the one way in which it is compared."""
    domain = unicodedata.normalize("NFC", domain).lower().rstrip(".")
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain


def without_tag(address: str) -> str | None:
    """The address a tagged one stands for: name@ for name+tag@."""
    local, _, domain = address.rpartition("@")
    name, plus, _ = local.partition("+")
    return f"{name}@{domain}" if plus and name else None


def domain_of(address: str) -> str:
    """The domain of an address."""
    return address.rpartition("@")[2]


# --- readings ---------------------------------------------------------------------------------


def _suffixes(text: str, begins: re.Pattern[str]) -> Iterator[str]:
    yield text
    for place in begins.finditer(text):
        if place.start() < len(text):
            yield text[place.start() :]


def _routed(part: str) -> Iterator[tuple[str, str]]:
    """Addresses within a local part: return paths, forwarders' and percent and bang routes."""
    is_srs = _is_srs(part)
    for left, right in _sides(part, "="):
        if found := _DOMAIN.match(right):
            yield from ((local, found[0]) for local in _suffixes(left, _BEGINS_VERP))
        host = left.rpartition("=")[2]
        if is_srs and _DOMAIN.fullmatch(host):
            yield right, host
            yield right.partition("=")[0], host
    for left, right in _sides(part, "%"):
        if found := _DOMAIN.match(right):
            yield from ((local, found[0]) for local in _suffixes(left, _BEGINS))
    for left, right in _sides(part, "!"):
        if _DOMAIN.fullmatch(left):
            yield right, left


def _is_srs(part: str) -> bool:
    found = _SRS.search(part)
    return found is not None and (found.start() == 0 or part[found.start() - 1] in _BOUNDARIES)


def _sides(part: str, sign: str) -> Iterator[tuple[str, str]]:
    """What stands before and behind each sign; where there are very many, up to the next ones."""
    pieces = part.split(sign)
    if len(pieces) > MOST_SIGNS:
        yield from itertools.pairwise(pieces)
        return
    for number in range(1, len(pieces)):
        yield sign.join(pieces[:number]), sign.join(pieces[number:])


def _readings(word: str) -> Iterator[tuple[str, str]]:
    """The addresses, local part and domain, that a word without quotation may stand for."""
    begin = 0
    for at in (place.start() for place in re.finditer("@", word)):
        part, domain = word[begin:at], _HOST.match(word, at + 1)
        if domain is not None:
            yield word[:at], domain[0]
            if not _is_srs(part):
                yield from ((local, domain[0]) for local in _suffixes(part, _BEGINS))
        yield from _routed(part)
        begin = at + 1
    yield from _routed(word[begin:])


def _decoded(word: str) -> Iterator[str]:
    """The word with what xtext and URLs write in hexadecimal digits."""
    for escape in _ESCAPES:
        plain = escape.sub(_characters, word)
        if plain != word:
            yield plain


def _characters(found: re.Match[str]) -> str:
    return bytes.fromhex(re.sub(r"[+%]", "", found[0])).decode("utf-8", "replace")


def _of_word(word: str) -> Iterator[str]:
    if _TELLING.search(word) is None:
        return
    for text in (word, *_decoded(word)):
        yield from (canonical(local, domain) for local, domain in _readings(text) if local)


def _of_quoted(quoted: str, domain: str) -> Iterator[str]:
    inner = _unquoted(quoted)
    yield canonical(quoted, domain)
    for text in (inner, *_decoded(inner)):
        yield from (canonical(local, host) for local, host in _routed(text) if local)
        yield from (canonical(local, domain) for local in _suffixes(text, _BEGINS) if local)
    for word in re.findall(rf"{_PLAIN}+", inner):
        yield from _of_word(word)


def _unquoted_ones(text: str) -> Iterator[Mention]:
    """Addresses with blanks or brackets in their local part, which some daemons do not quote."""
    for at in _AT.finditer(text):
        for place in _BEFORE.finditer(text, max(0, at.start() - LONGEST_LOCAL), at.start()):
            local = text[place.start() : at.start()]
            if _ODD.search(local):
                address = canonical(local, at["domain"])
                yield Mention(place.start(), at.end(), frozenset((address,)))


# --- mentions ---------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def mentions(text: str) -> tuple[Mention, ...]:
    """The parts of a text that may be addresses; they may overlap."""
    text = text[:LONGEST]
    if _TELLING.search(text) is None:
        return ()
    told = list(_unquoted_ones(text))
    for word in _WORD.finditer(text):
        quoted = word["quoted"]
        readings = _of_word(word[0]) if quoted is None else _of_quoted(quoted, word["domain"])
        if addresses := frozenset(readings):
            told.append(Mention(word.start(), word.end(), addresses))
    return tuple(told)


def identities(value: str) -> frozenset[str]:
    """The addresses that a stored value may stand for or name."""
    return frozenset().union(*(mention.addresses for mention in mentions(value)))
