"""HTTP of assignments and of what members hand in. What teachers do with it stands in `grading_routes.py`."""

from uuid import UUID

from circle.homework import errors, queries, review_queries, schemas
from circle.homework.policy import assignment_gate, circle_gate, submission_gate
from circle.homework.services import assignments, drafts, handing_in, peer_reviewing, showcasing
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.media.errors import StorageFull
from circle.memberships.errors import (
    MEMBERS_ONLY,
    Banned,
    CircleClosed,
    MembershipExpired,
    MissingPermission,
    NotAMember,
)
from circle.web.limits import Limit
from circle.web.pagination import PageArgs, page_of, whole
from circle.web.routes import Routes

of_circle = Routes("homework", "Assignments of a circle.", gate=circle_gate, errors=MEMBERS_ONLY)
of_assignment = Routes(
    "assignment", "One assignment, and one's own work for it.", gate=assignment_gate, errors=MEMBERS_ONLY
)
of_submission = Routes("submission", "What was handed in.", gate=submission_gate, errors=MEMBERS_ONLY)
of_peer_task = Routes("peer review", "Reviews that fellow members are asked for.", errors=MEMBERS_ONLY)

READING = (MembershipExpired, Banned)
TEACHING = (*READING, NotAMember, MissingPermission)
LOCKED = (errors.AssignmentLocked, errors.NotOpenYet)
WORKING = (*READING, NotAMember, *LOCKED, errors.NotAddressed, CircleClosed, StorageFull)
HANDING_IN = (Limit("hand_in", "30/minute"), Limit("hand_in", "300/day"))
SAVING = (Limit("save_draft", "60/minute"),)


@of_circle.get(
    "/circles/<uuid:circle_id>/assignments",
    query=PageArgs,
    answer=page_of(schemas.AssignmentOut),
    hot=True,
    errors=(*READING, NotAMember),
)
def list_assignments(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """A circle's assignments, the latest opening first, each with how far you are."""
    return queries.assignments(uow, caller, circle_id, **query)


@of_circle.post(
    "/circles/<uuid:circle_id>/assignments",
    body=schemas.AssignmentIn,
    answer=schemas.AssignmentOut,
    status=201,
    errors=(*TEACHING, CircleClosed, StorageFull),
)
def set_assignment(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Set homework, as a teacher."""
    made = assignments.set_assignment(uow, caller, circle_id, **body)
    return queries.assignment(uow, caller, made.id)


@of_assignment.get("/assignments/<uuid:assignment_id>", answer=schemas.AssignmentOut, hot=True, errors=READING)
def get_assignment(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Json:
    """One assignment; without its brief where it is locked for you."""
    return queries.assignment(uow, caller, assignment_id)


@of_assignment.patch(
    "/assignments/<uuid:assignment_id>",
    body=schemas.AssignmentPatch,
    answer=schemas.AssignmentOut,
    versioned=True,
    errors=(*TEACHING, CircleClosed, StorageFull, errors.RulesInUse, errors.ScoresOut),
)
def edit_assignment(uow: UnitOfWork, caller: Caller, assignment_id: UUID, body: Json, version: int | None) -> Json:
    """Change an assignment; how it is scored only until something is handed in."""
    assignments.edit_assignment(uow, caller, assignment_id, version=version, **body)
    return queries.assignment(uow, caller, assignment_id)


@of_assignment.delete("/assignments/<uuid:assignment_id>", status=204, errors=(*TEACHING, CircleClosed))
def take_back_assignment(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> None:
    """Take an assignment back."""
    assignments.take_back_assignment(uow, caller, assignment_id)


@of_assignment.get("/assignments/<uuid:assignment_id>/mine", answer=schemas.MyWorkOut, errors=READING)
def get_my_work(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Json:
    """Your own versions, what was said about them, and how far you are."""
    return queries.mine(uow, caller, assignment_id)


@of_assignment.get("/assignments/<uuid:assignment_id>/draft", answer=schemas.DraftOut, errors=(*READING, *LOCKED))
def get_draft(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Json:
    """What you have written so far."""
    return drafts.own_draft(uow, caller, assignment_id)


@of_assignment.put(
    "/assignments/<uuid:assignment_id>/draft",
    body=schemas.DraftIn,
    answer=schemas.DraftOut,
    limits=SAVING,
    errors=WORKING,
)
def save_draft(uow: UnitOfWork, caller: Caller, assignment_id: UUID, body: Json) -> Json:
    """Keep what you have written so far, in the place of what was."""
    return drafts.save_draft(uow, caller, assignment_id, **body)


@of_assignment.get(
    "/assignments/<uuid:assignment_id>/submissions",
    query=schemas.SubmissionsArgs,
    answer=page_of(schemas.SubmissionOut),
    hot=True,
    errors=(*READING, *LOCKED),
)
def list_submissions(uow: UnitOfWork, caller: Caller, assignment_id: UUID, query: Json) -> Json:
    """The latest version of each work that you may see; `state` narrows it for teachers."""
    return queries.submissions(uow, caller, assignment_id, **query)


@of_assignment.post(
    "/assignments/<uuid:assignment_id>/submissions",
    body=schemas.SubmissionIn,
    answer=schemas.SubmissionPageOut,
    status=201,
    limits=HANDING_IN,
    errors=(
        *WORKING,
        errors.TooLate,
        errors.NoAttemptsLeft,
        errors.AlreadyPassed,
        errors.NothingChanged,
    ),
)
def hand_in(uow: UnitOfWork, caller: Caller, assignment_id: UUID, body: Json) -> Json:
    """Hand in the next version of your work."""
    return queries.submission(uow, caller, handing_in.hand_in(uow, caller, assignment_id, **body).id)


@of_submission.get("/submissions/<uuid:submission_id>", answer=schemas.SubmissionPageOut, errors=READING)
def get_submission(uow: UnitOfWork, caller: Caller, submission_id: UUID) -> Json:
    """One version; its reviews for author and teachers."""
    return queries.submission(uow, caller, submission_id)


@of_assignment.put("/assignments/<uuid:assignment_id>/mine/consent", status=204, errors=READING)
def agree_to_showcase(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> None:
    """Let your work be shown in the circle."""
    showcasing.agree(uow, caller, assignment_id)


@of_assignment.delete(
    "/assignments/<uuid:assignment_id>/mine/consent", status=204, errors=(*READING, errors.AlreadyShown)
)
def disagree_to_showcase(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> None:
    """Take your consent back, as long as nothing is shown."""
    showcasing.disagree(uow, caller, assignment_id)


@of_assignment.get(
    "/assignments/<uuid:assignment_id>/peer-tasks", answer=whole(schemas.PeerTaskOut), errors=(*READING, *LOCKED)
)
def list_peer_tasks(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Json:
    """The works of fellow members that you are asked to review."""
    return review_queries.peer_tasks(uow, caller, assignment_id)


@of_peer_task.post(
    "/peer-tasks/<uuid:task_id>/begin",
    answer=schemas.SubmissionPageOut,
    errors=(*READING, NotAMember, errors.PeerTaskOver),
)
def begin_peer_review(uow: UnitOfWork, caller: Caller, task_id: UUID) -> Json:
    """Begin a review: it stays yours, and here is what to read."""
    return queries.submission(uow, caller, peer_reviewing.begin_task(uow, caller, task_id))


@of_submission.post(
    "/submissions/<uuid:submission_id>/peer-review",
    body=schemas.PeerReviewWrittenIn,
    answer=schemas.ReviewOut,
    status=201,
    errors=(
        *READING,
        NotAMember,
        CircleClosed,
        errors.OwnWork,
        errors.NotAPeerTask,
        errors.PeerTaskOver,
        errors.AlreadyReviewed,
    ),
)
def review_as_peer(uow: UnitOfWork, caller: Caller, submission_id: UUID, body: Json) -> Json:
    """Review a fellow member's work by the rubric."""
    written = peer_reviewing.review_as_peer(uow, caller, submission_id, **body)
    return review_queries.review(uow, caller, written.id)
