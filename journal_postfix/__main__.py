"""`python -m journal_postfix`, the same as the command `journal-postfix`."""

from __future__ import annotations

import sys

from journal_postfix.cli import main

if __name__ == "__main__":
    sys.exit(main())
