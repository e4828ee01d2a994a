"""The command line: parses arguments, calls what does the work, prints.

Exit status 0: done; 1: failed, or something is wrong (`status`); 2: wrong usage or configuration.
Errors are one sentence on standard error, never a traceback.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Event
from typing import Any

from journal_postfix import (
    __version__,
    backfill,
    compression,
    doctor,
    export,
    forget,
    hourly,
    output,
    preview,
    queries,
    reconcile,
    report,
    retain,
    retention,
    roles,
    run,
    schema,
    trace,
)
from journal_postfix.ahead import look_for_garbage_seldom
from journal_postfix.collect import Debug
from journal_postfix.config import Config, load
from journal_postfix.database import PLAIN_SETTINGS, READER_SETTINGS, Error, check_dsn, connect
from journal_postfix.delivery import extract_delivery
from journal_postfix.logfile import LogFile, iter_logfile_messages
from journal_postfix.messages import InputError, MsgDetails, UsageError
from journal_postfix.parser import parse, route
from journal_postfix.progress import progress_bar
from journal_postfix.server import dsn_of
from journal_postfix.stderr import log_to_stderr
from journal_postfix.streams import leave_output, open_streams

STAGES = ("input", "parse", "extract", "store")
EPILOG = "Manual, tables and questions: see docs/ and README.rst of journal-postfix."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="journal-postfix",
        description="What became of my mail? Postfix's log, mail by mail, in PostgreSQL.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"journal-postfix {__version__}")
    parser.add_argument("--config", metavar="FILE", help="configuration (YAML)")
    parser.add_argument("--dsn", metavar="DSN", help="PostgreSQL; none: a private one is used")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say more")
    parser.add_argument(
        "--debug", metavar="STAGE,...", type=_stages, default=(), help=f"print {', '.join(STAGES)}"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (add, _) in COMMANDS.items():
        add(commands.add_parser(name, help=(add.__doc__ or "").split(".")[0], epilog=EPILOG))
    return parser


def _stages(text: str) -> tuple[str, ...]:
    stages = tuple(text.split(","))
    if not set(stages) <= set(STAGES):
        raise argparse.ArgumentTypeError(f"a stage is one of {', '.join(STAGES)}")
    return stages


def _add_stamps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--year", type=int, metavar="YYYY", help="year of the first line")
    parser.add_argument("--timezone", metavar="ZONE", help="zone of stamps without one")


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print")


def _add_run(parser: argparse.ArgumentParser) -> None:
    """Follow the journal (or a log file) and store what it tells."""
    parser.add_argument("--file", metavar="PATH", help="follow a log file; - for standard input")
    parser.add_argument("--once", action="store_true", help="catch up, then end")
    parser.add_argument("--yes", action="store_true", help="with --debug: print people's mail data")
    _add_stamps(parser)


def _add_backfill(parser: argparse.ArgumentParser) -> None:
    """Load log files."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="plain, gz, bz2, xz, zst, or -")
    _add_stamps(parser)
    parser.add_argument("--mta", metavar="NAME", help="store the lines as this host's")
    parser.add_argument(
        "--overlap-ok", action="store_true", help="files may share lines: store each line once"
    )
    parser.add_argument("--jobs", type=_jobs, default=1, metavar="N", help="load N files at once")


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("a number from 1 to 64")
    return int(text)


def _add_setup(parser: argparse.ArgumentParser) -> None:
    """Create or upgrade the tables."""
    parser.add_argument(
        "--roles", action="store_true",
        help="also make the roles of writer, reader, auditor and user (docs/access.rst)",
    )  # fmt: skip


def _add_parse(parser: argparse.ArgumentParser) -> None:
    """Print each log line as a JSON object; no database."""
    parser.add_argument("files", nargs="*", default=["-"], metavar="FILE", help="default: -")
    _add_stamps(parser)


def _add_status(parser: argparse.ArgumentParser) -> None:
    """Show sources, lag, tables, retention and what was not recognised."""
    _add_format(parser)


def _add_clean(parser: argparse.ArgumentParser) -> None:
    """Pseudonymise and delete what retention no longer keeps, now."""
    parser.add_argument("--dry-run", action="store_true", help="say what would go, change nothing")
    _add_format(parser)


def _add_reconcile(parser: argparse.ArgumentParser) -> None:
    """Compare open mails with Postfix's queue and close what is gone."""
    _add_format(parser)


# --- commands -------------------------------------------------------------------------------


def _stop_on_signals() -> Event:
    """Set by the first signal to stop; the second one ends the program wherever it is."""
    stop = Event()

    def end(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return stop


def _debug(stages: tuple[str, ...]) -> Debug | None:
    def show(stage: str, thing: object) -> None:
        if stage in stages:
            text = json.dumps(thing, default=output.plain, ensure_ascii=False)
            print(f"{stage}: {text}", file=sys.stderr)

    return show if stages else None


def _run(arguments: argparse.Namespace, config: Config) -> int:
    if arguments.debug and not arguments.yes:
        raise UsageError(
            "run --debug prints addresses, of a service into the journal, where retention does not"
            " reach them: add --yes if that is wanted"
        )
    stop = _stop_on_signals()
    how = run.How(
        file=arguments.file,
        once=arguments.once,
        year=arguments.year,
        timezone=arguments.timezone,
    )
    run.run(config, stop, how, _debug(arguments.debug))
    return 0


def _backfill(arguments: argparse.Namespace, config: Config) -> int:
    if arguments.mta:
        config = Config(**{**config.__dict__, "mta": arguments.mta})
    options = backfill.FileOptions(arguments.year, arguments.timezone, arguments.overlap_ok)
    for path in arguments.files:  # a wrong name is told before anything is loaded
        compression.check(path)
    stop = _stop_on_signals()
    with progress_bar() as show:
        loaded = backfill.backfill(
            config, arguments.files, options,
            jobs=arguments.jobs, progress=show, debug=_debug(arguments.debug), stop=stop,
        )  # fmt: skip
    for one in loaded:
        print(_told(one, config), file=sys.stderr)
    hourly.fill(dsn_of(config), config, datetime.now(UTC), at_once=True)
    if stop.is_set():
        print("stopped; the next backfill of the same files goes on here", file=sys.stderr)
        return 1
    return 0


def _told(loaded: backfill.Loaded, config: Config) -> str:
    if loaded.resumed and not loaded.lines:
        return f"{loaded.path}: loaded before, nothing new"
    words = [f"{loaded.path}: {loaded.lines} lines of Postfix"]
    if loaded.resumed:
        words[0] += " since it was last loaded"
    if loaded.unknown:
        words.append(f"{loaded.unknown} not recognised (see status)")
    if loaded.known:
        words.append(f"{loaded.known} stored before from another source")
    if loaded.too_old:
        words.append(
            f"{loaded.too_old} mails and verdicts not stored: older than retention.delivery.delete"
            f" ({config.retention_delivery_delete} days) or retention.noqueue.delete"
            f" ({config.retention_noqueue_delete} days) keep"
        )
    return ", ".join(words)


def _setup(arguments: argparse.Namespace, config: Config) -> int:
    names = roles.names_of(config)
    connection = connect(dsn_of(config), PLAIN_SETTINGS)
    try:
        renewed = schema.is_behind(connection) and roles.are_made(connection, names)
        print(schema.setup(connection))
        if arguments.roles or renewed:
            print(roles.make(connection, names))
    finally:
        connection.close()
    return 0


def _parse(arguments: argparse.Namespace, config: Config) -> int:
    options = config.extract_options()
    write = sys.stdout.write
    for path in arguments.files:
        logfile = LogFile(path)
        for _, msg in iter_logfile_messages(logfile, arguments.year, arguments.timezone):
            parsed = parse(msg, config.syslog_names)
            errors, delivery = extract_delivery(msg, parsed, options)
            line = _envelope(msg, config) | {"action": parsed["action"]} | parsed
            line |= {"delivery": delivery, "errors": errors}
            write(json.dumps(line, default=output.plain, ensure_ascii=False) + "\n")
    return 0


def _envelope(msg: MsgDetails, config: Config) -> dict[str, Any]:
    found = route(msg["identifier"], config.syslog_names)
    return {
        "t": msg["t"],
        "host": msg["host"],
        "identifier": msg["identifier"],
        "daemon": found.daemon if found else None,
        "pid": msg["pid"],
    }


def _status(arguments: argparse.Namespace, config: Config) -> int:
    connection = connect(dsn_of(config, create=False), READER_SETTINGS)
    try:
        schema.check(connection, migrate=False)
        status = queries.status(connection, config, datetime.now(UTC))
    finally:
        connection.close()
    print(output.sections(status, arguments.format), end="")
    return 1 if status["problems"] else 0


def _checked_dsn(config: Config) -> str:
    """The DSN of a database whose schema is the present one."""
    dsn = dsn_of(config, create=False)
    connection = connect(dsn, PLAIN_SETTINGS)
    try:
        schema.check(connection, migrate=False)
    finally:
        connection.close()
    return dsn


def _reconcile(arguments: argparse.Namespace, config: Config) -> int:
    dsn = _checked_dsn(config)
    compared = reconcile.reconcile(dsn, config, _stop_on_signals(), reconcile.write_mark)
    print(output.sections(compared._asdict(), arguments.format), end="")
    return 0


def _clean(arguments: argparse.Namespace, config: Config) -> int:
    dsn = _checked_dsn(config)
    if arguments.dry_run:
        cleaned = preview.preview(dsn, config, datetime.now(UTC))
    else:
        cleaned = retention.clean(dsn, config, datetime.now(UTC), at_once=True)
    print(output.formatted(cleaned, arguments.format), end="")
    if not cleaned and arguments.format == "table":
        print("nothing to delete or to pseudonymise")
    return 0


Command = Callable[[argparse.Namespace, Config], int]

COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Command]] = {
    "run": (_add_run, _run),
    "backfill": (_add_backfill, _backfill),
    "setup": (_add_setup, _setup),
    "parse": (_add_parse, _parse),
    "trace": (trace.add_options, trace.answer),
    "report": (report.add_options, report.answer),
    "export": (export.add_options, export.answer),
    "forget": (forget.add_options, forget.answer),
    "retain": (retain.add_options, retain.answer),
    "status": (_add_status, _status),
    "clean": (_add_clean, _clean),
    "reconcile": (_add_reconcile, _reconcile),
    "doctor": (doctor.add_options, doctor.answer),
}


def _run_command(arguments: argparse.Namespace) -> int:
    _check_words(arguments)
    config = load(arguments.config, arguments.dsn)
    if config.dsn is not None:
        check_dsn(config.dsn)
    status = COMMANDS[arguments.command][1](arguments, config)
    sys.stdout.flush()  # what cannot be written is told here, not at Python's end
    return status


def _complain(sentence: str) -> None:
    shown = "\n".join(map(output.visible, sentence.split("\n")))
    print(f"journal-postfix: {shown}", file=sys.stderr)


#: Options of which an empty value is most likely a variable of a shell that is not set.
_NEVER_EMPTY = ("config", "dsn", "since", "until", "mta", "timezone")


def _check_words(arguments: argparse.Namespace) -> None:
    """Raise UsageError where an option is empty that may not be, or no UTF-8 (a file name may)."""
    for name, value in vars(arguments).items():
        option = f"--{name.replace('_', '-')}"
        if value == "" and name in _NEVER_EMPTY:
            raise UsageError(f"{option} is empty")
        words = value if isinstance(value, list | tuple) else [value]
        for word in words:
            if isinstance(word, str) and name not in ("files", "file", "config"):
                _check_text(option, word)


def _check_text(option: str, word: str) -> None:
    try:
        word.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{option} {word!a} is not UTF-8") from None


SWITCH = 0.0005
"""Seconds after which a thread lets another go on: those that talk to the server need little time, soon."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    open_streams()
    arguments = _parser().parse_args(argv)
    verbose = max(arguments.verbose, arguments.command == "run")
    log_to_stderr((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])
    look_for_garbage_seldom()
    sys.setswitchinterval(SWITCH)
    try:
        return _run_command(arguments)
    except InputError as error:
        _complain(str(error))
        return 2 if isinstance(error, UsageError) else 1
    except Error as error:
        what = " ".join(str(error).split())
        _complain(f"the database refused: {what}")
        return 1
    except BrokenPipeError:  # the reader of our output has gone
        leave_output()
        return 1
    except OSError as error:
        _complain(f"{error.filename or 'input or output'}: {error.strerror or error}")
        leave_output()
        return 1
    except KeyboardInterrupt:
        return 130
