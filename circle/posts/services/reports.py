"""Reports: a member complains about a post or comment, a moderator decides, and everybody who complained is told."""

from typing import Literal
from uuid import UUID

from sqlalchemy import exists, select

from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import NotFound
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Role
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_member, require_permission
from circle.posts.discussion_errors import AlreadyReported, AlreadyResolved, OwnContent
from circle.posts.discussion_events import AuthorWarned, ContentReported, ReportResolved
from circle.posts.models import Comment, CommentStatus, Post, PostStatus, Report
from circle.posts.policy import SeenPost, require_post
from circle.posts.services.comments import moderate_comment, require_seen_comment
from circle.posts.services.trash import hide_post, trash_post

REASONS = ("spam", "abuse", "illegal", "copyright", "off_topic", "other")
OUTCOMES = ("dismissed", "hidden", "removed", "warned")
Outcome = Literal["dismissed", "hidden", "removed", "warned"]
POST, COMMENT = "post", "comment"


def report_post(uow: UnitOfWork, caller: Caller, post_id: UUID, *, reason: str, note: str = "") -> Report:
    """Complain about a post that one may read. Errors: OwnContent, AlreadyReported, those of `require_post`."""
    post = require_post(uow, caller, post_id)
    return _report(uow, caller, post, POST, post.id, post.author_id, reason=reason, note=note)


def report_comment(uow: UnitOfWork, caller: Caller, comment_id: UUID, *, reason: str, note: str = "") -> Report:
    """Complain about a comment that one may read. Errors: OwnContent, AlreadyReported, those of `require_post`."""
    post, comment = require_seen_comment(uow, caller, comment_id)
    return _report(uow, caller, post, COMMENT, comment.id, comment.author_id, reason=reason, note=note)


def _report(
    uow: UnitOfWork,
    caller: Caller,
    post: SeenPost,
    subject_kind: str,
    subject_id: UUID,
    author_id: UUID,
    *,
    reason: str,
    note: str,
) -> Report:
    require_member(uow, caller, post.circle_id)
    if author_id == caller.user_id:
        raise OwnContent
    open_one = (Report.reporter_id == caller.user_id, Report.subject_id == subject_id, Report.outcome.is_(None))
    if uow.session.scalar(select(exists().where(*open_one))):
        raise AlreadyReported
    report = Report(
        id=new_id(),
        circle_id=post.circle_id,
        reporter_id=caller.user_id,
        subject_kind=subject_kind,
        subject_id=subject_id,
        reason=reason,
        note=note,
        created_at=uow.now,
    )
    uow.session.add(report)
    uow.session.flush()
    uow.emit(ContentReported(report.circle_id, report.id, subject_kind, subject_id))
    return report


def resolve_report(uow: UnitOfWork, caller: Caller, report_id: UUID, *, outcome: Outcome) -> Report:
    """Decide about what was reported; every open report about it gets the same outcome, and its reporter is told.

    Only the owner decides about their own. Errors: NotFound, MissingPermission, AlreadyResolved, OwnContent.
    """
    report = uow.session.get(Report, report_id)
    if report is None:
        raise NotFound
    standing = require_permission(uow, caller, report.circle_id, Permission.MODERATE)
    open_ones = _lock_open(uow, report.subject_id)
    if report not in open_ones:
        raise AlreadyResolved
    post_id, author_id = _subject(uow, report)
    about = (report.subject_kind, report.subject_id)
    if author_id == caller.user_id and standing.role != Role.OWNER:
        raise OwnContent
    _carry_out(uow, caller, report, outcome)
    if outcome == "warned":
        uow.emit(AuthorWarned(report.circle_id, report.id, post_id, *about, author_id))
    for one in open_ones:
        one.outcome, one.resolved_by, one.resolved_at = outcome, caller.user_id, uow.now
    uow.session.flush()
    for one in open_ones:
        uow.emit(ReportResolved(one.circle_id, one.id, one.reporter_id, outcome))
    audit.record(
        uow,
        caller,
        "report.resolve",
        circle_id=report.circle_id,
        subject_kind=report.subject_kind,
        subject_id=report.subject_id,
        outcome=outcome,
        reports=[str(one.id) for one in open_ones],
    )
    return report


def _lock_open(uow: UnitOfWork, subject_id: UUID) -> list[Report]:
    """Return the open reports about a subject, locked in one order, as they are behind the lock."""
    open_ones = (
        select(Report)
        .where(Report.subject_id == subject_id, Report.outcome.is_(None))
        .order_by(Report.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(uow.session.scalars(open_ones))


def _subject(uow: UnitOfWork, report: Report) -> tuple[UUID, UUID]:
    """Return the post that a report is about or below, and the author of what is reported."""
    if report.subject_kind == POST:
        post = uow.session.get_one(Post, report.subject_id)
        return post.id, post.author_id
    comment = uow.session.get_one(Comment, report.subject_id)
    return comment.post_id, comment.author_id


def _carry_out(uow: UnitOfWork, caller: Caller, report: Report, outcome: Outcome) -> None:
    """Hide or remove the subject, unless its author or another moderator was quicker."""
    if outcome not in {"hidden", "removed"}:
        return
    if report.subject_kind == COMMENT:
        comment = uow.session.get_one(Comment, report.subject_id)
        if comment.status == CommentStatus.TRASHED:
            return
        if outcome == "removed":
            moderate_comment(uow, caller, comment.id, "delete")
        elif comment.status != CommentStatus.HIDDEN:
            moderate_comment(uow, caller, comment.id, "hide")
        return
    post = uow.session.get_one(Post, report.subject_id)
    if post.status == PostStatus.TRASHED:
        return
    if outcome == "removed":
        trash_post(uow, caller, post.id)
    elif post.status in {PostStatus.PUBLISHED, PostStatus.REVIEW}:
        hide_post(uow, caller, post.id)
