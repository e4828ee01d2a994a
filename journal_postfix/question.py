"""What is asked of `trace`: which mails, of which period. Refuses what would mean everything.

A question with a key (a literal address, a client's address, an id, a login, or what is in the
queue now) may be asked of all that is stored; any other needs a period.
"""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from journal_postfix import patterns
from journal_postfix.messages import UsageError
from journal_postfix.patterns import ANYTHING, Client, Pattern
from journal_postfix.period import Period, read_period

EVER = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)

#: Days that a mail may be older than the period in which something happened to it.
QUEUED_AT_MOST = 15

LIMIT = 20

FATES = (
    "delivered", "accepted elsewhere", "handed on", "filtered on", "waiting", "held", "returned",
    "expired", "discarded", "swallowed by filter", "deleted", "refused", "not completed",
    "vanished", "probe",
)  # fmt: skip
STATUSES = ("sent", "deferred", "bounced", "deliverable", "undeliverable", "SOFTBOUNCE")
VERDICTS = ("reject", "milter-reject", "proxy-reject", "drop")

_WORDS = {word.lower(): word for word in (*FATES, *STATUSES, *VERDICTS)}


class Question(NamedTuple):
    """Criteria that must all hold; None: not asked.

    `given`: somebody named the beginning of the period. `is_open`: only what is in the queue.
    `own`: the mail of one address, as its owner may see it.
    """

    period: Period = Period(EVER, FOREVER)
    given: bool = False
    sender: Pattern | None = None
    recipient: Pattern | None = None
    message_id: str | None = None
    queue_id: str | None = None
    client: Client | None = None
    sasl_username: Pattern | None = None
    subject: Pattern | None = None
    mta: Pattern | None = None
    status: str | None = None
    is_open: bool = False
    own: str | None = None
    probes: bool = False
    limit: int = LIMIT

    @property
    def wants_probes(self) -> bool:
        """Probes of addresses are asked for."""
        return self.probes or self.status == "probe"

    def parameters(self) -> dict[str, Any]:
        """The values of the queries that look for mails and verdicts."""
        values: dict[str, Any] = {
            "since": self.period.since,
            "until": self.period.until,
            "first": _days_before(self.period.since, QUEUED_AT_MOST),
            "last": self.period.until.date(),
            "probes": self.wants_probes,
            "message_id": self.message_id,
            "queue_id": self.queue_id,
            "status": self.status,
        }
        for name in ("sender", "recipient", "sasl_username", "subject", "mta"):
            pattern: Pattern | None = getattr(self, name)
            values |= (pattern or ANYTHING).parameters(name)
        return values | (self.client or Client(None, None)).parameters()


def _days_before(t: datetime, days: int) -> date:
    return max(t, EVER + timedelta(days=days)).date() - timedelta(days=days)


def read_question(arguments: Namespace, now: datetime, zone: tzinfo | None) -> Question:
    """The question that options ask; UsageError for one that cannot be answered."""
    question = Question(
        period=_period(arguments, now, zone),
        given=arguments.since is not None,
        sender=_address("--sender", arguments.sender, arguments),
        recipient=_address("--recipient", arguments.recipient, arguments),
        message_id=_message_id(arguments.message_id),
        queue_id=_queue_id(arguments.queue_id),
        client=_given(patterns.read_client, "--client", arguments.client),
        sasl_username=_given(patterns.read_name, "--sasl-username", arguments.sasl_username),
        subject=_given(patterns.read_part, "--subject", arguments.subject),
        mta=_given(patterns.read_host, "--mta", arguments.mta),
        status=_status(arguments.status),
        is_open=arguments.open,
        own=arguments.own,
        probes=arguments.probes,
        limit=arguments.limit,
    )
    _check(question)
    return question


def _period(arguments: Namespace, now: datetime, zone: tzinfo | None) -> Period:
    """From the first to the last that is stored, where nothing is said."""
    period = read_period(arguments.since, arguments.until, now, zone, "1970-01-01 00:00Z")
    return period if arguments.until else Period(period.since, FOREVER)


def _given(read: Any, option: str, text: str | None) -> Any:
    return None if text is None else read(option, text)


def _address(option: str, text: str | None, arguments: Namespace) -> Pattern | None:
    if text is None:
        return None
    return patterns.read_address(option, text, tags=arguments.with_tags)


def _message_id(text: str | None) -> str | None:
    if text is None:
        return None
    words = text.strip().removeprefix("<").removesuffix(">")
    if not words or "\0" in words:
        raise UsageError("--message-id is empty")
    return f"<{words}>"


def _queue_id(text: str | None) -> str | None:
    if text is None:
        return None
    words = text.strip().rstrip(":*!")  # as mailq and the log mark them
    if not words.isalnum() or not words.isascii():
        raise UsageError(f"--queue-id {text!r} is no queue id: those are letters and digits")
    return words


def _status(text: str | None) -> str | None:
    if text is None:
        return None
    word = _WORDS.get(" ".join(text.lower().replace("_", " ").split()))
    if word is None:
        raise UsageError(f"--status {text!r} is not known; there are: {', '.join(_WORDS.values())}")
    return word


def _check(question: Question) -> None:
    if question.own is not None:
        return
    criteria = (
        question.sender, question.recipient, question.message_id, question.queue_id,
        question.client, question.sasl_username, question.subject, question.mta, question.status,
    )  # fmt: skip
    if not question.is_open and all(one is None for one in criteria):
        raise UsageError(
            "trace of which mails? Give --sender, --recipient, --message-id, --queue-id, --client,"
            " --sasl-username, --subject, --status, --mta or --open"
        )
    if not question.given and not has_key(question):
        raise UsageError(
            "without one literal address, id or login a period is needed, such as --since yesterday"
        )


def has_key(question: Question) -> bool:
    """Whether an index finds the answer."""
    patterned = (question.sender, question.recipient, question.sasl_username, question.client)
    return (
        question.is_open
        or question.message_id is not None
        or question.queue_id is not None
        or any(one is not None and one.is_key for one in patterned)
    )
