"""The documentation: up to date with the code, builds, and every command and query in it runs."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import psycopg2
import pytest
import yaml

from conftest import fresh_database
from journal_postfix.config import Config, config_from
from journal_postfix.keys import KEYS

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
SHARE = PROJECT / "share"
PAGES = sorted([PROJECT / "README.rst", *DOCS.glob("**/*.rst")])
#: The page that knows what the log says.
OPERATE = DOCS / "operate.rst"


def making() -> dict[str, str]:
    """The environment in which the generator is found."""
    return {**os.environ, "PYTHONPATH": f"{PROJECT}:{DOCS}", "TZ": "UTC"}


# --- what is made from the code ----------------------------------------------------------------


def test_generated_files_are_up_to_date() -> None:
    """Reference pages, man pages, completions and example are what script/make-docs writes now."""
    command = [sys.executable, "-m", "making", "--check"]
    done = subprocess.run(
        command, env=making(), cwd=PROJECT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_stale_files_are_named(tmp_path: Path) -> None:
    """The check finds what differs: it runs on a copy in which a line is missing."""
    for name in ("docs", "share", "journal_postfix", "sql"):
        skip = shutil.ignore_patterns("__pycache__", "sample")
        shutil.copytree(PROJECT / name, tmp_path / name, symlinks=True, ignore=skip)
    page = tmp_path / "docs/reference/keys.rst"
    page.write_text(page.read_text().replace("syslog_names", "syslog_name", 1))
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{tmp_path}/docs"}
    done = subprocess.run(
        [sys.executable, "-m", "making", "--check"],
        env=environment, cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "docs/reference/keys.rst is not up to date: run script/make-docs"
    ]


def test_every_column_is_in_the_reference(dsn: str) -> None:
    """Tables, views, columns and comments of a real database are those of the page."""
    page = (DOCS / "reference/tables.rst").read_text()
    flat = " ".join(page.replace("\\", "").split())
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),"
            " col_description(c.oid, a.attnum), obj_description(c.oid), c.relkind"
            " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT c.relispartition"
            " AND c.relkind IN ('r', 'p', 'v')"
        )
        found = cursor.fetchall()
    assert len(found) > 150
    for table, column, kind, comment, about, relkind in found:
        assert f"\n{table}\n{'-' * len(table)}\n" in page
        assert _shown(about) in flat, table
        if relkind != "v":
            shown = kind.replace("timestamp with time zone", "timestamptz")
            assert f"``{column} {shown}`` {_shown(comment)}" in flat, (table, column)


def _shown(comment: str) -> str:
    return " ".join(comment.replace("\\", "").split())


def test_the_example_configuration() -> None:
    """As it stands it sets nothing; with every # taken away it sets every key to its default."""
    text = (SHARE / "doc/journal-postfix/main.yml").read_text()
    assert config_from(yaml.safe_load(text), "main.yml") == Config()
    tree = yaml.safe_load(re.sub(r"^#(?=[a-z]|    )", "", text, flags=re.MULTILINE))
    assert config_from(tree, "main.yml") == Config()
    named = {".".join(path) for path in _paths(tree)}
    assert set(KEYS) <= named


def _paths(tree: object, *above: str) -> Iterator[tuple[str, ...]]:
    for name, value in tree.items() if isinstance(tree, dict) else ():
        yield (*above, name)
        yield from _paths(value, *above, name)


@pytest.mark.parametrize("page", ["man1/journal-postfix.1", "man5/journal-postfix.yml.5"])
def test_man_pages_are_sound(page: str) -> None:
    """man formats them without a warning, and apropos finds their purpose."""
    if shutil.which("groff") is None:
        pytest.skip("needs groff")
    path = SHARE / "man" / page
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-K", "utf8", str(path)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    text = re.sub(r".\x08|\x1b\[[\d;]*m", "", done.stdout)
    for section in ("NAME", "DESCRIPTION", "SEE ALSO"):
        assert re.search(rf"^{section}$", text, re.MULTILINE)
    assert re.search(r"^ +journal-postfix(\.yml)? +[^\w\s] +\w+", text, re.MULTILINE)


def test_man_pages_have_every_command_and_key() -> None:
    """Each command and its options are in section 1, each key in section 5."""
    commands = (SHARE / "man/man1/journal-postfix.1").read_text().replace("\\-", "-")
    for name in ("run", "backfill", "trace", "report", "doctor", "reconcile"):
        assert f'.SS "{name}"' in commands
    assert "--overlap-ok" in commands
    keys = (SHARE / "man/man5/journal-postfix.yml.5").read_text()
    assert [key for key in KEYS if f"\\fB{key}\\fP" not in keys] == []


@pytest.mark.skipif(find_spec("sphinx") is None, reason="needs Sphinx")
def test_sphinx_builds_without_warnings(tmp_path: Path) -> None:
    """The pages become HTML, without a warning; links between them are links to pages."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "doctrees"), str(DOCS), str(tmp_path / "html")],
        env=making(), check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    index = (tmp_path / "html/index.html").read_text()
    for page in ("install", "questions", "privacy", "reference/tables", "how-it-works"):
        assert f'href="{page}.html"' in index


def test_links_lead_somewhere() -> None:
    """A link to another page is to one that exists."""
    for page in PAGES:
        for target in re.findall(r"`[^`<]+<([\w./-]+\.(?:rst|yml|service))>`_", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


# --- completions -------------------------------------------------------------------------------

BASH = SHARE / "bash-completion/completions/journal-postfix"


def completed(*words: str) -> list[str]:
    """What bash offers for the last of these words."""
    script = (
        f'source {BASH}; COMP_WORDS=(journal-postfix "$@"); COMP_CWORD=$#;'
        " _journal_postfix; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", *words], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes(tmp_path: Path) -> None:
    """Commands, options of a command, values of an option, and files."""
    assert {"run", "backfill", "doctor", "--config"} <= set(completed(""))
    assert completed("tra") == ["trace"]
    assert completed("trace", "--send") == ["--sender"]
    assert completed("--dsn", "dbname=x", "-v", "report", "--form") == ["--format"]
    assert completed("report", "--format", "") == ["table", "json", "csv"]
    assert completed("trace", "--sender", "") == []
    assert "--overlap-ok" not in completed("trace", "--")
    (tmp_path / "mail.log").touch()
    assert completed("backfill", f"{tmp_path}/mai") == [f"{tmp_path}/mail.log"]
    assert completed("--config", f"{tmp_path}/mai") == [f"{tmp_path}/mail.log"]
    done = subprocess.run(
        ["bash", "--norc", "-c", f"source {BASH}; complete -p journal-postfix"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "complete -o filenames -F _journal_postfix journal-postfix\n"


def test_fish_completes() -> None:
    """The same in fish."""
    if shutil.which("fish") is None:
        pytest.skip("needs fish")
    file = SHARE / "fish/vendor_completions.d/journal-postfix.fish"

    def told(line: str) -> set[str]:
        script = f"source {file}; complete -C '{line}'"
        done = subprocess.run(
            ["fish", "--no-config", "-c", script], check=True, capture_output=True, text=True
        )
        return {word.partition("\t")[0] for word in done.stdout.splitlines()}

    assert {"run", "trace", "doctor"} <= told("journal-postfix ")
    assert told("journal-postfix trace --send") == {"--sender"}
    assert {"table", "json", "csv"} <= told("journal-postfix report --format ")


def test_zsh_completes() -> None:
    """zsh takes the file for a completion of the command."""
    if shutil.which("zsh") is None:
        pytest.skip("needs zsh")
    folder = SHARE / "zsh/site-functions"
    script = (
        f"fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D;"
        " print ${_comps[journal-postfix]}; autoload +X -Uz _journal-postfix && print loaded"
    )
    done = subprocess.run(["zsh", "-f", "-c", script], check=True, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["_journal-postfix", "loaded"], "")
    checked = ["zsh", "-n", str(folder / "_journal-postfix")]
    assert subprocess.run(checked, check=True, capture_output=True, text=True).stderr == ""


# --- commands and queries on the pages -----------------------------------------------------------


class Block(NamedTuple):
    """A block on a page: its language (empty for what stands behind ``::``), its text."""

    page: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text.partition(chr(10))[0]}"


_BLOCK = re.compile(
    r"^(?P<indent> *)(?:\.\. code-block:: (?P<language>\w+)|(?!\.\. )(?:[^\n]*[^\n:])?::)\n\n"
    r"(?P<text>(?:(?P=indent)[ ]{3,}[^\n]*\n|\n)+)",
    re.MULTILINE,
)


def blocks() -> list[Block]:
    """All blocks of all pages; the generated ones hold no commands."""
    found = []
    for page in PAGES:
        if "reference" not in page.parts:
            for match in _BLOCK.finditer(page.read_text() + "\n"):
                lines = match["text"].rstrip("\n").split("\n")
                indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
                text = "\n".join(line[indent:] for line in lines).strip("\n")
                name = str(page.relative_to(PROJECT))
                found.append(Block(name, match["language"] or "", text))
    return found


BLOCKS = blocks()

#: Commands that are not run, by how they begin, and why.
NOT_RUN = {
    "apt-get ": "installs packages",
    "python3 -m venv": "installs",
    "/opt/journal-postfix/bin/": "installed by the line before",
    "ln -s ": "changes the system; tests/test_booted.py types this and the next",
    "rm -r ": "changes the system",
    "find /usr/local": "changes the system",
    "userdel ": "changes the system",
    "useradd ": "changes the system",
    "install -d": "changes the system",
    "printf ": "changes the system",
    "chgrp ": "changes the system",
    "cp ": "changes the system",
    "echo 'dsn": "changes the system",
    "sudo -u ": "needs a server of the system, and changes it",
    "systemctl ": "needs systemd, and changes it",
    "script/quickstart": "installs packages; the sample it loads is that of this test",
    "script/test": "this is one of its tests",
    "script/faults": "takes long; its short form is tests/test_faults.py",
    "PYTHONPATH=.:tests .venv/bin/python benchmarks/": "takes half an hour and 40 GB",
    "script/boot-test": "builds and boots a Debian: tests/test_booted.py",
    "script/bench": "takes long; tests/test_bench.py runs a short one",
    "JOURNAL_POSTFIX_TEST_DEBIAN=": "needs the Debians of the line before",
    "curl ": "needs a service that runs; tests/test_metrics.py asks one",
    ".venv/bin/journal-postfix backfill /var/log": "needs a log of the system",
    "journal-postfix status": "the same as console: in a block of installation it is run by hand",
    "0 6 * * * ": "a line for cron; the command is that of report",
}
#: Commands whose output on the page is of another log, or of another machine.
SHOWN_OTHERWISE = {
    "journal-postfix report": "an excerpt of a report of another log",
    "journal-postfix trace --sender bob@example.com": "of another log",
    "journal-postfix doctor": "of another machine",
}
MAY_FAIL = ("journal-postfix doctor", "journal-postfix status")
CONSOLE = [block for block in BLOCKS if block.language == "console"]
SQL_BLOCKS = [block for block in BLOCKS if block.language == "sql"]
SHELL = [block for block in BLOCKS if block.language in ("", "console")]


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output that is shown."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    pairs = []
    for part in parts:
        lines = part.split("\n")
        while lines[0].endswith("\\"):
            lines[0] = lines[0][:-1] + lines.pop(1).lstrip("> ")
        pairs.append((lines[0], "\n".join(lines[1:]).strip("\n")))
    return pairs


def reason_not_to_run(command: str) -> str | None:
    """Why a command is not run; None where it is."""
    return next((why for begin, why in NOT_RUN.items() if command.startswith(begin)), None)


@pytest.fixture(scope="module")
def sample_dsn(
    server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database with the sample of the documentation."""
    folder = tmp_path_factory.mktemp("docs")
    with fresh_database(server_dsn, template) as dsn:
        keep = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
        (folder / "main.yml").write_text(yaml.safe_dump({"dsn": dsn, "retention": keep}))
        run("journal-postfix backfill docs/sample/mail.log.xz", folder / "main.yml")
        yield dsn


def run(command: str, config: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as it is typed, with this configuration and our program."""
    folder = config.parent / "bin"
    if not folder.exists():
        folder.mkdir()
        program = folder / "journal-postfix"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m journal_postfix "$@"\n')
        program.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if "JOURNAL_POSTFIX" not in name}
    environment = {
        **clean,
        "PATH": f"{folder}:{clean['PATH']}", "PYTHONPATH": str(PROJECT), "TZ": "UTC",
        "JOURNAL_POSTFIX_CONFIG": str(config), "LC_ALL": "C.UTF-8", "COLUMNS": "100",
    }  # fmt: skip
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], check=False, cwd=PROJECT, env=environment,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_commands_do_what_the_page_shows(block: Block, sample_dsn: str, tmp_path: Path) -> None:
    """Each command of a console block runs; where it is about the sample, it prints what is shown."""
    keep = {"delivery": {"delete": 0}, "noqueue": {"delete": 0}}
    config = {"dsn": sample_dsn, "retention": keep}
    (tmp_path / "main.yml").write_text(yaml.safe_dump(config))
    found = commands(block)
    assert found, block
    for command, shown in found:
        if reason_not_to_run(command) and not command.startswith(MAY_FAIL):
            continue
        done = run(command, tmp_path / "main.yml")
        assert done.returncode == 0 or (done.returncode == 1 and command.startswith(MAY_FAIL)), done
        assert "Traceback" not in done.stderr
        if shown and not any(command.startswith(one) for one in SHOWN_OTHERWISE):
            assert done.stdout.strip("\n") == shown


def test_every_other_command_has_a_reason_not_to_be_run() -> None:
    """A command behind ``::`` is one of those that cannot be run here, or is no command."""
    lines = [
        (block.page, line)
        for block in SHELL
        if block.language == "" and not is_text(block)
        for line in block.text.replace("\\\n", "").splitlines()
        if line.strip() and not line.startswith(("#", " "))
    ]
    assert [(page, line) for page, line in lines if not reason_not_to_run(line)] == []


def is_text(block: Block) -> bool:
    """Whether a block holds lines of a log, of a file or of a table, not of a shell."""
    return block.text.startswith((
        "postfix/", "# in snapshots", "# tls/", "# /etc/", "CREATE ROLE", "GRANT ", "ratio", "=", "work", " ",
        "[Service]", "Status: ",
    ))  # fmt: skip


def test_reasons_are_used() -> None:
    """No reason outlives the command it was for."""
    lines = [line for block in SHELL for line in block.text.splitlines()]
    lines = [line.removeprefix("$ ") for line in lines]
    unused = [begin for begin in NOT_RUN if not any(line.startswith(begin) for line in lines)]
    assert unused == []


@pytest.mark.parametrize("block", SQL_BLOCKS, ids=str)
def test_queries_run(block: Block, sample_dsn: str) -> None:
    """Every query of the pages runs on a database with mails."""
    with closing(psycopg2.connect(sample_dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only TO on")
        for query in filter(str.strip, block.text.split(";")):
            cursor.execute(query)
            assert cursor.description is not None


def test_most_questions_have_an_answer(sample_dsn: str) -> None:
    """The queries are not only valid: on the sample most of them find something."""
    queries = [one for one in SQL_BLOCKS if one.page == "docs/questions.rst"]
    answered = 0
    with closing(psycopg2.connect(sample_dsn)) as connection, connection.cursor() as cursor:
        for block in queries:
            cursor.execute(block.text.split(";")[0])
            answered += bool(cursor.fetchone())
    assert len(queries) >= 20
    assert answered >= len(queries) * 0.6


# --- what the log says ---------------------------------------------------------------------------

#: Modules that say the sentence of an error as it is, and the beginnings of those sentences.
AS_IT_IS = {
    "commit.py": ["… are free on the disk of …"],
    "reconcile.py": ["the queue was not compared: …"],
    "retention.py": ["clean-up not finished, it goes on next time: …"],
}


def log_calls() -> Iterator[tuple[str, str]]:
    """The words of every call that says something at level info or above, with its module."""
    for path in sorted((PROJECT / "journal_postfix").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in ("log.info", "log.warning", "log.error", "log.critical")
            ):  # fmt: skip
                words = ast.literal_eval(node.args[0])
                yield path.name, re.sub(r"%[.\d]*[sdf]", "…", words)


def test_every_line_of_the_log_is_explained() -> None:
    """docs/operate.rst has each line that the program may say, and no other."""
    said = set(log_calls())
    assert len(said) > 12
    explained = set(re.findall(r"^``(.+)``$", OPERATE.read_text(), re.MULTILINE))
    bare = {module for module, words in said if words == "…"}
    assert bare == set(AS_IT_IS), "a module says an error as it is: name its sentences"
    sentences = {one for module in bare for one in AS_IT_IS[module]}
    missing = {words for _, words in said if words != "…"} - explained
    assert missing == set()
    assert {one for one in sentences if not any(e.startswith(one) for e in explained)} == set()
    lines = {words for _, words in said}
    others = [e for e in explained - lines if not any(e.startswith(one) for one in sentences)]
    assert others == []
