"""What threads hand in at the same moment is written in one go, and each gets its own answer."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from circle.kernel.desk import Desk


class Book:
    """Writes numbers, the first time only when told to go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.go_on = Event(), Event()

    def write(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(sorted(numbers))
        if not self.begun.is_set():
            self.begun.set()
            self.go_on.wait(10)
        if 13 in numbers:
            raise ValueError("thirteen")
        return [-number for number in numbers]


def gathered(desk: Desk[int, int], book: Book, pool: ThreadPoolExecutor, numbers: Sequence[int]) -> list[object]:
    """Hand in a first number and, while that is written, the others; return what each came to."""
    calls = [pool.submit(desk.hand_in, numbers[0])]
    book.begun.wait(10)
    calls += [pool.submit(desk.hand_in, number) for number in numbers[1:]]
    while desk._waiting.qsize() < len(numbers) - 1:
        pass
    book.go_on.set()
    return [call.exception() or call.result() for call in calls]


def test_slips_that_gather_meanwhile_are_written_together() -> None:
    book = Book()
    with ThreadPoolExecutor(8) as pool:
        assert gathered(Desk(book.write), book, pool, [1, 2, 3, 4]) == [-1, -2, -3, -4]

    assert book.batches == [[1], [2, 3, 4]]


def test_one_alone_waits_for_nobody() -> None:
    book = Book()
    book.begun.set()

    assert Desk(book.write).hand_in(7) == -7


def test_an_error_is_that_of_whoever_wrote_and_the_others_go_on() -> None:
    book = Book()
    desk = Desk(book.write)
    with ThreadPoolExecutor(8) as pool:
        answers = gathered(desk, book, pool, [1, 2, 3, 13])

    assert answers[0] == -1
    assert isinstance(answers[3], ValueError)
    assert desk._waiting.empty()
    with pytest.raises(ValueError, match="thirteen"):
        desk.hand_in(13)
