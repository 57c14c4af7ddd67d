"""HTTP of what teachers do with homework: reviews, queue, extensions, reminders, gradebook."""

from uuid import UUID

from circle.homework import errors, grading_queries, queries, review_queries, schemas, spreadsheet
from circle.homework.policy import assignment_gate, circle_gate, submission_gate
from circle.homework.routes import TEACHING, of_assignment, of_circle, of_peer_task, of_submission
from circle.homework.services import extensions, grading, reminders, reviewing, showcasing
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.media.errors import StorageFull
from circle.memberships.errors import MEMBERS_ONLY, CircleClosed
from circle.web.limits import Limit
from circle.web.pagination import PageArgs, page_of
from circle.web.routes import Routes

for_circle = Routes("gradebook", "What all members have handed in.", gate=circle_gate, errors=MEMBERS_ONLY)
for_assignment = Routes("grading", "Grading one assignment.", gate=assignment_gate, errors=MEMBERS_ONLY)
for_submission = Routes("reviews", "What teachers say about homework.", gate=submission_gate, errors=MEMBERS_ONLY)
for_review = Routes("review", "One review.", errors=MEMBERS_ONLY)
ROUTES = (
    of_circle,
    of_assignment,
    of_submission,
    of_peer_task,
    for_circle,
    for_assignment,
    for_submission,
    for_review,
)

_EXPORT = (Limit("gradebook_csv", "30/hour"),)


@for_submission.post(
    "/submissions/<uuid:submission_id>/reviews",
    body=schemas.ReviewIn,
    answer=schemas.ReviewOut,
    status=201,
    errors=(*TEACHING, StorageFull, errors.OwnWork, errors.ClaimedByAnother, errors.AlreadyReviewed),
)
def review_submission(uow: UnitOfWork, caller: Caller, submission_id: UUID, body: Json) -> Json:
    """Judge one version of a member's work."""
    written = reviewing.review_submission(uow, caller, submission_id, **body)
    return review_queries.review(uow, caller, written.id)


@for_submission.get("/submissions/<uuid:submission_id>/neighbours", answer=schemas.NeighboursOut, errors=TEACHING)
def get_neighbours(uow: UnitOfWork, caller: Caller, submission_id: UUID) -> Json:
    """What was handed in just before and after a work: next and previous while grading."""
    return grading_queries.neighbours(uow, caller, submission_id)


@for_review.get("/reviews/<uuid:review_id>", answer=schemas.ReviewOut, errors=TEACHING)
def get_review(uow: UnitOfWork, caller: Caller, review_id: UUID) -> Json:
    """One review."""
    return review_queries.review(uow, caller, review_id)


@for_review.patch(
    "/reviews/<uuid:review_id>",
    body=schemas.ReviewPatch,
    answer=schemas.ReviewOut,
    versioned=True,
    errors=(*TEACHING, StorageFull, errors.OwnWork),
)
def edit_review(uow: UnitOfWork, caller: Caller, review_id: UUID, body: Json, version: int | None) -> Json:
    """Change your review, or as owner or partner anybody's; what it said before is kept."""
    reviewing.edit_review(uow, caller, review_id, version=version, **body)
    return review_queries.review(uow, caller, review_id)


@for_review.get(
    "/reviews/<uuid:review_id>/revisions",
    query=PageArgs,
    answer=page_of(schemas.ReviewRevisionOut),
    errors=TEACHING,
)
def list_review_revisions(uow: UnitOfWork, caller: Caller, review_id: UUID, query: Json) -> Json:
    """What a review said before, its score among it, latest first."""
    return review_queries.revisions(uow, caller, review_id, **query)


@for_assignment.post(
    "/assignments/<uuid:assignment_id>/release",
    answer=schemas.AssignmentOut,
    errors=(*TEACHING, CircleClosed, errors.NothingHeld),
)
def release_scores(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Json:
    """Let everybody see their score at once."""
    grading.release_scores(uow, caller, assignment_id)
    return queries.assignment(uow, caller, assignment_id)


@for_assignment.get("/assignments/<uuid:assignment_id>/queue", query=PageArgs, answer=schemas.QueueOut, errors=TEACHING)
def get_queue(uow: UnitOfWork, caller: Caller, assignment_id: UUID, query: Json) -> Json:
    """What waits to be graded, oldest first, with counts by state."""
    return grading_queries.queue(uow, caller, assignment_id, **query)


@for_assignment.post(
    "/assignments/<uuid:assignment_id>/queue/claim",
    body=schemas.QueueClaimIn,
    answer=schemas.QueueClaimOut,
    errors=(*TEACHING, CircleClosed, errors.OwnWork, errors.ClaimedByAnother, grading.NotWaiting),
)
def claim_next(uow: UnitOfWork, caller: Caller, assignment_id: UUID, body: Json) -> Json:
    """Take what waits longest, so that nobody else grades it for half an hour."""
    return grading_queries.claimed(uow, grading.claim_next(uow, caller, assignment_id, **body))


@for_assignment.delete("/assignments/<uuid:assignment_id>/queue/claim", status=204, errors=TEACHING)
def let_go(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> None:
    """Give back what you have claimed."""
    grading.let_go(uow, caller, assignment_id)


@for_assignment.post(
    "/assignments/<uuid:assignment_id>/extensions",
    body=schemas.ExtensionIn,
    answer=schemas.ExtensionOut,
    status=201,
    errors=(*TEACHING, CircleClosed),
)
def extend(uow: UnitOfWork, caller: Caller, assignment_id: UUID, body: Json) -> Json:
    """Give one member more time."""
    return queries.extension(uow, extensions.extend(uow, caller, assignment_id, **body))


@for_assignment.get(
    "/assignments/<uuid:assignment_id>/extensions",
    query=PageArgs,
    answer=page_of(schemas.ExtensionOut),
    errors=TEACHING,
)
def list_extensions(uow: UnitOfWork, caller: Caller, assignment_id: UUID, query: Json) -> Json:
    """Who got more time, from whom and when, latest first."""
    return queries.extensions(uow, caller, assignment_id, **query)


@for_assignment.get(
    "/assignments/<uuid:assignment_id>/missing",
    query=PageArgs,
    answer=page_of(schemas.MissingOut),
    errors=TEACHING,
)
def list_missing(uow: UnitOfWork, caller: Caller, assignment_id: UUID, query: Json) -> Json:
    """Who still owes it."""
    return grading_queries.missing(uow, caller, assignment_id, **query)


@for_assignment.post(
    "/assignments/<uuid:assignment_id>/remind",
    answer=schemas.RemindedOut,
    errors=(*TEACHING, CircleClosed, errors.NotOpenYet),
)
def remind_missing(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Json:
    """Remind exactly those who still owe it, each at most once a day."""
    return {"reminded": reminders.remind_missing(uow, caller, assignment_id)}


@for_submission.post(
    "/submissions/<uuid:submission_id>/showcase",
    body=schemas.ShowcaseIn,
    answer=schemas.SubmissionPageOut,
    errors=(*TEACHING, CircleClosed, errors.NoConsent, errors.AlreadyShown, WrongState),
)
def showcase(uow: UnitOfWork, caller: Caller, submission_id: UUID, body: Json) -> Json:
    """Show a work in the circle as a post by its author, who has agreed; filed in a column if one is named."""
    return queries.submission(uow, caller, showcasing.showcase(uow, caller, submission_id, **body))


@for_circle.get("/circles/<uuid:circle_id>/gradebook", query=PageArgs, answer=schemas.GradebookOut, errors=TEACHING)
def get_gradebook(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """Members × the latest assignments."""
    return grading_queries.gradebook(uow, caller, circle_id, **query)


@for_circle.get("/circles/<uuid:circle_id>/gradebook.csv", text="text/csv", limits=_EXPORT, errors=TEACHING)
def get_gradebook_csv(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> str:
    """The gradebook of all members as a file for spreadsheets: of the latest hundred assignments."""
    return spreadsheet.gradebook_csv(uow, caller, circle_id)
