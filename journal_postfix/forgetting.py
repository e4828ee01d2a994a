"""Deleting a person: which rows go, which only lose him, in portions that may be interrupted.

Rows of him as a recipient go, with their history; so do verdicts and logins of him. A mail that he
sent goes, unless others got it too: then what is his is cleared from its row and theirs stay. In all
other texts the words with him are masked. Each portion is one transaction, during which no batch is
merged, and doing it again changes nothing. Rows that `retain` keeps are left, and told.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from journal_postfix.database import SQL, Cursor
from journal_postfix.erasures import HIS, SENDERS, Erasures, names
from journal_postfix.holdings import Mail, Place, Row, Searched, load_mails
from journal_postfix.people import MASK, Matcher, is_account, masked

LOCK_TIMEOUT = "1min"  # a merge of a large batch holds its lock for longer than any table's
MOST_ROUNDS = 3  # what was stored meanwhile is looked for again

#: Texts that are no words of anybody: identifiers, and words of Postfix.
_KEPT = frozenset((
    "mta", "syslog_name", "service", "queue_id", "origin", "orig_queue_id", "next_queue_id", "daemon",
    "status", "dsn", "removed_by", "notification", "notification_for", "identity", "position",
    "digest", "kind", "sqlstate",
))  # fmt: skip

#: When a row was written, more or less: the first of these that it has.
_TIMES = ("updated_at", "t_i", "t", "t_last", "t_first", "noticed_at", "noted_at")


class Change(NamedTuple):
    """What becomes of a row: new values, or None where it goes; `where` finds it.

    `with_verdicts`: those on the mail go.
    """

    table: str
    where: Row
    values: Row | None
    with_verdicts: bool = False

    @property
    def what(self) -> tuple[str, str]:
        """What to count it as."""
        return self.table, "deleted" if self.values is None else "changed"


class Queued(NamedTuple):
    """A mail that is in the queue as far as is known: lines of it will follow."""

    mta: str
    queue_id: str
    role: str


class Tally:
    """What was, or would be, done; `until`: the day until which rows with him are retained."""

    def __init__(self) -> None:
        self.rows: Counter[tuple[str, str]] = Counter()
        self.touched: set[tuple[str, date | None]] = set()
        self.queued: dict[tuple[str, str], Queued] = {}
        self.retained = 0
        self.until: date | None = None

    def keep(self, until: date) -> None:
        """Note that rows are retained."""
        self.retained += 1
        self.until = max(until, self.until or until)


# --- what becomes of rows ---------------------------------------------------------------------


def is_sender(who: Matcher, row: Row) -> bool:
    """The mail or verdict is from him, by its sender or login."""
    return any(is_account(who, row.get(name)) for name in (*SENDERS, "sasl_username"))


def of_mail(who: Matcher, mail: Mail) -> list[Change]:
    """What becomes of a mail, its recipients and what hangs on them."""
    row = mail.row
    his = row is not None and is_sender(who, row)
    gone = [to for to in mail.tos if is_account(who, to["recipient"])]
    left = [to for to in mail.tos if to not in gone]
    changes = [Change("delivery_to", _key(to), None) for to in gone]
    changes += [one for to in left for one in _without_words(who, "delivery_to", to, {})]
    if row is None:
        return changes
    nobodys = bool(gone) and not row["sender"]
    if not left and (his or nobodys):
        return [*changes, Change("delivery_from", _key(row), None, with_verdicts=True)]
    own = dict.fromkeys((name for name in HIS if row[name] is not None), None) if his else {}
    last = _without_words(who, "delivery_from", row, own)
    return changes + [one._replace(with_verdicts=his) for one in last]


def _key(row: Row) -> Row:
    return {name: row[name] for name in ("day", "id", "mta", "queue_id") if name in row}


def _without_words(who: Matcher, table: str, row: Row, cleared: Row) -> list[Change]:
    values = {**_masked(who, row), **cleared}
    if table == "delivery_from" and cleared:
        values |= _without_client(row, values)
    return [Change(table, _key(row), values)] if values else []


def _masked(who: Matcher, row: Row) -> Row:
    """The texts of a row that change when he is masked."""
    texts = [(k, v) for k, v in row.items() if isinstance(v, str) and k not in _KEPT]
    found = {name: new for name, text in texts if (new := masked(who, text)) != text}
    orig_to = row.get("orig_to")  # of mails from this host it may have no domain
    return {**found, "orig_to": MASK} if orig_to and who.is_login(orig_to) else found


def _without_client(row: Row, values: Row) -> Row:
    """Why a mail of his was refused or held, without the client he came from."""
    client = [str(row[name]) for name in ("client_name", "client_address") if row[name]]
    found = {}
    for name in ("reason", "hold_reason"):
        text = values.get(name, row[name])
        for word in client:
            text = text and text.replace(word, MASK) if word != "unknown" else text
        if text != row[name]:
            found[name] = text
    return found


def of_row(who: Matcher, table: str, row: Row) -> Row | None:
    """New values of a row that stands alone: none where it stays as it is; None where it goes."""
    if table == "noqueue" and (is_sender(who, row) or is_account(who, row["recipient"])):
        return None
    if table == "login" and is_account(who, row["sasl_username"]):
        return None
    if table == "source":
        return _of_source(who, row)
    if table == "retained" and is_account(who, row["value"]):
        return {"value": MASK}
    values = _masked(who, row)
    return None if values and (table == "login" or "shape" in values) else values


def _of_source(who: Matcher, row: Row) -> Row:
    state = {
        kind: [one for one in sessions if not names(who, one)]
        for kind, sessions in row["state"].items()
    }
    values = _masked(who, row)
    return values if state == row["state"] else {**values, "state": json.dumps(state)}


# --- doing it ---------------------------------------------------------------------------------


class Forgetting:
    """Going through all that is stored about a person, or about all whose erasures are not done.

    Of these only what is older than the erasure.
    """

    def __init__(self, cursor: Cursor, who: Matcher | Erasures, pattern: str) -> None:
        self.cursor = cursor
        self._who = who
        self.searched = Searched(cursor, pattern)

    def _who_is_of(self, row: Row) -> Matcher:
        if not isinstance(self._who, Erasures):
            return self._who
        t = next(row[name] for name in _TIMES if row.get(name) is not None)
        return self._who.before(t)

    def count(self) -> Tally:
        """What would be done; nothing is."""
        tally = Tally()
        for keys in self.searched.mails():
            for mail in load_mails(self.cursor, keys):
                self._count_all(tally, self._of_mail(tally, mail))
        for place in self.searched.places():
            for rows in self.searched.portions(place):
                self._count_all(tally, self._of_rows(tally, place, rows))
        return tally

    def run(self, noted: Callable[[int], object]) -> Tally:
        """Do it, until nothing is left to do; `noted` is told how many rows each portion was."""
        tally = Tally()
        for _ in range(MOST_ROUNDS):
            before = tally.rows.total()
            tally.retained = 0
            for keys in self.searched.mails():
                self._do_mails(tally, keys, noted)
            for place in self.searched.places():
                self._do_rows(tally, place, noted)
            if tally.rows.total() == before:
                break
        return tally

    def _of_mail(self, tally: Tally, mail: Mail) -> list[Change]:
        row = mail.row
        who = self._who_is_of(row or mail.tos[0]) if row or mail.tos else None
        changes = of_mail(who, mail) if who else []
        if not changes or row is None:
            return changes
        if row["retained_until"] is not None:
            tally.keep(row["retained_until"])
            return []
        if row["removed_at"] is None and (row["queued_at"] or row["held_at"]):
            gone = any(one.values is None and one.table == "delivery_to" for one in changes)
            named = "recipient" if gone else "named in it"
            role = "sender" if who and is_sender(who, row) else named
            tally.queued[row["mta"], row["queue_id"]] = Queued(row["mta"], row["queue_id"], role)
        return changes

    def _of_rows(self, tally: Tally, place: Place, rows: list[Row]) -> list[Change]:
        changes = []
        for row in rows:
            values = of_row(self._who_is_of(row), place.table, row)
            if values is None or values:
                if row["retained_until"] is None:
                    changes.append(Change(place.table, {"place": row["place"]}, values))
                else:
                    tally.keep(row["retained_until"])
        return changes

    @staticmethod
    def _count_all(tally: Tally, changes: list[Change]) -> None:
        tally.rows.update(change.what for change in changes)

    def _do_mails(self, tally: Tally, keys: Any, noted: Callable[[int], object]) -> None:
        begin_change(self.cursor)
        done = 0
        for mail in load_mails(self.cursor, keys):
            for change in self._of_mail(tally, mail):
                done += self._do(tally, change)
                tally.touched.add((change.table, change.where["day"]))
        noted(done)
        self.cursor.execute("COMMIT")

    def _do_rows(self, tally: Tally, place: Place, noted: Callable[[int], object]) -> None:
        after = "(0,0)"
        while True:
            begin(self.cursor)
            rows = self.searched.rows(place, after, lock=True)
            done = 0
            for change in self._of_rows(tally, place, rows):
                done += self._do_at(tally, place, change)
                tally.touched.add((place.table, place.day))
            if rows:
                noted(done)
            self.cursor.execute("COMMIT")
            if not rows:
                return
            after = rows[-1]["place"]

    def _do(self, tally: Tally, change: Change) -> int:
        """Change or delete a mail's or a recipient's row, with what hangs on it."""
        where, table = change.where, change.table
        if change.with_verdicts:
            self._drop(tally, "noqueue", "drop_verdicts", where)
        if change.values is not None:
            what = {"table": table, "changes": _changes(change.values)}
            self.cursor.execute(
                SQL["statements/change_row"].format(**what), {**change.values, **where}
            )
            tally.rows[change.what] += self.cursor.rowcount
        elif table == "delivery_to":
            self._drop(tally, "delivery_attempt", "drop_history", where)
            self._drop(tally, table, "drop_recipient", where)
        else:
            self.cursor.execute(SQL["statements/drop_expected"], where)
            self._drop(tally, table, "drop_mail", where)
        return 1

    def _drop(self, tally: Tally, table: str, name: str, where: Row) -> None:
        self.cursor.execute(SQL[f"statements/{name}"], where)
        tally.rows[table, "deleted"] += self.cursor.rowcount
        if self.cursor.rowcount:
            tally.touched.add((table, where["day"]))

    def _do_at(self, tally: Tally, place: Place, change: Change) -> int:
        name = "drop_at" if change.values is None else "change_at"
        values = change.values or {}
        statement = SQL[f"statements/{name}"].format(
            table=f'"{place.partition}"', changes=_changes(values)
        )
        self.cursor.execute(statement, {**values, **change.where})
        tally.rows[change.what] += self.cursor.rowcount
        return self.cursor.rowcount


def _changes(values: Row) -> str:
    return ", ".join(f"{name} = %({name})s" for name in values)


def begin(cursor: Cursor) -> None:
    """Begin a transaction that waits for others only so long."""
    cursor.execute("BEGIN")
    cursor.execute(f"SET LOCAL lock_timeout TO '{LOCK_TIMEOUT}'")


def begin_change(cursor: Cursor) -> None:
    """Begin a transaction in which no batch of any host is merged."""
    begin(cursor)
    cursor.execute(SQL["statements/change_hosts"], {"mta": None})
