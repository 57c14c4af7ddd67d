"""Forked processes that end when they are told to, from their first moment."""

import os
import signal
from collections.abc import Collection

TOLD_TO_END = (signal.SIGTERM, signal.SIGINT)


def forget_handlers_in_forks(numbers: Collection[signal.Signals] = TOLD_TO_END) -> None:
    """Give each process forked from now on the default answers to signals, until it has its own.

    A fork has its parent's handlers, which would take no notice; and Python forgets what arrives while it forks. So
    signals wait outside from before the fork until those handlers are gone.
    """

    def wait_outside() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

    def let_in() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)

    def forget() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        let_in()

    os.register_at_fork(before=wait_outside, after_in_parent=let_in, after_in_child=forget)
