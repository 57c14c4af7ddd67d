"""Whom homework is for, and who sees whose work."""

from datetime import timedelta

import pytest

from circle.kernel.clock import ManualClock
from tests.builders.homework import RUBRIC, at
from tests.client import World

DAY = timedelta(days=1)


def listed(world: World, person: object, assignment: object) -> list[str]:
    return [one["body"] for one in person.api.get(f"{assignment.path}/submissions").ok()["items"]]  # type: ignore[attr-defined]


def test_strangers_find_nothing(world: World) -> None:
    circle = world.circle()
    assignment = world.assignment(circle)
    work = world.hand_in(assignment, world.member(circle))
    stranger, elsewhere = world.person(), world.circle().owner

    for outsider in (stranger, elsewhere):
        for path in (
            assignment.path,
            f"{assignment.path}/mine",
            f"{assignment.path}/queue",
            f"/submissions/{work['id']}",
        ):
            assert outsider.api.get(path).status == 404, path
        assert outsider.api.post(f"{assignment.path}/submissions", {"body": "我也交"}).status == 404
        assert outsider.api.get(f"{circle.path}/assignments").code == "not_a_member"


def test_only_teachers_set_homework(world: World) -> None:
    circle = world.circle()

    for role in ("partner", "admin", "guest"):
        world.assignment(circle, world.member(circle, role=role))
    refused = world.member(circle).api.post(f"{circle.path}/assignments", {"title": "我来布置"})

    assert (refused.status, refused.code) == (403, "missing_permission")


def test_homework_of_a_higher_tier_shows_its_title_alone(world: World) -> None:
    circle = world.circle()
    reader, student = world.member(circle, 1), world.member(circle, 2)
    tier = {"kind": "tier", "tier_id": str(circle.tier(2).id)}
    assignment = world.assignment(circle, audience=tier, brief="机密作业", rubric=RUBRIC)

    locked = reader.api.get(assignment.path)

    assert (locked.json["locked"], locked.json["required_tier"]["name"]) == (True, "学员")
    assert "机密作业" not in locked.bytes.decode()
    assert locked.json["rubric"] is None
    refused = reader.api.post(f"{assignment.path}/submissions", {"body": "交"})
    assert (refused.status, refused.code) == (403, "assignment_locked")
    assert "机密作业" not in reader.api.get(f"{circle.path}/assignments").bytes.decode()
    world.hand_in(assignment, student)
    assert world.missing(assignment) == []


def test_homework_for_named_members_is_theirs_alone(world: World) -> None:
    circle = world.circle()
    named, other = world.member(circle), world.member(circle)
    assignment = world.assignment(circle, audience={"kind": "named", "user_ids": [str(named.id)]})

    assert other.api.get(assignment.path).status == 404
    assert other.api.get(f"{circle.path}/assignments").ok()["items"] == []
    assert world.missing(assignment) == [str(named.id)]
    assert named.api.get(assignment.path).ok()["audience"]["user_ids"] is None
    assert circle.owner.api.get(assignment.path).ok()["audience"]["user_ids"] == [str(named.id)]
    world.hand_in(assignment, named)


def test_whoever_handed_something_in_keeps_it(world: World) -> None:
    circle = world.circle()
    former, named = world.member(circle), world.member(circle)
    assignment = world.assignment(circle, audience={"kind": "named", "user_ids": [str(former.id)]})
    world.hand_in(assignment, former)

    circle.owner.api.patch(assignment.path, {"audience": {"kind": "named", "user_ids": [str(named.id)]}}).ok()

    assert [one.api.get(assignment.path).status for one in (former, named, world.member(circle))] == [200, 200, 404]
    assert former.api.post(f"{assignment.path}/submissions", {"body": "再交"}).code == "not_addressed"


def test_a_cohort_is_who_joined_within_a_span(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    now = clock.now()
    before = world.member(circle, started=now - 20 * DAY, days=100)
    within = world.member(circle, started=now - 5 * DAY, days=100)
    cohort = {"kind": "cohort", "joined_from": at(now, days=-10), "joined_before": at(now, days=1)}
    assignment = world.assignment(circle, audience=cohort)

    assert before.api.get(assignment.path).status == 404
    assert world.missing(assignment) == [str(within.id)]
    world.hand_in(assignment, within)


@pytest.mark.parametrize(
    ("visibility", "at_first", "after_own", "after_due"),
    [
        ("never", [], [], []),
        ("after_submission", [], ["别人的"], ["别人的"]),
        ("after_due", [], [], ["别人的"]),
        ("always", ["别人的"], ["别人的"], ["别人的"]),
    ],
)
def test_others_work_is_seen_when_the_assignment_says(
    world: World, clock: ManualClock, visibility: str, at_first: list[str], after_own: list[str], after_due: list[str]
) -> None:
    circle = world.circle()
    member, other = world.member(circle), world.member(circle)
    assignment = world.assignment(circle, visibility=visibility)
    theirs = world.hand_in(assignment, other, "别人的")

    def visible() -> list[str]:
        bodies = [body for body in listed(world, member, assignment) if body != "自己的"]
        assert (member.api.get(f"/submissions/{theirs['id']}").status == 200) == bool(bodies)
        return bodies

    assert visible() == at_first
    world.hand_in(assignment, member, "自己的")
    assert visible() == after_own
    clock.advance(7 * DAY)
    assert visible() == after_due
    assert listed(world, circle.owner, assignment) == ["自己的", "别人的"]


def test_reviews_are_for_the_author_and_teachers(world: World) -> None:
    circle = world.circle()
    author, fellow = world.member(circle), world.member(circle)
    assignment = world.assignment(circle, visibility="always")
    work = world.hand_in(assignment, author)
    review = world.review(work, circle.owner, body="只对你说")

    seen = fellow.api.get(f"/submissions/{work['id']}")

    assert (seen.json["reviews"], seen.json["state"]) == ([], None)
    assert fellow.api.get(f"/reviews/{review['id']}").status == 404
    assert author.api.get(f"/reviews/{review['id']}").ok()["body"] == "只对你说"
    assert fellow.api.patch(f"/reviews/{review['id']}", {"body": "x"}).status == 404
    assert author.api.patch(f"/reviews/{review['id']}", {"body": "x"}).status == 403


def test_files_are_as_visible_as_the_work(world: World) -> None:
    circle = world.circle()
    author, fellow = world.member(circle), world.member(circle)
    brief = world.media(circle.owner, purpose="assignment")
    assignment = world.assignment(circle, attachments=[str(brief)])
    picture = world.media(author, purpose="submission")
    world.hand_in(assignment, author, attachments=[str(picture)])

    assert fellow.api.get(f"/media/{brief}").status == 302
    assert circle.owner.api.get(f"/media/{picture}").status == 302
    assert fellow.api.get(f"/media/{picture}").status == 404
    assert world.person().api.get(f"/media/{brief}").status == 404


def test_who_has_left_keeps_their_own_work(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    world.hand_in(assignment, member, "我的作业")
    member.api.post(f"{circle.path}/leave").ok()

    assert [one["body"] for one in world.my_work(assignment, member)["versions"]] == ["我的作业"]
    assert member.api.post(f"{assignment.path}/submissions", {"body": "又一稿"}).status == 403


def test_what_was_taken_back_is_gone(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    work = world.hand_in(assignment, member)

    assert member.api.delete(assignment.path).code == "missing_permission"
    circle.owner.api.delete(assignment.path).ok(204)

    assert circle.owner.api.get(assignment.path).status == 404
    assert member.api.get(f"/submissions/{work['id']}").status == 404


def test_a_stale_edit_loses(world: World) -> None:
    circle = world.circle()
    assignment = world.assignment(circle)
    circle.owner.api.patch(assignment.path, {"title": "甲"}, headers={"If-Match": '"1"'}).ok()

    assert circle.owner.api.patch(assignment.path, {"title": "乙"}, headers={"If-Match": '"1"'}).status == 412


def test_pages_stand_still_while_work_comes_in(world: World) -> None:
    circle = world.circle()
    assignment = world.assignment(circle)
    authors = [world.member(circle) for _ in range(4)]
    for author in authors:
        world.hand_in(assignment, author, author.email)
    lists = (
        (f"{assignment.path}/submissions", lambda: world.hand_in(assignment, authors[0], world.person().email)),
        (f"{circle.path}/assignments", lambda: world.assignment(circle)),
        (f"{assignment.path}/missing", lambda: world.member(circle)),
    )
    for _ in range(3):
        world.assignment(circle)
        world.member(circle)

    for path, between in lists:
        before = circle.owner.api.get(f"{path}?limit=100").ok()["items"]
        found, cursor = [], ""
        while True:
            page = circle.owner.api.get(f"{path}?limit=1{cursor}").ok()
            found += page["items"]
            if page["next_cursor"] is None or len(found) == len(before):
                break
            cursor = f"&cursor={page['next_cursor']}"
            between()
        assert [_key(one) for one in found] == [_key(one) for one in before], path


def _key(one: dict[str, dict[str, str]]) -> object:
    return (one.get("author") or one.get("user") or one)["id"]


def test_a_showcase_needs_consent_and_becomes_the_authors_post(world: World) -> None:
    circle = world.circle()
    author, fellow = world.member(circle, name="小雨"), world.member(circle)
    assignment = world.assignment(circle, title="写一个开头")
    work = world.hand_in(assignment, author, "那年冬天很冷")
    column = circle.owner.api.post(f"{circle.path}/columns", {"name": "优秀作业"}).ok(201)
    show = f"/submissions/{work['id']}/showcase"
    assert circle.owner.api.post(show).code == "no_consent"
    author.api.put(f"{assignment.path}/mine/consent").ok(204)
    assert circle.owner.api.post(show).code == "wrong_state", "nobody has judged it"
    world.review(work, circle.owner, "excellent")
    assert fellow.api.post(show).status in {403, 404}
    circle.owner.api.post(show, {"column_id": column["id"]}).ok(200)

    [post] = fellow.api.get(f"{circle.path}/posts?column={column['id']}").ok()["items"]
    assert (post["title"], post["author"]["display_name"]) == ("写一个开头", "小雨")
    assert fellow.api.get(f"/submissions/{work['id']}").ok()["body"] == "那年冬天很冷"
    assert circle.owner.api.post(show).code == "already_shown"
    assert author.api.delete(f"{assignment.path}/mine/consent").code == "already_shown"


def test_work_of_a_tier_is_shown_to_that_tier(world: World) -> None:
    circle = world.circle()
    author, reader = world.member(circle, 2), world.member(circle, 1)
    tier = {"kind": "tier", "tier_id": str(circle.tier(2).id)}
    assignment = world.assignment(circle, audience=tier)
    work = world.hand_in(assignment, author, "付费内容")
    world.review(work, circle.owner, "excellent")
    author.api.put(f"{assignment.path}/mine/consent").ok(204)
    circle.owner.api.post(f"/submissions/{work['id']}/showcase").ok(200)

    feed = reader.api.get(f"{circle.path}/posts")

    assert feed.json["items"][0]["locked"] is True
    assert "付费内容" not in feed.bytes.decode()


def test_a_showcase_stands_behind_the_posts_that_have_no_section(world: World) -> None:
    circle = world.circle()
    author, first, last = world.member(circle), world.post(circle, title="甲"), world.post(circle, title="乙")
    column = world.column(circle, [first, last])
    sections = [{"name": "第一周", "post_ids": [str(last.id)]}]
    arranged = {"post_ids": [str(first.id)], "sections": sections}
    circle.owner.api.put(f"{column.path}/items", arranged).ok()
    work = world.hand_in(world.assignment(circle, title="作业"), author)
    world.review(work, circle.owner, "excellent")
    author.api.put(f"/assignments/{work['assignment_id']}/mine/consent").ok(204)

    circle.owner.api.post(f"/submissions/{work['id']}/showcase", {"column_id": str(column.id)}).ok(200)

    items = circle.owner.api.get(column.path).ok()["items"]
    assert [(one["section_id"] is None, one["post"]["title"]) for one in items] == [
        (True, "甲"),
        (True, "作业"),
        (False, "乙"),
    ]


def test_a_consent_can_be_taken_back(world: World) -> None:
    circle = world.circle()
    author = world.member(circle)
    assignment = world.assignment(circle)
    assert author.api.put(f"{assignment.path}/mine/consent").status == 404
    work = world.hand_in(assignment, author)
    world.review(work, circle.owner, "excellent")
    author.api.put(f"{assignment.path}/mine/consent").ok(204)
    author.api.delete(f"{assignment.path}/mine/consent").ok(204)

    assert circle.owner.api.post(f"/submissions/{work['id']}/showcase").code == "no_consent"
