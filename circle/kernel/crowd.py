"""Calls that wait for the network, side by side: a batch takes as long as its slowest call, not as all together."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def side_by_side(call: Callable[[A], B], all_of: Sequence[A], *, threads: int) -> Iterator[tuple[A, B]]:
    """Call for each, at most so many at once, and yield what came of it as it comes.

    Each call runs in a copy of the caller's context. `call` must not raise. With one thread all runs where it is.
    """
    if threads == 1 or len(all_of) < 2:  # noqa: PLR2004 - one needs no company
        for one in all_of:
            yield one, call(one)
        return
    with ThreadPoolExecutor(min(threads, len(all_of))) as pool:
        waiting = {pool.submit(copy_context().run, call, one): one for one in all_of}
        for done in as_completed(waiting):
            yield waiting[done], done.result()
