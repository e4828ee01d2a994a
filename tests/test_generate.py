"""Tests of the generator: what it promises, so that other tests may rely on its truth."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import generate
from generate import Log
from traffic.kinds import KINDS
from traffic.ledger import Row
from traffic.world import SECOND, Line, World

LOG = Log(lines=60_000, seed=7)


@pytest.fixture(scope="module", name="played")
def _played() -> tuple[World, list[Line]]:
    world = generate.simulate(LOG)
    return world, list(world.run())


@pytest.fixture(scope="module", name="rows")
def _rows(played: tuple[World, list[Line]]) -> dict[str, list[Row]]:
    return generate.true_rows(played[0], "iso")


@pytest.mark.parametrize("form", ["traditional", "iso", "export"])
def test_same_seed_same_bytes(form: str, tmp_path: Path) -> None:
    """The same options give the same bytes and the same truth, another seed gives others."""
    texts, truths = [], []
    for number, seed in enumerate((3, 3, 4)):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = generate.write(Log(2000, seed=seed), form, folder, split=False)
        texts.append(next(folder.iterdir()).read_bytes())
        truths.append(generate.true_rows(world, form))
    assert texts[0] == texts[1] != texts[2]
    assert truths[0] == truths[1] != truths[2]


def test_split_files_hold_the_mixed_log(tmp_path: Path) -> None:
    """One file per host and one mixed file hold the same lines."""
    (tmp_path / "split").mkdir()
    generate.write(Log(3000), "iso", tmp_path, split=False)
    generate.write(Log(3000), "iso", tmp_path / "split", split=True)
    parts = [path.read_text().splitlines() for path in (tmp_path / "split").iterdir()]
    assert len(parts) == 3
    assert all(parts)
    mixed = (tmp_path / "mixed.log").read_text().splitlines()
    assert Counter(mixed) == Counter(line for part in parts for line in part)


def test_shuffling_moves_lines_by_a_second_at_most(played: tuple[World, list[Line]]) -> None:
    """Shuffled lines are the same lines, none more than a second behind a later one."""
    world = generate.simulate(LOG._replace(shuffle=1.0))
    shuffled = list(world.run())
    assert Counter(map(_key, shuffled)) == Counter(map(_key, played[1]))
    assert world.ledger.rows() == played[0].ledger.rows()
    latest = out_of_order = 0
    for line in shuffled:
        assert line.t > latest - SECOND
        out_of_order += line.t < latest
        latest = max(latest, line.t)
    assert out_of_order > len(shuffled) / 10


def _key(line: Line) -> tuple[Any, ...]:
    return line.t, line.machine.name, line.ident, line.pid, line.text


def test_lines_are_ordered_and_as_many_as_asked_for(played: tuple[World, list[Line]]) -> None:
    """Unshuffled lines come in order of time, at least as many as asked for, from every host."""
    lines = played[1]
    assert len(lines) >= LOG.lines
    assert all(one.t <= two.t for one, two in itertools.pairwise(lines))
    hosts = Counter(line.machine.name for line in lines)
    assert len(hosts) == LOG.hosts
    assert min(hosts.values()) > LOG.lines / 5


def test_every_kind_of_story_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kind is so rare that a log of ordinary size lacks it."""
    told: Counter[str] = Counter()
    counting = {_counted(kind, told): weight for kind, weight in KINDS.items()}
    monkeypatch.setattr(generate, "KINDS", counting)
    list(generate.simulate(LOG).run())
    assert {kind.__name__ for kind in KINDS} == set(told)


def _counted(kind: Any, told: Counter[str]) -> Any:
    def story(*args: Any) -> Any:
        told[kind.__name__] += 1
        return kind(*args)

    return story


def test_truth_holds_every_sort_of_row(rows: dict[str, list[Row]]) -> None:
    """Each value that the contract names for an enumerated column occurs in the truth."""
    assert _values(rows["delivery_from"], "origin") == {
        *("smtp", "local", "notice", "forward", "requeue", "probe", "unknown"),
    }
    assert _values(rows["delivery_from"], "removed_by") == {
        *(None, "qmgr", "postsuper", "canceled", "discarded", "requeued", "vanished"),
    }
    assert _values(rows["delivery_from"], "notification") == {
        *(None, "sender non-delivery", "sender delay", "sender delivery status"),
    }
    assert _values(rows["delivery_from"], "accepted") == {True, False, None}
    assert _values(rows["delivery_to"], "status") == {
        *("sent", "deferred", "bounced", "deliverable", "undeliverable"),
    }
    assert _values(rows["delivery_to"], "daemon") == {
        *("smtp", "lmtp", "local", "virtual", "pipe", "error", "discard", "cleanup"),
    }
    assert _values(rows["delivery_attempt"], "daemon") >= {"smtp", "lmtp", "error", "qmgr"}
    assert _values(rows["noqueue"], "action") == {
        *("reject", "reject_warning", "warn", "info", "hold", "discard", "warning"),
        *("milter-reject", "milter-hold", "milter-discard"),
    }
    assert _values(rows["noqueue"], "protocol_state") >= {
        *("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE"),
    }
    assert all(rows[table] for table in ("delivery_attempt", "noqueue"))


def _values(rows: list[Row], name: str) -> set[Any]:
    return {row[name] for row in rows if name in row}


def test_truth_is_consistent(rows: dict[str, list[Row]]) -> None:
    """Mails are identified, recipients belong to a mail, histories to a recipient, sums agree."""
    mails = Counter((row["mta"], row["queue_id"], row["t_i"]) for row in rows["delivery_from"])
    assert set(mails.values()) == {1}
    recipients = {_recipient(row): row for row in rows["delivery_to"]}
    assert len(recipients) == len(rows["delivery_to"])
    histories = Counter(map(_recipient, rows["delivery_attempt"]))
    assert histories.keys() <= recipients.keys()
    for key, row in recipients.items():
        assert key[:3] in mails
        assert row["t_i"] <= row["t_status"] <= row["t_f"]
        assert row["attempts"] <= histories[key] + 1 <= row["attempts"] + row["skipped"]
        assert row["copies"] <= row["attempts"]
    for row in rows["delivery_from"]:
        assert row["t_i"] <= row.get("t_f", row["t_i"])


def _recipient(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("mta", "queue_id", "mail_t_i", "recipient", "orig_to"))


def test_queue_ids_come_back_as_promised(rows: dict[str, list[Row]]) -> None:
    """Short ids come back, often within the hour, never within 60 s of an end that was logged."""
    mails = defaultdict(list)
    for row in rows["delivery_from"]:
        mails[row["mta"], row["queue_id"]].append(row)
    closed = left_open = soon = 0
    for group in mails.values():
        group.sort(key=lambda row: row["t_i"])
        for old, new in itertools.pairwise(group):
            pause = new["t_i"] - old.get("t_f", old["t_i"])
            assert pause > timedelta(seconds=60)
            soon += pause < timedelta(hours=1)
            unsaid = old["removed_by"] in (None, "vanished", "requeued")
            assert not unsaid or new["origin"] == "smtp"
            left_open, closed = left_open + unsaid, closed + (not unsaid)
    assert closed > 50
    assert left_open > 10
    assert soon > closed / 2
    long_ids = [queue_id for mta, queue_id in mails if mta == "mx2.example.net"]
    assert all(re.fullmatch(r"[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10}z\w+", q) for q in long_ids)


def test_a_process_serves_one_client_at_a_time(played: tuple[World, list[Line]]) -> None:
    """Between connect and disconnect a process of smtpd speaks of that client only."""
    client: dict[tuple[str, int], str] = {}
    sessions = 0
    for line in played[1]:
        if line.ident.rpartition("/")[2] != "smtpd":
            continue
        process = (line.machine.name, line.pid)
        if line.text.startswith("connect from "):
            assert process not in client
            client[process] = line.text[13:]
        elif line.text.startswith("disconnect from "):
            assert line.text[16:].startswith(client.pop(process))
            sessions += 1
        elif ": client=" in line.text:
            assert f"client={client[process]}" in line.text
    assert sessions > 1000
    assert len({pid for _, pid in client}) == 0


def test_export_is_what_journald_would_hold(tmp_path: Path) -> None:
    """Journal export entries have trusted fields, one machine id per host, and the line's time."""
    generate.write(Log(500), "export", tmp_path, split=False)
    text = (tmp_path / "mixed.export").read_text()
    entries = [dict(field.split("=", 1) for field in entry.split("\n"))
               for entry in text.removesuffix("\n\n").split("\n\n")]  # fmt: skip
    assert len({(entry["_MACHINE_ID"], entry["_HOSTNAME"]) for entry in entries}) == 3
    ours = [entry for entry in entries if entry["SYSLOG_IDENTIFIER"].startswith("postfix")]
    assert {entry["_UID"] for entry in ours} == {"0", "101"}
    assert {entry["_SYSTEMD_UNIT"] for entry in ours} == {"postfix@-.service"}
    assert len(ours) < len(entries)
