"""The unit and the role on a Debian of their own, booted with systemd as init: `script/boot-test`.

The tests are one story, in this order: each begins where the one before it ended.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from booted import PROGRAMS, PROJECT, Machine, made, run
from live.waiting import wait_until
from test_docs import blocks
from test_package import SOURCES
from test_unit import DROP_INS, EXPOSURE, SINCE

SUITES = os.environ.get("JOURNAL_POSTFIX_BOOT", "").split()
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
UNIT = "journal-postfix.service"
PLACE = "/root/project"
#: The sources inside, and what pip builds them with, as there is no network.
CLONE, WHEELS = "/root/clone", "/root/wheels"
#: Every order of four services is in it, one restart apart.
ORDERS = "123412314231243121342132413214321"
SERVICES = {"1": "postgresql", "2": "postfix", "3": "systemd-journald", "4": UNIT}

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not SUITES, reason="takes minutes for each Debian: script/boot-test"),
    pytest.mark.skipif(bool(SUITES and os.geteuid()), reason="needs root: it boots a Debian"),
    pytest.mark.skipif(bool(SUITES and MISSING), reason=f"there is no {', '.join(MISSING)}"),
]

POSTFIX = """
postconf -e myhostname=mx1.example.com mydestination=example.com,localhost inet_interfaces=loopback-only inet_protocols=ipv4 \
  enable_long_queue_ids=yes smtp_tls_security_level=none smtpd_tls_security_level=none \
  'transport_maps=inline:{ {example.net=smtp:[127.0.0.1]:2525} }' maximal_backoff_time=3600s
useradd --create-home ann
newaliases
systemctl restart postfix
"""
HOSTS = """
mail:
  hosts:
    localhost:
      ansible_connection: local
      ansible_python_interpreter: /usr/bin/python3
  vars:
    journal_postfix_wheel: ../dist/journal_postfix-*.whl
    journal_postfix_apt_cache_valid_time: 0
"""
BUILT_AGAIN = f"""
import glob, time, zipfile
(path,) = glob.glob("{PLACE}/dist/*.whl")
with zipfile.ZipFile(path, "a") as wheel:
    wheel.comment = str(time.time()).encode()
"""
REJECT = """
import smtplib
with smtplib.SMTP("127.0.0.1", 25) as client:
    client.ehlo("client.example.org")
    client.mail("stranger@example.org")
    assert client.rcpt("nobody-here@example.com")[0] == 550
"""


class Host(Machine):
    """A booted Debian on which the role is applied, from within."""

    def play(self, *options: object, status: int = 0, **variables: object) -> str:
        """What ansible-playbook says."""
        (self.root / PLACE[1:] / "variables.json").write_text(json.dumps(variables))
        command = "ansible-playbook -i ../hosts.yml -e @../variables.json playbook.yml"
        command += "".join(f" {option}" for option in options)
        return self.shell(f"cd {PLACE}/ansible && {command}", status=status)

    def changes(self, *options: object, **variables: object) -> int:
        """How many tasks changed something, or would."""
        said = self.play(*options, **variables)
        match = re.search(r"changed=(\d+) .* failed=0", said)
        assert match, said
        return int(match[1])

    def sql(self, query: str, database: str = "journal_postfix") -> str:
        """The answer of a database, asked by its server's user."""
        user = "journal-postfix" if "host=" in database else "postgres"
        return self.run("psql", "-XAtqd", database, "-c", query, user=user).strip()

    def ours(self, *words: object, status: int = 0) -> str:
        """A command of ours, by the service's user."""
        return self.run("/usr/local/bin/journal-postfix", *words, status=status, user="journal-postfix")  # fmt: skip

    def show(self, name: str) -> str:
        """A property of the unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", UNIT).strip()

    def send(self, recipient: str, sender: str = "ann@example.com") -> None:
        """Submit a mail on the host."""
        self.run("/usr/sbin/sendmail", "-f", sender, recipient, text="Subject: test\n\ntest\n")

    def logged(self) -> Counter[str]:
        """What Postfix said since it was installed: the truth."""
        lines = self.run("journalctl", "--output=cat", "--identifier=postfix/qmgr", "--identifier=postfix/local", "--identifier=postfix/smtp", "--identifier=postfix/error", "--identifier=postfix/smtpd")  # fmt: skip
        return Counter(
            removed=len(re.findall(r"^\w+: removed$", lines, re.MULTILINE)),
            records=len(re.findall(r", status=\w+ \(", lines)),
            refused=len(re.findall(r"^NOQUEUE: reject:", lines, re.MULTILINE)),
        )

    def stored(self, database: str = "journal_postfix") -> Counter[str]:
        """What the tables have of it."""
        query = """
            SELECT (SELECT count(*) FROM delivery_from WHERE removed_at IS NOT NULL),
                   (SELECT count(*) FROM delivery_record), (SELECT count(*) FROM noqueue),
                   (SELECT count(*) - count(DISTINCT queue_id) FROM delivery_from)
        """
        removed, records, refused, double = map(int, self.sql(query, database).split("|"))
        assert double == 0
        return Counter(removed=removed, records=records, refused=refused)

    def check(self, database: str = "journal_postfix") -> Counter[str]:
        """Nothing is lost and nothing doubled, as soon as the service has caught up; what there is."""

        def holds() -> bool:
            return self.stored(database) == self.logged()

        try:
            wait_until(holds, "all that was logged is stored", 30)
        except TimeoutError:
            said = self.run("journalctl", "-u", UNIT, "--no-pager")
            raise AssertionError(f"{self.stored(database)} != {self.logged()}\n{said}") from None
        return self.stored(database)

    def wait_for_queue(self, mails: int) -> None:
        """Wait until so many mails are left in Postfix's queue, and no more are being delivered."""

        def queued() -> int:
            return self.run("postqueue", "-j").count('"queue_name": "deferred"')

        def others() -> int:
            return self.run("postqueue", "-j").count('"queue_name"') - queued()

        wait_until(lambda: queued() == mails and not others(), f"{mails} mails in the queue", 60)


@pytest.fixture(scope="module", params=SUITES or ["none"], name="host")
def _host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    with made(request.param) as root:
        project = root / PLACE[1:]
        project.mkdir()
        for name in ("ansible", "service"):
            shutil.copytree(PROJECT / name, project / name, symlinks=True)
        (project / "hosts.yml").write_text(HOSTS)
        _copy_sources(root / CLONE[1:])
        _build_wheel(root / CLONE[1:], project / "dist")
        download = ["pip", "download", "--quiet", "--no-deps", "--dest", root / WHEELS[1:]]
        run([sys.executable, "-m", *download, "setuptools", "wheel"])
        with Host(root) as host:
            host.shell(POSTFIX)
            yield host


def _copy_sources(folder: Path) -> None:
    folder.mkdir()
    for name in SOURCES:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, folder / name, symlinks=True)
        else:
            shutil.copy(PROJECT / name, folder)


def _build_wheel(folder: Path, into: Path) -> None:
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", into, folder])


def test_check_mode_changes_nothing(host: Host) -> None:
    """On a host that has nothing of it, --check tells that there is much to do, and does nothing."""
    assert host.changes("--check", "--diff") > 5
    files = "/opt/journal-postfix /etc/journal-postfix /etc/systemd/system/journal-postfix.service"
    assert host.shell(f"ls -d {files} 2>/dev/null || true") == ""
    assert host.sql("SELECT count(*) FROM pg_database WHERE datname ~ 'journal'", "postgres") == "0"


def test_wrong_variables_fail_early(host: Host) -> None:
    """A wrong value and a wrong name: said with name and what is allowed, before anything is done."""
    wrong = {
        "journal_postfix_state": ("gone", "must be one of: present, absent"),
        "journal_postfix_database_name": ("a-b", "must be a lower case letter, then"),
        "journal_postfix_stat": ("absent", "allowed: journal_postfix_apt_cache"),
        "journal_postfix_wheel": ("../none.whl", "must be the path of one wheel on the controller"),
    }
    for name, (value, allowed) in wrong.items():
        said = host.play(status=2, **{name: value})
        assert re.search(rf"{name}.*{re.escape(allowed)}|{re.escape(value)}.*{allowed}", said), said
        assert "changed=0" in said


def test_role_installs_and_then_rests(host: Host) -> None:
    """The first run does it all, the second and a third with --check nothing."""
    assert host.changes() > 10
    assert host.show("ActiveState") == "active"
    assert host.changes("--diff") == 0
    assert host.changes("--check", "--diff") == 0


def test_wrong_keys_are_named(host: Host) -> None:
    """A wrong key of the configuration is told as the program tells it, and is not written."""
    said = host.play(status=2, journal_postfix_config={"retention": {"delivery": {"delet": 3}}})
    assert "unknown key retention.delivery.delet; allowed: retention.delivery.delete" in said
    said = host.play("--check", status=2, journal_postfix_config={"min_free_disk": "much"})
    assert "min_free_disk must be bytes, 0 for no limit" in said
    assert host.show("ActiveState") == "active"


def test_unit_is_what_it_says(host: Host) -> None:
    """It runs as its user, ready by its own word, watched, shut in; systemd finds no fault."""
    assert host.show("Type") == "notify"
    assert host.show("User") == "journal-postfix"
    assert host.show("WatchdogUSec") == "3min"
    assert re.match(r"following; \d+ lines of Postfix stored", host.show("StatusText"))
    pid = host.show("MainPID")
    status = host.run("cat", f"/proc/{pid}/status")
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status
    assert int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) < 100_000  # type: ignore[index]
    assert host.run("systemd-analyze", "verify", "--man=no", UNIT) == ""
    host.run("systemd-analyze", "security", f"--threshold={EXPOSURE}", UNIT)
    version = int(host.run("systemctl", "--version").split()[1])
    grows = "growing-pauses.conf" in host.show("DropInPaths")
    assert grows == (version >= SINCE["growing-pauses.conf"])


def test_every_drop_in_is_known_to_this_systemd(host: Host) -> None:
    """systemd-analyze is silent about the unit with each drop-in."""
    version = int(host.run("systemctl", "--version").split()[1])
    for name in DROP_INS:
        if version >= SINCE.get(name, 0):
            folder = f"/root/verify/{name}"
            host.shell(
                f"mkdir -p {folder}/{UNIT}.d && cp {PLACE}/service/{UNIT} {folder}"
                f" && cp {PLACE}/service/drop-ins/{name} {folder}/{UNIT}.d"
            )
            assert host.run("systemd-analyze", "verify", "--man=no", f"{folder}/{UNIT}") == ""


def test_mails_become_rows(host: Host) -> None:
    """Postfix delivers, refuses, defers and bounces; trace tells the fate of each."""
    host.send("ann@example.com")
    host.run("python3", "-c", REJECT)
    host.send("later@example.net")
    host.send("nobody-here@example.com")
    host.wait_for_queue(1)
    stored = host.check()
    assert stored == Counter(removed=3, records=4, refused=1)  # one more: the notice of the bounce
    fates = host.sql("SELECT DISTINCT fate, recipient FROM delivery ORDER BY 1, 2").splitlines()
    assert {"delivered|ann@example.com", "waiting|later@example.net"} <= set(fates)
    assert any(fate.endswith("|nobody-here@example.com") for fate in fates)
    told = host.ours("trace", "--recipient", "later@example.net")
    assert "WAITING" in told
    assert host.sql("SELECT reply_code, recipient FROM noqueue") == "550|nobody-here@example.com"


def test_restarts_in_every_order(host: Host) -> None:
    """However PostgreSQL, Postfix, journald and the service restart, each mail has its row."""
    for number in ORDERS:
        service = SERVICES[number]
        host.shell(
            f"systemctl reset-failed {service}; systemctl restart {service};"
            " printf 'Subject: test\\n\\ntest\\n' | /usr/sbin/sendmail -f ann@example.com ann@example.com"
        )
    host.wait_for_queue(1)
    assert host.check()["removed"] == 3 + len(ORDERS)
    assert host.show("ActiveState") == "active"
    assert host.show("Result") == "success"


def test_service_leaves_no_trace_in_the_mail_log(host: Host) -> None:
    """A service that may not ask for the queue says so in its own log, and asks nobody."""
    assert host.run("journalctl", "--output=cat", "--identifier=postfix/postqueue", status=None) in ("", "-- No entries --\n")  # fmt: skip
    said = host.run("journalctl", "-u", UNIT)
    assert "may not gain the rights of its group" in said
    assert "fatal" not in said
    assert host.sql("SELECT coalesce(sum(forged), 0) FROM source") == "0"


def test_database_is_away_at_the_start(host: Host) -> None:
    """Without its database the service starts, says what it waits for, and catches up later."""
    host.run("systemctl", "stop", "postgresql")
    began = time.monotonic()
    host.run("systemctl", "restart", UNIT)
    assert time.monotonic() - began < 10
    assert host.show("StatusText").startswith("waiting for the database since")
    host.send("ann@example.com")
    host.run("systemctl", "start", "postgresql")
    host.wait_for_queue(1)
    host.check()
    assert host.show("StatusText").startswith("following")


def test_hung_service_is_ended_by_the_watchdog(host: Host) -> None:
    """A process that stands still is killed and started again; nothing is lost."""
    drop_in = f"/run/systemd/system/{UNIT}.d/test.conf"
    host.shell(
        f"mkdir -p $(dirname {drop_in}); printf '[Service]\\nWatchdogSec=3s\\nRestartSec=1s\\n'"
        f" >{drop_in}; systemctl daemon-reload; systemctl restart {UNIT}"
    )
    time.sleep(5)
    assert host.show("NRestarts") == "0"  # it is fed
    host.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", UNIT)
    host.send("ann@example.com")
    wait_until(lambda: host.show("NRestarts") == "1", "the restart", 30)
    host.check()
    host.shell(f"rm {drop_in}; systemctl daemon-reload; systemctl restart {UNIT}")


def test_reboot(host: Host) -> None:
    """After a reboot the service is there, and a mail that waited meanwhile goes on in its row."""
    host.send("ann@example.com")
    host.shut_down()
    host.boot()
    wait_until(lambda: host.show("ActiveState") == "active", "the service", 30)
    host.run("systemd-run", "--quiet", "--collect", "--unit=sink", "/usr/sbin/smtp-sink", "-u", "nobody", "127.0.0.1:2525", "10")  # fmt: skip
    host.run("postqueue", "-f")
    host.wait_for_queue(0)
    host.check()
    assert (
        host.sql("SELECT status, attempts > 1 FROM delivery_to WHERE recipient ~ 'later'")
        == "sent|t"
    )
    host.run("systemctl", "stop", "sink")


def test_upgrade(host: Host) -> None:
    """The role with another wheel brings the first tables there were to the present, and all mails into them."""
    before = host.stored()
    host.run("systemctl", "stop", UNIT)
    first = (PROJECT / "tests" / "schema_1.sql").read_text("utf-8")
    begin = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n"
    psql = ("psql", "-XqAt", "--set=ON_ERROR_STOP=1", "--dbname=journal_postfix", "--file=-")
    host.run(*psql, user="journal-postfix", text=begin + first)
    assert "run journal-postfix setup" in host.ours("status", status=1)
    host.run("python3", "-c", BUILT_AGAIN)  # pip would take it for installed
    assert host.changes() >= 4
    assert host.sql("SELECT max(version) > 1 FROM schema_version") == "t"
    assert "in place" in host.ours("setup")
    assert host.changes() == 0
    assert host.check() == before


def test_another_wheel(host: Host) -> None:
    """It restarts the service once."""
    before, pid = host.stored(), host.show("MainPID")
    host.run("python3", "-c", BUILT_AGAIN)
    assert host.changes() >= 1
    assert host.show("MainPID") != pid
    assert host.changes() == 0
    assert host.stored() == before


def test_remote_database_by_tls_and_password(host: Host) -> None:
    """With a DSN of another host, TLS that is verified, and a password that no command line has."""
    name = host.run("openssl", "x509", "-noout", "-subject", "-nameopt", "multiline", "-in", "/etc/ssl/certs/ssl-cert-snakeoil.pem").split()[-1]  # fmt: skip
    host.sql("CREATE ROLE remote LOGIN PASSWORD 'not-to-be-seen'", "postgres")
    host.sql("CREATE DATABASE far OWNER remote TEMPLATE template0 ENCODING 'UTF8'", "postgres")
    dsn = f"host={name} hostaddr=127.0.0.1 dbname=far user=remote sslmode=verify-full"
    dsn += " sslrootcert=/etc/ssl/certs/ssl-cert-snakeoil.pem"
    variables = {
        "journal_postfix_database": "given",
        "journal_postfix_pgpass": f"{name}:*:far:remote:not-to-be-seen",
        "journal_postfix_config": {"dsn": dsn},
        "journal_postfix_prometheus": True,
        "journal_postfix_raise_rate_limit": True,
        "journal_postfix_compare_queue": True,
    }
    said = host.play("--diff", **variables)
    assert "not-to-be-seen" not in said
    host.check("far")
    used = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'remote'"
    assert host.sql(used) == "t"
    everything = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"
    assert "not-to-be-seen" not in host.shell(f"({everything}) || true")
    assert host.run("stat", "-c", "%a %U", "/etc/journal-postfix/pgpass") == "600 journal-postfix\n"
    assert host.run("stat", "-c", "%a %U:%G", "/etc/journal-postfix/main.yml") == "640 root:journal-postfix\n"  # fmt: skip
    figures = host.run("python3", "-c", "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9154/metrics').read().decode())")  # fmt: skip
    assert "process_resident_memory_bytes" in figures
    assert "journal_postfix_commits_total" in figures
    host.run("systemctl", "restart", UNIT)  # the first look at the queue came before the first row
    wait_until(
        lambda: "queue of postfix: 0 mails" in host.run("journalctl", "-u", UNIT), "queue", 90
    )
    assert host.run("systemctl", "show", "--value", "--property=LogRateLimitBurst", "postfix") == "1000000\n"  # fmt: skip
    assert host.changes(**variables) == 0


def test_password_from_a_credential(host: Host) -> None:
    """systemd hands the password over from a file that only root may read."""
    host.shell(
        "install -d -m 0700 /etc/credstore && cd /etc/credstore && umask 077"
        " && rm /etc/journal-postfix/pgpass && echo not-to-be-seen >journal-postfix.password"
        f" && cp {PLACE}/service/drop-ins/credential.conf /etc/systemd/system/{UNIT}.d"
        f" && systemctl daemon-reload && systemctl restart {UNIT}"
    )
    host.send("ann@example.com")
    host.wait_for_queue(0)
    host.check("far")
    host.shell(f"rm -r /etc/credstore /etc/systemd/system/{UNIT}.d/credential.conf")


def test_private_database(host: Host) -> None:
    """Without a server of its own the service starts a private one, without any network."""
    variables = {"journal_postfix_database": "embedded", "journal_postfix_local_only": True}
    assert host.changes(**variables) > 0
    (folder,) = host.shell("ls -d /var/lib/journal-postfix/pg*").split()
    private = f"host={folder} user=postgres dbname=journal_postfix"
    host.check(private)
    assert "journal" in host.ours("status")
    assert host.run("systemd-analyze", "security", UNIT).splitlines()[-1].split()[-3] <= "0.7"
    assert host.changes(**variables) == 0
    host.run("systemctl", "restart", UNIT)
    host.send("ann@example.com")
    host.wait_for_queue(0)
    host.check(private)


def test_removal_leaves_the_data(host: Host) -> None:
    """`state: absent` takes all away but the data; with the word for it the data too."""
    assert host.changes("--check", journal_postfix_state="absent") > 1
    assert host.show("ActiveState") == "active"
    before = host.sql("SELECT count(*) FROM delivery_from")
    assert host.changes(journal_postfix_state="absent") > 1
    assert host.changes(journal_postfix_state="absent") == 0
    ours = "/opt /usr/local/bin /etc /var/cache /run/systemd -name '*journal*postfix*'"
    left = host.shell(
        f"find {ours} ! -path '*/credentials*'; systemctl list-unit-files | grep journal-p || true"
    )
    assert left == ""
    assert host.sql("SELECT count(*) FROM delivery_from") == before
    assert host.run("ls", "/var/lib/journal-postfix").startswith("pg1")
    gone = {"journal_postfix_state": "absent", "journal_postfix_remove_data": True}
    assert host.changes("--check", **gone) > 1
    assert host.changes(**gone) > 1
    assert host.changes(**gone) == 0
    assert (
        host.sql("SELECT count(*) FROM pg_database WHERE datname = 'journal_postfix'", "postgres")
        == "0"
    )
    assert (
        host.shell(
            "ls -d /var/lib/journal-postfix 2>/dev/null || id journal-postfix 2>/dev/null || true"
        )
        == ""
    )


def test_role_installs_again_after_removal(host: Host) -> None:
    """What was removed comes back: all that the journal still has is in the tables again."""
    host.changes()
    host.check()


def typed(page: str, first: str, last: str) -> list[str]:
    """The commands of a page as they stand there, from the one that begins with words to another."""
    found = (block for block in blocks() if block.page == page and not block.language)
    lines = [line for block in found for line in block.text.splitlines()]
    begin, end = (
        next(number for number, line in enumerate(lines) if line.startswith(words))
        for words in (first, last)
    )
    return lines[begin : end + 1]


@pytest.mark.parametrize("page", ["README.rst", "docs/install.rst"])
def test_by_hand(host: Host, page: str) -> None:
    """What the pages tell to type gives a service that stores all mail, and takes all away again."""
    host.changes(journal_postfix_state="absent", journal_postfix_remove_data=True)
    status = "sudo -u journal-postfix journal-postfix status"
    if page == "README.rst":
        status = "sudo -u journal-postfix /opt/journal-postfix/bin/journal-postfix status"
    for command in typed(page, "apt-get install", status):
        may_warn = re.search(r"journal-postfix (doctor|status)$", command)
        pip = f"export PIP_NO_INDEX=1 PIP_FIND_LINKS={WHEELS}"
        host.shell(f"cd {CLONE}; {pip}; {command}" + (" || test $? = 1" if may_warn else ""))
    host.send("ann@example.com")
    host.wait_for_queue(0)
    host.check()
    assert host.show("ActiveState") == "active"
    for command in typed("docs/install.rst", "systemctl disable", "sudo -u postgres dropuser"):
        host.shell(command)
    left = host.shell("find / -xdev -path /root -prune -o -name '*journal*postfix*' -print")
    assert left.split() == ["/var/lib/journal-postfix"]
    host.shell("rm -r /var/lib/journal-postfix; systemctl daemon-reload")
