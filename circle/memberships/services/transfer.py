"""Handing a circle over: the owner offers, a member accepts, and both roles change in one moment."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.circles.models import Circle
from circle.kernel import audit, changes
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import Invalid, NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships import events
from circle.memberships.errors import NoTransferOffer
from circle.memberships.models import Role, TransferOffer
from circle.memberships.permissions import Permission
from circle.memberships.policy import find_standing_of, lock_member, require_member, require_permission
from circle.memberships.services.access import note_change

OFFER_LIFE = timedelta(days=7)


def offer_transfer(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, user_id: UUID) -> Json:
    """Offer the circle to a member with live access; a newer offer replaces an older. Errors: Invalid."""
    require_permission(uow, caller, circle_id, Permission.TRANSFER_CIRCLE)
    if user_id == caller.user_id or not find_standing_of(uow, user_id, circle_id).is_inside:
        raise Invalid.field("user_id", "not_a_member", "对方须是有效成员。", "This has to be another active member.")
    offer = {"to_user_id": user_id, "offered_by": caller.user_id, "offered_at": uow.now}
    uow.session.execute(
        insert(TransferOffer)
        .values(circle_id=circle_id, **offer)
        .on_conflict_do_update(index_elements=["circle_id"], set_=offer)
    )
    _note(uow, caller, "circle.offer_transfer", circle_id, to=user_id)
    uow.emit(events.TransferOffered(circle_id, caller.user_id, user_id))
    return find_offer(uow, caller, circle_id)


def find_offer(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> Json:
    """Return the open offer, to those whom it concerns. Errors: NotFound."""
    offer = uow.session.get(TransferOffer, circle_id)
    if offer is None or not _is_open(uow, offer) or caller.user_id not in {offer.offered_by, offer.to_user_id}:
        raise NotFound
    receiver = uow.session.get_one(User, offer.to_user_id)
    return {
        "circle_id": circle_id,
        "to": user_card(receiver.id, receiver.display_name, receiver.avatar_media_id),
        "offered_at": offer.offered_at,
        "expires_at": offer.offered_at + OFFER_LIFE,
    }


def drop_offer(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> None:
    """Take the offer back, or decline it. Errors: NotFound."""
    find_offer(uow, caller, circle_id)
    uow.session.execute(delete(TransferOffer).where(TransferOffer.circle_id == circle_id))
    _note(uow, caller, "circle.drop_transfer", circle_id)


def accept_transfer(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> None:
    """Become the owner; the one before becomes a partner. Errors: NoTransferOffer, MembershipExpired."""
    require_member(uow, caller, circle_id)
    circle = uow.session.get_one(Circle, circle_id, with_for_update=True, populate_existing=True)
    offer = uow.session.get(TransferOffer, circle_id, populate_existing=True)
    if offer is None or not _is_for(uow, offer, caller, circle):
        raise NoTransferOffer
    before, after = lock_member(uow, circle_id, offer.offered_by), lock_member(uow, circle_id, caller.user_id)
    require_member(uow, caller, circle_id)  # who has just left or been removed does not become owner
    before.role = Role.PARTNER
    uow.session.flush()  # a circle has one owner at a time
    after.role = Role.OWNER
    circle.owner_id = caller.user_id
    uow.session.delete(offer)
    for membership in (before, after):
        note_change(uow, membership)
    _note(uow, caller, "circle.accept_transfer", circle_id, before=before.user_id)
    changes.record(uow, circle_id=circle_id, kind="circle", item_id=circle_id, operation="updated")
    uow.emit(events.CircleTransferred(circle_id, before.user_id, caller.user_id))


def _is_for(uow: UnitOfWork, offer: TransferOffer, caller: Caller, circle: Circle) -> bool:
    return _is_open(uow, offer) and offer.to_user_id == caller.user_id and offer.offered_by == circle.owner_id


def _is_open(uow: UnitOfWork, offer: TransferOffer) -> bool:
    return offer.offered_at + OFFER_LIFE > uow.now


def _note(uow: UnitOfWork, caller: Caller, action: str, circle_id: UUID, **people: UUID) -> None:
    names = {name: str(user_id) for name, user_id in people.items()}
    audit.record(uow, caller, action, circle_id=circle_id, subject_kind="circle", subject_id=circle_id, **names)
