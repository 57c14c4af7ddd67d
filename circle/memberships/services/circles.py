"""Opening a circle and changing its settings."""

from typing import Any
from uuid import UUID

from circle.circles import events
from circle.circles.models import Circle, CircleCounter
from circle.circles.settings import check_quiet_hours, check_settings, slug_for
from circle.kernel import audit, changes
from circle.kernel.caller import Caller
from circle.kernel.errors import StaleVersion
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.media.models import Purpose
from circle.media.services.attachments import Limits, attach
from circle.memberships.models import Membership, Role, Status
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission
from circle.memberships.services.access import activate

_ONE_IMAGE = Limits(images=1, files=0)


def open_circle(uow: UnitOfWork, caller: Caller, *, name: str, slug: str | None = None, **settings: Any) -> Circle:
    """Make a circle with the caller as owner and member number 1. Errors: Invalid, SlugTaken."""
    check_settings({"slug": slug, **settings})
    check_quiet_hours(settings.get("quiet_from"), settings.get("quiet_to"))
    circle = Circle(
        id=new_id(), owner_id=caller.user_id, name=name, slug=slug or slug_for(name), created_at=uow.now, **settings
    )
    uow.session.add(circle)
    uow.session.flush()
    uow.session.add(CircleCounter(circle_id=circle.id))
    owner = Membership(
        id=new_id(),
        circle_id=circle.id,
        user_id=caller.user_id,
        role=Role.OWNER,
        status=Status.PENDING,
        created_at=uow.now,
    )
    uow.session.add(owner)
    activate(uow, owner)
    audit.record(uow, caller, "circle.open", circle_id=circle.id, subject_kind="circle", subject_id=circle.id)
    changes.record(uow, circle_id=circle.id, kind="circle", item_id=circle.id, operation="created")
    return circle


def edit_circle(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    version: int | None,
    closed: bool | None = None,
    **settings: Any,
) -> Circle:
    """Change settings, close or reopen. Errors: StaleVersion, SlugTaken, Invalid, MissingPermission."""
    require_permission(uow, caller, circle_id, Permission.EDIT_CIRCLE)
    circle = uow.session.get_one(Circle, circle_id)
    if version is not None and version != circle.version:
        raise StaleVersion
    check_settings(settings)
    if "cover_media_id" in settings:
        _show_cover(uow, caller, circle_id, settings["cover_media_id"])
    for name, value in settings.items():
        setattr(circle, name, value)
    check_quiet_hours(circle.quiet_from, circle.quiet_to)
    if closed is not None and closed != (circle.closed_at is not None):
        circle.closed_at = uow.now if closed else None
        uow.emit(events.CircleClosed(circle_id) if closed else events.CircleReopened(circle_id))
    changed = sorted(settings) + (["closed"] if closed is not None else [])
    if changed:
        audit.record(
            uow, caller, "circle.edit", circle_id=circle_id, subject_kind="circle", subject_id=circle_id, fields=changed
        )
        changes.record(uow, circle_id=circle_id, kind="circle", item_id=circle_id, operation="updated")
    return circle


def _show_cover(uow: UnitOfWork, caller: Caller, circle_id: UUID, media_id: UUID | None) -> None:
    wanted = [] if media_id is None else [media_id]
    attach(uow, caller, wanted, purpose=Purpose.COVER, to=circle_id, limits=_ONE_IMAGE, field="cover_media_id")
