"""What most tests begin with, built once a test process instead of once a test."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from circle.kernel.clock import Clock
from tests.builders.circles import BuiltCircle


@dataclass(frozen=True)
class Stock:
    """Circles as `world.circle()` builds them, committed: what a test does to one is rolled back with the test."""

    made_at: datetime
    circles: Sequence[BuiltCircle]

    def for_one_test(self, clock: Clock) -> Iterator[BuiltCircle]:
        """Each of them once, until the test's time moves on: a circle is opened when it is asked for."""
        for built in self.circles:
            if clock.now() != self.made_at:
                return
            yield replace(built, owner=replace(built.owner, extra={}), tiers=dict(built.tiers))
