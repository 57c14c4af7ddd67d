"""Moderating members: approval, roles, muting, removal, bans, leaving."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from circle.memberships import errors
from circle.memberships.events import (
    MemberApproved,
    MemberExpired,
    MemberLeft,
    MemberRejected,
    MemberRemoved,
    RoleChanged,
)
from circle.memberships.models import Role, Status
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import Reply, World
from tests.memberships.doors import invite, join_free, knock

LADDER = (Role.OWNER, Role.PARTNER, Role.ADMIN, Role.GUEST, Role.MEMBER)
KEEP = {"refund": False}


def of(circle: BuiltCircle, person: Person) -> str:
    return f"{circle.path}/members/{person.id}"


def act(circle: BuiltCircle, person: Person, what: str, body: Any = None, by: Person | None = None) -> Reply:
    return (by or circle.owner).api.post(f"{of(circle, person)}/{what}", body)


def somebody(world: World, circle: BuiltCircle, role: str) -> Person:
    return circle.owner if role == Role.OWNER else world.member(circle, role=role)


def status_of(circle: BuiltCircle, person: Person) -> Any:
    return circle.owner.api.get(of(circle, person)).ok()["status"]


def test_an_applicant_is_let_in_or_turned_down(world: World, happened: list[Any]) -> None:
    circle = world.circle(join_policy="approval")
    welcome, unwelcome = world.pending_member(circle), world.pending_member(circle)
    admin = world.member(circle, role=Role.ADMIN)

    assert act(circle, welcome, "approve", by=admin).ok()["approved_at"] is not None
    assert act(circle, unwelcome, "reject", by=admin).ok()["status"] == "removed"

    kinds = [type(event) for event in happened]
    assert (kinds.count(MemberApproved), kinds.count(MemberRejected)) == (1, 1)
    for late in ("approve", "reject"):
        assert act(circle, welcome, late).code == "wrong_state"
        assert act(circle, unwelcome, late).code == "wrong_state"


def test_who_left_goes_on_reading_while_asking_to_come_back(world: World) -> None:
    circle = world.circle(join_policy="approval", preview_policy="none")
    member = world.member(circle)
    member.api.post(f"{circle.path}/leave").ok()
    member.api.get(circle.path).ok()

    knock(world, circle, member)
    member.api.get(circle.path).ok()
    assert act(circle, member, "reject").ok()["status"] == "left"
    member.api.get(circle.path).ok()


def test_who_was_removed_does_not(world: World) -> None:
    circle = world.circle(join_policy="approval", preview_policy="none")
    member = world.member(circle)
    act(circle, member, "remove", KEEP).ok()
    assert member.api.get(circle.path).code == "not_found"

    knock(world, circle, member)

    assert member.api.get(circle.path).code == "not_found"


@pytest.mark.parametrize("target", LADDER)
@pytest.mark.parametrize("actor", LADDER)
def test_nobody_reaches_their_own_rung_or_above(world: World, actor: Role, target: Role) -> None:
    circle = world.circle()
    by, person = somebody(world, circle, actor), somebody(world, circle, target)
    may = actor in LADDER[:3] and LADDER.index(actor) < LADDER.index(target)
    refused = "out_of_reach" if actor in LADDER[:3] else "missing_permission"

    for reply in (
        by.api.patch(of(circle, person), {"note": "n"}),
        by.api.patch(of(circle, person), {"muted_until": "2026-04-01T00:00:00Z"}),
        act(circle, person, "remove", KEEP, by),
    ):
        assert reply.code == (None if may else refused)


@pytest.mark.parametrize("role", LADDER[1:])
@pytest.mark.parametrize("actor", LADDER)
def test_roles_are_given_downwards_by_owner_and_partners(world: World, actor: Role, role: Role) -> None:
    circle = world.circle()
    by, person = somebody(world, circle, actor), world.member(circle, role=Role.MEMBER)
    allowed = actor == Role.OWNER or (actor == Role.PARTNER and role != Role.PARTNER)

    reply = by.api.patch(of(circle, person), {"role": role})

    if role == Role.MEMBER and actor in LADDER[:3]:
        assert reply.ok()["role"] == "member"  # nothing to change
    elif allowed:
        assert reply.ok()["role"] == role
    else:
        assert reply.status == 403
        assert circle.owner.api.get(of(circle, person)).ok()["role"] == "member"


def test_nobody_becomes_owner_by_a_role(world: World) -> None:
    circle = world.circle()
    person = world.member(circle)

    assert circle.owner.api.patch(of(circle, person), {"role": "owner"}).fields == {"role": "not_a_choice"}
    assert circle.owner.api.patch(of(circle, circle.owner), {"role": "member"}).code == "out_of_reach"


def test_a_role_gives_access_and_its_end_takes_it(world: World, happened: list[Any], clock: ManualClock) -> None:
    circle = world.circle()
    now = clock.now()
    old = world.expired_member(circle, started=now - timedelta(days=9), ended=now - timedelta(days=2))

    assert circle.owner.api.patch(of(circle, old), {"role": "guest"}).ok()["status"] == "active"
    assert circle.owner.api.patch(of(circle, old), {"role": "member"}).ok()["status"] == "expired"

    assert [event.role for event in happened if isinstance(event, RoleChanged)] == ["guest", "member"]
    assert isinstance(happened[-2], MemberExpired)


def test_who_falls_from_a_role_leaves_no_open_invitations(world: World) -> None:
    circle = world.circle()
    partner = world.member(circle, role=Role.PARTNER)
    back_door = invite(circle, partner, role="admin")

    act(circle, partner, "remove", KEEP).ok()

    with pytest.raises(errors.InvitationNotUsable):
        knock(world, circle, world.person(), invitation=back_door)


def test_alias_note_and_silence(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    changes = {"alias": "小林", "note": "写小说的\n爱猫", "muted_until": "2026-04-01T00:00:00Z"}

    row = circle.owner.api.patch(of(circle, member), changes).ok()

    assert {name: row[name] for name in changes} == changes
    mine = member.api.get("/me/circles").ok()["items"][0]
    assert (mine["alias"], mine["muted_until"]) == ("小林", "2026-04-01T00:00:00Z")
    assert "note" not in mine
    assert circle.owner.api.patch(of(circle, member), {"muted_until": None}).ok()["muted_until"] is None
    actions = [one["action"] for one in circle.owner.api.get(f"{circle.path}/audit").ok()["items"]]
    assert actions[:3] == ["member.mute", "member.edit", "member.mute"]


def test_a_stale_moderator_loses(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    seen = circle.owner.api.get(of(circle, member)).headers["ETag"]
    circle.owner.api.patch(of(circle, member), {"note": "甲"}, headers={"If-Match": seen}).ok()

    assert circle.owner.api.patch(of(circle, member), {"note": "乙"}, headers={"If-Match": seen}).status == 412


def test_one_chooses_ones_own_alias_and_nothing_else(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    path = f"{circle.path}/membership"

    assert member.api.patch(path, {"alias": "阿林"}).ok()["alias"] == "阿林"
    assert circle.owner.api.patch(path, {"alias": "老大"}).ok()["alias"] == "老大"
    for more in ("role", "note", "status", "number", "user_id", "muted_until"):
        assert member.api.patch(path, {"alias": "x", more: "owner"}).fields == {more: "unknown_field"}
    assert world.person().api.patch(path, {"alias": "x"}).code == "not_a_member"


def test_members_see_each_other_but_not_the_notes(world: World) -> None:
    circle = world.circle()
    member, other = world.member(circle), world.member(circle, name="小陈")
    gone = world.member(circle)
    circle.owner.api.patch(of(circle, other), {"note": "秘密"}).ok()
    gone.api.post(f"{circle.path}/leave").ok()

    seen = member.api.get(of(circle, other)).ok()

    assert seen["user"]["display_name"] == "小陈"
    assert seen["number"] == 3
    assert "秘密" not in str(seen)
    assert seen["access_until"] is None
    assert member.api.get(of(circle, gone)).code == "not_found"
    assert world.person().api.get(of(circle, other)).code == "not_a_member"
    assert circle.owner.api.get(of(circle, other)).ok()["note"] == "秘密"


@pytest.mark.parametrize(("what", "status"), [("remove", Status.REMOVED), ("ban", Status.BANNED)])
@pytest.mark.parametrize("refund", [True, False])
def test_removal_takes_access_at_once_and_tells_whether_to_refund(
    world: World, happened: list[Any], what: str, status: Status, *, refund: bool
) -> None:
    circle = world.circle()
    member = world.member(circle, "学员")

    row = act(circle, member, what, {"refund": refund}).ok()

    assert (row["status"], row["tier"], row["role"]) == (status, None, "member")
    [event] = [one for one in happened if isinstance(one, MemberRemoved)]
    assert (event.user_id, event.refund, event.banned) == (member.id, refund, what == "ban")
    assert event.removed_by == circle.owner.id
    newest = circle.owner.api.get(f"{circle.path}/audit").ok()["items"][0]
    assert (newest["action"], newest["subject_id"]) == (f"member.{what}", str(member.id))
    assert newest["data"] == {"refund": refund}


def test_the_choice_about_money_is_explicit_and_the_owners(world: World) -> None:
    circle = world.circle()
    member, admin = world.member(circle), world.member(circle, role=Role.ADMIN)

    for body in ({}, {"refund": None}, {"refund": "no"}, {"refund": 0}):
        assert act(circle, member, "remove", body).status == 422
        assert act(circle, member, "ban", body).status == 422
    assert act(circle, member, "remove", {"refund": True}, admin).code == "missing_permission"
    act(circle, member, "remove", KEEP, admin).ok()


def test_a_banned_member_comes_back_only_after_the_ban_is_lifted(world: World) -> None:
    circle = world.circle(tiers=(("旁听", 1, 0),))
    banned = world.banned_member(circle)
    with pytest.raises(errors.Banned):
        join_free(world, circle, banned)

    assert act(circle, banned, "unban").ok()["status"] == "removed"

    assert join_free(world, circle, banned).number == 2
    assert act(circle, banned, "unban").code == "wrong_state"


def test_removing_twice_is_refused(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    act(circle, member, "remove", KEEP).ok()

    assert act(circle, member, "remove", KEEP).code == "wrong_state"


def test_a_seat_is_free_after_removal(world: World) -> None:
    circle = world.circle(tiers=())
    circle.tiers["小班"] = world.tier(circle, "小班", 1, 9900, seats=1)
    member = world.member(circle)
    assert circle.owner.api.get(f"{circle.path}/tiers").ok()["items"][0]["seats_left"] == 0

    act(circle, member, "remove", KEEP).ok()

    assert circle.owner.api.get(f"{circle.path}/tiers").ok()["items"][0]["seats_left"] == 1


def test_leaving_keeps_what_was_paid(world: World, happened: list[Any]) -> None:
    circle = world.circle(preview_policy="none")
    member = world.member(circle)

    left = member.api.post(f"{circle.path}/leave").ok()

    assert left["status"] == "left"
    assert isinstance(happened[-1], MemberLeft)
    member.api.get(circle.path).ok()
    assert member.api.post(f"{circle.path}/leave").code == "not_a_member"
    assert world.person().api.post(f"{circle.path}/leave").code == "not_found"


def test_the_owner_can_not_leave(world: World) -> None:
    circle = world.circle()

    assert circle.owner.api.post(f"{circle.path}/leave").code == "owner_must_stay"


def test_an_owner_can_not_delete_the_account(world: World) -> None:
    circle = world.circle()
    assert circle.owner.api.delete("/me", json={}).code == "owns_circles"

    circle.owner.api.patch(circle.path, {"closed": True}).ok()
    assert circle.owner.api.delete("/me", json={}).status == 204


def test_a_deleted_account_leaves_its_circles(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    circle.owner.api.patch(of(circle, member), {"alias": "小林", "note": "写小说的"}).ok()

    assert member.api.delete("/me", json={}).status == 204

    row = circle.owner.api.get(of(circle, member)).ok()
    assert (row["status"], row["alias"], row["note"], row["answers"]) == ("left", "", "", [])
    assert row["user"]["display_name"] == "已注销用户"


def test_strangers_and_people_of_another_circle_moderate_nobody(world: World) -> None:
    circle, other = world.circle(preview_policy="none"), world.circle()
    member = world.member(circle)

    for reply in (
        other.owner.api.patch(of(circle, member), {"note": "x"}),
        act(circle, member, "ban", KEEP, other.owner),
        other.owner.api.get(f"{circle.path}/members"),
        circle.owner.api.patch(of(other, member), {"note": "x"}),
        circle.owner.api.patch(of(circle, other.owner), {"note": "x"}),
    ):
        assert reply.status in {403, 404}
    assert status_of(circle, member) == "active"
