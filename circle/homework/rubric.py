"""Rubrics: criteria × levels with points. What an assignment may ask, and what a review may answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circle.homework.models import Assignment
from circle.homework.review_models import Verdict
from circle.kernel.errors import FieldError, Invalid
from circle.kernel.text import Text

MAX_SCORE = 10_000

_TWICE = Text("名称重复。", "This name stands here twice.")
_UNKNOWN_CRITERION = Text("评分表里没有这一项。", "The rubric has no such criterion.")
_UNKNOWN_LEVEL = Text("评分表里没有这个等级。", "The rubric has no such level.")
_MISSING = Text("缺少必填字段。", "Missing data for required field.")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a reviewer says, checked against the assignment."""

    verdict: Verdict
    score: int | None
    rubric: Mapping[str, str]


def points_of(rubric: Sequence[Mapping[str, Any]]) -> int:
    """Return the most points that a rubric gives."""
    return sum(max(level["points"] for level in criterion["levels"]) for criterion in rubric)


def require_rubric(rubric: Sequence[Mapping[str, Any]]) -> None:
    """Refuse names that stand twice, and a rubric that gives no points at all. Errors: Invalid."""
    errors = [FieldError(f"rubric.{at}.name", "doubled", _TWICE) for at in _doubled([one["name"] for one in rubric])]
    for at, criterion in enumerate(rubric):
        names = [level["name"] for level in criterion["levels"]]
        errors += [FieldError(f"rubric.{at}.levels.{n}.name", "doubled", _TWICE) for n in _doubled(names)]
    if errors:
        raise Invalid(*errors)
    if rubric and not 0 < points_of(rubric) <= MAX_SCORE:
        zh, en = f"总分须在 1 到 {MAX_SCORE} 之间。", f"All points together must be between 1 and {MAX_SCORE}."
        raise Invalid.field("rubric", "out_of_range", zh, en)


def judge(
    assignment: Assignment, *, verdict: str, score: int | None = None, rubric: Mapping[str, str] | None = None
) -> Judgement:
    """Check a judgement; where only the rubric is filled in, its points are the score.

    Errors: Invalid (score out of range or missing, criteria or levels that don't exist, criteria left out).
    """
    if rubric:
        points = _points(assignment.rubric, rubric)
        score = points if score is None else score
    if verdict == Verdict.SCORED and score is None:
        raise Invalid(FieldError("score", "required", _MISSING))
    if score is not None and not 0 <= score <= assignment.max_score:
        most = assignment.max_score
        zh, en = f"须在 0 到 {most} 之间。", f"Must be between 0 and {most}."
        raise Invalid.field("score", "out_of_range", zh, en)
    return Judgement(Verdict(verdict), score, rubric or {})


def _points(rubric: Sequence[Mapping[str, Any]], chosen: Mapping[str, str]) -> int:
    levels = {one["name"]: {level["name"]: level["points"] for level in one["levels"]} for one in rubric}
    errors = [FieldError(f"rubric.{name}", "unknown_criterion", _UNKNOWN_CRITERION) for name in chosen.keys() - levels]
    for name, known in levels.items():
        if name not in chosen:
            errors.append(FieldError(f"rubric.{name}", "required", _MISSING))
        elif chosen[name] not in known:
            errors.append(FieldError(f"rubric.{name}", "unknown_level", _UNKNOWN_LEVEL))
    if errors:
        raise Invalid(*errors)
    return sum(levels[name][level] for name, level in chosen.items())


def after_penalty(score: int | None, percent: int) -> int | None:
    """Return what is left of a score, rounded to the nearest whole point."""
    return None if score is None else (score * (100 - percent) + 50) // 100


def _doubled(names: Sequence[str]) -> list[int]:
    return [at for at, name in enumerate(names) if name in names[:at]]
