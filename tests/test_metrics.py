"""Figures for a monitoring system: told over HTTP by a service that runs, of what is committed."""

from __future__ import annotations

import os
import platform
import re
import signal
import socket
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from generate import Log
from journal_postfix import __version__
from journal_postfix.batch import Batch
from journal_postfix.commit import Committer
from journal_postfix.config import Config, config_from
from journal_postfix.figures import COUNTERS, GAUGES, Figures
from journal_postfix.messages import UsageError
from journal_postfix.metrics import served
from journal_postfix.writer import Source
from journals import JOURNAL_REMOTE
from live.waiting import wait_until
from test_known_truth import configured, journals, written
from test_store import NOON, batch, mail, open_writer, position, rows, run_sql

LINES = 2000

Told = dict[tuple[str, ...], float]


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def scraped(port: int, host: str = "127.0.0.1") -> Told:
    """What a scrape tells: each sample by its name, without our prefix, and its labels' values."""
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples]
    return {
        (sample.name.removeprefix("journal_postfix_"), *sample.labels.values()): sample.value
        for sample in samples
    }


def is_open(port: int) -> bool:
    """Tell whether somebody listens on a port of the loopback address."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[str]]:
    """The service as a process, ended in peace."""
    with log.open("w") as said:
        process = subprocess.Popen(command, stderr=said, text=True)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0, log.read_text()


def counted(dsn: str, statement: str) -> Any:
    """The one value of a query."""
    ((value,),) = rows(dsn, statement)
    return value


@pytest.fixture(scope="module", name="log")
def _log(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("metrics") / "log"
    (path,) = written(folder, Log(lines=LINES, hosts=1, seed=6), "iso", split=False).files
    return path


@pytest.fixture(params=["file", "journal"])
def service(
    request: pytest.FixtureRequest, dsn: str, tmp_path: Path, log: str
) -> Callable[[int], list[str]]:
    """A function that gives the command which follows the log, as a file or as a journal."""
    words, config = ["run", "--file", log], {}
    if request.param == "journal":
        if not Path(JOURNAL_REMOTE).exists():
            pytest.skip("systemd-journal-remote is missing")
        export = written(
            tmp_path / "export", Log(lines=LINES, hosts=1, seed=6), "export", split=True
        )
        folder = journals(tmp_path / "journal", export.files)
        words, config = ["run"], {"journal": {"directory": str(folder)}}
    return lambda port: [*configured(tmp_path, dsn, metrics={"address": port}, **config), *words]


#: What a service tells soon after it has read all there is.
WHOLE = {("database_size_bytes",), ("last_clean_timestamp_seconds",), ("database_up",)}


def test_figures_of_a_service(
    dsn: str, tmp_path: Path, service: Callable[[int], list[str]]
) -> None:
    """What is scraped from a running service is what stands in the tables; its port goes with it."""
    port = free_port()
    with running(service(port), tmp_path / "said"):
        wait_until(lambda: is_open(port), "the port is open")
        wait_until(lambda: read(scraped(port)) > 0.9 * LINES, "the log is read")
        wait_until(lambda: scraped(port).keys() >= WHOLE, "all threads have told")
        told = scraped(port)
    assert not is_open(port)
    assert read(told) == counted(dsn, "SELECT sum(lines) FROM source")
    for table in ("delivery_from", "delivery_to", "delivery_attempt", "noqueue"):
        assert told["rows_total", table] == counted(dsn, f"SELECT count(*) FROM {table}")
    copies = counted(dsn, "SELECT sum(copies) FROM delivery_to")
    assert told["deliveries_total", "sent"] == copies
    assert told["lines_total", "smtpd"] > told["lines_total", "cleanup"] > 0
    assert told["commits_total",] == told["commit_duration_seconds_count",] > 0
    assert told["commit_duration_seconds_bucket", "+Inf"] == told["commits_total",]
    assert 0 < told["commit_duration_seconds_sum",] < 60
    assert told["database_up",] == 1
    ((kind, name, t),) = rows(dsn, "SELECT kind, name, extract(epoch FROM t)::float8 FROM source")
    assert told["read_to_timestamp_seconds", kind, name] == pytest.approx(t)
    lag = told["last_commit_timestamp_seconds",] - t
    assert told["lag_seconds", kind, name] == pytest.approx(lag)
    assert told["database_size_bytes",] > 1e6
    assert of(told, "build_info") == {(platform.python_version(), __version__): 1}
    assert told["process_resident_memory_bytes",] > 0


def read(told: Told) -> float:
    """Lines that were read."""
    return sum(of(told, "lines_total").values())


def of(told: Told, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one name, by their labels' values."""
    return {tuple(labels): value for (one, *labels), value in told.items() if one == name}


def test_every_figure_is_documented(dsn: str) -> None:
    """docs/metrics.rst names all that may be told, and nothing else."""
    document = (Path(__file__).parent.parent / "docs" / "metrics.rst").read_text()
    names = {*(f"{name}_total" for name in COUNTERS), *GAUGES}
    names |= {"commit_duration_seconds", "build_info"}
    assert set(re.findall(r"journal_postfix_([a-z_]+)", document)) == names
    port = free_port()
    with watched(dsn, port) as committer:
        committer.commit(batch(mail("3C5D120AB1")), [position(1)])
        told = {re.sub(r"_(bucket|sum|count)$", "", name) for name, *_ in scraped(port)}
    assert {name for name in told if not name.startswith("process_")} <= names


@contextmanager
def watched(dsn: str, port: int) -> Iterator[Committer]:
    """A committer whose figures are served at a port."""
    keep = {table: {"delete": 0} for table in ("delivery", "noqueue")}
    config = config_from({"dsn": dsn, "retention": keep, "metrics": {"address": port}}, "test")
    with served(config) as watcher, open_writer(dsn) as writer:
        wait_until(lambda: is_open(port), "the port is open")
        yield Committer(writer, config, Event(), watcher=watcher)


def test_a_batch_that_is_rolled_back_counts_once(dsn: str) -> None:
    """Where the connection is lost before the commit, the second try is what is counted."""
    port = free_port()
    with watched(dsn, port) as committer:
        assert committer.commit(batch(mail("3C5D120AB1")), [position(1)])
        once = scraped(port)
        run_sql(dsn, LOSE_CONNECTION)
        assert committer.commit(batch(mail("3C5D120AB2")), [position(2)])
        told = scraped(port)
    assert counted(dsn, "SELECT count(*) FROM delivery_from") == 2
    assert told["rows_total", "delivery_from"] == 2 * once["rows_total", "delivery_from"] == 2
    assert told["commits_total",] == 2
    assert told["deliveries_total", "sent"] == 2 * once["deliveries_total", "sent"]
    assert sum(of(told, "database_errors_total").values()) == 1
    assert told["database_up",] == 1


#: The transaction that moves the position to 2 loses its connection, the first time.
LOSE_CONNECTION = """
CREATE SEQUENCE tries;
CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('tries') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER lose AFTER UPDATE ON source FOR EACH ROW
WHEN (new.position = '2') EXECUTE FUNCTION lose();
"""


def test_lag_grows_while_the_database_is_away() -> None:
    """While a commit is being tried, what is stored gets older with every look."""
    figures, lag = Figures(), ("lag_seconds", "file", "mail.log")
    figures.trying()
    source = Source(1, "file", "identity", "mail.log", "1", "", NOON, {})
    figures.committed(Batch(), [source], 0.1)
    figures.worked()
    settled = figures.gauges()
    assert figures.gauges() == settled
    figures.trying()
    figures.failed("unreachable")
    later = figures.gauges()
    assert later[lag] > settled[lag]
    assert (settled[("database_up",)], later[("database_up",)]) == (1, 0)


def test_clean_ups_are_told() -> None:
    """What retention deleted is added up by table; a clean-up that failed has no time."""
    figures = Figures()
    figures.cleaned(None)
    assert figures.counts()[("clean_failures",)] == 1
    assert ("last_clean_timestamp_seconds",) not in figures.gauges()
    steps = (("delete", 3), ("delete", 4), ("pseudonymise", 5), ("key", 1))
    figures.cleaned([{"table_name": "noqueue", "step": s, "rows": n} for s, n in steps])
    assert figures.counts()["rows_deleted", "noqueue"] == 7
    assert figures.counts()["rows_pseudonymised", "noqueue"] == 5
    assert figures.gauges()[("last_clean_timestamp_seconds",)] > 0


def test_words_of_the_log_make_no_labels(dsn: str) -> None:
    """A daemon that Postfix does not have, as anybody may write into a file, is another one."""
    port = free_port()
    with watched(dsn, port) as committer:
        told = batch([("ann@example.org", "connect from unknown[192.0.2.1]")])
        told.identifiers = Counter({"postfix/ann@example.org": 3, "postfix/submission/smtpd": 2})
        committer.commit(told, [position(1)])
        lines = of(scraped(port), "lines_total")
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read()
    assert lines == {("other",): 3, ("smtpd",): 2}
    assert b"example" not in text


def test_a_port_that_is_taken(dsn: str, tmp_path: Path, log: str) -> None:
    """Another listener on the port costs the figures, not the mail; it says so."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = configured(tmp_path, dsn, metrics={"address": f"127.0.0.1:{port}"})
        done = subprocess.run(
            [*command, "run", "--once", "--file", log],
            check=True, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert done.stderr.count(f"metrics are not served at 127.0.0.1:{port}: Address already") == 1
    assert counted(dsn, "SELECT sum(lines) FROM source") > 0.9 * LINES


def test_a_client_that_says_nothing_is_no_hindrance_at_the_end() -> None:
    """Who connects and is silent keeps the port neither from others nor from being closed."""
    port = free_port()
    with served(Config(metrics_address=("127.0.0.1", port), dsn="host=/nowhere")):
        wait_until(lambda: is_open(port), "the port is open")
        with socket.create_connection(("127.0.0.1", port)):
            assert scraped(port)["commits_total",] == 0
    assert not is_open(port)


def test_without_the_library(dsn: str, tmp_path: Path, log: str) -> None:
    """A configured address without the extra is a clear error, before anything is read."""
    (tmp_path / "prometheus_client.py").write_text("raise ImportError\n")
    done = subprocess.run(
        [*configured(tmp_path, dsn, metrics={"address": 9154}), "run", "--once", "--file", log],
        check=False, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("journal-postfix: metrics.address is set, but")
    assert "journal-postfix[prometheus]" in done.stderr
    assert counted(dsn, "SELECT count(*) FROM source") == 0


def test_nothing_is_imported_where_nobody_asks(dsn: str, tmp_path: Path, log: str) -> None:
    """Without an address the library is not even looked for."""
    (tmp_path / "prometheus_client.py").write_text("raise ImportError\n")
    subprocess.run(
        [*configured(tmp_path, dsn), "run", "--once", "--file", log],
        check=True, timeout=60, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert counted(dsn, "SELECT count(*) FROM source") == 1


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (9154, ("127.0.0.1", 9154)),
        ("9154", ("127.0.0.1", 9154)),
        ("192.0.2.1:9154", ("192.0.2.1", 9154)),
        ("[2001:db8::1]:9154", ("2001:db8::1", 9154)),
        ("mx1.example.com:1", ("mx1.example.com", 1)),
    ],
)
def test_addresses(value: object, address: tuple[str, int]) -> None:
    """A port alone is one of the loopback address."""
    assert config_from({"metrics": {"address": value}}, "main.yml").metrics_address == address


@pytest.mark.parametrize(
    "value", [0, 65536, True, "", ":9154", "192.0.2.1", "2001:db8::1:9154", "a b:1", "x:1:2", []]
)
def test_what_is_no_address(value: object) -> None:
    """Neither a port nor an address with a port: the error says what is allowed."""
    with pytest.raises(UsageError, match=r"metrics\.address must be a port .* or ADDRESS:PORT"):
        config_from({"metrics": {"address": value}}, "main.yml")


def test_ipv6() -> None:
    """An address of the other family is served too."""
    port = free_port()
    with served(Config(metrics_address=("::1", port), dsn="host=/nowhere")):
        wait_until(lambda: answers(lambda: scraped(port, "[::1]")), "it answers")


def answers(ask: Callable[[], object]) -> bool:
    """Tell whether a question finds somebody."""
    try:
        return bool(ask())
    except OSError:
        return False
