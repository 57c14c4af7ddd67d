"""Figures counted a third way, in plain strings: what the product's Python and SQL are held to."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

KEPT, MISSED, EXCUSED = "K", "M", ""


@dataclass(frozen=True)
class Truth:
    run: int
    alive_until: date | None
    longest: int
    total: int
    made_up: int
    leave_taken: int
    last_day: date | None


def count(days: Sequence[date], times: int | None, kept: Mapping[date, str]) -> Truth:
    """`days`: planned days of a term, in order; `kept`: kind by day; `times`: so many a week, else every day."""
    steps: list[list[date]] = []
    for day in days:
        same_week = steps and times is not None and monday(steps[-1][0]) == monday(day)
        if same_week:
            steps[-1].append(day)
        else:
            steps.append([day])
    flags = [flag(step, times, kept) for step in steps]
    story = "".join(flags)
    runs = re.findall("K+", story)
    last_kept = max((i for i, one in enumerate(flags) if one == KEPT), default=None)
    alive_until = None
    if last_kept is not None:
        after = [steps[i][-1] for i in range(last_kept + 1, len(steps)) if flags[i] == MISSED]
        alive_until = after[0] if after else None
    done = sorted(day for day, kind in kept.items() if kind in {"done", "made_up"})
    return Truth(
        run=len(runs[-1]) if runs else 0,
        alive_until=alive_until,
        longest=max(map(len, runs), default=0),
        total=len(done),
        made_up=list(kept.values()).count("made_up"),
        leave_taken=list(kept.values()).count("leave"),
        last_day=done[-1] if done else None,
    )


def flag(step: Sequence[date], times: int | None, kept: Mapping[date, str]) -> str:
    done = [day for day in step if kept.get(day) in {"done", "made_up"}]
    off = [day for day in step if kept.get(day) == "leave"]
    owed = (len(step) if times is None else min(times, len(step))) - len(off)
    if owed <= 0:
        return KEPT if done else EXCUSED
    return KEPT if len(done) >= owed else MISSED


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def streak(truth: Truth, today: date) -> int:
    return 0 if truth.alive_until is not None and today > truth.alive_until else truth.run
