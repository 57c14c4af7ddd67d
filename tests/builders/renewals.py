"""Renewals for tests: somebody who pays, and time that passes with the clock's jobs at work."""

from datetime import datetime, timedelta
from typing import Any

from circle import jobs
from circle.accounts.models import User
from circle.accounts.services import people
from circle.kernel.clock import ManualClock
from tests.builders.billing import Billing, idempotency_key
from tests.builders.circles import BuiltCircle, BuiltTier
from tests.builders.people import Person

# What the clock runs of renewals, in the order of its table.
RENEWING = ("bill", "dun", "charge", "resolve", "refund", "end", "remind")
_MOST_ROUNDS = 20


class Renewals(Billing):
    def subscriber(
        self,
        circle: BuiltCircle,
        tier: BuiltTier | None = None,
        *,
        way: str = "ok",
        collection: str = "auto",
        person: Person | None = None,
    ) -> Person:
        """Somebody who joined and paid, and from then on pays by `way`.

        `extra` has `subscription_id`, `invoice_id` and `method_id`.
        """
        person = person or self.person("订户")
        checkout = self.join(person, circle, tier, collection=collection)["checkout"]
        method = self.method(person)
        sent = {"payment_method": method}
        person.api.post(f"/checkouts/{checkout['id']}/pay", sent, headers=idempotency_key()).ok(200)
        person.extra |= {
            "subscription_id": checkout["subscription_id"],
            "invoice_id": checkout["invoice_id"],
            "method_id": method,
        }
        if way != "ok":
            self.change_card(person, way)
        return person

    def change_card(self, person: Person, way: str) -> None:
        """Let somebody's payment method do something else from now on."""
        person.api.patch(f"/me/payment-methods/{person.extra['method_id']}", {"token": way}).ok()

    def log_in(self, person: Person) -> None:
        """Let somebody in again whose session has run out since."""
        with self.units.write() as uow:
            user = uow.session.get_one(User, person.id)
            person.token = people.open_session(uow, user, "").token
        person.__dict__.pop("api", None)

    def subscription(self, person: Person) -> Any:
        return person.api.get(f"/subscriptions/{person.extra['subscription_id']}").ok()

    def steer(self, person: Person, verb: str) -> Any:
        """Do something with somebody's subscription; returns the reply."""
        return person.api.post(f"/subscriptions/{person.extra['subscription_id']}/{verb}")

    def renewals(self, person: Person) -> list[Any]:
        """Somebody's renewal invoices, oldest first."""
        items = person.api.get("/me/invoices?limit=100").ok()["items"]
        return [one for one in reversed(items) if one["kind"] == "renewal"]

    def run_renewals(self) -> int:
        """Run what the clock runs of renewals until nothing is left; returns how many rows that were."""
        rows = 0
        for _ in range(_MOST_ROUNDS):
            done = sum(jobs.load_job(f"billing.{name}").run(self.units) for name in RENEWING)
            if not done:
                return rows
            rows += done
        raise AssertionError("renewals never come to an end")

    def live_until(self, clock: ManualClock, then: datetime | str, *, every: timedelta = timedelta(days=1)) -> None:
        """Let time pass with the clock's jobs at work."""
        end = datetime.fromisoformat(then) if isinstance(then, str) else then
        while clock.now() < end:
            clock.set(min(clock.now() + every, end))
            jobs.load_job("memberships.expire").run(self.units)
            self.run_renewals()

    def live_for(self, clock: ManualClock, *, every: timedelta = timedelta(days=1), **length: Any) -> None:
        """Let so much time pass, e.g. `days=31`."""
        self.live_until(clock, clock.now() + timedelta(**length), every=every)
