"""Results as reStructuredText, and into a document between two comments."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from turns import Comparison, Contender, Results, Took, median, per_line

BEGIN = ".. figures: written by script/bench --write"
END = ".. end of figures"
SHOWN_DETAILS = 16

Turns = Sequence[Took]


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _range(turns: Turns) -> str:
    seconds = [took.seconds for took in turns]
    return f"{min(seconds):.2f}-{max(seconds):.2f}"


# Heading, and what stands below it for the turns of a contender.
COLUMNS: dict[str, Callable[[Turns], str]] = {
    "lines": lambda turns: f"{turns[0].lines:,}",
    "seconds": lambda turns: _number(median([took.seconds for took in turns]), ".2f"),
    "from-to": _range,
    "lines/s": lambda turns: f"{1 / per_line(turns):,.0f}",
    "CPU s": lambda turns: _number(median([took.cpu for took in turns]), ".2f"),
    "server s": lambda turns: _number(median([took.server for took in turns]), ".2f"),
    "MB": lambda turns: _number(median([took.memory for took in turns]), ".0f"),
    "cycles/line": lambda turns: _number(
        median([None if took.cycles is None else took.cycles / took.lines for took in turns]),
        ",.0f",
    ),
}


def table(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A simple table; columns without a value are left out, numbers stand to the right."""
    kept = [n for n in range(len(heading)) if any(line[n] for line in lines)]
    cells = [[line[n] or ".." for n in kept] for line in (heading, *lines)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(kept))]
    rule = " ".join("=" * width for width in widths)
    text = [_aligned(line, widths) for line in cells]
    return "\n".join([rule, text[0], rule, *text[1:], rule])


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return " ".join(padded).rstrip()


def _ratio(one: Contender, results: Results) -> float | None:
    if one.against not in results:
        return None
    return per_line(results[one.name]) / per_line(results[one.against])


def _cpu_ratio(one: Contender, results: Results) -> float | None:
    if one.against not in results:
        return None
    mine, theirs = (median(list(map(_cpu, results[name]))) for name in (one.name, one.against))
    return mine / theirs if mine and theirs else None


def _cpu(took: Took) -> float:
    """CPU seconds of a line, the server's among them."""
    return ((took.cpu or 0) + (took.server or 0)) / took.lines


def _budget(one: Contender, ratio: float | None) -> str:
    if one.budget is None or ratio is None:
        return ""
    most, aim = one.budget
    verdict = "reached" if ratio <= aim else "kept" if ratio <= most else "missed"
    return f"{aim:.2f}/{most:.2f} {verdict}"


def _row(one: Contender, results: Results) -> list[str]:
    ratio = _ratio(one, results)
    figures = [show(results[one.name]) for show in COLUMNS.values()]
    ratios = [_number(value, ".2f") for value in (ratio, _cpu_ratio(one, results))]
    return [one.name, *figures, *ratios, _budget(one, ratio)]


def compared(comparison: Comparison, results: Results) -> str:
    """A comparison as a section."""
    present = [one for one in comparison.contenders if one.name in results]
    heading = ["", *COLUMNS, "ratio", "of CPU", "aim/most"]
    parts = [
        f"{comparison.title}\n{'~' * len(comparison.title)}",
        comparison.text,
        table(heading, [_row(one, results) for one in present]),
        *_details(results),
        *(
            f"{one.name} took no part: {one.missing}."
            for one in comparison.contenders
            if one.missing
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def _details(results: Results) -> list[str]:
    """Where the time went, for those who tell."""
    return [_shares(name, turns) for name, turns in results.items() if turns[0].details]


def _shares(name: str, turns: Turns) -> str:
    sums: Counter[str] = Counter()
    for took in turns:
        sums.update(took.details)
    shares = [
        f"{what} {seconds / sums.total():.0%}" for what, seconds in sums.most_common(SHOWN_DETAILS)
    ]
    return wrapped(f"Where the time of '{name}' goes: {', '.join(shares)}.")


def wrapped(text: str, indent: str = "") -> str:
    """A paragraph in lines of common length."""
    return textwrap.fill(
        text, 98, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def daemons(found: Counter[str]) -> str:
    """The share of each daemon in a log, the rare ones as one."""
    total = found.total()
    names = {name or "other programs": count for name, count in found.most_common()}
    shares = [f"{name} {count / total:.1%}" for name, count in names.items() if count * 200 > total]
    return ", ".join(shares)


def replaced(text: str, block: str) -> str:
    """A document with the block in place of what stands between the two comments."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"no place for figures: the lines `{BEGIN}` and `{END}` are needed")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


def write(path: Path, block: str) -> None:
    """Put the block into a document."""
    path.write_text(replaced(path.read_text("utf-8"), block), "utf-8")
