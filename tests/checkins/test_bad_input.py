"""What a check-in refuses: clear answers, and nothing written."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from circle.kernel.words import count_words
from tests.builders.camps import BuiltCamp
from tests.builders.people import Person
from tests.client import Reply, World

DAY = timedelta(days=1)
NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"


def post(camp: BuiltCamp, person: Person, sent: dict[str, Any]) -> Reply:
    return person.api.post(f"{camp.path}/check-ins", sent)


def nothing_written(sql: Any) -> bool:
    tables = ("check_ins", "check_in_days", "check_in_versions")
    return not any(sql(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in tables)  # noqa: S608


BAD_ENTRIES: dict[str, tuple[dict[str, Any], str]] = {
    "empty": ({"body": ""}, "body"),
    "nothing but blanks": ({"body": " \n\u200b\u3000 "}, "body"),
    "fewer words than asked": ({"body": "短"}, "body"),
    "marks are no words": ({"body": "，。！？" * 20}, "body"),
    "overlong": ({"body": "x" * 10_001}, "body"),
    "NUL in the text": ({"body": "字" * 20 + "\0"}, "body"),
    "a number for a text": ({"body": 7}, "body"),
    "null for a text": ({"body": None}, "body"),
    "a future day": ({"day": "2026-03-09"}, "day"),
    "a day before the camp": ({"day": "2026-02-28"}, "day"),
    "30 February": ({"day": "2026-02-30"}, "day"),
    "the year 0": ({"day": "0000-01-01"}, "day"),
    "an instant without a zone": ({"made_at": "2026-03-01T12:00:00"}, "made_at"),
    "a client clock that is ahead": ({"made_at": "2026-03-02T12:00:00Z"}, "made_at"),
    "a client clock at the end of time": ({"made_at": "9999-12-31T23:59:59Z"}, "made_at"),
    "a clock and a day that contradict each other": ({"made_at": "2026-03-01T04:00:00Z", "day": "2026-03-02"}, "day"),
    "a number that is not asked for": ({"number": 5}, "number"),
    "a number as text": ({"number": "5"}, "number"),
    "true for a number": ({"number": True}, "number"),
    "a negative number": ({"number": -1}, "number"),
    "a huge number": ({"number": 1e300}, "number"),
    "an unknown file": ({"attachments": [NOWHERE]}, "attachments.0"),
    "a file id that is none": ({"attachments": ["x"]}, "attachments.0"),
    "one file for a list": ({"attachments": "x"}, "attachments"),
    "text for a yes": ({"on_feed": "yes"}, "on_feed"),
    "another person's id": ({"user_id": NOWHERE}, "user_id"),
    "the kind of a day": ({"kind": "done"}, "kind"),
    "a level": ({"level": 9}, "level"),
}


@pytest.mark.parametrize(("bad", "field"), BAD_ENTRIES.values(), ids=BAD_ENTRIES.keys())
def test_an_entry_that_makes_no_sense_is_refused(world: World, sql: Any, bad: dict[str, Any], field: str) -> None:
    camp = world.camp(requirement={"min_words": 10})
    person = world.camper(camp)

    reply = post(camp, person, {"body": "今天写了十个字以上的话。", **bad})

    assert reply.status == 422, reply
    assert field in reply.fields, reply
    assert nothing_written(sql)
    assert world.part(camp, person)["total"] == 0


def test_a_camp_without_a_requirement_wants_something_all_the_same(world: World, sql: Any) -> None:
    camp = world.camp()
    person = world.camper(camp)

    assert post(camp, person, {}).fields == {"body": "blank"}
    assert nothing_written(sql)


def test_a_number_is_asked_for_and_kept(world: World) -> None:
    camp = world.camp(requirement={"number": {"unit": "km {}"}})
    person = world.camper(camp)

    assert post(camp, person, {"body": ""}).fields == {"number": "number_needed"}
    assert world.check_in(camp, person, body="", number=5.25)["number"] == 5.25


def test_a_picture_is_asked_for(world: World) -> None:
    camp = world.camp(requirement={"image": True})
    person, other = world.camper(camp), world.camper(camp, "别人")

    assert post(camp, person, {"body": "没有图"}).fields == {"attachments": "image_needed"}
    theirs = world.uploaded(other, purpose="check_in")
    assert post(camp, person, {"attachments": [str(theirs)]}).fields == {"attachments.0": "unknown_media"}
    wrong = world.uploaded(person, purpose="post")
    assert post(camp, person, {"attachments": [str(wrong)]}).status == 422
    mine = world.media(person, purpose="check_in")
    done = world.check_in(camp, person, body="", attachments=[str(mine)])

    assert [one["id"] for one in done["attachments"]] == [str(mine)]
    assert world.fetch(other, mine).status_code == 200
    assert world.person().api.get(f"/media/{mine}").status == 404
    edited = world.check_in(camp, person, body="图还在")
    assert [one["id"] for one in edited["attachments"]] == [str(mine)]
    assert post(camp, person, {"body": "去掉图", "attachments": []}).fields == {"attachments": "image_needed"}


@pytest.mark.parametrize("asked", ["audio", "video"])
def test_a_recording_or_a_film_is_asked_for(world: World, asked: str) -> None:
    camp = world.camp(requirement={asked: True})
    person = world.camper(camp)
    spoken = {"audio": world.recording(person, purpose="check_in"), "video": world.film(person, purpose="check_in")}
    fitting = spoken.pop(asked)
    (other,) = spoken.values()

    assert post(camp, person, {"body": "没说话"}).fields == {"attachments": f"{asked}_needed"}
    assert post(camp, person, {"attachments": [str(other)]}).fields == {"attachments": f"{asked}_needed"}
    done = world.check_in(camp, person, body="", attachments=[str(fitting)])

    assert [one["kind"] for one in done["attachments"]] == [asked]


def test_chinese_is_counted_by_characters_and_other_scripts_by_words() -> None:
    assert count_words("今天写了三百字") == 7
    assert count_words("It's a well-known fact, 2026!") == 5
    assert count_words("读 Python 3 天") == 4
    assert count_words("😀 ，。 \u200b __ -- ") == 0


def test_someone_elses_camp_and_a_camp_that_is_not(world: World, sql: Any) -> None:
    camp = world.camp()
    member_elsewhere, stranger = world.member(world.circle()), world.person()

    assert post(camp, member_elsewhere, {"body": "写"}).status == 403
    assert post(camp, stranger, {"body": "写"}).status == 403
    assert stranger.api.post(f"/camps/{NOWHERE}/check-ins", {"body": "写"}).status == 404
    assert stranger.api.as_(None).post(f"{camp.path}/check-ins", {"body": "写"}).status == 401
    assert nothing_written(sql)


def test_an_expired_member_reads_their_camp_and_does_no_day(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    person = world.camper(camp, days=3)
    world.check_in(camp, person)
    clock.advance(4 * DAY)
    world.run_job("memberships.expire")

    assert world.part(camp, person)["total"] == 1
    assert post(camp, person, {"body": "写"}).code == "membership_expired"


def test_the_camps_day_counts_and_not_the_clients(world: World) -> None:
    """Kiritimati is a day ahead of Honolulu: a client names an instant, the camp its own day."""
    camp = world.camp(timezone="Pacific/Honolulu", starts_on="2026-02-28", ends_on="2026-03-20")
    person = world.camper(camp)

    assert post(camp, person, {"body": "写", "day": "2026-03-01"}).fields == {"day": "future_day"}
    done = world.check_in(camp, person, made_at="2026-03-01T17:59:00+14:00")
    assert (done["day"], done["made_at"]) == ("2026-02-28", "2026-03-01T03:59:00Z")


def test_before_joining_nothing_counts(world: World, clock: ManualClock) -> None:
    camp = world.camp(makeup_cards=5)
    clock.advance(3 * DAY)
    person = world.camper(camp)

    assert post(camp, person, {"body": "写", "day": camp.day(2)}).code == "before_joining"
    written = (clock.now() - timedelta(hours=30)).isoformat()
    assert post(camp, person, {"body": "写", "made_at": written}).code == "before_joining"
    assert post(camp, person, {"body": "写", "day": "2026-02-20"}).fields == {"day": "before_camp"}


def test_after_the_end_only_late_days_are_taken(world: World, clock: ManualClock) -> None:
    camp = world.camp(days=3, makeup_cards=1)
    person = world.camper(camp)
    clock.advance(3 * DAY)

    assert post(camp, person, {"body": "写"}).code == "camp_over"
    assert post(camp, person, {"body": "写", "day": camp.day(3)}).status == 201
    assert world.member(camp.circle).api.post(f"{camp.path}/join").code == "camp_over"


def test_who_may_not_speak_keeps_the_streak_and_is_read_by_teachers_alone(world: World) -> None:
    circle = world.circle()
    camp = world.camp(circle)
    person, other = world.camper(camp), world.camper(camp, "别人")
    until = {"muted_until": "2026-04-01T00:00:00Z"}
    circle.owner.api.patch(f"{circle.path}/members/{person.id}", until).ok()

    done = world.check_in(camp, person)

    assert (done["figures"]["streak"], done["on_feed"]) == (1, False)
    assert other.api.get(f"{camp.path}/check-ins").ok()["items"] == []
    assert len(circle.owner.api.get(f"{camp.path}/check-ins").ok()["items"]) == 1
    assert other.api.get(f"/check-ins/{done['id']}").status == 404


def test_joining_twice_is_a_conflict(world: World) -> None:
    camp = world.camp()
    person = world.camper(camp)

    assert person.api.post(f"{camp.path}/join").code == "already_in_camp"


@pytest.mark.parametrize(
    "path",
    [
        "check-ins?cursor=x",
        "rankings?cursor=e30",
        "rankings?by=luck",
        "calendar",
        "calendar?month=2026",
        "check-ins?limit=0",
    ],
)
def test_bad_queries_are_refused(world: World, path: str) -> None:
    camp = world.camp()
    person = world.camper(camp)

    assert person.api.get(f"{camp.path}/{path}").status in {400, 422}
