"""Makes the providers that the settings name."""

from typing import Any

from circle.billing.providers.base import Provider, Providers
from circle.billing.providers.sandbox import Sandbox
from circle.billing.providers.sandbox_manners import Manners
from circle.config import Settings
from circle.kernel.clock import Clock
from circle.kernel.uow import Connections


def provider_adapters(settings: Settings, connections: Connections, clock: Clock) -> dict[type, Any]:
    """Return the adapters of billing."""
    adapters: dict[type, Any] = {}
    by_name: dict[str, Provider] = {}
    if Sandbox.name in settings.providers:
        sandbox = Sandbox(connections, clock, secret_key=settings.secret_key, manners=Manners.of(settings))
        adapters[Sandbox] = by_name[Sandbox.name] = sandbox
    if "stripe" in settings.providers:
        from circle.billing.providers.stripe import Stripe  # noqa: PLC0415 - 30 MB that nobody else needs

        by_name[Stripe.name] = Stripe(settings)
    return {**adapters, Providers: Providers(by_name)}
