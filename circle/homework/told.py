"""What of a judgement its author may know already."""

from circle.homework.models import Assignment, WorkState
from circle.homework.review_models import Verdict

_JUDGED = frozenset({WorkState.PASSED, WorkState.EXCELLENT, WorkState.SCORED})


def tells_author(assignment: Assignment, verdict: str) -> bool:
    """Tell whether a verdict reaches its author now: that there is more to do always does."""
    return assignment.tells_scores or verdict == Verdict.REDO


def state_for_author(assignment: Assignment, state: str) -> str:
    """Return the state that the author sees: judged work looks handed in while scores are held back."""
    return WorkState.SUBMITTED if state in _JUDGED and not assignment.tells_scores else state


def score_for_author(assignment: Assignment, score: int | None) -> int | None:
    return score if assignment.tells_scores else None
