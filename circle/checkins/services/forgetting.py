"""A deleted account: what was written goes, the days stay as numbers without a name."""

from uuid import UUID

from sqlalchemy import func, select, update

from circle.accounts.events import UserDeleted
from circle.checkins.entry_models import CheckIn, CheckInComment
from circle.checkins.models import CampMember, Standing
from circle.checkins.services.certificates import withdraw_all
from circle.checkins.services.discussion import authors_entries, blank_entries
from circle.kernel.uow import UnitOfWork


def forget_person(uow: UnitOfWork, happened: UserDeleted) -> None:
    """Delete what somebody wrote in camps, and withdraw their certificates."""
    blank_entries(uow, authors_entries(uow, happened.user_id), by=happened.user_id)
    _remove_comments(uow, happened.user_id)
    uow.session.execute(
        update(CheckIn)
        .where(CheckIn.user_id == happened.user_id)
        .values(teacher_note=None)
        .execution_options(synchronize_session=False)
    )
    joined = select(CampMember.camp_id).where(CampMember.user_id == happened.user_id)
    uow.session.execute(
        update(Standing)
        .where(Standing.user_id == happened.user_id, Standing.camp_id.in_(joined))
        .values(ranked=False)
        .execution_options(synchronize_session=False)
    )
    withdraw_all(uow, happened.user_id)


def _remove_comments(uow: UnitOfWork, user_id: UUID) -> None:
    shown = (CheckInComment.author_id == user_id, CheckInComment.removed_at.is_(None))
    written = select(CheckInComment.check_in_id, func.count().label("comments")).where(*shown)
    by_entry = written.group_by(CheckInComment.check_in_id).subquery("by_entry")
    for statement in (
        update(CheckIn)
        .where(CheckIn.id == by_entry.c.check_in_id)
        .values(comment_count=CheckIn.comment_count - by_entry.c.comments),
        update(CheckInComment).where(*shown).values(body="", removed_at=uow.now),
    ):
        uow.session.execute(statement.execution_options(synchronize_session=False))
