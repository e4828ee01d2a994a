"""What a postmaster does to a running Postfix: changes the whole queue, reloads, looks, stops."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .postfix import HOME, SECOND, command
from .truth import SET, failed, sent
from .waiting import wait_until
from .world import World


def whole_queue(w: World) -> None:
    """postsuper -h, -H, -r and -e on ALL of the second instance: no ids are logged."""
    to = w.outsider("full", "out.example")
    mail = w.send_inside(to)
    w.expect(mail, [sent(to, "smtp", SET, relay_port=10587)])
    _wait_there(w, "deferred")
    for option, action, then in (
        ("-h", "Placed on hold", "hold"),
        ("-H", "Released from hold", "deferred"),
        ("-r", "Requeued", "maildrop"),
    ):
        _all(w, option, action)
        _wait_there(w, then)
    wait_until(lambda: _picked_up(w), "pickup takes the mail")
    (waiting,) = w.second_queue.names()
    _all(w, "-e", "Force-expired")
    w.second_queue.try_again(waiting)
    w.second_queue.wait(waiting, None)
    w.expect_row(
        {"message_id": mail.message_id, "syslog_name": "postfix-out", "origin": "smtp"},
        {"removed_by": "requeued", "next_queue_id": waiting},
        [failed(to, "deferred", "4.2.2")],
    )
    w.expect_row(
        {"queue_id": waiting, "syslog_name": "postfix-out"},
        {"origin": "requeue", "expired_at": SET, "removed_by": "qmgr"},
        [failed(to, "deferred", "4.2.2", attempts=SET)],
    )


def _picked_up(w: World) -> bool:
    """Wake pickup, which would sleep for a minute; it may close the socket while it is woken."""
    words = ["postkick", "-c", str(SECOND), "public", "pickup", "W"]
    subprocess.run(words, check=False, capture_output=True)
    return list(w.second_queue.names().values()) == ["deferred"]


def _wait_there(w: World, queue: str) -> None:
    wait_until(lambda: list(w.second_queue.names().values()) == [queue], f"one mail is in {queue}")


def _all(w: World, option: str, action: str) -> None:
    w.second_queue.super(option, "ALL")
    w.truth.queue_events.append({"step": w.step, "action": action, "count": 1})


def looks_around(w: World) -> None:
    """Checks, reports, flushes and reloads, with something to complain about."""
    # what is being delivered when qmgr is reloaded waits for minutes
    wait_until(w.queue.rests, "nothing moves in the queue")
    for name, mode in (("helo", 0o664), ("clients", 0o644)):
        HOME.joinpath(name).chmod(mode)
    os.chown(HOME / "clients", 2001, 2001)
    for words in (("postfix", "check"), ("postfix", "status"),
                  ("postfix", "reload"), ("postqueue", "-p"), ("postqueue", "-s", "hub.example.com"),
                  ("postlog", "the queue was copied"),
                  ("postlog", "-p", "warn", "the disk is nearly full"),
                  ("postconf", "-e", "biff = no"), ("postsuper", "-s")):  # fmt: skip
        command(HOME, *words)
    os.chown(HOME / "clients", 0, 0)


def mistakes(w: World) -> None:
    """What users and the postmaster get wrong: unknown ids, no recipients, no rights."""
    user = w.user(0)
    for words, who in (
        (("postsuper", "-d", "nonsense"), None),
        (("postsuper", "-d", "0F0F0F0F0F"), None),
        (("postqueue", "-i", "0F0F0F0F0F"), None),
        (("postsuper", "-d", "ALL"), user),
        (("sendmail",), None),
        (("sendmail", "-t"), None),
        (("sendmail", "-f", "bad sender@", "root"), None),
        (("sendmail", "-N", "sometimes", "root"), None),
        (("postalias", "texthash:/etc/postfix/aliases"), None),
        (("postmap", "-q", "key", "nosuchtype:/etc/postfix/aliases"), None),
    ):
        subprocess.run(words, input="", text=True, check=False, capture_output=True, user=who)
    w.truth.forged.append({"step": w.step, "queue_id": None})  # what a user runs, a user writes


def stopped(w: World) -> None:
    """The second instance stops and starts; in between its queue is asked for, mail is posted."""
    command(SECOND, "postfix", "flush")
    command(SECOND, "postfix", "stop")
    for user in (None, w.user(1)):
        words = ["postqueue", "-c", str(SECOND), "-p"]
        subprocess.run(words, check=False, capture_output=True, user=user)
    w.truth.forged.append({"step": w.step, "queue_id": None})
    command(SECOND, "postfix", "start")
    wait_until(Path("/srv/queue-out/public/pickup").exists, "the second instance runs")


ALONE = (whole_queue, looks_around, mistakes, stopped)
