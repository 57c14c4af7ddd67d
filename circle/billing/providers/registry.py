"""Makes the providers that the settings name."""

from typing import Any

from circle.billing.providers.base import Provider, Providers
from circle.billing.providers.sandbox import Sandbox
from circle.config import SettingError, Settings
from circle.kernel.clock import Clock
from circle.kernel.uow import Connections


def provider_adapters(settings: Settings, connections: Connections, clock: Clock) -> dict[type, Any]:
    """Return the adapters of billing. Errors: SettingError for a provider that there is none of."""
    adapters: dict[type, Any] = {}
    by_name: dict[str, Provider] = {}
    for name in settings.payment_providers.split(","):
        if name.strip() != Sandbox.name:
            raise SettingError(f"PAYMENT_PROVIDERS names {name.strip()!r}; there is sandbox")
        sandbox = Sandbox(connections, clock, secret_key=settings.secret_key)
        adapters[Sandbox] = by_name[Sandbox.name] = sandbox
    return {**adapters, Providers: Providers(by_name)}
