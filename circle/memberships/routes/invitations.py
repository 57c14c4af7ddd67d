"""HTTP of invitations."""

from uuid import UUID

from circle.circles import schemas
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.memberships import errors, pages
from circle.memberships.errors import MEMBERS_ONLY
from circle.memberships.gates import standing_gate
from circle.memberships.services import invitations
from circle.web.limits import Limit
from circle.web.pagination import PageArgs, page_of
from circle.web.routes import Routes

routes = Routes("invitations", "Links into a circle.", errors=MEMBERS_ONLY)

INVITE = (Limit("invite", "200/hour"),)
# A code has 49 bits: even a thousand addresses would not guess one.
PREVIEW = (Limit("redeem", "30/minute", "ip"),)


@routes.post(
    "/circles/<uuid:circle_id>/invitations",
    body=schemas.InvitationIn,
    answer=schemas.InvitationOut,
    status=201,
    limits=INVITE,
    errors=(errors.MissingPermission, errors.OutOfReach),
)
def create_invitation(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Make an invitation: to join, for a role below yours, or with days on the house."""
    return pages.invitation(uow, invitations.create_invitation(uow, caller, circle_id, **body))


@routes.get(
    "/circles/<uuid:circle_id>/invitations",
    query=PageArgs,
    answer=page_of(schemas.InvitationOut),
    hot=True,
    gate=standing_gate("circle_id"),
    errors=(errors.MissingPermission,),
)
def list_invitations(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """The circle's invitations, newest first."""
    return pages.invitations(uow, caller, circle_id, query)


@routes.delete(
    "/circles/<uuid:circle_id>/invitations/<uuid:invitation_id>", status=204, errors=(errors.MissingPermission,)
)
def revoke_invitation(uow: UnitOfWork, caller: Caller, circle_id: UUID, invitation_id: UUID) -> None:
    """End an invitation; whoever came in by it stays."""
    invitations.revoke_invitation(uow, caller, circle_id, invitation_id)


@routes.get("/invitations/<string:code>", public=True, answer=schemas.InvitationPreviewOut, limits=PREVIEW)
def preview_invitation(uow: UnitOfWork, _caller: Caller | None, code: str) -> Json:
    """What an invitation leads to, for whoever holds its code."""
    return pages.invitation_preview(uow, code)
