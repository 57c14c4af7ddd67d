"""Teachers' reviews: a verdict on one version, changed with a trace, told when it may be."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select

from circle.homework import events
from circle.homework.errors import AlreadyReviewed, OwnWork
from circle.homework.models import Assignment, Submission, Work, WorkState
from circle.homework.policy import SeenSubmission, lock_work, require_taught_review, require_taught_submission
from circle.homework.review_models import Review, ReviewRevision
from circle.homework.rubric import Judgement, after_penalty, judge
from circle.homework.services.works import require_unclaimed
from circle.homework.told import tells_author
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import FieldError, Invalid, NotFound, StaleVersion
from circle.kernel.ids import new_id
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.media.models import MediaKind, Purpose
from circle.media.services.attachments import Limits, attach
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission

_ONE_FILE = Limits(images=0, files=1)
_OUTSIDE = Text("超出正文范围。", "Lies outside the text.")


def review_submission(
    uow: UnitOfWork,
    caller: Caller,
    submission_id: UUID,
    *,
    body: str = "",
    remarks: Sequence[Mapping[str, Any]] = (),
    audio_media_id: UUID | None = None,
    **judgement: Any,
) -> Review:
    """Judge one version of somebody's work.

    Errors: NotFound, MissingPermission, OwnWork, ClaimedByAnother, AlreadyReviewed, Invalid.
    """
    shown = require_taught_submission(uow, caller, submission_id)
    if shown.is_own:
        raise OwnWork
    judged = judge(shown.seen.assignment, **judgement)
    require_remarks(shown.submission, remarks)
    work = lock_work(uow, shown.work.id)
    require_unclaimed(uow, caller, work)
    _require_first(uow, submission_id)
    review = write_review(uow, caller, shown, judged, body=body, remarks=remarks, peer=False)
    _attach_note(uow, caller, review, audio_media_id)
    settle(work, review)
    tell_author(uow, shown.seen.assignment, work, review)
    return review


def edit_review(uow: UnitOfWork, caller: Caller, review_id: UUID, *, version: int | None, **changed: Any) -> Review:
    """Change a review, as who wrote it or who leads the circle; what it said before is kept.

    Errors: NotFound, MissingPermission, OwnWork, StaleVersion, Invalid.
    """
    review, shown = require_taught_review(uow, caller, review_id)
    if review.peer:
        raise NotFound
    if shown.is_own:
        raise OwnWork
    if review.reviewer_id != caller.user_id:
        require_permission(uow, caller, review.circle_id, Permission.CORRECT_TEACHERS)
    work = lock_work(uow, review.work_id)
    uow.session.refresh(review)
    if version is not None and version != review.version:
        raise StaleVersion
    _keep_revision(uow, caller, review)
    _change(uow, caller, shown, review, changed)
    settle(work, review)
    tell_author(uow, shown.seen.assignment, work, review)
    _note_change(uow, caller, review)
    uow.session.flush()
    return review


def write_review(
    uow: UnitOfWork,
    caller: Caller,
    shown: SeenSubmission,
    judged: Judgement,
    *,
    body: str,
    remarks: Sequence[Mapping[str, Any]],
    peer: bool,
) -> Review:
    """Store a review of one version, the penalty for being late taken off its score."""
    submission = shown.submission
    review = Review(
        id=new_id(),
        circle_id=submission.circle_id,
        assignment_id=submission.assignment_id,
        work_id=submission.work_id,
        submission_id=submission.id,
        reviewer_id=caller.user_id,
        peer=peer,
        verdict=judged.verdict,
        score=judged.score,
        final_score=after_penalty(judged.score, _penalty(shown)),
        rubric=dict(judged.rubric),
        body=body,
        remarks=[dict(one) for one in remarks],
        created_at=uow.now,
    )
    uow.session.add(review)
    uow.session.flush()
    return review


def require_remarks(submission: Submission, remarks: Sequence[Mapping[str, Any]]) -> None:
    """Refuse remarks on text that is not there. Errors: Invalid."""
    errors = [
        FieldError(f"remarks.{at}.end", "out_of_range", _OUTSIDE)
        for at, one in enumerate(remarks)
        if not one["start"] < one["end"] <= len(submission.body)
    ]
    if errors:
        raise Invalid(*errors)


def settle(work: Work, review: Review) -> None:
    """Let the verdict on the latest version be the state of the work; one on an older version changes nothing."""
    if work.submission_id != review.submission_id:
        return
    work.state, work.score = WorkState(review.verdict), review.final_score
    work.waiting_since = work.claimed_by = work.claimed_until = None
    work.peer_due_at = None


def tell_author(uow: UnitOfWork, assignment: Assignment, work: Work, review: Review) -> None:
    """Tell the author of a verdict that is not held back."""
    if tells_author(assignment, review.verdict):
        about = (assignment.circle_id, assignment.id, assignment.title)
        uow.emit(events.WorkReviewed(*about, work.user_id, review.id, review.reviewer_id))


def _penalty(shown: SeenSubmission) -> int:
    """An extension that came after the hand-in forgives; nothing makes it dearer."""
    assignment, submission = shown.seen.assignment, shown.submission
    due_at = assignment.due_of(shown.work)
    if due_at is None or shown.work.due_at is None:
        return submission.penalty_percent
    return min(submission.penalty_percent, assignment.penalty_for(submission.submitted_at - due_at))


def _require_first(uow: UnitOfWork, submission_id: UUID) -> None:
    if uow.session.scalar(select(exists().where(Review.submission_id == submission_id, ~Review.peer))):
        raise AlreadyReviewed


def _attach_note(uow: UnitOfWork, caller: Caller, review: Review, media_id: UUID | None) -> None:
    """Let the review speak. Errors: Invalid for anything but a sound recording."""
    wanted = [] if media_id is None else [media_id]
    field = "audio_media_id"
    attached = attach(
        uow,
        caller,
        wanted,
        purpose=Purpose.REVIEW,
        to=review.id,
        circle_id=review.circle_id,
        limits=_ONE_FILE,
        field=field,
    )
    if any(media.kind != MediaKind.AUDIO for media in attached):
        raise Invalid.field(field, "not_audio", "须是音频。", "Must be a sound recording.")


def _change(uow: UnitOfWork, caller: Caller, shown: SeenSubmission, review: Review, changed: dict[str, Any]) -> None:
    if "audio_media_id" in changed:
        _attach_note(uow, caller, review, changed["audio_media_id"])
    if {"verdict", "score", "rubric"} & changed.keys():
        # A new rubric gives a new score, unless one is named.
        score = changed.get("score", None if "rubric" in changed else review.score)
        rubric, verdict = changed.get("rubric", review.rubric), changed.get("verdict", review.verdict)
        judged = judge(shown.seen.assignment, verdict=verdict, score=score, rubric=rubric)
        review.verdict, review.score, review.rubric = judged.verdict, judged.score, dict(judged.rubric)
        review.final_score = after_penalty(judged.score, _penalty(shown))
    review.body = changed.get("body", review.body)
    if "remarks" in changed:
        require_remarks(shown.submission, changed["remarks"])
        review.remarks = [dict(one) for one in changed["remarks"]]
    review.edited_at = uow.now


def _keep_revision(uow: UnitOfWork, caller: Caller, review: Review) -> None:
    kept = select(func.count()).select_from(ReviewRevision).where(ReviewRevision.review_id == review.id)
    uow.session.add(
        ReviewRevision(
            review_id=review.id,
            number=(uow.session.scalar(kept) or 0) + 1,
            verdict=review.verdict,
            score=review.score,
            final_score=review.final_score,
            rubric=review.rubric,
            body=review.body,
            changed_by=caller.user_id,
            changed_at=uow.now,
        )
    )


def _note_change(uow: UnitOfWork, caller: Caller, review: Review) -> None:
    circle_id, action = review.circle_id, "review.edit"
    audit.record(uow, caller, action, circle_id=circle_id, subject_kind="review", subject_id=review.id)
