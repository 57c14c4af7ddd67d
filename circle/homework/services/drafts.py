"""Drafts: what a member is writing, saved as they go."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from circle.homework.models import Draft
from circle.homework.policy import require_addressed, require_open
from circle.homework.services.works import files_of_work
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import NotFound
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.media.models import Purpose
from circle.media.queries import media_cards
from circle.media.services.attachments import attach, detach_from


def save_draft(
    uow: UnitOfWork, caller: Caller, assignment_id: UUID, *, body: str, attachments: Sequence[UUID] = ()
) -> Json:
    """Keep what is written so far, in the place of what was. Errors: those of `require_addressed`, Invalid."""
    circle_id = require_addressed(uow, caller, assignment_id).assignment.circle_id
    written = {"body": body, "attachments": list(dict.fromkeys(attachments)), "updated_at": uow.now}
    fresh = insert(Draft).values(id=new_id(), assignment_id=assignment_id, user_id=caller.user_id, version=1, **written)
    saving = fresh.on_conflict_do_update(
        index_elements=["assignment_id", "user_id"], set_={**written, "version": Draft.version + 1}
    )
    draft_id = uow.session.scalars(saving.returning(Draft.id)).one()
    kept = files_of_work(uow, assignment_id, caller.user_id)
    attach(uow, caller, attachments, purpose=Purpose.SUBMISSION, to=draft_id, circle_id=circle_id, elsewhere=kept)
    return _draft(uow, caller, assignment_id)


def own_draft(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Json:
    """Return one's draft. Errors: those of `require_open`, NotFound where there is none."""
    require_open(uow, caller, assignment_id)
    return _draft(uow, caller, assignment_id)


def drop_draft(uow: UnitOfWork, assignment_id: UUID, user_id: UUID) -> None:
    """Forget the draft of what is handed in; its files are free to go along."""
    draft = _find(uow, assignment_id, user_id)
    if draft is not None:
        detach_from(uow, [draft.id])
        uow.session.delete(draft)
        uow.session.flush()


def _find(uow: UnitOfWork, assignment_id: UUID, user_id: UUID) -> Draft | None:
    found = select(Draft).where(Draft.assignment_id == assignment_id, Draft.user_id == user_id)
    return uow.session.scalar(found.execution_options(populate_existing=True))


def _draft(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Json:
    draft = _find(uow, assignment_id, caller.user_id)
    if draft is None:
        raise NotFound
    files = media_cards(uow, draft.attachments)
    return {
        "assignment_id": assignment_id,
        "body": draft.body,
        "attachments": [files[one] for one in draft.attachments if one in files],
        "updated_at": draft.updated_at,
        "version": draft.version,
    }
