"""The checkout's page: whoever holds its address sees what is to be paid and, in the sandbox, pays or declines."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from circle.billing import queries, steps
from circle.billing.providers.base import Providers
from circle.billing.providers.sandbox import Sandbox
from circle.billing.services.checkouts import read_checkout_token
from circle.kernel.clock import local_day
from circle.kernel.db import Json
from circle.kernel.errors import CircleError
from circle.kernel.money import Money
from circle.kernel.text import Text
from circle.web.answers import language
from circle.web.forms import FormGuard, require_our_form
from circle.web.limits import Limit
from circle.web.pages import page
from circle.web.system import system

_SAYS = {
    "title": Text("结账", "Checkout"),
    "circle": Text("星球", "Circle"),
    "tier": Text("会员等级", "Tier"),
    "price": Text("金额", "Amount"),
    "period": Text("会员期", "Period"),
    "for_life": Text("永久", "For life"),
    "until": Text("请在此之前付款", "Pay before"),
    "sandbox": Text("沙盒支付：不会产生真实扣款。", "Sandbox payment: no real money moves."),
    "pay": Text("付款", "Pay"),
    "decline": Text("不付款", "Decline"),
    "elsewhere": Text("请在应用内付款。", "Pay inside the app."),
    "paid": Text("付款成功，可以回到应用了。", "Paid. You can go back to the app."),
    "expired": Text("这次结账已过期，请重新下单。", "This checkout has expired; start again."),
    "processing": Text("付款正在处理，请稍后刷新。", "The payment is being processed; look again in a moment."),
    "failed": Text("付款没有成功，可以再试一次。", "The payment did not go through; you can try again."),
}
_LIMIT = Limit("checkout_page", "60/minute", "ip")


def checkout_blueprint() -> Blueprint:
    """Serve `/checkout/<token>`: the page, its two buttons, and what became of them."""
    blueprint = Blueprint("checkout", __name__, url_prefix="/checkout", template_folder="templates")

    @blueprint.get("/<token>")
    def show(token: str) -> Response:
        return _show(token, _checkout_id(token))

    @blueprint.post("/<token>")
    def decide(token: str) -> AnyResponse:
        at = system()
        at.limiter.hit(_LIMIT, request.remote_addr or "")
        checkout_id = _checkout_id(token)
        require_our_form(token)
        try:
            steps.pay_on_page(at.units, checkout_id, approve=request.form.get("decision") == "pay")
        except CircleError as refusal:
            return _show(token, checkout_id, refusal=refusal)
        return redirect(f"/checkout/{token}", 303)

    return blueprint


def _checkout_id(token: str) -> UUID:
    found = read_checkout_token(system().settings, token)
    if found is None or Sandbox.name not in system().units.use(Providers).by_name:
        abort(404)
    return found


def _show(token: str, checkout_id: UUID, *, refusal: CircleError | None = None) -> Response:
    with system().units.read() as uow:
        checkout = queries.checkout(uow, checkout_id)
    guard = FormGuard(token)
    response = page(
        "checkout.html",
        _SAYS,
        checkout=checkout,
        state=_state_of(checkout),
        amount=Money(checkout["amount"]["amount"], checkout["amount"]["currency"]),
        period=_period_of(checkout),
        expires_at=checkout["expires_at"].astimezone(ZoneInfo(checkout["timezone"])),
        csrf=guard.proof,
        refusal=refusal.say(language()) if refusal else None,
    )
    response.status_code = refusal.status if refusal else 200
    return guard.protect(response)


def _state_of(checkout: Json) -> str:
    """Return which sentence the page says: paid, expired, processing, failed or open."""
    if checkout["status"] != "open":
        return "paid" if checkout["status"] == "completed" else "expired"
    payment = checkout["payment"]
    if payment is None or payment["status"] == "requires_action":
        return "open"
    return "processing" if payment["status"] == "processing" else "failed"


def _period_of(checkout: Json) -> tuple[str, str | None] | None:
    """Return the first and the last day, which is None for life; None for what has no period."""
    start: datetime | None = checkout["period_start"]
    end: datetime | None = checkout["period_end"]
    if start is None:
        return None
    zone = ZoneInfo(checkout["timezone"])
    return local_day(start, zone).isoformat(), local_day(end, zone).isoformat() if end else None
