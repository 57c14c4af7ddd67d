"""Undoing the import of a whole circle, as long as nobody has joined it: it goes from sight, and its words with it.

The circle was empty before, so that nothing of it is worth keeping apart: it is closed, hidden and gives its address
free, for another circle into which the same export may come. What the database never lets go of, such as homework that
was handed in, stays in it unread: of the imported people nobody can log in, and their names are taken off.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, exists, or_, select, update

from circle.accounts.models import Identity, User
from circle.accounts.services.people import DELETED_NAME
from circle.archive.errors import CircleInUse
from circle.archive.models import Import, ImportedRecord
from circle.archive.shelf_models import PostPin, StartHere
from circle.billing.models import Invoice, Subscription
from circle.circles.models import Circle, PreviewPolicy
from circle.kernel import changes
from circle.kernel.uow import UnitOfWork
from circle.media.services.attachments import detach_from
from circle.memberships.models import Membership, Role
from circle.posts.filing import Column, ColumnItem, ColumnSection, Tag
from circle.posts.models import Answer, AnswerRevision, Comment, Reaction

_QUIETLY = {"synchronize_session": False}


def put_out_of_sight(uow: UnitOfWork, found: Import) -> None:
    """Close and hide the circle of an import; its address is free. Errors: CircleInUse.

    Who joins at the same time holds on to the circle's row, which is waited for here: they are seen below.
    """
    circle = uow.session.get_one(Circle, found.circle_id, with_for_update=True, populate_existing=True)
    circle.slug, circle.preview_policy = f"undone-{found.id.hex[-12:]}", PreviewPolicy.NONE
    circle.closed_at = circle.closed_at or uow.now
    uow.session.flush()
    lives = exists().where(
        Membership.circle_id == circle.id, Membership.role != Role.OWNER, Identity.user_id == Membership.user_id
    )
    pays = [exists().where(one.circle_id == circle.id) for one in (Subscription, Invoice)]
    if uow.session.scalar(select(or_(lives, *pays))):
        raise CircleInUse
    changes.record(uow, circle_id=circle.id, kind="circle", item_id=circle.id, operation="updated")


def forget_what_was_said(uow: UnitOfWork, post_ids: Sequence[UUID]) -> None:
    """Delete what stands below posts that go, and their places at the top."""
    answers = select(Answer.id).where(Answer.post_id.in_(post_ids))
    uow.session.execute(delete(AnswerRevision).where(AnswerRevision.answer_id.in_(answers)), execution_options=_QUIETLY)
    replies = delete(Comment).where(Comment.post_id.in_(post_ids), Comment.parent_id.is_not(None))
    uow.session.execute(replies, execution_options=_QUIETLY)
    for post_id in (Comment.post_id, Reaction.post_id, PostPin.post_id, StartHere.post_id):
        uow.session.execute(delete(post_id.class_).where(post_id.in_(post_ids)), execution_options=_QUIETLY)


def clear(uow: UnitOfWork, found: Import) -> None:
    """Take out columns, tags, records of money and the names of people who came."""
    circle_id = found.circle_id
    columns = uow.session.scalars(select(Column.id).where(Column.circle_id == circle_id)).all()
    for column_id in (ColumnItem.column_id, ColumnSection.column_id, Column.id):
        uow.session.execute(delete(column_id.class_).where(column_id.in_(columns)), execution_options=_QUIETLY)
    detach_from(uow, [circle_id, *columns])
    for table in (Tag, ImportedRecord):
        uow.session.execute(delete(table).where(table.circle_id == circle_id), execution_options=_QUIETLY)
    members = select(Membership.user_id).where(Membership.circle_id == circle_id, Membership.role != Role.OWNER)
    nobody = ~exists().where(Identity.user_id == User.id)
    uow.session.execute(
        update(User)
        .where(User.id.in_(members), nobody, User.password_hash.is_(None), User.deleted_at.is_(None))
        .values(display_name=DELETED_NAME.zh, bio="", deleted_at=uow.now),
        execution_options=_QUIETLY,
    )
    uow.session.execute(
        update(Membership)
        .where(Membership.circle_id == circle_id, Membership.role != Role.OWNER)
        .values(alias="", note="", answers=[]),
        execution_options=_QUIETLY,
    )
