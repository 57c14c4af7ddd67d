"""`circle up` from outside: what it starts, writes, survives and leaves."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from circle.embedded.datafolder import DataFolder, random_free_port
from circle.embedded.leftovers import end_leftovers, remember_processes
from tests.embedded.waiting import is_running, wait_for

ROOT = Path(__file__).parents[2]
GIVEN_ENGINES = {
    "DATABASE_URL": "postgresql+psycopg://somebody@db.example/circle",
    "REDIS_URL": "redis://cache.example/0",
    "S3_ENDPOINT": "https://objects.example",
}
_UP = """
import sys
from pathlib import Path
from circle.embedded.up import up

data, port, procfile = sys.argv[1:]
sys.exit(up(data_dir=Path(data), host="127.0.0.1", port=int(port), test_mode=True, procfile=Path(procfile)))
"""


class Up:
    """A running `up`."""

    def __init__(self, data: Path, procfile: Path, port: int, **environ: str) -> None:
        self.data = data
        self.log = data.parent / f"up-{data.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own script
                [sys.executable, "-c", _UP, str(data), str(port), str(procfile)],
                cwd=ROOT,
                env=os.environ | environ,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def ready(self) -> dict[str, Any]:
        run = self.data / "run.json"
        wait_for(lambda: self._is_mine(run) or self.process.poll() is not None, "run.json")
        assert self.process.poll() is None, self.said()
        content: dict[str, Any] = json.loads(run.read_text(encoding="utf-8"))
        return content

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def _is_mine(self, run: Path) -> bool:
        try:
            return bool(json.loads(run.read_text(encoding="utf-8"))["pids"]["supervisor"] == self.process.pid)
        except FileNotFoundError:
            return False


StartUp = Callable[..., Up]


@pytest.fixture
def start_up(make_folder: Callable[..., Path], procfile: Path) -> Iterator[StartUp]:
    started: list[Up] = []

    def start(data: Path | None = None, port: int | None = None, **environ: str) -> Up:
        up = Up(data or make_folder(), procfile, port or random_free_port(), **environ)
        started.append(up)
        return up

    yield start
    for up in started:
        if up.process.poll() is None:
            up.end()


def test_up_runs_everything_says_where_and_leaves_nothing(start_up: StartUp) -> None:
    up = start_up()
    run = up.ready()
    assert run.keys() == {"base_url", "database_url", "redis_url", "s3_endpoint", "settings", "pids", "started_at"}
    assert run["pids"].keys() == {"supervisor", "web", "worker", "clock", "postgres", "valkey", "s3"}
    assert httpx.get(f"{run['base_url']}/readyz").status_code == 200
    wait_for(lambda: "Stop with Ctrl-C" in up.said(), "the summary")
    for word in ("release | released", "web     | web listens", f"{run['base_url']}/docs", "/dev/mailbox"):
        assert word in up.said()

    assert up.end(signal.SIGINT) == 0

    assert not [name for name, pid in run["pids"].items() if is_running(pid)]
    assert not (up.data / "run.json").exists()


@pytest.mark.reliability
def test_after_a_kill_the_next_up_recovers(start_up: StartUp) -> None:
    first = start_up()
    before = first.ready()
    first.process.kill()
    first.process.wait()

    second = start_up(first.data)
    after = second.ready()

    assert after["database_url"] == before["database_url"]
    assert not [name for name in ("web", "worker", "clock") if is_running(before["pids"][name])]
    assert second.end() == 0


def test_a_second_up_on_the_same_folder_says_who_holds_it(start_up: StartUp) -> None:
    first = start_up(**GIVEN_ENGINES)
    run = first.ready()
    second = start_up(first.data, **GIVEN_ENGINES)

    assert second.process.wait(timeout=30) == 1
    assert f"is in use by process {first.process.pid} (circle up), {run['base_url']}" in second.said()
    assert first.end() == 0


def test_a_taken_web_port_is_replaced_and_named(start_up: StartUp) -> None:
    port = random_free_port()
    with socket.create_server(("127.0.0.1", port)):
        up = start_up(port=port, **GIVEN_ENGINES)
        run = up.ready()
        wait_for(lambda: "Stop with Ctrl-C" in up.said(), "the summary")
    assert not run["base_url"].endswith(f":{port}")
    assert f"port {port} was taken" in up.said()
    assert up.end() == 0


def test_given_engines_are_used_and_not_started(start_up: StartUp) -> None:
    up = start_up(**GIVEN_ENGINES)
    run = up.ready()
    assert run["database_url"] == GIVEN_ENGINES["DATABASE_URL"]
    assert run["pids"].keys() == {"supervisor", "web", "worker", "clock"}
    assert up.end() == 0


def test_a_failing_release_starts_nothing(start_up: StartUp, procfile: Path) -> None:
    procfile.write_text(f"release: {sys.executable} -c 'exit(7)'\nweb: sleep 1000\n", encoding="utf-8")
    up = start_up(**GIVEN_ENGINES)
    assert up.process.wait(timeout=30) == 1
    assert "failed with exit code 7; nothing was started" in up.said()


def test_processes_left_by_a_killed_run_are_ended(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    left = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
    remember_processes(folder, {"worker": left.pid})
    reaper = Thread(target=left.wait)  # in real life it would have no parent any more
    reaper.start()
    try:
        assert end_leftovers(folder) == ["worker"]
    finally:
        left.kill()
        reaper.join()
    assert left.returncode == -signal.SIGTERM


def test_a_stranger_with_a_remembered_pid_is_left_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    remember_processes(folder, {"worker": os.getpid()})
    noted = folder.read_json("processes.json")
    noted["worker"]["created"] -= 100
    folder.write_json("processes.json", noted)
    assert end_leftovers(folder) == []
