"""Stripe for tests: a process of ours on loopback, and a hand to its cards, its network and its webhooks."""

import hashlib
import hmac
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.builders.billing import idempotency_key
from tests.builders.people import Person
from tests.client import World

KEY = "sk_test_51honest"
WEBHOOK_SECRET = "whsec_honest"

GOOD_CARD = "4242424242424242"
# May be kept, and is declined at each charge.
DECLINED_CARD = "4000000000000341"
# Wants its payer to confirm.
CAREFUL_CARD = "4000002500003155"


class HonestStripe:
    """The process, as its customers' browsers and its operators see it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"})

    def card(self, number: str = GOOD_CARD) -> str:
        """A payment method as a browser makes it; returns its id."""
        sent = {"type": "card", "card[number]": number, "card[exp_month]": "12", "card[exp_year]": "2030"}
        return str(self._post("/v1/payment_methods", {**sent, "card[cvc]": "123"})["id"])

    def network(self, *faults: str, decline_code: str = "generic_decline") -> None:
        """Say what happens to the next calls that move money: lost_request, lost_answer, error_before, …"""
        sent = {"faults": faults, "decline_code": decline_code}
        self._http.post("/_network", json=sent).raise_for_status()

    def calls(self, path: str) -> list[dict[str, Any]]:
        """Calls that were sent to a path since the network was set, whether they arrived or not."""
        return [one for one in self._http.get("/_calls").json() if one["method"] == "POST" and one["path"] == path]

    def intents(self, number: str) -> list[dict[str, Any]]:
        """Every charge under a number of ours."""
        found = self._http.get("/v1/payment_intents", params={"limit": 100_000}).json()["data"]
        return [one for one in found if one["metadata"].get("circle_number") == number]

    def confirm(self, number: str, *, success: bool = True) -> None:
        """Confirm a payment at the bank, as its payer."""
        [intent] = self.intents(number)
        sent = {"client_secret": intent["client_secret"], "success": str(success).lower()}
        self._post(f"/v1/payment_intents/{intent['id']}/_authenticate", sent)

    def webhook(self, about: dict[str, Any], at: datetime, event_id: str = "evt_1") -> tuple[dict[str, str], bytes]:
        """Headers and body of a notification signed at an instant."""
        body = orjson.dumps({"id": event_id, "object": "event", "data": {"object": about}})
        stamp = int(at.timestamp())
        signed = hmac.new(WEBHOOK_SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={stamp},v1={signed}", "Content-Type": "application/json"}, body

    def _post(self, path: str, sent: dict[str, str]) -> Any:
        return self._http.post(path, data=sent).raise_for_status().json()

    def close(self) -> None:
        self._http.close()


@contextmanager
def honest_stripe() -> Iterator[HonestStripe]:
    """Run the process for as long as the context is open."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.billing.honest_stripe"],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        stripe = HonestStripe(f"http://127.0.0.1:{int(process.stdout.readline())}")
        try:
            yield stripe
        finally:
            stripe.close()
            process.kill()


def pay(person: Person, checkout: Any, card: str) -> Any:
    """Pay a checkout by a card at Stripe; returns the answer."""
    method = person.api.post("/me/payment-methods", {"provider": "stripe", "token": card}).ok(201)["id"]
    path, sent = f"/checkouts/{checkout['id']}/pay", {"payment_method": method}
    return person.api.post(path, sent, headers=idempotency_key()).ok(200)


def number_for(world: World, person: Person, checkout: Any) -> str:
    return str(world.invoice(person, checkout["invoice_id"])["attempts"][-1]["number"])
