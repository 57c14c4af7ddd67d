"""Payments for tests, through the product's own HTTP."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from circle import jobs
from circle.billing.invariants import violations
from circle.billing.providers.sandbox import Sandbox
from tests.builders.circles import BuiltCircle, BuiltTier, Circles
from tests.builders.people import Person

_keys = count(1)


def idempotency_key() -> dict[str, str]:
    """A header that no other request of this process has sent."""
    return {"Idempotency-Key": f"key-{next(_keys)}"}


class Billing(Circles):
    def method(self, person: Person, way: str = "ok") -> str:
        """A sandbox payment method of somebody; returns its id."""
        sent = {"provider": "sandbox", "token": way}
        return str(person.api.post("/me/payment-methods", sent).ok(201)["id"])

    def join(self, person: Person, circle: BuiltCircle, tier: BuiltTier | None = None, **body: Any) -> Any:
        """Join by a tier's price (the lowest tier by default); returns the answer."""
        tier = tier or circle.tier(1)
        return person.api.post(f"{circle.path}/join", {"price_id": str(tier.price_id), **body}).ok(201)

    def checkout(self, person: Person, circle: BuiltCircle, tier: BuiltTier | None = None) -> Any:
        """A checkout that somebody has to pay to join."""
        checkout = self.join(person, circle, tier)["checkout"]
        assert checkout is not None
        return checkout

    def pay(self, person: Person, checkout: Mapping[str, Any], way: str = "ok") -> Any:
        """Pay a checkout with a fresh sandbox method; returns the answer."""
        method = self.method(person, way)
        sent = {"payment_method": method}
        return person.api.post(f"/checkouts/{checkout['id']}/pay", sent, headers=idempotency_key()).ok(200)

    def paying_member(
        self, circle: BuiltCircle, tier: BuiltTier | None = None, *, person: Person | None = None
    ) -> Person:
        """Somebody who joined and paid; `extra["invoice_id"]` is what they paid."""
        person = person or self.person("付费成员")
        checkout = self.checkout(person, circle, tier)
        assert self.pay(person, checkout)["status"] == "succeeded"
        person.extra |= {"invoice_id": checkout["invoice_id"], "subscription_id": checkout["subscription_id"]}
        return person

    def refund(self, person: Person, invoice_id: str, **body: Any) -> Any:
        """Ask for a refund; returns the reply."""
        sent = {"reason": "买错了", **body}
        return person.api.post(f"/invoices/{invoice_id}/refund", sent, headers=idempotency_key())

    def invoice(self, person: Person, invoice_id: str) -> Any:
        return person.api.get(f"/invoices/{invoice_id}").ok()

    def membership(self, person: Person, circle: BuiltCircle) -> Any:
        return person.api.get(f"{circle.path}/membership").ok()

    def run_billing(self, *names: str) -> int:
        """Run jobs of billing by name, each twice as Redis may; returns how many rows the first runs worked on."""
        rows = 0
        for name in names:
            job = jobs.load_job(f"billing.{name}")
            rows += job.run(self.units)
            job.run(self.units)
        return rows

    @property
    def sandbox(self) -> Sandbox:
        return self.units.use(Sandbox)

    def deliver_webhooks(self, api: Any) -> int:
        """Post every waiting webhook of the sandbox over HTTP, as a provider does; returns how many."""
        deliveries = self.sandbox.waiting_webhooks()
        for delivery in deliveries:
            api.request("POST", "/webhooks/sandbox", headers=dict(delivery.headers), data=delivery.body).ok(200)
            self.sandbox.mark_delivered([delivery.event_id])
        return len(deliveries)

    def broken_rules(self) -> list[str]:
        """What is wrong with the money, in plain words."""
        with self.units.read() as uow:
            return violations(uow)
