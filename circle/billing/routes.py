"""HTTP of billing."""

from uuid import UUID

from flask import request

from circle.billing import errors, ledger_queries, offer_errors, policy, queries, receipts, schemas, steps
from circle.billing.services import joining, methods, webhooks
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork, Units
from circle.media.names import disposition
from circle.memberships import errors as membership_errors
from circle.memberships.errors import MEMBERS_ONLY
from circle.memberships.gates import standing_gate
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission
from circle.web.answers import Answer
from circle.web.limits import Limit
from circle.web.pagination import PageArgs, page_of, whole
from circle.web.routes import Routes

routes = Routes(
    "billing", "Money: joining, checkouts, payment methods, invoices, refunds, a circle's ledger.", errors=MEMBERS_ONLY
)

CIRCLE = "/circles/<uuid:circle_id>"
JOIN = (Limit("join", "30/minute"),)
PAY = (Limit("pay", "30/minute"),)
REFUND = (Limit("refund", "30/minute"),)
# A fifth of a second of work each.
PRINT = (Limit("print", "20/minute"),)
# A provider calls from few addresses.
WEBHOOKS = (Limit("webhooks", "6000/minute", "ip"),)
_GATE = standing_gate("circle_id")


@routes.post(
    f"{CIRCLE}/join",
    body=schemas.JoinIn,
    answer=schemas.JoinedOut,
    status=201,
    limits=JOIN,
    errors=(
        errors.UnknownPrice,
        errors.UnknownCoupon,
        offer_errors.CouponExpired,
        offer_errors.CouponUsedUp,
        offer_errors.CouponNotForPrice,
        errors.PaymentUnderWay,
        membership_errors.AlreadyAMember,
        membership_errors.Banned,
        membership_errors.CircleClosed,
        membership_errors.SeatsTaken,
        membership_errors.InvitationNeeded,
        membership_errors.InvitationNotUsable,
    ),
)
def join(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Join a circle, or apply to; where it costs, `checkout` is what is left to pay."""
    return queries.joined(uow, joining.join(uow, caller, circle_id, **body))


@routes.get(f"{CIRCLE}/membership", answer=schemas.MembershipOut)
def get_membership(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> Json:
    """What you are in a circle, until when, and the subscription that renews it."""
    return queries.membership(uow, circle_id, caller.user_id)


@routes.get("/checkouts/<uuid:checkout_id>", answer=schemas.CheckoutOut)
def get_checkout(uow: UnitOfWork, caller: Caller, checkout_id: UUID) -> Json:
    """What is to be paid, and how far that is."""
    return queries.checkout(uow, policy.require_own_checkout(uow, caller, checkout_id).id)


@routes.post(
    "/checkouts/<uuid:checkout_id>/pay",
    body=schemas.PayIn,
    answer=schemas.PaymentOut,
    key_required=True,
    steps=True,
    limits=PAY,
    errors=(
        errors.CheckoutClosed,
        errors.UnknownPaymentMethod,
        errors.UnknownProvider,
        errors.InstallationMoved,
        membership_errors.SeatsTaken,
    ),
)
def pay_checkout(units: Units, caller: Caller, checkout_id: UUID, body: Json) -> Json:
    """Pay; a checkout is charged once, however often this is asked.

    `processing` means that the provider's answer is still to come: look at the checkout again.
    """
    return steps.pay(units, caller, checkout_id, **body)


@routes.get("/me/payment-methods", answer=whole(schemas.MethodOut))
def list_methods(uow: UnitOfWork, caller: Caller) -> Json:
    """How you pay."""
    return {"items": methods.own_methods(uow, caller)}


@routes.post(
    "/me/payment-methods",
    body=schemas.MethodIn,
    answer=schemas.MethodOut,
    status=201,
    limits=PAY,
    errors=(errors.UnknownProvider,),
)
def add_method(uow: UnitOfWork, caller: Caller, body: Json) -> Json:
    """Add a way to pay; the sandbox's tokens are named for what they do, such as `ok` or `decline_soft`."""
    return methods.method_card(methods.add_method(uow, caller, **body))


@routes.patch(
    "/me/payment-methods/<uuid:method_id>",
    body=schemas.MethodPatch,
    answer=schemas.MethodOut,
    versioned=True,
)
def edit_method(uow: UnitOfWork, caller: Caller, method_id: UUID, body: Json, version: int | None) -> Json:
    """Point a way to pay at another token, as when a card begins to fail."""
    return methods.method_card(methods.edit_method(uow, caller, method_id, version=version, **body))


@routes.delete("/me/payment-methods/<uuid:method_id>", status=204)
def remove_method(uow: UnitOfWork, caller: Caller, method_id: UUID) -> None:
    """Forget a way to pay."""
    methods.remove_method(uow, caller, method_id)


@routes.get("/me/invoices", query=PageArgs, answer=page_of(schemas.InvoiceOut))
def list_invoices(uow: UnitOfWork, caller: Caller, query: Json) -> Json:
    """What you were billed, newest first."""
    return queries.invoices(uow, caller.user_id, **query)


@routes.get("/invoices/<uuid:invoice_id>", answer=schemas.InvoiceOut)
def get_invoice(uow: UnitOfWork, caller: Caller, invoice_id: UUID) -> Json:
    """An invoice of yours, or of a circle whose money you may see."""
    return queries.invoice(uow, policy.require_visible_invoice(uow, caller, invoice_id))


@routes.get("/invoices/<uuid:invoice_id>/pdf", text="application/pdf", limits=PRINT)
def get_invoice_pdf(uow: UnitOfWork, caller: Caller, invoice_id: UUID) -> Answer:
    """An invoice, with what was paid and what went back, as a file to keep."""
    invoice = policy.require_visible_invoice(uow, caller, invoice_id)
    headers = {"Content-Disposition": disposition("attachment", f"{invoice.number}.pdf")}
    return Answer(receipts.invoice_pdf(uow, invoice), headers=headers)


@routes.post(
    "/invoices/<uuid:invoice_id>/refund",
    body=schemas.RefundIn,
    answer=schemas.RefundOut,
    status=201,
    key_required=True,
    steps=True,
    limits=REFUND,
    errors=(
        errors.NotRefundable,
        errors.RefundTooLarge,
        errors.RefundWindowOver,
        errors.RefundInPartNotYours,
        errors.InstallationMoved,
        membership_errors.MissingPermission,
    ),
)
def refund_invoice(units: Units, caller: Caller, invoice_id: UUID, body: Json) -> Json:
    """Give an invoice back: all of it as its payer within the window, any part of it as the circle's owner."""
    return steps.refund(units, caller, invoice_id, **body)


@routes.get(f"{CIRCLE}/balance", answer=schemas.BalanceOut, gate=_GATE)
def get_balance(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> Json:
    """The circle's money: pending while it may be refunded without a reason, then available, then in payout."""
    require_permission(uow, caller, circle_id, Permission.SEE_MONEY)
    return ledger_queries.balance(uow, circle_id)


@routes.get(f"{CIRCLE}/ledger", query=PageArgs, answer=page_of(schemas.MovementOut), gate=_GATE)
def list_ledger(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """Every movement of the circle's money, newest first; what the accounts gain sums to zero."""
    require_permission(uow, caller, circle_id, Permission.SEE_MONEY)
    return ledger_queries.ledger(uow, circle_id, **query)


@routes.post(
    "/webhooks/<provider>",
    public=True,
    answer=schemas.ReceivedOut,
    limits=WEBHOOKS,
    errors=(errors.ForgedNotification, errors.OldNotification, errors.UnreadableNotification),
)
def receive_webhook(uow: UnitOfWork, _caller: Caller | None, provider: str) -> Json:
    """Take a provider's notification; it only says where to look, the truth is asked for afterwards."""
    webhooks.receive(uow, provider, dict(request.headers), request.get_data())
    return {"received": True}
