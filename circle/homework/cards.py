"""Homework as answers show it: one function per shape, from rows or looked-at objects."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from circle.accounts.queries import user_card
from circle.homework.models import Audience, Submission
from circle.homework.policy import SeenAssignment
from circle.homework.told import score_for_author
from circle.kernel.db import Json, Row

_ALWAYS = ("title", "opens_at", "due_at", "cutoff_at", "late_policy", "penalty_percent", "created_at", "version")
_WHEN_OPEN = (
    "brief",
    "max_attempts",
    "redo_until_passed",
    "min_words",
    "visibility",
    "max_score",
    "rubric",
    "hold_scores",
    "scores_released_at",
    "remind_hours",
)
_SUBMISSION = ("number", "words", "late_seconds", "penalty_percent", "submitted_at", "due_at")


def assignment_card(
    found: SeenAssignment, attachments: Mapping[UUID, Sequence[Json]], *, named: Sequence[UUID] = ()
) -> Json:
    """Return an assignment in the shape of `AssignmentOut`; a locked one without its brief and rules."""
    one = found.assignment
    opened = {name: getattr(one, name) if found.unlocked else None for name in _WHEN_OPEN}
    return {
        "id": str(one.id),
        "circle_id": str(one.circle_id),
        **{name: getattr(one, name) for name in _ALWAYS},
        **opened,
        "attachments": list(attachments.get(one.id, ())) if found.unlocked else [],
        "audience": _audience(found, named),
        "peer_review": _peer_review(found),
        "locked": not found.unlocked,
        "required_tier": _required_tier(found),
    }


def _audience(found: SeenAssignment, named: Sequence[UUID]) -> Json:
    one = found.assignment
    shown = found.teaches
    return {
        "kind": one.audience,
        "tier_id": str(one.tier_id) if one.tier_id else None,
        "user_ids": [str(user_id) for user_id in named] if shown and one.audience == Audience.NAMED else None,
        "joined_from": one.joined_from if shown else None,
        "joined_before": one.joined_before if shown else None,
    }


def _peer_review(found: SeenAssignment) -> Json | None:
    one = found.assignment
    if not one.peer_reviewers or not found.unlocked:
        return None
    return {"reviewers": one.peer_reviewers, "days": one.peer_days, "anonymous": one.peer_anonymous}


def _required_tier(found: SeenAssignment) -> Json | None:
    tier_id = found.assignment.tier_id
    if tier_id is None:
        return None
    return {"id": str(tier_id), "name": found.required_tier_name, "rank": found.required_rank}


def submission_card(
    submission: Submission | Row,
    *,
    author: Json | None,
    files: Mapping[UUID, Json],
    state: str | None = None,
    latest: bool = True,
) -> Json:
    """Return a version in the shape of `SubmissionOut`; `files` by media id."""
    row: Any = submission if isinstance(submission, Mapping) else _columns(submission)
    return {
        "id": str(row["id"]),
        "assignment_id": str(row["assignment_id"]),
        "author": author,
        "body": row["body"],
        **{name: row[name] for name in _SUBMISSION},
        "attachments": [files[one] for one in row["attachments"] if one in files],
        "latest": latest,
        "state": state,
    }


def review_card(
    row: Row, found: SeenAssignment, attachments: Mapping[UUID, Sequence[Json]], *, for_author: bool
) -> Json:
    """Return a review in the shape of `ReviewOut`: its author learns neither held scores nor hidden peers."""
    hidden = for_author and row["peer"] and found.assignment.peer_anonymous
    person = user_card(row["reviewer_id"], row["display_name"], row["avatar_media_id"])
    scored = not for_author or found.assignment.tells_scores
    audio = attachments.get(row["id"], ())
    return {
        "id": str(row["id"]),
        "submission_id": str(row["submission_id"]),
        "number": row["number"],
        "outdated": row["outdated"],
        "reviewer": None if hidden else person,
        "peer": row["peer"],
        "verdict": row["verdict"],
        "score": row["score"] if scored else None,
        "final_score": row["final_score"] if scored else None,
        "rubric": row["rubric"] if scored else {},
        "body": row["body"],
        "remarks": row["remarks"],
        "audio": audio[0] if audio else None,
        "created_at": row["created_at"],
        "edited_at": row["edited_at"],
        "version": row["version"],
    }


def score_card(found: SeenAssignment, score: int | None, *, for_author: bool) -> int | None:
    return score_for_author(found.assignment, score) if for_author else score


def _columns(entity: Any) -> Json:
    return {column.key: getattr(entity, column.key) for column in entity.__table__.columns}
