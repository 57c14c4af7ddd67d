"""What others say about an entry: likes, comments, the teacher's note, pins; and taking an entry off the feed."""

from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from circle.checkins.entry_models import CheckIn, CheckInComment, CheckInLike, CheckInVersion
from circle.checkins.errors import NotTheAuthor
from circle.checkins.events import CheckInCommented, CheckInNoted
from circle.checkins.policy import SeenCamp, require_entry
from circle.config import Settings
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, NotFound
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.media.services.attachments import detach_from
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission, require_voice


def like(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> None:
    """Like an entry, once. Errors: those of `require_entry` and `require_voice`."""
    _require_said(uow, caller, check_in_id)
    liked = insert(CheckInLike).values(check_in_id=check_in_id, user_id=caller.user_id, created_at=uow.now)
    if uow.session.execute(liked.on_conflict_do_nothing().returning(CheckInLike.user_id)).scalar() is not None:
        _count(uow, check_in_id, likes=1)


def unlike(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> None:
    """Take a like back. Errors: those of `require_entry`."""
    require_entry(uow, caller, check_in_id)
    mine = (CheckInLike.check_in_id == check_in_id, CheckInLike.user_id == caller.user_id)
    if uow.session.execute(delete(CheckInLike).where(*mine).returning(CheckInLike.user_id)).scalar() is not None:
        _count(uow, check_in_id, likes=-1)


def comment(uow: UnitOfWork, caller: Caller, check_in_id: UUID, *, body: str) -> UUID:
    """Comment on an entry; return the comment's id. Errors: those of `require_entry` and `require_voice`, Invalid."""
    camp = _require_said(uow, caller, check_in_id)
    _require_length(uow, body)
    made = CheckInComment(id=new_id(), check_in_id=check_in_id, author_id=caller.user_id, body=body, created_at=uow.now)
    uow.session.add(made)
    uow.session.flush()
    author_id = _count(uow, check_in_id, comments=1)
    uow.emit(
        CheckInCommented(
            camp.id, camp.circle_id, camp.title, check_in_id, made.id, author_id, caller.user_id, caller.display_name
        )
    )
    return made.id


def remove_comment(uow: UnitOfWork, caller: Caller, comment_id: UUID) -> None:
    """Take back one's own comment or, as a moderator, anybody's. Errors: NotFound, MissingPermission."""
    found = uow.session.get(CheckInComment, comment_id, with_for_update=True)
    if found is None or found.removed_at is not None:
        raise NotFound
    camp = require_entry(uow, caller, found.check_in_id)
    if found.author_id != caller.user_id:
        require_permission(uow, caller, camp.circle_id, Permission.MODERATE)
        _note_act(uow, caller, camp, "check_in_comment.remove", comment_id)
    found.removed_at, found.body = uow.now, ""
    _count(uow, found.check_in_id, comments=-1)


def put_note(uow: UnitOfWork, caller: Caller, check_in_id: UUID, *, body: str | None) -> None:
    """Write the teacher's note on an entry, or take it away. Errors: those of `require_entry`, MissingPermission."""
    camp = _require_teaching(uow, caller, check_in_id)
    entry = _lock(uow, check_in_id)
    entry.teacher_note, entry.noted_by, entry.noted_at = body, None, None
    if body is not None:
        entry.noted_by, entry.noted_at = caller.user_id, uow.now
        uow.emit(
            CheckInNoted(
                camp.id, camp.circle_id, camp.title, check_in_id, entry.user_id, caller.user_id, caller.display_name
            )
        )


def pin(uow: UnitOfWork, caller: Caller, check_in_id: UUID, *, pinned: bool) -> None:
    """Show a good entry first, or no longer. Errors: those of `require_entry`, MissingPermission."""
    _require_teaching(uow, caller, check_in_id)
    _lock(uow, check_in_id).pinned_at = uow.now if pinned else None


def remove_entry(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> None:
    """Delete what an entry says, as its author or a moderator; the day that was done stays done.

    Errors: those of `require_entry`, NotTheAuthor.
    """
    camp = require_entry(uow, caller, check_in_id)
    entry = _lock(uow, check_in_id)
    if entry.user_id != caller.user_id:
        if not camp.circle.may(Permission.MODERATE):
            raise NotTheAuthor
        _note_act(uow, caller, camp, "check_in.remove", check_in_id)
    blank_entries(uow, [check_in_id], by=caller.user_id)


def blank_entries(uow: UnitOfWork, ids: list[UUID], *, by: UUID) -> None:
    """Delete the words and attachments of entries, and the versions before them; their days stay."""
    uow.session.execute(delete(CheckInVersion).where(CheckInVersion.check_in_id.in_(ids)))
    uow.session.execute(
        update(CheckIn)
        .where(CheckIn.id.in_(ids))
        .values(body="", number=None, attached=0, removed_at=uow.now, removed_by=by, pinned_at=None)
        .execution_options(synchronize_session="fetch")
    )
    detach_from(uow, ids)


def _require_said(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> SeenCamp:
    camp = require_entry(uow, caller, check_in_id)
    require_voice(uow, caller, camp.circle_id)
    return camp


def _require_teaching(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> SeenCamp:
    camp = require_entry(uow, caller, check_in_id)
    require_permission(uow, caller, camp.circle_id, Permission.TEACH)
    return camp


def _require_length(uow: UnitOfWork, body: str) -> None:
    most = uow.use(Settings).comment_max_length
    if len(body) > most:
        raise Invalid.field("body", "too_long", f"长度不能超过 {most}。", f"Longer than maximum length {most}.")


def _lock(uow: UnitOfWork, check_in_id: UUID) -> CheckIn:
    return uow.session.get_one(CheckIn, check_in_id, with_for_update=True, populate_existing=True)


def _count(uow: UnitOfWork, check_in_id: UUID, *, likes: int = 0, comments: int = 0) -> UUID:
    """Count up or down where it is kept; return the entry's author."""
    return uow.session.execute(
        update(CheckIn)
        .where(CheckIn.id == check_in_id)
        .values(like_count=CheckIn.like_count + likes, comment_count=CheckIn.comment_count + comments)
        .returning(CheckIn.user_id)
        .execution_options(synchronize_session=False)
    ).scalar_one()


def _note_act(uow: UnitOfWork, caller: Caller, camp: SeenCamp, action: str, subject_id: UUID) -> None:
    kind = action.partition(".")[0]
    audit.record(uow, caller, action, circle_id=camp.circle_id, subject_kind=kind, subject_id=subject_id)


def authors_entries(uow: UnitOfWork, user_id: UUID) -> list[UUID]:
    return list(uow.session.scalars(select(CheckIn.id).where(CheckIn.user_id == user_id, CheckIn.removed_at.is_(None))))
