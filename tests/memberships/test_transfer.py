"""Handing a circle over."""

from datetime import timedelta
from typing import Any

from circle.kernel.clock import ManualClock
from circle.memberships.events import CircleTransferred, TransferOffered
from circle.memberships.models import Role
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import Reply, World


def offer(circle: BuiltCircle, to: Person, by: Person | None = None) -> Reply:
    return (by or circle.owner).api.post(f"{circle.path}/transfer", {"user_id": str(to.id)})


def role_of(circle: BuiltCircle, person: Person) -> Any:
    return person.api.get(circle.path).ok()["mine"]["role"]


def test_a_circle_changes_hands_when_both_want_it(world: World, happened: list[Any]) -> None:
    circle = world.circle()
    heir = world.member(circle)
    offer(circle, heir).ok(201)
    assert role_of(circle, heir) == "member"
    assert heir.api.get(f"{circle.path}/transfer").ok()["to"]["id"] == str(heir.id)

    page = heir.api.post(f"{circle.path}/transfer/accept").ok()

    assert page["owner"]["id"] == str(heir.id)
    assert page["mine"]["role"] == "owner"
    assert role_of(circle, circle.owner) == "partner"
    assert heir.api.post(f"{circle.path}/transfer/accept").code == "no_transfer_offer"
    kinds = [type(event) for event in happened]
    assert (kinds.count(TransferOffered), kinds.count(CircleTransferred)) == (1, 1)
    assert [one["action"] for one in heir.api.get(f"{circle.path}/audit").ok()["items"][:2]] == [
        "circle.accept_transfer",
        "circle.offer_transfer",
    ]


def test_only_whom_it_was_offered_accepts(world: World) -> None:
    circle = world.circle()
    heir, other = world.member(circle), world.member(circle, role=Role.PARTNER)
    offer(circle, heir).ok(201)

    assert other.api.post(f"{circle.path}/transfer/accept").code == "no_transfer_offer"
    assert other.api.get(f"{circle.path}/transfer").code == "not_found"
    assert other.api.delete(f"{circle.path}/transfer").code == "not_found"
    assert circle.owner.api.post(f"{circle.path}/transfer/accept").code == "no_transfer_offer"


def test_only_the_owner_offers_and_only_to_members_inside(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    now = clock.now()
    old = world.expired_member(circle, started=now - timedelta(days=9), ended=now - timedelta(days=2))
    partner, member = world.member(circle, role=Role.PARTNER), world.member(circle)

    assert offer(circle, member, by=partner).code == "missing_permission"
    for nobody in (old, world.person(), world.pending_member(circle), world.banned_member(circle), circle.owner):
        assert offer(circle, nobody).fields == {"user_id": "not_a_member"}


def test_an_offer_can_be_taken_back_declined_or_replaced(world: World) -> None:
    circle = world.circle()
    heir, other = world.member(circle), world.member(circle)

    offer(circle, heir).ok(201)
    assert circle.owner.api.delete(f"{circle.path}/transfer").status == 204
    assert heir.api.post(f"{circle.path}/transfer/accept").code == "no_transfer_offer"
    offer(circle, heir).ok(201)
    assert heir.api.delete(f"{circle.path}/transfer").status == 204
    offer(circle, heir).ok(201)
    offer(circle, other).ok(201)
    assert heir.api.post(f"{circle.path}/transfer/accept").code == "no_transfer_offer"
    other.api.post(f"{circle.path}/transfer/accept").ok()


def test_an_offer_lapses(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    heir = world.member(circle)
    offer(circle, heir).ok(201)

    clock.advance(timedelta(days=7))

    assert heir.api.post(f"{circle.path}/transfer/accept").code == "no_transfer_offer"
    assert circle.owner.api.get(f"{circle.path}/transfer").code == "not_found"


def test_who_was_expelled_meanwhile_does_not_become_owner(world: World) -> None:
    circle = world.circle()
    heir = world.member(circle)
    offer(circle, heir).ok(201)

    circle.owner.api.post(f"{circle.path}/members/{heir.id}/ban", {"refund": False}).ok()

    assert heir.api.post(f"{circle.path}/transfer/accept").code == "banned"
