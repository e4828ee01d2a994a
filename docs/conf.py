"""Sphinx makes the documentation of this: script/make-docs --html FOLDER."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from journal_postfix import __version__

project = "journal-postfix"
author = "the authors of journal-postfix"
project_copyright = "Apache-2.0"
version = release = __version__
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"page_width": "1080px", "sidebar_width": "250px"}
html_show_copyright = False
highlight_language = "none"
smartquotes = False
nitpicky = True

#: Pages link to each other by file name, so that the links also work where the files are read.
LINK = re.compile(r"`([^`<]+?)\s+<([\w./-]+)\.rst>`_")


def link_pages(app: Any, name: str, source: list[str]) -> None:
    """Turn links to files into links to pages, where there is such a page."""
    here = (Path(app.srcdir) / name).parent

    def link(match: re.Match[str]) -> str:
        page = here / f"{match[2]}.rst"
        is_page = page.exists() and page.resolve().is_relative_to(app.srcdir)
        return f":doc:`{match[1]} <{match[2]}>`" if is_page else match[0]

    source[0] = LINK.sub(link, source[0])


def setup(app: Any) -> None:
    """Tell Sphinx about it."""
    app.connect("source-read", link_pages)
