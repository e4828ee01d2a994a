r"""What others write into a line changes no field that is not theirs.

CASES are the statements that carry an outsider's words, as Postfix's source writes them, with all
optional parts: ``{field=value}`` is Postfix's, the administrator's or a fact of the connection,
``{field:kind}`` (or ``{kind}``, of the same name) an outsider's. KINDS tells who writes what, and
what Postfix does to it before it is logged. ``[...]`` may be missing.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from journal_postfix.delivery import EXTRACT
from journal_postfix.entries import Rules
from journal_postfix.logfile import iter_logfile_messages
from journal_postfix.parser import parse
from test_parser import QUEUE_ID, T, hostile, quoted, read

TOKEN = re.compile(r"\{(\w+)(?::(\w+))?(?:=([^{}]*))?\}|\\(.)|(.)", re.DOTALL)
NUMBERS = {
    "bytes", "client_port", "delay", "delay_before_qmgr", "delay_conn_setup", "delay_in_qmgr",
    "delay_transmission", "conn_use", "reply_code", "size", "nrcpt", "uid", "count", "depth",
    "verify", "limit",
}  # fmt: skip

hostile_addresses = hostile.map(quoted)
#: A local part that says a tail like those behind it, or is left open.
tails = st.sampled_from((
    "; from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<c>",
    "; proto=ESMTP helo=<c> sasl_username=<d", "; proto=SMTP sasl_method=e sasl_username=f",
    " from local; from=<a@example.com> to=<b", " from local; from=<a@example.com>: 5.7.1 g",
    ", relay=none, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (h)", "> orig_id=4A5B6C7D8E",
    ">, size=9, nrcpt=9 (queue active)", ", orig_to=<i@example.com>, relay=none, delay=1",
    " -- message not accepted, try again later", ": not found in virtual_uid_maps", ": j",
))  # fmt: skip
#: Who writes a field, and what of it reaches the log.
KINDS: dict[str, st.SearchStrategy[str]] = {
    # the client: MAIL FROM and RCPT TO, in external form (quoted where it is special)
    "address": st.one_of(hostile_addresses, tails.map(quoted)),
    # the same in internal form, as free text and older Postfix show it
    "internal": st.one_of(hostile, tails).map("{}@example.net".format),
    # the client: HELO as smtpd keeps it, and as postscreen logs it
    "helo": hostile.map(lambda text: re.sub(r'[<>()\\";@\s]', "?", text)),
    "raw_helo": st.one_of(hostile, tails),
    "unbroken": hostile.map(lambda text: re.sub(r"\s", "?", text)),
    # a user whose login was accepted: a name that the password database holds
    "login": hostile.map(lambda text: text[:100]).filter(
        lambda text: not re.search(r" proto=| sasl_sender=", f" {text}")
    ),
    "listed_login": hostile.filter(lambda text: not re.search(", (?:sasl|orig)_", text)),
    "bracketed_login": hostile.map(lambda text: re.sub('[<>"]', "", text)),
    # whoever: replies of servers and of Milters, policy texts with an address in them, headers,
    # message-ids, bytes before the greeting, names in a certificate, keys of a table
    "free": st.one_of(hostile, tails, hostile_addresses),
    "excerpt": st.one_of(hostile, tails, hostile_addresses).map(lambda text: text[:200]),
    "words": st.one_of(hostile, tails, hostile_addresses).map("<{}>: q".format),
    "unended": st.one_of(hostile, tails).map(lambda text: text.rstrip('"')),
}
CLIENT = r"{client_name=a.example}\[{client_address=192.0.2.1}\]"
SCREENED = r"\[{client_address=192.0.2.1}\]:{client_port=40122}"
PEER = r"{relay=mx.example[192.0.2.25]:25}"
ID = "{queue_id=3C5D120ABF}: "
ACCESS_TAIL = (
    "[ from=<{sender:address}>][ to=<{recipient:address}>] proto={protocol_name=ESMTP}"
    "[ helo=<{helo_name:helo}>][ sasl_method={sasl_method=PLAIN} sasl_username={sasl_username:login}"
    "[ sasl_sender={sasl_sender=b@example.com}]]"
)
MILTER_TAIL = (
    "[ from=<{sender:address}>][ to=<{recipient:address}>][ proto={protocol_name=ESMTP}]"
    "[ helo=<{helo_name:helo}>][ sasl_username=<{sasl_username:bracketed_login}>]"
)
RECORD = (
    ID + "to=<{recipient:address}>[, orig_to=<{orig_to:address}>], relay={relay=none}"
    "[, conn_use={conn_use=2}], delay={delay=1.2}, delays={delay_before_qmgr=0.05}"
    "/{delay_in_qmgr=0.01}/{delay_conn_setup=0.6}/{delay_transmission=0.5}[, tls={tls=may}]"
    ", dsn={dsn=5.1.1}, status={status=bounced} ({reason:free})"
)
AGENTS = ("smtp", "lmtp", "local", "virtual", "pipe", "error", "discard", "qmgr", "cleanup")
VERDICTS = ("reject", "reject_warning", "warn", "info", "filter", "hold", "discard", "redirect")
REPLY = "{reply_code=550} {dsn=5.7.1} "
WARNING = "{level=warning}: "

#: Action, daemon, text.
CASES = (
    *(("delivery", agent, RECORD) for agent in AGENTS),
    ("queue_active", "qmgr", ID + "from=<{sender:internal}>, size={size=9}, nrcpt={nrcpt=2} (queue {queue=active})"),
    ("expired", "qmgr", ID + "from=<{sender:internal}>, status={status=expired}, returned to sender"),
    ("pickup", "pickup", ID + "uid={uid=1000} from=<{sender:address}>[ orig_id={orig_queue_id=4A5B6C7D8E}]"),
    ("message_id", "cleanup", ID + "message-id={message_id:free}"),
    ("resent_message_id", "cleanup", ID + "resent-message-id={resent_message_id:free}"),
    ("client", "smtpd", ID + "client=" + CLIENT + "[, sasl_method={sasl_method=PLAIN}, sasl_username={sasl_username:listed_login}][, sasl_sender={sasl_sender=b@example.com}][, orig_queue_id={orig_queue_id=4A5B6C7D8E}][, orig_client={orig_client=c.example[192.0.2.2]}]"),
    *(("verdict", "smtpd", ID + f"{{verdict={one}}}: {{protocol_state=RCPT}} from {CLIENT}: {{reason:words}};{ACCESS_TAIL}") for one in VERDICTS),
    ("verdict", "smtpd", f"NOQUEUE: {{verdict=reject}}: {{protocol_state=RCPT}} from {CLIENT}: {REPLY}{{reason:free}};{ACCESS_TAIL}"),
    ("verdict", "smtpd", f"NOQUEUE: {{verdict=reject}}: {{protocol_state=EHLO}} from {CLIENT}: {REPLY}{{reason=no}}; proto={{protocol_name=SMTP}} helo=<{{helo_name:unbroken}}>"),
    *(("verdict", daemon, ID + f"{{verdict=milter-{one}}}: {{protocol_state=END-OF-MESSAGE}} from {CLIENT}: {{dsn=5.7.1}} {{reason:free}};{MILTER_TAIL}") for one in ("reject", "discard", "hold") for daemon in ("smtpd", "cleanup")),
    ("verdict", "smtpd", f"NOQUEUE: {{verdict=milter-reject}}: {{protocol_state=MAIL}} from {CLIENT}: {REPLY}{{reason:free}};{MILTER_TAIL}"),
    *(("proxy_verdict", "smtpd", f"{{verdict=proxy-{one}}}: {{protocol_state=END-OF-MESSAGE}}: {REPLY}{{reason:free}};{MILTER_TAIL}") for one in ("accept", "reject")),
    ("verdict", "postscreen", f"NOQUEUE: {{verdict=reject}}: {{protocol_state=RCPT}} from {SCREENED}: {REPLY}{{reason=Service unavailable; client blocked}}; from=<{{sender:address}}>, to=<{{recipient:address}}>, proto={{protocol_name=ESMTP}}, helo=<{{helo_name:raw_helo}}>"),
    *(("content_verdict", "cleanup", ID + f"{{verdict={one}}}: {{part=header}} {{content:excerpt}} from {{origin=a.example[192.0.2.1]}}; from=<{{sender:address}}>[ to=<{{recipient:address}}>][ proto={{protocol_name=ESMTP}}][ helo=<{{helo_name:helo}}>][: {{dsn=5.7.1}} {{reason=no spam}}]") for one in ("reject", "warning", "milter-body-hold")),
    ("content_verdict", "cleanup", ID + "{verdict=redirect}: {part=body} {content:excerpt} from {origin=local}; from=<{sender:address}>[: {reason=a@example.com}]"),
    ("content_check", "smtp", ID + "{verdict=replace}: {part=header} {content:free}"),
    ("try_next", "smtp", ID + "host " + PEER + " {how=said}: {reply_code=450}-{dsn=4.2.0} {reason:free} (in reply to {smtp_command=RCPT TO command})"),
    ("try_next", "smtp", ID + "host " + PEER + " {how=refused to talk to me}: {reply_code=450} {dsn=4.2.0} {reason:free}"),
    ("smtp_server", "smtp", WARNING + ID + "non-{protocol_name=ESMTP} response from " + PEER + ": {text:free}"),
    ("smtp_server", "smtp", WARNING + PEER + ": response longer than {limit=2048}: {text:free}"),
    ("connect_failed", "smtp", "connect to " + PEER + ": {error:free}"),
    ("tls_verify", "smtp", "{purpose=CA} certificate verification failed for " + PEER + ": {reason:free}"),
    ("tls_chain", "smtp", PEER + ": depth={depth=0} verify={verify=1} subject={subject:free}"),
    ("tls_peer", "smtpd", CLIENT + ": subject_CN={subject_cn:free}, issuer={issuer=R11}, cert fingerprint={cert_fingerprint=AA:BB}, pkey fingerprint={pkey_fingerprint=CC:DD}"),
    ("tls_sni", "smtpd", WARNING + "TLS SNI from " + CLIENT + " is invalid: {sni:free}"),
    ("login_failed", "smtpd", WARNING + CLIENT + ": SASL {sasl_method=LOGIN} authentication failed: {reason=no}, sasl_username={sasl_username:free}"),
    ("non_smtp_command", "smtpd", WARNING + "non-SMTP command from " + CLIENT + ": {input:free}"),
    ("illegal_address", "smtpd", WARNING + "Illegal address syntax from " + CLIENT + " in {smtp_command=MAIL} command: {input:free}"),
    ("request_too_long", "smtpd", WARNING + CLIENT + ": request longer than {limit=2048}: {input:free}"),
    ("etrn", "smtpd", WARNING + "reject: ETRN {domain:free}... from " + CLIENT),
    ("bdat", "smtpd", WARNING + ID + "malformed BDAT command syntax from " + CLIENT + ": {input:free}"),
    ("mx_lookup", "smtpd", WARNING + "Unable to look up {kind=MX} host {hostname=mx.example} for {class=Sender address} {value:internal}: {error=Host not found}"),
    ("proxy_filter", "smtpd", WARNING + 'proxy {endpoint=127.0.0.1:10024} rejected "{smtp_command:free}": "{reply=450 no}"'),
    ("reply_filter", "smtpd", "NOQUEUE: reply filter {direction=out}: {reply_code=550} {dsn=5.1.1} {reason:free}"),
    ("pipelining", "smtpd", "improper command pipelining after {protocol_state=DATA} from " + CLIENT + ": {input:free}"),
    ("compatibility", "smtpd", "using backwards-compatible default setting {setting=a=no} to {effect=reject} recipient \"{recipient:internal}\" from client \"" + CLIENT + '"'),
    ("pregreet", "postscreen", "PREGREET {bytes=14} after {seconds:seconds} from " + SCREENED + ": {input:free}"),
    ("protocol_test", "postscreen", "{test=COMMAND PIPELINING} from " + SCREENED + " after {protocol_state=EHLO}: {input:free}"),
    ("not_accepted", "cleanup", WARNING + ID + "{map=virtual_alias_maps} map lookup problem for {recipient:internal} -- {text=message not accepted, try again later}"),
    ("malformed_header", "cleanup", WARNING + "ignoring malformed header: '{content:unapostrophed}'"),
    ("notification_failed", "bounce", WARNING + ID + "sender notification failed to {recipient:address}[: {reason=message content rejected}]"),
    ("notification_failed", "bounce", WARNING + ID + "postmaster notice failed while bouncing to {recipient:internal}"),
    ("mailbox", "virtual", WARNING + "recipient {recipient:internal}: not found in {map=virtual_uid_maps}"),
    ("verify", "verify", WARNING + "bad recipient status {status=7} for recipient {recipient:internal}"),
    ("rewrite", "trivial-rewrite", WARNING + "resolve_addr: <{recipient:internal}>: giving up after {count=100} iterations"),
    ("passing", "local", ID + "passing <{recipient:internal}> to transport={transport=lmtp}"),
    ("showq", "showq", WARNING + ID + "duplicate sender address: {sender:internal} -- {text=skipping remainder of this file}"),
    ("table", "smtpd", WARNING + '{table=mysql:/etc/postfix/x.cf} lookup error for "{key:unended}"'),
)  # fmt: skip
KINDS["seconds"] = st.just("0.5")
KINDS["unapostrophed"] = KINDS["free"].map(lambda text: text.rstrip("'"))
IDS = [f"{action}-{daemon}-{number}" for number, (action, daemon, _) in enumerate(CASES)]


def number(name: str, value: str) -> Any:
    """A value of Postfix's own, of the type `parse` gives."""
    if name == "seconds" or name in NUMBERS:
        return int(value) if value.isdigit() else float(value)
    return value


def written(template: str, data: st.DataObject) -> tuple[str, dict[str, Any]]:
    """A text with an outsider's words in it, and all the fields that it has."""
    text: list[str] = []
    fields: dict[str, Any] = {}
    shown = [True]
    for name, kind, value, escaped, char in TOKEN.findall(template):
        if char == "[":
            shown.append(shown[-1] and data.draw(st.booleans()))
        elif char == "]":
            shown.pop()
        elif name and shown[-1]:
            said = value or data.draw(KINDS[kind or name])
            fields[name] = number(name, said)
            text.append(said)
        elif shown[-1]:
            text.append(escaped or char)
    return "".join(text), fields


#: Fields that are made of another one.
DERIVED = {"relay_name", "relay_address", "relay_port"}


@pytest.mark.parametrize(("action", "daemon", "template"), CASES, ids=IDS)
@given(data=st.data())
@settings(max_examples=60)
def test_nobody_changes_a_field_not_his_own(
    action: str, daemon: str, template: str, data: st.DataObject
) -> None:
    """Whatever an outsider writes, each field has its own value, and no field is added."""
    text, fields = written(template, data)
    parsed = read(daemon, text)
    origin = {"client_name", "client_address"} if "origin" in fields else set()
    assert parsed.pop("action") == action
    assert {name: parsed.get(name) for name in fields} == fields
    assert set(parsed) - DERIVED - origin == set(fields)


# --- lines that are cut ---------------------------------------------------------------------------

#: Free text: it goes to the end of the line, wherever that is.
FREE = {"content", "reason", "text", "odd"}
#: Fields that stand last without a mark behind them: a piece of one looks like one, or it has a
#: piece of the next field's name.
OPEN_ENDED = {
    "message_id", "orig_client", "orig_queue_id", "resent_message_id", "sasl_method",
    "sasl_sender", "sasl_username",
}  # fmt: skip
#: Syslog daemons cut at 1,024 bytes with everything in front, rsyslog repeats 800, Postfix logs 2,000.
SHORTEST_CUT = 800
COLUMNS = {name for _, _, template in CASES for name in re.findall(r"\{(\w+)", template)}
FACTS = [
    case
    for case in CASES
    if case[0] in EXTRACT and re.search(r":(?:address|free|words|internal)\}", case[2])
]
long_addresses = st.tuples(st.integers(700, 1900), tails).map(
    lambda drawn: quoted("a" * drawn[0] + drawn[1])
)
KINDS["long"] = long_addresses


def check_cut(daemon: str, text: str, fields: dict[str, Any], end: int) -> None:
    """A text cut there has the fields of the whole one, or pieces of those that may be."""
    raw = text.encode("utf-8", "surrogatepass")[:end]
    parsed = read(daemon, raw.decode("utf-8", "replace"))
    if parsed["action"] == "unknown":
        return
    made = {"client_name", "client_address"} if "origin" in fields else set()
    # postscreen logs a HELO name as it came, with a > in it
    open_ended = OPEN_ENDED | ({"helo_name"} if daemon == "postscreen" else set())
    for name in set(parsed) & COLUMNS - FREE - made:
        value, whole = parsed[name], fields.get(name)
        piece = str(value).removesuffix("\ufffd")
        ends = str(whole).startswith(piece) or piece.startswith(str(whole))
        assert value == whole or (name in open_ended and ends), name


@pytest.mark.parametrize(
    ("action", "daemon", "template"), FACTS, ids=lambda value: value if len(value) < 20 else "text"
)
@given(data=st.data())
@settings(max_examples=60)
def test_a_cut_line(action: str, daemon: str, template: str, data: st.DataObject) -> None:
    """Cut where syslog cuts, a line has no field with another value than the whole one has."""
    template = re.sub(":internal}", ":address}", template)
    long = data.draw(st.sampled_from(re.findall(r"\{\w+:(?:address|free|words)\}", template)))
    template = template.replace(long, re.sub(r":\w+", ":long", long), 1)
    text, fields = written(template, data)
    fields = {"action": action, **fields}
    size = len(text.encode("utf-8", "surrogatepass"))
    assume(size > SHORTEST_CUT)
    inside = [
        match.end() for match in re.finditer(r"[>)]|\d\b", text) if match.end() > SHORTEST_CUT
    ]
    ends = st.integers(SHORTEST_CUT, size)
    check_cut(daemon, text, fields, data.draw(st.sampled_from(inside) | ends if inside else ends))


def test_a_record_cut_within_its_status() -> None:
    """A piece of a word is no status; a word that stands whole is one, without a reason."""
    record = f"{QUEUE_ID}: to=<a@example.com>, relay=none, delay=1, dsn=4.4.1, status="
    assert read("smtp", record + "defer")["action"] == "unknown"
    for text in ("deferred", "deferred "):
        parsed = read("smtp", record + text)
        assert (parsed["status"], parsed["odd"]) == ("deferred", "the record has no reason")


@pytest.mark.parametrize(
    ("daemon", "text"),
    [
        ("qmgr", "from=<{}>, size=1, nrcpt=1 (queue active)"),
        ("pickup", "uid=0 from=<{}>"),
        ("smtp", "to=<{}>, relay=none, delay=1, dsn=2.0.0, status=sent (x)"),
    ],
)
def test_an_address_cut_within_its_quotes(daemon: str, text: str) -> None:
    """An address that imitates the end of its line, which is cut there, is not taken for one."""
    address = '"' + "a" * 900
    assert read(daemon, f"{QUEUE_ID}: {text.format(address)}")["action"] == "unknown"


def test_internal_form_is_ambiguous() -> None:
    """Unquoted addresses can imitate the rest of a record: the free text gets the doubt."""
    parsed = read(
        "smtp",
        f"{QUEUE_ID}: to=<a b>, relay=evil.example[192.0.2.66]:25, delay=1, delays=0/0/0/1, dsn=2.0.0,"
        " status=sent (ok)@example.org>, relay=mx1.example.org[192.0.2.25]:25, delay=2,"
        " delays=1/0/0/1, dsn=5.1.1, status=bounced (no)",
    )
    assert parsed["recipient"] == "a b"
    assert parsed["reason"].endswith("status=bounced (no")


def test_the_free_text_gets_the_doubt() -> None:
    """A login that imitates a tail, and an address in a reply that does, read the same: as a reply."""
    tail = "from=<a@example.com> to=<b@example.com> proto=ESMTP helo=<c>"
    parsed = read(
        "smtpd",
        f"NOQUEUE: reject: RCPT from a.example[192.0.2.1]: 550 5.7.1 <x; {tail}>: no; {tail}",
    )
    assert parsed["reason"] == f"<x; {tail}>: no"
    parsed = read(
        "smtpd",
        f"NOQUEUE: reject: RCPT from a.example[192.0.2.1]: 550 5.7.1 no; {tail} sasl_username=x; {tail}",
    )
    assert parsed["reason"] == f"no; {tail} sasl_username=x"
    assert "sasl_username" not in parsed


# --- bytes ------------------------------------------------------------------------------------------

LOGIN_FAILED = (
    b"warning: a.example[192.0.2.1]: SASL LOGIN authentication failed: no, sasl_username="
)
some_bytes = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass")[:-1]),
    hostile.map(str.encode),
    st.sampled_from((b"\0", b"\xff\xfe", b"\xe2\x82", b"\x1b[2J", b"a" * 100_000)),
).filter(lambda raw: b"\n" not in raw and not raw.endswith(b"\r"))


@given(st.lists(some_bytes, min_size=1, max_size=20))
def test_bytes_in_a_file_and_in_a_journal(names: list[bytes]) -> None:
    """Whatever bytes a client sends for a login, both inputs give the same, and only that field."""
    rules = Rules(("postfix",), (), (0,))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mail.log"
        head = b"Nov 21 10:30:00 mx1 postfix/smtpd[1]: " + LOGIN_FAILED
        path.write_bytes(b"".join(head + name + b"\n" for name in names))
        from_file = [msg for _, msg in iter_logfile_messages(path, 2025, "UTC")]
    for name, msg in zip(names, from_file, strict=True):
        fields = {"MESSAGE": LOGIN_FAILED + name, "_UID": b"0", "_HOSTNAME": b"mx1"}
        entry = rules.message(fields, "postfix/smtpd", T, "s=1")
        assert entry is not None
        assert entry["message"] == msg["message"]
        parsed = parse(msg)
        username = name.decode("utf-8", "replace").replace("\0", "?")
        assert (parsed["action"], parsed["sasl_username"]) == ("login_failed", username)
        assert (parsed["client_address"], parsed["reason"]) == ("192.0.2.1", "no")
