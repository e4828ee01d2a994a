"""Tables of the benchmarks as reStructuredText."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from journal_postfix.output import as_table


def as_rst(rows: Sequence[dict[str, Any]]) -> str:
    """Give rows as a table of reStructuredText."""
    head, rule, *lines = as_table(rows).splitlines()
    rule = rule.replace("-", "=")
    return "\n".join([rule, head, rule, *lines, rule, "", ""])
