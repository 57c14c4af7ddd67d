"""A desk at which threads hand in slips: whoever comes first writes down all that lie there, in one go."""

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Generic, TypeVar

S = TypeVar("S")
R = TypeVar("R")


class _Slip(Generic[S, R]):
    def __init__(self, content: S) -> None:
        self.content = content
        # One, once it is written.
        self.answers: list[R] = []


class Desk(Generic[S, R]):
    """Writes what threads hand in, one batch at a time: `write` returns an answer for each slip, in their order.

    While one batch is written the next one gathers. Where that fails, whoever wrote gets the error, and the slips of
    the others lie there again.
    """

    def __init__(self, write: Callable[[Sequence[S]], Sequence[R]]) -> None:
        self._write = write
        self._waiting: SimpleQueue[_Slip[S, R]] = SimpleQueue()
        self._clerk = Lock()

    def hand_in(self, content: S) -> R:
        """Return the answer to a slip, once it is written."""
        slip = _Slip[S, R](content)
        self._waiting.put(slip)
        with self._clerk:
            if not slip.answers:
                self._write_all(slip)
        return slip.answers[0]

    def _write_all(self, own: _Slip[S, R]) -> None:
        batch = list[_Slip[S, R]]()
        while True:
            try:
                batch.append(self._waiting.get_nowait())
            except Empty:
                break
        answers: Sequence[R] = ()
        try:
            answers = self._write([one.content for one in batch])
        finally:
            for one in batch if not answers else ():
                if one is not own:
                    self._waiting.put(one)
        for one, answer in zip(batch, answers, strict=True):
            one.answers.append(answer)
