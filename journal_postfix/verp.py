"""Variable envelope return paths: addresses that carry an id of the mail or of its recipient."""

from __future__ import annotations

import re

#: Forms of variable envelope return paths that `verp_patterns` may name instead of a pattern.
VERP_FORMS = {
    "user=domain": r"(?P<name>[^@=+]+)[+-](?P<verp_id>[^@=]+=[^@=]+)@(?P<domain>[^@]+)",
    "prvs=": r"prvs=(?P<verp_id>[0-9A-Za-z]+)=(?P<name>[^@]+)@(?P<domain>[^@]+)",
}


def verp_options(marker: str | None, patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """The patterns of `verp_marker` and `verp_patterns`; raises re.error for a bad pattern."""
    texts = [VERP_FORMS.get(pattern, pattern) for pattern in patterns]
    if marker:
        tag = rf"\+{re.escape(marker)}-(?P<verp_id>[^@]+)"
        texts.insert(0, rf"(?P<name>[^@+]+){tag}@(?P<domain>[^@]+)")
    return tuple(re.compile(text) for text in texts)


def without_verp(address: str, patterns: tuple[re.Pattern[str], ...]) -> tuple[str, str | None]:
    """The address as it would be without its id, and the id."""
    for pattern in patterns:
        match = pattern.fullmatch(address)
        if match is not None:
            parts = match.groupdict()
            return f"{parts['name']}@{parts['domain']}", parts.get("verp_id")
    return address, None
