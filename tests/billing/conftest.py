"""Every test of billing ends with the same line: the money adds up."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from circle.config import Settings
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
