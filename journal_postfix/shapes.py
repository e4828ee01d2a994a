"""The shape of a text nobody recognised: what stays when addresses, names and numbers go.

Made for counting, and so that an example can be kept without personal data. It knows what an
address, a host, a queue id look like anywhere; it refuses to know statements.

Bugs: a name that is neither in brackets, in quotes nor with a domain stays in the example.
"""

from __future__ import annotations

import re

_LONGEST = 300
_READ = 2000  # characters of a text that are looked at, Postfix's own limit

#: What an example must not keep, and what stands there instead. Words are tried from their
#: beginning only, so that each is read once.
_PERSONAL = (
    (re.compile(r'<[^<>]*>|"[^"]*"'), "<>"),
    (re.compile(r"(?<!\S)[^\s@]*+@\S+"), "<>"),
    (re.compile(r"(?<!\S)[^\s\[]*+\[[^\s\]]*+\](?::\d+)?"), "<host>"),
    (re.compile(r"\b[0-9A-F]{6,21}(?=[:\s,)]|$)|\b[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{14,}\b"), "<id>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9A-Fa-f]*+:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*"), "<ip>"),
    (re.compile(r"(?<![\w.-])(?:[\w-]++\.)++[A-Za-z]{2,}\b"), "<name>"),
)  # fmt: skip
_VALUES = (
    (re.compile(r"(?<==)[^\s,;]+"), "<value>"),
    (re.compile(r"\d+"), "0"),
)


def masked(text: str) -> str:
    """The text with addresses, host names and IP addresses replaced; an example to keep."""
    text = text[:_READ]
    for pattern, mask in _PERSONAL:
        text = pattern.sub(mask, text)
    return text


def shape(text: str) -> str:
    """The masked text without values and numbers, cut to 300 characters: the key to count by."""
    text = masked(text)
    for pattern, mask in _VALUES:
        text = pattern.sub(mask, text)
    return text[:_LONGEST]
