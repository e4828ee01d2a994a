"""A log cut in pieces, loaded newest first: halves of mails are joined to exactly the true rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from generate import Log
from test_known_truth import assert_true, configured, run, written


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
def test_pieces_in_reverse_order(dsn: str, tmp_path: Path, *, at_once: bool) -> None:
    """Three pieces of a shuffled log, the newest first, by one backfill or by three."""
    log = written(tmp_path / "log", Log(lines=30_000, seed=31, shuffle=1.0), "iso", split=False)
    lines = Path(log.files[0]).read_text().splitlines(keepends=True)
    pieces = []
    for number in (2, 1, 0):
        piece = tmp_path / f"piece-{number}.log"
        piece.write_text("".join(lines[number * len(lines) // 3 : (number + 1) * len(lines) // 3]))
        pieces.append(str(piece))
    load = [*configured(tmp_path, dsn), "backfill"]
    for files in [pieces] if at_once else [[piece] for piece in pieces]:
        run(*load, *files)
    assert_true(dsn, log.rows)
