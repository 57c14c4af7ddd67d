"""A whole circle is taken into an empty one alone: nothing has happened there, and its owner asks."""

from uuid import UUID

import pytest

from circle.archive.errors import CircleNotEmpty
from circle.archive.policy import require_empty_circle
from circle.memberships.errors import MissingPermission
from circle.memberships.models import Role
from circle.memberships.policy import find_standing_of
from tests.builders.circles import BuiltCircle
from tests.client import World


def require(world: World, circle: BuiltCircle, user_id: UUID) -> None:
    with world.units.read() as uow:
        require_empty_circle(uow, find_standing_of(uow, user_id, circle.id))


def test_a_circle_is_empty_until_anybody_or_anything_is_in_it(world: World) -> None:
    busy = world.circle()
    world.paying_member(busy)
    world.camp(busy)
    empty, visited, tiered, written = (world.circle(tiers=()) for _ in range(4))

    require(world, empty, empty.owner.id)

    helper = world.member(visited, role=Role.ADMIN)
    world.tier(tiered, "读者", 1, 1900)
    world.post(written, written.owner)
    for circle in (busy, visited, tiered, written):
        with pytest.raises(CircleNotEmpty):
            require(world, circle, circle.owner.id)
    with pytest.raises(MissingPermission):
        require(world, visited, helper.id)
