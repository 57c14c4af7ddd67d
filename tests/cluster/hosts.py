"""Machines: network namespaces on one switch, each with its own address, loopback and processes.

The namespace of the tests themselves is not touched: even the switch lies in one of its own.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from circle.kernel.clock import elapsed

ROOT = Path(__file__).parents[2]
NETWORK = "10.77.0"
_PATIENCE_SECONDS = 60.0


class Host:
    """One machine: what is started here is here alone, and reaches others over the switch."""

    def __init__(self, network: "Network", name: str, number: int) -> None:
        self.name = name
        self.address = f"{NETWORK}.{number}"
        self.space = f"{network.prefix}{name}"
        self._network = network
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, tuple[list[str], dict[str, str]]] = {}

    def run(self, *command: str | Path, patient: float = _PATIENCE_SECONDS, check: bool = True, says: str = "") -> str:
        """Run a command here to its end and return what it printed. Errors: AssertionError with its output."""
        result = subprocess.run(  # noqa: S603
            ["ip", "netns", "exec", self.space, *map(str, command)],  # noqa: S607
            cwd=ROOT,
            env=environ(),
            input=says.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=patient,
            check=False,
        )
        printed = result.stdout.decode(errors="replace")
        assert result.returncode == 0 or not check, f"{self.name}: {' '.join(map(str, command))}\n{printed}"
        return printed.strip()

    def start(self, name: str, *command: str | Path, settings: Mapping[str, str] | None = None) -> None:
        """Start a process that stays; `again` starts it with the same command."""
        self._commands[name] = ([*map(str, command)], {**environ(), **(settings or {})})
        self.again(name)

    def again_all(self) -> None:
        """Start everything that once ran here and does not run now, as a machine does that comes up."""
        for name in self._commands:
            if name not in self.running:
                self.again(name)

    def again(self, name: str) -> None:
        command, variables = self._commands[name]
        with (self._network.folder / f"{self.name}-{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(  # noqa: S603
                ["ip", "netns", "exec", self.space, *command],  # noqa: S607
                cwd=ROOT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, *names: str) -> None:
        """End processes with all their children at once; without names everything here, as a power cut does."""
        for name in names:
            process = self.running.pop(name)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if not names:
            self.signal(signal.SIGKILL)
            for process in self.running.values():
                process.wait()
            self.running.clear()

    def end(self, name: str, patient: float = _PATIENCE_SECONDS) -> None:
        """End a process as a service manager does, and wait for it."""
        process = self.running.pop(name)
        process.terminate()
        process.wait(patient)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to whatever runs here: SIGSTOP is a machine that hangs and does not die."""
        for pid in _ip(f"netns pids {self.space}").split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), number)

    def unplug(self) -> None:
        """Pull the cable: packets are lost without a word."""
        self._network.switch(f"link set dev {self.name} down")

    def plug(self) -> None:
        self._network.switch(f"link set dev {self.name} up")


class Network:
    """The switch and what is plugged in; gone without a trace at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = f"c{os.getpid()}-"
        self.hosts: list[Host] = []
        self._space = f"{self.prefix}switch"
        _ip(f"netns add {self._space}")
        self.switch("link add switch type bridge")
        self.switch("link set switch up")

    def host(self, name: str, number: int) -> Host:
        """Plug in a machine."""
        host = Host(self, name, number)
        self.hosts.append(host)
        _ip(f"netns add {host.space}")
        self.switch(f"link add {name} type veth peer name eth0 netns {host.space}")
        self.switch(f"link set {name} master switch up")
        for setting in (f"addr add {host.address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            _ip(f"-n {host.space} {setting}")
        return host

    def switch(self, command: str) -> None:
        _ip(f"-n {self._space} {command}")

    def close(self) -> None:
        for host in self.hosts:
            host.kill()
            _ip(f"netns del {host.space}")
        _ip(f"netns del {self._space}")


def environ() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def wait_until(true: Callable[[], object], what: str, patient: float = _PATIENCE_SECONDS) -> None:
    until = elapsed() + patient
    while not true():
        assert elapsed() < until, f"{what}: not within {patient:g} s"
        time.sleep(0.05)


def _ip(command: str) -> str:
    return subprocess.run(["ip", *command.split()], check=True, capture_output=True).stdout.decode()  # noqa: S603, S607
