r"""How a statement of Postfix is written down: fields, their patterns, parts shared by statements.

A statement is written as the C source prints it, read backwards: ``{field}`` is a hole,
``{field:kind}`` a hole with another pattern than the field's own, ``{PART}`` a part of PARTS,
``[...]`` is optional, ``\[`` and ``\]`` are brackets of the text, and ``{!remark}`` says what is
odd about a line that only this row reads. A queue id in front is written ``{queue_id}: ``, the
word NOQUEUE ``NOQUEUE: ``, either of them ``{queue_id|NOQUEUE}: ``. The severity label
(``warning: ``) stands in front of all, as in the log, and is the statement's level.

It knows the notation. It does not know which statements there are.
"""

from __future__ import annotations

from typing import NamedTuple

#: Patterns by kind, of ASCII classes; `integer`, `code` and `decimal` become numbers. None nests repetitions that could share a character, so
#: matching is linear in the length of the text.
PATTERNS = {
    # external form: a local part with special characters is quoted
    "address": r'"(?:[^"\\]++|\\.)*+"(?:@[^<>"]*)?|[^<>"]*',
    # NAME or HOST:PORT of master.cf: without its dot a host would take the start of an IPv6 address
    "anvil_service": (
        r"\[[0-9A-Fa-f:.]{2,45}\]:[\w-]{1,80}|[^\s:.()]{0,80}\.[^\s:()]{1,80}:[\w-]{1,80}"
        r"|localhost:[\w-]{1,80}|[^\s:.()\[\]]{1,80}"
    ),
    "any": r".*",
    "arrow": r"[<>]",
    "auth_offer": r"null AUTH mechanism list|no supported AUTH mechanisms",
    "before_comma": r"[^,]+",
    "before_dashes": r"(?:[^ ]++| (?!-- ))*+",
    "before_from": r"(?>.*?(?=; from=<))",
    "before_with": r'(?>.*?(?=" with "))',
    "blank": r"[ _]",
    "blanks": r" *",
    "broken": r"lost connection|conversation",
    "c_name": r"[a-z][a-z0-9_]*+",
    "certificate": r"Anonymous|Untrusted|Trusted|Verified",
    # smtpd/smtpd_check.h
    "check_class": (
        r"(?:Unverified )?Client host|Client certificate|SASL login name|Helo command"
        r"|(?:Sender|Recipient) address|Etrn command|Data command|End-of-data"
    ),
    "clock": r"ahead of|behind",
    "code": r"[2-5]\d\d",
    "colonless": r"[^:]*",
    "command_counts": r"(?: [a-z]+=\d+(?:/\d+)?)*+",
    "compat_effect": r'reject|avoid "Relay access denied" error for',
    "compat_setting": r'"[^"]*"|\S+',
    "compatible": r"using|running with",
    "content_action": (
        r"(?:milter-(?:header|body)-)?(?:reject|warning|info|filter|pass|discard|hold|delay"
        r"|prepend|replace|redirect|bcc|strip)"
    ),
    # the rule's own text: never what a sender's quoted address would leave behind
    "content_text": r'(?:[^"f]++|"(?!@)|f(?!rom=<))*+',
    # cleanup/cleanup_message.c, cleanup_act(): so much of it is logged
    "cut_content": r".{0,200}",
    # what Postfix says behind an address, which itself may hold dashes
    "dashless": r"[^-]*",
    "decimal": r"\d{1,15}(?:\.\d{1,9})?",
    "dsn": r"[245]\.\d{1,3}\.\d{1,3}",
    "dump": r"read from|write to",
    "dump_offset": r"[0-9a-f]{4,8}",
    # of a delivery record: a word that ends a cut line may be a piece of another
    "ended_status": (
        r"sent|deferred|bounced|SOFTBOUNCE|deliverable|undeliverable|undeliverable-but-not-cached"
    ),
    "function": r"[a-z]+(?:_[a-z0-9]+)+(?:\[\d+\])?",
    "greeting": r"greeted me|replied to HELO/EHLO",
    "helo": r'[^<>()\\";@\s]*',
    "helo_state": r"HELO|EHLO",
    "hex": r"[0-9A-Fa-fx:]+",
    "host": r"[^\s\[\]<>(),;]+",
    "integer": r"\d{1,18}",
    # internal form: nothing is quoted, the first text that looks like the end is taken for it;
    # what begins with a quote in a long line was cut within it
    "internal_orig_to": r'(?!".{700})(?>.*?(?=>, relay=[^\s,]+, (?:delay|conn_use)=))',
    "internal_to": r'(?!".{700})(?>.*?(?=>, (?:orig_to=<|relay=[^\s,]+, (?:delay|conn_use)=)))',
    "ip": r"[0-9A-Fa-f:.]{1,45}(?:%\w{1,15})?|unknown",
    "lazy": r".*?",
    "list_end": r"begin|end",
    "listed_login": r"(?:[^,]++|,(?! (?:sasl_sender|orig_queue_id|orig_client)=))*+",
    "login": r'[^<>"]*',
    "map_trouble": r"nesting|expansion size",
    "master_word": r"master exit time has arrived|====(?:start|end) service entry",
    "milter_action": r"milter-(?:reject|discard|hold)",
    "mime_error": r"mime-error",
    "nonblank": r"\S+",
    "notification": r"(?:sender|postmaster) (?:non-delivery|delay|delivery status)",
    "origin": r"local|unknown|[^\s\[\]<>(),;]+\[(?:[0-9A-Fa-f:.]+|unknown)\](?::\d+)?",
    "parenthesised": r"[^()]*",
    "part": r"header|body|content|mime-error",
    "path": r"[^\s:]+",
    "peer": r"[^\s\[\],:]+\[[^\]]*\](?::\d+)?",
    "protocol": r"E?SMTP|QMQP",
    "protocol_test": (
        r"BARE NEWLINE|NON-SMTP COMMAND|COMMAND (?:PIPELINING|(?:TIME|COUNT|LENGTH) LIMIT)"
        r"|(?:DATA|BDAT) without valid RCPT"
    ),
    "proxy_action": r"proxy-accept|proxy-reject",
    "proxying": r"CONNECT from|DISCONNECT",
    "proxying_to": r"CONNECT to",
    "queue_id": (
        r"[0-9A-F]{6,21}"
        r"|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]+"
    ),
    "quote": r"[`']",
    "quoted": r'[^"]*',
    "refused": r"refused to talk to me",
    "reject": r"reject",
    "relay": r"[^\s,]+",
    "removal": r"has been|will be",
    "requiretls": r"Sender requested REQUIRETLS, but .*",
    "said": r"said",
    "sasl_trouble": r"failure|problem",
    "screening": (
        r"PASS NEW|PASS OLD|ALLOWLISTED|WHITELISTED|ALLOWLIST VETO|WHITELIST VETO|DENYLISTED"
        r"|BLACKLISTED|DISCONNECT"
    ),
    "script": (
        r"(?:starting|stopping|refreshing|aborting) the Postfix mail system"
        r"|waiting for the Postfix mail system to terminate"
        r"|the Postfix mail system is not running"
    ),
    "separator": r"[ -]",
    # an odd rule's text: a longer one may be the rest of a cut line, with the true addresses in it
    "short_text": r".{0,400}",
    "size_limit": r"queue file size limit exceeded",
    "slashless": r"[^\s/]+",
    # of a name and all behind it; what is longer may be the rest of a cut line
    "spaced_login": r"(?!.{160})(?:[^ ]++| (?!proto=|sasl_sender=))*+",
    "ssl": r"SSL_accept|SSL_connect",
    "state": r"[A-Z][A-Z-]*",
    "template_trouble": r".* in (?:failure|delay|success|verify)",
    "text_before_colon": r"[^:]+",
    "ticket": r"Issuing|Decrypting",
    "tls": r"[!a-z][a-z:?!/-]*",
    "tls_refused": r"Cannot start TLS: .*",
    "tls_reuse": r"Reusing old session|re-using session with untrusted",
    "token": r"[^\s(),]+",
    # smtpd shortens it to that; behind a longer one stands no tail, but what imitates one, cut
    "told": r".{0,510}",
    "too_big": r"exceeds message size limit",
    "trouble": r"lost connection|timeout|too many errors",
    "unquoted": r"[^']*",
    "valid": r"valid_[a-z0-9_]+",
    "verdict": (
        r"reject_warning|reject|warn|info|filter|hold|discard|redirect|bcc|delay|hangup|permit"
    ),
    "version_number": r"\d{1,3}\.\d{1,3}",
    # cut within its quotes, in a long line, a sender is not taken for a whole one
    "whole_sender": r'(?!".{700}).*|"(?:[^"\\]++|\\.)*+"(?:@[^<>"]*)?',
    "word": r"[\w-]+",
    "words": r"[\w ]+",
}

#: Fields whose kind is not their own name: the kind of text each holds.
FIELDS = {
    "algorithm_bits": "integer",
    "bytes": "integer",
    "child_pid": "integer",
    "client_address": "ip",
    "client_name": "host",
    "client_port": "integer",
    "commands": "command_counts",
    "conn_use": "integer",
    "content": "any",
    "count": "integer",
    "delay": "decimal",
    "delay_before_qmgr": "decimal",
    "delay_conn_setup": "decimal",
    "delay_in_qmgr": "decimal",
    "delay_transmission": "decimal",
    "depth": "integer",
    "domain": "token",
    "dropped": "integer",
    "encryption_cipher": "nonblank",
    "encryption_keysize": "integer",
    "encryption_protocol": "nonblank",
    "effect": "any",
    "endpoint": "nonblank",
    "error": "any",
    "exit_status": "integer",
    "helo_name": "helo",
    "input": "any",
    "limit": "integer",
    "line": "integer",
    "message_id": "any",
    "messages": "integer",
    "notes": "nonblank",
    "nrcpt": "integer",
    "orig_client": "any",
    "orig_queue_id": "nonblank",
    "orig_to": "address",
    "protocol_name": "protocol",
    "protocol_state": "state",
    "queue": "word",
    "rank": "integer",
    "rate": "integer",
    "reason": "any",
    "recipient": "address",
    "removed_by": "word",
    "reply_code": "code",
    "resent_message_id": "any",
    "retained": "integer",
    "sasl_method": "nonblank",
    "sasl_sender": "nonblank",
    "sasl_username": "spaced_login",
    "seconds": "decimal",
    "sender": "address",
    "server_address": "ip",
    "server_port": "integer",
    "service": "nonblank",
    "signal": "integer",
    "size": "integer",
    "status": "word",
    "table": "nonblank",
    "text": "any",
    "total": "integer",
    "uid": "integer",
    "version": "nonblank",
}

#: Parts of formats that several statements share.
PARTS = {
    "CLIENT": r"{client_name}\[{client_address}\][:{client_port}]",
    "SCREENED": r"\[{client_address}\]:{client_port}",
    "LOGIN": (
        "[, sasl_method={sasl_method:relay}][, sasl_username={sasl_username:listed_login}]"
        "[, sasl_sender={sasl_sender}]"
    ),
    # smtpd/smtpd_check.c, log_whatsup(): proto is always there, a login never holds it
    "ACCESS_TAIL": (
        "[ from=<{sender}>][ to=<{recipient}>] proto={protocol_name}[ helo=<{helo_name}>]"
        "[ sasl_method={sasl_method}][ sasl_username={sasl_username}][ sasl_sender={sasl_sender}]"
    ),
    # smtpd/smtpd_milter.c, cleanup/cleanup_milter.c, smtpd/smtpd_proxy.c
    "MILTER_TAIL": (
        "[ from=<{sender}>][ to=<{recipient}>][ proto={protocol_name}][ helo=<{helo_name}>]"
        "[ sasl_username=<{sasl_username:login}>]"
    ),
    # cleanup/cleanup_message.c, cleanup_act()
    "CONTENT_TAIL": (
        " from=<{sender}>[ to=<{recipient}>][ proto={protocol_name}][ helo=<{helo_name}>]"
    ),
    "SMTP_REPLY": "[ {reply_code}][{_:separator}{dsn}]",
    # global/log_adhoc.c; delays since 2.3, dsn since 2.3, tls since 3.11
    "TIMES": (
        "[, conn_use={conn_use}], delay={delay}[, delays={delay_before_qmgr}/{delay_in_qmgr}"
        "/{delay_conn_setup}/{delay_transmission}][, tls={tls}][, dsn={dsn}]"
    ),
    # tls/tls_misc.c, tls_log_summary()
    "CIPHER": (
        "{encryption_protocol} with cipher {encryption_cipher}"
        " ({encryption_keysize}/{algorithm_bits} bits)"
        "[ key-exchange {key_exchange:token}[ ({key_exchange_group:parenthesised})]]"
        "[ server-signature {server_signature:token}[ ({server_key:parenthesised})]]"
        "[ server-digest {server_digest:token}]"
        "[ client-signature {client_signature:token}[ ({client_key:parenthesised})]]"
        "[ client-digest {client_digest:token}][ {details:any}]"
    ),
}

#: Names for several daemons.
GROUPS = {
    "QMGR": ("qmgr", "oqmgr", "nqmgr"),
    "SMTP": ("smtp", "lmtp"),
    "DELIVERS": (
        "smtp", "lmtp", "local", "virtual", "pipe", "error", "retry", "discard", "qmgr", "oqmgr",
        "nqmgr", "cleanup", "spawn",
    ),
    "TLS": ("smtpd", "smtp", "lmtp", "tlsproxy", "posttls-finger"),
    "SESSION": ("smtpd", "qmqpd"),
}  # fmt: skip

LEVELS = ("warning", "error", "fatal", "panic")


class Statement(NamedTuple):
    """One row: what `parse` calls it, who says it (no daemons: all), its severity, its format."""

    action: str
    daemons: tuple[str, ...]
    level: str
    format: str


def _daemons(names: str) -> tuple[str, ...]:
    if names == "*":
        return ()
    return tuple(one for name in names.split(",") for one in GROUPS.get(name, (name,)))


def _statement(row: str) -> Statement:
    action, names, text = row.split(maxsplit=2)
    label, colon, rest = text.partition(": ")
    if colon and label in LEVELS:
        return Statement(action, _daemons(names), label, rest)
    return Statement(action, _daemons(names), "info", text)


def statements(table: str) -> tuple[Statement, ...]:
    """The rows of a table: `action daemons format` in each line, `#` before a comment.

    `daemons` are names with commas between them, names of GROUPS among them, or `*` for all.
    Raises ValueError for a row that is too short.
    """
    lines = (line.strip() for line in table.splitlines())
    return tuple(_statement(line) for line in lines if line and not line.startswith("#"))
