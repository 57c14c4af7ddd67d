"""Joining: doors, questionnaires, free tiers, trials, coming back."""

from datetime import timedelta
from typing import Any

import pytest

from circle.circles.models import Price
from circle.kernel.clock import ManualClock
from circle.kernel.errors import Invalid, NotFound
from circle.memberships import errors
from circle.memberships.events import MemberActivated, MemberApplied
from circle.memberships.models import Role, Status
from circle.memberships.services.joining import admit_free
from tests.builders.circles import BuiltCircle
from tests.client import World
from tests.memberships.doors import invite, join_free, knock, try_out

FREE = (("旁听", 1, 0), ("学员", 2, 9900))


def card(circle: BuiltCircle, person: Any) -> Any:
    mine = person.api.get("/me/circles").ok()["items"]
    return next(item for item in mine if item["circle"]["id"] == str(circle.id))


def test_an_open_door_lets_anybody_go_on(world: World) -> None:
    circle, lin = world.circle(), world.person()

    membership = knock(world, circle, lin)

    assert membership.status == Status.PENDING
    assert membership.approved_at is not None
    assert card(circle, lin)["tier"] is None


def test_a_free_tier_makes_a_member_at_once(world: World, clock: ManualClock) -> None:
    circle, lin = world.circle(tiers=FREE), world.person()

    join_free(world, circle, lin)

    mine = card(circle, lin)
    assert (mine["status"], mine["number"], mine["tier"]["name"]) == ("active", 2, "旁听")
    assert mine["joined_at"] == "2026-03-01T04:00:00Z"
    assert mine["access_until"] == "2026-04-01T04:00:00Z"


def test_a_free_tier_is_joined_once_at_a_time(world: World, clock: ManualClock) -> None:
    circle, lin = world.circle(tiers=FREE), world.person()
    join_free(world, circle, lin)

    with pytest.raises(errors.AlreadyAMember):
        join_free(world, circle, lin)

    clock.advance(timedelta(days=40))
    assert join_free(world, circle, lin).number == 2


def test_a_price_that_costs_something_is_not_free(world: World) -> None:
    circle, lin = world.circle(), world.person()
    membership = knock(world, circle, lin)

    with pytest.raises(ValueError, match="by paying"), world.units.write() as uow:
        admit_free(uow, membership, uow.session.get_one(Price, circle.tier(1).price_id))


def test_a_closed_circle_takes_nobody(world: World) -> None:
    circle = world.circle()
    circle.owner.api.patch(circle.path, {"closed": True}).ok()

    with pytest.raises(errors.CircleClosed):
        knock(world, circle, world.person())


def test_an_applicant_answers_and_waits_for_approval(world: World, happened: list[Any]) -> None:
    circle = world.circle(join_policy="approval", questionnaire=["写什么？", "多久了？"])
    lin = world.person("林晓")
    for answers in (None, [], ["小说"], ["小说", "三年", "?"]):
        with pytest.raises(Invalid):
            knock(world, circle, lin, answers=answers)

    membership = knock(world, circle, lin, answers=["小说", "三年"])

    assert (membership.status, membership.approved_at) == (Status.PENDING, None)
    [row] = circle.owner.api.get(f"{circle.path}/members?status=pending").ok()["items"]
    assert row["answers"] == ["小说", "三年"]
    assert [type(event) for event in happened].count(MemberApplied) == 1
    knock(world, circle, lin)
    assert [type(event) for event in happened].count(MemberApplied) == 1

    circle.owner.api.post(f"{circle.path}/members/{lin.id}/approve").ok()
    assert knock(world, circle, lin).approved_at is not None


def test_without_questions_applying_is_a_knock(world: World) -> None:
    circle = world.circle(join_policy="approval")

    assert knock(world, circle, world.person()).approved_at is None


def test_a_rejected_applicant_may_apply_again(world: World) -> None:
    circle = world.circle(join_policy="approval")
    lin = world.person()
    knock(world, circle, lin)
    circle.owner.api.post(f"{circle.path}/members/{lin.id}/reject").ok()

    again = knock(world, circle, lin)

    assert (again.status, again.approved_at) == (Status.PENDING, None)


def test_an_invite_only_circle_needs_an_invitation(world: World) -> None:
    circle, lin = world.circle(join_policy="invite"), world.person()
    with pytest.raises(errors.InvitationNeeded):
        knock(world, circle, lin)

    membership = knock(world, circle, lin, invitation=invite(circle))

    assert membership.approved_at is not None
    assert membership.inviter_id == circle.owner.id


def test_a_hidden_invite_only_circle_does_not_exist(world: World) -> None:
    circle = world.circle(join_policy="invite", preview_policy="none")

    with pytest.raises(NotFound):
        knock(world, circle, world.person())
    assert knock(world, circle, world.person(), invitation=invite(circle)).approved_at is not None


def test_an_invitation_stands_in_for_approval(world: World) -> None:
    circle = world.circle(join_policy="approval", questionnaire=["写什么？"])

    assert knock(world, circle, world.person(), invitation=invite(circle)).approved_at is not None


def test_coming_back_to_pay_does_not_use_an_invitation_up_twice(world: World) -> None:
    circle, lin = world.circle(join_policy="invite"), world.person()
    code = invite(circle, max_uses=1)
    knock(world, circle, lin, invitation=code)

    knock(world, circle, lin, invitation=code)

    with pytest.raises(errors.InvitationNotUsable):
        knock(world, circle, world.person(), invitation=code)


def test_an_open_door_uses_no_invitation_up(world: World) -> None:
    circle = world.circle()
    member, code = world.member(circle), invite(circle, max_uses=1)

    knock(world, circle, member, invitation=code)

    assert circle.owner.api.get(f"{circle.path}/invitations").ok()["items"][0]["uses"] == 0


def test_an_invitation_for_a_role_is_all_it_takes(world: World, happened: list[Any]) -> None:
    circle, guest = world.circle(join_policy="invite"), world.person("嘉宾")

    membership = knock(world, circle, guest, invitation=invite(circle, role="guest"))

    assert (membership.role, membership.status, membership.number) == (Role.GUEST, Status.ACTIVE, 2)
    assert MemberActivated(circle.id, guest.id, membership.id) in happened


def test_an_invitation_with_days_gives_them_once(world: World, clock: ManualClock) -> None:
    circle, lin = world.circle(), world.person()
    code = invite(circle, tier_id=str(circle.tier(2).id), comp_days=10)

    knock(world, circle, lin, invitation=code)

    assert card(circle, lin)["access_until"] == "2026-03-11T04:00:00Z"
    lin.api.post(f"{circle.path}/leave").ok()
    knock(world, circle, lin, invitation=code)
    clock.advance(timedelta(days=11))
    knock(world, circle, lin, invitation=code)
    assert card(circle, lin)["tier"] is None


def test_somebody_elses_invitation_opens_nothing_here(world: World) -> None:
    circle, other = world.circle(), world.circle()

    for code in (invite(other), "NOSUCHCODE", "' OR 1=1"):
        with pytest.raises(errors.InvitationNotUsable):
            knock(world, circle, world.person(), invitation=code)


def test_the_banned_stay_out_even_with_an_invitation(world: World) -> None:
    circle = world.circle()
    banned = world.banned_member(circle)

    with pytest.raises(errors.Banned):
        knock(world, circle, banned, invitation=invite(circle))


def test_staff_do_not_join(world: World) -> None:
    circle = world.circle()

    with pytest.raises(errors.AlreadyAMember):
        knock(world, circle, circle.owner)


def test_a_trial_is_had_once(world: World, clock: ManualClock) -> None:
    circle, lin = world.circle(), world.person()
    try_out(world, circle, lin, days=7)
    assert card(circle, lin)["access_until"] == "2026-03-08T04:00:00Z"

    clock.advance(timedelta(days=8))

    with pytest.raises(errors.TrialUsed):
        try_out(world, circle, lin, rank=2)
    try_out(world, world.circle(), lin)


def test_who_left_comes_back_to_a_term_that_still_runs(world: World) -> None:
    circle = world.circle()
    member = world.member(circle, "学员")
    member.api.post(f"{circle.path}/leave").ok()

    membership = knock(world, circle, member)

    assert (membership.status, membership.number) == (Status.ACTIVE, 2)
    assert card(circle, member)["tier"]["name"] == "学员"


def test_who_left_a_free_tier_starts_afresh(world: World) -> None:
    circle, lin = world.circle(tiers=FREE), world.person()
    join_free(world, circle, lin)
    lin.api.post(f"{circle.path}/leave").ok()

    assert knock(world, circle, lin).status == Status.LEFT
    assert join_free(world, circle, lin).status == Status.ACTIVE


def test_an_expired_member_needs_no_second_approval(world: World, clock: ManualClock) -> None:
    circle = world.circle(join_policy="approval", questionnaire=["写什么？"])
    now = clock.now()
    old = world.expired_member(circle, started=now - timedelta(days=60), ended=now - timedelta(days=30))

    membership = knock(world, circle, old)

    assert (membership.status, membership.approved_at is None) == (Status.EXPIRED, False)


def test_members_are_numbered_in_the_order_of_joining(world: World) -> None:
    circle = world.circle(tiers=FREE)
    people = [world.person() for _ in range(4)]

    for waiting in people:
        knock(world, circle, waiting)
    numbers = [join_free(world, circle, person).number for person in reversed(people)]

    assert numbers == [2, 3, 4, 5]


def test_a_full_tier_takes_nobody_more(world: World) -> None:
    circle = world.circle(tiers=())
    circle.tiers["旁听"] = world.tier(circle, "旁听", 1, 0, seats=2)
    first, second, third = (world.person() for _ in range(3))
    join_free(world, circle, first)
    join_free(world, circle, second)

    with pytest.raises(errors.SeatsTaken):
        join_free(world, circle, third)

    first.api.post(f"{circle.path}/leave").ok()
    join_free(world, circle, third)
