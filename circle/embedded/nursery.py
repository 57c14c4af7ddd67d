"""One process that has imported the application, from which the supervisor's processes are forked.

`python -m circle.embedded.nursery SUPERVISOR_PID SOCKET MODULE…` imports the modules once and then waits. For each
command it is sent, it forks a child that runs what the command names, as the interpreter would: a script or
`-m module`. So the import is paid once, and its memory is shared. Linux only: elsewhere libraries of the system don't
bear a fork without an exec.

Forking is safe because nothing here has a thread, a connection, or random numbers of its own.
"""

import ctypes
import gc
import importlib
import json
import os
import re
import runpy
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import IO, Any

_MOST_BYTES = 1 << 20
_OUTPUT, _STATUS = 0, 1  # the descriptors that come with a command
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # linux/prctl.h
_OF_THE_SHELL = frozenset("$`\"'\\|&;<>()*?[]{}~#!\n")
_SHEBANG_BYTES = 512
_FDS_OF_START = 2

Program = Callable[[], object]


class Forked:
    """A process of the nursery's, to its supervisor; what is used of `subprocess.Popen`."""

    def __init__(self, pid: int, output: IO[bytes], status: IO[bytes]) -> None:
        self.pid = pid
        self.stdout = output
        self.returncode: int | None = None
        self._status = status
        self._waiting = Lock()

    def poll(self) -> int | None:
        """The exit code, None while somebody waits for it in `wait`."""
        return self.returncode

    def wait(self) -> int:
        """Wait for the end. If the nursery has ended, its children are ending, too."""
        with self._waiting:
            if self.returncode is None:
                with self._status:
                    self.returncode = int(self._status.readline() or -signal.SIGTERM)
        return self.returncode


class Nursery:
    """The supervisor's side: starts the process, and asks it for children."""

    def __init__(self, modules: Sequence[str], *, folder: Path, environ: Mapping[str, str]) -> None:
        self._line, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                [sys.executable, "-m", "circle.embedded.nursery", str(os.getpid()), str(its.fileno()), *modules],
                cwd=folder,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(its.fileno(),),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self, name: str, command: str, environ: Mapping[str, str]) -> Forked | None:
        """Fork a process that runs the command; None if it is no program of this interpreter, or if all is over.

        The first call waits until the modules are imported.
        """
        program = _program(command, environ)
        if program is None or self._process.poll() is not None:
            return None
        output, its_output = os.pipe()
        status, its_status = os.pipe()
        try:
            wanted = json.dumps({"name": name, "program": program, "environ": dict(environ)}).encode()
            socket.send_fds(self._line, [wanted], [its_output, its_status])
        except OSError:
            # It has just ended, or the environment is too large to be sent.
            os.close(output)
            os.close(status)
            return None
        finally:
            os.close(its_output)
            os.close(its_status)
        answers = os.fdopen(status, "rb")
        pid = answers.readline()
        if not pid:
            answers.close()
            os.close(output)
            return None
        return Forked(int(pid), os.fdopen(output, "rb"), answers)

    def end(self) -> None:
        """End the process; its children are asked to end, too."""
        self._line.close()
        self._process.wait()


def _program(command: str, environ: Mapping[str, str]) -> list[str] | None:
    """The arguments after the interpreter, if the command needs no shell and is a program of this interpreter."""
    if _OF_THE_SHELL & set(command):
        return None
    first, *rest = shlex.split(command)
    found = shutil.which(first, path=environ.get("PATH"))
    if found is None:
        return None
    if Path(found).parent == Path(sys.executable).parent and Path(found).samefile(sys.executable):
        return rest if rest[:1] == ["-m"] and rest[1:] else None
    with Path(found).open("rb") as script:
        # pip writes `#!/bin/sh` and the interpreter below it where the path is too long for a first line.
        head = script.read(_SHEBANG_BYTES)
    ours = re.search(re.escape(os.fsencode(sys.executable)) + rb'["\s]', head)
    return [found, *rest] if head.startswith(b"#!") and ours else None


def main() -> None:
    """Import, then fork until the supervisor hangs up; in a child: run its program."""
    supervisor, descriptor, *modules = sys.argv[1:]
    follow(int(supervisor))
    gc.disable()  # nothing that is imported here goes away again
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # collecting it in a child would only copy shared pages
    with socket.socket(fileno=int(descriptor)) as line:
        program = _serve(line)
    # Outside of all that is the nursery's, so that a child ends as any other program does.
    if program is not None:
        gc.enable()
        program()


def follow(parent: int) -> None:
    """Have the kernel end this process with its parent."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the supervisor ended before its process began")


def _prctl(option: int, value: object) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


def _serve(line: socket.socket) -> Program | None:
    """Fork a child for each command. Returns in the child what it has to run, in the nursery None at the end."""
    statuses: dict[int, int] = {}

    def reap(_number: int, _frame: object) -> None:
        while statuses:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            _tell(statuses[pid], os.waitstatus_to_exitcode(status))
            os.close(statuses.pop(pid))

    signal.signal(signal.SIGCHLD, reap)
    while True:
        message, descriptors, _, _ = socket.recv_fds(line, _MOST_BYTES, _FDS_OF_START)
        if not message:
            return None
        nursery = os.getpid()
        # A child that ends at once must not be reaped before it is known.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            for descriptor in (*statuses.values(), descriptors[_STATUS]):
                os.close(descriptor)
            return _prepare(json.loads(message), descriptors[_OUTPUT], nursery)
        os.close(descriptors[_OUTPUT])
        statuses[pid] = descriptors[_STATUS]
        _tell(descriptors[_STATUS], pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _tell(status: int, number: int) -> None:
    try:
        os.write(status, f"{number}\n".encode())
    except BrokenPipeError:
        return  # the supervisor does not wait for this one any more


def _prepare(wanted: dict[str, Any], output: int, nursery: int) -> Program:
    """Make a forked process what an exec would have made of it."""
    os.setsid()  # its own group to signal
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    follow(nursery)
    _prctl(_PR_SET_NAME, ctypes.c_char_p(str(wanted["name"]).encode()))  # tells it apart in `top`
    os.environ.clear()
    os.environ.update(dict(wanted["environ"]))
    program = list(wanted["program"])
    if program[0] == "-m":
        sys.argv = program[1:]
        return lambda: runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    sys.argv = program
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(program[0]).parent)
    return lambda: runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    main()
