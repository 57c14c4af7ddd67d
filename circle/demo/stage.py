"""Where the example plays: the installation's units under a clock of its own, which runs through the past."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from circle import jobs
from circle.billing.providers.registry import provider_adapters
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.clock import ManualClock
from circle.kernel.queue import SilentDoorbell
from circle.kernel.uow import Units

# What ends by itself in the life of a circle; the rest is left to the installation's workers.
_SWEEPS = (
    "memberships.expire",
    "billing.refund",
    "billing.end",
    "billing.release",
    "questions.refund_overdue",
    "posts.publish_due",
)


@dataclass
class Tiers:
    """Prices of the circle by what they are for, and its tiers."""

    reader: UUID
    member: UUID
    mentor: UUID
    prices: dict[str, UUID] = field(default_factory=dict)


@dataclass
class Stage:
    """The circle, its people, and the clock by which they act."""

    units: Units
    clock: ManualClock
    owner: Caller
    circle_id: UUID
    tiers: Tiers
    # Who may speak: members who are there to stay, by the order of their joining.
    speakers: list[Caller] = field(default_factory=list)
    partner: Caller | None = None
    admin: Caller | None = None
    guest: Caller | None = None

    def speaker(self, number: int) -> Caller:
        """Return one of those who have joined by now; the same number gives different ones as the circle grows."""
        return self.speakers[number % len(self.speakers)]


@dataclass(frozen=True, order=True)
class Step:
    """Something that happens at an instant."""

    at: datetime
    order: int
    act: Callable[[Stage], None] = field(compare=False)


def past_units(units: Units, clock: ManualClock) -> Units:
    """Return units of the same installation whose time, the payment provider's included, is `clock`.

    Nobody is rung: the work waits in its rows for the end.
    """
    settings = units.use(Settings)
    return Units(
        units.connections,
        clock=clock,
        doorbell=SilentDoorbell(),
        handlers=units.handlers,
        adapters={**units.adapters, **provider_adapters(settings, units.connections, clock)},
    )


def play(stage: Stage, steps: list[Step], *, until: datetime) -> None:
    """Let everything happen in its order, and what is due by itself once a day."""
    sweeps = [jobs.load_job(name) for name in _SWEEPS]
    day = stage.clock.now() + timedelta(days=1)
    for step in sorted(steps):
        while day <= step.at:
            _run(stage, sweeps, day)
            day += timedelta(days=1)
        stage.clock.set(step.at)
        step.act(stage)
    _run(stage, sweeps, until)


def _run(stage: Stage, sweeps: list[jobs.Job], at: datetime) -> None:
    stage.clock.set(at)
    for sweep in sweeps:
        while sweep.run(stage.units):
            pass
