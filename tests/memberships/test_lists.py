"""Lists of members, circles, invitations and the audit log: shape, filters, stable pages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import marshmallow as ma
import pytest

from circle.circles import schemas as circles
from circle.kernel.clock import ManualClock
from circle.memberships import schemas
from circle.memberships.models import Role
from circle.web.pagination import page_of, whole
from tests.builders.circles import BuiltCircle
from tests.client import Api, World
from tests.memberships.doors import invite
from tests.statements import counted


def names(circle: BuiltCircle, query: str = "") -> list[str]:
    items = circle.owner.api.get(f"{circle.path}/members{query}").ok()["items"]
    return [item["user"]["display_name"] for item in items]


def walk(api: Api, path: str, between: Callable[[], Any]) -> list[Any]:
    """Read a list by pages of two, with something happening between any two pages."""
    found, cursor = [], ""
    while True:
        page = api.get(f"{path}?limit=2{cursor}").ok()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
        between()


def test_the_roster_is_filtered(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    now = clock.now()
    world.member(circle, 1, name="张三", days=5)
    world.member(circle, 2, name="李四", days=50)
    world.member(circle, role=Role.ADMIN, name="王五")
    world.expired_member(circle, started=now - timedelta(days=9), ended=now - timedelta(days=2))
    world.pending_member(circle)

    assert names(circle) == ["申请人", "老成员", "王五", "李四", "张三", "星主"]
    assert names(circle, "?status=active") == ["王五", "李四", "张三", "星主"]
    assert names(circle, "?status=expired") == ["老成员"]
    assert names(circle, "?role=admin") == ["王五"]
    assert names(circle, f"?tier={circle.tier(2).id}") == ["李四"]
    assert names(circle, "?expiring_before=2026-03-08T00:00:00Z") == ["张三"]
    assert names(circle, "?q=四") == ["李四"]
    assert names(circle, "?q=3") == ["李四"]
    assert names(circle, "?q=%25") == []
    assert names(circle, "?q=_") == []
    assert names(circle, "?q=99999999999") == []


def test_the_roster_is_for_staff(world: World) -> None:
    circle = world.circle()

    assert world.member(circle, role=Role.ADMIN).api.get(f"{circle.path}/members").status == 200
    for role in (Role.GUEST, Role.MEMBER):
        refused = world.member(circle, role=role).api.get(f"{circle.path}/members")
        assert refused.code == "missing_permission"
        assert "星主" not in refused.bytes.decode()


def test_an_alias_is_found(world: World) -> None:
    circle = world.circle()
    member = world.member(circle, name="张三")
    member.api.patch(f"{circle.path}/membership", {"alias": "Great Writer"}).ok()

    assert names(circle, "?q=great") == ["张三"]


def test_ones_circles_with_what_one_is_there(world: World) -> None:
    lin = world.person("林晓")
    own, joined, left = world.circle(lin, name="自己的"), world.circle(name="加入的"), world.circle(name="离开的")
    world.member(joined, "学员", person=lin)
    world.member(left, person=lin)
    lin.api.post(f"{left.path}/leave").ok()

    items = lin.api.get("/me/circles").ok()["items"]

    assert [(one["circle"]["name"], one["role"]) for one in items] == [("加入的", "member"), ("自己的", "owner")]
    assert items[0]["tier"]["name"] == "学员"
    assert items[0]["access_until"] == "2026-03-31T04:00:00Z"
    assert items[1]["circle"]["id"] == str(own.id)
    assert [one["circle"]["name"] for one in lin.api.get("/me/circles?status=left").ok()["items"]] == ["离开的"]


def test_pages_stand_still_while_rows_are_added(world: World) -> None:
    circle = world.circle(tiers=(("读者", 1, 1900),))
    lin = world.person()
    for _ in range(4):
        world.member(circle)
        invite(circle)
        world.member(world.circle(), person=lin)
    lists: tuple[tuple[Api, str, Callable[[], Any]], ...] = (
        (circle.owner.api, f"{circle.path}/members", lambda: world.member(circle)),
        (circle.owner.api, f"{circle.path}/invitations", lambda: invite(circle)),
        (circle.owner.api, f"{circle.path}/audit", lambda: invite(circle)),
        (lin.api, "/me/circles", lambda: world.circle(lin)),
    )

    for api, path, between in lists:
        before = api.get(f"{path}?limit=100").ok()["items"]
        assert len(before) >= 4
        assert [one["id"] for one in walk(api, path, between)] == [one["id"] for one in before], path


def test_a_cursor_of_another_list_is_refused(world: World) -> None:
    circle = world.circle()
    world.member(circle)
    page = circle.owner.api.get(f"{circle.path}/members?limit=1").ok()

    for path in (f"{circle.path}/invitations", f"{circle.path}/audit", "/me/circles"):
        for cursor in (page["next_cursor"], "x", "AAAA", "%00", "W10"):
            assert circle.owner.api.get(f"{path}?cursor={cursor}").status in {400, 422}, (path, cursor)


@pytest.fixture
def answers(world: World, api: Api) -> dict[str, tuple[ma.Schema, Any]]:
    """Every answer that a hot read of this room builds by hand, with its schema."""
    circle = world.circle(quiet_from=None, lookback_days=30, question_price=100)
    world.tier(circle, "年卡", 9, 19900, interval="year", list_amount=29900, seats=10)
    member = world.member(circle, 1)
    world.pending_member(circle, answers=["小说"])
    invite(circle, tier_id=str(circle.tier(1).id), comp_days=3)
    owner = circle.owner.api
    return {
        "stranger": (circles.CircleOut(), api.get(circle.path).json),
        "member": (circles.CircleOut(), member.api.get(circle.path).json),
        "tiers": (whole(circles.TierOut)(), owner.get(f"{circle.path}/tiers").json),
        "audit": (page_of(circles.AuditEntryOut)(), owner.get(f"{circle.path}/audit").json),
        "invitations": (page_of(circles.InvitationOut)(), owner.get(f"{circle.path}/invitations").json),
        "members": (page_of(schemas.MemberOut)(), owner.get(f"{circle.path}/members").json),
        "card": (schemas.MemberOut(), member.api.get(f"{circle.path}/members/{circle.owner.id}").json),
        "circles": (page_of(schemas.MyCircleOut)(), member.api.get("/me/circles").json),
    }


def test_answers_built_by_hand_have_the_documented_shape(answers: dict[str, tuple[ma.Schema, Any]]) -> None:
    for name, (schema, answer) in answers.items():
        assert schema.validate(answer) == {}, name
        assert answer.get("items") != [], name


def test_lists_cost_two_statements(world: World) -> None:
    circle = world.circle()
    for _ in range(3):
        world.member(circle)
        invite(circle)

    for path in (f"{circle.path}/members", f"{circle.path}/invitations", f"{circle.path}/audit", "/me/circles"):
        with counted() as statements:
            circle.owner.api.get(path).ok()
        assert len(statements) == 2, (path, statements)
