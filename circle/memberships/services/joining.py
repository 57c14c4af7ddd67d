"""Joining: who may come in, by which door, and the ways in that cost nothing."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from circle.circles.models import Circle, Invitation, JoinPolicy, PreviewPolicy, Price
from circle.circles.terms import term_end
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, NotFound
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships import events
from circle.memberships.errors import (
    AlreadyAMember,
    Banned,
    CircleClosed,
    InvitationNeeded,
    InvitationNotUsable,
    TrialUsed,
)
from circle.memberships.models import STATUS, Grant, GrantSource, Membership, Role, Status, Trial
from circle.memberships.policy import lock_member, require_look
from circle.memberships.services.access import activate, give_access, take_seat


def prepare_join(
    uow: UnitOfWork, caller: Caller, circle_id: UUID, *, invitation: str | None = None, answers: list[str] | None = None
) -> Membership:
    """Open a membership to the caller as far as the circle's policy lets them in; the row stays locked.

    Afterwards `approved_at` tells whether they may go on (by paying, where it costs), and `status` is active where
    nothing is left to do: an invitation with a role or days on the house, or a paid term that still runs.
    Errors: NotFound, CircleClosed, Banned, AlreadyAMember, InvitationNeeded, InvitationNotUsable, Invalid (answers).
    """
    circle = uow.session.get(Circle, circle_id)
    if circle is None:
        raise NotFound
    if circle.closed_at is not None:
        require_look(uow, caller, circle_id)  # a circle that hides itself does not tell that it is closed
        raise CircleClosed
    membership = _lock_membership(uow, caller, circle)
    if membership.status == Status.BANNED:
        raise Banned
    if membership.role != Role.MEMBER:
        raise AlreadyAMember
    if answers is not None:
        _check_answers(circle, answers)
        membership.answers = answers
    if invitation is not None:
        _use_invitation(uow, membership, invitation)
    elif membership.approved_at is None:
        _ask_in(uow, circle, membership, answers)
    if membership.approved_at is not None:
        _welcome_back(uow, membership)
    uow.session.flush()
    return membership


def _lock_membership(uow: UnitOfWork, caller: Caller, circle: Circle) -> Membership:
    uow.session.execute(
        insert(Membership)
        .values(
            id=new_id(),
            circle_id=circle.id,
            user_id=caller.user_id,
            status=Status.PENDING,
            role=Role.MEMBER,
            alias="",
            note="",
            answers=[],
            created_at=uow.now,
            version=1,
        )
        .on_conflict_do_nothing(index_elements=["circle_id", "user_id"])
    )
    return lock_member(uow, circle.id, caller.user_id)


def _check_answers(circle: Circle, answers: list[str]) -> None:
    if len(answers) != len(circle.questionnaire):
        raise Invalid.field(
            "answers",
            "answers_missing",
            f"须回答 {len(circle.questionnaire)} 个问题。",
            f"There are {len(circle.questionnaire)} questions to answer.",
        )


def _ask_in(uow: UnitOfWork, circle: Circle, membership: Membership, answers: list[str] | None) -> None:
    """Let them through an open door, or note their application."""
    if circle.join_policy == JoinPolicy.OPEN:
        membership.approved_at = uow.now
        return
    if circle.join_policy == JoinPolicy.INVITE:
        raise NotFound if circle.preview_policy == PreviewPolicy.NONE else InvitationNeeded
    if membership.status == Status.PENDING and membership.applied_at is not None:
        return
    if answers is None:
        _check_answers(circle, [])
    if membership.status == Status.LEFT:
        membership.ended_at = None
    if membership.status != Status.PENDING:
        membership.status = STATUS.require(Status(membership.status), Status.PENDING)
    membership.applied_at = uow.now
    uow.emit(events.MemberApplied(membership.circle_id, membership.user_id, membership.id))


def _use_invitation(uow: UnitOfWork, membership: Membership, code: str) -> None:
    """Come in by an invitation: one use of it, its role and its days on the house."""
    invitation = uow.session.scalar(
        select(Invitation).where(Invitation.code == code, Invitation.circle_id == membership.circle_id)
    )
    if invitation is None:
        raise InvitationNotUsable
    gives_more = invitation.role != Role.MEMBER or invitation.comp_days is not None
    if membership.approved_at is not None and (membership.invitation_id == invitation.id or not gives_more):
        return  # the door is open already: no use is counted
    _count_use(uow, invitation)
    membership.invitation_id = invitation.id
    membership.inviter_id = membership.inviter_id or invitation.created_by
    membership.approved_at = membership.approved_at or uow.now
    if invitation.role != Role.MEMBER:
        membership.role = invitation.role
        activate(uow, membership)
    if invitation.tier_id is not None and invitation.comp_days is not None:
        give_access(
            uow,
            membership,
            tier_id=invitation.tier_id,
            source=GrantSource.COMP,
            source_id=invitation.id,
            starts_at=uow.now,
            ends_at=uow.now + timedelta(days=invitation.comp_days),
        )


def _count_use(uow: UnitOfWork, invitation: Invitation) -> None:
    used = uow.session.execute(
        update(Invitation)
        .where(
            Invitation.id == invitation.id,
            Invitation.revoked_at.is_(None),
            or_(Invitation.expires_at.is_(None), Invitation.expires_at > uow.now),
            or_(Invitation.max_uses.is_(None), Invitation.uses < Invitation.max_uses),
        )
        .values(uses=Invitation.uses + 1)
        .returning(Invitation.id)
    ).scalar()
    if used is None:
        raise InvitationNotUsable


def _welcome_back(uow: UnitOfWork, membership: Membership) -> None:
    """Let a term that was paid and still runs count again for somebody who had left."""
    if membership.status != Status.LEFT:
        return
    tiers = uow.session.scalars(select(Grant.tier_id).distinct().where(_live_grant(uow, membership))).all()
    for tier_id in tiers:
        take_seat(uow, membership, tier_id)
    if tiers:
        activate(uow, membership)


def start_trial(uow: UnitOfWork, membership: Membership, tier_id: UUID, days: int) -> datetime:
    """Give the one trial that a person has in a circle; return its end. Errors: TrialUsed, SeatsTaken."""
    first = uow.session.execute(
        insert(Trial)
        .values(circle_id=membership.circle_id, user_id=membership.user_id, started_at=uow.now)
        .on_conflict_do_nothing()
        .returning(Trial.user_id)
    ).scalar()
    if first is None:
        raise TrialUsed
    ends_at = uow.now + timedelta(days=days)
    give_access(
        uow,
        membership,
        tier_id=tier_id,
        source=GrantSource.TRIAL,
        source_id=membership.id,
        starts_at=uow.now,
        ends_at=ends_at,
    )
    return ends_at


def admit_free(uow: UnitOfWork, membership: Membership, price: Price) -> datetime | None:
    """Let somebody into a free tier for one term; return its end. Errors: AlreadyAMember, SeatsTaken."""
    if not price.is_free:
        raise ValueError("a price that costs something is admitted by paying")
    again = and_(_live_grant(uow, membership), Grant.source == GrantSource.FREE, Grant.tier_id == price.tier_id)
    if uow.session.scalar(select(exists().where(again))):
        raise AlreadyAMember
    circle = uow.session.get_one(Circle, membership.circle_id)
    ends_at = term_end(price, uow.now, 1, circle.timezone)
    give_access(
        uow,
        membership,
        tier_id=price.tier_id,
        source=GrantSource.FREE,
        source_id=new_id(),
        starts_at=uow.now,
        ends_at=ends_at,
    )
    return ends_at


def _live_grant(uow: UnitOfWork, membership: Membership) -> ColumnElement[bool]:
    return and_(
        Grant.membership_id == membership.id,
        Grant.revoked_at.is_(None),
        Grant.starts_at <= uow.now,
        or_(Grant.ends_at.is_(None), Grant.ends_at > uow.now),
    )
