"""Reviews: verdicts, rubrics, remarks, scores with history, held back and released; the grading queue."""

from datetime import timedelta
from typing import Any

import pytest

from circle.homework.services.grading import LEASE
from circle.kernel.clock import ManualClock
from tests.builders.homework import BEST, RUBRIC, WORST
from tests.client import World
from tests.statements import counted

HOUR = timedelta(hours=1)


def test_a_review_names_the_version_it_judged_and_grows_old(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    review = world.review(world.hand_in(assignment, member, "一"), circle.owner, "redo", body="再改")

    assert (review["number"], review["outdated"]) == (1, False)
    assert world.my_work(assignment, member)["state"] == "redo"
    world.hand_in(assignment, member, "二")

    mine = world.my_work(assignment, member)
    assert [(one["number"], one["outdated"], one["verdict"]) for one in mine["reviews"]] == [(1, True, "redo")]
    assert mine["state"] == "submitted"
    assert [one["kind"] for one in world.notices(member)] == ["homework_reviewed"]


def test_a_rubric_gives_the_score(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle, rubric=RUBRIC)

    review = world.review(world.hand_in(assignment, member), circle.owner, "scored", rubric={**BEST, "文字": "生硬"})

    assert assignment.card["max_score"] == 10
    assert (review["score"], review["rubric"]) == (6, {"论点": "清楚", "文字": "生硬"})


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"verdict": "scored"}, {"score": "required"}),
        ({"score": 11}, {"score": "out_of_range"}),
        ({"score": -1}, {"score": "out_of_range"}),
        ({"score": 7.5}, {"score": "wrong_type"}),
        ({"verdict": "brilliant"}, {"verdict": "not_a_choice"}),
        ({"rubric": {"论点": "清楚"}}, {"rubric.文字": "required"}),
        ({"rubric": {**BEST, "论点": "绝妙"}}, {"rubric.论点": "unknown_level"}),
        ({"rubric": {**BEST, "字迹": "工整"}}, {"rubric.字迹": "unknown_criterion"}),
        ({"remarks": [{"start": 0, "end": 99, "text": "好"}]}, {"remarks.0.end": "out_of_range"}),
        ({"remarks": [{"start": 2, "end": 2, "text": "好"}]}, {"remarks.0.end": "out_of_range"}),
        ({"remarks": [{"start": 0, "end": 1, "text": " "}]}, {"remarks.0.text": "blank"}),
        ({"body": "x" * 10_001}, {"body": "too_long"}),
        ({"audio_media_id": "01890a5d-ac96-774b-bcce-b302099a8057"}, {"audio_media_id.0": "unknown_media"}),
    ],
)
def test_a_bad_review_is_refused(world: World, said: dict[str, Any], wrong: dict[str, str], sql: Any) -> None:
    circle = world.circle()
    work = world.hand_in(world.assignment(circle, rubric=RUBRIC), world.member(circle))

    refused = circle.owner.api.post(f"/submissions/{work['id']}/reviews", {"verdict": "passed", **said})

    assert (refused.status, refused.fields) == (422, wrong)
    assert sql("SELECT count(*) FROM reviews")[0]["count"] == 0


def test_remarks_stand_on_the_text(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    remark = {"start": 0, "end": 2, "text": "开头有画面。"}

    world.review(world.hand_in(assignment, member, "那年冬天😀"), circle.owner, remarks=[remark])

    assert world.my_work(assignment, member)["reviews"][0]["remarks"] == [remark]


def test_a_picture_is_no_spoken_note(world: World) -> None:
    circle = world.circle()
    work = world.hand_in(world.assignment(circle), world.member(circle))
    picture = world.media(circle.owner, purpose="review")

    sent = {"verdict": "passed", "audio_media_id": str(picture)}

    assert circle.owner.api.post(f"/submissions/{work['id']}/reviews", sent).status == 422


def test_a_review_may_speak(world: World) -> None:
    circle = world.circle()
    author, fellow = world.member(circle), world.member(circle)
    assignment = world.assignment(circle, visibility="always")
    note = world.recording(circle.owner, purpose="review")

    world.review(world.hand_in(assignment, author), circle.owner, body="", audio_media_id=str(note))

    [review] = world.my_work(assignment, author)["reviews"]
    assert (review["audio"]["id"], review["audio"]["kind"]) == (str(note), "audio")
    assert author.api.get(f"/media/{note}").status == 302
    assert fellow.api.get(f"/media/{note}").status == 404


def test_nobody_reviews_their_own_work(world: World) -> None:
    circle = world.circle()
    assistant, member = world.member(circle, role="admin"), world.member(circle)
    assignment = world.assignment(circle)
    staffs, members = world.hand_in(assignment, assistant, "助教"), world.hand_in(assignment, member, "学员")

    own = assistant.api.post(f"/submissions/{staffs['id']}/reviews", {"verdict": "excellent"})
    members_own = member.api.post(f"/submissions/{members['id']}/reviews", {"verdict": "excellent"})

    assert (own.status, own.code) == (403, "own_work")
    assert (members_own.status, members_own.code) == (403, "missing_permission")


def test_a_version_is_judged_once(world: World) -> None:
    circle = world.circle()
    assistant = world.member(circle, role="guest")
    work = world.hand_in(world.assignment(circle), world.member(circle))
    world.review(work, circle.owner)

    again = assistant.api.post(f"/submissions/{work['id']}/reviews", {"verdict": "redo"})

    assert (again.status, again.code) == (409, "already_reviewed")


def test_changing_a_score_keeps_the_old_one(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    review = world.review(world.hand_in(assignment, member), circle.owner, "scored", score=60)
    path = f"/reviews/{review['id']}"

    changed = circle.owner.api.patch(path, {"score": 80}, headers={"If-Match": '"1"'}).ok(200)

    assert (changed["score"], changed["version"]) == (80, 2)
    assert world.my_work(assignment, member)["score"] == 80
    [kept] = circle.owner.api.get(f"{path}/revisions").ok()["items"]
    assert (kept["score"], kept["changed_by"]["id"]) == (60, str(circle.owner.id))
    assert circle.owner.api.patch(path, {"score": 70}, headers={"If-Match": '"1"'}).status == 412
    assert circle.owner.api.patch(path, {"score": 101}).fields == {"score": "out_of_range"}
    assert member.api.get(f"{path}/revisions").code == "missing_permission"


def test_a_review_is_changed_by_who_wrote_it_or_who_leads_the_circle(world: World) -> None:
    circle = world.circle()
    wrote, other, partner = (world.member(circle, role=role) for role in ("admin", "guest", "partner"))
    review = world.review(world.hand_in(world.assignment(circle), world.member(circle)), wrote, body="第一次")
    path = f"/reviews/{review['id']}"

    assert other.api.patch(path, {"body": "别人改的"}).code == "missing_permission"
    wrote.api.patch(path, {"body": "第二次"}).ok(200)
    partner.api.patch(path, {"verdict": "excellent"}).ok(200)

    kept = other.api.get(f"{path}/revisions").ok()["items"]
    assert [(one["body"], one["verdict"], one["changed_by"]["id"]) for one in kept] == [
        ("第二次", "passed", str(partner.id)),
        ("第一次", "passed", str(wrote.id)),
    ]


def test_held_scores_are_released_together(world: World) -> None:
    circle = world.circle()
    first, second = world.member(circle), world.member(circle)
    assignment = world.assignment(circle, hold_scores=True)
    review = world.review(world.hand_in(assignment, first), circle.owner, "scored", score=90, body="秘密")
    world.review(world.hand_in(assignment, second), circle.owner, "redo", score=30)

    held = world.my_work(assignment, first)
    assert (held["state"], held["score"], held["reviews"]) == ("submitted", None, [])
    assert first.api.get(f"/reviews/{review['id']}").status == 404
    asked_again = world.my_work(assignment, second)
    assert (asked_again["state"], asked_again["score"]) == ("redo", None)
    assert asked_again["reviews"][0]["score"] is None
    assert world.notices(first) == []

    circle.owner.api.post(f"{assignment.path}/release").ok(200)

    out = world.my_work(assignment, first)
    assert (out["state"], out["score"], out["reviews"][0]["body"]) == ("scored", 90, "秘密")
    assert [one["kind"] for one in world.notices(first)] == ["homework_reviewed"]
    assert circle.owner.api.post(f"{assignment.path}/release").code == "nothing_held"


def test_scoring_rules_are_fixed_once_something_is_handed_in(world: World) -> None:
    circle = world.circle()
    assignment = world.assignment(circle)
    circle.owner.api.patch(assignment.path, {"max_score": 10}).ok()
    world.hand_in(assignment, world.member(circle))

    assert circle.owner.api.patch(assignment.path, {"max_score": 50}).code == "rules_in_use"
    assert circle.owner.api.patch(assignment.path, {"rubric": RUBRIC}).code == "rules_in_use"
    assert circle.owner.api.patch(assignment.path, {"title": "新标题"}).ok()["title"] == "新标题"


def test_the_queue_is_oldest_first_and_counts_by_state(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    assignment = world.assignment(circle)
    members = [world.member(circle, name=name) for name in ("甲", "乙", "丙")]
    works = []
    for member in members:
        works.append(world.hand_in(assignment, member, member.email))
        clock.advance(HOUR)
    world.review(works[0], circle.owner, "redo")

    queue = circle.owner.api.get(f"{assignment.path}/queue").ok()
    assert [one["author"]["display_name"] for one in queue["items"]] == ["乙", "丙"]
    assert queue["counts"] == {"submitted": 2, "redo": 1, "passed": 0, "excellent": 0, "scored": 0, "waiting": 2}

    world.hand_in(assignment, members[0], "改好了")
    queue = circle.owner.api.get(f"{assignment.path}/queue?limit=2").ok()
    assert [one["author"]["display_name"] for one in queue["items"]] == ["乙", "丙"]
    world.review(works[1], circle.owner)
    rest = circle.owner.api.get(f"{assignment.path}/queue?limit=2&cursor={queue['next_cursor']}").ok()["items"]
    assert [one["author"]["display_name"] for one in rest] == ["甲"]
    beside = circle.owner.api.get(f"/submissions/{works[2]['id']}/neighbours").ok()
    assert (beside["previous_id"], beside["next_id"]) == (works[1]["id"], rest[0]["submission_id"])
    assert members[0].api.get(f"{assignment.path}/queue").code == "missing_permission"


def test_two_assistants_never_grade_the_same(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    one, other = world.member(circle, role="admin"), world.member(circle, role="guest")
    assignment = world.assignment(circle)
    works = []
    for name in ("甲", "乙"):
        works.append(world.hand_in(assignment, world.member(circle), name))
        clock.advance(HOUR)
    claim = f"{assignment.path}/queue/claim"

    first, second = one.api.post(claim).ok(200), other.api.post(claim).ok(200)

    assert [first["submission_id"], second["submission_id"]] == [works[0]["id"], works[1]["id"]]
    assert one.api.post(claim).ok()["submission_id"] == works[0]["id"]
    assert circle.owner.api.post(claim).ok()["submission_id"] is None
    refused = other.api.post(f"/submissions/{works[0]['id']}/reviews", {"verdict": "passed"})
    assert (refused.status, refused.code) == (409, "claimed_by_another")
    assert other.api.post(claim, {"submission_id": works[0]["id"]}).code == "claimed_by_another"

    one.api.delete(claim).ok(204)
    assert circle.owner.api.post(claim).ok()["submission_id"] == works[0]["id"]
    clock.advance(LEASE)
    assert other.api.post(claim).ok()["submission_id"] == works[0]["id"]
    world.review(works[0], other)
    assert other.api.post(claim).ok()["submission_id"] == works[1]["id"]


def test_nobody_claims_their_own_work(world: World) -> None:
    circle = world.circle()
    assistant = world.member(circle, role="admin")
    assignment = world.assignment(circle)
    own = world.hand_in(assignment, assistant)

    assert assistant.api.post(f"{assignment.path}/queue/claim").ok()["submission_id"] is None
    assert assistant.api.post(f"{assignment.path}/queue/claim", {"submission_id": own["id"]}).code == "own_work"


def test_the_gradebook_shows_members_by_assignments(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    diligent, lazy = world.member(circle, name="勤快"), world.member(circle, name="偷懒")
    first = world.assignment(circle, title="第一次")
    clock.advance(HOUR)
    second = world.assignment(circle, title="第二次")
    world.review(world.hand_in(first, diligent), circle.owner, "scored", score=88)
    world.hand_in(second, diligent)

    book = circle.owner.api.get(f"{circle.path}/gradebook").ok()

    assert [one["title"] for one in book["assignments"]] == ["第一次", "第二次"]
    rows = {row["user"]["display_name"]: [(g["state"], g["score"]) for g in row["grades"]] for row in book["items"]}
    assert rows == {"勤快": [("scored", 88), ("submitted", None)], "偷懒": [("todo", None), ("todo", None)]}
    page = circle.owner.api.get(f"{circle.path}/gradebook?limit=1").ok()
    world.member(circle, name="新来的")
    after = circle.owner.api.get(f"{circle.path}/gradebook?limit=1&cursor={page['next_cursor']}").ok()
    assert [row["user"]["id"] for row in after["items"]] == [str(lazy.id)]
    assert lazy.api.get(f"{circle.path}/gradebook").code == "missing_permission"


def test_the_spreadsheet_opens_in_chinese_and_runs_nothing(world: World) -> None:
    circle = world.circle()
    member = world.member(circle, name='=HYPERLINK("http://evil","点")')
    world.member(circle, name="@SUM(1)")
    assignment = world.assignment(circle, title="+1 作业")
    world.review(world.hand_in(assignment, member), circle.owner, "scored", score=7)

    reply = circle.owner.api.get(f"{circle.path}/gradebook.csv")

    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/csv")
    assert reply.headers["Cache-Control"] == "private, no-store"
    text = reply.bytes.decode("utf-8")
    assert text.startswith("\ufeff编号")
    assert text.splitlines()[0].endswith("'+1 作业")
    assert "\"'=HYPERLINK(" in text
    assert ",'@SUM(1)," in text
    assert text.splitlines()[1].endswith(",7")
    assert text.splitlines()[2].endswith(",未交 owed")
    assert member.api.get(f"{circle.path}/gradebook.csv").code == "missing_permission"


def test_lists_cost_a_fixed_number_of_statements(world: World) -> None:
    circle = world.circle()
    assignment = world.assignment(circle)
    member = world.member(circle)
    owner = circle.owner.api
    paths = {
        f"{circle.path}/assignments": 3,
        f"{assignment.path}": 3,
        f"{assignment.path}/submissions": 3,
        f"{assignment.path}/queue": 4,
        f"{assignment.path}/missing": 3,
        f"{circle.path}/gradebook": 4,
    }
    world.hand_in(assignment, member, attachments=[str(world.media(member, purpose="submission"))])
    for _round in range(2):
        for path, expected in paths.items():
            with counted() as statements:
                owner.get(path).ok()
            assert len(statements) == expected, (path, statements)
        for _ in range(3):
            world.hand_in(assignment, world.member(circle))
            world.assignment(circle)


def test_worst_is_not_nothing(world: World) -> None:
    circle = world.circle()
    review = world.review(
        world.hand_in(world.assignment(circle, rubric=RUBRIC), world.member(circle)), circle.owner, rubric=WORST
    )

    assert review["score"] == 2


def test_a_verdict_on_an_older_version_is_not_that_of_the_work(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    older, _newer = (world.hand_in(assignment, member, body) for body in ("一", "二"))

    world.review(older, circle.owner, "excellent", score=100)

    mine = world.my_work(assignment, member)
    assert (mine["state"], mine["score"]) == ("submitted", None)
    assert len(circle.owner.api.get(f"{assignment.path}/queue").ok()["items"]) == 1


def test_a_newer_version_is_free_to_be_claimed(world: World) -> None:
    circle = world.circle()
    one, other = (world.member(circle, role="admin") for _ in range(2))
    assignment, member = world.assignment(circle), world.member(circle)
    world.hand_in(assignment, member, "一")
    one.api.post(f"{assignment.path}/queue/claim").ok(200)

    newer = world.hand_in(assignment, member, "二")

    assert other.api.post(f"{assignment.path}/queue/claim").ok()["submission_id"] == newer["id"]
