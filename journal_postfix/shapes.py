"""The shape of a text nobody recognised: what stays when addresses, names and numbers go.

Made for counting, and so that an example can be kept without personal data.
"""

from __future__ import annotations

import re

_LONGEST = 300
_MASKS = (
    (re.compile(r'<[^<>]*>|"[^"]*"'), "<>"),
    (re.compile(r"\S+@\S+"), "<>"),
    (re.compile(r"\S+\[[^\]]*\](?::\d+)?"), "<host>"),
    (re.compile(r"\[[^\]]*\](?::\d+)?"), "<host>"),
    (re.compile(r"\b[0-9A-F]{6,21}(?=[:\s,)]|$)|\b[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{14,}\b"), "<id>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*"), "<ip>"),
    (re.compile(r"\b(?:[\w-]+\.)+[A-Za-z]{2,}\b"), "<name>"),
    (re.compile(r"(?<==)[^\s,;]+"), "<value>"),
    (re.compile(r"\d+"), "0"),
)  # fmt: skip


def masked(text: str) -> str:
    """The text with addresses, host names and IP addresses replaced; an example to keep."""
    text = text[:2000]
    for pattern, mask in _MASKS[:7]:
        text = pattern.sub(mask, text)
    return text


def shape(text: str) -> str:
    """The masked text without values and numbers, cut to 300 characters: the key to count by."""
    text = masked(text)
    for pattern, mask in _MASKS[7:]:
        text = pattern.sub(mask, text)
    return text[:_LONGEST]
