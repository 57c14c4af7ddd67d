"""HTTP of a circle's settings, its audit log and its hand-over."""

from uuid import UUID

from circle.circles import schemas
from circle.circles.errors import SlugTaken
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.memberships import errors, pages
from circle.memberships.errors import MEMBERS_ONLY
from circle.memberships.gates import standing_gate
from circle.memberships.schemas import TransferIn, TransferOut
from circle.memberships.services import circles, transfer
from circle.web.limits import Limit
from circle.web.pagination import page_of
from circle.web.routes import Routes

routes = Routes("circles", "Circles: settings, audit log, hand-over.", errors=MEMBERS_ONLY)

GATE = standing_gate("circle_id")
OPEN = (Limit("open_circle", "20/hour"), Limit("open_circle", "2000/hour", "all"))


@routes.post("/circles", body=schemas.CircleIn, answer=schemas.CircleOut, status=201, limits=OPEN, errors=(SlugTaken,))
def open_circle(uow: UnitOfWork, caller: Caller, body: Json) -> Json:
    """Open a circle; you are its owner and member number 1."""
    circle = circles.open_circle(uow, caller, **body)
    return pages.circle_page(uow, caller, circle.id)


@routes.get("/circles/<uuid:circle_id>", public=True, answer=schemas.CircleOut, hot=True, gate=GATE)
def get_circle(uow: UnitOfWork, caller: Caller | None, circle_id: UUID) -> Json:
    """A circle's page; a circle that shows strangers nothing is 404 to them."""
    return pages.circle_page(uow, caller, circle_id)


@routes.patch(
    "/circles/<uuid:circle_id>",
    body=schemas.CirclePatch,
    answer=schemas.CircleOut,
    versioned=True,
    errors=(SlugTaken, errors.MissingPermission),
)
def edit_circle(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json, version: int | None) -> Json:
    """Change a circle's settings, close or reopen it."""
    circles.edit_circle(uow, caller, circle_id, version=version, **body)
    return pages.circle_page(uow, caller, circle_id)


@routes.get(
    "/circles/<uuid:circle_id>/audit",
    query=schemas.AuditArgs,
    answer=page_of(schemas.AuditEntryOut),
    hot=True,
    gate=GATE,
    errors=(errors.MissingPermission,),
)
def list_audit(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """What moderators and creators did, newest first."""
    return pages.audit_log(uow, caller, circle_id, query)


@routes.post(
    "/circles/<uuid:circle_id>/transfer",
    body=TransferIn,
    answer=TransferOut,
    status=201,
    errors=(errors.MissingPermission,),
)
def offer_transfer(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Offer the circle to a member, who has seven days to accept."""
    return transfer.offer_transfer(uow, caller, circle_id, **body)


@routes.get("/circles/<uuid:circle_id>/transfer", answer=TransferOut)
def get_transfer(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> Json:
    """The open offer, for the owner and for the member it is made to."""
    return transfer.find_offer(uow, caller, circle_id)


@routes.delete("/circles/<uuid:circle_id>/transfer", status=204)
def drop_transfer(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> None:
    """Take the offer back, or decline it."""
    transfer.drop_offer(uow, caller, circle_id)


@routes.post("/circles/<uuid:circle_id>/transfer/accept", answer=schemas.CircleOut, errors=(errors.NoTransferOffer,))
def accept_transfer(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> Json:
    """Become the owner; the owner before becomes a partner."""
    transfer.accept_transfer(uow, caller, circle_id)
    return pages.circle_page(uow, caller, circle_id)
