"""Processes that a killed supervisor may leave behind: remembered in the data folder, ended by the next run."""

import os
import signal
import time
from collections.abc import Mapping

import psutil

from circle.embedded.datafolder import DataFolder

_GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.05
_SAME_MOMENT_SECONDS = 1.0


def remember_processes(folder: DataFolder, pids: Mapping[str, int]) -> None:
    """Note the running process groups, so that the next run can end what this one could not."""
    content: dict[str, object] = {"boot": psutil.boot_time()}
    for name, pid in pids.items():
        try:
            content[name] = {"pid": pid, "created": psutil.Process(pid).create_time()}
        except psutil.NoSuchProcess:
            continue
    folder.write_json("processes.json", content)


def end_leftovers(folder: DataFolder) -> list[str]:
    """End what an earlier run noted and left running; its names."""
    noted = folder.read_json("processes.json")
    if not _about(noted.pop("boot", 0), psutil.boot_time()):
        return []  # the machine was started anew: these pids mean nothing any more
    left = {name: entry["pid"] for name, entry in noted.items() if _is_left(entry["pid"], entry["created"])}
    for number, grace in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, _GRACE_SECONDS)):
        deadline = time.monotonic() + grace
        for pid in left.values():
            _signal_group(pid, number)
        while any(_signal_group(pid, 0) for pid in left.values()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    return list(left)


def _is_left(pid: int, created: float) -> bool:
    """Whether the group is still the noted one.

    A pid is not given out again while its group has members. So only a leader that is alive can be somebody else.
    """
    try:
        return _about(psutil.Process(pid).create_time(), created)
    except psutil.NoSuchProcess:
        return _signal_group(pid, 0)


def _signal_group(pid: int, number: int) -> bool:
    """Whether the group is there; 0 only asks."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _about(one: float, other: float) -> bool:
    return abs(one - other) < _SAME_MOMENT_SECONDS
