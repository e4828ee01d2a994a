"""One run of the whole thing on the real parts: journald, Postfix, PostgreSQL and ``run``.

The traffic of ``tests/live`` is sent while the service follows the journal; once it is killed and
starts again. Then the tables must agree with what the sending and the receiving sides know:
replies, sink servers, mailboxes, queue.

With JOURNAL_POSTFIX_TEST_DEBIAN=FOLDER the mail server is that of another Debian, as
``script/record-versions`` leaves them below /var/cache/journal-postfix.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conftest import fresh_database
from live import hosts, outside
from live.traffic import ALONE, TOGETHER
from live.truth import SET
from live_service import Service, rows

Row = dict[str, Any]

PROGRAMS = ("postfix", "saslpasswd2", "ip", "unshare", "openssl", "journalctl")
TABLES = ("delivery_from", "delivery_to", "delivery_attempt", "noqueue", "unrecognised",
          "queue_event", "login", "source")  # fmt: skip
OURS = (("127.0.0.1", 10587), (hosts.SERVER_ADDRESSES[0], 25))  # where our own instances listen
DEBIAN = Path(folder) if (folder := os.environ.get("JOURNAL_POSTFIX_TEST_DEBIAN")) else None
STEPS = [step.__name__ for step in (*TOGETHER, *ALONE)]

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it starts journald and Postfix"),
]


def uids() -> list[int]:
    """Root's number and that of Postfix where it runs."""
    users = Path(DEBIAN or "/", "etc/passwd").read_text().splitlines()
    return [0, *(int(user.split(":")[2]) for user in users if user.startswith("postfix:"))]


@dataclass
class Outcome:
    """The truth, as the traffic wrote it, and the tables afterwards."""

    status: int
    output: str
    service: Service
    truth: dict[str, list[Row]]
    tables: dict[str, list[Row]]

    def find(self, table: str, key: Row) -> list[Row]:
        """Rows of a table that agree with all columns of ``key``."""
        return [row for row in self.tables[table] if agrees(row, key)]

    def of(self, table: str, mail: Row) -> list[Row]:
        """Rows of delivery_to or noqueue that belong to a row of delivery_from."""
        return self.find(table, {"from_id": mail["id"], "day": mail["day"]})

    def mail_of(self, row: Row) -> Row:
        """The row of delivery_from that a row of delivery_to belongs to."""
        (mail,) = self.find("delivery_from", {"id": row["from_id"], "day": row["day"]})
        return mail


def agrees(row: Row, expected: Row) -> bool:
    """Whether a row has the expected values."""
    return not differences(row, expected)


def differences(row: Row, expected: Row) -> Row:
    """The columns that are not as expected: (expected, actual)."""
    return {
        name: (value, row[name])
        for name, value in expected.items()
        if (row[name] is None if value == SET else row[name] != value)
    }


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the live mail server; ``run`` has a sibling of its own."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    assert not missing, f"install the packages of tests/live/PACKAGES: no {missing}"
    return tmp_path_factory.mktemp("end_to_end") / "live"


@pytest.fixture(scope="module")
def outcome(server_dsn: str, template: str, live: Path) -> Iterator[Outcome]:
    """Everything that happened, and the tables that came of it."""
    with fresh_database(server_dsn, template) as dsn:
        traffic = outside.start(live, rounds=1, debian=DEBIAN)
        with Service(outside.journal_folder(live).parent, dsn, live.parent, uids()) as service:
            service.be_killed()
            output, _ = traffic.communicate(timeout=150)
            service.wait()
        truth = json.loads((live / "truth.json").read_text())
        tables = {table: rows(dsn, table) for table in TABLES}
        yield Outcome(traffic.returncode, output, service, truth, tables)


def test_the_traffic_went_as_planned(outcome: Outcome) -> None:
    """Every step sent its mail and was answered as it should be; the service ended in peace."""
    assert outcome.status == 0, outcome.output
    outcome.service.check()


@pytest.mark.parametrize("step", STEPS)
def test_rows_are_as_foretold(outcome: Outcome, step: str) -> None:
    """What a step foretells about its mails, their recipients and verdicts is in the tables."""
    wrong = []
    for expected in outcome.truth["expected"]:
        if expected["step"] == step:
            wrong += _compare(outcome, expected)
    assert not wrong, "\n".join(map(str, wrong))


def _compare(outcome: Outcome, expected: Row) -> list[object]:
    found = outcome.find("delivery_from", expected["key"])
    if len(found) != 1:
        return [f"{len(found)} rows for {expected['key']}"]
    (mail,) = found
    wrong: list[object] = []
    if wanting := differences(mail, expected["columns"]):
        wrong.append((mail["queue_id"], wanting))
    for table, side in (("delivery_to", "recipients"), ("noqueue", "verdicts")):
        if expected[side] is not None:
            wrong += _compare_rows(outcome.of(table, mail), expected[side])
    return wrong


def _compare_rows(found: list[Row], expected: list[Row]) -> list[object]:
    """Each expected row has one row of its own, and none is left over."""
    wrong: list[object] = []
    left = list(found)
    for want in expected:
        key: Row = {name: want[name] for name in ("recipient", "orig_to") if name in want}
        row = next((row for row in left if agrees(row, key)), None)
        if row is None:
            wrong.append(f"no row {want}")
            continue
        left.remove(row)
        if wanting := differences(row, want):
            wrong.append((row["queue_id"], row["recipient"], wanting))
    return wrong + [f"one row too many: {row}" for row in left]


def test_every_refusal_told_to_a_client_is_a_verdict(outcome: Outcome) -> None:
    """Refusals in noqueue are exactly those that clients were told, with code, text and state."""
    told = Counter(map(_told, outcome.truth["refusals"]))
    refused = outcome.find("noqueue", {"refused": True})
    stored = Counter(_stored(row) for row in refused if row["action"] != "drop")
    assert told == stored, (told - stored, stored - told)


def _told(refusal: Row) -> tuple[object, ...]:
    reply = refusal["reply"]
    # a proxy's refusal is logged without the client (MAPPING 12)
    client = None if refusal["step"] == "proxied" else refusal["client_address"]
    said = (reply["dsn"], reply["text"], refusal["sender"])
    return (client, refusal["state"], *said, refusal["recipient"], refusal["helo_name"])


def _stored(row: Row) -> tuple[object, ...]:
    # later than RCPT the line names the last recipient, which nobody refused
    recipient = row["recipient"] if row["protocol_state"] == "RCPT" else None
    # header and body checks do not say where they are
    state = row["protocol_state"] or "END-OF-MESSAGE"
    said = (row["dsn"], row["reason"], row["sender"])
    client = None if row["action"] == "proxy-reject" else row["client_address"]
    return (client, state, *said, recipient, row["helo_name"])


def test_clients_that_postscreen_turned_away_are_kept(outcome: Outcome) -> None:
    """Each has a row for its connection, which says what it did wrong first."""
    told = Counter((row["client_address"], row["test"]) for row in outcome.truth["dropped"])
    dropped = outcome.find("noqueue", {"daemon": "postscreen", "action": "drop"})
    stored = Counter((row["client_address"], _test(row["reason"])) for row in dropped)
    assert told == stored, (told - stored, stored - told)


def _test(reason: str) -> str:
    """What postscreen calls a test, before 3.6 too."""
    found = re.match("[A-Z]+(?:[ -][A-Z]+)*", reason)
    assert found
    return found[0].replace("BLACKLISTED", "DENYLISTED")


def test_verdicts_that_refuse_nothing_are_kept(outcome: Outcome) -> None:
    """Hold, discard, redirect, filter, bcc and warnings are rows of noqueue, and nothing else."""
    names = ("daemon", "action", "sender", "recipient")
    told = Counter(tuple(row[name] for name in names) for row in outcome.truth["verdicts"])
    found = outcome.find("noqueue", {"refused": False})
    stored = Counter(tuple(row[name] for name in names) for row in found)
    assert told == stored, (told - stored, stored - told)


def test_what_the_sinks_answered_is_stored(outcome: Outcome) -> None:
    """For every recipient at a sink the last answer is its status, code, reason and relay."""
    wrong = []
    last = {answer["recipient"]: answer for answer in outcome.truth["sink"] if answer["answer"]}
    for recipient, answer in last.items():
        rows = outcome.find("delivery_to", {"recipient": recipient})
        rows = [r for r in rows if r["relay_port"] == answer["relay_port"] and r["status"]]
        if not any(_answered(row, answer) for row in rows):
            wrong.append((answer, [(r["status"], r["dsn"], r["reason"]) for r in rows]))
    assert not wrong, "\n".join(map(str, wrong))


STATUS = {
    "2": ("sent", "deliverable"),
    "4": ("deferred", "undeliverable"),
    "5": ("bounced", "undeliverable"),
}


def _answered(row: Row, answer: Row) -> bool:
    text = answer["answer"].replace("\n", " ")
    return (
        row["status"] in STATUS[text[0]]
        and text in row["reason"]
        and row["reply_code"] == int(text[:3])
        and row["next_queue_id"]
        == (text.rpartition("queued as ")[2] if "queued as" in text else None)
        and (row["relay_address"] in (None, answer["relay_address"]))
    )


def test_every_copy_that_arrived_is_counted(outcome: Outcome) -> None:
    """Copies per mail and recipient are exactly those in mailboxes, files and sinks."""
    arrived = Counter((copy["queue_ids"][0], copy["recipient"]) for copy in outcome.truth["landed"])
    counted: Counter[tuple[str, str]] = Counter()
    for row in outcome.tables["delivery_to"]:
        counted[row["queue_id"], row["recipient"]] += row["copies"] - _not_landed(row)
    assert arrived == +counted, (arrived - counted, counted - arrived)


def _not_landed(row: Row) -> int:
    """Copies of which nothing is left: thrown away, or handed to one of our own instances."""
    if row["daemon"] == "discard" or (row["relay_address"], row["relay_port"]) in OURS:
        return int(row["copies"])
    if row["reason"] == "delivered to file: /dev/null":
        return 1
    return int(row["daemon"] == "local" and row["next_queue_id"] is not None)


def test_the_queue_now_is_what_postqueue_lists(outcome: Outcome) -> None:
    """Mails with queued_at or held_at and no removed_at are those in the queue, and no others."""
    queued = {entry["queue_id"] for entry in outcome.truth["queue"]}
    stored = {
        mail["queue_id"]
        for mail in outcome.tables["delivery_from"]
        if (mail["queued_at"] or mail["held_at"]) and not mail["removed_at"]
    }
    # postsuper ALL names no ids; reconcile finds that out
    purged = {mail["queue_id"] for mail in outcome.find("delivery_from", {"sender": SET})
              if mail["syslog_name"] == "postfix-out" and not mail["removed_at"]}  # fmt: skip
    assert queued == stored - purged, (queued - stored, stored - queued)
    deleted = [e["count"] for e in outcome.truth["queue_events"] if e["action"] == "Deleted"]
    assert len(purged) == sum(deleted)


def test_notices_know_what_they_are_about(outcome: Outcome) -> None:
    """Every notice that arrived is a row that names the mail it is about, and its row."""
    wrong = []
    notices = [copy for copy in outcome.truth["landed"] if copy["about"]]
    assert notices
    for copy in notices:
        (mail,) = outcome.find("delivery_from", {"queue_id": copy["queue_ids"][-1]})
        (about,) = outcome.find("delivery_from", {"queue_id": copy["about"]})
        expected = {"notification_for": copy["about"], "notification_for_id": about["id"],
                    "origin": "notice", "message_id": copy["message_id"]}  # fmt: skip
        if wanting := differences(mail, expected):
            wrong.append((mail["queue_id"], wanting))
    assert not wrong, "\n".join(map(str, wrong))


def test_foretold_notices_exist(outcome: Outcome) -> None:
    """Where a step foretells a notice about a local mail, there is one, delivered."""
    for notice in outcome.truth["notices"]:
        (about,) = outcome.find("delivery_from", {"message_id": notice["message_id"]})
        (mail,) = outcome.find("delivery_from", {"notification_for": about["queue_id"]})
        assert not _compare_rows(outcome.of("delivery_to", mail), notice["recipients"])


def test_sessions_that_came_to_nothing_are_no_mails(outcome: Outcome) -> None:
    """A mail that was never completed is a row that neither claims a queue nor an end of it."""
    expected = Counter(session["client_address"] for session in outcome.truth["incomplete"])
    told = {mail["key"].get("queue_id") for mail in outcome.truth["expected"]}
    unknown = {"accepted": None, "queued_at": None, "held_at": None}
    found = outcome.find("delivery_from", unknown)
    stored = Counter(mail["client_address"] for mail in found if mail["queue_id"] not in told)
    assert stored == expected, (stored - expected, expected - stored)


def test_no_mail_is_invented(outcome: Outcome) -> None:
    """Every row is a mail that somebody knows of: sent, arrived, queued, refused or given up."""
    truth = outcome.truth
    seen = {mail["key"].get("queue_id") for mail in truth["expected"]}
    seen |= {queue_id for copy in truth["landed"] for queue_id in copy["queue_ids"]}
    seen |= {entry["queue_id"] for entry in truth["queue"]}
    foretold = [mail["key"] for mail in truth["expected"]]
    unseen = [
        (mail["queue_id"], mail["origin"], mail["sender"], mail["message_id"])
        for mail in outcome.tables["delivery_from"]
        if mail["queue_id"] not in seen
        and not any(agrees(mail, key) for key in foretold)
        and mail["origin"] != "probe"
    ]
    told = len(truth["incomplete"]) + sum(r["state"] == "DATA" for r in truth["refusals"])
    assert len(unseen) == told, "\n".join(map(str, unseen))


def test_every_address_that_was_asked_for_has_a_probe(outcome: Outcome) -> None:
    """Addresses that Postfix verified are recipients of probes, and probes ask for no others."""
    asked = {probe["recipient"] for probe in outcome.truth["probes"]}
    probes = outcome.find(
        "delivery_from", {"origin": "probe", "sender": "double-bounce@example.com"}
    )
    stored = [row["recipient"] for mail in probes for row in outcome.of("delivery_to", mail)]
    assert set(stored) == asked
    assert len(probes) == len(asked)


def test_forged_lines_make_no_rows(outcome: Outcome) -> None:
    """What nobody wrote under Postfix's name is counted, and nothing else."""
    for line in outcome.truth["forged"]:
        assert not outcome.find("delivery_from", {"queue_id": line["queue_id"]})
        assert not outcome.find("delivery_to", {"queue_id": line["queue_id"]})
    (source,) = outcome.tables["source"]
    assert source["forged"] == len(outcome.truth["forged"])


def test_bulk_changes_of_the_queue_are_kept(outcome: Outcome) -> None:
    """postsuper ALL is an event with the number of mails; changes by id are no bulk changes."""
    events = outcome.tables["queue_event"]
    bulk = [event for event in events if event["messages"] != event["named"]]
    expected = [event["count"] for event in outcome.truth["queue_events"]]
    assert [event["messages"] for event in bulk] == expected, bulk
    assert {event["syslog_name"] for event in bulk} == {"postfix-out"}
    assert {event["action"] for event in events} == {
        "Deleted", "Force-expired", "Placed on hold", "Released from hold", "Requeued",
    }  # fmt: skip


def test_logins_are_counted(outcome: Outcome) -> None:
    """Logins that real clients made count, each session once, and those that failed by their reason."""
    logins = outcome.tables["login"]
    mails = [row for row in outcome.tables["delivery_from"] if row["sasl_method"] != "XCLIENT"]
    named = {row["sasl_username"] for row in mails} - {None}
    entered = [row for row in logins if row["succeeded"]]
    without_mail = {row["sasl_username"] for row in entered} - named
    assert without_mail in ({None}, {"carol@example.com"})  # verdicts name the account since 3.10
    assert all(row["succeeded"] == 1 for row in entered)
    failed = Counter[tuple[Any, ...]]()
    for row in logins:
        if row["failed"]:
            account = row["sasl_username"] and re.sub("^~.{16}$", "~", row["sasl_username"])
            failed[row["syslog_name"], row["sasl_method"], account] += row["failed"]
    carol = "carol@example.com" if "carol@example.com" in without_mail else "~"
    assert failed == {
        ("postfix/limited", None, None): 3,
        ("postfix/saslauthd", "LOGIN", None): 1,
        ("postfix/saslauthd", "PLAIN", "dave@example.com"): 1,
        ("postfix/submission", "PLAIN", carol): 1,
        ("postfix/submissions", "NONSUCH", None): 1,
        ("postfix/submissions", "PLAIN", None): 2,
        ("postfix/submissions", "PLAIN", "bob@example.com"): 2,
    }


def test_every_statement_is_recognised(outcome: Outcome) -> None:
    """Nothing that this Postfix said is unknown to the parser."""
    unknown = [(row["daemon"], row["example"]) for row in outcome.tables["unrecognised"]]
    assert not unknown, "\n".join(map(str, unknown))


def test_catching_up_later_gives_the_same_rows(
    outcome: Outcome, server_dsn: str, template: str, live: Path, tmp_path: Path
) -> None:
    """A service that reads the journal afterwards stores what the one that followed it stored."""
    journal = outside.journal_folder(live).parent
    with fresh_database(server_dsn, template) as dsn:
        with Service(journal, dsn, tmp_path, uids()) as service:
            service.wait()
        service.check()
        for table in ("delivery_from", "delivery_to", "delivery_attempt", "noqueue"):
            assert _plain(rows(dsn, table)) == _plain(outcome.tables[table]), table


def _plain(rows: list[Row]) -> list[str]:
    """Rows without their numbers, in an order of their own."""
    numbers = {"id", "from_id", "to_id", "notification_for_id"}
    return sorted(str({k: v for k, v in row.items() if k not in numbers}) for row in rows)
