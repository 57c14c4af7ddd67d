"""HTTP of members. Joining and one's own card are billing's, which knows the subscription."""

from uuid import UUID

from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships import errors, pages, queries, schemas
from circle.memberships.errors import MEMBERS_ONLY
from circle.memberships.gates import standing_gate
from circle.memberships.services import members
from circle.web.pagination import page_of
from circle.web.routes import Routes

routes = Routes("members", "Members of a circle: roster, roles, moderation.", errors=MEMBERS_ONLY)

GATE = standing_gate("circle_id")
_REFUSALS = (errors.MissingPermission, errors.OutOfReach, WrongState)


@routes.get("/me/circles", query=schemas.MyCirclesArgs, answer=page_of(schemas.MyCircleOut), hot=True)
def list_my_circles(uow: UnitOfWork, caller: Caller, query: Json) -> Json:
    """The circles you are in, the latest first."""
    return queries.my_circles(uow, caller.user_id, **query)


@routes.patch(
    "/circles/<uuid:circle_id>/membership",
    body=schemas.MembershipPatch,
    answer=schemas.MembershipCardOut,
    versioned=True,
    errors=(errors.NotAMember, errors.MembershipExpired),
)
def edit_membership(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json, version: int | None) -> Json:
    """Choose the name you have in this circle."""
    members.edit_own_alias(uow, caller, circle_id, version=version, **body)
    return queries.membership_card(uow, circle_id, caller.user_id)


@routes.post(
    "/circles/<uuid:circle_id>/leave",
    answer=schemas.MembershipCardOut,
    errors=(errors.OwnerMustStay, errors.NotAMember),
)
def leave_circle(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> Json:
    """Leave; nothing is charged any more, and what was paid stays readable."""
    members.leave_circle(uow, caller, circle_id)
    return queries.membership_card(uow, circle_id, caller.user_id)


@routes.get(
    "/circles/<uuid:circle_id>/members",
    query=schemas.MembersArgs,
    answer=page_of(schemas.MemberOut),
    hot=True,
    gate=GATE,
    errors=(errors.MissingPermission,),
)
def list_members(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """The members of a circle, the latest first."""
    return pages.roster(uow, caller, circle_id, query)


@routes.get("/circles/<uuid:circle_id>/members/<uuid:user_id>", answer=schemas.MemberOut, hot=True, gate=GATE)
def get_member(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID) -> Json:
    """A member's card; moderators see it in full."""
    return pages.member(uow, caller, circle_id, user_id)


@routes.patch(
    "/circles/<uuid:circle_id>/members/<uuid:user_id>",
    body=schemas.MemberPatch,
    answer=schemas.MemberOut,
    versioned=True,
    errors=_REFUSALS,
)
def edit_member(
    uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID, body: Json, version: int | None
) -> Json:
    """Change a member's role, alias, note or silence."""
    members.edit_member(uow, caller, circle_id, user_id, version=version, **body)
    return pages.member_as_changed(uow, circle_id, user_id)


@routes.post("/circles/<uuid:circle_id>/members/<uuid:user_id>/approve", answer=schemas.MemberOut, errors=_REFUSALS)
def approve_member(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID) -> Json:
    """Let an applicant go on to join."""
    members.approve_member(uow, caller, circle_id, user_id)
    return pages.member_as_changed(uow, circle_id, user_id)


@routes.post("/circles/<uuid:circle_id>/members/<uuid:user_id>/reject", answer=schemas.MemberOut, errors=_REFUSALS)
def reject_member(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID) -> Json:
    """Turn an applicant down."""
    members.reject_member(uow, caller, circle_id, user_id)
    return pages.member_as_changed(uow, circle_id, user_id)


@routes.post(
    "/circles/<uuid:circle_id>/members/<uuid:user_id>/remove",
    body=schemas.RemoveIn,
    answer=schemas.MemberOut,
    errors=_REFUSALS,
)
def remove_member(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID, body: Json) -> Json:
    """End a membership at once, with or without money back."""
    members.remove_member(uow, caller, circle_id, user_id, **body)
    return pages.member_as_changed(uow, circle_id, user_id)


@routes.post(
    "/circles/<uuid:circle_id>/members/<uuid:user_id>/ban",
    body=schemas.RemoveIn,
    answer=schemas.MemberOut,
    errors=_REFUSALS,
)
def ban_member(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID, body: Json) -> Json:
    """End a membership for good, with or without money back."""
    members.ban_member(uow, caller, circle_id, user_id, **body)
    return pages.member_as_changed(uow, circle_id, user_id)


@routes.post("/circles/<uuid:circle_id>/members/<uuid:user_id>/unban", answer=schemas.MemberOut, errors=_REFUSALS)
def unban_member(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID) -> Json:
    """Let somebody who was banned join again."""
    members.unban_member(uow, caller, circle_id, user_id)
    return pages.member_as_changed(uow, circle_id, user_id)
