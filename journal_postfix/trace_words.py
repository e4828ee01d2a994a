"""What `trace` says: the word for each fate, the sentence to read aloud, the one thing to do.

Words only; who fills them in is trace_text. Nothing here claims more than the log tells: accepted
by another server is not in the inbox, and a notice was sent only where its own row says so.
"""

from __future__ import annotations

from typing import NamedTuple


class Said(NamedTuple):
    """The capital word, its kind in a summary, the sentence, what to do, and how pressing that is.

    Holes: host (the other side), t (when), at ("at" or "on" and when), why (the answer, as a sentence), notice (whether the
    sender was told), queue_id.
    """

    word: str
    kind: str
    sentence: str
    do: str
    rank: int


SAID: dict[str | None, Said] = {
    "delivered": Said(
        "DELIVERED", "done",
        "it was delivered here {at}.",
        "nothing; who does not see it looks in Junk and at the rules of the mailbox.", 0,
    ),
    "accepted elsewhere": Said(
        "ACCEPTED by {host}", "done",
        "{host} took it {at}; what became of it there only they can say.",
        "nothing; who does not see it asks the postmaster of {host}, with their answer above.", 1,
    ),
    "handed on": Said(
        "HANDED ON", "handed on",
        "it went on into another mail {at}, whose end is not in our log.",
        "look for the next host's log; it is not stored here.", 4,
    ),
    "filtered on": Said(
        "GIVEN TO THE FILTER", "given to a filter",
        "our filter took it {at}; that it came back is not in our log.",
        "look into the filter's own log for that time.", 5,
    ),
    "waiting": Said(
        "WAITING, not delivered", "waiting",
        "not delivered at the last try, {t}; we try again.{why}",
        "nothing, we keep trying; where the answer does not change by itself, ask the other side.", 3,
    ),
    "held": Said(
        "HELD, not delivered", "held",
        "a rule of ours or an administrator holds it back since {t}.",
        "decide: postsuper -H {queue_id} releases it, postsuper -d {queue_id} deletes it.", 9,
    ),
    "returned": Said(
        "RETURNED", "returned",
        "it cannot be delivered, and that is final since {t}.{why}{notice}",
        "read the answer: a wrong address is the sender's to correct, a block of us is ours to end.", 6,
    ),
    "expired": Said(
        "EXPIRED, given up", "returned",
        "we gave up {at}.{why}{notice}",
        "ask the other side; the sender has to send it again.", 7,
    ),
    "discarded": Said(
        "DISCARDED, nobody was told", "discarded",
        "a rule of ours threw it away {at}; neither side was told.",
        "look at the rule that discards it, if it should not.", 8,
    ),
    "swallowed by filter": Said(
        "SWALLOWED BY THE FILTER", "swallowed",
        "our filter took it {at} and never gave it back.",
        "look into the filter's log and quarantine for that time.", 8,
    ),
    "deleted": Said(
        "DELETED by the administrator", "deleted",
        "an administrator deleted it from the queue {at}; nobody was told.",
        "ask who ran postsuper then; the sender has to send it again.", 8,
    ),
    "refused": Said(
        "REFUSED", "refused",
        "we did not take it, and told the sending server so {at}.{why}",
        "read the answer: it says what the sender or our rule has to change.", 6,
    ),
    "not completed": Said(
        "NOT COMPLETED", "not completed",
        "the sending server ended before the mail was handed over; nothing came in.",
        "nothing; who misses a mail asks the sending server's postmaster.", 2,
    ),
    "vanished": Said(
        "VANISHED from the queue", "vanished",
        "it was gone from the queue {at}, and the log does not tell why.",
        "ask who emptied the queue then (postsuper -d ALL logs no ids).", 8,
    ),
    "probe": Said(
        "PROBE, no mail", "probe",
        "a test whether the address takes mail, not a mail.",
        "nothing.", 0,
    ),
    None: Said(
        "NOT KNOWN", "not known",
        "the log does not tell what became of it.",
        "look at what is missing of the log, above.", 4,
    ),
}  # fmt: skip

UNTRIED = "in our queue; that it was tried is not in the log."

#: How a step to the next mail is called.
STEPS = {
    "filter": ("filter", "{relay} on {mta} passed it, back as {next}{after}"),
    "forward": ("forwarded", "to a new mail {next} on {mta}"),
    "relay": ("sent on", "to {next_mta}, there {next}"),
    "requeue": ("requeued", "on {mta}: put into the queue again, now {next}"),
    "proxy": ("proxy", "passed on by the filter before the queue, now {next}"),
}

ORIGINS = {
    "smtp": "{mta} {service}",
    "local": "by a program on {mta} (sendmail)",
    "notice": "written by Postfix on {mta}: {notification}",
    "probe": "made by {mta} to test an address",
    "forward": "forwarded on {mta}; the mail before it is not stored",
    "requeue": "requeued on {mta}; the mail before it is not stored",
    "unknown": "{mta}; its beginning is not in the log",
}

NOTICES = {
    "sender non-delivery": "Notice of the failure",
    "sender delay": "Notice of the delay",
    "sender delivery status": "Report of the delivery",
    "postmaster non-delivery": "Copy of the failure for the postmaster",
    "postmaster delay": "Copy of the delay notice for the postmaster",
}

#: Kinds of notice that belong to a fate.
NOTICE_OF = {
    "returned": "non-delivery",
    "expired": "non-delivery",
    "waiting": "delay",
    "held": "delay",
    "delivered": "delivery status",
    "accepted elsewhere": "delivery status",
}

#: States of SMTP in which a verdict is on the text, of all recipients at once.
ON_CONTENT = ("DATA", "END-OF-MESSAGE", "EOM", "header", "body")

FOREIGN_BOUNCE = (
    'If {sender} says "it bounced", this is it: the text is in that mail, not in our log.'
)
