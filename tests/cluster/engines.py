"""The engines of the cluster: how each is configured and begun on its machine.

Programs are those of the wheels; PgBouncer and HAProxy are the system's.
"""

import csv
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from circle.embedded.postgres import _copied, _installed, anyone_can_enter
from circle.embedded.valkey import _program as valkey_program
from tests.cluster.hosts import ROOT, Host

PASSWORD = "cluster"
SERVICE = "circle"
_POSTGRES = """
listen_addresses = '*'
max_connections = 120
shared_buffers = 64MB
wal_level = replica
hot_standby = on
max_standby_streaming_delay = 1s
wal_receiver_status_interval = 1s
wal_receiver_timeout = 5s
wal_sender_timeout = 5s
log_min_messages = warning
"""
_TRUST = "host all all 10.77.0.0/24 trust\nhost replication all 10.77.0.0/24 trust\nlocal all all trust\n"
_LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
# Each client's session state is wiped after each of its transactions: what leaned on it would break at once.
_PGBOUNCER = """
[databases]
circle = host={primary} port=5432 dbname=circle
[pgbouncer]
listen_addr = *
listen_port = 6432
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
ignore_startup_parameters = options
server_reset_query = {reset}
server_reset_query_always = 1
server_login_retry = 1
server_connect_timeout = 2
query_wait_timeout = 10
tcp_user_timeout = 3000
tcp_keepalive = 1
tcp_keepidle = 2
tcp_keepintvl = 1
tcp_keepcnt = 2
admin_users = circle
log_connections = 0
log_disconnections = 0
{more}
"""
_WRONG = re.compile(r"^(ERROR|FATAL|psql: error):", re.MULTILINE)
_CANCELLED, _TRIES = "conflict with recovery", 5
_KEEPS_STATEMENTS_SINCE = (1, 21)
# All of DISCARD ALL but the statements, which the pooler itself keeps count of.
_RESET = "RESET ALL; CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
_SENTINEL = """
port 26379
bind {address} 127.0.0.1
dir {folder}
requirepass {password}
sentinel sentinel-pass {password}
sentinel monitor {service} {primary} 6379 2
sentinel auth-pass {service} {password}
sentinel down-after-milliseconds {service} 2000
sentinel failover-timeout {service} 6000
"""


class Postgres:
    """A server in its folder, as the user that it has to run as."""

    def __init__(self, host: Host, folder: Path, programs: Path) -> None:
        self.host, self.folder = host, folder
        self._programs = programs

    def make_primary(self) -> None:
        own(self.folder)
        self.run("initdb", "-D", self.folder / "data", "-U", "postgres", "--auth=trust", *_LOCALE)
        self._configure()
        self.start()
        self.sql("CREATE ROLE circle LOGIN", database="postgres")
        # What our connections ask for at their start never gets through a pooler.
        self.sql("ALTER ROLE circle SET timezone = 'UTC'", database="postgres")
        self.sql("ALTER ROLE circle SET statement_timeout = '10s'", database="postgres")
        self.sql("CREATE DATABASE circle OWNER circle", database="postgres")

    def make_standby(self, primary: "Postgres") -> None:
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        own(self.folder)
        address = f"host={primary.host.address} user=postgres application_name={self.host.name}"
        slot = self.host.name
        primary.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
        self.run(
            "pg_basebackup",
            "-d",
            address,
            "-D",
            self.folder / "data",
            "-R",
            "-X",
            "stream",
            "-C",
            "-S",
            slot,
            "-c",
            "fast",
        )
        self.start()

    def _configure(self) -> None:
        with (self.folder / "data/postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"{_POSTGRES}unix_socket_directories = '{self.folder}'\n")
        (self.folder / "data/pg_hba.conf").write_text(_TRUST, encoding="utf-8")

    def start(self) -> None:
        self.host.start(
            "postgres", *_AS_POSTGRES, self._programs / "postgres", "-D", self.folder / "data", "-k", self.folder
        )
        while "accepting" not in self.run("pg_isready", "-h", self.host.address, check=False):
            assert self.host.running["postgres"].poll() is None, "PostgreSQL did not start: see its log"

    def again(self) -> None:
        (self.folder / "data/postmaster.pid").unlink(missing_ok=True)
        self.start()

    def run(self, program: str, *arguments: str | Path, check: bool = True) -> str:
        return self.host.run(*_AS_POSTGRES, self._programs / program, *arguments, check=check)

    def sql(self, statement: str, *, database: str = "circle") -> list[str]:
        """Run a statement as the superuser; return its rows, columns parted by |."""
        at = ["-h", self.host.address, "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1"]
        for _try in range(_TRIES):
            printed = self.run("psql", "-At", *at, "-c", statement, check=False)
            # A standby may cancel a query in favour of replay: asked again, it is answered.
            if _CANCELLED not in printed:
                break
        assert not _WRONG.search(printed), f"{self.host.name}: {statement}\n{printed}"
        return printed.splitlines()

    @contextmanager
    def held(self, table: str) -> Iterator[None]:
        """Have a table stand still: it is read, and who writes to it waits in the middle of their transaction."""
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="circle") as holder:
            holder.execute(SQL("LOCK TABLE {} IN SHARE MODE").format(Identifier(table)))
            yield

    def ask_pooler(self, pool: Host, what: str) -> list[dict[str, str]]:
        """Ask PgBouncer for its `SERVERS` or `CLIENTS`."""
        at = ("-h", pool.address, "-p", "6432", "-U", "circle", "-d", "pgbouncer")
        return list(csv.DictReader(self.run("psql", "--csv", *at, "-c", f"SHOW {what}").splitlines()))

    def reaches(self, other: "Postgres") -> bool:
        """Whether the other server answers from here."""
        return "accepting" in self.run("pg_isready", "-h", other.host.address, check=False)

    def promote(self) -> None:
        self.run("pg_ctl", "promote", "-w", "-D", self.folder / "data")


def programs_of_postgres(folder: Path) -> Path:
    """The wheel's programs, where an unprivileged user may run them."""
    installed = _installed()
    return (installed if anyone_can_enter(installed / "bin") else _copied(installed, folder / "programs")) / "bin"


def _unprivileged() -> pwd.struct_passwd:
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


_USER = _unprivileged()
_AS_POSTGRES = ("setpriv", f"--reuid={_USER.pw_uid}", f"--regid={_USER.pw_gid}", "--clear-groups")


def own(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, _USER.pw_uid, _USER.pw_gid)


def start_pgbouncer(host: Host, folder: Path, primary: str) -> None:
    own(folder)
    (folder / "users.txt").write_text('"circle" ""\n', encoding="utf-8")
    point_pgbouncer(folder, primary)
    host.start("pgbouncer", *_AS_POSTGRES, "pgbouncer", folder / "pgbouncer.ini")


def point_pgbouncer(folder: Path, primary: str) -> None:
    """Write who is the primary; it takes note when it is told to load its file again."""
    keeps = keeps_statements()
    reset, more = (_RESET, "max_prepared_statements = 200") if keeps else ("DISCARD ALL", "")
    content = _PGBOUNCER.format(primary=primary, folder=folder, reset=reset, more=more)
    (folder / "pgbouncer.ini").write_text(content, encoding="utf-8")


@cache
def keeps_statements() -> bool:
    """Whether this PgBouncer follows what its clients prepare."""
    printed = subprocess.run(["pgbouncer", "--version"], capture_output=True, check=True).stdout.decode()  # noqa: S607
    found = re.search(r"PgBouncer (\d+)\.(\d+)", printed)
    assert found, printed
    return (int(found[1]), int(found[2])) >= _KEEPS_STATEMENTS_SINCE


def start_valkey(host: Host, folder: Path, primary: str) -> None:
    folder.mkdir(exist_ok=True)
    lines = [
        f"bind {host.address} 127.0.0.1",
        "port 6379",
        f"dir {folder}",
        f"requirepass {PASSWORD}",
        f"masterauth {PASSWORD}",
        "appendonly yes",
        'save ""',
        "maxmemory-policy noeviction",
        "repl-timeout 5",
        *([f"replicaof {primary} 6379"] if host.address != primary else []),
    ]
    (folder / "valkey.conf").write_text("\n".join(lines), encoding="utf-8")
    host.start("valkey", valkey_program(), folder / "valkey.conf")


def start_sentinel(host: Host, folder: Path, primary: str) -> None:
    folder.mkdir(exist_ok=True)
    content = _SENTINEL.format(address=host.address, folder=folder, password=PASSWORD, service=SERVICE, primary=primary)
    (folder / "sentinel.conf").write_text(content, encoding="utf-8")
    host.start("sentinel", valkey_program(), folder / "sentinel.conf", "--sentinel")


def start_haproxy(host: Host, folder: Path, servers: list[str]) -> None:
    """The proxy of `deploy/`, without TLS and with these servers."""
    folder.mkdir(exist_ok=True)
    left_out = ("log ", "server ", "bind :443", "http-request redirect", "stats socket")
    lines = (ROOT / "deploy/haproxy.cfg").read_text(encoding="utf-8").splitlines()
    [options] = {line.split(maxsplit=3)[3] for line in lines if line.strip().startswith("server ")}
    kept = [line for line in lines if not line.strip().startswith(left_out)]
    kept.insert(kept.index("global") + 1, f"    stats socket {folder}/admin.sock mode 600 level admin")
    kept += [f"    server {server.replace('.', '-').replace(':', '-')} {server} {options}" for server in servers]
    (folder / "haproxy.cfg").write_text("\n".join([*kept, ""]), encoding="utf-8")
    host.start("haproxy", "haproxy", "-W", "-f", folder / "haproxy.cfg")


def sent_to(folder: Path, address: str) -> int:
    """How many requests the proxy waits for at a web host."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(str(folder / "admin.sock"))
        asked.sendall(b"show stat\n")
        printed = b"".join(iter(lambda: asked.recv(65536), b"")).decode()
    servers = csv.DictReader(printed.removeprefix("# ").splitlines())
    return sum(int(one["scur"]) for one in servers if one["svname"].startswith(f"{address.replace('.', '-')}-"))


_S3 = """
from pathlib import Path
import sys
from circle.embedded import start_engines
engines = start_engines(Path(sys.argv[1]), durable=True, which=frozenset({"s3"}))
print(engines.s3_endpoint, engines.s3_access_key, engines.s3_secret_key, engines.pids["s3"])
"""
_FORWARD = """
defaults
    mode tcp
    timeout connect 2s
    timeout client 65s
    timeout server 65s
listen s3
    bind {address}:8333
    server s3 {inner}
"""


class Storage:
    """Object storage on its machine; it listens on loopback alone, so a proxy stands before it."""

    def __init__(self, host: Host, folder: Path) -> None:
        self._host, self._folder = host, folder
        folder.mkdir(exist_ok=True)
        inner = self.start()
        forward = folder / "forward.cfg"
        forward.write_text(_FORWARD.format(address=host.address, inner=inner), encoding="utf-8")
        host.start("forward", "haproxy", "-W", "-f", forward)

    def start(self) -> str:
        printed = self._host.run(sys.executable, "-c", _S3, self._folder).splitlines()[-1]
        endpoint, self.access_key, self.secret_key, pid = printed.split()
        self._pid = int(pid)
        return endpoint.removeprefix("http://")

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
