"""Blocks of a text in the two forms they are needed in: reStructuredText and troff for man(1)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable

from making.reference import Block, Code, Heading, Items, Text

WIDTH = 100
UNDERLINES = "=-~^"


# --- reStructuredText ------------------------------------------------------------------------


def rst(title: str, first: str, blocks: Iterable[Block]) -> str:
    """A page: a note of where it comes from, its title, its blocks."""
    head = f".. {first}\n\n{title}\n{UNDERLINES[0] * len(title)}\n"
    return "\n".join([head, *(_RST[type(block)](block) for block in blocks)])


def inline(text: str) -> str:
    """A text in which backticks become literals and nothing else is markup."""
    parts = re.split(r"`([^`]+)`", text)
    return "".join(
        f"``{part}``" if number % 2 else _plain(part) for number, part in enumerate(parts)
    )


def _plain(text: str) -> str:
    text = re.sub(r"([\\*`|])", r"\\\1", text)
    return re.sub(r"(\w)_(?!\w)", r"\1\\_", text)


def _literal(term: str) -> str:
    return f"``{term.replace('`', '')}``"


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _rst_items(block: Items) -> str:
    lines = []
    for term, text in block.items:
        lines.append(_literal(term))
        lines.append(_filled(inline(text), "    ") if text else "    \\")
    return "\n".join(lines) + "\n"


_RST: dict[type, Callable[..., str]] = {
    Heading: lambda block: f"{block.text}\n{UNDERLINES[block.level] * len(block.text)}\n",
    Text: lambda block: f"{_filled(inline(block.text))}\n",
    Code: lambda block: f".. code-block:: text\n\n{textwrap.indent(block.text, '    ')}\n",
    Items: _rst_items,
}


# --- man -------------------------------------------------------------------------------------


def man(name: str, section: int, version: str, purpose: str, blocks: Iterable[Block]) -> str:
    """The same for the program man."""
    head = [
        f'.\\" Made by script/make-docs of {version}.',
        f'.TH "{name.upper()}" "{section}" "" "{version}" "journal-postfix"',
        ".SH NAME",
        f"{_troff(name)} \\- {_troff(purpose)}",
    ]
    return "\n".join([*head, *(_MAN[type(block)](block) for block in blocks)]) + "\n"


def _troff(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    for plain, escape in (("ü", "\\(:u"), ("…", "..."), ("^", "\\(ha"), ("~", "\\(ti")):
        text = text.replace(plain, escape)
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def _troff_inline(text: str) -> str:
    parts = re.split(r"`([^`]+)`", text)
    shown = (f"\\fB{_troff(p)}\\fP" if number % 2 else _troff(p) for number, p in enumerate(parts))
    return re.sub(r"^([.'])", r"\\&\1", "".join(shown), flags=re.MULTILINE)


def _man_heading(block: Heading) -> str:
    text = block.text.upper() if block.level == 1 else block.text
    return f'.{"SH" if block.level == 1 else "SS"} "{_troff(text)}"'


_MAN: dict[type, Callable[..., str]] = {
    Heading: _man_heading,
    Text: lambda block: f".PP\n{_troff_inline(block.text)}",
    Code: lambda block: f".PP\n.RS 4\n.nf\n{_troff(block.text)}\n.fi\n.RE",
    Items: lambda block: "\n".join(
        f".TP\n\\fB{_troff(term)}\\fP\n{_troff_inline(text) or '.sp 0'}"
        for term, text in block.items
    ),
}
