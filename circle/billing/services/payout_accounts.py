"""Where a circle's money is sent; without an account the operator pays it by hand."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from circle.billing.errors import UnknownPayee
from circle.billing.payout_models import PayoutAccount
from circle.billing.providers.base import Providers
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission


def find_account(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> PayoutAccount:
    """Return where a circle's money is sent. Errors: NotFound, MissingPermission."""
    require_permission(uow, caller, circle_id, Permission.SEE_MONEY)
    account = uow.session.get(PayoutAccount, circle_id)
    if account is None:
        raise NotFound
    return account


def set_account(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, provider: str, token: str) -> PayoutAccount:
    """Say where a circle's money is sent; payouts already asked for keep the account that they had.

    Errors: NotFound, MissingPermission, UnknownProvider, UnknownPayee.
    """
    require_permission(uow, caller, circle_id, Permission.MOVE_MONEY)
    if not uow.use(Providers).get(provider).accepts_payee(token):
        raise UnknownPayee
    values = {"provider": provider, "reference": token, "set_by": caller.user_id, "set_at": uow.now}
    uow.session.execute(
        insert(PayoutAccount)
        .values(circle_id=circle_id, **values)
        .on_conflict_do_update(index_elements=["circle_id"], set_=values)
    )
    _note(uow, caller, circle_id, "payout_account.set", provider=provider)
    return uow.session.get_one(PayoutAccount, circle_id, populate_existing=True)


def forget_account(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> None:
    """Have a circle's money paid by hand from now on. Errors: NotFound, MissingPermission."""
    require_permission(uow, caller, circle_id, Permission.MOVE_MONEY)
    account = uow.session.get(PayoutAccount, circle_id)
    if account is not None:
        uow.session.delete(account)
        _note(uow, caller, circle_id, "payout_account.forget")


def _note(uow: UnitOfWork, caller: Caller, circle_id: UUID, action: str, **data: str) -> None:
    audit.record(uow, caller, action, circle_id=circle_id, subject_kind="circle", subject_id=circle_id, **data)
