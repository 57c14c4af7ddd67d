"""Opening a circle, its page, its settings."""

from typing import Any

import pytest

from circle.memberships.models import Role
from tests.client import Api, World
from tests.statements import counted

NEW = {"name": "写作圈"}


def test_who_opens_a_circle_owns_it_as_member_number_one(world: World) -> None:
    lin = world.person("林晓")

    circle = lin.api.post("/circles", {**NEW, "description": "写完它。", "join_policy": "approval"}).ok(201)

    assert circle["owner"]["id"] == str(lin.id)
    assert circle["mine"] == {"role": "owner", "status": "active", "number": 1, "tier": None}
    assert (circle["timezone"], circle["currency"], circle["join_policy"]) == ("Asia/Shanghai", "CNY", "approval")
    assert lin.api.get(f"/circles/{circle['id']}").ok() == circle


def test_a_short_name_is_made_up_or_chosen_once(world: World) -> None:
    lin = world.person()

    made_up = lin.api.post("/circles", {"name": "Écrire, un peu!"}).ok(201)["slug"]
    chosen = lin.api.post("/circles", {**NEW, "slug": "xie-zuo"}).ok(201)["slug"]

    assert made_up.startswith("ecrire-un-peu-")
    assert chosen == "xie-zuo"
    assert lin.api.post("/circles", {**NEW, "slug": "xie-zuo"}).code == "slug_taken"
    assert lin.api.post("/circles", {**NEW, "slug": "Xie Zuo"}).fields == {"slug": "bad_format"}


def test_a_stranger_sees_a_public_page_but_not_its_inner_settings(world: World, api: Api) -> None:
    circle = world.circle(silence_hours=24)

    page = api.get(circle.path).ok()

    assert page["name"] == "写作圈"
    assert page["mine"] is None
    assert page["silence_hours"] is None
    assert page["members_joined"] is None


def test_a_member_sees_more(world: World) -> None:
    circle = world.circle(silence_hours=24)
    member = world.member(circle, "学员")

    page = member.api.get(circle.path).ok()

    assert page["silence_hours"] == 24
    assert page["members_joined"] == 2
    assert page["mine"] == {
        "role": "member",
        "status": "active",
        "number": 2,
        "tier": {"id": str(circle.tiers["学员"].id), "name": "学员", "rank": 2},
    }


def test_a_hidden_circle_does_not_exist_for_strangers(world: World, api: Api) -> None:
    circle = world.circle(preview_policy="none", join_policy="approval")
    stranger, applicant, member = world.person(), world.pending_member(circle), world.member(circle)

    for outside in (api, stranger.api, applicant.api):
        assert outside.get(circle.path).code == "not_found"
        assert outside.get(f"{circle.path}/tiers").code == "not_found"
    assert stranger.api.patch(circle.path, {"name": "x"}).code == "not_found"
    member.api.get(circle.path).ok()


def test_the_banned_are_told_so(world: World) -> None:
    circle = world.circle()
    banned = world.banned_member(circle)

    assert banned.api.get(circle.path).code == "banned"


@pytest.mark.parametrize("role", [Role.ADMIN, Role.GUEST, Role.MEMBER])
def test_only_owner_and_partners_change_settings(world: World, role: str) -> None:
    circle = world.circle()
    partner, other = world.member(circle, role=Role.PARTNER), world.member(circle, role=role)

    partner.api.patch(circle.path, {"name": "新名字"}).ok()

    assert other.api.patch(circle.path, {"name": "x"}).code == "missing_permission"
    assert world.person().api.patch(circle.path, {"name": "x"}).code == "not_a_member"
    assert partner.api.get(circle.path).ok()["name"] == "新名字"


def test_every_setting_can_be_changed(world: World) -> None:
    circle = world.circle()
    changes = {
        "slug": "new-slug",
        "description": "",
        "category": "写作",
        "timezone": "America/New_York",
        "rules": "不广告。\n不刷屏。",
        "join_policy": "invite",
        "questionnaire": ["你是谁？", "为什么来？"],
        "preview_policy": "none",
        "after_expiry": "none",
        "lookback_days": 30,
        "quiet_from": "22:00",
        "quiet_to": "07:30",
        "silence_hours": 24,
        "anonymous_questions": True,
        "question_price": 5000,
        "content_protection": {"no_copy": True, "no_screenshot": False, "watermark": True},
    }

    page = circle.owner.api.patch(circle.path, changes).ok()

    shown = {**changes, "question_price": {"amount": 5000, "currency": page["currency"]}}
    assert {name: page[name] for name in changes} == shown
    emptied = {"lookback_days": None, "quiet_from": None, "quiet_to": None, "question_price": None}
    page = circle.owner.api.patch(circle.path, emptied).ok()
    assert {name: page[name] for name in emptied} == emptied


def test_a_stale_editor_loses(world: World) -> None:
    circle = world.circle()
    first = circle.owner.api.get(circle.path)
    circle.owner.api.patch(circle.path, {"name": "甲"}, headers={"If-Match": first.headers["ETag"]}).ok()

    late = circle.owner.api.patch(circle.path, {"name": "乙"}, headers={"If-Match": first.headers["ETag"]})

    assert late.code == "stale_version"
    assert circle.owner.api.get(circle.path).ok()["name"] == "甲"


def test_an_unchanged_page_is_304(world: World) -> None:
    circle = world.circle()
    first = circle.owner.api.get(circle.path)

    again = circle.owner.api.get(circle.path, headers={"If-None-Match": first.headers["ETag"]})

    assert again.status == 304
    assert first.headers["Cache-Control"].startswith("private")


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("timezone", "Asia/Beijing", "unknown_timezone"),
        ("lookback_days", 6, "out_of_range"),
        ("lookback_days", 101, "out_of_range"),
        ("quiet_from", "22:00", "one_of"),
        ("quiet_from", "25:00", "bad_time"),
        ("join_policy", "closed", "not_a_choice"),
        ("currency", "CNY", "unknown_field"),
        ("cover_media_id", "01890a5d-ac96-774b-bcce-b302099a8057", "unknown_media"),
    ],
)
def test_settings_that_make_no_sense_are_refused(world: World, setting: str, value: Any, code: str) -> None:
    circle = world.circle()

    refused = circle.owner.api.patch(circle.path, {setting: value})

    assert refused.status == 422
    assert list(refused.fields.values()) == [code]


def test_a_closed_circle_can_be_read_and_opened_again(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)

    assert circle.owner.api.patch(circle.path, {"closed": True}).ok()["closed"] is True
    assert member.api.get(circle.path).ok()["closed"] is True
    assert circle.owner.api.patch(circle.path, {"closed": False}).ok()["closed"] is False


def test_a_cover_is_shown_to_everybody(world: World, api: Api) -> None:
    circle = world.circle()
    cover = world.media(circle.owner, purpose="cover")

    page = circle.owner.api.patch(circle.path, {"cover_media_id": str(cover)}).ok()

    assert page["cover_url"] == f"/v1/media/{cover}"
    assert api.get(circle.path).ok()["cover_url"] == page["cover_url"]
    assert circle.owner.api.patch(circle.path, {"cover_media_id": None}).ok()["cover_url"] is None


def test_the_audit_log_tells_who_changed_what(world: World) -> None:
    circle = world.circle(tiers=())
    partner = world.member(circle, role=Role.PARTNER, name="合伙人")
    partner.api.patch(circle.path, {"name": "新名字", "silence_hours": 1}).ok()

    newest, oldest = circle.owner.api.get(f"{circle.path}/audit").ok()["items"]

    assert newest["action"] == "circle.edit"
    assert newest["actor"]["display_name"] == "合伙人"
    assert newest["data"] == {"fields": ["name", "silence_hours"]}
    assert oldest["action"] == "circle.open"
    edits = circle.owner.api.get(f"{circle.path}/audit?action=circle.edit").ok()["items"]
    assert edits == [newest]
    admin = world.member(circle, role=Role.ADMIN)
    assert admin.api.get(f"{circle.path}/audit").code == "missing_permission"


def test_a_page_costs_two_statements(world: World, api: Api) -> None:
    circle = world.circle()
    member = world.member(circle)

    for reader in (member.api, circle.owner.api, api):
        for path in (circle.path, f"{circle.path}/tiers"):
            with counted() as statements:
                reader.get(path).ok()
            assert len(statements) == 2, statements
