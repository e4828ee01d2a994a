"""One log text taken apart into its elements.

A small compiler turns each format of `formats` into one pattern that must match the whole text,
so a field is found by the grammar around it and never by searching. The parser knows no table
of the database and no mail, only lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, NamedTuple

from journal_postfix.fields import FIELDS, LEVELS, PARTS, PATTERNS, Statement
from journal_postfix.formats import STATEMENTS
from journal_postfix.messages import MsgDetails

Parsed = dict[str, Any]

DEFAULT_SYSLOG_NAMES = ("postfix",)

_PREFIXES = {"{queue_id}: ": "id", "NOQUEUE: ": "noqueue", "{queue_id|NOQUEUE}: ": "both"}
_TOKEN = re.compile(r"\{!([^{}]*)\}|\{(\w+)(?::(\w+))?\}|\\(.)|(.)", re.DOTALL)
_PART = re.compile(r"\{([A-Z_]+)\}")
_KEY = 3  # characters of the text that choose the statements to try
_FLAGS = re.DOTALL | re.ASCII
_is_queue_id = re.compile(PATTERNS["queue_id"], _FLAGS).fullmatch
_host_and_address = re.compile(r"([^\[]+)\[([^\]]*)\](?::([0-9]{1,5}))?", _FLAGS).fullmatch


def _number(text: str) -> int | float:
    return int(text) if text.isdigit() else float(text)


Convert = Callable[[str], Any] | None
_CONVERT: dict[str, Convert] = {  # by kind
    "closed": lambda text: text.removesuffix(">"),
    "code": int,
    "decimal": _number,
    "integer": int,
}


class Rule(NamedTuple):
    """A compiled statement: the match function, the fields in it, what is odd about its lines."""

    statement: Statement
    action: str
    match: Callable[[str], re.Match[str] | None]
    fields: tuple[tuple[str, Convert], ...]
    finish: Callable[[Parsed], None] | None
    odd: str


Rules = dict[str, tuple[Rule, ...]]  # by the first characters of the text; '' for the rest


class Route(NamedTuple):
    """Where lines of one identifier go: its instance, its daemon, the daemon's rules by place."""

    syslog_name: str
    daemon: str
    rules: dict[tuple[str, str], Rules]


# --- the compiler ---------------------------------------------------------------------------


def expanded(template: str) -> str:
    """A format with its shared parts (`{CLIENT}`) put in."""
    return _PART.sub(lambda match: PARTS[match[1]], template)


def split_format(template: str) -> tuple[str, str]:
    """Where a format stands (`id`, `noqueue`, `both`, `bare`) and the format behind its id."""
    for prefix, place in _PREFIXES.items():
        if template.startswith(prefix):
            return place, template[len(prefix) :]
    return "bare", template


def kind_of(name: str, kind: str) -> str:
    """The kind of text a hole `{name:kind}` or `{name}` takes."""
    return kind or FIELDS.get(name, name)


def pattern_of(template: str) -> str:
    """The regular expression of a format (without its queue id), each field a named group."""
    out = []
    for _odd, name, kind, escaped, char in _TOKEN.findall(template):
        if name:
            group = "?:" if name == "_" else f"?P<{name}>"
            out.append(f"({group}{PATTERNS[kind_of(name, kind)]})")
        elif char and char in "[]":
            out.append("(?:" if char == "[" else ")?")
        else:
            out.append(re.escape(escaped or char))
    return "".join(out)


def _starts(template: str) -> list[str]:
    """The first characters of every text a format can match; [''] where they are open."""
    _odd, name, kind, _, _ = _TOKEN.findall(template)[0]
    if not name:
        literal = re.match(r"(?:[^{}\[\]\\]|\\.)*", template)
        text = literal.group().replace("\\", "") if literal else ""
        return [text[:_KEY]] if len(text) >= _KEY else [""]
    words = re.split(r"\|(?![^(]*\))", PATTERNS[kind_of(name, kind)])
    if all(re.match(r"[A-Za-z_ -]{3}", word) for word in words):
        return sorted({word[:_KEY] for word in words})
    return [""]


def _rule(statement: Statement, template: str) -> Rule:
    tokens = _TOKEN.findall(template)
    kinds = {name: kind_of(name, kind) for _odd, name, kind, _, _ in tokens if name}
    kinds.pop("_", None)
    fields = tuple((name, _CONVERT.get(kind)) for name, kind in kinds.items())
    finish = _FINISH.get(statement.action)
    if finish is None and "relay" in kinds:
        finish = _finish_relay
    return Rule(
        statement,
        statement.action,
        re.compile(pattern_of(template), _FLAGS).fullmatch,
        fields,
        finish,
        "".join(token[0] for token in tokens),
    )


# --- elements within elements ---------------------------------------------------------------


@lru_cache(maxsize=65536)
def relay_parts(relay: str) -> Parsed:
    """The elements of `relay=` (`host[address]:port`, `host[path]`); {} for a service's name.

    The dict is shared: copy what is needed.
    """
    match = _host_and_address(relay)
    if match is None:
        return {}
    name, inside, port = match.groups()
    parts: Parsed = {"relay_name": name}
    parts["relay_path" if "/" in inside else "relay_address"] = inside
    if port:
        parts["relay_port"] = int(port)
    return parts


def _finish_relay(parsed: Parsed) -> None:
    parsed.update(relay_parts(parsed["relay"]))


def _finish_delivery(parsed: Parsed) -> None:
    parsed.update(relay_parts(parsed["relay"]))
    reason = parsed.get("reason")
    if reason is None:
        parsed["odd"] = "the record has no reason"
    elif reason.endswith(")"):
        parsed["reason"] = reason[:-1]
    else:
        parsed["odd"] = "the record is cut"


def _finish_disconnect(parsed: Parsed) -> None:
    for command in parsed.pop("commands").split():
        name, _, count = command.partition("=")
        parsed["cmd_" + name if name != "commands" else name] = count


def _finish_content(parsed: Parsed) -> None:
    for name, value in relay_parts(parsed["origin"]).items():
        parsed[name.replace("relay_", "client_")] = value


_FINISH: dict[str, Callable[[Parsed], None]] = {
    "content_verdict": _finish_content,
    "delivery": _finish_delivery,
    "disconnect": _finish_disconnect,
}

# --- the rules of a daemon -------------------------------------------------------------------


def _compile() -> list[tuple[tuple[str, ...], str, str, list[str], Rule]]:
    rows = []
    for statement in STATEMENTS:
        place, template = split_format(expanded(statement.format))
        rule = _rule(statement, template)
        places = ("id", "noqueue") if place == "both" else (place,)
        rows += [
            (statement.daemons, each, statement.level, _starts(template), rule) for each in places
        ]
    return rows


_COMPILED = _compile()
_DAEMONS = frozenset(daemon for statement in STATEMENTS for daemon in statement.daemons)


@cache
def _rules_of(daemon: str) -> dict[tuple[str, str], Rules]:
    """The rules of one daemon by (level, place), each by the first characters of the text."""
    tables: dict[tuple[str, str], dict[str, list[Rule]]] = {}
    for daemons, place, level, starts, rule in _COMPILED:
        if daemons and daemon not in daemons:
            continue
        table = tables.setdefault((level, place), {"": []})
        for start in starts:
            table.setdefault(start, list(table[""]))
        for start in table if starts == [""] else starts:
            table[start].append(rule)
    return {
        where: {start: tuple(rules) for start, rules in table.items()}
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
        if identifier.startswith((name + "/", name + "-")):
            known = daemon if daemon in _DAEMONS else ""
            return Route(syslog_name, daemon, _rules_of(known))
    return None


def _matched(rules: Rules | None, text: str) -> Parsed | None:
    if rules is None:
        return None
    for rule in rules.get(text[:_KEY]) or rules[""]:
        match = rule.match(text)
        if match is not None:
            parsed: Parsed = {"action": rule.action}
            for (name, convert), value in zip(rule.fields, match.groups(), strict=True):
                if value is not None:
                    parsed[name] = value if convert is None else convert(value)
            if rule.odd:
                parsed["odd"] = rule.odd
            if rule.finish is not None:
                rule.finish(parsed)
            return parsed
    return None


def _labelled(text: str) -> tuple[str, str]:
    label, colon, rest = text.partition(": ")
    return (label, rest) if colon and label in LEVELS else ("info", text)


def _with_id(rules: dict[tuple[str, str], Rules], level: str, text: str) -> Parsed | None:
    head, colon, rest = text.partition(": ")
    if not colon:
        return None
    if head == "NOQUEUE":
        return _matched(rules.get((level, "noqueue")), rest)
    if not _is_queue_id(head):
        return None
    parsed = _matched(rules.get((level, "id")), rest)
    if parsed is not None:
        parsed["queue_id"] = head
    return parsed


def _parse_text(rules: dict[tuple[str, str], Rules], text: str) -> Parsed | None:
    level, text = _labelled(text) if text[:1] in "wefp" else ("info", text)
    parsed = _with_id(rules, level, text) or _matched(rules.get((level, "bare")), text)
    if parsed is not None and level != "info":
        parsed["level"] = level
    return parsed


def parse(msg_details: MsgDetails, syslog_names: tuple[str, ...] = DEFAULT_SYSLOG_NAMES) -> Parsed:
    """Every syntactic element of one log text, under Postfix's names; never raises.

    Always has `action`: the statement's name, `unknown` for a Postfix statement that is not
    recognised (the text is then in `text`), `foreign` for a line that is not Postfix's. Numbers
    are int or float, everything else is str. A severity label gives `level`; `odd` says what is
    strange about a line (it is cut, an address is not quoted).
    """
    found = route(msg_details["identifier"], syslog_names)
    if found is None:
        return {"action": "foreign"}
    text = msg_details["message"]
    return _parse_text(found.rules, text) or {"action": "unknown", "text": text}
