"""A real Postfix whose queue loses mails without a line: `reconcile` finds them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import fresh_database
from live import outside
from live.queue_changes import GONE, HELD, KEPT, NAMED
from live_service import rows

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it starts journald and Postfix"),
]


class Scene:
    """What was told inside the namespaces, and the rows afterwards."""

    def __init__(self, told: dict[str, Any], dsn: str) -> None:
        self.told = told
        self.ids: dict[str, str] = told["ids"]
        self.mails = {row["queue_id"]: row for row in rows(dsn, "delivery_from")}
        self.events = rows(dsn, "queue_event")
        self.fates = {row["recipient"]: row["fate"] for row in rows(dsn, "delivery")}


@pytest.fixture(scope="module")
def scene(
    server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """Everything that happened."""
    folder = tmp_path_factory.mktemp("queue") / "live"
    with fresh_database(server_dsn, template) as dsn:
        inside = outside.start_program(folder, "live.queue_changes", dsn)
        output, _ = inside.communicate(timeout=240)
        assert inside.returncode == 0, output
        yield Scene(json.loads(Path(folder, "told.json").read_text()), dsn)


def test_what_was_deleted_without_a_line_is_closed(scene: Scene) -> None:
    """Exactly the mails that `postsuper -d ALL` took are found, once, and vanished."""
    gone = {scene.ids[recipient] for recipient in GONE}
    assert {row["queue_id"] for row in scene.told["compared"]["closed"]} == gone
    assert scene.told["again"]["closed"] == []
    assert {row["removed_by"] for row in map(scene.mails.get, gone) if row} == {"vanished"}
    assert {scene.fates[recipient] for recipient in GONE} == {"vanished"}


def test_the_others_are_left_as_they_are(scene: Scene) -> None:
    """A mail in the queue is open, on hold or not; one that was deleted by its id is known to be."""
    assert {scene.ids[KEPT], scene.ids[HELD]} == set(scene.told["queue"])
    assert (scene.fates[KEPT], scene.fates[HELD]) == ("waiting", "held")
    assert scene.fates[NAMED] == "deleted"


def test_the_counts(scene: Scene) -> None:
    """Both instances were listed; no mail in the queue is unknown."""
    first, second = scene.told["compared"]["instances"]
    assert (first["syslog_name"], second["syslog_name"]) == ("postfix", "postfix-out")
    assert (first["mta"], first["closed"], first["not_in_tables"]) == ("mx1.example.com", 5, 0)
    assert first["in_queue"] >= 2
    assert first["open"] >= 7
    assert (second["in_queue"], second["open"], second["closed"]) == (0, 0, 0)


def test_the_event_tells_how_many(scene: Scene) -> None:
    """postsuper's own count of what it deleted without naming it is that of the vanished mails."""
    unnamed = [e["messages"] - e["named"] for e in scene.events if e["action"] == "Deleted"]
    assert sorted(unnamed) == [0, len(GONE)]


def test_who_may_ask(scene: Scene) -> None:
    """Root and users may list the queue; without setgid, or where forbidden, that is said."""
    asked = scene.told["asked"]
    assert asked["root"] == asked["user"] == asked["group postdrop"] == "2\n"
    assert asked["no new privileges"].startswith("NotAllowed")
    assert "may not gain the rights of its group" in asked["no new privileges"]
    assert asked["forbidden"].startswith("NotAllowed")
    assert "not allowed to view the mail queue" in asked["forbidden"]
