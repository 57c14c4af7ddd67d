"""What the supervisor promises about processes that it forks instead of executing them."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from circle.embedded.nursery import Nursery
from circle.embedded.supervisor import Supervisor
from tests.embedded.test_supervisor import running
from tests.embedded.waiting import is_running, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every command is executed")
ROOT = Path(__file__).parents[2]

_SHOW = """
import json, os, signal, sys
print(json.dumps({
    "argv": sys.argv, "name": __name__, "environ": dict(os.environ), "folder": os.getcwd(), "path": sys.path[0],
    "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
    "blocked": list(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "leads": os.getpid() == os.getpgrp(),
    "warm": "statistics" in sys.modules,
}))
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Programs as a Procfile names them: a module, and a script as pip makes them."""
    (tmp_path / "shown.py").write_text(_SHOW, encoding="utf-8")
    (tmp_path / "waits.py").write_text("import time; print('waits', flush=True); time.sleep(1000)", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/show"
    script.write_text(f"#!{sys.executable}\n{_SHOW}", encoding="utf-8")
    script.chmod(0o755)
    return tmp_path


def make(folder: Path, **commands: str) -> tuple[Supervisor, io.StringIO]:
    """A supervisor whose nursery has imported `statistics`, which stands for an application."""
    out = io.StringIO()
    path = os.pathsep.join((str(folder / "bin"), str(Path(sys.executable).parent), os.defpath))
    environ = {"PATH": path, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    nursery = Nursery(["statistics"], folder=folder, environ=environ)
    return Supervisor(commands, {**environ, "SAYS": "hello"}, folder, out=out, nursery=nursery), out


def shown(command: str, folder: Path, *, forked: bool) -> dict[str, object]:
    supervisor, out = make(folder)
    if not forked:
        assert supervisor.nursery is not None
        supervisor.nursery.end()
    try:
        assert supervisor.run_once("release", command) == 3
        wait_for(lambda: "\n" in out.getvalue(), "its output")
    finally:
        supervisor.stop()
    content: dict[str, object] = json.loads(out.getvalue().partition("|")[2])
    return content


@pytest.mark.parametrize("command", ["python -m shown 3 word", "show 3 word"])
def test_a_forked_program_finds_what_an_executed_one_finds(folder: Path, command: str) -> None:
    forked, executed = shown(command, folder, forked=True), shown(command, folder, forked=False)
    assert (forked.pop("warm"), executed.pop("warm")) == (True, False)
    for one in (forked, executed):
        environ = one["environ"]
        assert isinstance(environ, dict)
        # What a shell adds of its own.
        one["environ"] = {name: environ[name] for name in environ.keys() - {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}}
    assert forked == executed


@pytest.mark.parametrize(
    "command", ["python -m shown $((1 + 2))", "python shown.py 3", "sh -c 'exec python -m shown 3'", "echo"]
)
def test_what_is_no_program_of_this_interpreter_is_executed(folder: Path, command: str) -> None:
    supervisor, _ = make(folder)
    assert supervisor.nursery is not None
    assert supervisor.nursery.start("web", command, supervisor.environ) is None
    supervisor.stop()


def test_a_script_of_another_interpreter_is_executed(folder: Path) -> None:
    (folder / "bin/show").write_text(f"#!{sys.executable}.other\n", encoding="utf-8")
    supervisor, _ = make(folder)
    assert supervisor.nursery is not None
    assert supervisor.nursery.start("web", "show", supervisor.environ) is None
    supervisor.stop()


def test_a_stop_ends_forked_processes_and_the_nursery(folder: Path) -> None:
    supervisor, out = make(folder, web="python -m waits", clock="python -m waits")
    assert supervisor.nursery is not None
    nursery = supervisor.nursery.pid
    with running(supervisor):
        wait_for(lambda: out.getvalue().count("waits") == 2, "output")
        pids = supervisor.pids
        assert {psutil.Process(pid).ppid() for pid in pids.values()} == {nursery}
        assert {psutil.Process(pid).name() for pid in pids.values()} == {"web", "clock"}
    assert not [pid for pid in (nursery, *pids.values()) if is_running(pid)]


def test_a_forked_process_that_is_killed_starts_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circle.embedded.supervisor._FIRST_PAUSE_SECONDS", 0.01)
    supervisor, out = make(folder, web="python -m waits")
    with running(supervisor):
        wait_for(lambda: "waits" in out.getvalue(), "output")
        first = supervisor.pids["web"]
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: out.getvalue().count("waits") == 2, "the next")
        assert supervisor.nursery is not None
        assert psutil.Process(supervisor.pids["web"]).ppid() == supervisor.nursery.pid
    assert "web ended (SIGKILL)" in out.getvalue()


def test_without_its_nursery_the_supervisor_executes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circle.embedded.supervisor._FIRST_PAUSE_SECONDS", 0.01)
    supervisor, out = make(folder, web="python -m waits")
    with running(supervisor):
        wait_for(lambda: "waits" in out.getvalue(), "output")
        assert supervisor.nursery is not None
        first, nursery = supervisor.pids["web"], supervisor.nursery.pid
        os.kill(nursery, signal.SIGKILL)
        wait_for(lambda: out.getvalue().count("waits") == 2, "the next")
        assert psutil.Process(supervisor.pids["web"]).ppid() == os.getpid()
        assert not is_running(first)
    assert "web ended (SIGTERM)" in out.getvalue()


def test_an_application_that_can_not_be_imported_is_executed_and_says_why(folder: Path) -> None:
    (folder / "broken.py").write_text("raise ValueError('the setting is wrong')", encoding="utf-8")
    out = io.StringIO()
    environ = {"PATH": f"{Path(sys.executable).parent}", "PYTHONPATH": str(ROOT)}
    nursery = Nursery(["broken"], folder=folder, environ=environ)
    supervisor = Supervisor({}, environ, folder, out=out, nursery=nursery)
    assert supervisor.run_once("release", "python -m broken") == 1
    wait_for(lambda: "the setting is wrong" in out.getvalue(), "its error")
    supervisor.stop()


def test_a_killed_supervisor_leaves_no_orphans(folder: Path) -> None:
    code = (
        "import os; from pathlib import Path; from circle.embedded.supervisor import Supervisor\n"
        "from circle.embedded.nursery import Nursery\n"
        f"folder = Path({str(folder)!r})\n"
        f"environ = os.environ | {{'PYTHONPATH': {str(ROOT)!r}, 'PATH': {str(Path(sys.executable).parent)!r}}}\n"
        "nursery = Nursery(['statistics'], folder=folder, environ=environ)\n"
        "Supervisor({'web': 'python -m waits'}, environ, folder, nursery=nursery).run()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)  # noqa: S603
    with parent:
        assert parent.stdout is not None
        assert b"waits" in parent.stdout.readline()
        left = psutil.Process(parent.pid).children(recursive=True)
        assert len(left) == 2
        os.kill(parent.pid, signal.SIGKILL)
    wait_for(lambda: not any(is_running(one.pid) for one in left), "the end of its processes")
