"""Input to nowhere: a log read, parsed and extracted, or a journal read, and nothing kept.

Usage: python benchmarks/nowhere.py parse LOG YEAR
       python benchmarks/nowhere.py journal FOLDER YEAR

Prints a JSON object: the messages of Postfix.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing

from journal_postfix.delivery import extract_delivery
from journal_postfix.journal import JournalSet, iter_journal_messages_since
from journal_postfix.logfile import iter_logfile_messages
from journal_postfix.parser import parse


def parsed(path: str, year: str) -> int:
    """Read, parse and extract a log."""
    count = 0
    for _, msg in iter_logfile_messages(path, int(year), "UTC"):
        elements = parse(msg)
        extract_delivery(msg, elements)
        count += elements["action"] != "foreign"
    return count


def read(path: str, year: str) -> int:
    """Read a journal."""
    with closing(JournalSet(path)) as journal:
        return sum(1 for _ in iter_journal_messages_since(journal))


WHAT = {"parse": parsed, "journal": read}

if __name__ == "__main__":
    print(json.dumps({"postfix": WHAT[sys.argv[1]](*sys.argv[2:])}))
