"""`circle up`: engines, release, processes and a summary, on one machine and from one data folder."""

import http.client
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from circle.config import Settings
from circle.embedded.datafolder import LOOPBACK, DataFolder, DataFolderBusyError, is_free, random_free_port
from circle.embedded.engines import Engines, start_engines, stop_engines
from circle.embedded.leftovers import end_leftovers, remember_processes
from circle.embedded.nursery import Nursery
from circle.embedded.processes import EngineError
from circle.embedded.supervisor import Supervisor, read_procfile

_READY_TIMEOUT_SECONDS = 60.0
_PROBE_TIMEOUT_SECONDS = 5.0
_PORTS_TRIED = 20
# Web and workers share the cores here: who waits for a page goes before what is due anyway.
_WORKER_NICE = "5"
SETTINGS = tuple(one.name.upper() for one in fields(Settings))
_GIVEN_BY = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL", "s3": "S3_ENDPOINT"}


def up(*, data_dir: Path, host: str, port: int, test_mode: bool, procfile: Path, warm: Sequence[str] = ()) -> int:
    """Run everything until SIGINT or SIGTERM, and return the exit code for the shell.

    An engine whose address is already in the environment is used from there and not started. The modules `warm` are
    imported once for all processes.
    """
    folder = DataFolder(data_dir)
    try:
        with folder.locked("up.lock", purpose="circle up", timeout=0):
            return _Run(folder, host, port, test_mode=test_mode, procfile=procfile, warm=warm).go()
    except DataFolderBusyError as busy:
        address = folder.read_json("run.json").get("base_url", "not ready yet")
        return _fail(f"{busy}, {address}. End that one first, or give another data folder.")


class _Run:
    """One `up`, from start to stop."""

    def __init__(
        self, folder: DataFolder, host: str, port: int, *, test_mode: bool, procfile: Path, warm: Sequence[str]
    ) -> None:
        self._folder = folder
        self._test_mode = test_mode
        self._host = host
        self._asked_port = port
        self._port = _free_port(host, port)
        self._reachable = LOOPBACK if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 - compared, not bound
        self._base_url = f"http://{self._reachable}:{self._port}"
        self._engines = Engines(data_dir=folder.root)
        self._environ = os.environ | self._fixed_environ()
        self._last_answer = "no answer"
        self._ready_since: str | None = None
        commands = read_procfile(procfile)
        self._release = commands.pop("release", None)
        root = procfile.resolve().parent
        self._supervisor = Supervisor(commands, self._environ, root, on_change=self._record)
        self._warm = warm

    def go(self) -> int:
        """The steps in order; whatever happens, nothing is left running."""
        with _calling_on_signals(self._supervisor.request_stop):
            try:
                self._start_nursery()
                self._recover()
                self._start_engines()
                return self._serve()
            except EngineError as error:
                return _fail(str(error))
            finally:
                self._supervisor.stop()
                # Also engines of an earlier run of which this one was not told to use any.
                stop_engines(self._folder.root)
                self._folder.forget("run.json")
                self._folder.forget("processes.json")

    def _fixed_environ(self) -> dict[str, str]:
        """What is known before the engines run."""
        return {
            "HOST": self._host,
            "PORT": str(self._port),
            "CIRCLE_DATA_DIR": str(self._folder.root),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "WORKER_NICE": os.environ.get("WORKER_NICE", _WORKER_NICE),
            "PYTHONUNBUFFERED": "1",  # output reaches the terminal line by line
            # Read when the metrics' library is imported, so it is the same for all.
            "PROMETHEUS_MULTIPROC_DIR": str(self._folder.root / "metrics"),
            **({"TEST_MODE": "1"} if self._test_mode else {}),
        }

    def _start_nursery(self) -> None:
        """Import the application while the engines start."""
        metrics = self._folder.root / "metrics"
        shutil.rmtree(metrics, ignore_errors=True)  # the counts of processes that are gone
        metrics.mkdir()
        if self._warm and sys.platform == "linux":
            supervisor = self._supervisor
            supervisor.nursery = Nursery(self._warm, folder=supervisor.folder, environ=self._environ)

    def _recover(self) -> None:
        self._folder.forget("run.json")
        for name in end_leftovers(self._folder):
            self._supervisor.say(f"ended {name}, left behind by a run that was killed")

    def _start_engines(self) -> None:
        missing = frozenset(engine for engine, variable in _GIVEN_BY.items() if not os.environ.get(variable))
        self._engines = start_engines(self._folder.root, which=missing)
        self._environ |= self._engines.environ()
        self._environ.setdefault("SECRET_KEY", self._folder.secret("secret_key"))
        self._environ.setdefault("SITE_URL", self._base_url)
        # Until the operator names a mail server, mail can be read on the mailbox page, from this machine.
        self._environ.setdefault("MAIL_URL", "mailbox:")
        self._environ.setdefault("SMS_URL", "mailbox:")

    def _serve(self) -> int:
        if self._release is not None and not self._supervisor.stopping:
            code = self._supervisor.run_once("release", self._release)
            if code != 0 and not self._supervisor.stopping:
                return _fail(f"`{self._release}` failed with exit code {code}; nothing was started")
        if not self._supervisor.run(until=self._answers, timeout=_READY_TIMEOUT_SECONDS):
            if self._supervisor.stopping:
                return 0
            missing = sorted(self._supervisor.commands.keys() - self._supervisor.pids.keys())
            parts = f"; not running: {', '.join(missing)}" if missing else ""
            return _fail(f"{self._base_url}/readyz after {_READY_TIMEOUT_SECONDS:.0f} s: {self._last_answer}{parts}")
        self._ready_since = datetime.now(UTC).isoformat(timespec="seconds")
        self._record()
        _print(*self._summary())
        self._supervisor.run()
        return 0

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self._reachable, self._port, timeout=_PROBE_TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            self._last_answer = f"{answer.status} {answer.read(2000).decode(errors='replace').strip()}"
        except (OSError, http.client.HTTPException) as error:
            self._last_answer = f"no answer ({error})"
            return False
        finally:
            connection.close()
        return answer.status == http.client.OK

    def _record(self) -> None:
        remember_processes(self._folder, self._supervisor.pids)
        if self._ready_since is None:
            return
        content = {
            "base_url": self._base_url,
            "database_url": self._environ["DATABASE_URL"],
            "redis_url": self._environ["REDIS_URL"],
            "s3_endpoint": self._environ["S3_ENDPOINT"],
            # What its processes were given, for commands that look after it.
            "settings": {name: self._environ[name] for name in SETTINGS if name in self._environ},
            "pids": {"supervisor": os.getpid(), **self._supervisor.pids, **self._engines.pids},
            "started_at": self._ready_since,
        }
        self._folder.write_json("run.json", content)

    def _summary(self) -> Iterator[str]:
        yield ""
        yield f"Circle is ready:  {self._base_url}"
        yield f"  API documents   {self._base_url}/docs"
        if self._environ["MAIL_URL"] == "mailbox:":
            yield f"  mailbox         {self._base_url}/dev/mailbox"
        for name, variable in _GIVEN_BY.items():
            # Without credentials: they are in the data folder, and a terminal is often shared.
            where = self._environ[variable].rpartition("@")[2].removeprefix("http://")
            yield f"  {name:<15} {where}{'' if name in self._engines.pids else f'  (given by {variable})'}"
        yield f"  data            {self._folder.root}"
        if self._port != self._asked_port:
            yield f"  note            web: port {self._asked_port} was taken, it now uses {self._port}"
        for note in self._engines.notes:
            yield f"  note            {note}"
        for line in self._folder.read_json("demo.json").get("login", []):
            yield f"  log in          {line}"
        yield "Stop with Ctrl-C; the data stays."
        yield ""


def _free_port(host: str, port: int) -> int:
    """The port that was asked for, else one of the next, else any."""
    wanted = range(port, port + _PORTS_TRIED) if port else ()
    return next((candidate for candidate in wanted if is_free(host, candidate)), None) or random_free_port(host)


@contextmanager
def _calling_on_signals(action: Callable[[], None]) -> Iterator[None]:
    """While inside, SIGINT, SIGTERM and a closed terminal call `action` instead of ending the process."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as it is under nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: action()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _fail(message: str) -> int:
    sys.stderr.write(f"circle up: {message}\n")
    return 1
