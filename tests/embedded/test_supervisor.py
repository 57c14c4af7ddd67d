"""What the supervisor promises about the processes it runs."""

import io
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import psutil
import pytest

from circle.embedded import supervisor as module
from circle.embedded.supervisor import Supervisor, read_procfile
from tests.embedded.waiting import is_running, wait_for

ROOT = Path(__file__).parents[2]


@contextmanager
def running(supervisor: Supervisor) -> Iterator[None]:
    """Run it until the block ends, then stop it."""
    thread = Thread(target=supervisor.run)
    # Children follow the thread that made them, which therefore has to outlive them.
    thread.start()
    try:
        yield
    finally:
        supervisor.request_stop()
        supervisor.stop()
        thread.join()


def python(code: str) -> str:
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


def make(tmp_path: Path, **commands: str) -> tuple[Supervisor, io.StringIO]:
    out = io.StringIO()
    return Supervisor(commands, os.environ, tmp_path, out=out), out


def test_a_procfile_is_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_text("# types\n\nweb: run --bind=a:1\nworker:  work\n", encoding="utf-8")
    assert list(read_procfile(path).items()) == [("web", "run --bind=a:1"), ("worker", "work")]


def test_output_lines_carry_the_name(tmp_path: Path) -> None:
    supervisor, out = make(tmp_path, web="echo hello; sleep 1000")
    with running(supervisor):
        wait_for(lambda: "hello" in out.getvalue(), "output")
    assert "web     | hello\n" in out.getvalue()


def test_a_process_that_dies_starts_again_after_a_growing_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE_SECONDS", 0.01)
    supervisor, out = make(tmp_path, web="false", worker="sleep 1000")
    with running(supervisor):
        wait_for(lambda: "again in 0.08 s" in out.getvalue(), "the fourth restart")
        worker = supervisor.pids["worker"]
        assert is_running(worker)
    said = [line for line in out.getvalue().splitlines() if "web ended" in line]
    assert [line.rpartition("again in ")[2] for line in said[:4]] == ["0.01 s", "0.02 s", "0.04 s", "0.08 s"]
    assert "exit code 1" in said[0]


def test_a_stop_ends_grandchildren_too(tmp_path: Path) -> None:
    code = "import subprocess; p = subprocess.Popen(['sleep', '1000']); print(p.pid, flush=True); p.wait()"
    supervisor, out = make(tmp_path, worker=python(code))
    with running(supervisor):
        wait_for(lambda: out.getvalue().endswith("\n"), "the grandchild")
        grandchild = int(out.getvalue().split()[-1])
        assert is_running(grandchild)
    wait_for(lambda: not is_running(grandchild), "the grandchild's end")


def test_a_process_that_ignores_the_request_is_killed_after_the_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_GRACE_SECONDS", 0.2)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(1000)"
    supervisor, out = make(tmp_path, worker=python(code))
    with running(supervisor):
        wait_for(lambda: "deaf" in out.getvalue(), "the process")
        pid = supervisor.pids["worker"]
    assert not is_running(pid)
    assert "worker did not end in time and is killed" in out.getvalue()


def test_a_command_run_once_tells_its_exit_code(tmp_path: Path) -> None:
    supervisor, out = make(tmp_path)
    assert supervisor.run_once("release", python("print('migrating'); raise SystemExit(3)")) == 3
    wait_for(lambda: "release | migrating" in out.getvalue(), "its output")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems clean up at the next start")
def test_a_killed_supervisor_leaves_no_orphans(tmp_path: Path) -> None:
    code = (
        "import os; from pathlib import Path; from circle.embedded.supervisor import Supervisor\n"
        f"Supervisor({{'web': 'sleep 1000', 'clock': 'sleep 1000'}}, os.environ, Path({str(tmp_path)!r})).run()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)  # noqa: S603 - our own script
    try:
        known = psutil.Process(parent.pid)
        wait_for(lambda: [p.name() for p in known.children()] == ["sleep", "sleep"], "its processes")
        children = [child.pid for child in known.children()]
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    wait_for(lambda: not any(is_running(pid) for pid in children), "the end of its processes")
