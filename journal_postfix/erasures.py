"""Who was forgotten, as a writing session knows it: older lines about him leave nothing.

Table `erasure` holds keyed hashes. A line from before an erasure is stored without the person by
the rules by which `forget` deletes: as recipient, in a verdict or as login it leaves no row; a mail
he sent loses what is his; words of him in other texts are masked. Without erasures, and for lines
newer than all of them, a batch costs one comparison.

A writer that goes on with a host reads the table anew when somebody else has changed that host's
mails (`store.lock_hosts`), which whoever adds an erasure does.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from journal_postfix.batch import Merged
from journal_postfix.copytext import limited
from journal_postfix.database import SQL, Cursor, dicts
from journal_postfix.hashing import key_of, keyed_hash
from journal_postfix.identities import domain_of, without_tag
from journal_postfix.mail import Fact, Row
from journal_postfix.people import MASK, is_account, masked
from journal_postfix.remembered import KEPT

PURPOSE = "erasure"  # of a key

#: Columns that say who sent a mail, and those with what is his in a mail that he sent.
SENDERS = ("sender", "sender_given", "sasl_sender")
HIS = (
    *SENDERS, "sasl_username", "client_name", "client_address", "client_port", "helo_name", "uid",
    "orig_client", "verp_id", "subject",
)  # fmt: skip
_PARTIES = (*SENDERS, "sasl_username", "recipient")
_UNMASKED = frozenset(("table", "queue_id", "status", "action", "daemon"))
#: Stands for a forgotten sender until the mail is put together; no log line can hold it.
_SOMEBODY = "\0forgotten"


class Erased:
    """Whoever was forgotten at a moment or later; a Matcher."""

    def __init__(self, erasures: Erasures, t: datetime) -> None:
        self._erasures = erasures
        self._t = t

    def is_address(self, addresses: Collection[str]) -> bool:
        """One of the addresses was forgotten."""
        return any(self._t <= self._erasures.of_address(one) for one in addresses)

    def is_login(self, name: str) -> bool:
        """The login name was forgotten."""
        return self._t <= self._erasures.of_login(name)


class Erasures:
    """The erasures that are known, and when the latest was."""

    def __init__(self) -> None:
        self.latest: datetime | None = None
        self._number = 0
        self._key = b""
        self._found: dict[tuple[str, str], datetime] = {}
        self.of_address = lru_cache(maxsize=4096)(self._of_address)
        self.of_login = lru_cache(maxsize=4096)(self._of_login)

    def load(self, cursor: Cursor) -> None:
        """Learn what was added since the last time."""
        cursor.execute(SQL["statements/find_erasures"], {"known": self._number})
        self.learn(cursor, dicts(cursor))

    def learn(self, cursor: Cursor, rows: Sequence[Row]) -> None:
        """Add rows of table `erasure`."""
        if rows and not self._key:
            self._key = key_of(cursor, PURPOSE) or b""
        for row in rows:
            self._number = max(self._number, row["id"])
            kinds = [row["kind"], "tagged"] if row["tags"] else [row["kind"]]
            for kind in kinds:
                key, t = (kind, row["hash"]), row["erased_at"]
                self._found[key] = max(t, self._found.get(key, t))
                self.latest = max(t, self.latest or t)
        if rows:
            self.of_address.cache_clear()
            self.of_login.cache_clear()

    def _at(self, kind: str, text: str | None) -> datetime:
        never = datetime.min.replace(tzinfo=UTC)
        if text is None:
            return never
        return self._found.get((kind, keyed_hash(self._key, text)), never)

    def _of_address(self, address: str) -> datetime:
        return max(
            self._at("address", address),
            self._at("tagged", without_tag(address)),
            self._at("domain", domain_of(address)),
        )

    def _of_login(self, name: str) -> datetime:
        return self._at("login", name.lower())

    def before(self, t: datetime) -> Erased:
        """Who was forgotten at t or later."""
        return Erased(self, t)

    # --- a batch ------------------------------------------------------------------------------

    def without(self, facts: Sequence[Fact]) -> Sequence[Fact]:
        """The facts, but nothing of who was forgotten after them."""
        latest = self.latest
        if latest is None or all(fact.t > latest for fact in facts):
            return facts
        return [
            one for fact in facts for one in (self._kept(fact) if fact.t <= latest else (fact,))
        ]

    def _kept(self, fact: Fact) -> Iterator[Fact]:
        """What is left of a fact: it whole, or the further rows it tells of, or nothing."""
        who = self.before(fact.t)
        parts = [_without(who, part) for part in fact.columns.get("also", ())]
        also = [part for part in parts if part is not None]
        columns = _without(who, {k: v for k, v in fact.columns.items() if k != "also"})
        if columns is not None:
            yield fact._replace(columns={**columns, "also": also} if also else columns)
        else:
            yield from (fact._replace(action="named", columns=part) for part in also)

    @staticmethod
    def clear(merged: Merged) -> Merged:
        """The same, without what is his in mails of whom was forgotten."""
        found = [mail for mail in merged.mails if _SOMEBODY in mail.row.values()]
        for mail in found:
            for name in HIS:
                mail.row.pop(name, None)
        if found:
            merged.noqueue = [row for row in merged.noqueue if row["mail"] not in found]
        return merged

    def state_of(self, state: str | None, t: datetime | None) -> str | None:
        """Open sessions as they are stored, without those of whom was forgotten since."""
        if state is None or t is None or self.latest is None:
            return state
        if t > self.latest + timedelta(seconds=KEPT):
            return state
        return json.dumps(self.sessions_of(json.loads(state)), separators=(",", ":"))

    def sessions_of(self, state: dict[str, Any]) -> dict[str, Any]:
        """The same, decoded."""
        return {
            kind: [
                one
                for one in sessions
                if not names(self.before(datetime.fromtimestamp(one[1]["t"], UTC)), one[1])
            ]
            for kind, sessions in state.items()
        }


def names(who: Any, value: Any) -> bool:
    """Something in a value as JSON knows it is he, or names him."""
    if isinstance(value, dict):
        return any(names(who, one) for one in value.values())
    if isinstance(value, list):
        return any(names(who, one) for one in value)
    return isinstance(value, str) and (is_account(who, value) or masked(who, value) != value)


def _without(who: Erased, row: Row) -> Row | None:
    """A row of what a line tells, without him; None where it is about him."""
    table = row["table"]
    his = any(is_account(who, row.get(name)) for name in _PARTIES)
    if his and table != "from":
        return None
    if his:
        return {"sender": _SOMEBODY, **_masked(who, {k: v for k, v in row.items() if k not in HIS})}
    plain = _masked(who, row)
    if row.get("orig_to") and who.is_login(row["orig_to"]):
        plain["orig_to"] = MASK
    return None if table == "login" and plain != row else plain


def _masked(who: Erased, row: Row) -> Row:
    return {
        name: masked(who, limited(value))
        if isinstance(value, str) and name not in _UNMASKED
        else value
        for name, value in row.items()
    }
