"""Attaching objects to what shows them. Whoever calls has checked that the caller may change the parent."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select

from circle.accounts.events import AvatarChosen
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.errors import FieldError, Invalid
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.media.models import Media, MediaKind, MediaStatus, Purpose
from circle.media.services import quotas
from circle.media.services.deleting import KEEP_UNATTACHED

_UNKNOWN = ("unknown_media", Text("没有这个文件。", "There is no such upload of yours for this purpose."))
_NOT_UPLOADED = ("not_uploaded", Text("文件还没有上传完成。", "The upload has not been completed."))
_REFUSED = ("content_refused", Text("文件内容不被接受。", "The content of this file is not accepted."))
_TAKEN = ("already_attached", Text("文件已用在别处。", "This file is attached to something else."))


@dataclass(frozen=True, slots=True)
class Limits:
    """How many images and other files one parent may show."""

    images: int
    files: int


def attach(
    uow: UnitOfWork,
    caller: Caller,
    media_ids: Sequence[UUID],
    *,
    purpose: Purpose,
    to: UUID,
    circle_id: UUID | None = None,
    elsewhere: Collection[UUID] = (),
    limits: Limits | None = None,
    field: str = "attachments",
) -> list[Media]:
    """Let `to` show exactly these objects, in this order; what it showed besides is detached.

    New ones must be the caller's own, of this purpose, completed, and attached to nothing else; those that are there
    already may stay whoever edits, and those of `elsewhere` stay where they are and are only counted. `limits`: those
    of posts unless given. They take space of `circle_id`. Errors: Invalid at `field`; at the commit, StorageFull.
    """
    wanted = list(dict.fromkeys(media_ids))
    rows = _lock(uow, wanted, to)
    by_id = {media.id: media for media in rows}
    errors = [
        FieldError(f"{field}.{index}", *trouble)
        for index, media_id in enumerate(wanted)
        if media_id not in elsewhere and (trouble := _trouble(by_id.get(media_id), caller, purpose, to)) is not None
    ]
    if errors:
        raise Invalid(*errors)
    attached = [by_id[media_id] for media_id in wanted]
    if any(media.attached_to != to for media in attached):
        # What is there may stay: an import may have brought more along than somebody may add.
        _require_within(limits or _limits_of_posts(uow), attached, field)
    for position, media in enumerate(attached):
        if media.id not in elsewhere:
            _attach(uow, media, to, position)
    if circle_id is not None:
        quotas.count(uow, circle_id, (media for media in attached if media.id not in elsewhere))
    for media in rows:
        if media.id not in wanted:
            _detach(uow, media)
    return attached


def detach(uow: UnitOfWork, media_ids: Sequence[UUID], *, shown_by: UUID) -> None:
    """Let go of those of these objects that the parent shows: unless attached again, they are deleted a day later."""
    if media_ids:
        _detach_all(uow, and_(Media.id.in_(media_ids), Media.attached_to == shown_by))


def detach_from(uow: UnitOfWork, parents: Sequence[UUID]) -> None:
    """Let go of all that these parents show, because they are deleted for good."""
    _detach_all(uow, Media.attached_to.in_(parents))


def _lock(uow: UnitOfWork, wanted: Sequence[UUID], to: UUID) -> list[Media]:
    touched = select(Media).where(or_(Media.id.in_(wanted), Media.attached_to == to))
    return list(uow.session.scalars(touched.order_by(Media.id).with_for_update()))


def _trouble(media: Media | None, caller: Caller, purpose: Purpose, to: UUID) -> tuple[str, Text] | None:
    if media is None or media.purpose != purpose or media.status == MediaStatus.DELETING:
        return _UNKNOWN
    if media.attached_to == to:
        return None
    if media.owner_id != caller.user_id:
        return _UNKNOWN
    if media.attached_to is not None:
        return _TAKEN
    if media.status == MediaStatus.PENDING:
        return _NOT_UPLOADED
    return _REFUSED if media.status == MediaStatus.REJECTED else None


def _limits_of_posts(uow: UnitOfWork) -> Limits:
    settings = uow.use(Settings)
    return Limits(images=settings.max_images, files=settings.max_files)


def _require_within(limits: Limits, attached: Sequence[Media], field: str) -> None:
    images = sum(media.kind == MediaKind.IMAGE for media in attached)
    if images > limits.images:
        zh, en = f"最多 {limits.images} 张图片。", f"At most {limits.images} images."
        raise Invalid.field(field, "too_many_images", zh, en)
    if len(attached) - images > limits.files:
        zh, en = f"最多 {limits.files} 个文件。", f"At most {limits.files} files."
        raise Invalid.field(field, "too_many_files", zh, en)


def _attach(uow: UnitOfWork, media: Media, to: UUID, position: int) -> None:
    media.attached_to = to
    media.position = position
    media.attached_at = media.attached_at or uow.now
    media.expires_at = None


def _detach(uow: UnitOfWork, media: Media) -> None:
    quotas.give_back(uow, media)
    media.attached_to = None
    media.position = None
    media.attached_at = None
    media.expires_at = uow.now + KEEP_UNATTACHED


def _detach_all(uow: UnitOfWork, which: ColumnElement[bool]) -> None:
    attached = select(Media).where(which, Media.attached_to.is_not(None)).order_by(Media.id).with_for_update()
    for media in uow.session.scalars(attached):
        _detach(uow, media)


def on_avatar_chosen(uow: UnitOfWork, chosen: AvatarChosen) -> None:
    """Attach a person's new picture to them. Errors: Invalid unless it is their own upload, made for that."""
    shown = [] if chosen.media_id is None else [chosen.media_id]
    caller, one = Caller(chosen.user_id), Limits(images=1, files=0)
    attach(uow, caller, shown, purpose=Purpose.AVATAR, to=chosen.user_id, limits=one, field="avatar_media_id")
