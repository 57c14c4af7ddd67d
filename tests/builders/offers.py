"""Coupons, gifts, plan changes and price campaigns for tests, over HTTP."""

from datetime import timedelta
from typing import Any

from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from tests.builders.billing import Billing
from tests.builders.circles import BuiltCircle, BuiltTier
from tests.builders.people import Person


class Offers(Billing):
    def coupon(self, circle: BuiltCircle, code: str = "SPRING", **terms: Any) -> Any:
        """A coupon of the owner's: 20 % off the first period unless `terms` say otherwise."""
        off = {} if "amount" in terms else {"percent": 20}
        return circle.owner.api.post(f"{circle.path}/coupons", {"code": code, **off, **terms}).ok(201)

    def gift(self, circle: BuiltCircle, buyer: Person, tier: BuiltTier | None = None, **body: Any) -> Any:
        """A gift of a tier's price (the lowest tier by default) that its buyer has yet to pay."""
        sent = {"price_id": str((tier or circle.tier(1)).price_id), **body}
        return buyer.api.post(f"{circle.path}/gifts", sent).ok(201)

    def paid_gift(self, circle: BuiltCircle, buyer: Person, tier: BuiltTier | None = None, **body: Any) -> Any:
        """A gift that is paid, as its buyer sees it; `code` is what they pass on."""
        bought = self.gift(circle, buyer, tier, **body)
        assert self.pay(buyer, bought["checkout"])["status"] == "succeeded"
        return self.gifts(buyer)[0]

    def gifts(self, person: Person, side: str = "bought") -> Any:
        return person.api.get(f"/me/gifts?side={side}").ok()["items"]

    def claim(self, person: Person, code: str, **body: Any) -> Any:
        """Claim a gift; returns the reply."""
        return person.api.post("/gifts/claim", {"code": code, **body})

    def quote(self, member: Person, price_id: Any) -> Any:
        """Ask what a change of one's subscription costs; returns the reply."""
        return member.api.post(f"/subscriptions/{member.extra['subscription_id']}/quote", {"price_id": str(price_id)})

    def change(self, member: Person, quote: Any, **body: Any) -> Any:
        """Do what a quote says; returns the reply."""
        sent = {"price_id": quote["to_price"]["id"], "quote_id": quote["id"], **body}
        return member.api.post(f"/subscriptions/{quote['subscription_id']}/change", sent)

    def upgraded(self, member: Person, price_id: Any) -> Any:
        """Quote, change and pay an upgrade; returns the quote, whose invoice is in `extra["upgrade_id"]`."""
        quote = self.quote(member, price_id).ok(201)
        checkout = self.change(member, quote).ok(200)["checkout"]
        if checkout is not None:
            assert self.pay(member, checkout)["status"] == "succeeded"
            member.extra["upgrade_id"] = checkout["invoice_id"]
        return quote

    def live(self, clock: ManualClock, days: int) -> None:
        """Let days pass as workers see them: everything due is done every other day, which is often enough."""
        for passed in range(0, days, 2):
            clock.advance(timedelta(days=min(2, days - passed)))
            for name in ("campaigns", "bill", "charge", "end"):
                load_job(f"billing.{name}").run(self.units)

    def subscription(self, member: Person) -> Any:
        return member.api.get(f"/subscriptions/{member.extra['subscription_id']}").ok()

    def price(self, circle: BuiltCircle, tier: BuiltTier, amount: int, **terms: Any) -> str:
        """Another price of a tier, a month unless `terms` say otherwise; returns its id."""
        sent = {"amount": amount, "currency": "CNY", "interval": "month", **terms}
        return str(circle.owner.api.post(f"/tiers/{tier.id}/prices", sent).ok(201)["id"])

    def campaign(self, circle: BuiltCircle, before: Any, after: Any, effective_on: str) -> Any:
        """Move subscriptions from one price to another, and tell everybody; returns the campaign."""
        sent = {"from_price_id": str(before), "to_price_id": str(after), "effective_on": effective_on}
        made = circle.owner.api.post(f"{circle.path}/price-campaigns", sent).ok(201)
        self.run_billing("campaigns")
        return made
