"""How long rows are kept, and with names: the configuration's days as dates, at one moment.

It also knows the presets, and which numbers of days do not fit together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from journal_postfix.store import Horizon

#: Days by preset and key; what the file says itself goes before.
PRESETS: Mapping[str, Mapping[str, int]] = {
    "short": {
        "retention_delivery_pseudonymise": 3,
        "retention_delivery_delete": 7,
        "retention_noqueue_pseudonymise": 1,
        "retention_noqueue_delete": 3,
    },
    "standard": {
        "retention_delivery_pseudonymise": 7,
        "retention_delivery_delete": 30,
        "retention_noqueue_pseudonymise": 3,
        "retention_noqueue_delete": 7,
    },
    "security": {
        "retention_delivery_pseudonymise": 30,
        "retention_delivery_delete": 90,
        "retention_noqueue_pseudonymise": 30,
        "retention_noqueue_delete": 90,
    },
}

Days = Mapping[str, int]  # by domain
Firsts = Mapping[str, date]  # by domain: the first day that is kept


class Customer(NamedTuple):
    """Days for one domain; None: as for all."""

    pseudonymise: int | None = None
    delete: int | None = None

    def names_kept(self) -> int | None:
        """Days for which names stay: what others' rows keep of a mail that is deleted has none."""
        days = [one for one in (self.pseudonymise, self.delete) if one]
        return min(days) if days else None


class Periods(NamedTuple):
    """First days that are kept, and kept with names, at this moment; None: for ever."""

    deleted: Horizon
    pseudonymised: Horizon
    customers_deleted: Firsts
    customers_pseudonymised: Firsts
    keys: date | None

    def first(self, step: str, table: str) -> date | None:
        """The first day of a table to which a step is not done."""
        horizon = self.deleted if step == "delete" else self.pseudonymised
        return horizon.noqueue if table == "noqueue" else horizon.delivery

    def customers(self, step: str) -> Firsts:
        """The first day to which a step is not done, by domain."""
        return self.customers_deleted if step == "delete" else self.customers_pseudonymised


def first_kept(now: datetime, days: int | None) -> date | None:
    """The first day that is kept for so many days; None: for ever (0)."""
    return (now - timedelta(days=days)).date() if days else None


def firsts(now: datetime, days: Mapping[str, int | None]) -> Firsts:
    """The first day that is kept of each domain that has days."""
    found = {domain: first_kept(now, one) for domain, one in days.items()}
    return {domain: first for domain, first in found.items() if first is not None}


def contradictions(
    values: Days, customers: Mapping[str, Customer], forget_key_after: int
) -> Iterator[str]:
    """What does not fit together, a sentence each; values by the names of Config."""
    for table in ("delivery", "noqueue"):
        names, rows = (values[f"retention_{table}_{step}"] for step in ("pseudonymise", "delete"))
        if names and rows and names >= rows:
            yield (
                f"retention.{table}.pseudonymise ({names}) must be less than"
                f" retention.{table}.delete ({rows}), or 0"
            )
    for domain, days in customers.items():
        yield from _of_customer(f"retention.domains.{domain}", days, values)
    longest = max(values[f"retention_{table}_pseudonymise"] for table in ("delivery", "noqueue"))
    if forget_key_after and forget_key_after < longest:
        yield (
            f"retention.forget_key_after ({forget_key_after}) must be at least"
            f" the days after which is pseudonymised ({longest}), or 0"
        )


def _of_customer(where: str, days: Customer, values: Days) -> Iterator[str]:
    for step in ("pseudonymise", "delete"):
        own, general = getattr(days, step), values[f"retention_delivery_{step}"]
        if own is not None and general and not 0 < own <= general:
            yield (
                f"{where}.{step} ({own}) must be from 1 to {general}, the days of"
                f" retention.delivery.{step}: for one domain they may only be fewer"
            )
    rows = values["retention_delivery_delete"] if days.delete is None else days.delete
    if days.pseudonymise and rows and days.pseudonymise >= rows:
        yield f"{where}.pseudonymise ({days.pseudonymise}) must be less than its delete ({rows})"
