"""Which columns hold personal data, of what kind, and what pseudonymisation makes of each kind.

The only list of them: retention, `export`, `forget` and the documentation read it, and a test holds
it against the COMMENTs of the schema. It knows no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping

#: What a kind is, and what becomes of it when a row is pseudonymised.
KINDS: Mapping[str, tuple[str, str]] = {
    "address": ("mail address", "local part replaced by a keyed hash, domain kept"),
    "client": (
        "client, name and address in one text",
        "name cut to its domain, address to its net",
    ),
    "client_address": ("IP address", "cut to its /16 (IPv4) or /40 (IPv6)"),
    "host": ("host name of a client", "cut to its domain"),
    "login": ("login name", "replaced by a keyed hash"),
    "message_id": ("Message-ID", "replaced by a keyed hash"),
    "looker": ("who looked, and why", "kept until the record is deleted"),
    "port": ("port of a client", "cleared"),
    "subject": ("subject", "cleared"),
    "text": ("text that may name people", "addresses and paths in it masked, IP addresses cut"),
    "uid": ("user id", "replaced by a keyed hash"),
}

#: The columns with personal data, by table.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "delivery_from": {
        "client_name": "host",
        "client_address": "client_address",
        "client_port": "port",
        "helo_name": "host",
        "sasl_username": "login",
        "sasl_sender": "address",
        "uid": "uid",
        "orig_client": "client",
        "sender": "address",
        "sender_given": "address",
        "verp_id": "login",
        "message_id": "message_id",
        "resent_message_id": "message_id",
        "subject": "subject",
        "reason": "text",
        "hold_reason": "text",
    },
    "delivery_to": {"recipient": "address", "orig_to": "address", "reason": "text"},
    "delivery_attempt": {"reason": "text"},
    "noqueue": {
        "client_name": "host",
        "client_address": "client_address",
        "client_port": "port",
        "reason": "text",
        "sender": "address",
        "recipient": "address",
        "helo_name": "host",
        "sasl_username": "login",
        "sasl_sender": "address",
    },
    "login": {
        "client_name": "host",
        "client_address": "client_address",
        "sasl_username": "login",
        "reason": "text",
    },
    "access_log": {"who": "looker", "os_user": "looker", "ticket": "looker"},
}
