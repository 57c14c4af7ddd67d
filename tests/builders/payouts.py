"""Money on its way out, for tests."""

from datetime import timedelta
from typing import Any

from tests.builders.billing import Billing, idempotency_key
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person

REFUND_WINDOW = timedelta(hours=72)


class Payouts(Billing):
    def earn(self, circle: BuiltCircle, clock: Any, *, members: int = 1) -> list[Person]:
        """Members who paid for the lowest tier, long enough ago for the money to be available."""
        paying = [self.paying_member(circle) for _ in range(members)]
        clock.advance(REFUND_WINDOW)
        self.run_billing("release")
        return paying

    def withdraw(self, circle: BuiltCircle, amount: int, **body: Any) -> Any:
        """Ask for a payout as the owner; returns the reply."""
        sent = {"amount": amount, "currency": "CNY", **body}
        return circle.owner.api.post(f"{circle.path}/payouts", sent, headers=idempotency_key())

    def pay_out_to(self, circle: BuiltCircle, payee: str) -> None:
        """Have the sandbox send the circle's money to a payee that is named for what happens."""
        sent = {"provider": "sandbox", "token": payee}
        circle.owner.api.put(f"{circle.path}/payout-account", sent).ok(200)

    def payout(self, circle: BuiltCircle, payout: Any) -> Any:
        return circle.owner.api.get(f"/payouts/{payout['id']}").ok()

    def balance(self, circle: BuiltCircle) -> tuple[int, int, int]:
        """What is pending, available, and in payout."""
        shown = circle.owner.api.get(f"{circle.path}/balance").ok()
        return shown["pending"]["amount"], shown["available"]["amount"], shown["in_payout"]["amount"]
