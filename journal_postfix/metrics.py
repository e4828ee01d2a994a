"""What `run` tells a monitoring system: its figures over HTTP; the only importer of Prometheus.

A port that is taken is no reason not to run: it is waited for, and said once.

Bugs: requests are answered one after the other; who is slow is waited for a few seconds.
"""

from __future__ import annotations

import logging
import os
import platform
import select
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from threading import Event, Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from journal_postfix import __version__
from journal_postfix.commit import SILENT, Watcher
from journal_postfix.config import Config
from journal_postfix.database import READER_SETTINGS, Error, connect
from journal_postfix.figures import BUCKETS, COUNTERS, GAUGES, Figures, Key, Metric
from journal_postfix.messages import InputError, UsageError
from journal_postfix.queries import ask
from journal_postfix.server import dsn_of

log = logging.getLogger("journal_postfix")

PREFIX = "journal_postfix"
ASK_EVERY = 60.0  # seconds between two looks into the database
BIND_EVERY = 30.0  # seconds between two tries to have the port
SLOWEST = 5  # seconds for which a request is waited for


class Exposed:
    """The figures as the client library wants them: asked at each scrape."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Any]:
        """Yield every metric."""
        from prometheus_client import core  # noqa: PLC0415 - an extra

        yield from _families(core.CounterMetricFamily, COUNTERS, self._figures.counts())
        yield from _families(core.GaugeMetricFamily, GAUGES, self._figures.gauges())
        reached, seconds = self._figures.commit_times()
        most = [*map(str, BUCKETS), "+Inf"]
        times = core.HistogramMetricFamily(
            f"{PREFIX}_commit_duration_seconds", "Time that commits took, waiting excluded."
        )
        times.add_metric([], list(zip(most, reached, strict=True)), seconds)
        yield times
        build = core.InfoMetricFamily(f"{PREFIX}_build", "What runs here.")
        build.add_metric([], {"version": __version__, "python": platform.python_version()})
        yield build


def _families(
    kind: Callable[..., Any], metrics: Mapping[str, Metric], values: Mapping[Key, float]
) -> Iterator[Any]:
    families = {
        name: kind(f"{PREFIX}_{name}", metric.says, labels=metric.labels)
        for name, metric in metrics.items()
    }
    for (name, *labels), value in sorted(values.items()):
        families[name].add_metric(labels, value)
    yield from families.values()


def application(figures: Figures) -> Any:
    """The WSGI application that tells the figures; UsageError without the client library."""
    try:
        import prometheus_client  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError(
            "metrics.address is set, but the Python package prometheus-client is missing"
            " (pip install 'journal-postfix[prometheus]')"
        ) from None
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.ProcessCollector(registry=registry)
    registry.register(Exposed(figures))
    return prometheus_client.make_wsgi_app(registry)


# --- HTTP ----------------------------------------------------------------------------------------


class _Handler(WSGIRequestHandler):
    """One request; says nothing of it."""

    timeout = SLOWEST

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        log.debug("metrics: %s", format % args)


class _Server(WSGIServer):
    """A server of either family that asks no name server who it is, and fails quietly."""

    timeout = 0  # whether there is a request was found out before

    def __init__(self, host: str, port: int) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, _, _, _, address = found[0]
        super().__init__(address, _Handler)  # type: ignore[arg-type]  # IPv6 has four parts

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "localhost", self.socket.getsockname()[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("metrics: a request of %s failed", client_address)


class _Door:
    """A thread that serves an application until closed; waits for its port where it is taken."""

    def __init__(self, address: tuple[str, int], app: Any) -> None:
        self._address = address
        self.where = "{}:{}".format(*address)
        self._app = app
        self._closed, self._close = os.pipe()
        self._thread = Thread(target=self._serve, daemon=True, name="metrics")
        self._thread.start()

    def close(self) -> None:
        """Serve no more; the port is free."""
        os.write(self._close, b"\0")
        self._thread.join(SLOWEST + 1)
        os.close(self._close)

    def _serve(self) -> None:
        said = ""
        while text := self._failure():
            if text != said:
                log.warning("metrics are not served at %s: %s; it is tried again", self.where, text)
            said = text
            if self._waited(BIND_EVERY):
                return

    def _failure(self) -> str:
        """Serve until closed; tells why where that is not possible."""
        try:
            with _Server(*self._address) as server:
                self._answer(server)
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _answer(self, server: _Server) -> None:
        server.set_app(self._app)
        log.info("metrics are served at http://%s/metrics", self.where)
        while not self._waited(None, server.fileno()):
            server.handle_request()

    def _waited(self, seconds: float | None, *descriptors: int) -> bool:
        """Wait for one of the descriptors; tell whether to end."""
        poll = select.poll()
        for descriptor in (self._closed, *descriptors):
            poll.register(descriptor, select.POLLIN)
        ready = poll.poll(None if seconds is None else seconds * 1000)
        return self._closed in (descriptor for descriptor, _ in ready)


def ask_regularly(dsn: Callable[[], str], figures: Figures, stop: Event) -> None:
    """Ask the database what only it knows, now and then, until stopped."""
    while True:
        try:
            figures.asked(_answers(dsn()))
        except (InputError, Error) as error:
            log.debug("metrics: %s", error)
            figures.asked({})
        if stop.wait(ASK_EVERY):
            return


def _answers(dsn: str) -> dict[Key, float]:
    with closing(connect(dsn, READER_SETTINGS)) as connection:
        answers = ask(connection, "metrics")
    return {tuple(row["key"]): float(row["value"]) for row in answers}


@contextmanager
def served(config: Config) -> Iterator[Watcher]:
    """Give who is to be told of commits; its figures are served meanwhile, where configured.

    Raises UsageError where they are to be and cannot. A port that is taken is no error: mail data
    comes first.
    """
    if config.metrics_address is None:
        yield SILENT
        return
    figures, stop = Figures(), Event()
    asked = (partial(dsn_of, config, create=False), figures, stop)
    with closing(_Door(config.metrics_address, application(figures))):
        Thread(target=ask_regularly, args=asked, daemon=True, name="figures").start()
        try:
            yield figures
        finally:
            stop.set()
