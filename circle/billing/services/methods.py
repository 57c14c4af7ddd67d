"""Payment methods of a person."""

from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, update

from circle.billing import policy
from circle.billing.models import Collection, PaymentMethod, Subscription
from circle.billing.providers.base import Providers
from circle.billing.services.dunning import try_again
from circle.billing.states import LIVE, SubscriptionStatus
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, StaleVersion
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork


def add_method(uow: UnitOfWork, caller: Caller, *, provider: str, token: str) -> PaymentMethod:
    """Keep a way to pay; what has none or whose renewal failed is paid by it from now on.

    Errors: UnknownProvider, Invalid (the provider knows no such token).
    """
    _check(uow, provider, token)
    method = PaymentMethod(id=new_id(), user_id=caller.user_id, provider=provider, reference=token, created_at=uow.now)
    uow.session.add(method)
    uow.session.flush()
    uow.session.execute(
        update(Subscription)
        .where(
            Subscription.user_id == caller.user_id,
            Subscription.status.in_(LIVE),
            Subscription.collection == Collection.AUTO,
            or_(Subscription.payment_method_id.is_(None), Subscription.status == SubscriptionStatus.PAST_DUE),
        )
        .values(payment_method_id=method.id)
    )
    try_again(uow, [method.id])
    return method


def latest_method(uow: UnitOfWork, user_id: UUID) -> UUID | None:
    """Return the way to pay that somebody added last; None where they have none."""
    return uow.session.scalar(
        select(PaymentMethod.id)
        .where(PaymentMethod.user_id == user_id, PaymentMethod.removed_at.is_(None))
        .order_by(PaymentMethod.created_at.desc(), PaymentMethod.id.desc())
        .limit(1)
    )


def edit_method(uow: UnitOfWork, caller: Caller, method_id: UUID, *, version: int | None, token: str) -> PaymentMethod:
    """Point a method at another card; what is overdue by it is tried again at once. Errors: StaleVersion, Invalid."""
    method = policy.require_own_method(uow, caller, method_id)
    if version is not None and version != method.version:
        raise StaleVersion
    _check(uow, method.provider, token)
    method.reference = token
    uow.session.flush()
    try_again(uow, [method.id])
    return method


def remove_method(uow: UnitOfWork, caller: Caller, method_id: UUID) -> None:
    """Forget a way to pay; subscriptions that used it have none until another is chosen."""
    method = policy.require_own_method(uow, caller, method_id)
    method.removed_at = uow.now
    uow.session.execute(
        update(Subscription)
        .where(Subscription.payment_method_id == method.id, Subscription.status.in_(LIVE))
        .values(payment_method_id=None)
    )


def own_methods(uow: UnitOfWork, caller: Caller) -> list[dict[str, Any]]:
    mine = (
        select(PaymentMethod)
        .where(PaymentMethod.user_id == caller.user_id, PaymentMethod.removed_at.is_(None))
        .order_by(PaymentMethod.created_at.desc(), PaymentMethod.id.desc())
        .limit(100)
    )
    return [method_card(method) for method in uow.session.scalars(mine)]


def method_card(method: PaymentMethod) -> dict[str, Any]:
    return {
        "id": method.id,
        "provider": method.provider,
        "label": method.reference,
        "created_at": method.created_at,
        "version": method.version,
    }


def _check(uow: UnitOfWork, provider: str, token: str) -> None:
    if not uow.use(Providers).get(provider).accepts(token):
        raise Invalid.field("token", "unknown_token", "支付渠道不认识它。", "The provider knows no such token.")
