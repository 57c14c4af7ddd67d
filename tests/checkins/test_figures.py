"""Streaks of a few days, told as letters: K done, C made up, L leave, M missed."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from circle.checkins.figures import DayKind, Figures, derive, extend, may_extend
from circle.checkins.schedule import PlannedDay

DAY = timedelta(days=1)
MONDAY = date(2026, 3, 2)
KINDS = {"K": DayKind.DONE, "C": DayKind.MADE_UP, "L": DayKind.LEAVE}


def nth(index: int | None) -> date | None:
    return None if index is None else MONDAY + index * DAY


def weeks_of(days: int) -> Iterator[PlannedDay]:
    for index in range(days):
        yield PlannedDay(MONDAY + index * DAY, MONDAY + (index - index % 7) * DAY)


def told(story: str, *, times: int | None = None) -> Figures:
    days = story.replace(" ", "")
    planned = [PlannedDay(MONDAY + index * DAY, MONDAY + index * DAY) for index in range(len(days))]
    kept = {MONDAY + index * DAY: KINDS[letter] for index, letter in enumerate(days) if letter in KINDS}
    return derive(list(weeks_of(len(days))) if times else planned, times, kept)


@pytest.mark.parametrize(
    ("story", "run", "alive_until", "longest"),
    [
        ("", 0, None, 0),
        ("M", 0, None, 0),
        ("K", 1, None, 1),
        ("KK", 2, None, 2),
        ("KM", 1, 1, 1),
        ("KMM", 1, 1, 1),
        ("MK", 1, None, 1),
        ("KMK", 1, None, 1),
        ("KKMK", 1, None, 2),
        ("KKMKM", 1, 4, 2),
        ("KMKKM", 2, 4, 2),
        ("KLK", 2, None, 2),
        ("KLM", 1, 2, 1),
        ("LLL", 0, None, 0),
        ("LMK", 1, None, 1),
        ("KC", 2, None, 2),
        ("CMC", 1, None, 1),
    ],
)
def test_days_in_a_row(story: str, run: int, alive_until: int | None, longest: int) -> None:
    figures = told(story)

    assert (figures.run, figures.alive_until, figures.longest) == (run, nth(alive_until), longest)


@pytest.mark.parametrize(
    ("story", "run", "alive_until", "longest"),
    [
        ("KKMMMMM", 1, None, 1),
        ("KMMMMMM", 0, None, 0),
        ("KCMMMMM KKKMMMM", 2, None, 2),
        ("KKMMMMM KMMMMMM", 1, 13, 1),
        ("KKMMMMM KMMMMMM KKMMMMM", 1, None, 1),
        ("KLMMMMM", 1, None, 1),
        ("KKMMMMM LLMMMMM KKMMMMM", 2, None, 2),
        ("KKMMMMM LMMMMMM", 1, 13, 1),
        ("LLLKMMM", 1, None, 1),
        ("KKMMMMM K", 2, None, 2),
    ],
)
def test_weeks_of_two_days_in_a_row(story: str, run: int, alive_until: int | None, longest: int) -> None:
    figures = told(story, times=2)

    assert (figures.run, figures.alive_until, figures.longest) == (run, nth(alive_until), longest)


def test_days_are_counted_by_their_kind() -> None:
    figures = told("KCLKLCM")

    assert (figures.total, figures.made_up, figures.leave_taken, figures.last_day) == (4, 2, 2, nth(5))
    assert told("LM") == Figures(leave_taken=1)


def test_a_run_stands_through_the_day_that_it_needs() -> None:
    figures = Figures(run=3, alive_until=MONDAY)

    assert [figures.streak(day) for day in (MONDAY - DAY, MONDAY, MONDAY + DAY)] == [3, 3, 0]
    assert Figures(run=3).streak(date.max) == 3


@pytest.mark.parametrize(
    ("figures", "times", "may"),
    [
        (Figures(), None, True),
        (Figures(last_day=MONDAY - DAY), None, True),
        (Figures(last_day=MONDAY), None, False),
        (Figures(last_day=MONDAY + DAY), None, False),
        (Figures(leave_taken=1), None, False),
        (Figures(), 1, False),
    ],
)
def test_only_a_day_at_the_end_of_days_without_leave_goes_on(figures: Figures, times: int | None, *, may: bool) -> None:
    assert may_extend(figures, times, MONDAY) is may


def test_going_on_keeps_what_was_counted() -> None:
    before = Figures(run=4, alive_until=MONDAY, longest=6, total=9, made_up=2, last_day=MONDAY - DAY)

    assert extend(before, MONDAY, MONDAY + DAY) == Figures(5, MONDAY + DAY, 6, 10, 2, 0, MONDAY)
    assert extend(before, MONDAY + DAY, None) == Figures(1, None, 6, 10, 2, 0, MONDAY + DAY)
    assert extend(Figures(), MONDAY, None) == Figures(1, None, 1, 1, 0, 0, MONDAY)
    assert extend(Figures(run=1, longest=1, leave_taken=3), MONDAY, None) == Figures(2, None, 2, 1, 0, 3, MONDAY)
