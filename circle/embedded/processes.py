"""Starting, finding and ending engine processes.

An engine is found by its program name and working folder, which the kernel knows, and not by a pid file, which may
be stale or missing after a kill.
"""

import atexit
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_LOG_KEPT_BYTES = 5_000_000
_POLL_SECONDS = 0.02
_KILL_GRACE_SECONDS = 5.0

# Engines outlive the call that starts them: their handles are kept, so that they can be reaped when they end.
_started: dict[int, subprocess.Popen[bytes]] = {}


@atexit.register
def _let_go() -> None:
    """Engines may outlive this process, too; without this, the library would warn that somebody forgot them."""
    for handle in _started.values():
        if handle.poll() is None:
            handle.returncode = 0


class EngineError(RuntimeError):
    """An engine could not be started or stopped; the message says which, why, and where its log is."""


@dataclass(frozen=True)
class Owner:
    """The user an engine runs as when the caller may not run it as itself."""

    uid: int
    gid: int


def find(program: str, folder: Path) -> psutil.Process | None:
    """The running process of this program whose working folder is `folder`; its top one if there are several."""
    matches = {}
    for process in psutil.process_iter(["name"]):
        if process.info["name"] != program:
            continue
        try:
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                matches[process.pid] = process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # ended meanwhile, or another user's: not ours
    for process in matches.values():
        try:
            if process.ppid() not in matches:
                return process
        except psutil.NoSuchProcess:
            continue
    return None


def spawn(
    command: Sequence[str | Path],
    *,
    folder: Path,
    log: Path,
    environ: Mapping[str, str],
    owner: Owner | None = None,
    pass_fds: Sequence[int] = (),
) -> psutil.Process:
    """Start an engine in `folder`, its output in `log`; in its own session, so that Ctrl-C reaches only us."""
    if log.exists() and log.stat().st_size > _LOG_KEPT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        log.chmod(0o600)
        handle = subprocess.Popen(  # noqa: S603
            [str(part) for part in command],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
            user=owner.uid if owner else None,
            group=owner.gid if owner else None,
            extra_groups=[] if owner else None,
        )
    _started[handle.pid] = handle
    return psutil.Process(handle.pid)


def wait_until(ready: Callable[[], bool], process: psutil.Process, *, timeout: float) -> bool:
    """Whether `ready` came true before the process ended or `timeout` seconds passed."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not is_alive(process):
            return False
        if ready():
            return True
        time.sleep(_POLL_SECONDS)
    return False


def is_alive(process: psutil.Process) -> bool:
    """Whether the process still runs; a child of ours that ended is reaped."""
    handle = _started.get(process.pid)
    if handle is not None and handle.poll() is not None:
        del _started[process.pid]
        return False
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(process: psutil.Process, *signals: signal.Signals, grace: float) -> None:
    """Send the signals one by one, `grace` seconds apart, and SIGKILL at last, until the process is gone."""
    for number in (*signals, signal.SIGKILL):
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return
        deadline = time.monotonic() + (_KILL_GRACE_SECONDS if number is signal.SIGKILL else grace)
        while time.monotonic() < deadline:
            if not is_alive(process):
                return
            time.sleep(_POLL_SECONDS)
    raise EngineError(f"process {process.pid} does not end")


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log, for an error message."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
