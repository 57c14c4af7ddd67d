"""Shapes of members in requests and answers."""

import marshmallow as ma

from circle.circles.schemas import CircleCardOut, TierCardOut
from circle.memberships.models import Role, Status
from circle.web.fields import Bool, Choice, Id, Instant, List, Nested, OutInt, OutStr, Schema, Str, UserOut
from circle.web.pagination import PageArgs

_ALIAS = {"example": "小林", "description": "The name in this circle; empty: the account's own."}
_ROLE = {"example": "member"}
_STATUS = {"example": "active"}
_NUMBER = {"example": 7, "description": "By order of joining."}
_ANSWERS = {"example": ["一部长篇。"], "description": "To the circle's questionnaire, in its order."}
_NEVER = {"example": None}


class MembershipCardOut(Schema):
    """One's own membership, but for the subscription, of which billing knows."""

    id = Id(required=True)
    circle_id = Id(required=True)
    role = OutStr(required=True, metadata=_ROLE)
    status = OutStr(required=True, metadata=_STATUS)
    number = OutInt(required=True, allow_none=True, metadata=_NUMBER)
    alias = OutStr(required=True, metadata=_ALIAS)
    tier = Nested(TierCardOut, required=True, allow_none=True)
    access_until = Instant(required=True, allow_none=True)
    joined_at = Instant(required=True, allow_none=True)
    muted_until = Instant(required=True, allow_none=True, metadata=_NEVER)
    applied_at = Instant(required=True, allow_none=True, metadata=_NEVER)
    approved_at = Instant(required=True, allow_none=True)
    version = OutInt(required=True)


class MyCircleOut(MembershipCardOut):
    circle = Nested(CircleCardOut, required=True)


class MyCirclesArgs(PageArgs):
    status = Choice(Status, load_default=None, metadata={"description": "Without it: active, expired and pending."})


class MembershipPatch(Schema):
    alias = Str(most=40, least=0, required=True, metadata=_ALIAS)


class MemberOut(Schema):
    """A member; fellow members see null where only moderators and the member look."""

    id = Id(required=True)
    user = Nested(UserOut, required=True)
    role = OutStr(required=True, metadata=_ROLE)
    status = OutStr(required=True, metadata=_STATUS)
    number = OutInt(required=True, allow_none=True, metadata=_NUMBER)
    alias = OutStr(required=True, metadata=_ALIAS)
    tier = Nested(TierCardOut, required=True, allow_none=True)
    joined_at = Instant(required=True, allow_none=True)
    version = OutInt(required=True)
    access_until = Instant(required=True, allow_none=True)
    note = OutStr(required=True, allow_none=True, metadata={"example": "写小说的"})
    muted_until = Instant(required=True, allow_none=True, metadata=_NEVER)
    answers = List(OutStr(), required=True, allow_none=True, metadata=_ANSWERS)
    inviter_id = Id(required=True, allow_none=True, metadata=_NEVER)
    applied_at = Instant(required=True, allow_none=True)
    approved_at = Instant(required=True, allow_none=True)
    ended_at = Instant(required=True, allow_none=True, metadata=_NEVER)


class MembersArgs(PageArgs):
    status = Choice(Status, load_default=None)
    role = Choice(Role, load_default=None)
    tier = Id(load_default=None, metadata={"description": "A tier's id: members who have it now."})
    expiring_before = Instant(load_default=None, metadata={"description": "Active members whose access ends sooner."})
    q = Str(most=40, load_default=None, metadata={"example": "林", "description": "Part of a name, or a number."})


class MemberPatch(Schema):
    role = Choice([role for role in Role if role != Role.OWNER])
    alias = Str(most=40, least=0, metadata=_ALIAS)
    note = Str(most=1000, least=0, lines=True, metadata={"example": "写小说的"})
    muted_until = Instant(allow_none=True)


class RemoveIn(Schema):
    refund = Bool(required=True, metadata={"description": "Whether what they paid for the present term goes back."})


class TransferIn(Schema):
    user_id = Id(required=True)


class TransferOut(Schema):
    circle_id = Id(required=True)
    to = Nested(UserOut, required=True)
    offered_at = Instant(required=True)
    expires_at = Instant(required=True)


class JoinAnswers(Schema):
    """The part of a request to join that concerns the door."""

    invitation = Str(most=40, metadata={"example": "7KQM2XWFRT"})
    answers = List(Str(most=1000, lines=True), validate=ma.validate.Length(max=10), metadata=_ANSWERS)
