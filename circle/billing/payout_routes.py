"""HTTP of a circle's money on its way out: withdrawals, where they go, statements."""

from uuid import UUID

from circle.billing import errors, payout_queries, policy, statements
from circle.billing import payout_schemas as schemas
from circle.billing.services import payout_accounts, payouts
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships import errors as membership_errors
from circle.memberships.errors import MEMBERS_ONLY
from circle.memberships.gates import standing_gate
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission
from circle.web.limits import Limit
from circle.web.pagination import PageArgs, page_of
from circle.web.routes import Routes

routes = Routes("payouts", "A circle's money on its way out: withdrawals and statements.", errors=MEMBERS_ONLY)

CIRCLE = "/circles/<uuid:circle_id>"
WITHDRAW = (Limit("withdraw", "30/minute"),)
STATEMENT = (Limit("statement", "30/minute"),)
_GATE = standing_gate("circle_id")
_DENIED = (membership_errors.MissingPermission,)


@routes.post(
    f"{CIRCLE}/payouts",
    body=schemas.PayoutIn,
    answer=schemas.PayoutOut,
    status=201,
    key_required=True,
    limits=WITHDRAW,
    errors=(errors.BalanceTooLow, *_DENIED),
)
def request_payout(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Withdraw what is available; it waits for the operator's approval."""
    return payout_queries.payout(payouts.request_payout(uow, caller, circle_id, **body))


@routes.get(f"{CIRCLE}/payouts", query=PageArgs, answer=page_of(schemas.PayoutOut), gate=_GATE, errors=_DENIED)
def list_payouts(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """A circle's withdrawals, newest first."""
    require_permission(uow, caller, circle_id, Permission.SEE_MONEY)
    return payout_queries.payouts(uow, circle_id, **query)


@routes.get("/payouts/<uuid:payout_id>", answer=schemas.PayoutOut)
def get_payout(uow: UnitOfWork, caller: Caller, payout_id: UUID) -> Json:
    """How far a withdrawal is."""
    return payout_queries.payout(policy.require_visible_payout(uow, caller, payout_id))


@routes.post(
    "/payouts/<uuid:payout_id>/cancel", answer=schemas.PayoutOut, limits=WITHDRAW, errors=(WrongState, *_DENIED)
)
def cancel_payout(uow: UnitOfWork, caller: Caller, payout_id: UUID) -> Json:
    """Take back a withdrawal that was not approved yet."""
    return payout_queries.payout(payouts.cancel_payout(uow, caller, payout_id))


@routes.get(f"{CIRCLE}/payout-account", answer=schemas.PayoutAccountOut, errors=_DENIED)
def get_payout_account(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> Json:
    """Where the circle's money is sent; 404 where the operator pays by hand."""
    return payout_queries.payout_account(payout_accounts.find_account(uow, caller, circle_id))


@routes.put(
    f"{CIRCLE}/payout-account",
    body=schemas.PayoutAccountIn,
    answer=schemas.PayoutAccountOut,
    limits=WITHDRAW,
    errors=(errors.UnknownProvider, errors.UnknownPayee, *_DENIED),
)
def set_payout_account(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Say where the circle's money is sent from the next withdrawal on."""
    return payout_queries.payout_account(payout_accounts.set_account(uow, caller, circle_id, **body))


@routes.delete(f"{CIRCLE}/payout-account", status=204, limits=WITHDRAW, errors=_DENIED)
def forget_payout_account(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> None:
    """Have the operator pay by hand from the next withdrawal on."""
    payout_accounts.forget_account(uow, caller, circle_id)


@routes.get(f"{CIRCLE}/statements", query=schemas.StatementArgs, text="text/csv", limits=STATEMENT, errors=_DENIED)
def get_statement(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> str:
    """A month of the circle's money as a file for spreadsheets."""
    return statements.statement(uow, caller, circle_id, **query)
