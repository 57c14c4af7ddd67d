"""What members do, each drawn by its weight from what people in their situation do."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import select

from circle.billing import queries, steps
from circle.billing.models import Invoice, PaymentMethod
from circle.billing.offer_models import Gift
from circle.billing.providers.sandbox import Sandbox
from circle.billing.services import changing, consents, gifts, joining, manual, methods, paying, quotes, subscriptions
from circle.billing.states import EARNING
from circle.kernel.caller import Caller
from circle.memberships.services import members
from circle.simulation.luck import pick
from circle.simulation.scene import Bought, Person, Scene


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands this morning; without a subscription, all of it is empty."""

    is_member: bool = False
    subscription_id: UUID | None = None
    status: str = ""
    collection: str = ""
    ends: bool = False
    owes: bool = False
    may_consent: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody's turn to act."""

    scene: Scene
    person: Person
    standing: Standing
    dice: random.Random

    @property
    def subscription_id(self) -> UUID:
        if self.standing.subscription_id is None:
            raise LookupError("whoever has no subscription does nothing with it")
        return self.standing.subscription_id


Act: TypeAlias = Callable[[Turn], None]

_WALLET = {
    "ok": 76,
    "pending_then_ok": 4,
    "lost_request": 3,
    "lost_answer": 3,
    "slow": 3,
    "needs_auth": 4,
    "decline_soft": 4,
    "decline_hard": 3,
}
_FAILING = {"decline_soft": 6, "decline_hard": 3, "needs_auth": 2, "lost_request": 1, "lost_answer": 1, "slow": 1}
_JOINS = {
    "free": 5,
    "trial": 20,
    "reader month": 16,
    "reader year": 4,
    "member month": 30,
    "member quarter": 8,
    "member year": 8,
    "mentor month": 6,
    "mentor year": 2,
    "season": 4,
    "for life": 2,
}
_PLANS = ("reader month", "reader year", "member month", "member quarter", "member year", "mentor month", "mentor year")
_USES_COUPON, _APPROVES, _TRIES_AGAIN = 0.25, 0.8, 0.7


def arrive(turn: Turn) -> None:
    """Join by any of the prices, for many with a coupon."""
    scene, dice = turn.scene, turn.dice
    wanted = pick(dice, {name: weight for name, weight in _JOINS.items() if name in scene.prices})
    coupon = dice.choice(scene.coupons) if scene.coupons and dice.random() < _USES_COUPON else None
    with scene.units.write() as uow:
        joined = joining.join(
            uow,
            turn.person.caller,
            scene.circle_id,
            price_id=scene.prices[wanted],
            collection=pick(dice, {"auto": 7, "manual": 3}),
            coupon=coupon,
        )
        checkout_id = joined.checkout.id if joined.checkout else None
    if wanted == "trial" and checkout_id is None and dice.random() < _APPROVES:
        _new_method(turn)
    if checkout_id is not None:
        _pay(turn, checkout_id)


def _pay(turn: Turn, checkout_id: UUID) -> None:
    """Pay a checkout; confirm where that is asked, and take out another card where the first is declined."""
    units, caller = turn.scene.units, turn.person.caller
    result = steps.pay(units, caller, checkout_id, payment_method=_new_method(turn))
    if result["status"] == "requires_action":
        steps.pay_on_page(units, checkout_id, approve=turn.dice.random() < _APPROVES)
    elif result["status"] == "failed" and turn.dice.random() < _TRIES_AGAIN:
        steps.pay(units, caller, checkout_id, payment_method=_new_method(turn, {"ok": 1}))


def _new_method(turn: Turn, tokens: Mapping[str, int] = _WALLET) -> UUID:
    with turn.scene.units.write() as uow:
        token = pick(turn.dice, tokens)
        return methods.add_method(uow, turn.person.caller, provider=Sandbox.name, token=token).id


def take_out_another_card(turn: Turn) -> None:
    """Pay by a new method from now on; what is overdue is tried again at once."""
    method_id = _new_method(turn)
    with turn.scene.units.write() as uow:
        paying.set_payment_method(uow, turn.person.caller, turn.subscription_id, payment_method=method_id)


def have_the_card_fail(turn: Turn) -> None:
    """Let the present method be declined, or its answers be lost, from now on."""
    _point_at(turn, _FAILING)


def have_the_card_mended(turn: Turn) -> None:
    _point_at(turn, {"ok": 1})


def _point_at(turn: Turn, tokens: Mapping[str, int]) -> None:
    with turn.scene.units.write() as uow:
        method_id = methods.latest_method(uow, turn.person.caller.user_id)
        if method_id is not None:
            version = uow.session.get_one(PaymentMethod, method_id).version
            token = pick(turn.dice, tokens)
            methods.edit_method(uow, turn.person.caller, method_id, version=version, token=token)


def forget_the_card(turn: Turn) -> None:
    with turn.scene.units.write() as uow:
        method_id = methods.latest_method(uow, turn.person.caller.user_id)
        if method_id is not None:
            methods.remove_method(uow, turn.person.caller, method_id)


def cancel(turn: Turn) -> None:
    with turn.scene.units.write() as uow:
        subscriptions.cancel_subscription(uow, turn.person.caller, turn.subscription_id)


def uncancel(turn: Turn) -> None:
    with turn.scene.units.write() as uow:
        subscriptions.uncancel_subscription(uow, turn.person.caller, turn.subscription_id)


def pause(turn: Turn) -> None:
    with turn.scene.units.write() as uow:
        subscriptions.pause_subscription(uow, turn.person.caller, turn.subscription_id)


def resume(turn: Turn) -> None:
    with turn.scene.units.write() as uow:
        subscriptions.resume_subscription(uow, turn.person.caller, turn.subscription_id)


def renew(turn: Turn) -> None:
    """Pay the next term by hand: early, late, or after the end."""
    with turn.scene.units.write() as uow:
        subscription = manual.renew(uow, turn.person.caller, turn.subscription_id)
        checkout = queries.renewing(uow, subscription)["checkout"]
    if checkout is not None:
        _pay(turn, checkout["id"])


def pay_otherwise(turn: Turn) -> None:
    """Have the next terms charged, or pay them by hand."""
    other = "manual" if turn.standing.collection == "auto" else "auto"
    with turn.scene.units.write() as uow:
        paying.set_collection(uow, turn.person.caller, turn.subscription_id, collection=other)


def change_plan(turn: Turn) -> None:
    """Ask what another plan costs, and take it: a better one is paid now, others begin with the next term."""
    scene, caller = turn.scene, turn.person.caller
    price_id = scene.prices[turn.dice.choice(_PLANS)]
    with scene.units.write() as uow:
        quote_id = quotes.make_quote(uow, caller, turn.subscription_id, price_id=price_id).id
    with scene.units.write() as uow:
        changed = changing.change_plan(uow, caller, turn.subscription_id, price_id=price_id, quote_id=quote_id)
        checkout_id = changed.checkout.id if changed.checkout else None
    if checkout_id is not None:
        _pay(turn, checkout_id)


def consent(turn: Turn) -> None:
    with turn.scene.units.write() as uow:
        consents.consent(uow, turn.person.caller, turn.subscription_id)


def ask_for_the_money_back(turn: Turn) -> None:
    """Give back what was paid last; refused where the window is over."""
    _refund(turn, turn.person.caller, amount=None)


def be_given_back(turn: Turn) -> None:
    """Get all or part of the last payment back by the owner's will."""
    whole = turn.dice.random() < _TRIES_AGAIN
    _refund(turn, turn.scene.owner, amount=None if whole else turn.dice.randrange(1, 2000))


def _refund(turn: Turn, by: Caller, *, amount: int | None) -> None:
    paid = (
        select(Invoice.id)
        .where(Invoice.payer_id == turn.person.caller.user_id, Invoice.status.in_(EARNING), Invoice.amount > 0)
        .order_by(Invoice.paid_at.desc(), Invoice.id.desc())
        .limit(1)
    )
    with turn.scene.units.read() as uow:
        invoice_id = uow.session.scalar(paid)
    if invoice_id is not None:
        steps.refund(turn.scene.units, by, invoice_id, amount=amount, reason="模拟")


def leave(turn: Turn) -> None:
    with turn.scene.units.write() as uow:
        members.leave_circle(uow, turn.person.caller, turn.scene.circle_id)


def be_removed(turn: Turn) -> None:
    """Be taken out by the owner, who gives the last payment back."""
    scene = turn.scene
    with scene.units.write() as uow:
        members.remove_member(uow, scene.owner, scene.circle_id, turn.person.caller.user_id, refund=True)


def buy_a_gift(turn: Turn) -> None:
    scene = turn.scene
    price_id = scene.prices[turn.dice.choice(_PLANS)]
    with scene.units.write() as uow:
        gift, checkout = gifts.buy_gift(uow, turn.person.caller, scene.circle_id, price_id=price_id, message="")
        gift_id, checkout_id = gift.id, checkout.id
    scene.gifts.append(Bought(gift_id, turn.person))
    _pay(turn, checkout_id)


def claim_a_gift(turn: Turn) -> None:
    """Take a gift that is about; its buyer has it given back instead."""
    scene = turn.scene
    if not scene.gifts:
        return
    bought = scene.gifts.pop(turn.dice.randrange(len(scene.gifts)))
    with scene.units.write() as uow:
        gift = uow.session.get_one(Gift, bought.gift_id)
        invoice_id, code = gift.invoice_id, gifts.code_of(uow, gift.id, gift.code_hash)
        if bought.buyer is not turn.person:
            gifts.claim_gift(uow, turn.person.caller, code=code or "")
    if bought.buyer is turn.person:
        steps.refund(scene.units, turn.person.caller, invoice_id, amount=None, reason="没送出去")


_OUTSIDE: Mapping[Act, int] = {arrive: 6, claim_a_gift: 2}
_HAS_LEFT_ONE: Mapping[Act, int] = {arrive: 3, renew: 4, claim_a_gift: 1}
_RUNNING: Mapping[Act, int] = {
    cancel: 12,
    pause: 4,
    renew: 5,
    change_plan: 14,
    have_the_card_fail: 12,
    take_out_another_card: 6,
    forget_the_card: 2,
    pay_otherwise: 4,
    ask_for_the_money_back: 6,
    be_given_back: 3,
    leave: 3,
    be_removed: 1,
    buy_a_gift: 4,
    claim_a_gift: 3,
    uncancel: 1,
    resume: 1,
    consent: 1,
}
_ENDING: Mapping[Act, int] = {uncancel: 6, cancel: 1, leave: 1, change_plan: 1, claim_a_gift: 2, buy_a_gift: 1}
_PAST_DUE: Mapping[Act, int] = {
    take_out_another_card: 4,
    have_the_card_mended: 4,
    renew: 4,
    cancel: 1,
    leave: 1,
    change_plan: 1,
    pay_otherwise: 1,
}
_PAUSED: Mapping[Act, int] = {resume: 6, renew: 4, cancel: 1, change_plan: 1, take_out_another_card: 1}
# How likely it is that somebody acts on a day, in 1,000.
_WHEN_OUTSIDE, _WHEN_RUNNING, _WHEN_ENDING, _WHEN_OWING, _WHEN_PAUSED, _WHEN_ASKED = 10, 14, 20, 250, 40, 120


def choose(standing: Standing, dice: random.Random) -> Act | None:
    """Return what somebody does today; None: nothing, like most people on most days."""
    chance, acts = _habits(standing)
    if dice.randrange(1000) >= chance:
        return None
    return pick(dice, acts)


def _habits(standing: Standing) -> tuple[int, Mapping[Act, int]]:
    if standing.may_consent:
        return _WHEN_ASKED, {consent: 1, **({} if standing.ends else {cancel: 1})}
    if standing.status == "past_due" or (standing.owes and standing.collection == "manual"):
        return _WHEN_OWING, _PAST_DUE
    if standing.status == "paused":
        return _WHEN_PAUSED, _PAUSED
    if standing.status in {"active", "trialing"}:
        return (_WHEN_ENDING, _ENDING) if standing.ends else (_WHEN_RUNNING, _RUNNING)
    return _WHEN_OUTSIDE, _HAS_LEFT_ONE if standing.subscription_id else _OUTSIDE
