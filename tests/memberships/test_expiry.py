"""What the passing of time does: access ends, seats come free; each job run twice."""

from datetime import timedelta
from typing import Any

from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from circle.memberships.events import MemberExpired
from circle.memberships.models import GrantSource, Membership, Role
from circle.memberships.services.access import SEAT_HOLD, give_access, hold_seat, revoke_access
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World
from tests.memberships.doors import knock


def expire(world: World) -> int:
    return load_job("memberships.expire").run(world.units)


def status_of(circle: BuiltCircle, person: Person) -> Any:
    return circle.owner.api.get(f"{circle.path}/members/{person.id}").ok()["status"]


def seats_left(circle: BuiltCircle, rank: int) -> Any:
    tiers = circle.owner.api.get(f"{circle.path}/tiers").ok()["items"]
    return next(tier["seats_left"] for tier in tiers if tier["rank"] == rank)


def extend(world: World, membership: Membership, circle: BuiltCircle, rank: int, start: Any, days: int) -> None:
    with world.units.write() as uow:
        give_access(
            uow,
            uow.session.get_one(Membership, membership.id),
            tier_id=circle.tier(rank).id,
            source=GrantSource.INVOICE,
            source_id=new_id(),
            starts_at=start,
            ends_at=start + timedelta(days=days),
        )


def test_a_member_expires_with_the_last_grant(world: World, clock: ManualClock, happened: list[Any]) -> None:
    circle = world.circle()
    short, long = world.member(circle, days=10), world.member(circle, days=20)
    clock.advance(timedelta(days=10))
    happened.clear()

    assert (expire(world), expire(world)) == (1, 0)

    assert (status_of(circle, short), status_of(circle, long)) == ("expired", "active")
    [event] = happened
    assert isinstance(event, MemberExpired)
    assert event.user_id == short.id


def test_the_gate_does_not_wait_for_the_job(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle, days=10)

    clock.advance(timedelta(days=10))

    assert member.api.get(f"{circle.path}/members/{circle.owner.id}").code == "membership_expired"


def test_staff_do_not_expire(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    admin = world.member(circle, 1, role=Role.ADMIN, days=10)

    clock.advance(timedelta(days=11))

    expire(world)
    assert status_of(circle, admin) == "active"


def test_who_has_paid_ahead_does_not_expire_in_between(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    lin = world.person()
    membership = knock(world, circle, lin)
    start = clock.now()
    extend(world, membership, circle, 1, start, 10)
    extend(world, membership, circle, 1, start + timedelta(days=10), 10)

    clock.advance(timedelta(days=10))
    assert expire(world) == 1
    assert status_of(circle, lin) == "active"

    clock.advance(timedelta(days=10))
    assert expire(world) == 1
    assert status_of(circle, lin) == "expired"


def test_a_seat_of_a_higher_tier_comes_free_though_a_lower_goes_on(world: World, clock: ManualClock) -> None:
    circle = world.circle(tiers=())
    circle.tiers["大课"] = world.tier(circle, "大课", 1, 1900, seats=5)
    circle.tiers["小班"] = world.tier(circle, "小班", 2, 9900, seats=5)
    membership = knock(world, circle, world.person())
    extend(world, membership, circle, 1, clock.now(), 30)
    extend(world, membership, circle, 2, clock.now(), 10)
    assert (seats_left(circle, 1), seats_left(circle, 2)) == (4, 4)

    clock.advance(timedelta(days=10))
    expire(world)

    assert (seats_left(circle, 1), seats_left(circle, 2)) == (4, 5)


def test_a_batch_of_many_is_settled_whole(world: World, clock: ManualClock, monkeypatch: Any) -> None:
    monkeypatch.setattr("circle.memberships.services.expiry.BATCH", 3)
    circle = world.circle()
    members = [world.member(circle, days=1 + number % 2) for number in range(8)]

    clock.advance(timedelta(days=2))

    assert expire(world) == 8
    assert {status_of(circle, member) for member in members} == {"expired"}


def test_a_revoked_grant_expires_at_once(world: World) -> None:
    circle, lin = world.circle(), world.person()
    membership = knock(world, circle, lin)
    source = new_id()
    with world.units.write() as uow:
        give_access(
            uow,
            uow.session.get_one(Membership, membership.id),
            tier_id=circle.tier(1).id,
            source=GrantSource.INVOICE,
            source_id=source,
            starts_at=uow.now,
            ends_at=None,
        )

    for _ in range(2):
        with world.units.write() as uow:
            revoke_access(uow, source=GrantSource.INVOICE, source_id=source, reason="refund")

    assert status_of(circle, lin) == "expired"


def test_a_seat_is_held_for_a_while_only(world: World, clock: ManualClock) -> None:
    circle = world.circle(tiers=())
    circle.tiers["小班"] = world.tier(circle, "小班", 1, 9900, seats=1)
    payer = knock(world, circle, world.person())
    with world.units.write() as uow:
        hold_seat(uow, uow.session.get_one(Membership, payer.id), circle.tier(1).id)
    release = load_job("memberships.release_seats")

    assert (release.run(world.units), seats_left(circle, 1)) == (0, 0)

    clock.advance(SEAT_HOLD)
    assert (release.run(world.units), seats_left(circle, 1)) == (1, 1)
    assert (release.run(world.units), seats_left(circle, 1)) == (0, 1)


def test_a_paid_seat_is_not_released(world: World, clock: ManualClock) -> None:
    circle = world.circle(tiers=())
    circle.tiers["小班"] = world.tier(circle, "小班", 1, 9900, seats=1)
    payer = knock(world, circle, world.person())
    with world.units.write() as uow:
        hold_seat(uow, uow.session.get_one(Membership, payer.id), circle.tier(1).id)
    extend(world, payer, circle, 1, clock.now(), 30)

    clock.advance(SEAT_HOLD)

    assert load_job("memberships.release_seats").run(world.units) == 0
    assert seats_left(circle, 1) == 0
