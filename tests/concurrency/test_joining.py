"""Joining under a race: seats, invitations, trials, numbers and roles hold."""

from typing import Any

from sqlalchemy import text

from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from circle.memberships.errors import InvitationNotUsable, SeatsTaken, TrialUsed
from circle.memberships.models import Membership
from circle.memberships.services import expiry
from circle.memberships.services.access import SEAT_HOLD, hold_seat, take_seat
from tests.builders.circles import BuiltCircle
from tests.client import World
from tests.concurrency.conftest import Race
from tests.memberships.doors import invite, join_free, knock, try_out

CROWD = 20


def look(units: Units, statement: str, **params: Any) -> list[Any]:
    with units.write() as uow:
        return list(uow.session.execute(text(statement), params).mappings())


def joined(results: list[Any]) -> list[Membership]:
    return [result for result in results if isinstance(result, Membership)]


def seats_of(units: Units, circle: BuiltCircle) -> tuple[int, int]:
    [row] = look(
        units,
        "SELECT seats_taken, (SELECT count(*) FROM seats WHERE tier_id = tiers.id AND released_at IS NULL) AS live"
        " FROM tiers WHERE circle_id = :circle",
        circle=circle.id,
    )
    return row["seats_taken"], row["live"]


def test_a_crowd_takes_no_more_seats_than_there_are(world: World, units: Units, race: Race) -> None:
    circle = world.circle(tiers=())
    circle.tiers["小班"] = world.tier(circle, "小班", 1, 0, seats=7)
    crowd = [world.person() for _ in range(CROWD)]

    results = race.many(CROWD, lambda n: join_free(world, circle, crowd[n]))

    assert len(joined(results)) == 7
    assert {type(result) for result in results if not isinstance(result, Membership)} == {SeatsTaken}
    assert seats_of(units, circle) == (7, 7)


def test_numbers_are_given_without_gap_or_double(world: World, units: Units, race: Race) -> None:
    circle = world.circle(tiers=(("旁听", 1, 0),))
    crowd = [world.person() for _ in range(CROWD)]

    results = race.many(CROWD, lambda n: join_free(world, circle, crowd[n]))

    assert sorted(member.number or 0 for member in joined(results)) == list(range(2, CROWD + 2))
    rows = look(
        units,
        "SELECT number FROM memberships WHERE circle_id = :circle AND number IS NOT NULL ORDER BY number",
        circle=circle.id,
    )
    assert [row["number"] for row in rows] == list(range(1, CROWD + 2))


def test_one_person_joining_from_many_devices_is_one_member(world: World, units: Units, race: Race) -> None:
    circle = world.circle(tiers=())
    circle.tiers["小班"] = world.tier(circle, "小班", 1, 0, seats=5)
    lin = world.person()

    results = race.many(8, lambda _: join_free(world, circle, lin))

    assert len(joined(results)) == 1
    assert seats_of(units, circle) == (1, 1)
    assert len(look(units, "SELECT 1 FROM grants WHERE user_id = :user", user=lin.id)) == 1


def test_an_invitation_is_used_no_more_often_than_it_says(world: World, units: Units, race: Race) -> None:
    circle = world.circle(join_policy="invite")
    code = invite(circle, max_uses=3, tier_id=str(circle.tier(1).id), comp_days=7)
    crowd = [world.person() for _ in range(CROWD)]

    results = race.many(CROWD, lambda n: knock(world, circle, crowd[n], invitation=code))

    assert len(joined(results)) == 3
    assert {type(result) for result in results if not isinstance(result, Membership)} == {InvitationNotUsable}
    assert look(units, "SELECT uses FROM invitations WHERE code = :code", code=code)[0]["uses"] == 3
    [row] = look(
        units, "SELECT count(*) FROM memberships WHERE circle_id = :circle AND status = 'active'", circle=circle.id
    )
    assert row["count"] == 4  # with the owner


def test_one_person_uses_an_invitation_once(world: World, units: Units, race: Race) -> None:
    circle = world.circle(join_policy="invite")
    code = invite(circle, max_uses=5)
    lin = world.person()

    results = race.many(8, lambda _: knock(world, circle, lin, invitation=code))

    assert len(joined(results)) == 8
    assert look(units, "SELECT uses FROM invitations WHERE code = :code", code=code)[0]["uses"] == 1


def test_a_trial_is_had_once_even_at_the_same_moment(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    lin = world.person()

    results = race.many(8, lambda n: try_out(world, circle, lin, rank=1 + n % 2))

    assert len(joined(results)) == 1
    assert {type(result) for result in results if not isinstance(result, Membership)} == {TrialUsed}
    assert len(look(units, "SELECT 1 FROM grants WHERE user_id = :user", user=lin.id)) == 1


def test_a_seat_is_released_or_taken_never_both(world: World, units: Units, race: Race, clock: ManualClock) -> None:
    circle = world.circle(tiers=())
    circle.tiers["小班"] = world.tier(circle, "小班", 1, 9900, seats=100)
    holders = [knock(world, circle, world.person()) for _ in range(10)]
    for holder in holders:
        with units.write() as uow:
            hold_seat(uow, uow.session.get_one(Membership, holder.id), circle.tier(1).id)
    clock.advance(SEAT_HOLD)

    def pay(membership: Membership) -> None:
        with units.write() as uow:
            take_seat(uow, uow.session.get_one(Membership, membership.id), circle.tier(1).id)

    def release() -> int:
        with units.write() as uow:
            return expiry.release_held_seats(uow)

    race.run(*(lambda holder=holder: pay(holder) for holder in holders), *(release for _ in range(4)))

    assert seats_of(units, circle) == (10, 10)


def test_two_who_accept_and_expel_leave_one_owner(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    heir = world.member(circle)
    circle.owner.api.post(f"{circle.path}/transfer", {"user_id": str(heir.id)}).ok(201)
    remove = f"{circle.path}/members/{heir.id}/remove"

    race.run(
        lambda: heir.api.post(f"{circle.path}/transfer/accept"),
        lambda: circle.owner.api.post(remove, {"refund": False}),
        lambda: heir.api.post(f"{circle.path}/leave"),
    )

    [row] = look(
        units,
        "SELECT m.user_id, m.status, c.owner_id FROM memberships m JOIN circles c ON c.id = m.circle_id"
        " WHERE m.circle_id = :circle AND m.role = 'owner'",
        circle=circle.id,
    )
    assert row["user_id"] == row["owner_id"]
    assert row["status"] == "active"


def test_two_jobs_expire_everybody_once(world: World, units: Units, race: Race, clock: ManualClock) -> None:
    circle = world.circle()
    for _ in range(10):
        world.member(circle, days=1)
    with units.write() as uow:
        expiry.settle_due(uow)
    clock.set(clock.now().replace(month=4))

    def settle() -> int:
        with units.write() as uow:
            return expiry.settle_due(uow)

    looked_at = race.run(*(settle for _ in range(4)))

    rows = look(units, "SELECT status, count(*) FROM memberships WHERE circle_id = :c GROUP BY 1", c=circle.id)
    assert {row["status"]: row["count"] for row in rows} == {"active": 1, "expired": 10}
    assert sum(looked_at) >= 10
