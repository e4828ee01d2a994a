r"""What Postfix says: the tables of statements, their fields, and who makes them.

A statement is written as the C source prints it, read backwards: ``{field}`` is a hole, ``[...]``
an optional part, ``\[`` and ``\]`` are brackets of the text. ``{field:kind}`` gives a hole another
pattern than the field's own. A queue id in front is written ``{queue_id}: ``, the word NOQUEUE
``NOQUEUE: ``, either of them ``{queue_id|NOQUEUE}: ``. The severity label (``warning: ``) is no
part of the format; it is the statement's level.

The tables know the text of one line. They do not know what a line means for a mail.

Bugs: before Postfix 3.5 (and with ``info_log_address_format = internal``) an address may hold
``>, relay=`` unquoted; such a line is ambiguous, and the shortest address wins.
"""

from __future__ import annotations

from typing import NamedTuple

#: Patterns by kind. None nests repetitions, so matching is linear in the length of the line.
PATTERNS = {
    "address": r'"(?:[^"\\]++|\\.)*+"[^<>"]*|[^<>"]*',
    "any": r".*",
    "certificate": r"Anonymous|Untrusted|Trusted|Verified",
    "code": r"[2-5]\d\d",
    "commands": r"(?: [a-z]+=\d+(?:/\d+)?)*",
    "content_action": (
        r"(?:milter-(?:header|body)-)?"
        r"(?:reject|warning|info|filter|pass|discard|hold|delay|prepend|replace|redirect|bcc|strip)"
    ),
    "cut": r".*",
    "decimal": r"\d+(?:\.\d+)?",
    "dsn": r"[245]\.\d{1,3}\.\d{1,3}",
    "helo": r'[^<>()\\";@\s]*',
    "host": r"[^\s\[\]<>(),;]+",
    "integer": r"\d+",
    "ip": r"[0-9A-Fa-f:.]+(?:%\w+)?|unknown",
    "lazy": r".*?",
    "nonblank": r"\S+",
    "part": r"header|body|content|mime-error",
    "protocol": r"E?SMTP|QMQP",
    "queue_id": (
        r"[0-9A-F]{6,21}"
        r"|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]+"
    ),
    "relay": r"[^\s,]+",
    "state": r"[A-Z][A-Z-]*",
    "tls": r"[!a-z][a-z:?!/-]*",
    "trouble": r"lost connection|timeout|too many errors",
    "verdict": (
        r"reject_warning|reject|warn|info|filter|hold|discard|redirect|bcc|delay|hangup|permit"
        r"|milter-reject|milter-discard|milter-hold"
    ),
    "word": r"[\w-]+",
}

#: Fields: the kind of text each holds, where a format does not say otherwise.
FIELDS = {
    "bits": "integer",
    "bytes": "integer",
    "cipher": "nonblank",
    "client_address": "ip",
    "client_name": "host",
    "client_port": "integer",
    "commands": "commands",
    "conn_use": "integer",
    "delay": "decimal",
    "delay_before_qmgr": "decimal",
    "delay_conn_setup": "decimal",
    "delay_in_qmgr": "decimal",
    "delay_transmission": "decimal",
    "dsn": "dsn",
    "helo_name": "helo",
    "messages": "integer",
    "nrcpt": "integer",
    "orig_queue_id": "nonblank",
    "orig_to": "address",
    "part": "part",
    "protocol_name": "protocol",
    "protocol_state": "state",
    "queue_id": "queue_id",
    "recipient": "address",
    "relay": "relay",
    "reply_code": "code",
    "sasl_method": "nonblank",
    "sasl_sender": "nonblank",
    "sasl_username": "lazy",
    "sender": "address",
    "size": "integer",
    "status": "word",
    "tls": "tls",
    "uid": "integer",
    "verdict": "verdict",
}

#: Fields that are numbers; the others stay text.
INTEGERS = frozenset(name for name, kind in FIELDS.items() if kind in ("integer", "code"))
DECIMALS = frozenset(name for name, kind in FIELDS.items() if kind == "decimal")


class Statement(NamedTuple):
    """One row: what `parse` calls it, who says it (daemons), the format, and its severity."""

    action: str
    daemons: tuple[str, ...]
    format: str
    level: str = "info"


# Parts that several statements share, as in the C source (log_whatsup, log_adhoc, namaddr).
CLIENT = r"{client_name}\[{client_address}\][:{client_port}]"
SMTPD_TAIL = (
    ";[ from=<{sender}>][ to=<{recipient}>][ proto={protocol_name}][ helo=<{helo_name}>]"
    "[ sasl_method={sasl_method}][ sasl_username={sasl_username}][ sasl_sender={sasl_sender}]"
)
LOGIN = (
    "[, sasl_method={sasl_method:relay}][, sasl_username={sasl_username}][, sasl_sender={sasl_sender:relay}]"
)
POSTSCREEN_CLIENT = r"\[{client_address}\]:{client_port}"
DELAYS = "{delay_before_qmgr}/{delay_in_qmgr}/{delay_conn_setup}/{delay_transmission}"
TLS_DETAILS = "{protocol:nonblank} with cipher {cipher} ({bits}/{bits_of:integer} bits)[ {details:any}]"

SMTPD = ("smtpd",)
CLEANUP = ("cleanup",)
QMGR = ("qmgr", "oqmgr")
POSTSCREEN = ("postscreen",)
POSTSUPER = ("postsuper",)
SMTP = ("smtp", "lmtp")
DELIVERS = (
    "smtp", "lmtp", "local", "virtual", "pipe", "error", "retry", "discard", "qmgr", "oqmgr",
    "cleanup", "spawn", "nqmgr",
)  # fmt: skip
ALL: tuple[str, ...] = ()  # every daemon

STATEMENTS = (
    # --- a mail's way ---------------------------------------------------------------------
    # global/log_adhoc.c, log_adhoc(): every delivery record of every agent
    Statement(
        "delivery",
        DELIVERS,
        "{queue_id}: to=<{recipient}>[, orig_to=<{orig_to}>], relay={relay}[, conn_use={conn_use}]"
        f", delay={{delay}}, delays={DELAYS}[, tls={{tls}}], dsn={{dsn}}, status={{status}}"
        "[ ({reason:cut}]",
    ),
    Statement(
        "delivery",  # the same with addresses in internal form
        DELIVERS,
        "{queue_id}: to=<{recipient:lazy}>[, orig_to=<{orig_to:lazy}>], relay={relay}"
        f"[, conn_use={{conn_use}}], delay={{delay}}, delays={DELAYS}[, tls={{tls}}]"
        ", dsn={dsn}, status={status}[ ({reason:cut}]",
    ),
    # global/opened.c, vopened()
    Statement(
        "queue_active",
        QMGR,
        "{queue_id}: from=<{sender:any}>, size={size}, nrcpt={nrcpt} (queue {queue:word})",
    ),
    Statement("removed", QMGR + POSTSUPER, "{queue_id}: removed"),
    Statement("removed", CLEANUP, "{queue_id}: removed ({removed_by:word})"),
    Statement("expired", QMGR, "{queue_id}: from=<{sender:any}>, status={status}, returned to sender"),
    Statement("skipped", QMGR, "{queue_id}: skipped, still being delivered"),
    Statement("service_failed", QMGR, "{queue_id}: status=deferred ({service:lazy} failed)"),
    # smtpd/smtpd.c, smtpd_sasl_glue.c; qmqpd/qmqpd.c
    Statement(
        "client",
        (*SMTPD, "qmqpd"),
        f"{{queue_id|NOQUEUE}}: client={CLIENT}{LOGIN}[, orig_queue_id={{orig_queue_id:relay}}]"
        "[, orig_client={orig_client:any}]",
    ),
    Statement("message_id", CLEANUP, "{queue_id}: message-id={message_id:any}"),
    Statement(
        "resent_message_id", CLEANUP, "{queue_id}: resent-message-id={resent_message_id:any}"
    ),
    Statement(
        "pickup",
        ("pickup",),
        "{queue_id}: uid={uid} from=<{sender:any}>[ orig_id={orig_queue_id}]",
    ),
    # bounce/bounce_notify_service.c, bounce_warn_service.c, bounce_trace_service.c
    Statement(
        "notification",
        ("bounce",),
        "{queue_id}: {notification:lazy} notification: {notification_queue_id:queue_id}",
    ),
    Statement(
        "no_notification",
        ("bounce",),
        "{queue_id}: not sending trace/success notification for {kind:word} message",
    ),
    # postsuper/postsuper.c
    Statement("held", POSTSUPER, "{queue_id}: placed on hold"),
    Statement("released", POSTSUPER, "{queue_id}: released from hold"),
    Statement("requeued", POSTSUPER, "{queue_id}: requeued"),
    Statement("force_expired", POSTSUPER, "{queue_id}: expired"),
    Statement("postsuper", POSTSUPER, "{what:lazy}: {messages} message[s]"),
    # --- verdicts -------------------------------------------------------------------------
    # smtpd/smtpd_check.c, log_whatsup(); cleanup/cleanup_milter.c (no SMTP code)
    Statement(
        "verdict",
        SMTPD + CLEANUP,
        f"{{queue_id|NOQUEUE}}: {{verdict}}: {{protocol_state}} from {CLIENT}:"
        f"[ {{reply_code}}][{{_:separator}}{{dsn}}] {{reason:any}}{SMTPD_TAIL}",
    ),
    Statement(
        "verdict",
        SMTPD,
        f"{{queue_id|NOQUEUE}}: {{verdict}}: {{protocol_state}} from {CLIENT}:"
        "[ {reply_code}][{_:separator}{dsn}] {reason:any}",
    ),
    # smtpd/smtpd_proxy.c
    Statement(
        "proxy_verdict",
        SMTPD,
        "{verdict:proxy}: {protocol_state}: [{reply_code}][{_:separator}{dsn}] "
        "{reason:any}" + SMTPD_TAIL,
    ),
    # cleanup/cleanup_message.c, cleanup_act(); cleanup_milter.c, cleanup_milter_hbc_log()
    Statement(
        "content_verdict",
        CLEANUP,
        "{queue_id}: {verdict:content_action}: {part} {content:any} from {origin:origin};"
        "[ from=<{sender}>][ to=<{recipient}>][ proto={protocol_name}][ helo=<{helo_name}>]"
        "[: [{dsn} ]{reason:any}]",
    ),
    # smtp/smtp_proto.c, smtp_header_checks
    Statement(
        "content_check", SMTP, "{queue_id}: {verdict:content_action}: {part} {content:any}"
    ),
    # postscreen/postscreen_smtpd.c, psc_rcpt_cmd()
    Statement(
        "verdict",
        POSTSCREEN,
        f"NOQUEUE: {{verdict:reject}}: {{protocol_state}} from {POSTSCREEN_CLIENT}: {{reply_code}}"
        " {dsn} {reason:lazy}; from=<{sender}>, to=<{recipient}>, proto={protocol_name},"
        " helo=<{helo_name:any}>",
    ),
    Statement(
        "verdict",
        POSTSCREEN,
        f"NOQUEUE: {{verdict:reject}}: {{protocol_state}} from {POSTSCREEN_CLIENT}: {{reason:any}}",
    ),
    Statement(
        "screening_busy",
        POSTSCREEN,
        f"reject: connect from {POSTSCREEN_CLIENT}: {{reason:any}}",
    ),
    # cleanup/cleanup_message.c, cleanup_out.c; smtpd/smtpd.c
    Statement(
        "message_rejected", CLEANUP + QMGR, "{queue_id}: message rejected: {reason:any}", "warning"
    ),
    Statement(
        "message_rejected",
        CLEANUP + SMTPD,
        "{queue_id}: {reason:limit}",
        "warning",
    ),
    Statement(
        "message_rejected",
        SMTPD,
        f"{{queue_id}}: BDAT request from {CLIENT} {{reason:too_big}}",
        "warning",
    ),
    # --- a session ------------------------------------------------------------------------
    # smtpd/smtpd.c, smtpd_proto(): the queue id since 3.10
    Statement(
        "session_trouble",
        SMTPD,
        "{queue_id|NOQUEUE}: {trouble:trouble} after {protocol_state}[ ({bytes} bytes)]"
        f" from {CLIENT}",
    ),
    Statement(
        "session_trouble",
        SMTPD,
        f"{{trouble:trouble}} after {{protocol_state}}[ ({{bytes}} bytes)] from {CLIENT}",
    ),
    Statement("connect", (*SMTPD, "qmqpd"), f"connect from {CLIENT}"),
    Statement("disconnect", SMTPD, f"disconnect from {CLIENT}{{commands}}[ notes={{notes:nonblank}}]"),
    Statement("disconnect", ("qmqpd",), f"disconnect from {CLIENT}"),
    # tls/tls_misc.c, tls_log_summary()
    Statement(
        "tls_connection",
        SMTPD,
        f"{{tls_trust:certificate}} TLS connection {{how:word}} from {CLIENT}"
        f"[ to {{sni:nonblank}}]: {TLS_DETAILS}",
    ),
    Statement(
        "tls_connection",
        SMTP,
        "{tls_trust:certificate} TLS connection {how:word} to {relay}"
        f"[ to {{sni:nonblank}}]: {TLS_DETAILS}",
    ),
    Statement(
        "tls_connection",
        ("tlsproxy",),
        f"{{tls_trust:certificate}} TLS connection {{how:word}} {{direction:word}} {POSTSCREEN_CLIENT}"
        f"[ to {{sni:nonblank}}]: {TLS_DETAILS}",
    ),
    Statement(
        "login_failed",
        SMTPD,
        f"{CLIENT}: SASL {{sasl_method}} authentication failed: {{reason:lazy}}"
        "[, sasl_username={sasl_username}]",
        "warning",
    ),
    Statement(
        "login_aborted", SMTPD, f"{CLIENT}: SASL {{sasl_method}} authentication aborted", "warning"
    ),
    # --- recognised, no delivery fact -----------------------------------------------------
    Statement("try_next", SMTP, "{queue_id}: host {relay} {reason:any}"),
    Statement("try_next", SMTP, "{queue_id}: {reason:broken} with {relay} {phase:any}"),
    Statement("try_next", SMTP, "{queue_id}: Cannot start TLS: {reason:any}"),
    Statement("connect_failed", SMTP, "connect to {relay}: {reason:any}"),
    Statement("enabling_workarounds", SMTP, "{queue_id}: enabling PIX workarounds: {text:any}"),
    Statement("breaking_line", SMTP, "{queue_id}: breaking line > {bytes} bytes with {text:any}"),
    Statement("passing", ("local",), "{queue_id}: passing <{recipient}> to transport={transport:word}"),
    Statement("too_many_hops", ("local",), "{queue_id}: {text:any}", "warning"),
    Statement("statistics", ("anvil", "scache"), "statistics: {text:any}"),
    Statement("dnsblog", ("dnsblog",), "addr {client_address} listed by domain {domain:nonblank} as {listed:any}"),
    Statement("screen", POSTSCREEN, r"CONNECT from " + POSTSCREEN_CLIENT + r" to \[{server_address:ip}\]:{server_port:integer}"),
    Statement("screen", POSTSCREEN, "{what:screening} " + POSTSCREEN_CLIENT),
    Statement("hangup", POSTSCREEN, f"HANGUP after {{seconds:decimal}} from {POSTSCREEN_CLIENT} in {{text:any}}"),
    Statement("pregreet", POSTSCREEN, f"PREGREET {{bytes}} after {{seconds:decimal}} from {POSTSCREEN_CLIENT}: {{text:any}}"),
    Statement("dnsbl", POSTSCREEN, f"DNSBL rank {{rank:integer}} for {POSTSCREEN_CLIENT}"),
    Statement("protocol_test", POSTSCREEN, f"{{what:protocol_test}} from {POSTSCREEN_CLIENT}[ after {{text:any}}]"),
    Statement("cache_cleanup", ALL, "cache {map:nonblank} {how:word} cleanup: retained={retained:integer} dropped={dropped:integer} entries"),
    Statement("table_changed", ALL, "table {table:lazy} has changed -{text:any}"),
    Statement("proxy", ("tlsproxy",), f"{{what:proxying}} {POSTSCREEN_CLIENT}"),
    Statement("pipelining", SMTPD, f"improper command pipelining after {{protocol_state}} from {CLIENT}: {{text:any}}"),
    Statement("replacing", SMTPD, f"{CLIENT}: replacing command {{text:any}}"),
    Statement("discarding_ehlo", SMTPD, "discarding EHLO keywords: {text:any}"),
    Statement("tls_setup", (*SMTPD, *SMTP), "setting up TLS connection {text:any}"),
    Statement("tls_error", (*SMTPD, *SMTP), "{what:ssl} error {text:any}"),
    Statement("tls_verify", (*SMTPD, *SMTP), "{what:tls_verify} {text:any}"),
    Statement("daemon_started", ("master",), "daemon started -- version {version:nonblank}, configuration {text:any}"),
    Statement("reload", ("master",), "reload -- version {version:nonblank}, configuration {text:any}"),
    Statement("terminating", ("master",), "terminating on signal {signal:integer}"),
    Statement("service_exit", ("master",), "process {text:any}", "warning"),
    Statement("script", ("postfix-script", "postfix"), "{text:script}"),
    Statement("postlog", ("postlog",), "{text:any}"),
    Statement("compatibility", ALL, "{what:compatibility}{text:any}"),
    # util/msg_output.c: every labelled text, known or not, has at least a level and a text
    Statement("warning", ALL, "{text:any}", "warning"),
    Statement("error", ALL, "{text:any}", "error"),
    Statement("fatal", ALL, "{text:any}", "fatal"),
    Statement("panic", ALL, "{text:any}", "panic"),
)  # fmt: skip

PATTERNS |= {
    "broken": r"lost connection|conversation",
    "compatibility": r"using backwards-compatible default setting|Postfix is (?:using|running with)"
    r" backwards-compatible default settings|See https?://www\.postfix\.org/COMPATIBILITY_README"
    r"|To disable backwards compatibility use",
    "limit": r"queue file size limit exceeded",
    "origin": r"local|[^\s\[\]<>(),;]+\[(?:[0-9A-Fa-f:.]+|unknown)\](?::\d+)?",
    "protocol_test": r"BARE NEWLINE|NON-SMTP COMMAND|COMMAND PIPELINING|COMMAND TIME LIMIT"
    r"|COMMAND COUNT LIMIT|COMMAND LENGTH LIMIT|DATA without valid RCPT|BDAT without valid RCPT",
    "proxy": r"proxy-accept|proxy-reject",
    "proxying": r"CONNECT from|CONNECT to|DISCONNECT",
    "reject": r"reject",
    "screening": r"PASS NEW|PASS OLD|ALLOWLISTED|WHITELISTED|ALLOWLIST VETO|WHITELIST VETO"
    r"|DENYLISTED|BLACKLISTED|DISCONNECT",
    "script": r"starting the Postfix mail system|stopping the Postfix mail system"
    r"|refreshing the Postfix mail system|aborting the Postfix mail system"
    r"|the Postfix mail system is (?:not )?running.*|waiting for the Postfix mail system to terminate"
    r"|[A-Za-z].*",
    "separator": r"[ -]",
    "ssl": r"SSL_accept|SSL_connect",
    "tls_verify": r"certificate verification failed|[^\s:]+\[[^\]]+\](?::\d+)?:",
    "too_big": r"exceeds message size limit",
}
