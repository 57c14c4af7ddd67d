"""Joining as the use cases see it; over HTTP it is billing's, with prices."""

from typing import Any

from circle.circles.models import Price
from circle.memberships.models import Membership
from circle.memberships.services import joining
from tests.builders.circles import BuiltCircle, caller_of
from tests.builders.people import Person
from tests.client import World


def knock(world: World, circle: BuiltCircle, person: Person, **door: Any) -> Membership:
    with world.units.write() as uow:
        return joining.prepare_join(uow, caller_of(person), circle.id, **door)


def join_free(world: World, circle: BuiltCircle, person: Person, *, rank: int = 1, **door: Any) -> Membership:
    with world.units.write() as uow:
        membership = joining.prepare_join(uow, caller_of(person), circle.id, **door)
        joining.admit_free(uow, membership, uow.session.get_one(Price, circle.tier(rank).price_id))
        return membership


def try_out(world: World, circle: BuiltCircle, person: Person, *, rank: int = 1, days: int = 7) -> Membership:
    with world.units.write() as uow:
        membership = joining.prepare_join(uow, caller_of(person), circle.id)
        joining.start_trial(uow, membership, circle.tier(rank).id, days)
        return membership


def invite(circle: BuiltCircle, by: Person | None = None, **fields: Any) -> str:
    """The code of a fresh invitation."""
    code = (by or circle.owner).api.post(f"{circle.path}/invitations", fields).ok(201)["code"]
    assert isinstance(code, str)
    return code
