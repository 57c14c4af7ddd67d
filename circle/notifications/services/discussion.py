"""Who is told of what is said below posts. Notices carry ids and names, never the words: they may be locked later."""

from uuid import UUID

from sqlalchemy import and_, select

from circle.accounts.models import User
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership
from circle.notifications.kinds import Kind
from circle.notifications.services.sending import notify
from circle.posts import discussion_events as events
from circle.posts.cards import author_name

# In the place of a name in the sentences of both languages.
ANONYMOUS = "匿名 (anonymous)"


def on_comment_posted(uow: UnitOfWork, posted: events.CommentPosted) -> None:
    if posted.told:
        notify(
            uow,
            posted.told,
            Kind.COMMENT_RECEIVED,
            key=f"comment:{posted.comment_id}",
            circle_id=posted.circle_id,
            subject=("comment", posted.comment_id),
            actor=_name(uow, posted.circle_id, posted.author_id),
            post_id=str(posted.post_id),
        )


def on_member_mentioned(uow: UnitOfWork, mentioned: events.MemberMentioned) -> None:
    """Whoever was told of the comment as its addressee already is not told again: the key is the same."""
    notify(
        uow,
        mentioned.user_id,
        Kind.MENTION,
        key=f"{mentioned.subject_kind}:{mentioned.subject_id}",
        circle_id=mentioned.circle_id,
        subject=(mentioned.subject_kind, mentioned.subject_id),
        actor=_name(uow, mentioned.circle_id, mentioned.by_id),
        post_id=str(mentioned.post_id),
    )


def on_question_asked(uow: UnitOfWork, asked: events.QuestionAsked) -> None:
    notify(
        uow,
        asked.asked_id,
        Kind.QUESTION_RECEIVED,
        key=f"question:{asked.post_id}",
        circle_id=asked.circle_id,
        subject=("post", asked.post_id),
        actor=_name(uow, asked.circle_id, asked.asker_id),
    )


def on_question_answered(uow: UnitOfWork, answered: events.QuestionAnswered) -> None:
    notify(
        uow,
        answered.told,
        Kind.QUESTION_ANSWERED,
        key=f"answer:{answered.answer_id}",
        circle_id=answered.circle_id,
        subject=("post", answered.post_id),
        actor=_name(uow, answered.circle_id, answered.author_id),
    )


def on_question_refunded(uow: UnitOfWork, refunded: events.QuestionRefunded) -> None:
    notify(
        uow,
        refunded.told,
        Kind.QUESTION_REFUNDED,
        key=f"question_refunded:{refunded.post_id}",
        circle_id=refunded.circle_id,
        subject=("post", refunded.post_id),
    )


def on_report_resolved(uow: UnitOfWork, resolved: events.ReportResolved) -> None:
    notify(
        uow,
        resolved.reporter_id,
        Kind.REPORT_RESOLVED,
        key=f"report:{resolved.report_id}",
        circle_id=resolved.circle_id,
        subject=("report", resolved.report_id),
        outcome=resolved.outcome,
    )


def on_author_warned(uow: UnitOfWork, warned: events.AuthorWarned) -> None:
    notify(
        uow,
        warned.author_id,
        Kind.CONTENT_WARNED,
        key=f"warned:{warned.report_id}",
        circle_id=warned.circle_id,
        subject=(warned.subject_kind, warned.subject_id),
        post_id=str(warned.post_id),
    )


def _name(uow: UnitOfWork, circle_id: UUID, user_id: UUID | None) -> str:
    """Return the name that somebody goes by in a circle."""
    if user_id is None:
        return ANONYMOUS
    here = and_(Membership.user_id == User.id, Membership.circle_id == circle_id)
    named = select(author_name()).select_from(User).outerjoin(Membership, here).where(User.id == user_id)
    return str(uow.session.scalars(named).one())
