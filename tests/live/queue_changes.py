"""Mails that leave Postfix's queue without a line, and a comparison while Postfix works.

Usage: ``python -m live.queue_changes FOLDER DSN``, inside the namespaces: starts everything, has
``run`` follow the journal into the database, fills the queues, deletes behind the log's back,
compares, and writes what the programs said to ``FOLDER/told.json``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg2

import journal_postfix

from . import isolation, journald, postfix
from .waiting import wait_until

KEPT, HELD, NAMED = "kept@example.net", "held@example.net", "named@example.net"
GONE = [f"gone{number}@example.net" for number in range(5)]
SILENCE = 7.0  # seconds without a line before a mail is believed to be gone
CONFIGURATION = "/etc/journal-postfix.yml"
JUST_ASK = (
    "from journal_postfix.postqueue import *\n"
    "try: print(sum(1 for i in instances() for _ in listing(i)))\n"
    "except InputError as error: print(type(error).__name__, error)\n"
)


def main(folder: str, dsn: str) -> int:
    """Run everything; 0 if it went as planned."""
    root = Path(folder)
    isolation.prepare(root)
    journal = journald.start()
    postfix.start()
    for setting in ("multi_instance_enable = yes", "multi_instance_directories = /etc/postfix-out"):
        isolation.run("postconf", "-e", setting)
    keys = {"max_delay_before_commit": 0.2, "queue": {"check_interval": 0}}
    Path(CONFIGURATION).write_text(json.dumps({"dsn": dsn, **keys}))
    service = subprocess.Popen(_ours("run"))
    try:
        told = _scene(dsn)
    finally:
        service.terminate()
        service.wait(30)
        postfix.stop()
        journal.terminate()
        journal.wait()
    (root / "told.json").write_text(json.dumps(told))
    return 0


def _ours(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "journal_postfix", "--config", CONFIGURATION, *arguments]


def _scene(dsn: str) -> dict[str, Any]:
    queue = postfix.Queue()
    recipients = [KEPT, HELD, NAMED, *GONE]
    for recipient in recipients:
        _send(recipient)
    ids = _waiting(queue, recipients)
    _wait_for_rows(dsn, len(recipients))
    queue.super("-h", ids[HELD])
    queue.super("-d", ids[NAMED])
    queue.super("-h", ids[KEPT])  # out of the way of ALL
    isolation.run("postsuper", "-d", "ALL", "deferred")  # no line names them
    queue.super("-H", ids[KEPT])
    time.sleep(SILENCE)
    told: dict[str, Any] = {"ids": ids, "asked": _asked()}
    told["compared"] = json.loads(_busy(_ours("reconcile", "--format", "json")))
    told["again"] = json.loads(_busy(_ours("reconcile", "--format", "json")))
    told["queue"] = sorted(queue.names())
    return told


def _send(recipient: str) -> None:
    postfix.sendmail(None, ["-f", "ann@example.com", recipient], f"Subject: {recipient}\n\nHello\n")


def _waiting(queue: postfix.Queue, recipients: list[str]) -> dict[str, str]:
    """Wait until all wait in the queue; their queue ids."""
    found: dict[str, str] = {}

    def all_wait() -> bool:
        for entry in queue.entries():
            if entry["queue_name"] == "deferred":
                found[entry["recipients"][0]["address"]] = entry["queue_id"]
        return found.keys() == set(recipients)

    wait_until(all_wait, "all mails wait")
    return found


def _wait_for_rows(dsn: str, count: int) -> None:
    query = "SELECT count(*) FROM delivery WHERE status = 'deferred'"

    def are_there() -> bool:
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone() == (count,)

    wait_until(are_there, "all mails are stored")


def _busy(command: list[str]) -> str:
    """What a command prints while mails come in now and then: an idle log moves on slowly."""
    done = Event()

    def send() -> None:
        while not done.wait(1.0):
            _send("root@localhost")

    sender = Thread(target=send)
    sender.start()
    try:
        return isolation.run(*command)
    finally:
        done.set()
        sender.join()


def _asked() -> dict[str, str]:
    """What comes of asking for the queue as root, as a user, without setgid, and as one who may not."""
    # where everybody may read it: this project may lie in somebody's home
    shutil.copytree(Path(journal_postfix.__file__).parent, "/srv/asking/journal_postfix")
    ask = ["env", "PYTHONPATH=/srv/asking", "/usr/bin/python3", "-c", JUST_ASK]
    user = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
    group = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--groups", "postdrop"]
    told = {
        "root": isolation.run(*ask),
        "user": isolation.run(*user, *ask),
        "no new privileges": isolation.run(*user, "--no-new-privs", *ask),
        "group postdrop": isolation.run(*group, "--no-new-privs", *ask),
    }
    for home in postfix.SETTINGS:
        isolation.run("postconf", "-c", str(home), "-e", "authorized_mailq_users = root")
    told["forbidden"] = isolation.run(*user, *ask)
    return told


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
