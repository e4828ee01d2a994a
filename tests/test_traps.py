"""What broke in other tools: every trap has tests here that hold it shut.

A name is that of a test, ``module::name``, or of a story of a whole mail, ``mails/name``. The
stories are told through files and journals, shuffled, cut and twice, by test_stories.py.
"""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from threading import Event
from typing import NamedTuple

import psycopg2.errors
import pytest

from journal_postfix.commit import Committer
from test_store import NOON, batch, configured, counts, mail, open_writer, position, rows, run_sql

TESTS = Path(__file__).parent


class Trap(NamedTuple):
    """What goes wrong, and the tests that it does not here."""

    what: str
    tests: tuple[str, ...]


TRAPS = {
    1: Trap(
        "after seek_cursor the first entry is that of the cursor, or the one behind it",
        (
            "test_journal::test_trap_01_reading_goes_on_behind_the_position",
            "test_journal::test_trap_01_entries_moved_to_another_file",
            "test_journal::test_trap_01_following_from_the_last_entry",
        ),
    ),
    2: Trap(
        "the cursor is no longer in the journal: on from its time, and a gap",
        (
            "test_journal::test_trap_02_entry_read_last_is_gone",
            "test_journal::test_trap_02_everything_is_gone",
            "test_journal::test_trap_02_position_that_is_no_cursor",
            "test_journal::test_trap_02_vacuumed_while_stopped",
            "test_journal::test_trap_02_vacuumed_while_reading",
            "test_losses::test_trap_02_gap_of_the_machine_it_is_in",
        ),
    ),
    3: Trap(
        "the journal was rotated: never to its tail",
        (
            "test_journal::test_trap_03_rotation_while_following",
            "test_journal::test_trap_03_rotation_and_vacuum_while_following",
            "test_journal::test_trap_03_many_rotations_unseen",
        ),
    ),
    4: Trap(
        "other programs' entries move the position too",
        (
            "test_journal::test_trap_04_position_moves_over_other_entries",
            "test_journal::test_trap_04_passed_over_entries_are_committed_seldom",
        ),
    ),
    5: Trap(
        "the position does not move where storing failed, nor on the way out",
        (
            "test_store::test_nothing_without_the_position",
            "test_store::test_connection_lost_before_the_commit",
            "test_stories::test_every_transaction_fails_once",
            "test_traps::test_trap_05_nothing_moves_on_the_way_out",
        ),
    ),
    6: Trap(
        "a torn state does not stop the service",
        (
            "test_journal::test_trap_02_position_that_is_no_cursor",
            "test_traps::test_trap_06_torn_transaction_leaves_the_state_before",
        ),
    ),
    7: Trap(
        "the clock jumps back: the journal's order counts",
        ("test_journal::test_trap_07_clock_that_jumps_back", "test_journal::test_boots"),
    ),
    8: Trap(
        "two equal lines in one second are two events",
        (
            "test_journal::test_trap_08_identical_entries_are_two_events",
            "test_logfile::test_trap_08_identical_lines_are_two_events",
            "test_spans::test_trap_08_equal_lines_stay_as_many_as_they_are",
            "mails/identical_lines",
        ),
    ),
    9: Trap(
        "a delivery after removed; a message-id twice; a queue id twice within the hour",
        (
            "mails/late_lines",
            "mails/reused_after_removed",
            "mails/reused_at_once",
            "test_traps::test_trap_09_one_message_id_of_two_mails",
        ),
    ),
    10: Trap(
        "the second recipient within a second, the last one over the others",
        (
            "mails/alias_expansion",
            "mails/mixed_results",
            "test_traps::test_trap_10_recipients_of_one_second",
        ),
    ),
    11: Trap("a content filter doubles the totals", ("mails/content_filter", "mails/before_queue_proxy")),
    12: Trap("message repeated 2 times", ("test_logfile::test_trap_12_repeated_messages", "test_collect::test_trap_12_a_repeated_message_in_a_journal",)),
    13: Trap(
        "the form of the stamps changes within a file",
        (
            "test_logfile::test_trap_13_format_changes_half_way",
            "test_logfile::test_years_of_a_file_that_changes_format",
        ),
    ),
    14: Trap(
        "more than a year without years",
        (
            "test_stamps::test_trap_14_several_years",
            "test_logfile::test_trap_14_years_are_counted_back_from_the_files_time",
        ),
    ),
    15: Trap(
        "a parser that recognises nothing says so",
        ("test_cli::test_status_fails_where_nothing_was_recognised",),
    ),
    16: Trap(
        "what a trace looks up is indexed",
        ("test_traps::test_trap_16_what_a_trace_looks_up_is_indexed",),
    ),
    17: Trap("an idle server is cleaned too", ("test_store::test_idle_server_is_cleaned_too",)),
    18: Trap(
        "rotated or emptied while stopped",
        (
            "test_logfollow::test_trap_18_rotated_while_stopped",
            "test_logfollow::test_trap_18_rotated_twice_while_stopped",
            "test_logfollow::test_trap_18_emptied_while_stopped",
            "test_logfile::test_trap_18_rotated_and_compressed_copies_are_recognised",
            "test_rotation::test_trap_18_rotations_while_the_service_is_stopped",
            "test_rotation::test_trap_18_many_rotations_in_any_way",
        ),
    ),
    19: Trap(
        "a reply that looks like a line of the log",
        (
            "test_hostile::test_nobody_changes_a_field_not_his_own",
            "test_hostile::test_the_free_text_gets_the_doubt",
            "mails/hostile_texts",
        ),
    ),
    20: Trap(
        "words that look like a queue id; ids that differ in the case of a letter",
        (
            "test_parser::test_words_that_are_no_queue_id",
            "test_traps::test_trap_20_case_of_long_queue_ids",
        ),
    ),
}  # fmt: skip


@cache
def named_tests() -> frozenset[str]:
    """Every test of ours by its name, and every story."""
    found = {f"mails/{path.stem}" for path in (TESTS / "mails").glob("*.yml")}
    for path in TESTS.glob("test_*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
        found |= {f"{path.stem}::{one.name}" for one in functions if one.name.startswith("test_")}
    return frozenset(found)


def test_every_trap_is_in_the_table() -> None:
    """None of the traps is left out."""
    assert list(TRAPS) == list(range(1, 21))


@pytest.mark.parametrize("number", TRAPS)
def test_every_trap_has_its_tests(number: int) -> None:
    """The tests that hold a trap shut are there, under these names."""
    assert TRAPS[number].tests
    assert set(TRAPS[number].tests) <= named_tests()


def test_every_test_of_a_trap_is_in_the_table() -> None:
    """A test that names a trap stands with it."""
    for name in named_tests():
        if match := re.search(r"::test_trap_(\d\d)_", name):
            assert name in TRAPS[int(match[1])].tests, name


# --- those that belong to no other place ------------------------------------------------------


def test_trap_05_nothing_moves_on_the_way_out(dsn: str) -> None:
    """A batch that ends in an error, stored but for its position, leaves everything as it was."""
    with open_writer(dsn) as writer:
        committer = Committer(writer, configured(), Event())
        assert committer.commit(batch(mail("3C5D120AB1")), [position(1)])
        run_sql(dsn, "ALTER TABLE source ADD CHECK (position <> '2')")
        with pytest.raises(psycopg2.errors.CheckViolation):
            committer.commit(batch(mail("3C5D120AB2")), [position(2)])
    assert rows(dsn, "SELECT position FROM source") == [("1",)]
    assert counts(dsn)["delivery_from"] == 1


def test_trap_06_torn_transaction_leaves_the_state_before(dsn: str) -> None:
    """A session that ends within a transaction leaves rows, position and fingerprints as before."""
    with open_writer(dsn) as writer:
        committer = Committer(writer, configured(), Event())
        committer.commit(batch(mail("3C5D120AB1")), [position(1)])
        before = rows(dsn, "SELECT position, state::text FROM source")
        told = rows(dsn, "SELECT * FROM stored_span")
        connection, _ = writer.session()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE source SET position = 'torn'; DELETE FROM stored_span")
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone() or (0,)
        rows(dsn, f"SELECT pg_terminate_backend({pid}, 10000)")
        assert rows(dsn, "SELECT position, state::text FROM source") == before
        assert rows(dsn, "SELECT * FROM stored_span") == told
        assert committer.commit(
            batch(mail("3C5D120AB2"), NOON + timedelta(minutes=5)), [position(2)]
        )
    assert rows(dsn, "SELECT position FROM source") == [("2",)]
    assert counts(dsn)["delivery_from"] == 2


def test_trap_09_one_message_id_of_two_mails(dsn: str) -> None:
    """Two mails with one message-id, as a list makes them, are two."""
    lines = [*mail("3C5D120AB1"), *mail("3C5D120AB2")]
    lines = [
        (who, re.sub(r"message-id=.*", "message-id=<1@example.org>", text)) for who, text in lines
    ]
    with open_writer(dsn) as writer:
        Committer(writer, configured(), Event()).commit(batch(lines), [position(1)])
    found = rows(dsn, "SELECT queue_id FROM delivery_from WHERE message_id = '<1@example.org>'")
    assert sorted(found) == [("3C5D120AB1",), ("3C5D120AB2",)]


def test_trap_10_recipients_of_one_second(dsn: str) -> None:
    """Recipients served in one second, with one text but for the address, have a row each."""
    record = "3C5D120AB1: to=<{}@example.net>, relay=virtual, delay=1, delays=0.1/0/0/0.9, dsn=2.0.0, status=sent (ok)"
    lines = [("virtual", record.format(name)) for name in ("ann", "bob", "carol")]
    told = batch(mail("3C5D120AB1")[:3])
    for who in lines:
        told.facts += batch([who], NOON + timedelta(seconds=9)).facts
    with open_writer(dsn) as writer:
        Committer(writer, configured(), Event()).commit(told, [position(1)])
    assert sorted(rows(dsn, "SELECT recipient, status, copies FROM delivery_to")) == [
        (f"{name}@example.net", "sent", 1) for name in ("ann", "bob", "carol")
    ]


LOOK_UPS = {
    "delivery_to_recipient": "delivery_to WHERE lower(recipient) = 'bob@example.net'",
    "delivery_to_from_id": "delivery_to WHERE from_id = 5 AND day = '2025-03-03'",
    "delivery_attempt_to_id": "delivery_attempt WHERE to_id = 5 AND day = '2025-03-03'",
    "delivery_from_sender": "delivery_from WHERE lower(sender) = 'ann@example.org'",
    "delivery_from_message_id": "delivery_from WHERE message_id = '<1@example.org>'",
    "delivery_from_queue_id": "delivery_from WHERE queue_id = '3C5D120AB1'",
    "noqueue_recipient": "noqueue WHERE lower(recipient) = 'bob@example.net'",
    "noqueue_sender": "noqueue WHERE lower(sender) = 'ann@example.org'",
}


@pytest.mark.parametrize("index", LOOK_UPS)
def test_trap_16_what_a_trace_looks_up_is_indexed(dsn: str, index: str) -> None:
    """An address, a queue id or a message-id is looked up by an index, in each partition."""
    with open_writer(dsn) as writer:
        Committer(writer, configured(), Event()).commit(batch(mail("3C5D120AB1")), [position(1)])
    run_sql(dsn, f"ALTER ROLE CURRENT_USER IN DATABASE {_database(dsn)} SET enable_seqscan = off")
    plan = "\n".join(line for (line,) in rows(dsn, f"EXPLAIN SELECT * FROM {LOOK_UPS[index]}"))
    assert "Index Cond" in plan, plan
    assert "Seq Scan" not in plan, plan


def _database(dsn: str) -> str:
    ((name,),) = rows(dsn, "SELECT current_database()")
    return str(name)


def test_trap_20_case_of_long_queue_ids(dsn: str) -> None:
    """Long queue ids that differ in the case of one letter are two mails."""
    ids = ("4dCKFD0sf8zFpTn", "4dCKFD0sf8zFpTN")
    with open_writer(dsn) as writer:
        committer = Committer(writer, configured(), Event())
        for number, queue_id in enumerate(ids, 1):
            committer.commit(batch(mail(queue_id)), [position(number)])
    assert sorted(rows(dsn, "SELECT queue_id FROM delivery_from")) == sorted((one,) for one in ids)
