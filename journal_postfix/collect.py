"""Messages in, a batch out: the way of a line from its text to what it tells.

It ties parser and extraction together and counts what leaves no row. No input, no database.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from journal_postfix import losses
from journal_postfix.batch import Batch, Loss, Seen, Unknown
from journal_postfix.config import Config
from journal_postfix.delivery import EXTRACT
from journal_postfix.loglines import repeated
from journal_postfix.losses import LOSERS
from journal_postfix.mail import Fact
from journal_postfix.messages import MsgDetails
from journal_postfix.parser import Parsed, parse, route
from journal_postfix.session import NOTED, Sessions
from journal_postfix.shapes import masked, shape
from journal_postfix.spans import fingerprint

log = logging.getLogger("journal_postfix")

MOST_HOSTS = 10_000
SUSPICIOUS = 1000  # lines of Postfix without a recognised one: something is wrong

_TELLING = EXTRACT.keys() | NOTED  # statements that may leave a row; all others are only counted

Debug = Callable[[str, object], None]


class _Hosts(dict[str, str]):
    """What hosts are called, by the name in their lines."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def __missing__(self, host: str) -> str:
        if len(self) >= MOST_HOSTS:
            self.clear()
        self[host] = mta = self._config.mta_of(host)
        return mta


class Collector:
    """Messages in, a batch out: parse, extract, and count what leaves no row."""

    def __init__(self, config: Config, debug: Debug | None = None) -> None:
        self.config = config
        self.options = config.extract_options()
        self.names = config.syslog_names
        self.debug = debug
        self._said: list[str] | None = [] if config.metrics_address else None  # by whom, each line
        self.batch = Batch()
        self._sessions: defaultdict[str, Sessions] = defaultdict(Sessions)
        self._unknown_in_a_row: Counter[str] = Counter()
        self._suspicious: set[str] = set()
        self._last_seen: dict[str, datetime] = {}
        self._mtas = _Hosts(config)

    def resume(self, machine: str, state: Mapping[str, Any]) -> None:
        """Go on with the sessions that were open when this source was stored last."""
        self._sessions[machine] = Sessions(state)

    def take(self) -> Batch:
        """The batch so far; a new one begins."""
        batch, self.batch = self.batch, Batch()
        if self._said is not None:
            batch.identifiers = Counter(self._said)
            self._said.clear()
        batch.states = {machine: self._sessions[machine].state() for machine in batch.counts}
        for machine, counts in batch.counts.items():
            if counts.t_last is not None:
                self._last_seen[machine] = counts.t_last
        return batch.finished()

    def add(self, msg: MsgDetails) -> None:
        """Take one message in; never raises for what is in it."""
        self.batch.messages += 1
        parsed = parse(msg, self.names)
        if parsed["action"] == "unknown" and isinstance(msg["position"], str):
            times, text = repeated(msg["message"])  # sent on to the journal by who counts; files do
            msg = {**msg, "message": text}
            for _ in range(times - 1):
                self._add(msg, parse(msg, self.names))
            parsed = parse(msg, self.names)
        self._add(msg, parsed)

    def _add(self, msg: MsgDetails, parsed: Parsed) -> None:
        action = parsed["action"]
        if self.debug is not None:
            self.debug("input", msg)
            self.debug("parse", parsed)
        t = msg["t"]
        if t is None:
            return
        if action == "foreign":
            if msg["identifier"].startswith(LOSERS):
                self._note_loss(msg, t)
            return
        machine = msg.get("machine", "")
        mta = self._mtas[msg["host"]]
        counts = self.batch.counts[machine]
        if msg.get("trusted") is False:
            counts.forged += 1
            self.batch.forged.append(Seen(t, mta, machine, _fingerprint(msg, t)))
            return
        counts.saw(t, mta)
        if self._said is not None:
            self._said.append(msg["identifier"])
        if action == "unknown":
            counts.unknown += 1
            self._count_unknown(msg, t, mta)
            return
        if self._unknown_in_a_row:
            self._unknown_in_a_row.pop(machine, None)
        if action in _TELLING or self.debug is not None:
            self._extract(msg, parsed, t, mta)

    def _note_loss(self, msg: MsgDetails, t: datetime) -> None:
        loss = losses.read(msg["identifier"], msg["message"])
        if loss is not None:
            machine, mta = msg.get("machine", ""), self._mtas[msg["host"]]
            counts = self.batch.counts.get(machine)
            since = (counts and counts.t_last) or self._last_seen.get(machine)
            said = (loss.lost, loss.reason, machine, _fingerprint(msg, t))
            self.batch.losses.append(Loss(t, mta, since, *said))

    def _extract(self, msg: MsgDetails, parsed: Parsed, t: datetime, mta: str) -> None:
        action, machine = parsed["action"], msg.get("machine", "")
        extract = EXTRACT.get(action)
        columns = extract(msg, parsed, self.options) if extract is not None else None
        if action in NOTED:
            columns = self._sessions[machine].see(msg, parsed, columns)
        if self.debug is not None:
            self.debug("extract", columns)
        if columns is not None:
            syslog_name, _, daemon = msg["identifier"].rpartition("/")
            said_by = (syslog_name, daemon, action, columns, machine, msg["pid"])
            one = fingerprint(t, msg["pid"], msg["message"])
            self.batch.facts.append(Fact(t, mta, *said_by, one))

    def _count_unknown(self, msg: MsgDetails, t: datetime, mta: str) -> None:
        found = route(msg["identifier"], self.names)
        text = msg["message"]
        said = (found.daemon if found else "", shape(text), masked(text), msg.get("machine", ""))
        self.batch.unrecognised.append(Unknown(t, mta, *said, _fingerprint(msg, t)))
        self._suspect(msg.get("machine", ""))

    def _suspect(self, machine: str) -> None:
        """Warn, once for each source, that it says nothing we understand."""
        self._unknown_in_a_row[machine] += 1
        if self._unknown_in_a_row[machine] == SUSPICIOUS and machine not in self._suspicious:
            self._suspicious.add(machine)
            log.warning("%d lines of Postfix in a row were not recognised; see status", SUSPICIOUS)


def _fingerprint(msg: MsgDetails, t: datetime) -> int:
    return fingerprint(t, msg["pid"], msg["message"])
