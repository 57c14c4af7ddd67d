"""Every test of billing ends with the same line: the money adds up."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from circle.billing.providers.base import Providers
from circle.billing.providers.stripe import Stripe
from circle.config import Settings
from tests.billing.stripes import KEY, WEBHOOK_SECRET, HonestStripe, honest_stripe
from tests.client import World


@pytest.fixture(autouse=True)
def _money_adds_up(world: World) -> Iterator[None]:
    yield
    assert world.broken_rules() == []


@pytest.fixture
def five_percent(world: World, settings: Settings) -> Iterator[None]:
    """An operator who takes 5 % of each payment."""
    adapters = world.units.adapters
    before = adapters[Settings]
    world.units.adapters = {**adapters, Settings: replace(settings, platform_fee_bps=500)}
    yield
    world.units.adapters = {**adapters, Settings: before}


@pytest.fixture(scope="session")
def running() -> Iterator[HonestStripe]:
    with honest_stripe() as stripe:
        yield stripe


@pytest.fixture
def stripe(running: HonestStripe, world: World, settings: Settings) -> Iterator[HonestStripe]:
    """An installation that takes payments through Stripe too."""
    running.network()
    there = replace(settings, stripe_secret_key=KEY, stripe_webhook_secret=WEBHOOK_SECRET, stripe_api_base=running.url)
    before = world.units.adapters
    providers = Providers({**before[Providers].by_name, "stripe": Stripe(there)})
    world.units.adapters = {**before, Providers: providers}
    yield running
    world.units.adapters = before


@pytest.fixture
def adapter(stripe: HonestStripe, world: World) -> Stripe:
    found = world.units.use(Providers).get("stripe")
    assert isinstance(found, Stripe)
    return found
