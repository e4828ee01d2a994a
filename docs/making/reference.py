"""What the program says of itself: its commands, keys and tables, as blocks of a text.

The one source of the reference pages, the manual pages, the example configuration and the
completions of shells. script/make-docs writes them; render.py knows their forms.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from journal_postfix import cli
from journal_postfix.config import DEFAULT_FILE, Config
from journal_postfix.database import SQL
from journal_postfix.keys import KEYS

PROGRAM = "journal-postfix"


class Heading(NamedTuple):
    """A heading; level 1 is a section."""

    level: int
    text: str


class Text(NamedTuple):
    """A paragraph; words in backticks are names."""

    text: str


class Code(NamedTuple):
    """Lines as they stand."""

    text: str


class Items(NamedTuple):
    """Terms, each with what it means; a term is a name, also without backticks."""

    items: Sequence[tuple[str, str]]


Block = Heading | Text | Code | Items
Blocks = Iterator[Block]


# --- commands --------------------------------------------------------------------------------


class Option(NamedTuple):
    """One option: its names, the word for its value, the values there are, what it is for."""

    names: tuple[str, ...]
    metavar: str
    choices: tuple[str, ...]
    help: str

    def term(self) -> str:
        """The option as it is typed."""
        value = "{" + ",".join(self.choices) + "}" if self.choices else self.metavar
        return ", ".join(self.names) + (f" {value}" if value else "")


class Command(NamedTuple):
    """One command: what it does, what it takes."""

    name: str
    help: str
    parser: argparse.ArgumentParser


def top() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    return cli._parser()


def commands() -> list[Command]:
    """All commands, in the program's order."""
    (sub,) = [a for a in top()._actions if isinstance(a, argparse._SubParsersAction)]
    helps = {action.dest: action.help or "" for action in sub._choices_actions}
    return [Command(name, helps[name], parser) for name, parser in sub.choices.items()]


def options(actions: Iterable[argparse.Action]) -> list[Option]:
    """The options among actions; --help, which all have, is left out."""
    return [
        Option(tuple(action.option_strings), _metavar(action), _choices(action), _help(action))
        for action in actions
        if action.option_strings and action.dest != "help"
    ]


def _choices(action: argparse.Action) -> tuple[str, ...]:
    return tuple(map(str, action.choices or ()))


def _metavar(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    return str(action.metavar or action.dest.upper())


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def arguments(parser: argparse.ArgumentParser) -> str:
    """The arguments that are no options, as a synopsis has them."""
    words = []
    for action in parser._actions:
        if not action.option_strings and not isinstance(action, argparse._SubParsersAction):
            name = _metavar(action)
            words.append({"+": f"{name}...", "*": f"[{name}...]"}.get(str(action.nargs), name))
    return " ".join(words)


def synopsis(command: Command) -> str:
    """How a command is called."""
    some = " [OPTION]..." if options(command.parser._actions) else ""
    words = f"{PROGRAM} {command.name}{some} {arguments(command.parser)}"
    return words.strip()


def described(command: Command) -> Blocks:
    """A command: what it does, its options by group, what it says beyond."""
    parser = command.parser
    yield Code(synopsis(command))
    for paragraph in (parser.description or f"{command.help}.").strip().split("\n\n"):
        yield Text(" ".join(paragraph.split()))
    for group in parser._action_groups:
        found = options(group._group_actions)
        if found:
            yield Items([(one.term(), _sentence(one.help)) for one in found])
    if parser.epilog and parser.epilog != cli.EPILOG:
        yield from _raw(parser.epilog)


def _sentence(text: str) -> str:
    return text if not text or text.endswith(".") else f"{text}."


def _raw(text: str) -> Blocks:
    """The rest of a help text: headings that end in a colon, lines below them as they stand."""
    for part in re.split(r"\n(?=\S)", text.strip("\n")):
        head, _, body = part.partition("\n")
        yield Text(f"{head[:1].upper()}{head[1:]}")
        if body.strip():
            lines = body.rstrip().split("\n")
            indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
            yield Code("\n".join(line[indent:] for line in lines))


ENVIRONMENT = (
    ("JOURNAL_POSTFIX_CONFIG", "The configuration file, where --config names none."),
    ("JOURNAL_POSTFIX_DSN", "The database, where --dsn names none."),
    ("PGPASSFILE, PGSSLROOTCERT and others", "Those of libpq are heeded, where the DSN is silent."),
    ("STATE_DIRECTORY", "The folder of the private database, as systemd sets it."),
)
FILES = (
    (str(DEFAULT_FILE), f"The configuration: see {PROGRAM}.yml(5)."),
    ("/var/lib/journal-postfix", "The private database of the service, where no DSN is given."),
    ("/var/log/journal, /run/log/journal", "The journal that is read."),
)
STATUSES = (
    ("0", "Done."),
    ("1", "Failed; of `doctor` and `status`: something is wrong."),
    ("2", "Wrong usage or configuration: one sentence on standard error says what."),
)


def commands_page() -> Blocks:
    """The manual of the command line."""
    yield Heading(1, "Synopsis")
    yield Code(f"{PROGRAM} [--config FILE] [--dsn DSN] [-v] [--debug STAGE,...] COMMAND ...")
    yield Heading(1, "Description")
    yield Text(
        f"{PROGRAM} reads Postfix's log, from the systemd journal or from files, puts the lines of"
        " each mail together, and keeps in PostgreSQL who sent what to whom and how it ended."
        " `run` is the service; `trace` and `report` answer questions."
    )
    yield Heading(1, "Options")
    yield Text("Those before the command hold for all commands.")
    yield Items([(one.term(), _sentence(one.help)) for one in options(top()._actions)])
    yield Heading(1, "Commands")
    for command in commands():
        yield Heading(2, command.name)
        yield from described(command)
    for title, items in (
        ("Exit status", STATUSES), ("Environment", ENVIRONMENT), ("Files", FILES),
    ):  # fmt: skip
        yield Heading(1, title)
        yield Items(items)


# --- keys ------------------------------------------------------------------------------------


def default_of(key: str) -> Any:
    """The default of a key, as YAML has it."""
    value = getattr(Config(), key.replace(".", "_"))
    return list(value) if isinstance(value, tuple) else value


def in_yaml(value: Any) -> str:
    """A value on one line of YAML."""
    if value is None:
        return ""
    plain = dict(value) if isinstance(value, Mapping) else value
    text = yaml.safe_dump(plain, default_flow_style=True, width=1000).strip()
    return text.removesuffix("\n...").removesuffix("...").strip()


def meaning(key: str) -> str:
    """What a key is for, and what is allowed."""
    found = KEYS[key]
    shown = in_yaml(default_of(key))
    default = f" Default: `{shown}`." if shown else ""
    return f"{_capital(found.purpose)}. Allowed: {found.allowed}.{default}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def keys_page() -> Blocks:
    """The manual of the configuration file."""
    yield Heading(1, "Description")
    yield Text(
        f"The configuration of {PROGRAM} is one YAML file, `{DEFAULT_FILE}`, or what --config or"
        " JOURNAL_POSTFIX_CONFIG names. Every key may be left out. An unknown key or a wrong value"
        " is an error that names the file, the key and what is allowed (exit status 2). A key with a"
        " dot stands in a section: `retention.noqueue.delete` is `delete` in `noqueue` in"
        " `retention`."
    )
    yield Heading(1, "Keys")
    yield Items([(key, meaning(key)) for key in by_section(KEYS)])
    yield Heading(1, "Example")
    yield Code(
        'dsn: "dbname=journal_postfix"\nretention:\n  delivery: {delete: 30}\n'
        "  noqueue: {delete: 7}\nmta_names: {mx1: mx1.example.com}\nmin_free_disk: 2000000000"
    )


def example_configuration() -> str:
    """A file with every key, its meaning and its default; all of them commented out."""
    lines = [
        f"# The configuration of {PROGRAM}: every key with its default. Take away the # of what you",
        f"# set, and of the section it stands in. See {PROGRAM}.yml(5).",
    ]
    opened: list[str] = []
    for key in by_section(KEYS):
        *sections, name = key.split(".")
        common = [one for one, other in zip(sections, opened, strict=False) if one == other]
        indent = "    " * len(sections)
        text = f"{_capital(KEYS[key].purpose)}. Allowed: {KEYS[key].allowed}."
        lines += ["", *_wrapped(text)]
        for depth in range(len(common), len(sections)):
            lines.append(f"#{'    ' * depth}{sections[depth]}:")
        opened = sections
        lines.append(f"#{indent}{name}: {in_yaml(default_of(key))}".rstrip())
    return "\n".join(lines) + "\n"


def by_section(keys: Iterable[str]) -> list[str]:
    """Keys in their order, but those of a section together: YAML knows a section once."""
    order: dict[str, int] = {}
    for key in keys:
        parts = key.split(".")
        for depth in range(len(parts)):
            order.setdefault(".".join(parts[: depth + 1]), len(order))

    def place(key: str) -> tuple[int, ...]:
        parts = key.split(".")
        return tuple(order[".".join(parts[: depth + 1])] for depth in range(len(parts)))

    return sorted(keys, key=place)


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) > 92:
            lines.append("")
        lines[-1] += f" {word}"
    return [f"#{line}" for line in lines]


# --- tables ----------------------------------------------------------------------------------

_CREATE = re.compile(r"^CREATE TABLE (\w+) \(\n(.*?)^\)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(
    r"^COMMENT ON (TABLE|VIEW|COLUMN|FUNCTION) (.+?) IS\s+'((?:[^']|'')*)';", re.MULTILINE
)
_COLUMN = re.compile(r"^    ([a-z_]+) +(.+?),?$", re.MULTILINE)
_AFTER = re.compile(r" (?:NOT NULL|DEFAULT|GENERATED|PRIMARY|REFERENCES|CHECK)\b.*")


class Table(NamedTuple):
    """A table or view: its comment, its columns with type and comment."""

    name: str
    kind: str
    comment: str
    columns: list[tuple[str, str, str]]


def comments() -> dict[tuple[str, str], str]:
    """All comments of the schema, by kind and name."""
    found = _COMMENT.findall(SQL["schema"])
    return {(kind, name): text.replace("''", "'") for kind, name, text in found}


def tables() -> list[Table]:
    """The tables and views of the schema, in its order."""
    told = comments()
    types = {name: dict(_COLUMN.findall(body)) for name, body in _CREATE.findall(SQL["schema"])}
    found = []
    for (kind, name), comment in told.items():
        if kind in ("TABLE", "VIEW"):
            columns = [
                (
                    column.partition(".")[2],
                    _AFTER.sub("", types[name][column.partition(".")[2]]),
                    text,
                )
                for (what, column), text in told.items()
                if what == "COLUMN" and column.startswith(f"{name}.")
            ]
            found.append(Table(name, kind.lower(), comment, columns))
    return found


def functions() -> list[tuple[str, str]]:
    """The functions of the schema that have a comment."""
    return [(name, text) for (kind, name), text in comments().items() if kind == "FUNCTION"]


def tables_page() -> Blocks:
    """The tables, column by column."""
    for table in tables():
        yield Heading(1, table.name)
        yield Text(f"{'View. ' if table.kind == 'view' else ''}{_sentence(table.comment)}")
        if table.columns:
            yield Items([(f"{name} {kind}", _sentence(text)) for name, kind, text in table.columns])
    yield Heading(1, "Functions")
    yield Items([(name, _sentence(text)) for name, text in functions()])


ROOT = Path(__file__).parents[2]
