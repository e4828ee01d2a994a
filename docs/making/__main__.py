"""Write the generated files, or look whether they are as they would be written."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from journal_postfix import __version__
from making import completions, render
from making.reference import PROGRAM, commands_page, example_configuration, keys_page, tables_page

ROOT = Path(__file__).parents[2]
VERSION = f"{PROGRAM} {__version__}"
NOTE = "Made by script/make-docs: change the code instead."
ABOUT = "what became of every mail, from Postfix's log into PostgreSQL"
SHARE = "share"


def files() -> dict[str, str]:
    """Every generated file by its path, with its text."""
    see_also = [*_see_also("postfix(1), journald.conf(5), psql(1)")]
    return {
        "docs/reference/commands.rst": render.rst(PROGRAM, NOTE, commands_page()),
        "docs/reference/keys.rst": render.rst(f"{PROGRAM}.yml", NOTE, keys_page()),
        "docs/reference/tables.rst": render.rst("Tables and columns", NOTE, tables_page()),
        f"{SHARE}/man/man1/{PROGRAM}.1": render.man(
            PROGRAM, 1, VERSION, ABOUT, [*commands_page(), *see_also]
        ),
        f"{SHARE}/man/man5/{PROGRAM}.yml.5": render.man(
            f"{PROGRAM}.yml",
            5,
            VERSION,
            f"the configuration of {PROGRAM}",
            [*keys_page(), *see_also],
        ),
        f"{SHARE}/doc/{PROGRAM}/main.yml": example_configuration(),
        f"{SHARE}/bash-completion/completions/{PROGRAM}": completions.bash(),
        f"{SHARE}/zsh/site-functions/_{PROGRAM}": completions.zsh(),
        f"{SHARE}/fish/vendor_completions.d/{PROGRAM}.fish": completions.fish(),
    }


def _see_also(others: str) -> list[render.Block]:
    return [
        render.Heading(1, "See also"),
        render.Text(f"{PROGRAM}(1), {PROGRAM}.yml(5), {others}."),
    ]


def main() -> int:
    """Write them; with --check only name those that are not up to date, and fail."""
    parser = argparse.ArgumentParser(prog="script/make-docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    stale = 0
    for name, text in files().items():
        path = ROOT / name
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale += 1
        if check:
            print(f"{name} is not up to date: run script/make-docs", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(name)
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
