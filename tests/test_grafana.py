"""The dashboard's queries: each answers, to a role that can only read, on tables with content."""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from conftest import execute, fresh_database
from generate import Log
from test_known_truth import configured, run, written

FOLDER = Path(__file__).parent.parent / "docs" / "grafana"
DASHBOARD = json.loads((FOLDER / "mail.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
#: The simulation's two days become these: totals by hour are kept for a year.
DAYS = {"2024-12-31": f"{YESTERDAY - timedelta(days=1)}", "2025-01-01": f"{YESTERDAY}"}
TIMES = (f"{YESTERDAY - timedelta(days=1)}T20:00:00Z", f"{YESTERDAY}T12:00:00Z")
#: What the simulation does not tell, as lines at its end.
MORE = (
    "rsyslogd-2177: imuxsock lost 45 messages from pid 77 due to rate-limiting",
    "postfix/smtpd[4242]: warning: unknown[192.0.2.66]: SASL PLAIN authentication failed: no secret",
    "postfix/postsuper[4243]: Deleted: 4 messages",
)

COUNTS = ("value", "times", "recipients", "received")

#: Macros of Grafana's PostgreSQL source, as it expands them (pkg/tsdb/.../macros.go).
MACROS = (
    (r"\$__timeFilter\(([^)]+)\)", r"\1 BETWEEN '{0}' AND '{1}'"),
    (r"\$__timeFrom\(\)", "'{0}'"),
    (r"\$__timeTo\(\)", "'{1}'"),
    (r"\$__timeGroupAlias\(([^,]+), ?\$__interval\)",
     r'floor(extract(epoch from \1)/600)*600 AS "time"'),
    (r"\$mta\b", "{2}"),
)  # fmt: skip


class Filled(NamedTuple):
    """A database with content: its owner's DSN, that of the dashboard's role, and its hosts."""

    dsn: str
    reader: str
    hosts: tuple[str, ...]


def asked(dsn: str, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names and rows of an answer."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return [column.name for column in cursor.description or ()], cursor.fetchall()


def grants() -> list[str]:
    """The statements of the README, one by one."""
    text = (FOLDER / "README.rst").read_text("utf-8")
    return re.findall(r"^    ((?:CREATE|GRANT|ALTER) .*?;)$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module", name="filled")
def _filled(
    server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("grafana")
    (path,) = written(folder / "log", Log(lines=6000, hosts=2, seed=3), "iso", split=False).files
    text = Path(path).read_text("utf-8")
    text += "".join(f"2025-01-01T05:00:00Z mx1.example.com {line}\n" for line in MORE)
    for day, then in DAYS.items():
        text = re.sub(rf"^{day}", then, text, flags=re.MULTILINE)
    Path(path).write_text(text, "utf-8")
    role = f"grafana_{secrets.token_hex(4)}"
    with fresh_database(server_dsn, template) as dsn:
        run(*configured(folder, dsn), "backfill", path)
        execute(dsn, *(one.replace("grafana", role) for one in grants()))
        hosts = tuple(row[0] for row in asked(dsn, DASHBOARD["templating"]["list"][1]["query"])[1])
        yield Filled(dsn, make_dsn(dsn, user=role, password="choose one"), hosts)
        execute(dsn, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def expanded(query: str, hosts: tuple[str, ...]) -> str:
    """A query with Grafana's macros and our variable written out."""
    listed = ", ".join(f"'{host}'" for host in hosts)
    for pattern, text in MACROS:
        query = re.sub(pattern, text.format(*TIMES, listed).replace("%", "%%"), query)
    assert "$" not in query, query
    return query


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_panel_has_an_answer(filled: Filled, panel: dict[str, Any]) -> None:
    """Each query gives rows to the role of the README; a series has its times first, in order."""
    (target,) = panel["targets"]
    names, rows = asked(filled.reader, expanded(target["rawSql"], filled.hosts))
    assert rows
    assert max(Counter(names).values()) == 1
    if panel["type"] == "timeseries":
        assert target["format"] == "time_series"
        times = [row[names.index("time")] for row in rows]
        assert times == sorted(times)
        assert len(set(times)) > 5
        numbers = [name for name in names if name not in ("time", "metric")]
        assert numbers
        assert all(row[names.index(name)] is not None for row in rows for name in numbers)
    if panel["type"] == "stat":
        assert all(value is not None for value in rows[0])


def test_the_figures_are_right(filled: Filled) -> None:
    """Of the whole time, panels add up to what the tables hold."""
    ((refused,),) = asked(filled.dsn, "SELECT count(*) FROM noqueue WHERE refused")[1]
    assert total(filled, "Refused") == refused
    assert total(filled, "Refused, why") == refused
    assert total(filled, "Refusals") == refused
    ((received,),) = asked(filled.dsn, RECEIVED)[1]
    assert total(filled, "Received") == total(filled, "Mails and recipients") == received
    ((waiting,),) = asked(filled.dsn, "SELECT count(*) FROM delivery WHERE fate = 'waiting'")[1]
    assert total(filled, "Waiting") == total(filled, "Waiting now, by domain") == waiting > 0
    ((held,),) = asked(filled.dsn, "SELECT count(*) FROM delivery WHERE fate = 'held'")[1]
    assert total(filled, "On hold") == total(filled, "On hold now") == held > 0


RECEIVED = "SELECT count(*) FILTER (WHERE received) FROM mail_between('{}', '{}')".format(*TIMES)


def total(filled: Filled, title: str) -> int:
    """The sum of a panel's counts."""
    (panel,) = [one for one in PANELS if one["title"] == title]
    query = expanded(panel["targets"][0]["rawSql"], filled.hosts)
    names, rows = asked(filled.reader, query)
    (number,) = [n for n, name in enumerate(names) if name in COUNTS][:1]
    return int(sum(row[number] for row in rows))


def test_lost_lines_are_marked(filled: Filled) -> None:
    """The annotation tells the times for which lines are missing."""
    (annotation,) = DASHBOARD["annotations"]["list"]
    names, rows = asked(filled.reader, expanded(annotation["target"]["rawSql"], filled.hosts))
    assert names == ["time", "timeend", "text", "tags"]
    assert rows


def test_a_host_narrows_what_is_shown(filled: Filled) -> None:
    """With one host of two, fewer are counted."""
    one = Filled(filled.dsn, filled.reader, filled.hosts[:1])
    assert 0 < total(one, "Refused") < total(filled, "Refused")


def test_the_role_can_only_read(filled: Filled) -> None:
    """The dashboard's role changes nothing, and sees nothing of what it need not."""
    for query in ("DELETE FROM gap", "SELECT state FROM source", "SELECT * FROM unrecognised"):
        with pytest.raises(psycopg2.Error, match=r"permission denied|read-only"):
            asked(filled.reader, query)


def test_only_the_days_shown_are_read() -> None:
    """A panel about the time shown says which days it needs, or asks a table that is small."""
    for panel in PANELS:
        query = panel["targets"][0]["rawSql"]
        if re.search(r"FROM (delivery|noqueue|delivery_from|delivery_to)\b", query):
            assert re.search(r"day BETWEEN \$__timeFrom\(\)::date", query), panel["title"]


def test_the_json_is_a_dashboard() -> None:
    """Panels have numbers of their own and places that do not overlap; all ask the chosen source."""
    numbers = Counter(panel["id"] for panel in DASHBOARD["panels"])
    assert max(numbers.values()) == 1
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}  # fmt: skip
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}"
    for panel in PANELS:
        shown = {column["matcher"]["options"] for column in panel["fieldConfig"]["overrides"]}
        query = panel["targets"][0]["rawSql"]
        assert all(re.search(rf'AS "?{re.escape(name)}\b', query) for name in shown), panel["title"]
