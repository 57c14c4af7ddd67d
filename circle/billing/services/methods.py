"""Payment methods of a person."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from circle.billing import policy
from circle.billing.models import PaymentMethod, Subscription
from circle.billing.providers.base import Providers
from circle.billing.states import LIVE
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, StaleVersion
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork


def add_method(uow: UnitOfWork, caller: Caller, *, provider: str, token: str) -> PaymentMethod:
    """Keep a way to pay. Errors: UnknownProvider, Invalid (the provider knows no such token)."""
    _check(uow, provider, token)
    method = PaymentMethod(id=new_id(), user_id=caller.user_id, provider=provider, reference=token, created_at=uow.now)
    uow.session.add(method)
    return method


def edit_method(uow: UnitOfWork, caller: Caller, method_id: UUID, *, version: int | None, token: str) -> PaymentMethod:
    """Point a method at another card. Errors: StaleVersion, Invalid."""
    method = policy.require_own_method(uow, caller, method_id)
    if version is not None and version != method.version:
        raise StaleVersion
    _check(uow, method.provider, token)
    method.reference = token
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
