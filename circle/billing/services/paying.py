"""How a subscription is paid: by which method, by itself or by hand."""

from uuid import UUID

from circle.billing import policy
from circle.billing.models import Collection, InvoiceKind, Subscription
from circle.billing.services.dunning import try_again
from circle.billing.services.locks import lock
from circle.billing.services.unpaid import give_up_unpaid
from circle.billing.states import SubscriptionStatus
from circle.kernel.caller import Caller
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership

_S = SubscriptionStatus


def set_payment_method(uow: UnitOfWork, caller: Caller, subscription_id: UUID, *, payment_method: UUID) -> Subscription:
    """Pay one's subscription by another method from now on; what is overdue is tried again at once.

    Errors: NotFound, NotYourSubscription, UnknownPaymentMethod, WrongState (it has ended).
    """
    policy.require_own_subscription(uow, caller, subscription_id)
    method = policy.require_usable_method(uow, caller, payment_method)
    subscription = lock(uow, Subscription, subscription_id)
    if subscription.status in {_S.CANCELED, _S.EXPIRED}:
        raise WrongState(state=subscription.status)
    subscription.payment_method_id = method.id
    uow.session.flush()
    try_again(uow, [method.id])
    return subscription


def set_collection(uow: UnitOfWork, caller: Caller, subscription_id: UUID, *, collection: str) -> Subscription:
    """Have one's subscription charged by itself from the next term on, or pay it by oneself.

    Errors: NotFound, NotYourSubscription, WrongState (it has ended, or is overdue), PaymentUnderWay.
    """
    subscription = policy.require_own_subscription(uow, caller, subscription_id)
    lock(uow, Membership, subscription.membership_id)
    give_up_unpaid(uow, subscription.id, kind=InvoiceKind.RENEWAL)
    subscription = lock(uow, Subscription, subscription_id)
    if subscription.status not in {_S.TRIALING, _S.ACTIVE, _S.PAUSED}:
        raise WrongState(state=subscription.status)
    subscription.collection = Collection(collection)
    return subscription
