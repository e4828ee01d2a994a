"""Reasons without what differs from mail to mail, so that equal ones can be counted.

A reason is what a server replied or Postfix said. Addresses, ids, hosts, URLs and numbers that
vary become `...`; SMTP codes and the words stay. A table of patterns, applied in order, each in
time linear in the length of the text.

Bugs: a server that says the same in other words counts apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

Row = dict[str, Any]

LONGEST = 400  # a reason's end tells little, and a page has a width
_CODE = r"[245][0-9]{2}"
_DSN = r"[245]\.[0-9]{1,3}\.[0-9]{1,3}"

#: What stands around a reason or varies in it, and what takes its place.
PATTERNS = (
    (r"[\x00-\x1f\x7f-\x9f]+", " "),
    # Postfix's own frame
    (r" ?\(in reply to [^()]*\)", ""),
    (r"^delivery temporarily suspended: ", ""),
    (r"^host \S+ said: ", ""),
    (r"^host \S+ (refused to talk to me: )", r"\1"),
    (r"\b(connect to|lost connection with|conversation with) \S+?(?=:? |:?$)", r"\1 ..."),
    # a reply of several lines repeats its codes; those of Exchange, Google and others end in an id
    (rf"(?<!:) {_CODE}[- ]{_DSN}(?= )", ""),
    (rf"(?<![\w.])({_CODE})-", r"\1 "),
    # addresses, hosts and URLs
    (r"(?:https?|ftp)://[^\s<>\"']+", "..."),
    (r"<[^<>]*>", "<...>"),
    (r"\"[^\"]*\"", '"..."'),
    (r"(?<![^\s<>\"'(),;:=])[^\s<>\"'(),;:=@]+@[^\s<>\"'(),;:=@]+", "..."),
    (r"\[[^\[\]]*\](?::[0-9]+)?", "[...]"),
    (r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w.]*\w)", "..."),
    (r"(?<![\w:])(?=[0-9a-fA-F:]*:[0-9a-fA-F]*:)[0-9a-fA-F:]{3,39}(?![\w:])", "..."),
    (r"\b(name|type|host|domain|id|InternalId|Hostname)=[^\s,;:)]+", r"\1=..."),
    (r"(?<![\w./-])/[^\s:;,]+", "..."),
    # ids are long words with digits in them; times and sizes are numbers
    (r" - gsmtp$", ""),
    (r"(?<![\w.-])(?=[\w.+-]*[0-9])(?=[\w.+-]*[A-Za-z])[\w.+-]{8,}(?![\w-])", "..."),
    (rf"(?<![\w.])(?<!status )(?!{_CODE}(?![\w.]))[0-9]+(?:\.[0-9]+)?(?![\w.]*[0-9])", "..."),
    (r"(?:\.\.\.[ .:/-]*){2,}(?=\S)", "... "),
    (r"\s+", " "),
)
_PATTERNS = tuple((re.compile(pattern).sub, word) for pattern, word in PATTERNS)


#: What differs most often goes first, in one pass: a day may have a hundred thousand reasons.
_MOST = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|https?://[^\s<>\"']+").sub
_INSTEAD = {"<": "<...>", "[": "[...]", "h": "..."}


def normalised(reason: str) -> str:
    """A reason without what varies; at most a hundred characters."""
    return _normalised(_MOST(lambda found: _INSTEAD[found[0][0]], reason[:LONGEST]))


@lru_cache(maxsize=65536)
def _normalised(text: str) -> str:
    for sub, word in _PATTERNS:
        text = sub(word, text)
    text = text.strip(" ;,:")
    return text if len(text) <= 100 else text[:97].rstrip() + "..."


def merged(rows: Iterable[Row], count: str, *keys: str) -> list[Row]:
    """Rows whose normalised `reason` and `keys` are equal put together, most frequent first.

    `count` names the column that is summed up; `example` is the most frequent row's reason.
    """
    found: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=lambda one: (-one[count], str(one["reason"]))):
        reason = normalised(row["reason"] or "")
        key = (reason, *(row[name] for name in keys))
        first = found.setdefault(
            key, {**row, "reason": reason or "(none)", count: 0, "example": row["reason"]}
        )
        first[count] += row[count]
    return sorted(found.values(), key=lambda one: (-one[count], one["reason"]))
