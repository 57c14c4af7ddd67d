"""Run a command that ends when its supervisor does: `python follow.py SUPERVISOR_PID COMMAND...`.

A program of its own, and not a hook between fork and exec, because a supervisor with threads must not run Python
there. It imports nothing of ours, so that it costs a few milliseconds.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Ask the kernel for a SIGTERM at the supervisor's death, then become the command."""
    supervisor, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(supervisor):
        sys.exit("the supervisor ended before its process began")
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
