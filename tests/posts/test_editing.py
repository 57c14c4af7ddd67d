"""Editing posts: versions, revisions, and who may change what."""

from datetime import timedelta

from circle.kernel.clock import ManualClock
from tests.client import World


def test_an_edit_keeps_what_was_there(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    post = world.post(circle, kind="article", title="一", body="第一版")
    api = circle.owner.api
    clock.advance(timedelta(minutes=5))

    edited = api.patch(post.path, {"body": "第二版"}).ok()
    again = api.patch(post.path, {"title": "二"}).ok()

    assert (edited["body"], edited["version"], edited["edited_at"]) == ("第二版", 2, "2026-03-01T04:05:00Z")
    assert again["version"] == 3
    kept = api.get(f"{post.path}/revisions").ok()["items"]
    assert [(one["number"], one["title"], one["body"]) for one in kept] == [(2, "一", "第二版"), (1, "一", "第一版")]
    assert kept[0]["editor"]["id"] == str(circle.owner.id)


def test_revisions_come_page_by_page(world: World) -> None:
    circle = world.circle()
    post, api = world.post(circle), circle.owner.api
    for number in range(3):
        api.patch(post.path, {"body": f"版本 {number}"}).ok()

    page = api.get(f"{post.path}/revisions?limit=2").ok()
    rest = api.get(f"{post.path}/revisions?limit=2&cursor={page['next_cursor']}").ok()

    assert [one["number"] for one in page["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next_cursor"] is None


def test_revisions_are_for_author_and_moderators(world: World) -> None:
    circle = world.circle()
    author = world.member(circle)
    post = world.post(circle, author)
    author.api.patch(post.path, {"body": "改"}).ok()

    for reader in (author, circle.owner, world.member(circle, role="admin")):
        assert len(reader.api.get(f"{post.path}/revisions").ok()["items"]) == 1
    for other in (world.member(circle, 2), world.member(circle, role="guest")):
        assert other.api.get(f"{post.path}/revisions").code == "missing_permission"
    assert world.person().api.get(f"{post.path}/revisions").status == 403


def test_a_stale_writer_loses(world: World) -> None:
    circle = world.circle()
    post, api = world.post(circle), circle.owner.api
    tag = api.get(post.path).headers["ETag"]
    api.patch(post.path, {"body": "先到"}, headers={"If-Match": tag}).ok()

    late = api.patch(post.path, {"body": "后到"}, headers={"If-Match": tag})

    assert (late.status, late.code) == (412, "stale_version")
    assert api.get(post.path).ok()["body"] == "先到"
    assert len(api.get(f"{post.path}/revisions").ok()["items"]) == 1


def test_an_edit_that_changes_no_word_keeps_no_revision(world: World) -> None:
    circle = world.circle()
    post, api = world.post(circle, body="原文"), circle.owner.api

    api.patch(post.path, {"body": "原文", "tags": ["写作"]}).ok()

    assert api.get(post.path).ok()["tags"] == ["写作"]
    assert api.get(f"{post.path}/revisions").ok()["items"] == []


def test_tags_are_replaced_as_a_whole(world: World) -> None:
    circle = world.circle()
    post, api = world.post(circle, tags=["写作", "读书"]), circle.owner.api

    assert api.patch(post.path, {"tags": ["读书", "访谈"]}).ok()["tags"] == ["访谈", "读书"]
    assert api.patch(post.path, {"tags": []}).ok()["tags"] == []
    assert api.patch(post.path, {"title": "题"}).ok()["tags"] == []


def test_only_the_author_changes_the_words(world: World) -> None:
    circle = world.circle()
    author = world.member(circle)
    post = world.post(circle, author)

    for other in (world.member(circle), world.member(circle, role="admin"), circle.owner, world.person()):
        assert other.api.patch(post.path, {"body": "改"}).code == "not_the_author"
    assert author.api.get(post.path).ok()["body"] == "正文"


def test_who_files_the_archive_sets_gate_and_tags_of_others_posts(world: World) -> None:
    circle = world.circle()
    author, admin = world.member(circle), world.member(circle, role="admin")
    post = world.post(circle, author)
    gate = {"level": "tier", "tier_id": str(circle.tier(2).id), "excerpt": "开头"}

    edited = admin.api.patch(post.path, {"access": gate, "tags": ["写作"]}).ok()

    assert edited["access"] == gate
    assert edited["tags"] == ["写作"]
    assert world.member(circle, 2).api.patch(post.path, {"tags": ["乱"]}).code == "missing_permission"
    assert author.api.patch(post.path, {"access": {"level": "members"}}).code == "missing_permission"
    assert author.api.patch(post.path, {"access": {**gate, "excerpt": "新开头"}}).ok()["excerpt"] == "新开头"


def test_an_act_on_somebody_elses_post_is_on_record(world: World, sql: object) -> None:
    circle = world.circle()
    author = world.member(circle)
    post = world.post(circle, author)

    circle.owner.api.patch(post.path, {"tags": ["写作"]}).ok()
    author.api.patch(post.path, {"tags": []}).ok()

    rows = sql("SELECT action, actor_id, data FROM audit_log WHERE subject_id = :id", id=post.id)  # type: ignore[operator]
    assert [(row["action"], row["actor_id"], row["data"]) for row in rows] == [
        ("post.edit", circle.owner.id, {"fields": ["tags"]})
    ]


def test_somebody_whose_membership_has_ended_changes_nothing(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    author = world.member(circle, days=1)
    post = world.post(circle, author)
    clock.advance(timedelta(days=2))

    assert author.api.patch(post.path, {"body": "改"}).code == "membership_expired"


def test_a_published_post_is_neither_draft_nor_scheduled_again(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    post, api = world.post(circle), circle.owner.api

    assert api.patch(post.path, {"draft": True}).code == "wrong_state"
    later = (clock.now() + timedelta(days=1)).isoformat()
    assert api.patch(post.path, {"publish_at": later}).code == "wrong_state"
    api.patch(post.path, {"draft": False}).ok()
    api.delete(post.path).ok(204)
    assert api.patch(post.path, {"body": "改"}).code == "wrong_state"


def test_an_edit_is_checked_like_a_new_post(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    post = world.post(circle, member)
    for word, action in (("加微信", "review"), ("发票", "block")):
        circle.owner.api.post(f"{circle.path}/blocked-words", {"word": word, "action": action}).ok(201)

    assert member.api.patch(post.path, {"body": ""}).fields == {"body": "blank"}
    assert member.api.patch(post.path, {"body": "字" * 10_001}).fields == {"body": "too_long"}
    assert member.api.patch(post.path, {"body": "发票"}).fields == {"body": "blocked_word"}
    assert member.api.patch(post.path, {}).ok()["body"] == "正文"

    held = member.api.patch(post.path, {"body": "加微信"}).ok()

    assert held["status"] == "review"
    assert world.member(circle).api.get(post.path).status == 404
    assert circle.owner.api.post(f"{post.path}/approve").ok()["published_at"] == held["published_at"]
    assert world.member(circle).api.get(post.path).ok()["body"] == "加微信"
