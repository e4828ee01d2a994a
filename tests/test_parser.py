"""What `parse` promises for every text: it never raises, and nobody changes a field not his own."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from journal_postfix import parser
from journal_postfix.delivery import extract_delivery
from journal_postfix.fields import PATTERNS, Statement
from journal_postfix.formats import STATEMENTS
from journal_postfix.messages import MsgDetails
from journal_postfix.parser import Parsed, parse
from pumping import Hole, holes, pieces, pumped
from test_samples import SAMPLES

# How long an example takes is no matter of a test.
settings.register_profile("slow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("slow")

T = datetime(2025, 11, 21, 10, 30, tzinfo=UTC)
DAEMONS = sorted({daemon for statement in STATEMENTS for daemon in statement.daemons})
QUEUE_ID = "3C5D120ABF"


def line(identifier: str, text: str) -> MsgDetails:
    """A message of a daemon."""
    return {
        "t": T, "host": "mx1", "identifier": identifier, "pid": 1, "message": text, "position": 0,
    }  # fmt: skip


def read(daemon: str, text: str) -> Parsed:
    """What `parse` makes of a text of `postfix/daemon`."""
    return parse(line(f"postfix/{daemon}", text))


# --- any text ---------------------------------------------------------------------------------

# NUL, control characters and lone surrogates, too
anything = st.text(st.characters(exclude_categories=()))
#: What texts of ours are made of, and what an outsider would put into them.
fragments = st.sampled_from((
    "; from=<", "> to=<", "> proto=ESMTP", " proto=SMTP", " helo=<", " sasl_username=", ">", "<",
    '"', "\\", ", relay=none", ", relay=evil.example[192.0.2.66]:25", ", delay=1, delays=0/0/0/1",
    ", dsn=2.0.0", ", status=sent (", ", orig_to=<", ">, size=9, nrcpt=9", " (queue active)", ": ",
    " from local; from=<x@example.com>: 5.7.1 y", " from unknown[192.0.2.66];", "NOQUEUE: reject: ",
    "warning: ", "[192.0.2.66]", " (in reply to RCPT TO command)", ")", "(", ";", "@", " ", "a", "ü",
    "?", "=", "'", ", sasl_sender=", "queued as 9A12B3C4D5", "550-5.7.1 ", "x@example.com",
))  # fmt: skip
hostile = st.lists(fragments, max_size=12).map("".join)
sample_lines = st.sampled_from([sample.msg for sample in SAMPLES])


def check(msg: MsgDetails) -> None:
    """Parsing and extraction give values of the kinds they promise."""
    parsed = parse(msg)
    assert isinstance(parsed["action"], str)
    assert all(isinstance(value, (str, int, float)) for value in parsed.values())
    errors, delivery = extract_delivery(msg, parsed)
    assert all(isinstance(error, str) for error in errors)
    for row in (delivery, *delivery.get("also", ())) if delivery is not None else ():
        assert row["table"] in ("from", "to", "noqueue", "queue_event", "login")
        assert None not in row.values()


@given(st.sampled_from(DAEMONS), anything)
def test_any_text(daemon: str, text: str) -> None:
    """A text of whatever characters is parsed, or is unknown."""
    check(line(f"postfix/{daemon}", text))


@given(st.sampled_from(DAEMONS), hostile)
def test_any_text_of_our_own_words(daemon: str, text: str) -> None:
    """A text made of pieces of statements is parsed, or is unknown."""
    check(line(f"postfix/{daemon}", f"{QUEUE_ID}: {text}"))


@given(sample_lines, st.data())
@settings(max_examples=500)
def test_a_damaged_line(msg: MsgDetails, data: st.DataObject) -> None:
    """A real line that is cut, or has something put in or left out, raises nothing."""
    text = msg["message"]
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    middle = data.draw(st.one_of(st.just(""), anything, hostile))
    check({**msg, "message": text[:start] + middle + text[end:]})


@given(st.text())
def test_any_identifier(identifier: str) -> None:
    """An identifier of whatever characters is routed, or is not Postfix's."""
    parsed = parse(line(identifier, "connect from unknown[192.0.2.1]"))
    assert (parsed["action"] == "foreign") is not identifier.startswith(("postfix/", "postfix-"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_long_line(sample: Any) -> None:
    """Lines of 100 kB full of almost matching text are read; a superlinear pattern never ends."""
    text = sample.msg["message"]
    words = text.split(" ")
    half = " ".join(words[len(words) // 2 :])
    for piece in (text, half, words[-1]):
        check({**sample.msg, "message": text + piece * (100_000 // len(piece)) + "\0"})


@pytest.mark.parametrize(
    "hole", list(holes()), ids=lambda hole: f"{hole.msg['identifier'][8:]}-{hole.name}-{hole.start}"
)
def test_a_long_field(hole: Hole) -> None:
    """Any field may be 100 kB of what stands around it, in a line that then ends otherwise."""
    for piece in pieces(hole):
        check({**hole.msg, "message": pumped(hole, piece, 100_000, broken=True)})


# --- identifiers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identifier", "names", "syslog_name", "daemon"),
    [
        ("postfix/smtpd", ("postfix",), "postfix", "smtpd"),
        ("postfix/submission/smtpd", ("postfix",), "postfix/submission", "smtpd"),
        ("postfix-out/smtp", ("postfix",), "postfix-out", "smtp"),
        ("out/cfilter/smtp", ("postfix", "out"), "out/cfilter", "smtp"),
        ("postfix/smtpd", ("postfix/smtpd", "postfix"), "postfix", "smtpd"),
    ],
)
def test_route(identifier: str, names: tuple[str, ...], syslog_name: str, daemon: str) -> None:
    """Instance and service stand in front of the last slash, the daemon behind it."""
    found = parser.route(identifier, names)
    assert found is not None
    assert (found.syslog_name, found.daemon) == (syslog_name, daemon)


@pytest.mark.parametrize("identifier", ["postfix", "postfixed/smtpd", "out/smtp", "", "postfix/"])
def test_foreign(identifier: str) -> None:
    """What no syslog name of ours begins, and no daemon ends, is not Postfix's."""
    assert parse(line(identifier, "removed")) == {"action": "foreign"}


def test_an_unknown_daemon() -> None:
    """A daemon that we do not know still has the statements that all daemons make."""
    assert read("newd", "warning: something")["action"] == "warning"
    assert read("newd", "something else") == {"action": "unknown", "text": "something else"}


# --- round trip ---------------------------------------------------------------------------------


def quoted(local_part: str) -> str:
    """An address in external form, as smtp_stream and quote_822_local write it."""
    escaped = local_part.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"@example.net'


# Plain words begin so that they are no word of ours, no number and no queue id.
plain = st.from_regex(r"q[a-y0-9]{0,8}", fullmatch=True)
addresses = st.one_of(
    st.just(""), plain.map("{}@example.com".format), plain.map('"{} >, x"@example.net'.format)
)
#: Values of kinds that are open, or whose pattern looks around; the others come from the pattern.
VALUES: dict[str, st.SearchStrategy[str]] = {
    **dict.fromkeys((
        "any", "lazy", "nonblank", "path", "host", "helo", "login", "relay", "token", "word", "words",
        "quoted", "unquoted", "before_comma", "before_dashes", "content_text", "listed_login",
        "spaced_login", "parenthesised", "told", "cut_content", "before_with", "before_from", "short_text", "whole_sender", "colonless",
        "dashless", "slashless", "text_before_colon", "anvil_service",
    ), plain),
    "address": addresses,
    "internal_to": plain.map('{}"b>c@example.com'.format),
    "internal_orig_to": plain.map("{}>d".format),
    "ip": st.sampled_from(("192.0.2.1", "2001:db8::1", "unknown")),
    "origin": st.sampled_from(("local", "unknown[192.0.2.1]", "a.example[2001:db8::1]:2525")),
    "peer": plain.map("{}[192.0.2.1]:25".format),
    "requiretls": plain.map("Sender requested REQUIRETLS, but {}".format),
    "tls_refused": plain.map("Cannot start TLS: {}".format),
    "template_trouble": plain.map("{} in failure".format),
}  # fmt: skip


#: What Postfix may write where a kind is open, and where its pattern says what it cannot be.
odd = st.text(st.sampled_from("abz09AZ éß漢 .,-+=%!?()[]<>\"'\\/:;@_#&*~|{}\t"), max_size=12)
ODD: dict[str, st.SearchStrategy[str]] = {
    **VALUES,
    **dict.fromkeys(("any", "lazy", "told", "cut_content", "short_text", "before_from"), odd),
    "address": st.one_of(odd.map(quoted), odd.map(lambda text: re.sub('[<>"]', "", text))),
    "login": odd.map(lambda text: re.sub('[<>"]', "", text)),
    "parenthesised": odd.map(lambda text: re.sub("[()]", "", text)),
    "quoted": odd.map(lambda text: text.replace('"', "")),
    "unquoted": odd.map(lambda text: text.replace("'", "")),
    "whole_sender": odd,
}
BY_PATTERN = (
    "before_comma", "colonless", "dashless", "helo", "host", "ip", "nonblank", "origin", "path",
    "peer", "relay", "slashless", "text_before_colon", "token", "word", "words",
)  # fmt: skip


def values_of(kind: str, *, of_odd: bool) -> st.SearchStrategy[str]:
    """Texts that a hole of this kind takes: plain ones, or all that its pattern allows."""
    values = ODD if of_odd else VALUES
    if kind in values and not (of_odd and kind in BY_PATTERN):
        return values[kind]
    return st.from_regex(re.compile(PATTERNS[kind], re.ASCII | re.DOTALL), fullmatch=True)


def written(
    statement: Statement, data: st.DataObject, *, of_odd: bool = False
) -> tuple[str, dict[str, str]]:
    """A text as the format writes it, with the values in its holes; optional parts come and go."""
    _, template = parser.split_format(parser.expanded(statement.format))
    text: list[str] = []
    values: dict[str, str] = {}
    shown = [True]
    for _odd, name, kind, escaped, char in parser._TOKEN.findall(template):
        if char == "[":
            shown.append(shown[-1] and data.draw(st.booleans()))
        elif char == "]":
            shown.pop()
        elif name and shown[-1]:
            value = data.draw(values_of(parser.kind_of(name, kind), of_odd=of_odd))
            text.append(value)
            values.update({name: value} if name != "_" else {})
        elif shown[-1]:
            text.append(escaped or char)
    return "".join(text), values


def rule_of(statement: Statement) -> parser.Rule:
    """The compiled statement."""
    return next(rule for *_, rule in parser._compiled() if rule.statement is statement)


@pytest.mark.parametrize(
    "statement", STATEMENTS, ids=lambda one: f"{one.action}-{STATEMENTS.index(one)}"
)
@given(data=st.data())
@settings(max_examples=20)
def test_round_trip(statement: Statement, data: st.DataObject) -> None:
    """What a format writes with some values, `parse` reads back with the same values."""
    text, values = written(statement, data)
    assume(not parser.is_queue_id(text.partition(": ")[0]))  # a function or path is none
    check_round_trip(statement, text, values)


@pytest.mark.parametrize(
    "statement", STATEMENTS, ids=lambda one: f"{one.action}-{STATEMENTS.index(one)}"
)
@given(data=st.data())
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
def test_round_trip_of_odd_values(statement: Statement, data: st.DataObject) -> None:
    """What a row reads back by itself, no row before it takes away, whatever the values are."""
    text, values = written(statement, data, of_odd=True)
    match = rule_of(statement).match(text)
    assume(match is not None and all(match[name] == value for name, value in values.items()))
    assume(not parser.is_queue_id(text.partition(": ")[0]))
    assume(not text.endswith(";"))  # behind it is the tail of a verdict, even an empty one
    if statement.action == "protocol_test":  # input that looks like a state is one
        assume(not re.match(PATTERNS["state"] + r"(: |\Z)", values.get("input", "")))
    check_round_trip(statement, text, values)


def check_round_trip(statement: Statement, text: str, values: dict[str, str]) -> None:
    """The text behind whatever stands in front of it gives these values, converted."""
    rule = rule_of(statement)
    expected: Parsed = {"action": statement.action}
    converted = {**dict(rule.optional), **dict(rule.numbers)}
    for name, value in values.items():
        convert = converted.get(name)
        expected[name] = value if convert is None else convert(value)
    if rule.finish is not None:
        rule.finish(expected)
    place, _ = parser.split_format(statement.format)
    head = {"id": f"{QUEUE_ID}: ", "both": f"{QUEUE_ID}: ", "noqueue": "NOQUEUE: "}.get(place, "")
    level = "" if statement.level == "info" else f"{statement.level}: "
    parsed = read(statement.daemons[-1] if statement.daemons else "newd", level + head + text)
    assert parsed.get("queue_id") == (QUEUE_ID if QUEUE_ID in head else expected.get("queue_id"))
    assert parsed.get("level", "info") == statement.level
    for name in ("odd", "level", "queue_id"):
        parsed.pop(name, None)
        expected.pop(name, None)
    assert parsed == expected


# --- labels and places ----------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["warning", "error", "fatal", "panic"])
def test_levels(level: str) -> None:
    """A text that no row knows has its level and its text."""
    assert read("smtpd", f"{level}: xyz") == {"action": level, "level": level, "text": "xyz"}


def test_a_label_behind_the_id_is_a_verdict() -> None:
    """`warning:` behind a queue id is the word of a header check, not a severity."""
    text = f"{QUEUE_ID}: warning: header Subject: x from local; from=<a@example.com>"
    parsed = read("cleanup", text)
    assert (parsed["action"], parsed["verdict"]) == ("content_verdict", "warning")
    assert "level" not in parsed


@pytest.mark.parametrize("word", ["warning", "statistics", "reject", "DISCONNECT", "NOQUEUE"])
def test_words_that_are_no_queue_id(word: str) -> None:
    """A word in front of a colon is not taken for a queue id."""
    assert "queue_id" not in read("qmgr", f"{word}: removed")


@pytest.mark.parametrize("queue_id", ["3C5D12", "3C5D120ABF", "4dCKFD0sf8zFpTn", "4YN55f5TTGzyNm"])
def test_queue_ids(queue_id: str) -> None:
    """Short and long queue ids are both known, whatever the setting is now."""
    assert read("qmgr", f"{queue_id}: removed") == {"action": "removed", "queue_id": queue_id}


@pytest.mark.parametrize("queue_id", ["3bZLDu1V55z37Dv", "4gdg1d", "GHI789"])
def test_odd_queue_ids(queue_id: str) -> None:
    """An id that Postfix would not make is read where the text behind it is Postfix's."""
    parsed = read("qmgr", f"{queue_id}: removed")
    assert (parsed["action"], parsed["queue_id"]) == ("removed", queue_id)
    assert parsed["odd"] == "the queue id has an unknown form"
    assert read("qmgr", f"{queue_id}: something else")["action"] == "unknown"


def test_numbers() -> None:
    """Whole numbers are int, others float, and a huge one is not taken for a number."""
    record = f"{QUEUE_ID}: to=<a@example.com>, relay=local, delay=%s, status=sent (ok)"
    assert read("local", record % "12")["delay"] == 12
    assert read("local", record % "0.05")["delay"] == 0.05
    assert read("local", record % ("9" * 5000))["action"] == "unknown"


@pytest.mark.parametrize(
    ("relay", "parts"),
    [
        ("none", {}),
        ("mailman", {}),
        (
            "mx.example[192.0.2.1]:25",
            {"relay_name": "mx.example", "relay_address": "192.0.2.1", "relay_port": 25},
        ),
        (
            "mx.example[2001:db8::1]:587",
            {"relay_name": "mx.example", "relay_address": "2001:db8::1", "relay_port": 587},
        ),
        ("mx.example[192.0.2.1]", {"relay_name": "mx.example", "relay_address": "192.0.2.1"}),
        (
            "mx.example[private/lmtp]",
            {"relay_name": "mx.example", "relay_path": "private/lmtp"},
        ),
        ("mx.example[/run/lmtp]", {"relay_name": "mx.example", "relay_path": "/run/lmtp"}),
    ],
)
def test_relay_parts(relay: str, parts: dict[str, Any]) -> None:
    """A relay is a host with address and port, a socket's path, a service, or none."""
    assert parser.relay_parts(relay) == parts
