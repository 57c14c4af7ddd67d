"""Runs the process types of a Procfile: labelled output, restarts with a growing pause, and no orphans."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import IO, TextIO

from circle.embedded.nursery import Forked, Nursery

STOP_GRACE_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_SECONDS = 30.0  # a process that ran this long starts with a short pause again
_POLL_SECONDS = 0.1
_COLOURS = (36, 32, 33, 35, 34)  # cyan, green, yellow, magenta, blue
_FOLLOW = Path(__file__).with_name("follow.py")

Process = subprocess.Popen[bytes] | Forked


def read_procfile(path: Path) -> dict[str, str]:
    """The process types of a Procfile and their commands, in order."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition(":") for line in lines if line and not line.startswith("#"))
    return {name.strip(): command.strip() for name, _, command in pairs}


@dataclass
class _Slot:
    """One process type: its command, its present process, and when it may start again."""

    name: str
    command: str
    colour: int
    handle: Process | None = None
    started_at: float = 0.0
    pause: float = 0.0
    start_at: float | None = 0.0


@dataclass
class Supervisor:
    """Keeps processes running until `request_stop` is called."""

    commands: Mapping[str, str]
    environ: Mapping[str, str]  # read at each start, so it may be filled later
    folder: Path
    out: TextIO = field(default_factory=lambda: sys.stdout)
    on_change: Callable[[], None] = lambda: None
    nursery: Nursery | None = None  # forks what it can; all else is run as an ordinary command

    def __post_init__(self) -> None:
        self._coloured = self.out.isatty() and "NO_COLOR" not in os.environ
        self._writing = Lock()
        # An ended process, or None for a wish to stop. This kind of queue may be used in signal handlers.
        self._events: SimpleQueue[Process | None] = SimpleQueue()
        self._stop_requests = 0
        self._slots = [
            _Slot(name, command, _COLOURS[number % len(_COLOURS)])
            for number, (name, command) in enumerate(self.commands.items())
        ]

    @property
    def pids(self) -> dict[str, int]:
        """The pids of what runs now; each is also its process group."""
        return {slot.name: slot.handle.pid for slot in self._slots if slot.handle is not None}

    @property
    def stopping(self) -> bool:
        """Whether a stop has been asked for."""
        return self._stop_requests > 0

    def request_stop(self) -> None:
        """Ask `run` to end; a second time: without waiting. May be called in a signal handler."""
        self._stop_requests += 1
        self._events.put(None)

    def run_once(self, name: str, command: str) -> int:
        """Run a command to its end and return its exit code; a wish to stop ends it early."""
        slot = _Slot(name, command, _COLOURS[-1])
        handle = self._start(slot)
        while handle.poll() is None:
            self._next_event(_POLL_SECONDS)
            if self.stopping:
                self._end([slot])
        _signal_group(handle, signal.SIGKILL)
        return handle.wait()

    def run(self, *, until: Callable[[], bool] = lambda: False, timeout: float | None = None) -> bool:
        """Keep all running until `until` holds (True), a stop is asked for (False) or time is up (False)."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.stopping:
            if until():
                return True
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return False
            for slot in self._slots:
                if slot.start_at is not None and slot.start_at <= now:
                    self._start(slot)
                    self.on_change()
            self._next_event(self._wait_seconds(polling=timeout is not None))
        return False

    def stop(self) -> None:
        """End every process with its group: SIGTERM, and SIGKILL after a grace."""
        self._end(self._slots)
        if self.nursery is not None:
            self.nursery.end()

    def say(self, text: str) -> None:
        """A line of the supervisor's own."""
        self._write("circle", 37, text)

    def _start(self, slot: _Slot) -> Process:
        forked = self.nursery and self.nursery.start(slot.name, slot.command, self.environ)
        handle = forked or self._execute(slot.command)
        slot.handle, slot.started_at, slot.start_at = handle, time.monotonic(), None
        Thread(target=self._copy_output, args=(slot, handle.stdout), daemon=True).start()
        Thread(target=self._report_end, args=(handle,), daemon=True).start()
        return handle

    def _execute(self, command: str) -> Process:
        follow = [sys.executable, "-I", "-S", str(_FOLLOW), str(os.getpid())]
        return subprocess.Popen(  # noqa: S603
            [*follow, "/bin/sh", "-c", f"exec {command}"],
            cwd=self.folder,
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its own group to signal, and out of reach of Ctrl-C
        )

    def _copy_output(self, slot: _Slot, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self._write(slot.name, slot.colour, line.decode(errors="replace").rstrip("\r\n"))

    def _report_end(self, handle: Process) -> None:
        handle.wait()
        self._events.put(handle)

    def _wait_seconds(self, *, polling: bool) -> float | None:
        waits = [max(slot.start_at - time.monotonic(), 0) for slot in self._slots if slot.start_at is not None]
        return min(waits + ([_POLL_SECONDS] if polling else []), default=None)

    def _next_event(self, timeout: float | None) -> None:
        try:
            ended = self._events.get(timeout=timeout)
        except Empty:
            return
        for slot in self._slots:
            if ended is not None and slot.handle is ended:
                self._plan_restart(slot, ended)

    def _plan_restart(self, slot: _Slot, ended: Process) -> None:
        _signal_group(ended, signal.SIGKILL)  # children that outlived it would hold its port or its jobs
        now = time.monotonic()
        steady = now - slot.started_at >= _STEADY_SECONDS
        slot.pause = min(slot.pause * 2, _LONGEST_PAUSE_SECONDS) if slot.pause and not steady else _FIRST_PAUSE_SECONDS
        slot.handle, slot.start_at = None, now + slot.pause
        self.say(f"{slot.name} ended ({_reason(ended.wait())}), it starts again in {slot.pause:g} s")
        self.on_change()

    def _end(self, slots: list[_Slot]) -> None:
        handles = [slot.handle for slot in slots if slot.handle is not None]
        for handle in handles:
            _signal_group(handle, signal.SIGTERM)
        deadline = time.monotonic() + STOP_GRACE_SECONDS
        impatient = self._stop_requests + 1
        while any(handle.poll() is None for handle in handles):
            if time.monotonic() >= deadline or self._stop_requests >= impatient:
                names = [slot.name for slot in slots if slot.handle and slot.handle.poll() is None]
                self.say(f"{', '.join(names)} did not end in time and is killed")
                break
            time.sleep(_POLL_SECONDS / 5)
        for handle in handles:
            _signal_group(handle, signal.SIGKILL)
            handle.wait()

    def _write(self, label: str, colour: int, text: str) -> None:
        head = f"{label:<8}|"
        with self._writing:
            self.out.write(f"\x1b[{colour}m{head}\x1b[0m {text}\n" if self._coloured else f"{head} {text}\n")
            self.out.flush()


def _signal_group(handle: Process, number: signal.Signals) -> None:
    try:
        os.killpg(handle.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # nobody left in the group; macOS says so with "not permitted" while a zombie is


def _reason(returncode: int) -> str:
    return f"exit code {returncode}" if returncode >= 0 else signal.Signals(-returncode).name
