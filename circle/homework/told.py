"""What of a judgement its author may know already, and what peers of each other."""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists

from circle.homework.models import Assignment, Work, WorkState
from circle.homework.review_models import PeerTask, Verdict
from circle.kernel.db import constant

_JUDGED = frozenset({WorkState.PASSED, WorkState.EXCELLENT, WorkState.SCORED})


def tells_author(assignment: Assignment, verdict: str) -> bool:
    """Tell whether a verdict reaches its author now: that there is more to do always does."""
    return assignment.tells_scores or verdict == Verdict.REDO


def state_for_author(assignment: Assignment, state: str) -> str:
    """Return the state that the author sees: judged work looks handed in while scores are held back."""
    return WorkState.SUBMITTED if state in _JUDGED and not assignment.tells_scores else state


def score_for_author(assignment: Assignment, score: int | None) -> int | None:
    return score if assignment.tells_scores else None


def told_columns() -> dict[str, ColumnElement[Any]]:
    """Return in SQL what a person may know, by the name of the column: in rows that are theirs and tell of others."""
    is_theirs = Assignment.id == Work.assignment_id
    held = exists().where(is_theirs, Assignment.hold_scores, Assignment.scores_released_at.is_(None))
    judged = Work.state.in_([constant(state) for state in sorted(_JUDGED)])
    hidden = exists().where(Assignment.id == PeerTask.assignment_id, Assignment.peer_anonymous)
    return {
        "works.state": case((and_(held, judged), constant(WorkState.SUBMITTED)), else_=Work.state),
        "works.score": case((~held, Work.score)),
        "peer_tasks.author_id": case((~hidden, PeerTask.author_id)),
    }
