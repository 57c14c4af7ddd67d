"""Reading reviews: of a work's versions, one with its history, and the peer reviews that one was asked for."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.homework.cards import review_card
from circle.homework.models import Submission, Work
from circle.homework.policy import SeenAssignment, find_submission, reads_review, require_open, require_taught_review
from circle.homework.review_models import PeerTask, Review, ReviewRevision
from circle.homework.told import tells_author
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.media.queries import attachments

_REVISIONS = Keyset("review_revisions", {"number": int})
_MOST_NUMBER = 2**31 - 1


def _select_reviews() -> Select[Any]:
    return (
        select(
            *Review.__table__.columns,
            Submission.number,
            (Work.submission_id != Review.submission_id).label("outdated"),
            User.display_name,
            User.avatar_media_id,
        )
        .join(Submission, Submission.id == Review.submission_id)
        .join(Work, Work.id == Review.work_id)
        .join(User, User.id == Review.reviewer_id)
    )


def reviews_of(
    uow: UnitOfWork,
    found: SeenAssignment,
    submission_ids: Sequence[UUID],
    *,
    for_author: bool,
    by: UUID | None = None,
) -> list[Json]:
    """Return what was said about these versions, in order; to their author without what is held back."""
    if not submission_ids:
        return []
    wanted = _select_reviews().where(Review.submission_id.in_(submission_ids))
    if by is not None:
        wanted = wanted.where(Review.reviewer_id == by)
    rows = uow.session.execute(wanted.order_by(Submission.number, Review.created_at, Review.id)).mappings().all()
    told = [row for row in rows if not for_author or tells_author(found.assignment, row["verdict"])]
    audio = attachments(uow, [row["id"] for row in told])
    return [review_card(_plain(row), found, audio, for_author=for_author) for row in told]


def _plain(row: Any) -> Mapping[str, Any]:
    return {str(name): value for name, value in row.items()}


def review(uow: UnitOfWork, caller: Caller, review_id: UUID) -> Json:
    """Return one review to its author, to teachers, and to whom it is about. Errors: NotFound."""
    row = uow.session.execute(_select_reviews().where(Review.id == review_id)).mappings().one_or_none()
    if row is None:
        raise NotFound
    shown = find_submission(uow, caller, row["submission_id"])
    if not reads_review(shown, caller, reviewer_id=row["reviewer_id"], verdict=row["verdict"]):
        raise NotFound
    return review_card(_plain(row), shown.seen, attachments(uow, [review_id]), for_author=shown.is_own)


def revisions(uow: UnitOfWork, caller: Caller, review_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return what a review said before, latest first, to teachers. Errors: NotFound, MissingPermission."""
    require_taught_review(uow, caller, review_id)
    before = _REVISIONS.decode(cursor)["number"] if cursor else _MOST_NUMBER
    kept = (
        select(ReviewRevision, User)
        .join(User, User.id == ReviewRevision.changed_by)
        .where(ReviewRevision.review_id == review_id, ReviewRevision.number < before)
        .order_by(ReviewRevision.number.desc())
        .limit(limit + 1)
    )
    fields = ("number", "verdict", "score", "final_score", "rubric", "body", "changed_at")
    rows = [
        {
            **{name: getattr(one, name) for name in fields},
            "changed_by": user_card(user.id, user.display_name, user.avatar_media_id),
        }
        for one, user in uow.session.execute(kept)
    ]
    page, next_cursor = _REVISIONS.page(rows, limit)
    return {"items": page, "next_cursor": next_cursor}


def peer_tasks(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Json:
    """Return the reviews that one was asked for, the first due first. Errors: those of `require_open`."""
    found = require_open(uow, caller, assignment_id)
    asked = (
        select(PeerTask, Work.submission_id, User.display_name, User.avatar_media_id)
        .join(Work, Work.id == PeerTask.work_id)
        .join(User, User.id == PeerTask.author_id)
        .where(PeerTask.assignment_id == assignment_id, PeerTask.reviewer_id == caller.user_id)
        .order_by(PeerTask.due_at, PeerTask.id)
    )
    hidden = found.assignment.peer_anonymous
    items = [
        {
            "id": task.id,
            "submission_id": submission_id,
            "author": None if hidden else user_card(task.author_id, name, avatar),
            "state": _task_state(task),
            "assigned_at": task.assigned_at,
            "due_at": task.due_at,
        }
        for task, submission_id, name, avatar in uow.session.execute(asked)
    ]
    return {"items": items, "next_cursor": None}


def _task_state(task: PeerTask) -> str:
    if task.done_at is not None:
        return "done"
    if task.lapsed_at is not None:
        return "lapsed"
    return "begun" if task.begun_at is not None else "open"
