"""Every key of the configuration against every kind of value: taken, or refused with its name."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal_postfix.config import Config, config_from
from journal_postfix.keys import KEYS
from journal_postfix.messages import UsageError

VALUES: dict[str, Any] = {
    "true": True, "a negative number": -1, "zero": 0, "a fraction": 0.5, "a huge number": 10**12,
    "not a number": float("nan"), "infinity": float("inf"), "an empty text": "", "a text": "x y",
    "a text with NUL": "x\0y", "a date": date(2026, 11, 21), "bytes": b"x", "an empty list": [],
    "a list of numbers": [1], "a list of lists": [[]], "a list of nothing": [None],
    "a list of empty texts": [""], "a list of patterns": ["("], "a mapping": {"x": "y"},
    "a mapping of lists": {"x": []}, "a mapping of nothing": {"x": None},
    "a mapping with numbers for names": {1: 2},
}  # fmt: skip

#: What YAML may make of a file.
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def tree(key: str, value: Any) -> dict[str, Any]:
    """A file with this one key."""
    *sections, name = key.split(".")
    found = {name: value}
    for section in reversed(sections):
        found = {section: found}
    return found


def tried(key: str, value: Any) -> UsageError | None:
    """How a value is refused, None where it is taken; any other error is the test's."""
    try:
        config_from(tree(key, value), "main.yml")
    except UsageError as error:
        return error
    return None


@pytest.mark.parametrize("key", KEYS)
def test_a_wrong_value_is_refused_by_name(key: str) -> None:
    """Each key refuses some of these values; the error names file, key and what is allowed."""
    errors = {what: tried(key, value) for what, value in VALUES.items()}
    refused = {what: str(error) for what, error in errors.items() if error is not None}
    assert len(refused) >= len(VALUES) / 2
    for what, error in refused.items():
        assert "main.yml" in error, what
        assert key.rpartition(".")[0] in error, what
        assert "\n" not in error, what
    expected = f"main.yml: {key} must be {KEYS[key].allowed}, not "
    told = [error for error in refused.values() if error.startswith(expected)]
    assert len(told) >= len(refused) / 2, refused


@pytest.mark.parametrize("key", KEYS)
@given(value=ANYTHING)
def test_whatever_the_value_no_other_error(key: str, value: Any) -> None:
    """No value makes the check itself fail."""
    tried(key, value)


@pytest.mark.parametrize("key", KEYS)
def test_a_misspelt_key_is_named(key: str) -> None:
    """An unknown key is named, with those there are."""
    error = str(tried(f"{key}x", 1))
    assert f"main.yml: unknown key {key}x" in error
    assert key in error.partition("allowed: ")[2]


def test_keys_are_the_fields() -> None:
    """Each key has a field of Config, each field a key, and each key says what it is for."""
    assert {key.replace(".", "_") for key in KEYS} == {field.name for field in fields(Config)}
    assert all(key.allowed and key.purpose for key in KEYS.values())
    assert len({key.purpose for key in KEYS.values()}) >= len(KEYS) - 2
