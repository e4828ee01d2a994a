"""The shape of a text nobody recognised: what stays when addresses, names and numbers go.

Made for counting, and so that an example can be kept without personal data. It knows what an
address, a host, a queue id look like anywhere; it refuses to know statements.

Bugs: a short word that is somebody's name stays in the example where nothing about it says so: no
bracket, quotation, domain, digit, equals sign or verb of SMTP.
"""

from __future__ import annotations

import re

_LONGEST = 300
_READ = 2000  # characters of a text that are looked at, Postfix's own limit

#: What an example must not keep, and what stands there instead, in this order: first what may go
#: on to the end of the line (a text by somebody else, a value or a quotation that is not closed),
#: then what is in brackets, then words that have the form of an address or a name. Words are tried
#: from their beginning only, so that each is read once.
_PERSONAL = (
    (
        re.compile(
            r"( said: | to me: |\bstatus=[\w-]+[ (]| \((?=[A-Za-z])|message-id\W|sasl_username|subject_CN="
            r"|(?:[Ss]ubject|From|To|Cc|Reply-To|Sender|Received|Message-I[Dd]|X-[\w-]{1,40}):"
            r"|(?<![\w-])(?:header|body|content)[: ]|\d\]?(?::\d{1,5})? ?after |\blonger than "
            r"|: (?:reject|discard|hold|warning|info|replace|prepend|strip|pass): (?![A-Z-]+ from )"
            r"|\b(?:PREGREET|COMMAND|NEWLINE|command from)\b[^]]*\]| command: "
            r"|(?:EHLO|HELO|AUTH|VRFY|ETRN|BDAT|GET|POST|MAIL|RCPT)(?![\w>]| from\b)).*",
            re.DOTALL,
        ),
        r"\1<text>",
    ),
    (re.compile(r'"(?:[^"\\]++|\\.)*+(?:"[^\s,;>]*|\Z)', re.DOTALL), "<>"),
    (re.compile(r"(?<!\w)['`][^']*(?:'|\Z)"), "<>"),
    (re.compile(r"<[^<>]*(?:>|\Z)"), "<>"),
    (re.compile(r"(?<==)[^\s,]+|(?<![\w.+%!#$&*?^`{|}~-])[\w.+%!#$&*?^`{|}~-]*+[@\uff20]\S*"), "<>"),
    (re.compile(r"(?<![\w.+%-])[\w.+%-]+?(?:%40|\+40)\w\S*"), "<>"),  # an address within a URL, or xtext
    (re.compile(r"(?<!\S)[^\s\[]*+\[[^\s\]]*+(?:\](?::\d+)?)?"), "<host>"),
    (re.compile(r"(?<!\S)~[^\s:,;)]*|(?<![\w/])/(?!etc/|usr/|run/|lib)[^\s:,;)]*"), "<path>"),
    (re.compile(r"\b[0-9A-F]{6,21}(?=[:\s,)]|$)|\b[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{14,}\b"), "<id>"),
    (re.compile(r"(?<![\w.-])(?=[\w.-]*[^\W\d])(?:[\w-]++\.++)++[\w-]++"), "<name>"),
    (re.compile(r"\b\d++(?:\.\d++){3}\b|\b[0-9A-Fa-f]*+:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*"), "<ip>"),
    (re.compile(r"(?<![\w-])(?:(?=[\w-]*\d)(?=[\w-]*[^\W\d])[\w-]{8,}|[\w-]++(?=\(\d+\)))"), "<name>"),
)  # fmt: skip
_VALUES = ((re.compile(r"\d+"), "0"),)


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
