"""One log text taken apart into its elements.

A small compiler turns each format of `formats` into one pattern that must match the whole text,
so a field is found by the grammar around it and never by searching. The parser knows no table
of the database and no mail, only lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from journal_postfix.formats import (
    ALL,
    DECIMALS,
    FIELDS,
    INTEGERS,
    PATTERNS,
    STATEMENTS,
    Statement,
)
from journal_postfix.messages import MsgDetails

Parsed = dict[str, Any]

LEVELS = ("warning", "error", "fatal", "panic")
DEFAULT_SYSLOG_NAMES = ("postfix",)

_PREFIXES = {"{queue_id}: ": "id", "NOQUEUE: ": "noqueue", "{queue_id|NOQUEUE}: ": "both"}
_TOKEN = re.compile(r"\{(\w+)(?::(\w+))?\}|\\(.)|(.)", re.DOTALL)
_KEY = 3  # characters of the text that choose the statements to try
_is_queue_id = re.compile(PATTERNS["queue_id"]).fullmatch
_relay = re.compile(r"([^\[]+)\[([^\]]*)\](?::(\d+))?").fullmatch


def _number(text: str) -> int | float:
    return int(text) if text.isdigit() else float(text)


_CONVERT: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(INTEGERS, int),
    **dict.fromkeys(DECIMALS, _number),
}


class Rule(NamedTuple):
    """A compiled statement: its action, the match function, and the fields to convert."""

    action: str
    match: Callable[[str], re.Match[str] | None]
    convert: tuple[tuple[str, Callable[[str], Any]], ...]


Rules = dict[str, tuple[Rule, ...]]  # by the first characters of the text; '' for the rest


class Route(NamedTuple):
    """Where lines of one identifier go: its instance, its daemon, the daemon's rules by place."""

    syslog_name: str
    daemon: str
    rules: dict[tuple[str, str], Rules]


def pattern_of(template: str) -> str:
    """The regular expression of a format (without its queue id), each field a named group."""
    out = []
    for name, kind, escaped, char in _TOKEN.findall(template):
        if name == "_":
            out.append(f"(?:{PATTERNS[kind]})")
        elif name:
            out.append(f"(?P<{name}>{PATTERNS[kind or FIELDS[name]]})")
        elif char and char in "[]":
            out.append("(?:" if char == "[" else ")?")
        else:
            out.append(re.escape(escaped or char))
    return "".join(out)


def split_format(template: str) -> tuple[str, str]:
    """Where a format stands (`id`, `noqueue`, `both`, `bare`) and the format behind its id."""
    for prefix, place in _PREFIXES.items():
        if template.startswith(prefix):
            return place, template[len(prefix) :]
    return "bare", template


def _starts(template: str) -> list[str]:
    """The first characters of every text a format can match; [''] where they are open."""
    name, kind, _, _ = next(iter(_TOKEN.findall(template)))
    if not name:
        literal = re.match(r"(?:[^{}\[\]\\]|\\.)*", template)
        text = literal.group().replace("\\", "") if literal else ""
        return [text[:_KEY]] if len(text) >= _KEY else [""]
    words = re.split(r"\|(?![^(]*\))", PATTERNS[kind or FIELDS[name]])
    if all(re.fullmatch(r"[A-Za-z_ -]{3,}.*", word) and "(" not in word[:_KEY] for word in words):
        return sorted({word[:_KEY] for word in words})
    return [""]


def _rule(statement: Statement, template: str) -> Rule:
    pattern = re.compile(pattern_of(template), re.DOTALL)
    convert = tuple((name, _CONVERT[name]) for name in pattern.groupindex if name in _CONVERT)
    return Rule(statement.action, pattern.fullmatch, convert)


def _compile() -> list[tuple[tuple[str, ...], str, str, list[str], Rule]]:
    rows = []
    for statement in STATEMENTS:
        place, template = split_format(statement.format)
        rule = _rule(statement, template)
        places = ("id", "noqueue") if place == "both" else (place,)
        rows += [
            (statement.daemons, each, statement.level, _starts(template), rule) for each in places
        ]
    return rows


_COMPILED = _compile()


@lru_cache(maxsize=None)
def _rules_of(daemon: str) -> dict[tuple[str, str], Rules]:
    """The rules of one daemon by (level, place), each by the first characters of the text."""
    tables: dict[tuple[str, str], dict[str, list[Rule]]] = {}
    for daemons, place, level, starts, rule in _COMPILED:
        if daemons is ALL or daemon in daemons:
            table = tables.setdefault((level, place), {"": []})
            for start in starts:
                table.setdefault(start, list(table[""])).append(rule)
            if starts == [""]:
                for key in table:
                    if key:
                        table[key].append(rule)
    return {
        where: {key: tuple(rules) for key, rules in table.items()}
        for where, table in tables.items()
    }


@lru_cache(maxsize=4096)
def route(identifier: str, syslog_names: tuple[str, ...] = DEFAULT_SYSLOG_NAMES) -> Route | None:
    """The route of a syslog identifier (`postfix/submission/smtpd`), None if it is not Postfix's.

    A configured name matches when `/` or `-` follows it: `postfix-out/smtp` is an instance.
    """
    syslog_name, slash, daemon = identifier.rpartition("/")
    if not slash or not daemon:
        return None
    for name in syslog_names:
        if identifier.startswith(name) and identifier[len(name)] in "/-":
            return Route(syslog_name, daemon, _rules_of(daemon))
    return None


@lru_cache(maxsize=65536)
def relay_parts(relay: str) -> Parsed:
    """The elements of `relay=` (`host[address]:port`, `host[path]`, a service): a fresh view."""
    match = _relay(relay)
    if match is None:
        return {}
    name, inside, port = match.groups()
    parts: Parsed = {"relay_name": name}
    parts["relay_path" if "/" in inside else "relay_address"] = inside
    if port:
        parts["relay_port"] = int(port)
    return parts


def _finish_delivery(parsed: Parsed) -> None:
    parsed.update(relay_parts(parsed["relay"]))
    reason = parsed.get("reason")
    if reason is not None and reason.endswith(")"):  # a record cut at the line limit has none
        parsed["reason"] = reason[:-1]


def _finish_disconnect(parsed: Parsed) -> None:
    for command in parsed.pop("commands").split():
        name, _, count = command.partition("=")
        parsed["cmd_" + name if name != "commands" else name] = count


_FINISH: dict[str, Callable[[Parsed], None]] = {
    "delivery": _finish_delivery,
    "disconnect": lambda parsed: _finish_disconnect(parsed) if "commands" in parsed else None,
}


def _matched(rules: Rules | None, text: str) -> Parsed | None:
    if rules is None:
        return None
    for rule in rules.get(text[:_KEY]) or rules[""]:
        match = rule.match(text)
        if match is not None:
            parsed: Parsed = {"action": rule.action}
            for name, value in match.groupdict().items():
                if value is not None:
                    parsed[name] = value
            for name, convert in rule.convert:
                if name in parsed:
                    parsed[name] = convert(parsed[name])
            finish = _FINISH.get(rule.action)
            if finish is not None:
                finish(parsed)
            return parsed
    return None


def _labelled(text: str) -> tuple[str, str]:
    label, colon, rest = text.partition(": ")
    return (label, rest) if colon and label in LEVELS else ("info", text)


def _parse_text(rules: dict[tuple[str, str], Rules], text: str) -> Parsed | None:
    level, text = _labelled(text) if text[:1] in ("w", "e", "f", "p") else ("info", text)
    head, colon, rest = text.partition(": ")
    parsed = None
    if colon:
        if head == "NOQUEUE":
            parsed = _matched(rules.get((level, "noqueue")), rest)
        elif _is_queue_id(head):
            parsed = _matched(rules.get((level, "id")), rest)
            if parsed is not None:
                parsed["queue_id"] = head
    if parsed is None:
        parsed = _matched(rules.get((level, "bare")), text)
    if parsed is not None and level != "info":
        parsed["level"] = level
    return parsed


def parse(
    msg_details: MsgDetails, syslog_names: tuple[str, ...] = DEFAULT_SYSLOG_NAMES
) -> Parsed:
    """Every syntactic element of one log text, under Postfix's names; never raises.

    Always has `action`: the statement's name, `unknown` for a Postfix statement that is not
    recognised (the text is then in `text`), `foreign` for a line that is not Postfix's. Numbers
    are int or float, everything else is str. A severity label gives `level`.
    """
    found = route(msg_details["identifier"], syslog_names)
    if found is None:
        return {"action": "foreign"}
    text = msg_details["message"]
    return _parse_text(found.rules, text) or {"action": "unknown", "text": text}
