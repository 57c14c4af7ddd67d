"""Handing in: versions, dates, attempts, words, drafts."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError

from circle.kernel.clock import ManualClock
from tests.builders.homework import at
from tests.client import World

DAY = timedelta(days=1)
NOBODY = "01890a5d-ac96-774b-bcce-b302099a8057"
TWICE = [{"name": "b", "points": 1}, {"name": "b", "points": 2}]


def test_each_hand_in_is_a_numbered_version_with_its_instant(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle, name="小雨")
    assignment = world.assignment(circle)

    first = world.hand_in(assignment, member, "第一稿")
    clock.advance(timedelta(hours=1))
    second = world.hand_in(assignment, member, "第二稿 with words")

    assert (first["number"], second["number"]) == (1, 2)
    assert second["submitted_at"] == "2026-03-01T05:00:00Z"
    assert second["words"] == 5
    assert second["author"]["display_name"] == "小雨"
    mine = world.my_work(assignment, member)
    assert [one["body"] for one in mine["versions"]] == ["第一稿", "第二稿 with words"]
    assert [one["latest"] for one in mine["versions"]] == [False, True]
    assert [mine["state"], *(one["state"] for one in mine["versions"])] == ["submitted"] * 3


def test_a_doubled_tap_is_no_second_version(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    world.hand_in(assignment, member, "同一稿")

    again = member.api.post(f"{assignment.path}/submissions", {"body": "同一稿"})

    assert (again.status, again.code) == (409, "nothing_changed")
    assert len(world.my_work(assignment, member)["versions"]) == 1


def test_attempts_are_limited(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle, max_attempts=2)
    for draft in ("一", "二"):
        world.hand_in(assignment, member, draft)

    refused = member.api.post(f"{assignment.path}/submissions", {"body": "三"})

    assert (refused.status, refused.code) == (409, "no_attempts_left")
    assert world.my_work(assignment, member)["attempts_left"] == 0


def test_redo_until_passed_opens_another_attempt_even_after_the_cut_off(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle, max_attempts=1, redo_until_passed=True, late_policy="refused")
    world.review(world.hand_in(assignment, member, "一"), circle.owner, "redo")
    clock.advance(8 * DAY)

    redone = world.hand_in(assignment, member, "二")

    assert (redone["number"], redone["late_seconds"]) == (2, 0)
    world.review(redone, circle.owner, "passed")
    refused = member.api.post(f"{assignment.path}/submissions", {"body": "三"})
    assert refused.code in {"already_passed", "too_late"}


def test_work_that_passed_needs_no_further_version(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle, redo_until_passed=True)
    world.review(world.hand_in(assignment, member), circle.owner, "passed")

    assert member.api.post(f"{assignment.path}/submissions", {"body": "再来"}).code == "already_passed"


def test_nothing_is_taken_before_it_opens(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle, opens_at=at(clock.now(), days=1), brief="先别看")

    seen = member.api.get(assignment.path).ok()
    refused = member.api.post(f"{assignment.path}/submissions", {"body": "早"})

    assert (seen["locked"], seen["brief"], seen["mine"]["state"]) == (True, None, "upcoming")
    assert refused.code == "not_open_yet"
    clock.advance(DAY)
    assert member.api.get(assignment.path).ok()["brief"] == "先别看"
    world.hand_in(assignment, member)


def test_late_work_is_taken_and_marked(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    clock.advance(7 * DAY + timedelta(seconds=90))

    assert member.api.get(assignment.path).ok()["mine"]["state"] == "overdue"
    late = world.hand_in(assignment, member)

    assert (late["late_seconds"], late["penalty_percent"]) == (90, 0)


def test_a_penalty_per_day_begun_is_taken_off_the_score(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle, late_policy="penalty", penalty_percent=10)
    clock.advance(8 * DAY + timedelta(minutes=1))

    late = world.hand_in(assignment, member)
    review = world.review(late, circle.owner, "scored", score=85)

    assert late["penalty_percent"] == 20
    assert (review["score"], review["final_score"]) == (85, 68)
    assert world.my_work(assignment, member)["score"] == 68


def test_late_work_loses_no_more_than_its_score(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    assignment = world.assignment(circle, late_policy="penalty", penalty_percent=60)
    member = world.member(circle)
    clock.advance(9 * DAY)

    late = world.hand_in(assignment, member)

    assert late["penalty_percent"] == 100
    assert world.review(late, circle.owner, "scored", score=85)["final_score"] == 0


def test_late_work_is_refused_after_the_cut_off(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    without = world.assignment(circle, late_policy="refused")
    with_cutoff = world.assignment(circle, late_policy="refused", cutoff_at=at(clock.now(), days=9))
    accepting = world.assignment(circle, cutoff_at=at(clock.now(), days=9))

    clock.advance(7 * DAY)
    assert member.api.post(f"{without.path}/submissions", {"body": "晚"}).code == "too_late"
    world.hand_in(with_cutoff, member)
    clock.advance(2 * DAY)
    for closed in (with_cutoff, accepting):
        assert member.api.post(f"{closed.path}/submissions", {"body": "更晚"}).code == "too_late"
    assert accepting.circle.owner.api.get(accepting.path).ok()["mine"]["state"] == "closed"


@pytest.mark.parametrize(
    ("body", "words"),
    [("一二三四五", 5), ("one two three four five", 5), ("写了 three words 啊!", 5), ("don't stop 写作吧", 5)],
)
def test_chinese_is_counted_by_characters_and_latin_by_words(world: World, body: str, words: int) -> None:
    circle = world.circle()
    member = world.member(circle)
    enough, more = world.assignment(circle, min_words=words), world.assignment(circle, min_words=words + 1)

    assert world.hand_in(enough, member, body)["words"] == words
    refused = member.api.post(f"{more.path}/submissions", {"body": body})
    assert refused.fields == {"body": "too_few_words"}


def test_blanks_are_no_words(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    demanding, lax = world.assignment(circle, min_words=3), world.assignment(circle)

    for nothing in ("", " \n\t ", "\u3000\u200b\ufeff", "。。。,,,!!!"):
        assert member.api.post(f"{demanding.path}/submissions", {"body": nothing}).status == 422
    for nothing in ("", "  ", "\u3000\u200b"):
        assert member.api.post(f"{lax.path}/submissions", {"body": nothing}).fields == {"body": "blank"}
    assert world.my_work(lax, member)["versions"] == []


def test_a_draft_is_kept_and_dropped_with_the_hand_in(world: World) -> None:
    circle = world.circle()
    member, other = world.member(circle), world.member(circle)
    assignment = world.assignment(circle)
    picture = world.media(member, purpose="submission")
    draft = f"{assignment.path}/draft"
    assert member.api.get(draft).status == 404

    member.api.put(draft, {"body": "刚开始"}).ok(200)
    saved = member.api.put(draft, {"body": "写到一半", "attachments": [str(picture)]}).ok(200)

    assert (saved["body"], saved["version"]) == ("写到一半", 2)
    assert [one["id"] for one in saved["attachments"]] == [str(picture)]
    assert other.api.get(draft).status == 404
    handed_in = world.hand_in(assignment, member, "写完了", attachments=[str(picture)])
    assert [one["id"] for one in handed_in["attachments"]] == [str(picture)]
    assert member.api.get(draft).status == 404
    assert world.my_work(assignment, member)["draft_saved_at"] is None


def test_files_go_on_from_version_to_version(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle, visibility="always")
    first, second = (str(world.media(member, purpose="submission")) for _ in range(2))
    world.hand_in(assignment, member, "第一稿", attachments=[first])
    draft = member.api.put(f"{assignment.path}/draft", {"body": "改", "attachments": [second, first]}).ok(200)

    world.hand_in(assignment, member, "第二稿", attachments=[second, first])
    world.hand_in(assignment, member, "第三稿", attachments=[first])

    versions = world.my_work(assignment, member)["versions"]
    shown = [[one["id"] for one in version["attachments"]] for version in versions]
    assert shown == [[first], [second, first], [first]]
    assert [one["id"] for one in draft["attachments"]] == [second, first]
    fellow = world.member(circle)
    assert fellow.api.get(f"/media/{first}").status == 302, "the latest version shows it"
    assert fellow.api.get(f"/media/{second}").status == 404, "no version that others see shows it any more"
    assert circle.owner.api.get(f"/media/{second}").status == 302


def test_files_of_other_work_do_not_go_along(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    picture = str(world.media(member, purpose="submission"))
    world.hand_in(world.assignment(circle), member, attachments=[picture])
    other = world.assignment(circle)

    refused = member.api.post(f"{other.path}/submissions", {"body": "又", "attachments": [picture]})

    assert refused.fields == {"attachments.0": "already_attached"}


@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("table", ["submissions", "extensions", "review_revisions"])
def test_what_happened_stays(sql: Any, statement: str, table: str) -> None:
    with pytest.raises(DatabaseError, match=f"{table} is append-only"):
        sql(statement.format(table))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE submissions SET body = ''",
        "UPDATE review_revisions SET score = 100",
        "UPDATE extensions SET due_at = now()",
        "UPDATE extensions SET note = 'of another time'",
        "UPDATE extensions SET note = '', due_before = NULL",
    ],
)
def test_what_happened_is_not_told_otherwise(world: World, sql: Any, change: str) -> None:
    circle = world.circle()
    member = world.member(circle)
    due = {"user_id": str(member.id), "due_at": "2026-04-01T00:00:00Z", "note": "生病"}
    circle.owner.api.post(f"{world.assignment(circle).path}/extensions", due).ok(201)

    with pytest.raises(DatabaseError, match="is append-only"):
        sql(change)


def test_a_deleted_account_leaves_its_hand_ins_and_no_draft(world: World, sql: Any) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment, other = world.assignment(circle), world.assignment(circle)
    work = world.hand_in(assignment, member, "交上去的")
    picture = str(world.media(member, purpose="submission"))
    member.api.put(f"{other.path}/draft", {"body": "没写完", "attachments": [picture]}).ok(200)

    member.api.delete("/me", json={}).ok(204)

    assert sql("SELECT count(*) AS n FROM homework_drafts")[0]["n"] == 0
    assert sql("SELECT expires_at FROM media WHERE id = :id", id=picture)[0]["expires_at"] is not None
    shown = circle.owner.api.get(f"/submissions/{work['id']}").ok()
    assert (shown["body"], shown["author"]["id"]) == ("交上去的", str(member.id))


def test_files_alone_are_a_hand_in(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    files = [make(member, purpose="submission") for make in (world.media, world.recording, world.film)]

    handed = world.hand_in(assignment, member, "", attachments=[str(one) for one in files])

    assert (handed["number"], handed["words"]) == (1, 0)
    assert [one["kind"] for one in handed["attachments"]] == ["image", "audio", "video"]


def test_other_peoples_files_are_not_handed_in(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    stolen = world.media(world.member(circle), purpose="submission")

    refused = member.api.post(f"{assignment.path}/submissions", {"body": "看", "attachments": [str(stolen)]})

    assert refused.fields == {"attachments.0": "unknown_media"}
    assert world.my_work(assignment, member)["versions"] == []


def test_muted_members_may_still_do_their_homework(world: World, clock: ManualClock) -> None:
    circle = world.circle(silence_hours=72)
    member = world.member(circle)
    assignment = world.assignment(circle)

    assert world.hand_in(assignment, member)["number"] == 1


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"title": " "}, {"title": "blank"}),
        ({"brief": "x" * 100_001}, {"brief": "too_long"}),
        ({"due_at": "2026-02-01T00:00:00Z"}, {"due_at": "in_the_past"}),
        ({"due_at": "2026-02-30T00:00:00Z"}, {"due_at": "bad_time"}),
        ({"opens_at": "2026-04-01T00:00:00Z", "due_at": "2026-03-20T00:00:00Z"}, {"due_at": "out_of_order"}),
        ({"cutoff_at": "2026-03-02T00:00:00Z"}, {"cutoff_at": "out_of_order"}),
        ({"max_attempts": 0}, {"max_attempts": "out_of_range"}),
        ({"max_attempts": 1.5}, {"max_attempts": "wrong_type"}),
        ({"min_words": -1}, {"min_words": "out_of_range"}),
        ({"visibility": "sometimes"}, {"visibility": "not_a_choice"}),
        ({"penalty_percent": 10}, {"penalty_percent": "one_of"}),
        ({"late_policy": "penalty"}, {"penalty_percent": "one_of"}),
        ({"late_policy": "penalty", "penalty_percent": 101}, {"penalty_percent": "out_of_range"}),
        ({"audience": {"kind": "tier"}}, {"audience.tier_id": "one_of"}),
        ({"audience": {"kind": "named", "user_ids": []}}, {"audience.user_ids": "bad_length"}),
        ({"audience": {"kind": "all", "user_ids": [NOBODY]}}, {"audience.user_ids": "one_of"}),
        (
            {"audience": {"kind": "named", "user_ids": [NOBODY]}},
            {"audience.user_ids.0": "unknown_member"},
        ),
        (
            {"audience": {"kind": "tier", "tier_id": NOBODY}},
            {"audience.tier_id": "unknown_tier"},
        ),
        ({"peer_review": {"reviewers": 2}}, {"rubric": "required"}),
        ({"rubric": [{"name": "论点", "levels": []}]}, {"rubric.0.levels": "bad_length"}),
        ({"rubric": [{"name": "a", "levels": TWICE}]}, {"rubric.0.levels.1.name": "doubled"}),
        ({"rubric": [{"name": "a", "levels": [{"name": "b", "points": 5}]}], "max_score": 9}, {"max_score": "one_of"}),
        ({"circle_id": "x"}, {"circle_id": "unknown_field"}),
        ({"attachments": [NOBODY]}, {"attachments.0": "unknown_media"}),
    ],
)  # fmt: skip
def test_a_bad_assignment_is_refused(world: World, fields: dict[str, Any], wrong: dict[str, str], sql: Any) -> None:
    circle = world.circle()
    sent = {"title": "作业", "due_at": "2026-03-20T00:00:00Z", **fields}

    refused = circle.owner.api.post(f"{circle.path}/assignments", sent)

    assert (refused.status, refused.fields) == (422, wrong)
    assert sql("SELECT count(*) FROM assignments")[0]["count"] == 0


@pytest.mark.parametrize("body", [None, 7, [], "x" * 100_001, "a\0b", "a\ud800b"])
def test_a_bad_body_is_refused(world: World, body: Any) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)

    assert member.api.post(f"{assignment.path}/submissions", {"body": body}).status in {400, 422}
    assert world.my_work(assignment, member)["attempts"] == 0
