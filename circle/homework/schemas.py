"""Shapes of homework in requests and answers."""

from typing import Any

import marshmallow as ma

from circle.homework.models import Audience, LatePolicy, Visibility, WorkState
from circle.homework.review_models import Verdict
from circle.homework.rubric import MAX_SCORE
from circle.media.schemas import MediaOut
from circle.web.fields import (
    EXAMPLE_ID,
    Bool,
    Choice,
    Dict,
    Id,
    Instant,
    Int,
    List,
    Nested,
    OutBool,
    OutInt,
    OutStr,
    Schema,
    Str,
    UserOut,
)
from circle.web.pagination import PageArgs, page_of

BRIEF_LENGTH = 100_000
BODY_LENGTH = 100_000
REVIEW_LENGTH = 10_000
# How far a member is: their work's state, or why there is none.
PROGRESS = ("upcoming", "overdue", "closed", *WorkState)

_DUE = {"example": "2026-03-20T15:59:59Z"}
_TITLE = {"example": "第一周：写一个开头"}


def _ids(most: int) -> Any:
    return List(Id, validate=ma.validate.Length(max=most))


class LevelIn(Schema):
    name = Str(most=50, required=True, metadata={"example": "清楚"})
    points = Int(most=1000, required=True, metadata={"example": 5})


class CriterionIn(Schema):
    name = Str(most=50, required=True, metadata={"example": "论点"})
    levels = List(Nested(LevelIn), required=True, validate=ma.validate.Length(min=1, max=10))


class AudienceIn(Schema):
    """Whom it is for. `tier` needs a tier, `named` the members, `cohort` the span in which they joined."""

    kind = Choice(Audience, required=True)
    tier_id = Id(allow_none=True)
    user_ids = List(Id, validate=ma.validate.Length(min=1, max=1000), allow_none=True)
    joined_from = Instant(allow_none=True)
    joined_before = Instant(allow_none=True)


class PeerReviewIn(Schema):
    reviewers = Int(least=1, most=10, required=True, metadata={"example": 2})
    days = Int(least=1, most=60, load_default=3)
    anonymous = Bool(load_default=True)


class AssignmentPatch(Schema):
    title = Str(most=200, metadata=_TITLE)
    brief = Str(most=BRIEF_LENGTH, least=0, lines=True)
    attachments = _ids(18)
    audience = Nested(AudienceIn)
    opens_at = Instant()
    due_at = Instant(allow_none=True, metadata=_DUE)
    cutoff_at = Instant(allow_none=True)
    late_policy = Choice(LatePolicy)
    penalty_percent = Int(most=100, metadata={"description": "Percent of the score per day begun."})
    max_attempts = Int(least=1, most=1000, allow_none=True)
    redo_until_passed = Bool()
    min_words = Int(most=100_000)
    visibility = Choice(Visibility)
    max_score = Int(least=1, most=MAX_SCORE)
    rubric = List(Nested(CriterionIn), validate=ma.validate.Length(max=20))
    hold_scores = Bool()
    peer_review = Nested(PeerReviewIn, allow_none=True)
    remind_hours = Int(most=168, metadata={"description": "Hours before it is due; 0: no reminder before."})


class AssignmentIn(AssignmentPatch):
    title = Str(most=200, required=True, metadata=_TITLE)


class AudienceOut(Schema):
    """Members are told the kind and the tier; the rest is for teachers."""

    kind = OutStr(required=True, metadata={"example": "all"})
    tier_id = Id(required=True, allow_none=True)
    user_ids = List(Id, required=True, allow_none=True)
    joined_from = Instant(required=True, allow_none=True)
    joined_before = Instant(required=True, allow_none=True)


class PeerReviewOut(Schema):
    reviewers = OutInt(required=True, metadata={"example": 2})
    days = OutInt(required=True)
    anonymous = OutBool(required=True)


class LevelOut(Schema):
    name = OutStr(required=True)
    points = OutInt(required=True)


class CriterionOut(Schema):
    name = OutStr(required=True)
    levels = List(Nested(LevelOut), required=True)


class RequiredTierOut(Schema):
    id = Id(required=True)
    name = OutStr(required=True)
    rank = OutInt(required=True)


class ProgressOut(Schema):
    """How far one is with one's own work; `closes_at`: nothing is taken any more."""

    state = Choice(PROGRESS, required=True, metadata={"example": "todo"})
    due_at = Instant(required=True, allow_none=True)
    closes_at = Instant(required=True, allow_none=True)
    attempts = OutInt(required=True)
    attempts_left = OutInt(required=True, allow_none=True)
    score = OutInt(required=True, allow_none=True)


class AssignmentOut(Schema):
    """A locked one shows title and times; the rest is null."""

    id = Id(required=True)
    circle_id = Id(required=True)
    title = OutStr(required=True, metadata=_TITLE)
    brief = OutStr(required=True, allow_none=True)
    attachments = List(Nested(MediaOut), required=True)
    audience = Nested(AudienceOut, required=True)
    opens_at = Instant(required=True)
    due_at = Instant(required=True, allow_none=True)
    cutoff_at = Instant(required=True, allow_none=True)
    late_policy = Choice(LatePolicy, required=True)
    penalty_percent = OutInt(required=True)
    max_attempts = OutInt(required=True, allow_none=True)
    redo_until_passed = OutBool(required=True, allow_none=True)
    min_words = OutInt(required=True, allow_none=True)
    visibility = Choice(Visibility, required=True, allow_none=True)
    max_score = OutInt(required=True, allow_none=True)
    rubric = List(Nested(CriterionOut), required=True, allow_none=True)
    hold_scores = OutBool(required=True, allow_none=True)
    scores_released_at = Instant(required=True, allow_none=True)
    peer_review = Nested(PeerReviewOut, required=True, allow_none=True)
    remind_hours = OutInt(required=True, allow_none=True)
    locked = OutBool(required=True, metadata={"example": False})
    required_tier = Nested(RequiredTierOut, required=True, allow_none=True)
    mine = Nested(ProgressOut, required=True)
    created_at = Instant(required=True)
    version = OutInt(required=True, metadata={"example": 1})


class SubmissionIn(Schema):
    body = Str(most=BODY_LENGTH, least=0, lines=True, load_default="", metadata={"example": "那年冬天……"})
    attachments = List(Id, validate=ma.validate.Length(max=18), load_default=list)


class DraftIn(SubmissionIn):
    body = Str(most=BODY_LENGTH, least=0, lines=True, required=True, metadata={"example": "那年冬天"})


class DraftOut(Schema):
    assignment_id = Id(required=True)
    body = OutStr(required=True)
    attachments = List(Nested(MediaOut), required=True)
    updated_at = Instant(required=True)
    version = OutInt(required=True)


class RemarkIn(Schema):
    """Said about the characters from `start` to before `end` of the text, counted in Unicode code points."""

    start = Int(most=BODY_LENGTH, required=True, metadata={"example": 0})
    end = Int(most=BODY_LENGTH, required=True, metadata={"example": 2})
    text = Str(most=1000, lines=True, required=True, metadata={"example": "开头有画面。"})


class RemarkOut(Schema):
    start = OutInt(required=True)
    end = OutInt(required=True)
    text = OutStr(required=True)


def _rubric(**kwargs: Any) -> Any:
    named = {"description": "Level by criterion.", "example": {"论点": "清楚"}}
    return Dict(keys=Str(most=50), values=Str(most=50), metadata=named, **kwargs)


class ReviewPatch(Schema):
    verdict = Choice(Verdict)
    score = Int(most=MAX_SCORE, allow_none=True)
    rubric = _rubric()
    body = Str(most=REVIEW_LENGTH, least=0, lines=True)
    remarks = List(Nested(RemarkIn), validate=ma.validate.Length(max=200))
    audio_media_id = Id(allow_none=True)


class ReviewIn(ReviewPatch):
    verdict = Choice(Verdict, required=True)


class PeerReviewWrittenIn(Schema):
    rubric = _rubric(required=True)
    body = Str(most=REVIEW_LENGTH, least=0, lines=True)
    remarks = List(Nested(RemarkIn), validate=ma.validate.Length(max=200))


class ReviewOut(Schema):
    """`number` is the version that was judged; `outdated` once there is a newer one."""

    id = Id(required=True)
    submission_id = Id(required=True)
    number = OutInt(required=True, metadata={"example": 1})
    outdated = OutBool(required=True, metadata={"example": False})
    reviewer = Nested(UserOut, required=True, allow_none=True)
    peer = OutBool(required=True)
    verdict = Choice(Verdict, required=True)
    score = OutInt(required=True, allow_none=True, metadata={"example": 90})
    final_score = OutInt(required=True, allow_none=True, metadata={"description": "After the penalty for being late."})
    rubric = Dict(required=True, metadata={"example": {"论点": "清楚"}})
    body = OutStr(required=True)
    remarks = List(Nested(RemarkOut), required=True)
    audio = Nested(MediaOut, required=True, allow_none=True)
    created_at = Instant(required=True)
    edited_at = Instant(required=True, allow_none=True)
    version = OutInt(required=True)


class ReviewRevisionOut(Schema):
    number = OutInt(required=True)
    verdict = Choice(Verdict, required=True)
    score = OutInt(required=True, allow_none=True)
    final_score = OutInt(required=True, allow_none=True)
    rubric = Dict(required=True)
    body = OutStr(required=True)
    changed_by = Nested(UserOut, required=True)
    changed_at = Instant(required=True)


class SubmissionOut(Schema):
    """One version. `author` is null where peers don't know of each other; `state` is for author and teachers."""

    id = Id(required=True)
    assignment_id = Id(required=True)
    author = Nested(UserOut, required=True, allow_none=True)
    number = OutInt(required=True, metadata={"example": 1})
    body = OutStr(required=True)
    words = OutInt(required=True, metadata={"example": 800})
    attachments = List(Nested(MediaOut), required=True)
    submitted_at = Instant(required=True)
    due_at = Instant(required=True, allow_none=True)
    late_seconds = OutInt(required=True, metadata={"example": 0})
    penalty_percent = OutInt(required=True, metadata={"example": 0})
    latest = OutBool(required=True)
    state = Choice(
        WorkState, required=True, allow_none=True, metadata={"description": "The work's, not the version's."}
    )


class SubmissionPageOut(SubmissionOut):
    reviews = List(Nested(ReviewOut), required=True)


class MyWorkOut(ProgressOut):
    assignment_id = Id(required=True)
    consented = OutBool(required=True)
    draft_saved_at = Instant(required=True, allow_none=True)
    versions = List(Nested(SubmissionOut), required=True)
    reviews = List(Nested(ReviewOut), required=True)


class SubmissionsArgs(PageArgs):
    state = Choice([one for one in WorkState if one != WorkState.OWED], load_default=None)


class ExtensionIn(Schema):
    user_id = Id(required=True)
    due_at = Instant(required=True, metadata=_DUE)
    note = Str(most=200, least=0)


class ExtensionOut(Schema):
    id = Id(required=True)
    user = Nested(UserOut, required=True)
    due_at = Instant(required=True)
    due_before = Instant(required=True, allow_none=True)
    note = OutStr(required=True)
    granted_by = Id(required=True)
    granted_at = Instant(required=True)


class MissingOut(Schema):
    user = Nested(UserOut, required=True)
    due_at = Instant(required=True, allow_none=True)
    reminded_at = Instant(required=True, allow_none=True)


class RemindedOut(Schema):
    reminded = OutInt(required=True, metadata={"example": 3})


class QueueItemOut(Schema):
    id = Id(required=True)
    submission_id = Id(required=True)
    number = OutInt(required=True)
    author = Nested(UserOut, required=True)
    waiting_since = Instant(required=True)
    claimed_by = Id(required=True, allow_none=True)
    claimed_until = Instant(required=True, allow_none=True)


class QueueCountsOut(Schema):
    """Works by state; `waiting` of those submitted wait for a teacher, the others for peers."""

    submitted = OutInt(required=True)
    redo = OutInt(required=True)
    passed = OutInt(required=True)
    excellent = OutInt(required=True)
    scored = OutInt(required=True)
    waiting = OutInt(required=True)


class QueueOut(page_of(QueueItemOut)):  # type: ignore[misc]
    counts = Nested(QueueCountsOut, required=True)


class QueueClaimIn(Schema):
    submission_id = Id(metadata={"description": "This one, instead of the one that waits longest."})


class NeighboursOut(Schema):
    """The latest versions handed in just before and after."""

    previous_id = Id(required=True, allow_none=True)
    next_id = Id(required=True, allow_none=True)


class QueueClaimOut(NeighboursOut):
    """What is yours to grade until `claimed_until`; null where nothing is left."""

    submission_id = Id(required=True, allow_none=True)
    claimed_until = Instant(required=True, allow_none=True)


class PeerTaskOut(Schema):
    id = Id(required=True)
    submission_id = Id(required=True)
    author = Nested(UserOut, required=True, allow_none=True)
    state = Choice(("open", "begun", "done", "lapsed"), required=True)
    assigned_at = Instant(required=True)
    due_at = Instant(required=True)


class ShowcaseIn(Schema):
    column_id = Id(allow_none=True, metadata={"example": EXAMPLE_ID})


class GradebookColumnOut(Schema):
    id = Id(required=True)
    title = OutStr(required=True)
    due_at = Instant(required=True, allow_none=True)
    max_score = OutInt(required=True)


class GradeOut(Schema):
    assignment_id = Id(required=True)
    state = Choice(WorkState, required=True)
    score = OutInt(required=True, allow_none=True)
    versions = OutInt(required=True)
    submitted_at = Instant(required=True, allow_none=True)
    late_seconds = OutInt(required=True, allow_none=True)


class GradebookRowOut(Schema):
    user = Nested(UserOut, required=True)
    number = OutInt(required=True, allow_none=True)
    grades = List(Nested(GradeOut), required=True)


class GradebookOut(page_of(GradebookRowOut)):  # type: ignore[misc]
    """Members × assignments: `grades` stand in the order of `assignments`."""

    assignments = List(Nested(GradebookColumnOut), required=True)
