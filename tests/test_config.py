"""The configuration file: defaults, every kind of mistake, where values come from."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from journal_postfix.config import Config, config_from, load
from journal_postfix.keys import KEYS
from journal_postfix.messages import UsageError
from journal_postfix.periods import PRESETS

PROJECT = Path(__file__).parent.parent
PAGES = [PROJECT / "README.rst", *(PROJECT / "docs").glob("*.rst")]


def test_an_empty_file_is_all_defaults() -> None:
    """Every key may be left out."""
    assert config_from(None, "main.yml") == Config()


def test_nested_keys() -> None:
    """Sections of the file become fields."""
    tree = {
        "journal": {"directory": "/var/log/journal/remote", "trusted_uids": [0, "postfix"]},
        "retention": {"delivery": {"delete": 5}, "noqueue": {"pseudonymise": 0, "delete": 2}},
    }
    config = config_from(tree, "main.yml")
    assert config.journal_directory == "/var/log/journal/remote"
    assert config.journal_trusted_uids == (0, "postfix")
    assert (config.retention_delivery_delete, config.retention_noqueue_delete) == (5, 2)


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"dns": "x"}, ["main.yml", "unknown key dns", "dsn"]),
        ({"journal": {"folder": "x"}}, ["journal.folder", "journal.directory"]),
        ({"journal": "x"}, ["journal", "mapping"]),
        (["x"], ["mapping"]),
        ({"max_messages_per_commit": 0}, ["max_messages_per_commit", "from 1", "0"]),
        ({"max_messages_per_commit": True}, ["max_messages_per_commit"]),
        ({"max_delay_before_commit": "1s"}, ["max_delay_before_commit", "seconds"]),
        ({"store_subject": "yes please"}, ["store_subject", "true or false"]),
        ({"syslog_names": []}, ["syslog_names", "list"]),
        ({"syslog_names": "postfix"}, ["syslog_names", "list"]),
        ({"mta_names": ["mx1"]}, ["mta_names", "mapping"]),
        ({"retention": {"delivery": {"delete": -1}}}, ["retention.delivery.delete", "days"]),
        (
            {"retention": {"noqueue": {"pseudonymise": 7}}},
            ["retention.noqueue.pseudonymise (7)", "less than", "retention.noqueue.delete (7)"],
        ),
        ({"retention": {"delivery": {"pseudonymise": "a week"}}}, ["pseudonymise", "days"]),
        ({"retention": {"preset": "long"}}, ["retention.preset", "short, standard, security"]),
        (
            {"retention": {"preset": "short", "delivery": {"delete": 3}}},
            ["retention.delivery.pseudonymise (3)", "retention.delivery.delete (3)"],
        ),
        ({"retention": {"domains": ["example.org"]}}, ["retention.domains", "mapping of domains"]),
        ({"retention": {"domains": {"a@example.org": {"delete": 3}}}}, ["retention.domains"]),
        ({"retention": {"domains": {"example.org": {}}}}, ["retention.domains"]),
        ({"retention": {"domains": {"example.org": {"keep": 3}}}}, ["retention.domains"]),
        ({"retention": {"domains": {"example.org": {"delete": -3}}}}, ["retention.domains"]),
        (
            {"retention": {"domains": {"Example.org": {"delete": 31}}}},
            ["retention.domains.example.org.delete (31)", "from 1 to 30"],
        ),
        (
            {"retention": {"domains": {"example.org": {"delete": 0}}}},
            ["retention.domains.example.org.delete (0)", "from 1 to 30"],
        ),
        (
            {"retention": {"domains": {"example.org": {"pseudonymise": 5, "delete": 5}}}},
            ["retention.domains.example.org.pseudonymise (5)", "less than its delete (5)"],
        ),
        (
            {"retention": {"preset": "standard", "forget_key_after": 6}},
            ["retention.forget_key_after (6)", "at least", "(7)"],
        ),
        ({"verp_patterns": ["(unclosed"]}, ["verp_patterns"]),
        ({"verp_patterns": ["no groups"]}, ["verp_patterns", "name"]),
        ({"dsn": ""}, ["dsn"]),
    ],
)
def test_a_mistake_names_file_key_and_what_is_allowed(tree: object, words: list[str]) -> None:
    """Unknown keys and wrong values are usage errors that help."""
    with pytest.raises(UsageError) as told:
        config_from(tree, "main.yml")
    for word in words:
        assert word in str(told.value)


def test_where_values_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option wins over the environment, the environment over the file."""
    file = tmp_path / "main.yml"
    file.write_text("dsn: dbname=file\nmta: mx1.example.com\n")
    monkeypatch.delenv("JOURNAL_POSTFIX_DSN", raising=False)
    monkeypatch.setenv("JOURNAL_POSTFIX_CONFIG", str(file))
    assert (load(None).dsn, load(None).mta) == ("dbname=file", "mx1.example.com")
    monkeypatch.setenv("JOURNAL_POSTFIX_DSN", "dbname=environment")
    assert load(None).dsn == "dbname=environment"
    assert load(None, "dbname=option").dsn == "dbname=option"


@pytest.mark.parametrize("text", ["a: [", "\x00", "a: b: c"])
def test_a_file_that_is_not_yaml(tmp_path: Path, text: str) -> None:
    """A broken file is named, in one line."""
    file = tmp_path / "main.yml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"main\.yml: is not YAML") as told:
        load(str(file))
    assert "\n" not in str(told.value)


def test_horizon_counts_days_by_the_clock() -> None:
    """Retention keeps as many days as it says; 0 keeps everything."""
    config = Config(retention_delivery_delete=30, retention_noqueue_delete=0)
    horizon = config.horizon(datetime(2026, 11, 21, 0, 5, tzinfo=UTC))
    assert (horizon.delivery, horizon.noqueue) == (date(2026, 10, 22), None)


def test_host_names() -> None:
    """One host keeps one name, whatever the log calls it."""
    config = Config(mta_names={"mx1": "mx1.example.com"})
    assert (config.mta_of("mx1"), config.mta_of("mx2")) == ("mx1.example.com", "mx2")
    assert Config(mta="out").mta_of("mx1") == "out"


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda page: page.name)
def test_keys_in_the_manual_exist(page: Path) -> None:
    """No page names a key of a section that is none; what each means is made from the code."""
    sections = {key.split(".")[0] for key in KEYS if "." in key}
    named = set(re.findall(r"``([a-z_]+(?:\.[a-z_]+)+)[:`]", page.read_text()))
    keys = {name for name in named if name.split(".")[0] in sections}
    known = set(KEYS) | {key.rpartition(".")[0] for key in KEYS}
    assert keys - {"queue.conf"} <= known


def test_preset() -> None:
    """A preset gives the four numbers of days; what the file says itself goes before."""
    config = config_from({"retention": {"preset": "short", "noqueue": {"delete": 0}}}, "file.yml")
    assert (config.retention_delivery_pseudonymise, config.retention_delivery_delete) == (3, 7)
    assert (config.retention_noqueue_pseudonymise, config.retention_noqueue_delete) == (1, 0)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_are_consistent(preset: str) -> None:
    """Each preset is a configuration that is accepted, and sets all four numbers."""
    config = config_from({"retention": {"preset": preset}}, "file.yml")
    assert all(getattr(config, name) == days for name, days in PRESETS[preset].items())
    assert len(PRESETS[preset]) == 4


def test_nothing_is_pseudonymised_without_being_told() -> None:
    """Without keys, mails are deleted after 30 days and verdicts after 7, as they are until then."""
    config = config_from({}, "file.yml")
    assert (config.retention_delivery_pseudonymise, config.retention_delivery_delete) == (0, 30)
    assert (config.retention_noqueue_pseudonymise, config.retention_noqueue_delete) == (0, 7)
