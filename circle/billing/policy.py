"""Whose money it is: the only way to a checkout, invoice, subscription or payment method. Strangers get 404."""

from uuid import UUID

from circle.billing.errors import NotYourSubscription, UnknownPaymentMethod
from circle.billing.models import Checkout, Invoice, PaymentMethod, Subscription
from circle.billing.payout_models import Payout
from circle.kernel.caller import Caller
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import find_standing


def require_own_checkout(uow: UnitOfWork, caller: Caller, checkout_id: UUID) -> Checkout:
    checkout = uow.session.get(Checkout, checkout_id)
    if checkout is None or checkout.user_id != caller.user_id:
        raise NotFound
    return checkout


def require_own_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Subscription:
    """Return one's own subscription. Errors: NotFound, NotYourSubscription for whoever may see it and no more."""
    subscription = require_visible_subscription(uow, caller, subscription_id)
    if subscription.user_id != caller.user_id:
        raise NotYourSubscription
    return subscription


def require_visible_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Subscription:
    """Return a subscription of one's own, or of a circle whose money one may see."""
    subscription = uow.session.get(Subscription, subscription_id)
    if subscription is None or not _may_see(uow, caller, subscription.user_id, subscription.circle_id):
        raise NotFound
    return subscription


def require_visible_invoice(uow: UnitOfWork, caller: Caller, invoice_id: UUID) -> Invoice:
    """Return an invoice of one's own, or of a circle whose money one may see."""
    invoice = uow.session.get(Invoice, invoice_id)
    if invoice is None or not _may_see(uow, caller, invoice.payer_id, invoice.circle_id):
        raise NotFound
    return invoice


def require_visible_payout(uow: UnitOfWork, caller: Caller, payout_id: UUID) -> Payout:
    """Return a payout of a circle whose money one may see."""
    payout = uow.session.get(Payout, payout_id)
    if payout is None or not find_standing(uow, caller, payout.circle_id).may(Permission.SEE_MONEY):
        raise NotFound
    return payout


def _may_see(uow: UnitOfWork, caller: Caller, user_id: UUID, circle_id: UUID) -> bool:
    return user_id == caller.user_id or find_standing(uow, caller, circle_id).may(Permission.SEE_MONEY)


def require_own_method(uow: UnitOfWork, caller: Caller, method_id: UUID) -> PaymentMethod:
    method = uow.session.get(PaymentMethod, method_id)
    if method is None or method.user_id != caller.user_id or method.removed_at is not None:
        raise NotFound
    return method


def require_usable_method(uow: UnitOfWork, caller: Caller, method_id: UUID) -> PaymentMethod:
    """Return one's payment method that a body names. Errors: UnknownPaymentMethod."""
    method = uow.session.get(PaymentMethod, method_id)
    if method is None or method.user_id != caller.user_id or method.removed_at is not None:
        raise UnknownPaymentMethod
    return method
