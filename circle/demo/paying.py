"""Paying as a member does: a sandbox payment method, then the checkout's three steps."""

from uuid import UUID

from circle.billing import steps
from circle.billing.providers.sandbox import Sandbox
from circle.billing.services.methods import add_method
from circle.demo.stage import Stage
from circle.kernel.caller import Caller


def pay(stage: Stage, person: Caller, checkout_id: UUID) -> None:
    """Pay with a method that works. Errors: CheckoutClosed."""
    with stage.units.write() as uow:
        method_id = add_method(uow, person, provider=Sandbox.name, token="ok").id  # noqa: S106 - how it behaves
    steps.pay(stage.units, person, checkout_id, payment_method=method_id)
