"""What becomes of somebody's payments when they leave, are removed or delete their account."""

from sqlalchemy import func, or_, select, update

from circle.accounts.events import UserDeleted, UserSuspended
from circle.billing.models import Invoice, PaymentMethod, Subscription
from circle.billing.offer_models import Gift
from circle.billing.services.checkouts import void_unpaid
from circle.billing.services.locks import lock, lock_invoice
from circle.billing.services.refunds import request_refund
from circle.billing.services.subscriptions import HAS_A_TERM, cancel_for_membership, stop_renewing
from circle.billing.states import EARNING, LIVE, InvoiceStatus
from circle.kernel.caller import Caller
from circle.kernel.uow import UnitOfWork
from circle.memberships.events import MemberLeft, MemberRemoved
from circle.memberships.models import Membership


def on_member_left(uow: UnitOfWork, event: MemberLeft) -> None:
    """Charge nothing any more; what is paid stays readable."""
    cancel_for_membership(uow, event.membership_id)


def on_member_removed(uow: UnitOfWork, event: MemberRemoved) -> None:
    """Charge nothing any more and, where the remover chose so, give the present term back."""
    cancel_for_membership(uow, event.membership_id)
    if not event.refund:
        return
    running = select(Invoice.id).where(
        Invoice.membership_id == event.membership_id,
        Invoice.period_no.is_not(None),
        Invoice.status.in_(EARNING),
        Invoice.refunded + Invoice.refunding < Invoice.amount,
        or_(Invoice.period_end.is_(None), Invoice.period_end > uow.now),
    )
    for invoice_id in uow.session.scalars(running.order_by(Invoice.id)).all():
        remover = Caller(user_id=event.removed_by)
        request_refund(uow, invoice_id=invoice_id, amount=None, reason="removed", actor=remover)


def on_user_suspended(uow: UnitOfWork, event: UserSuspended) -> None:
    """Nobody is charged for a term that they can't use; what is paid runs to its end."""
    renewing = select(Subscription).where(Subscription.user_id == event.user_id, Subscription.status.in_(HAS_A_TERM))
    for subscription in uow.session.scalars(renewing.order_by(Subscription.membership_id)).all():
        stop_renewing(uow, subscription)


def on_user_deleted(uow: UnitOfWork, event: UserDeleted) -> None:
    """Nobody who is gone is charged: subscriptions and open invoices end, payment methods go."""
    owned = select(Subscription.membership_id).where(
        Subscription.user_id == event.user_id, Subscription.status.in_(LIVE)
    )
    for membership_id in uow.session.scalars(owned.order_by(Subscription.membership_id)).all():
        lock(uow, Membership, membership_id)
        cancel_for_membership(uow, membership_id)
    unpaid = select(Invoice.id).where(Invoice.payer_id == event.user_id, Invoice.status == InvoiceStatus.OPEN)
    for invoice_id in uow.session.scalars(unpaid.order_by(Invoice.membership_id, Invoice.id)).all():
        void_unpaid(uow, lock_invoice(uow, invoice_id), canceled=True)
    uow.session.execute(
        update(PaymentMethod)
        .where(PaymentMethod.user_id == event.user_id)
        .values(removed_at=func.coalesce(PaymentMethod.removed_at, uow.now), reference="")
    )
    uow.session.execute(update(Gift).where(Gift.buyer_id == event.user_id).values(message=""))
