"""Invitations over HTTP: who may make which, what their holder sees, how they end."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from circle.memberships.models import Role
from tests.client import Api, World
from tests.memberships.doors import invite


def test_the_holder_of_a_code_sees_where_it_leads(world: World, api: Api) -> None:
    circle = world.circle(preview_policy="none", description="写完它。")
    code = invite(circle, tier_id=str(circle.tier(2).id), comp_days=30)

    page = api.get(f"/invitations/{code}").ok()

    assert page["circle"]["id"] == str(circle.id)
    assert page["invited_by"]["display_name"] == "星主"
    assert (page["comp_tier"]["name"], page["comp_days"]) == ("学员", 30)
    assert [tier["rank"] for tier in page["tiers"]] == [1, 2]
    assert api.get("/invitations/NOSUCHCODE").code == "not_found"


def test_a_revoked_invitation_is_gone(world: World, api: Api) -> None:
    circle = world.circle()
    made = circle.owner.api.post(f"{circle.path}/invitations", {"note": "给老学员"}).ok(201)

    for _ in range(2):  # twice is once
        assert circle.owner.api.delete(f"{circle.path}/invitations/{made['id']}").status == 204

    assert api.get(f"/invitations/{made['code']}").code == "not_found"
    [listed] = circle.owner.api.get(f"{circle.path}/invitations").ok()["items"]
    assert listed["revoked_at"] is not None
    assert listed["note"] == "给老学员"


def test_an_invitation_lapses(world: World, api: Api, clock: ManualClock) -> None:
    circle = world.circle()
    code = invite(circle, expires_at="2026-03-02T00:00:00Z")
    api.get(f"/invitations/{code}").ok()

    clock.advance(timedelta(days=1))

    assert api.get(f"/invitations/{code}").code == "not_found"


@pytest.mark.parametrize("role", [Role.GUEST, Role.MEMBER])
def test_members_and_guests_do_not_invite(world: World, role: str) -> None:
    circle = world.circle()

    assert world.member(circle, role=role).api.post(f"{circle.path}/invitations", {}).code == "missing_permission"


@pytest.mark.parametrize(
    ("maker", "body", "code"),
    [
        (Role.ADMIN, {}, None),
        (Role.ADMIN, {"role": "guest"}, "missing_permission"),
        (Role.PARTNER, {"role": "admin"}, None),
        (Role.PARTNER, {"role": "partner"}, "out_of_reach"),
        (Role.OWNER, {"role": "partner"}, None),
        (Role.OWNER, {"role": "owner"}, "invalid"),
        (Role.OWNER, {"comp_days": 3}, "invalid"),
        (Role.OWNER, {"expires_at": "2026-01-01T00:00:00Z"}, "invalid"),
        (Role.OWNER, {"max_uses": 0}, "invalid"),
        (Role.OWNER, {"code": "MYCODE"}, "invalid"),
    ],
)
def test_nobody_invites_beyond_their_reach(world: World, maker: Role, body: Any, code: str | None) -> None:
    circle = world.circle()
    by = circle.owner if maker == Role.OWNER else world.member(circle, role=maker)

    assert by.api.post(f"{circle.path}/invitations", body).code == code


def test_admins_give_nothing_away(world: World) -> None:
    circle = world.circle()
    admin = world.member(circle, role=Role.ADMIN)

    refused = admin.api.post(f"{circle.path}/invitations", {"tier_id": str(circle.tier(1).id), "comp_days": 3})

    assert refused.code == "missing_permission"


def test_a_tier_of_another_circle_can_not_be_given(world: World) -> None:
    circle, other = world.circle(), world.circle()

    refused = circle.owner.api.post(f"{circle.path}/invitations", {"tier_id": str(other.tier(1).id), "comp_days": 3})

    assert refused.fields == {"tier_id": "unknown_tier"}


def test_another_circles_invitation_is_not_revoked_here(world: World, api: Api) -> None:
    circle, other = world.circle(), world.circle()
    made = other.owner.api.post(f"{other.path}/invitations", {}).ok(201)

    assert circle.owner.api.delete(f"{circle.path}/invitations/{made['id']}").code == "not_found"
    api.get(f"/invitations/{made['code']}").ok()
