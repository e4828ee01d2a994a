"""Halves of mails: one row for a mail whose beginning and end came from different sources.

A file may begin or end in the middle of a mail, and files may be loaded in any order. What has
no beginning is looked for among mails of the same host and queue id that began before it and had
not ended: the two rows become one.
"""

from __future__ import annotations

from journal_postfix.batch import Merged, finish
from journal_postfix.database import SQL, Connection, Cursor, dicts
from journal_postfix.mail import Mail, Row
from journal_postfix.records import join_mails
from journal_postfix.store import Tables, stored_mail, write_rows
from journal_postfix.writer import Writer

PORTION = 1000  # pairs per transaction


def join_halves(writer: Writer) -> int:
    """Join all halves that belong together, some pairs per transaction; gives their number.

    What the writer's own sources told is looked through, and what files told since the last time.
    """
    joined = 0
    while True:
        connection, tables = writer.session()
        pairs = _join_some(connection, tables, writer)
        joined += pairs
        if not pairs:
            return joined


def _join_some(connection: Connection, tables: Tables, writer: Writer) -> int:
    joined: dict[int, int] = {}  # halves, and the mails they went into
    with connection.cursor() as cursor:
        sources = _begin(cursor, writer)
        which = {"most": PORTION, "sources": sources}
        cursor.execute(SQL["statements/find_halves"], which)
        pairs = dicts(cursor)
        for pair in pairs:
            half, mail = pair["half_id"], pair["mail_id"]
            if not {mail, half} & {*joined, *joined.values()}:
                joined[half] = mail
                _join(cursor, tables, writer, pair)
        if joined:
            moved = {"halves": list(joined), "mails": list(joined.values())}
            cursor.execute(SQL["statements/repoint_notices"], moved)
        else:
            for statement in ("close_vanished", "resolve_notices", "resolve_requeues", "joined"):
                cursor.execute(SQL[f"statements/{statement}"], {"sources": sources})
    connection.commit()
    return len(joined)


def _begin(cursor: Cursor, writer: Writer) -> list[int]:
    """Begin a transaction in which nobody else joins or merges; gives the sources to look through."""
    cursor.execute(SQL["statements/lock_joins"])
    own = [source.id for source in writer.sources.values()]
    cursor.execute(SQL["statements/unjoined"], {"own": own})  # before hosts, as for a batch
    sources = [number for (number,) in cursor.fetchall()]
    cursor.execute(SQL["statements/change_hosts"], {"mta": None})
    return sources


def _join(cursor: Cursor, tables: Tables, writer: Writer, pair: Row) -> None:
    mail = _take(cursor, pair["mail_day"], pair["mail_id"])
    half = _take(cursor, pair["half_day"], pair["half_id"])
    if mail is None or half is None:
        return
    moved, merged = join_mails(mail, half)
    finish(mail, writer.options.rules)
    old, new = half.row, mail.row
    for row in moved:
        _move(cursor, "move_attempts", old["day"], row["id"], new["day"], row["id"])
        _move(cursor, "move_recipient", old["day"], row["id"], new["day"], new["id"])
    for row, into, tried in merged:
        if tried:
            cursor.execute(SQL["statements/drop_skips"], {"day": old["day"], "id": row["id"]})
        _move(cursor, "move_attempts", old["day"], row["id"], new["day"], into["id"])
        cursor.execute(SQL["statements/drop_recipient"], {"day": old["day"], "id": row["id"]})
    _move(cursor, "move_verdicts", old["day"], old["id"], new["day"], new["id"])
    cursor.execute(SQL["statements/drop_open"], old)
    cursor.execute(SQL["statements/drop_mail"], old)
    write_rows(cursor, tables, Merged([mail], []).sorted_out(), {"": pair["source_id"]})


def _move(cursor: Cursor, statement: str, *ids: object) -> None:
    names = ("day", "id", "new_day", "new_id")
    cursor.execute(SQL[f"statements/{statement}"], dict(zip(names, ids, strict=True)))


def _take(cursor: Cursor, day: object, number: int) -> Mail | None:
    which = {"day": day, "id": number}
    cursor.execute(SQL["statements/take_mail"], which)
    rows = dicts(cursor)
    if not rows:
        return None
    mail = stored_mail({name: value for name, value in rows[0].items() if value is not None})
    cursor.execute(SQL["statements/take_recipients"], which)
    for row in dicts(cursor):
        mail.tos[row["recipient"], row["orig_to"]] = row
    return mail
