"""Mail that waits: deferred, tried again, held, released, requeued, expired, deleted.

What still waits in the end is tried once more, by ``all_tried_again``.
"""

from __future__ import annotations

import time

from .postfix import sendmail
from .truth import SET, failed, sent
from .waiting import wait_until
from .world import World


def tried_again(w: World) -> None:
    """Greylisted by the other side; taken at the second attempt."""
    to = w.outsider("grey", "example.org")
    mail = w.send_inside(to)
    w.queue.wait(mail.queue_id, "deferred")
    w.queue.try_again(mail.queue_id)
    w.queue.wait(mail.queue_id, None)
    w.expect(mail, [sent(to, "smtp", SET, attempts=2, relay_name="mx1.example.org")])


def some_now_some_later(w: World) -> None:
    """One recipient taken at once, one at the second attempt, one never."""
    now, later, never = (w.outsider(name, "example.org") for name in ("dora", "retry", "full"))
    mail = w.send_inside(now, later, never)
    w.queue.wait(mail.queue_id, "deferred")
    w.queue.try_again(mail.queue_id)
    # two mail exchangers, two attempts
    wait_until(lambda: w.sink.asked[never] == 4, "second attempt")
    w.queue.wait(mail.queue_id, "deferred")
    w.expect(
        mail,
        [
            sent(now, "smtp", SET),
            sent(later, "smtp", SET, attempts=2),
            failed(never, "deferred", "4.2.2", attempts=3, reply_code=452),
        ],
        removed_at=None,
    )


def nobody_answers(w: World) -> None:
    """The server is down: the first mail is an attempt, the second is not even tried."""
    first = w.outsider("dora", "down.example")
    mail = w.send_inside(first)
    w.queue.wait(mail.queue_id, "deferred")
    w.expect(mail, [failed(first, "deferred", "4.4.1", relay="none", attempts=SET,
                           relay_name="mx.down.example", relay_port=25)])  # fmt: skip


def refused_by_host(w: World) -> None:
    """Servers that are busy, that refuse the sender, that hang up, and a domain without mail."""
    busy, hangup = (w.outsider("dora", f"{name}.example") for name in ("busy", "hangup"))
    strict, nomail, nowhere = (
        w.outsider("dora", domain)
        for domain in ("strict.example", "nomail.example", "nodomain.invalid")
    )
    mail = w.send_inside(busy, hangup, strict, nomail, nowhere)
    w.queue.wait(mail.queue_id, "deferred")
    w.expect(
        mail,
        [
            failed(busy, "deferred", SET, attempts=SET),
            failed(hangup, "deferred", SET, attempts=SET),
            failed(strict, "bounced", "5.7.1", reply_code=550),
            failed(nomail, "bounced", "5.1.0", relay="none"),
            failed(nowhere, "bounced", "5.4.4", relay="none"),
        ],
    )


def late_refusal(w: World) -> None:
    """Refused, deferred or cut off after the text; a reply that imitates a log line."""
    overload, cut = (w.outsider(name, "example.org") for name in ("overload", "cut"))
    for to, dsn in ((overload, "4.3.0"), (cut, "4.4.2")):
        mail = w.send_inside(to)
        w.queue.wait(mail.queue_id, "deferred")
        w.expect(mail, [failed(to, "deferred", dsn, attempts=2)])
    virus, liar, bare, moved = (
        w.outsider(name, "example.org") for name in ("virus", "liar", "bare", "moved")
    )
    for to, dsn in ((virus, "5.7.1"), (liar, "5.1.1"), (bare, "5.0.0"), (moved, "5.1.6")):
        mail = w.send_inside(to)
        w.expect(mail, [failed(to, "bounced", dsn, relay_name="mx1.example.org")])


def no_notice(w: World) -> None:
    """A bounce of a mail from <> has no notice."""
    to = w.outsider("unknown", "example.org")
    client = w.client("laptop.example.com")
    mail = w.send(to, sender="", client=client)
    w.end(client)
    w.expect(mail, [failed(to, "bounced", "5.1.1")], sender="")


def missing_transport(w: World) -> None:
    """A transport that master.cf does not know: nothing is tried."""
    to = w.outsider("dora", "broken.example.com")
    mail = w.send(to)
    w.queue.wait(mail.queue_id, "deferred")
    w.expect(mail, [failed(to, "deferred", SET, attempts=0, skipped=SET)])


def held_and_released(w: World) -> None:
    """postsuper -h on a waiting mail, and -H."""
    to = w.outsider("retry", "example.org")
    mail = w.send_inside(to)
    w.queue.wait(mail.queue_id, "deferred")
    w.queue.super("-h", mail.queue_id)
    w.queue.wait(mail.queue_id, "hold")
    w.queue.super("-H", mail.queue_id)
    w.queue.wait(mail.queue_id, "deferred")
    w.queue.try_again(mail.queue_id)
    w.queue.wait(mail.queue_id, None)
    w.expect(mail, [sent(to, "smtp", SET, attempts=2)], held_at=SET, released_at=SET,
             removed_by="qmgr")  # fmt: skip


def held(w: World) -> None:
    """postsuper -h, and it stays."""
    to = w.outsider("full", "example.org")
    mail = w.send_inside(to)
    w.queue.wait(mail.queue_id, "deferred")
    w.queue.super("-h", mail.queue_id)
    w.expect(mail, [failed(to, "deferred", "4.2.2")], held_at=SET, released_at=None,
             removed_at=None)  # fmt: skip


def requeued(w: World) -> None:
    """postsuper -r gives the mail a new queue id."""
    to = w.outsider("retry", "example.org")
    mail = w.send_inside(to)
    w.queue.wait(mail.queue_id, "deferred")
    w.queue.super("-r", mail.queue_id)
    # pickup looks only once a minute, or when a new mail comes
    sendmail(None, ["-f", "", w.address(1)], "Subject: wake up\n\n")
    w.queue.wait(mail.queue_id, None)
    w.expect(mail, [failed(to, "deferred", "4.7.1")], removed_by="requeued", removed_at=SET,
             next_queue_id=SET)  # fmt: skip
    w.expect_row(
        {"orig_queue_id": mail.queue_id, "origin": "requeue"},
        {"sender": mail.sender, "message_id": mail.message_id, "is_submission": False},
        [sent(to, "smtp", SET)],
    )


def expired(w: World) -> None:
    """postsuper -e: given up for the recipient who still waits, not for the one who has it."""
    now, never = w.outsider("dora", "example.org"), w.outsider("full", "example.org")
    mail = w.send_inside(now, never)
    w.queue.wait(mail.queue_id, "deferred")
    w.queue.super("-e", mail.queue_id)
    w.queue.try_again(mail.queue_id)
    w.queue.wait(mail.queue_id, None)
    w.expect(
        mail,
        [sent(now, "smtp", SET), failed(never, "deferred", "4.2.2", attempts=SET)],
        expired_at=SET,
    )


def deleted(w: World) -> None:
    """postsuper -d on a waiting mail."""
    to = w.outsider("full", "example.org")
    mail = w.send_inside(to)
    w.queue.wait(mail.queue_id, "deferred")
    w.queue.super("-d", mail.queue_id)
    w.expect(mail, [failed(to, "deferred", "4.2.2")], removed_at=SET, removed_by="postsuper")


def delayed(w: World) -> None:
    """Waiting in the second instance for longer than two seconds: the sender gets a notice."""
    to = w.outsider("full", "out.example")
    mail = w.send_inside(to)
    w.expect(mail, [sent(to, "smtp", SET, relay_port=10587)])
    there = _deferred_there(w, to)
    time.sleep(2.5)
    w.second_queue.try_again(there)
    wait_until(lambda: w.sink.asked[to] == 2, "second attempt")
    w.second_queue.wait(there, "deferred")
    w.second_queue.super("-d", there)
    w.expect_row(
        {"notification_for": there},
        {"origin": "notice", "notification": "sender delay", "sender": ""},
        [sent(mail.sender, "smtp", SET)],
    )
    w.expect_row(
        {"queue_id": there, "message_id": mail.message_id},
        {"queued_at": SET, "removed_by": "postsuper"},
        [failed(to, "deferred", "4.2.2", attempts=SET)],
    )


def too_old(w: World) -> None:
    """Waiting there for too long: returned to the sender."""
    to = w.outsider("full", "out.example")
    mail = w.send_inside(to)
    w.expect(mail, [sent(to, "smtp", SET, relay_port=10587)])
    there = _deferred_there(w, to)
    time.sleep(6.5)
    w.second_queue.try_again(there)
    w.second_queue.wait(there, None)
    w.expect_row(
        {"queue_id": there, "message_id": mail.message_id},
        {"expired_at": SET, "removed_by": "qmgr"},
        [failed(to, "deferred", "4.2.2", attempts=SET)],
    )


def _deferred_there(w: World, recipient: str) -> str:
    """The queue id of a mail that waits in the second instance."""

    def waiting() -> list[str]:
        return [
            entry["queue_id"]
            for entry in w.second_queue.entries()
            if entry["queue_name"] == "deferred" and entry["recipients"][0]["address"] == recipient
        ]

    wait_until(waiting, f"{recipient} waits in the second instance")
    return waiting()[0]


def unspoken(w: World) -> None:
    """A name server that fails, a server too old for UTF-8, one for which the mail is too big."""
    nowhere, old, small = (
        w.outsider("dora", domain)
        for domain in ("speechless.example", "old.example", "small.example")
    )
    mail = w.send_inside(nowhere, headers="X-Noted-Outside: yes\n")
    w.queue.wait(mail.queue_id, "deferred")
    w.expect(mail, [failed(nowhere, "deferred", "4.4.3", attempts=SET, relay="none")])
    mail = w.send_inside(old, headers="X-Noted-Outside: yes\n")
    w.expect(mail, [sent(old, "smtp", SET, relay_name="mx.old.example")])
    odd = w.outsider("jörg", "old.example")
    mail = w.send_inside(odd, mail_options=" SMTPUTF8")
    w.expect(mail, [failed(odd, "bounced", "5.6.7", relay_name="mx.old.example")])
    mail = w.send_inside(small, body="far too long " * 70)
    w.expect(mail, [failed(small, "bounced", "5.3.4", relay_name="mx.small.example")])


def all_tried_again(w: World) -> None:
    """postqueue -f: everything once more."""
    if w.round == 0:
        w.queue.try_all_again()


def all_deleted(w: World) -> None:
    """postsuper -d ALL on the second instance: no ids are logged."""
    to = w.outsider("full", "out.example")
    mail = w.send_inside(to)
    w.expect(mail, [sent(to, "smtp", SET, relay_port=10587)])
    wait_until(lambda: "deferred" in w.second_queue.names().values(), "deferred there")
    w.second_queue.super("-d", "ALL")
    w.expect_row(
        {"message_id": mail.message_id, "syslog_name": "postfix-out"},
        {"removed_at": None, "queued_at": SET},
        [failed(to, "deferred", "4.2.2")],
    )
    w.truth.queue_events.append({"step": w.step, "action": "Deleted", "count": 1})


STEPS = (
    tried_again, some_now_some_later, nobody_answers, refused_by_host, late_refusal, no_notice,
    missing_transport, held_and_released, held, requeued, expired, deleted, delayed, too_old,
    unspoken,
)  # fmt: skip
ALONE = (all_tried_again, all_deleted)
