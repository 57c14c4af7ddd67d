"""Entries: the feed, likes, comments, notes, pins, and taking words back."""

from datetime import timedelta
from typing import Any

from circle.checkins.invariants import figures_are_derived
from circle.checkins.services.rebuilding import rebuild_camps
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.client import World

DAY = timedelta(days=1)


def test_the_feed_shows_entries_latest_first_page_by_page(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    people = [world.camper(camp, name) for name in ("甲", "乙", "丙")]
    made = []
    for _ in range(2):
        made += [world.check_in(camp, person)["id"] for person in people]
        clock.advance(DAY)

    seen, cursor = [], ""
    while True:
        page = (
            people[0]
            .api.get(f"{camp.path}/check-ins", query_string={"limit": 4, **({"cursor": cursor} if cursor else {})})
            .ok()
        )
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == made[::-1]
    of_one = people[0].api.get(f"{camp.path}/check-ins?user_id={people[1].id}").ok()["items"]
    assert {one["user"]["display_name"] for one in of_one} == {"乙"}
    of_day = people[0].api.get(f"{camp.path}/check-ins?day={camp.day(1)}").ok()["items"]
    assert len(of_day) == 3


def test_an_entry_kept_off_the_feed_is_its_authors_and_the_teachers(world: World) -> None:
    camp = world.camp(on_feed=False)
    author, other = world.camper(camp), world.camper(camp, "别人")
    private = world.check_in(camp, author)

    for person, shown in ((author, 1), (camp.teacher, 1), (other, 0)):
        assert len(person.api.get(f"{camp.path}/check-ins").ok()["items"]) == shown
    assert other.api.put(f"/check-ins/{private['id']}/like").status == 404
    world.check_in(camp, author, on_feed=True)
    assert len(other.api.get(f"{camp.path}/check-ins").ok()["items"]) == 1


def test_likes_are_counted_once_a_person(world: World) -> None:
    camp = world.camp()
    author, fan = world.camper(camp), world.camper(camp, "粉")
    path = f"/check-ins/{world.check_in(camp, author)['id']}"

    for _ in range(2):
        fan.api.put(f"{path}/like").ok(204)
    shown = fan.api.get(path).ok()
    assert (shown["like_count"], shown["liked"], author.api.get(path).ok()["liked"]) == (1, True, False)
    for _ in range(2):
        fan.api.delete(f"{path}/like").ok(204)
    assert fan.api.get(path).ok()["like_count"] == 0


def test_comments_are_told_to_the_author_and_can_be_taken_back(world: World) -> None:
    camp = world.camp()
    author, fan = world.camper(camp), world.camper(camp, "粉")
    path = f"/check-ins/{world.check_in(camp, author)['id']}"

    comment = fan.api.post(f"{path}/comments", {"body": "写得好"}).ok(201)

    assert [one["body"] for one in author.api.get(f"{path}/comments").ok()["items"]] == ["写得好"]
    assert author.api.get(path).ok()["comment_count"] == 1
    assert [one["kind"] for one in world.notices(author)] == ["check_in_commented"]
    assert author.api.delete(f"/check-in-comments/{comment['id']}").code == "missing_permission"
    fan.api.delete(f"/check-in-comments/{comment['id']}").ok(204)
    assert author.api.get(path).ok()["comment_count"] == 0
    assert author.api.post(f"{path}/comments", {"body": "x" * 1001}).fields == {"body": "too_long"}


def test_a_teacher_notes_and_pins_and_a_member_may_not(world: World) -> None:
    camp = world.camp()
    author, other = world.camper(camp), world.camper(camp, "别人")
    path = f"/check-ins/{world.check_in(camp, author)['id']}"

    assert author.api.put(f"{path}/note", {"body": "自夸"}).code == "missing_permission"
    assert author.api.put(f"{path}/pin").code == "missing_permission"
    camp.teacher.api.put(f"{path}/note", {"body": "细节写得好。"}).ok(204)
    camp.teacher.api.put(f"{path}/pin").ok(204)

    shown = other.api.get(path).ok()
    assert (shown["note"]["body"], shown["pinned"]) == ("细节写得好。", True)
    assert len(other.api.get(f"{camp.path}/check-ins?pinned=true").ok()["items"]) == 1
    assert [one["kind"] for one in world.notices(author)] == ["check_in_noted"]
    camp.teacher.api.delete(f"{path}/note").ok(204)
    camp.teacher.api.delete(f"{path}/pin").ok(204)
    assert other.api.get(path).ok()["note"] is None


def test_words_can_be_taken_back_and_the_day_stays(world: World) -> None:
    camp = world.camp()
    author, other = world.camper(camp), world.camper(camp, "别人")
    entry = world.check_in(camp, author)
    path = f"/check-ins/{entry['id']}"

    assert other.api.delete(path).code == "not_the_entrys_author"
    author.api.delete(path).ok(204)

    assert other.api.get(path).status == 404
    assert world.part(camp, author)["total"] == 1
    again = world.check_in(camp, author, body="重新写")
    assert (again["id"], again["figures"]["total"], again["on_feed"]) == (entry["id"], 1, True)


def test_what_a_moderator_took_down_does_not_come_back_by_itself(world: World) -> None:
    camp = world.camp()
    author, other = world.camper(camp), world.camper(camp, "别人")
    entry = world.check_in(camp, author)
    camp.teacher.api.delete(f"/check-ins/{entry['id']}").ok(204)

    again = world.check_in(camp, author, body="又来", on_feed=True)

    assert not again["on_feed"]
    assert other.api.get(f"{camp.path}/check-ins").ok()["items"] == []


def test_what_teachers_and_moderators_do_is_on_record(world: World, sql: Any) -> None:
    camp = world.camp()
    author = world.camper(camp)
    path = f"/check-ins/{world.check_in(camp, author)['id']}"
    said = [author.api.post(f"{path}/comments", {"body": body}).ok(201)["id"] for body in ("一", "二")]
    camp.teacher.api.patch(camp.path, {"title": "新名字"}).ok()

    camp.teacher.api.delete(f"/check-in-comments/{said[0]}").ok(204)
    author.api.delete(f"/check-in-comments/{said[1]}").ok(204)
    camp.teacher.api.delete(path).ok(204)

    acts = sql(
        "SELECT action, subject_id FROM audit_log WHERE subject_kind LIKE 'c%' AND action !~ '^circle' ORDER BY id"
    )
    assert [(act["action"], str(act["subject_id"])) for act in acts] == [
        ("camp.open", str(camp.id)),
        ("camp.edit", str(camp.id)),
        ("check_in_comment.remove", said[0]),
        ("check_in.remove", path.rpartition("/")[2]),
    ]


def test_a_deleted_account_leaves_no_words(world: World, sql: Any) -> None:
    camp = world.camp(days=1)
    author, other = world.camper(camp), world.camper(camp, "别人")
    theirs = world.check_in(camp, other)
    world.check_in(camp, author, body="我的秘密")
    world.check_in(camp, author, body="我的秘密二")
    author.api.post(f"/check-ins/{theirs['id']}/comments", {"body": "我的评论"}).ok(201)
    code = author.api.get("/me/certificates").ok()["items"][0]["code"]

    author.api.delete("/me", json={}).ok(204)

    assert sql("SELECT body FROM check_ins WHERE user_id = :id", id=author.id)[0]["body"] == ""
    assert sql("SELECT count(*) AS n FROM check_in_versions")[0]["n"] == 0
    assert other.api.get(f"/check-ins/{theirs['id']}").ok()["comment_count"] == 0
    certificate = other.api.get(f"/certificates/{code}").ok()
    assert (certificate["valid"], certificate["holder"]) == (False, "")
    assert len(other.api.get(f"{camp.path}/rankings").ok()["items"]) == 1
    assert sql("SELECT count(*) AS n FROM check_in_days WHERE user_id = :id", id=author.id)[0]["n"] == 1


def test_an_owner_who_is_gone_from_a_closed_circle_is_in_no_ranking(world: World, units: Units) -> None:
    camp = world.camp()
    owner, other = camp.circle.owner, world.camper(camp)
    owner.api.post(f"{camp.path}/join").ok(200)
    world.check_in(camp, owner)
    world.check_in(camp, other)
    owner.api.patch(camp.circle.path, {"closed": True}).ok()

    owner.api.delete("/me", json={}).ok(204)

    assert figures_are_derived(units) is None
    assert rebuild_camps(units) == 0
    assert [one["user"]["id"] for one in other.api.get(f"{camp.path}/rankings").ok()["items"]] == [str(other.id)]


def test_a_copy_of_ones_data_has_days_and_entries(world: World) -> None:
    camp = world.camp()
    author = world.camper(camp)
    path = f"/check-ins/{world.check_in(camp, author, body='一篇')['id']}"
    camp.teacher.api.put(f"{path}/note", {"body": "点评"}).ok(204)

    sections = author.api.get("/me/export").ok()["sections"]

    assert [one["body"] for one in sections["check_ins"]] == ["一篇"]
    assert [one["teacher_note"] for one in sections["check_ins"]] == ["点评"]
    assert [one["kind"] for one in sections["check_in_days"]] == ["done"]
