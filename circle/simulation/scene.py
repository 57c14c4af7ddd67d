"""Where the life takes place: the units, their clock, the circle, its offers and its people."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from circle.accounts.services.people import new_user
from circle.kernel.caller import Caller
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from circle.memberships.services.circles import open_circle
from circle.memberships.services.offers import add_price, add_tier
from circle.simulation.luck import Luck
from circle.simulation.network import DistantSandbox

CURRENCY = "CNY"
TRIAL_DAYS = 7
# Renewed by hand: dearer once the term is over, dearer still for those who come back late.
_PHASES = {"advance_percent": 90, "grace_percent": 100, "later_percent": 110}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody by the number under which they come in every run."""

    number: int
    caller: Caller
    arrives: datetime


@dataclass(frozen=True, slots=True)
class Bought:
    """A gift that somebody has yet to claim, or that is to be given back."""

    gift_id: UUID
    buyer: Person


@dataclass
class Scene:
    """Everything that people need to act."""

    units: Units
    clock: ManualClock
    luck: Luck
    network: DistantSandbox
    owner: Caller
    circle_id: UUID
    # By what they are for; campaigns replace them.
    prices: dict[str, UUID]
    # The number of everybody who has come.
    known: dict[UUID, int]
    people: list[Person] = field(default_factory=list)
    coupons: list[str] = field(default_factory=list)
    gifts: list[Bought] = field(default_factory=list)
    # What was done, and what the product refused, by its code.
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


def open_scene(
    units: Units, clock: ManualClock, luck: Luck, network: DistantSandbox, known: dict[UUID, int], *, members: int
) -> Scene:
    """Open the circle with three paid tiers, of which the best has few seats."""
    with units.write() as uow:
        owner = Caller(user_id=new_user(uow, "星主").id, display_name="星主")
        circle_id = open_circle(uow, owner, name="模拟星球").id
        tiers = {
            name: add_tier(uow, owner, circle_id, name=name, rank=rank, seats=seats).id
            for rank, (name, seats) in enumerate(
                (("reader", None), ("member", None), ("mentor", max(2, members // 20))), start=1
            )
        }
        uow.session.flush()
    scene = Scene(units, clock, luck, network, owner, circle_id, {}, known)
    for name, tier, amount, interval, more in (
        ("free", "reader", 0, "month", {}),
        ("trial", "member", 1990, "month", {"trial_days": TRIAL_DAYS}),
        ("reader month", "reader", 900, "month", {"renewal": _PHASES}),
        ("reader year", "reader", 9000, "year", {"renewal": _PHASES}),
        ("member month", "member", 1990, "month", {"renewal": _PHASES}),
        ("member quarter", "member", 4990, "month", {"interval_count": 3}),
        ("member year", "member", 19900, "year", {}),
        ("mentor month", "mentor", 9990, "month", {}),
        ("mentor year", "mentor", 99900, "year", {}),
        ("for life", "member", 199900, "lifetime", {}),
    ):
        offer(scene, name, tiers[tier], amount=amount, interval=interval, **more)
    return scene


def offer(scene: Scene, name: str, tier_id: UUID, **terms: object) -> UUID:
    """Add a price to a tier under a name; return its id."""
    with scene.units.write() as uow:
        price = add_price(uow, scene.owner, tier_id, currency=CURRENCY, **terms)  # type: ignore[arg-type]
        scene.prices[name] = price.id
    return scene.prices[name]
