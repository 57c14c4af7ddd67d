"""Streak, longest streak and totals, derived from day rows: pure functions, without a clock and without a database.

A streak is a run of steps that were kept. A step is a day of the schedule, or a week where it asks for so many times
a week. Done and made-up days keep a step; a step that is wholly excused is left out, so it neither breaks a run nor
lengthens it. The same rules stand in SQL, for whole camps, in `services/rebuilding.py`; tests hold both to a third.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import groupby

from circle.checkins.schedule import PlannedDay


class DayKind(StrEnum):
    """What a day row says, from least to best: a row only ever gets better."""

    LEAVE = "leave"
    MADE_UP = "made_up"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Figures:
    """`run` is the latest run of steps; it stands through `alive_until` (None: for good) without another check-in."""

    run: int = 0
    alive_until: date | None = None
    longest: int = 0
    total: int = 0
    made_up: int = 0
    leave_taken: int = 0
    last_day: date | None = None

    def streak(self, today: date) -> int:
        return self.run if self.alive_until is None or today <= self.alive_until else 0


def derive(planned: Sequence[PlannedDay], times: int | None, kept: Mapping[date, DayKind]) -> Figures:
    """Return a member's figures from the planned days of their term and their day rows."""
    attended = [day for day, kind in kept.items() if kind != DayKind.LEAVE]
    run, longest, alive_until = 0, 0, None
    for period, days in groupby(planned, key=lambda one: one.period):
        del period
        step = [one.day for one in days]
        verdict = _is_kept(step, times, kept)
        if verdict is None:
            continue
        if verdict:
            run = run + 1 if alive_until is None else 1
            longest, alive_until = max(longest, run), None
        elif run and alive_until is None:
            alive_until = step[-1]
    return Figures(
        run=run,
        alive_until=alive_until,
        longest=longest,
        total=len(attended),
        made_up=sum(kind == DayKind.MADE_UP for kind in kept.values()),
        leave_taken=len(kept) - len(attended),
        last_day=max(attended, default=None),
    )


def _is_kept(step: Sequence[date], times: int | None, kept: Mapping[date, DayKind]) -> bool | None:
    """Tell whether a step was kept; None where all that it asked for is excused."""
    excused = sum(kept.get(day) == DayKind.LEAVE for day in step)
    attended = sum(kept.get(day, DayKind.LEAVE) != DayKind.LEAVE for day in step)
    needed = max(0, min(times or len(step), len(step)) - excused)
    if not needed and not attended:
        return None
    return attended >= max(needed, 1)


def may_extend(figures: Figures, times: int | None, day: date) -> bool:
    """Tell whether `extend` knows the answer for a day that is done now: nothing excused, nothing later."""
    return times is None and not figures.leave_taken and (figures.last_day is None or day > figures.last_day)


def extend(figures: Figures, day: date, next_day: date | None) -> Figures:
    """Return the figures after one more day at the end, without reading the others; `next_day` is planned next."""
    run = figures.streak(day) + 1
    return Figures(
        run=run,
        alive_until=next_day,
        longest=max(figures.longest, run),
        total=figures.total + 1,
        made_up=figures.made_up,
        leave_taken=figures.leave_taken,
        last_day=day,
    )
