"""HTTP of what is said below posts: comments, reactions, answers, reading, reports, blocked words."""

from uuid import UUID

from circle.billing.queries import checkout
from circle.billing.schemas import CheckoutOut
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import Invalid
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.media.errors import StorageFull
from circle.memberships.errors import MEMBERS_ONLY, Banned, MembershipExpired, MissingPermission, NotAMember
from circle.memberships.limits import COMMENTING, REACTING
from circle.posts import discussion_errors as errors
from circle.posts import discussion_queries, moderation_queries, queries, question_queries
from circle.posts import discussion_schemas as shapes
from circle.posts.errors import NotPublished, NotTheAuthor, PostLocked
from circle.posts.policy import circle_gate, post_gate
from circle.posts.routes import EDITING, SPEAKING
from circle.posts.schemas import PostOut
from circle.posts.services import answers, comments, questions, reactions, reading, reports, words
from circle.web.limits import Limit
from circle.web.pagination import PageArgs, page_of
from circle.web.routes import Routes

of_posts = Routes("discussion", "What is said below a post.", gate=post_gate, errors=MEMBERS_ONLY)
of_comments = Routes("comments", "One comment.", errors=MEMBERS_ONLY)
of_circles = Routes("moderation", "What moderators look after.", gate=circle_gate, errors=MEMBERS_ONLY)
ROUTES = (of_posts, of_comments, of_circles)

POST, COMMENT, CIRCLE = "/posts/<uuid:post_id>", "/comments/<uuid:comment_id>", "/circles/<uuid:circle_id>"
REPORTING = (Limit("reporting", "20/hour"),)
_TALKING = (*SPEAKING, PostLocked, NotPublished)
_MODERATING = (NotAMember, MembershipExpired, Banned, MissingPermission)


@of_posts.get(
    f"{POST}/comments",
    public=True,
    query=shapes.CommentArgs,
    answer=page_of(shapes.ThreadOut),
    hot=True,
    errors=(Banned, PostLocked),
)
def list_comments(uow: UnitOfWork, caller: Caller | None, post_id: UUID, query: Json) -> Json:
    """Comments of a post, each with its first replies; `parent_id` pages the replies below one."""
    return discussion_queries.comments(uow, caller, post_id, **query)


@of_posts.post(
    f"{POST}/comments",
    body=shapes.CommentIn,
    answer=shapes.CommentOut,
    hot=True,
    status=201,
    limits=COMMENTING,
    errors=_TALKING,
)
def post_comment(uow: UnitOfWork, caller: Caller, post_id: UUID, body: Json) -> Json:
    """Comment on a post, or reply to a comment. A word may hold it back: `status` is `review` then."""
    post, comment = comments.post_comment(uow, caller, post_id, **body)
    return discussion_queries.comment(uow, post, comment.id)


@of_comments.patch(
    COMMENT,
    body=shapes.CommentPatch,
    answer=shapes.CommentOut,
    hot=True,
    versioned=True,
    limits=COMMENTING,
    errors=(*_TALKING, NotTheAuthor, errors.EditTooLate, WrongState),
)
def edit_comment(uow: UnitOfWork, caller: Caller, comment_id: UUID, body: Json, version: int | None) -> Json:
    """Reword your own comment, within 24 hours."""
    post, comment = comments.edit_comment(uow, caller, comment_id, version=version, **body)
    return discussion_queries.comment(uow, post, comment.id)


@of_comments.delete(COMMENT, status=204, errors=(*_MODERATING, PostLocked))
def delete_comment(uow: UnitOfWork, caller: Caller, comment_id: UUID) -> None:
    """Take your own comment back, or as a moderator anybody's. Replies below it stay."""
    comments.delete_comment(uow, caller, comment_id)


@of_comments.put(f"{COMMENT}/hidden", status=204, errors=(*_MODERATING, PostLocked, WrongState))
def hide_comment(uow: UnitOfWork, caller: Caller, comment_id: UUID) -> None:
    """Take a comment out of sight, as a moderator."""
    comments.moderate_comment(uow, caller, comment_id, "hide")


@of_comments.delete(f"{COMMENT}/hidden", status=204, errors=(*_MODERATING, PostLocked, WrongState))
def unhide_comment(uow: UnitOfWork, caller: Caller, comment_id: UUID) -> None:
    """Put a hidden comment back in sight, as a moderator."""
    comments.moderate_comment(uow, caller, comment_id, "unhide")


@of_comments.post(
    f"{COMMENT}/approve", answer=shapes.CommentOut, hot=True, errors=(*_MODERATING, PostLocked, WrongState)
)
def approve_comment(uow: UnitOfWork, caller: Caller, comment_id: UUID) -> Json:
    """Let a comment pass that a blocked word holds back, as a moderator."""
    post, comment = comments.moderate_comment(uow, caller, comment_id, "approve")
    return discussion_queries.comment(uow, post, comment.id)


@of_circles.get(
    f"{CIRCLE}/comments", query=shapes.StreamArgs, answer=page_of(shapes.StreamOut), hot=True, errors=_MODERATING
)
def list_all_comments(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """All comments of a circle, newest first, for its moderators; `?status=review` are those held back."""
    return discussion_queries.stream(uow, caller, circle_id, **query)


@of_posts.put(
    f"{POST}/reactions/<emoji>",
    answer=shapes.ReactionsOut,
    limits=REACTING,
    errors=(*SPEAKING, PostLocked, NotPublished, errors.TooManyReactions, Invalid),
)
def react(uow: UnitOfWork, caller: Caller, post_id: UUID, emoji: str) -> Json:
    """React to a post with one emoji; doing so again changes nothing."""
    return reactions.react(uow, caller, post_id, emoji)


@of_posts.delete(
    f"{POST}/reactions/<emoji>", answer=shapes.ReactionsOut, limits=REACTING, errors=(Banned, PostLocked, Invalid)
)
def unreact(uow: UnitOfWork, caller: Caller, post_id: UUID, emoji: str) -> Json:
    """Take a reaction back; doing so again changes nothing."""
    return reactions.unreact(uow, caller, post_id, emoji)


@of_posts.put(f"{POST}/read", body=shapes.ReadingIn, status=204, errors=(Banned, PostLocked, NotPublished))
def mark_read(uow: UnitOfWork, caller: Caller, post_id: UUID, body: Json) -> None:
    """Note that you have read a post, and how far."""
    reading.mark_read(uow, caller, post_id, **body)


@of_posts.post(
    f"{POST}/answer",
    body=shapes.AnswerIn,
    answer=PostOut,
    hot=True,
    status=201,
    limits=COMMENTING,
    errors=(*_TALKING, StorageFull, errors.NotAQuestion, errors.NotAsked, errors.AlreadyAnswered, WrongState),
)
def answer_question(uow: UnitOfWork, caller: Caller, post_id: UUID, body: Json) -> Json:
    """Answer a question that you were asked, or as the owner any."""
    answers.answer_question(uow, caller, post_id, **body)
    return queries.post(uow, caller, post_id)


@of_posts.patch(
    f"{POST}/answer",
    body=shapes.AnswerPatch,
    answer=PostOut,
    hot=True,
    versioned=True,
    limits=EDITING,
    errors=(*_TALKING, StorageFull, errors.NotAnswered, NotTheAuthor),
)
def edit_answer(uow: UnitOfWork, caller: Caller, post_id: UUID, body: Json, version: int | None) -> Json:
    """Reword your own answer; what it said before is kept. `If-Match` names the answer's own version."""
    answers.edit_answer(uow, caller, post_id, version=version, **body)
    return queries.post(uow, caller, post_id)


@of_posts.get(
    f"{POST}/answer/revisions",
    query=PageArgs,
    answer=page_of(shapes.AnswerRevisionOut),
    errors=(Banned, PostLocked, errors.NotAnswered),
)
def list_answer_revisions(uow: UnitOfWork, caller: Caller, post_id: UUID, query: Json) -> Json:
    """What an answer said before its edits, latest first; for whoever may read it."""
    return question_queries.answer_revisions(uow, caller, post_id, **query)


@of_posts.post(
    f"{POST}/checkout",
    answer=CheckoutOut,
    errors=(*SPEAKING, NotTheAuthor, errors.NotAQuestion, WrongState),
)
def open_question_checkout(uow: UnitOfWork, caller: Caller, post_id: UUID) -> Json:
    """What is to be paid for your question, anew if the first checkout has expired."""
    return checkout(uow, questions.open_checkout(uow, caller, post_id).id)


@of_circles.get(f"{CIRCLE}/questions", query=shapes.QuestionArgs, answer=page_of(PostOut), hot=True, errors=(Banned,))
def list_questions(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """A circle's questions, newest first: by status, and by who is asked."""
    return question_queries.questions(uow, caller, circle_id, **query)


@of_posts.post(
    f"{POST}/report",
    body=shapes.ReportIn,
    answer=shapes.ReportOut,
    status=201,
    limits=REPORTING,
    errors=(NotAMember, MembershipExpired, Banned, PostLocked, errors.AlreadyReported, errors.OwnContent),
)
def report_post(uow: UnitOfWork, caller: Caller, post_id: UUID, body: Json) -> object:
    """Tell the moderators what is wrong with a post; you hear what became of it."""
    return reports.report_post(uow, caller, post_id, **body)


@of_comments.post(
    f"{COMMENT}/report",
    body=shapes.ReportIn,
    answer=shapes.ReportOut,
    status=201,
    limits=REPORTING,
    errors=(NotAMember, MembershipExpired, Banned, PostLocked, errors.AlreadyReported, errors.OwnContent),
)
def report_comment(uow: UnitOfWork, caller: Caller, comment_id: UUID, body: Json) -> object:
    """Tell the moderators what is wrong with a comment; you hear what became of it."""
    return reports.report_comment(uow, caller, comment_id, **body)


@of_circles.get(
    f"{CIRCLE}/reports", query=shapes.ReportArgs, answer=page_of(shapes.QueuedReportOut), errors=_MODERATING
)
def list_reports(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """What members complain about, those waiting longest first."""
    return moderation_queries.reports(uow, caller, circle_id, **query)


@of_comments.post(
    "/reports/<uuid:report_id>/resolve",
    body=shapes.ResolutionIn,
    answer=shapes.ReportOut,
    errors=(*_MODERATING, errors.AlreadyResolved, errors.OwnContent),
)
def resolve_report(uow: UnitOfWork, caller: Caller, report_id: UUID, body: Json) -> object:
    """Decide: dismiss it, hide or remove what it is about, or warn its author. All reports about it are closed."""
    return reports.resolve_report(uow, caller, report_id, **body)


@of_circles.get(f"{CIRCLE}/blocked-words", query=PageArgs, answer=page_of(shapes.BlockedWordOut), errors=_MODERATING)
def list_blocked_words(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """The words that the circle does not want."""
    return moderation_queries.blocked_words(uow, caller, circle_id, **query)


@of_circles.post(
    f"{CIRCLE}/blocked-words",
    body=shapes.BlockedWordIn,
    answer=shapes.BlockedWordOut,
    status=201,
    errors=(*_MODERATING, errors.WordListed, errors.TooManyWords),
)
def block_word(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> object:
    """Refuse texts with a word (`block`), or hold them back for a moderator (`review`)."""
    return words.block_word(uow, caller, circle_id, **body)


@of_comments.delete("/blocked-words/<uuid:word_id>", status=204, errors=_MODERATING)
def allow_word(uow: UnitOfWork, caller: Caller, word_id: UUID) -> None:
    """Take a word off the list."""
    words.allow_word(uow, caller, word_id)
