"""The roles: each can do its work with the real commands, and nothing beside it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psycopg2
import pytest
from psycopg2.extensions import make_dsn, quote_ident

from conftest import execute
from journal_postfix import personal
from journal_postfix.config import Config, config_from
from journal_postfix.database import PLAIN_SETTINGS, SQL, connect
from journal_postfix.messages import InputError, UsageError
from journal_postfix.roles import make, names_of
from journal_postfix.schema import setup
from test_cli import LINES, call, refused
from test_closing import QID, WAITS
from test_reconcile import OTHER, Postfix, compare, postfix
from test_reconcile import log as log_mails
from test_reconcile import named as waiting
from test_store import rows, run_sql

__all__ = ["postfix"]  # a fixture

DENIED = "42501"
LATER = LINES.replace("Nov 20", "Nov 25").replace("3C5D120ABF", "3C5D120ABE")
ANN = ("trace", "--sender", "ann@example.net")


class Logins(NamedTuple):
    """A DSN for a login of each role, and the roles themselves."""

    writer: str
    reader: str
    auditor: str
    user: str
    names: dict[str, str]
    admin: str


def quoted(dsn: str, name: str) -> str:
    """A role's name as SQL wants it."""
    with closing(psycopg2.connect(dsn)) as connection:
        return quote_ident(name, connection)


def drop(dsn: str, *names: str) -> None:
    """Drop roles, with all that they have in this database."""
    there = {name for (name,) in rows(dsn, "SELECT rolname FROM pg_roles")}
    for name in names:
        if name in there:
            execute(dsn, f"DROP OWNED BY {quoted(dsn, name)} CASCADE")
            execute(dsn, f"DROP ROLE {quoted(dsn, name)}")


def make_roles(dsn: str, names: dict[str, str]) -> str:
    """Do what `setup --roles` does."""
    with closing(connect(dsn, PLAIN_SETTINGS)) as connection:
        return make(connection, names)


@pytest.fixture
def names() -> dict[str, str]:
    """Names for roles, which all databases of a server share, as nasty as they may be."""
    mark = uuid.uuid4().hex[:8]
    return {kind: f"{mark} \"{kind}' %s é;--" for kind in ("writer", "reader", "auditor", "user")}


@pytest.fixture
def logins(dsn: str, names: dict[str, str]) -> Iterator[Logins]:
    """The roles of a database, and a login in each."""
    make_roles(dsn, names)
    made = {kind: f"{kind}_{uuid.uuid4().hex[:8]}" for kind in names}
    for kind, login in made.items():
        group = quoted(dsn, names[kind])
        execute(dsn, f"CREATE ROLE {login} LOGIN PASSWORD 'sesame' IN ROLE {group}")
    dsns = {kind: make_dsn(dsn, user=login, password="sesame") for kind, login in made.items()}
    yield Logins(**dsns, names=names, admin=dsn)
    drop(dsn, *made.values(), *names.values())


@pytest.fixture
def log(tmp_path: Path) -> str:
    """A log of two days."""
    path = tmp_path / "mail.log"
    path.write_text(LINES + LATER)
    return str(path)


def asked(dsn: str, tmp_path: Path, *command: str, given: str = "", keys: str = "") -> str:
    """Run a command with a DSN; gives what it printed."""
    path = tmp_path / "main.yml"
    keep = "retention: {delivery: {delete: 0}, noqueue: {delete: 0}}"
    path.write_text(f"dsn: {json.dumps(dsn)}\n{keys or keep}\n")
    said = call("--config", str(path), *command, given=given)
    assert said.status == 0, said
    return said.out


def loaded(logins: Logins, tmp_path: Path, log: str) -> None:
    """Load the log as the writer."""
    asked(logins.writer, tmp_path, "backfill", log, "--year", "2025")


# --- what each must be able to do -----------------------------------------------------------


def test_writer_runs_the_service(logins: Logins, tmp_path: Path, log: str) -> None:
    """Load, follow, make partitions, count totals, delete old ones: a member of the writer does it."""
    loaded(logins, tmp_path, log)
    more = LINES.replace("Nov 20", "Nov 26").replace("3C5D120ABF", "3C5D120ABD")
    asked(logins.writer, tmp_path, "run", "--file", "-", "--year", "2025", given=more)
    days = "SELECT DISTINCT day::text FROM delivery_from ORDER BY 1"
    assert rows(logins.admin, days) == [("2025-11-20",), ("2025-11-25",), ("2025-11-26",)]
    assert rows(logins.admin, "SELECT count(*) > 0 FROM mail_hourly") == [(True,)]
    asked(logins.writer, tmp_path, "status")
    cleaned = asked(logins.writer, tmp_path, "clean", keys="retention: {delivery: {delete: 1}}")
    assert "delivery_from" in cleaned
    assert rows(logins.admin, days) == []


def test_writer_compares_the_queue(logins: Logins, postfix: Postfix) -> None:
    """What is gone from Postfix's queue is closed by a member of the writer."""
    log_mails(logins.writer, WAITS, waiting(OTHER))
    postfix.holds([OTHER], [OTHER])
    assert [row["queue_id"] for row in compare(logins.writer).closed] == [QID]


def test_writers_take_turns(logins: Logins, tmp_path: Path, log: str) -> None:
    """What one login of the writer made, another one may drop: it belongs to the role."""
    loaded(logins, tmp_path, log)
    other = f"other_{uuid.uuid4().hex[:8]}"
    group = quoted(logins.admin, logins.names["writer"])
    execute(logins.admin, f"CREATE ROLE {other} LOGIN PASSWORD 'sesame' IN ROLE {group}")
    try:
        dsn = make_dsn(logins.admin, user=other, password="sesame")
        asked(dsn, tmp_path, "clean", keys="retention: {delivery: {delete: 1}}")
        assert rows(logins.admin, "SELECT count(*) FROM delivery_from") == [(0,)]
    finally:
        drop(logins.admin, other)


def test_writer_forgets_old_looks(logins: Logins, tmp_path: Path, log: str) -> None:
    """The clean-up of access_log works without a right on it, and all of it with names to take out."""
    loaded(logins, tmp_path, log)
    asked(logins.reader, tmp_path, *ANN)
    run_sql(logins.admin, "UPDATE access_log SET t = now() - interval '400 days'")
    keys = "retention: {delivery: {delete: 0, pseudonymise: 1}, noqueue: {delete: 0}, forget_key_after: 30}"
    asked(logins.writer, tmp_path, "clean", keys=keys)
    assert rows(logins.admin, "SELECT count(*) FROM access_log") == [(0,)]
    plain = "SELECT count(*) FROM delivery_to WHERE recipient LIKE 'bob@%' AND t_i < '2025-11-21'"
    assert rows(logins.admin, plain) == [(0,)]
    asked(logins.reader, tmp_path, "status")


def test_reader_asks(logins: Logins, tmp_path: Path, log: str) -> None:
    """Trace, report and status say to a reader what they say to the owner, and note who looked."""
    loaded(logins, tmp_path, log)
    day = ("--since", "2025-11-20", "--until", "2025-11-20")
    commands = (
        ANN, (*ANN, "--format", "json"), ("trace", "--status", "delivered", "--since", "2025-11-01"),
        ("trace", "--sasl-username", "ann"), ("report", *day), ("report", *day, "--by", "day"),
        ("report", "--compat", "pflogsumm", *day),
    )  # fmt: skip
    for command in commands:
        reader, owner = (asked(dsn, tmp_path, *command) for dsn in (logins.reader, logins.admin))
        assert reader == re.sub(
            r", disk \d+ % used", "", owner
        )  # where its files lie it may not know
    asked(logins.reader, tmp_path, "status")
    who = psycopg2.extensions.parse_dsn(logins.reader)["user"]
    count = rows(logins.admin, f"SELECT count(*) FROM access_log WHERE who = '{who}'")
    assert count == [(len(commands),)]


def test_auditor_sees_who_looked(logins: Logins, tmp_path: Path, log: str) -> None:
    """Who asked for an address is told to whoever knows the address."""
    loaded(logins, tmp_path, log)
    asked(logins.reader, tmp_path, *ANN, "--ticket", "HD-1")
    found = "SELECT ticket FROM access_log WHERE access_hash('ann@example.net') = ANY (keys_hash)"
    assert rows(logins.auditor, found) == [("HD-1",)]


def test_user_sees_own_mail(logins: Logins, tmp_path: Path, log: str) -> None:
    """What a user sent and got is told to the role that may know nothing else."""
    loaded(logins, tmp_path, log)
    query = "SELECT direction, sender, recipient, fate FROM mail_of('{}')"
    got = [("received", "ann@example.net", "bob@example.com", "delivered")]
    assert rows(logins.user, query.format("bob@example.com")) == got * 2


def test_user_role_is_enough_for_trace_as(logins: Logins, tmp_path: Path, log: str) -> None:
    """`trace --as` works as a role that may nothing else, and says the same as to the owner."""
    loaded(logins, tmp_path, log)
    command = ("trace", "--as", "bob@example.com", "--since", "2025-11-01")
    said = asked(logins.user, tmp_path, *command)
    assert "RECEIVED  from ann@example.net" in said
    assert rows(logins.admin, "SELECT count(*) FROM access_log") == [(0,)]
    assert asked(logins.reader, tmp_path, *command) == said
    assert rows(logins.admin, "SELECT count(*) FROM access_log") == [(1,)]


@pytest.mark.parametrize("role", ["user", "auditor"])
def test_who_may_not_is_told_so(logins: Logins, tmp_path: Path, role: str) -> None:
    """A role without the right gets one sentence; where a ticket is needed so does who cannot note it."""
    path = tmp_path / "main.yml"
    path.write_text(f"dsn: {json.dumps(getattr(logins, role))}\nrequire_ticket: true\n")
    said = call("--config", str(path), "trace", "--as", "bob@example.com", "--ticket", "HD-1")
    refused(said, 1, "permission denied")
    refused(call("--config", str(path), *ANN, "--ticket", "HD-1"), 1, "permission denied")


# --- what none of them may ------------------------------------------------------------------

NOTHING_OF_ACCESS_LOG = (
    "SELECT * FROM access_log",
    "SELECT count(*) FROM access_log",
    "INSERT INTO access_log (t, who, command, keys_hash, rows) VALUES (now(), 'x', 'x', '{}', 0)",
    "UPDATE access_log SET ticket = ''",
    "DELETE FROM access_log",
    "TRUNCATE access_log",
    "DROP TABLE access_log",
    "ALTER TABLE access_log DISABLE TRIGGER ALL",
    "CREATE TRIGGER x BEFORE INSERT ON access_log EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE x AS ON INSERT TO access_log DO INSTEAD NOTHING",
    "COMMENT ON TABLE access_log IS ''",
    "GRANT SELECT ON access_log TO PUBLIC",
    "SELECT access_hash('ann@example.net')",
)
NOTHING_OF_FUNCTIONS = (
    "DROP FUNCTION note_access",
    "ALTER FUNCTION note_access SECURITY INVOKER",
    "ALTER FUNCTION mail_of SET search_path = public",
    "ALTER FUNCTION keyed_hash RENAME TO x",
    "CREATE OR REPLACE FUNCTION keyed_hash(p_text text, p_masks bytea) RETURNS text LANGUAGE sql AS 'SELECT p_text'",
    "CREATE OR REPLACE FUNCTION without_people(p_text text) RETURNS text LANGUAGE sql AS 'SELECT p_text'",
    "GRANT EXECUTE ON FUNCTION mail_of TO PUBLIC",
    "CREATE OR REPLACE VIEW delivery AS SELECT * FROM delivery",
)
NOTHING_OF_THE_SCHEMA = (
    "CREATE TABLE x (y integer)",
    "SELECT create_partition('delivery_from', '2030-01-01', '2030-01-02')",
    "CREATE ROLE x",
    "DROP VIEW delivery CASCADE",
    "SELECT nextval('row_id')",
    "SELECT forget_accesses('infinity')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/passwd')",
)
MAIL = sorted({*personal.COLUMNS} - {"access_log"})
OTHERS = (
    "source", "open_mail", "host", "gap", "stored_span", "unrecognised", "queue_event",
    "retention_log", "mail_hourly", "noqueue_hourly", "hourly_filled", "schema_version", "hash_key",
    "looked_through",
)  # fmt: skip
NO_CHANGE = tuple(
    statement.format(table)
    for table in (*MAIL, *OTHERS)
    for statement in (
        "DELETE FROM {}", "TRUNCATE {} CASCADE", "DROP TABLE {} CASCADE", "INSERT INTO {} DEFAULT VALUES",
        "ALTER TABLE {} ENABLE ROW LEVEL SECURITY", "LOCK TABLE {} IN EXCLUSIVE MODE",
    )
)  # fmt: skip
NO_LOOK = tuple(
    f"SELECT * FROM {table}"
    for table in (*MAIL, *OTHERS, "delivery", "journey", "delivery_record", "stored_time")
)
FORBIDDEN = {
    "writer": (
        *NOTHING_OF_ACCESS_LOG, *NOTHING_OF_FUNCTIONS, *NOTHING_OF_THE_SCHEMA[2:4],
        *NOTHING_OF_THE_SCHEMA[6:], "DELETE FROM hash_key", "DROP TABLE hash_key",
        "UPDATE schema_version SET version = 2", "DROP SEQUENCE row_id", "SELECT mail_of('x@example.com')",
    ),
    "reader": (
        *NOTHING_OF_ACCESS_LOG, *NOTHING_OF_FUNCTIONS, *NOTHING_OF_THE_SCHEMA, *NO_CHANGE,
        "SELECT * FROM hash_key", "SELECT key FROM hash_key",
    ),
    "auditor": (
        *NOTHING_OF_ACCESS_LOG[2:-1], *NOTHING_OF_FUNCTIONS, *NOTHING_OF_THE_SCHEMA, *NO_CHANGE, *NO_LOOK,
        "SELECT mail_of('x@example.com')", "SELECT login_hash('x')",
        "SELECT note_access('x', '{}', 0, NULL, NULL, NULL, NULL)",
    ),
    "user": (
        *NOTHING_OF_ACCESS_LOG, *NOTHING_OF_FUNCTIONS, *NOTHING_OF_THE_SCHEMA, *NO_CHANGE, *NO_LOOK,
        "SELECT login_hash('x')", "SELECT note_access('x', '{}', 0, NULL, NULL, NULL, NULL)",
        "SELECT * FROM mail_between('-infinity', 'infinity')",
        "SELECT * FROM recipient_between('-infinity', 'infinity')",
    ),
}  # fmt: skip


@pytest.mark.parametrize("role", FORBIDDEN)
def test_forbidden(logins: Logins, tmp_path: Path, log: str, role: str) -> None:
    """Each statement of the table is refused for want of a right, and only for that."""
    loaded(logins, tmp_path, log)
    got = {}
    with closing(psycopg2.connect(getattr(logins, role))) as connection:
        for statement in FORBIDDEN[role]:
            with connection.cursor() as cursor:
                try:
                    cursor.execute(statement)
                    nothing = any("no privileges were granted" in one for one in connection.notices)
                    got[statement] = DENIED if nothing else "done"
                except psycopg2.Error as error:
                    got[statement] = error.pgcode or ""
            connection.rollback()
            del connection.notices[:]
    assert {statement: code for statement, code in got.items() if code != DENIED} == {}


def test_forbidden_statements_are_good_ones(logins: Logins, tmp_path: Path, log: str) -> None:
    """For the owner each of them either works or fails for another reason: the test above can fail."""
    loaded(logins, tmp_path, log)
    denied = []
    with closing(psycopg2.connect(logins.admin)) as connection:
        for statement in {one for statements in FORBIDDEN.values() for one in statements}:
            with connection.cursor() as cursor:
                try:
                    cursor.execute(statement)
                except psycopg2.Error as error:
                    denied += (
                        [statement] if error.pgcode in (DENIED, "42601", "42P01", "42883") else []
                    )
            connection.rollback()
    assert denied == []


def test_a_table_in_front_changes_nothing(logins: Logins, tmp_path: Path, log: str) -> None:
    """What guards the log cannot be led astray by temporary tables and functions of the caller."""
    loaded(logins, tmp_path, log)
    with closing(psycopg2.connect(logins.writer)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("CREATE TEMP TABLE access_log (LIKE mail_hourly)")
        cursor.execute("CREATE TEMP TABLE hash_key (purpose text, month date, key bytea)")
        cursor.execute("INSERT INTO hash_key VALUES ('access', '0001-01-01', 'mine')")
        cursor.execute(
            "CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT $1::text'"
        )
        cursor.execute("SET search_path = pg_temp, public, pg_catalog")
        cursor.execute("SELECT public.note_access('trace', '{a}', 0, NULL, NULL, NULL, NULL)")
    assert rows(logins.admin, "SELECT keys_hash = ARRAY[access_hash('A')] FROM access_log") == [
        (True,)
    ]


def test_a_policy_is_not_obeyed(logins: Logins, tmp_path: Path, log: str) -> None:
    """The writer cannot make the functions of an administrator who is no superuser run what it likes."""
    loaded(logins, tmp_path, log)
    admin = f"admin_{uuid.uuid4().hex[:8]}"
    try:
        execute(
            logins.admin,
            f"CREATE ROLE {admin}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {admin}",
        )
        execute(
            logins.admin,
            f"GRANT CREATE ON SCHEMA public TO {admin}",
            f"ALTER FUNCTION mail_of OWNER TO {admin}",
        )
        query = "SELECT count(*) FROM mail_of('bob@example.com')"
        assert rows(logins.user, query) == [(2,)]
        run_sql(
            logins.writer,
            "CREATE FUNCTION mine() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''mine''; END'",
            "ALTER TABLE delivery_to ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY mine ON delivery_to USING (mine())",
        )
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
            rows(logins.user, query)
    finally:
        drop(logins.admin, admin)


def test_who_cannot_be_forged(logins: Logins) -> None:
    """The row names who is logged in, not whom he became afterwards."""
    with closing(psycopg2.connect(logins.reader)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {quoted(logins.admin, logins.names['reader'])}")
        cursor.execute("SELECT note_access('trace', '{}', 0, NULL, NULL, NULL, NULL)")
        connection.commit()
    who = psycopg2.extensions.parse_dsn(logins.reader)["user"]
    assert rows(logins.admin, "SELECT who FROM access_log") == [(who,)]


# --- making them ----------------------------------------------------------------------------


def test_every_table_is_listed(dsn: str) -> None:
    """Whoever adds a table or a view says whose it is and who reads it."""
    found = rows(
        dsn,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND NOT relispartition"
        " AND (relkind IN ('r', 'p', 'v') OR relname = 'row_id')",
    )
    for (name,) in found:
        assert f"('{name}', " in SQL["queries/role_grants"], name


def test_every_guarding_function_is_listed(dsn: str) -> None:
    """A function with its owner's rights is for nobody but those who are named, on a fixed path."""
    found = rows(
        dsn,
        "SELECT proname, proconfig::text, has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND prosecdef",
    )
    assert len(found) == 5
    for name, settings, anybody in found:
        assert "search_path=pg_catalog, pg_temp" in settings
        assert not anybody, name
        assert f"('{name}', " in SQL["queries/role_grants"]


def test_command_makes_roles_once(dsn: str, tmp_path: Path) -> None:
    """`setup --roles` says what is in place, and may be run again; without it no role is made."""
    mark = uuid.uuid4().hex[:8]
    keys = ", ".join(f"{kind}: {mark}_{kind}" for kind in ("writer", "reader", "auditor", "user"))
    made = f"SELECT count(*) FROM pg_roles WHERE starts_with(rolname, '{mark}')"
    asked(dsn, tmp_path, "setup", keys=f"roles: {{{keys}}}")
    assert rows(dsn, made) == [(0,)]
    try:
        for _ in range(2):
            said = asked(dsn, tmp_path, "setup", "--roles", keys=f"roles: {{{keys}}}")
            assert f"{mark}_auditor" in said
        assert rows(dsn, made) == [(4,)]
    finally:
        drop(dsn, *(f"{mark}_{kind}" for kind in ("writer", "reader", "auditor", "user")))


def test_tables_of_a_service_change_hands(dsn: str, names: dict[str, str]) -> None:
    """Where the service's login owns everything, setup by an administrator takes it away."""
    old = f"old_{uuid.uuid4().hex[:8]}"
    execute(
        dsn,
        f"CREATE ROLE {old} LOGIN PASSWORD 'sesame'",
        f"GRANT CREATE, USAGE ON SCHEMA public TO {old}",
    )
    run_sql(dsn, "DROP SCHEMA public CASCADE", f"CREATE SCHEMA public AUTHORIZATION {old}")
    try:
        with closing(
            connect(make_dsn(dsn, user=old, password="sesame"), PLAIN_SETTINGS)
        ) as connection:
            setup(connection)
            with connection.cursor() as cursor:
                cursor.execute("SELECT create_partition('noqueue', '2025-11-20', '2025-11-21')")
            connection.commit()
        make_roles(dsn, names)
        left = rows(
            dsn,
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind <> 'c'"
            f" AND relowner = '{old}'::regrole UNION ALL SELECT proname FROM pg_proc"
            f" WHERE pronamespace = 'public'::regnamespace AND proowner = '{old}'::regrole",
        )
        assert {name for (name,) in left} == set()
    finally:
        drop(dsn, *names.values(), old)


def test_administrator_need_not_be_superuser(
    server_dsn: str, dsn: str, names: dict[str, str], tmp_path: Path, log: str
) -> None:
    """A role with CREATEROLE that owns the database makes everything, twice, and writer and reader work."""
    admin = f"admin_{uuid.uuid4().hex[:8]}"
    database = psycopg2.extensions.parse_dsn(dsn)["dbname"]
    login = f"login_{uuid.uuid4().hex[:8]}"
    execute(
        dsn,
        f"CREATE ROLE {admin} LOGIN CREATEROLE PASSWORD 'sesame'",
        f"ALTER DATABASE {database} OWNER TO {admin}",
    )
    execute(dsn, "DROP SCHEMA public CASCADE", f"CREATE SCHEMA public AUTHORIZATION {admin}")
    execute(dsn, f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    admin_dsn = make_dsn(dsn, user=admin, password="sesame")
    try:
        with closing(connect(admin_dsn, PLAIN_SETTINGS)) as connection:
            setup(connection)
        for _ in range(2):
            make_roles(admin_dsn, names)
        groups = f"{quoted(dsn, names['writer'])}, {quoted(dsn, names['reader'])}"
        execute(admin_dsn, f"CREATE ROLE {login} LOGIN PASSWORD 'sesame' IN ROLE {groups}")
        asked(
            make_dsn(dsn, user=login, password="sesame"),
            tmp_path,
            "backfill",
            log,
            "--year",
            "2025",
        )
        assert "bob@example.com" in asked(
            make_dsn(dsn, user=login, password="sesame"), tmp_path, *ANN
        )
        query = "SELECT count(*) FROM mail_of('bob@example.com')"
        assert rows(make_dsn(dsn, user=login, password="sesame"), query) == [(2,)]
        assert rows(admin_dsn, "SELECT count(*) FROM delivery") == [(2,)]
    finally:
        execute(dsn, f"ALTER DATABASE {database} OWNER TO CURRENT_USER")
        drop(dsn, login, *names.values(), admin)


def test_schema_open_to_all_is_shut(dsn: str, names: dict[str, str]) -> None:
    """Where anybody may create tables, as in PostgreSQL 14, only the writer may afterwards."""
    run_sql(dsn, "GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC")
    try:
        make_roles(dsn, names)
        query = "SELECT has_schema_privilege(rolname, 'public', 'CREATE') FROM pg_roles WHERE rolname = ANY (%s)"
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            for kind, may in {
                "writer": True,
                "reader": False,
                "auditor": False,
                "user": False,
            }.items():
                cursor.execute(query, ([names[kind]],))
                assert cursor.fetchall() == [(may,)]
    finally:
        drop(dsn, *names.values())


def test_without_the_right_nothing_is_made(dsn: str, names: dict[str, str], tmp_path: Path) -> None:
    """A role that may not create roles is told which right it lacks."""
    plain = f"plain_{uuid.uuid4().hex[:8]}"
    execute(dsn, f"CREATE ROLE {plain} LOGIN PASSWORD 'sesame'")
    try:
        with pytest.raises(InputError, match="CREATEROLE"):
            make_roles(make_dsn(dsn, user=plain, password="sesame"), names)
        path = tmp_path / "main.yml"
        path.write_text(f"dsn: {json.dumps(make_dsn(dsn, user=plain, password='sesame'))}\n")
        execute(dsn, f"GRANT SELECT ON schema_version TO {plain}")
        refused_at_once = call("--config", str(path), "setup", "--roles")
        assert refused_at_once.status == 1
        assert "roles were not made" in refused_at_once.err
    finally:
        drop(dsn, plain)


@pytest.mark.parametrize("name", ["", "pg_mail", "public", "none", "x" * 64, "é" * 32, 7])
def test_names_are_checked(name: object) -> None:
    """A name that PostgreSQL would refuse or cut is a wrong value."""
    with pytest.raises(UsageError, match="name of a role"):
        config_from({"roles": {"writer": name}}, "test")


def test_roles_are_four(tmp_path: Path) -> None:
    """One role for two purposes would give each the other's rights."""
    assert len(names_of(Config())) == 4
    path = tmp_path / "main.yml"
    path.write_text("dsn: host=/nowhere\nroles: {user: journal_postfix_reader}\n")
    refused(call("--config", str(path), "setup", "--roles"), 2, "four different roles")
