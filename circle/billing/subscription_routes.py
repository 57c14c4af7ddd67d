"""HTTP of subscriptions: looking at one's own, and steering it."""

from uuid import UUID

from circle.billing import errors, policy, queries, schemas
from circle.billing.services import manual, paying, subscriptions
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships import errors as membership_errors
from circle.memberships.errors import MEMBERS_ONLY
from circle.web.limits import Limit
from circle.web.routes import Routes

routes = Routes(
    "subscriptions", "Subscriptions: renewing, cancelling, pausing, and how they are paid.", errors=MEMBERS_ONLY
)

ONE = "/subscriptions/<uuid:subscription_id>"
STEER = (Limit("steer", "30/minute"),)


@routes.get(ONE, answer=schemas.SubscriptionOut)
def get_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Json:
    """A subscription of yours, or of a circle whose money you may see."""
    return queries.subscription(uow, policy.require_visible_subscription(uow, caller, subscription_id))


@routes.post(
    f"{ONE}/cancel", answer=schemas.SubscriptionOut, limits=STEER, errors=(WrongState, errors.NotYourSubscription)
)
def cancel_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Json:
    """Stop renewing: what is paid stays until its end, and nothing is charged any more."""
    return queries.subscription(uow, subscriptions.cancel_subscription(uow, caller, subscription_id))


@routes.post(
    f"{ONE}/uncancel", answer=schemas.SubscriptionOut, limits=STEER, errors=(WrongState, errors.NotYourSubscription)
)
def uncancel_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Json:
    """Renew after all."""
    return queries.subscription(uow, subscriptions.uncancel_subscription(uow, caller, subscription_id))


@routes.post(
    f"{ONE}/pause", answer=schemas.SubscriptionOut, limits=STEER, errors=(WrongState, errors.NotYourSubscription)
)
def pause_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Json:
    """Charge nothing until you resume; the term that is paid runs to its end."""
    return queries.subscription(uow, subscriptions.pause_subscription(uow, caller, subscription_id))


@routes.post(
    f"{ONE}/resume", answer=schemas.SubscriptionOut, limits=STEER, errors=(WrongState, errors.NotYourSubscription)
)
def resume_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Json:
    """Go on as if it had not been paused; after the end of the term, `renew` instead."""
    return queries.subscription(uow, subscriptions.resume_subscription(uow, caller, subscription_id))


@routes.post(
    f"{ONE}/renew",
    answer=schemas.RenewingOut,
    limits=STEER,
    errors=(
        WrongState,
        errors.NotYourSubscription,
        errors.RenewedAlready,
        errors.NotRenewable,
        errors.PaymentUnderWay,
        errors.UnknownPrice,
        membership_errors.CircleClosed,
        membership_errors.SeatsTaken,
    ),
)
def renew_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Json:
    """Renew by hand: pay `checkout`. Early it extends the term, after the lapse the term begins at the payment."""
    return queries.renewing(uow, manual.renew(uow, caller, subscription_id))


@routes.put(
    f"{ONE}/payment-method",
    body=schemas.PayIn,
    answer=schemas.SubscriptionOut,
    limits=STEER,
    errors=(WrongState, errors.NotYourSubscription, errors.UnknownPaymentMethod),
)
def set_payment_method(uow: UnitOfWork, caller: Caller, subscription_id: UUID, body: Json) -> Json:
    """Pay by another method from now on; what is overdue is tried again at once."""
    return queries.subscription(uow, paying.set_payment_method(uow, caller, subscription_id, **body))


@routes.put(
    f"{ONE}/collection",
    body=schemas.CollectionIn,
    answer=schemas.SubscriptionOut,
    limits=STEER,
    errors=(WrongState, errors.NotYourSubscription, errors.PaymentUnderWay),
)
def set_collection(uow: UnitOfWork, caller: Caller, subscription_id: UUID, body: Json) -> Json:
    """Be charged by itself from the next term on, or renew by hand."""
    return queries.subscription(uow, paying.set_collection(uow, caller, subscription_id, **body))
