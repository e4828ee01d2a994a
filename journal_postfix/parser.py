"""One log text taken apart into its elements.

A small compiler turns each format of `formats` into one pattern that must match the whole text,
so a field is found by the grammar around it and never by searching. The parser knows no table
of the database and no mail, only lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
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
_KEPT = 10_000  # numbers and queue ids remembered
_LONGEST = 255  # characters of a text that is remembered
_LABELS = frozenset(level[0] for level in LEVELS)  # how a labelled text begins
_FLAGS = re.DOTALL | re.ASCII
_queue_id = re.compile(PATTERNS["queue_id"], _FLAGS).fullmatch
_odd_id = re.compile(r"(?=[A-Za-z]*[0-9])[0-9A-Za-z]{6,40}").fullmatch
_host_and_address = re.compile(r"([^\[]+)\[([^\]]*)\](?::([0-9]{1,5}))?", _FLAGS).fullmatch


class _Decimals(dict[str, int | float]):
    """Numbers by their text; delays repeat, so most are here already."""

    def __missing__(self, text: str) -> int | float:
        if len(self) >= _KEPT:
            self.clear()
        number = self[text] = int(text) if text.isdigit() else float(text)
        return number


Convert = Callable[[str], Any]
_CONVERT: dict[str, Convert] = {  # by kind
    "code": int,
    "decimal": _Decimals().__getitem__,
    "integer": int,
}


class Rule(NamedTuple):
    """A compiled statement: the match function, the fields in it, what is odd about its lines."""

    statement: Statement
    action: str
    match: Callable[[str], re.Match[str] | None]
    numbers: tuple[tuple[str, Convert], ...]  # among the fields that are always there
    optional: tuple[tuple[str, Convert | None], ...]
    finish: Callable[[Parsed], None] | None
    odd: str


Rules = dict[str, tuple[Rule, ...]]  # by the first characters of the text; '' for the rest


class Places(NamedTuple):
    """The rules of texts behind a queue id, behind NOQUEUE, and of all others."""

    id: Rules
    noqueue: Rules
    bare: Rules


class Route(NamedTuple):
    """Where lines of one identifier go: its instance, its daemon, the daemon's rules by level."""

    syslog_name: str
    daemon: str
    rules: dict[str, Places]
    info: Places


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


def _optional(template: str) -> set[str]:
    """The fields that stand within brackets."""
    depth, names = 0, set()
    for _odd, name, _kind, _escaped, char in _TOKEN.findall(template):
        depth += (char == "[") - (char == "]")
        if name and depth:
            names.add(name)
    return names


def _rule(statement: Statement, template: str) -> Rule:
    tokens = _TOKEN.findall(template)
    kinds = {name: kind_of(name, kind) for _odd, name, kind, _, _ in tokens if name}
    kinds.pop("_", None)
    optional = _optional(template)
    finish = _FINISH.get(statement.action)
    if finish is None and "relay" in kinds:
        finish = _finish_relay
    return Rule(
        statement,
        statement.action,
        re.compile(pattern_of(template), _FLAGS).fullmatch,
        tuple((n, _CONVERT[k]) for n, k in kinds.items() if n not in optional and k in _CONVERT),
        tuple((n, _CONVERT.get(k)) for n, k in kinds.items() if n in optional),
        finish,
        "".join(token[0] for token in tokens),
    )


# --- elements within elements ---------------------------------------------------------------


def relay_parts(relay: str) -> Parsed:
    """The elements of `relay=` (`host[address]:port`, `host[path]`); {} for a service's name.

    The dict is shared: copy what is needed.
    """
    return _known_parts(relay) if len(relay) <= _LONGEST else _relay_parts(relay)


def _relay_parts(relay: str) -> Parsed:
    match = _host_and_address(relay)
    if match is None:
        return {}
    name, inside, port = match.groups()
    parts: Parsed = {"relay_name": name}
    parts["relay_path" if "/" in inside else "relay_address"] = inside
    if port:
        parts["relay_port"] = int(port)
    return parts


_known_parts = lru_cache(maxsize=_KEPT)(_relay_parts)


def _finish_relay(parsed: Parsed) -> None:
    parsed.update(relay_parts(parsed["relay"]))


def _finish_delivery(parsed: Parsed) -> None:
    parsed.update(relay_parts(parsed["relay"]))
    reason = parsed.get("reason", ")")
    if not reason.endswith(")"):
        parsed["odd"] = "the record is cut"
    elif "reason" in parsed:
        parsed["reason"] = reason[:-1]


def _command_counts(commands: str) -> Parsed:
    counts = (command.partition("=") for command in commands.split())
    return {name if name == "commands" else f"cmd_{name}": count for name, _, count in counts}


_known_counts = lru_cache(maxsize=_KEPT)(_command_counts)


def _finish_disconnect(parsed: Parsed) -> None:
    commands = parsed.pop("commands")
    counts = _known_counts if len(commands) <= _LONGEST else _command_counts
    parsed.update(counts(commands))


def _finish_content(parsed: Parsed) -> None:
    for name, value in relay_parts(parsed["origin"]).items():
        parsed[name.replace("relay_", "client_")] = value


_FINISH: dict[str, Callable[[Parsed], None]] = {
    "content_verdict": _finish_content,
    "delivery": _finish_delivery,
    "disconnect": _finish_disconnect,
}

# --- the rules of a daemon -------------------------------------------------------------------


@cache
def _compiled() -> list[tuple[tuple[str, ...], str, str, list[str], Rule]]:
    """Daemons, place, level, starts and rule of every statement, once for each place.

    Made when first asked for: a quarter of the time in which other commands start.
    """
    rows = []
    for statement in STATEMENTS:
        place, template = split_format(expanded(statement.format))
        rule = _rule(statement, template)
        places = ("id", "noqueue") if place == "both" else (place,)
        rows += [
            (statement.daemons, each, statement.level, _starts(template), rule) for each in places
        ]
    return rows


DAEMONS = frozenset(daemon for statement in STATEMENTS for daemon in statement.daemons)


def _by_start(rows: Iterable[tuple[list[str], Rule]]) -> Rules:
    """Rules by the first characters of the text; those with an open start are with all others."""
    table: dict[str, list[Rule]] = {"": []}
    for starts, rule in rows:
        for start in starts:
            table.setdefault(start, list(table[""]))
        for start in table if starts == [""] else starts:
            table[start].append(rule)
    return {start: tuple(rules) for start, rules in table.items()}


def _rules_at(daemon: str, level: str, place: str) -> Rules:
    return _by_start(
        (starts, rule)
        for daemons, at, of_level, starts, rule in _compiled()
        if (at, of_level) == (place, level) and (not daemons or daemon in daemons)
    )


@cache
def _rules_of(daemon: str) -> dict[str, Places]:
    """The rules of one daemon by level."""
    return {
        level: Places(*(_rules_at(daemon, level, place) for place in Places._fields))
        for level in ("info", *LEVELS)
    }


@lru_cache(maxsize=_KEPT)
def route(identifier: str, syslog_names: tuple[str, ...] = DEFAULT_SYSLOG_NAMES) -> Route | None:
    """The route of a syslog identifier (`postfix/submission/smtpd`), None if it is not Postfix's.

    A configured name matches when `/` or `-` follows it: `postfix-out/smtp` is an instance.
    """
    syslog_name, slash, daemon = identifier.rpartition("/")
    if not slash or not daemon or len(identifier) > _LONGEST:
        return None
    for name in syslog_names:
        if identifier.startswith((name + "/", name + "-")):
            known = daemon if daemon in DAEMONS else ""
            rules = _rules_of(known)
            return Route(syslog_name, daemon, rules, rules["info"])
    return None


def _matched(rules: Rules, text: str) -> Parsed | None:
    for rule in rules.get(text[:_KEY]) or rules[""]:
        match = rule.match(text)
        if match is None:
            continue
        parsed: Parsed = match.groupdict()
        for name, number in rule.numbers:
            parsed[name] = number(parsed[name])
        for name, convert in rule.optional:
            value = parsed[name]
            if value is None:
                del parsed[name]
            elif convert is not None:
                parsed[name] = convert(value)
        parsed["action"] = rule.action
        if rule.odd:
            parsed["odd"] = rule.odd
        if rule.finish is not None:
            rule.finish(parsed)
        return parsed
    return None


@lru_cache(maxsize=_KEPT)
def _is_id(head: str) -> bool:
    return _queue_id(head) is not None


def is_queue_id(head: str) -> bool:
    """The text has the form of a queue id, short or long."""
    return len(head) <= _LONGEST and _is_id(head)


def _parse_text(places: Places, text: str) -> Parsed | None:
    head, colon, rest = text.partition(": ")
    if colon:
        if head == "NOQUEUE":
            parsed = _matched(places.noqueue, rest)
            if parsed is not None:
                return parsed
        elif is_queue_id(head):
            parsed = _matched(places.id, rest)
            if parsed is not None:
                parsed["queue_id"] = head
                return parsed
    return _matched(places.bare, text)


def _parse_odd_id(places: Places, text: str) -> Parsed | None:
    """A text behind an id that Postfix would not make, but a program that hides ids would."""
    head, _, rest = text.partition(": ")
    parsed = _matched(places.id, rest) if _odd_id(head) else None
    if parsed is not None:
        parsed["queue_id"] = head
        parsed["odd"] = "the queue id has an unknown form"
    return parsed


def _parse_labelled(rules: dict[str, Places], text: str) -> Parsed | None:
    label, colon, rest = text.partition(": ")
    if not colon or label not in LEVELS:
        return _parse_text(rules["info"], text)
    parsed = _parse_text(rules[label], rest)
    if parsed is not None:
        parsed["level"] = label
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
    if text[:1] in _LABELS:
        parsed = _parse_labelled(found.rules, text)
    else:
        parsed = _parse_text(found.info, text) or _parse_odd_id(found.info, text)
    return parsed or {"action": "unknown", "text": text}
