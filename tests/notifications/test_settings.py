"""Who wants what, where and when."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from circle.kernel.uow import Units
from circle.notifications.kinds import Kind
from circle.notifications.quiet import next_loud
from circle.notifications.services import sending
from circle.notifications.services.sending import notify
from tests.builders.people import Person
from tests.client import World
from tests.notifications.conftest import Tell

PATH = "/me/notification-settings"
OFF = {"in_app": False, "email": False}
SHANGHAI = ZoneInfo("Asia/Shanghai")
Mail = Callable[[Person], list[dict[str, str]]]


def test_settings_are_replaced_as_a_whole(world: World) -> None:
    person = world.person()
    wishes = {
        "quiet_from": "22:00",
        "quiet_to": "08:00",
        "switches": [{"circle_id": None, "kind": "mention", "in_app": True, "email": True, "webhook": True}],
    }

    answer = person.api.put(PATH, wishes).ok()

    assert {name: answer[name] for name in wishes} == wishes
    assert person.api.get(PATH).ok() == answer
    assert {one["kind"] for one in answer["kinds"]} == set(Kind)
    assert person.api.put(PATH, {}).ok()["switches"] == []


def test_a_kind_is_switched_off(world: World, tell: Tell) -> None:
    person = world.person()
    person.api.put(PATH, {"switches": [{"kind": "comment_received", **OFF}]}).ok()

    assert tell(person) == 0
    assert tell(person, Kind.MENTION, key="mention:1") == 1


def test_what_hangs_on_money_stays_in_the_inbox(world: World, tell: Tell) -> None:
    person = world.person()
    person.api.put(PATH, {"switches": [OFF]}).ok()

    assert tell(person, Kind.PAYMENT_SUCCEEDED, key="payment:1", amount="CNY 199.00") == 1


def test_a_circle_is_switched_off_but_for_one_kind(world: World, units: Units) -> None:
    circle = world.circle()
    owner = circle.owner
    on = {"circle_id": str(circle.id), "kind": "mention", "in_app": True, "email": False}
    owner.api.put(PATH, {"switches": [on, {"circle_id": str(circle.id), **OFF}]}).ok()

    with units.write() as uow:
        told = [
            notify(uow, owner.id, kind, key=f"{kind}:1", circle_id=circle.id, actor="王老师")
            for kind in (Kind.COMMENT_RECEIVED, Kind.MENTION)
        ]

    assert told == [0, 1]


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"quiet_from": "22:00"}, "quiet_to"),
        ({"quiet_from": "22:00", "quiet_to": "22:00"}, "quiet_to"),
        ({"quiet_from": "25:00", "quiet_to": "08:00"}, "quiet_from"),
        ({"switches": [{"kind": "gossip", **OFF}]}, "switches.0.kind"),
        ({"switches": [OFF, OFF]}, "switches.1"),
        ({"switches": [{"circle_id": str(new_id()), **OFF}]}, "switches.0.circle_id"),
        ({"switches": [{"kind": "mention"}]}, "switches.0.in_app"),
        ({"loud": True}, "loud"),
    ],
)
def test_what_makes_no_sense_is_refused(world: World, wishes: dict[str, object], field: str) -> None:
    answer = world.person().api.put(PATH, wishes)

    assert answer.status == 422, answer
    assert field in answer.fields


def test_mail_follows_the_inbox(world: World, tell: Tell, mail: Mail) -> None:
    person = world.person()
    tell(person, Kind.QUESTION_ANSWERED, key="answer:1")

    [letter] = mail(person)

    assert letter["subject"] == "王老师回答了你的问题"
    assert "写作训练营" in letter["body"]


def test_mail_speaks_its_reader_s_language(world: World, tell: Tell, mail: Mail) -> None:
    person = world.person()
    person.api.patch("/me", {"language": "en"}).ok()
    tell(person, Kind.QUESTION_ANSWERED, key="answer:1")

    assert mail(person)[0]["subject"] == "王老师 answered your question"


def test_mail_without_the_inbox(world: World, tell: Tell, mail: Mail) -> None:
    person = world.person()
    person.api.put(PATH, {"switches": [{"kind": "mention", "in_app": False, "email": True}]}).ok()

    assert tell(person, Kind.MENTION, key="mention:1") == 1

    assert person.api.get("/me/notifications").ok()["items"] == []
    assert len(mail(person)) == 1


def test_mail_waits_for_the_end_of_quiet_hours(world: World, tell: Tell, mail: Mail, clock: ManualClock) -> None:
    person = world.person()
    person.api.put(PATH, {"quiet_from": "22:00", "quiet_to": "08:00"}).ok()
    clock.set(datetime(2026, 3, 1, 23, 30, tzinfo=SHANGHAI))
    tell(person, Kind.QUESTION_ANSWERED, key="answer:1")

    assert len(person.api.get("/me/notifications").ok()["items"]) == 1
    assert mail(person) == []
    clock.set(datetime(2026, 3, 2, 7, 59, tzinfo=SHANGHAI))
    assert mail(person) == []
    clock.set(datetime(2026, 3, 2, 8, 0, tzinfo=SHANGHAI))
    assert len(mail(person)) == 1


@pytest.mark.parametrize(("own", "theirs"), [("20:00-23:00", "22:00-08:00"), ("22:00-08:00", "20:00-23:00")])
def test_one_s_quiet_hours_may_end_in_those_of_the_circle(own: str, theirs: str) -> None:
    evening = datetime(2026, 3, 1, 21, 0, tzinfo=SHANGHAI)
    hours = [[time.fromisoformat(clock) for clock in both.split("-")] for both in (own, theirs)]
    person = sending._Person(new_id(), "Asia/Shanghai", *hours[0], has_email=True, hook_id=None)
    circle = sending._Circle(new_id(), "写作圈", "Asia/Shanghai", *hours[1])

    assert sending._rings_at(evening, circle, person) == datetime(2026, 3, 2, 8, 0, tzinfo=SHANGHAI)


def test_nobody_gets_mail_at_an_address_they_did_not_prove(world: World, tell: Tell, mail: Mail, sql: object) -> None:
    person = world.person()
    sql("UPDATE identities SET verified_at = NULL WHERE user_id = :id", id=person.id)  # type: ignore[operator]

    tell(person, Kind.QUESTION_ANSWERED, key="answer:1")

    assert mail(person) == []


@pytest.mark.parametrize(
    ("now", "starts", "ends", "then"),
    [
        ("12:00", "22:00", "08:00", "12:00"),
        ("22:00", "22:00", "08:00", "08:00 next day"),
        ("07:59", "22:00", "08:00", "08:00"),
        ("08:00", "22:00", "08:00", "08:00"),
        ("13:00", "12:00", "14:00", "14:00"),
        ("14:00", "12:00", "14:00", "14:00"),
        ("23:59", "00:00", "08:00", "23:59"),
        ("00:00", "00:00", "08:00", "08:00"),
    ],
)
def test_quiet_hours_by_the_clock(now: str, starts: str, ends: str, then: str) -> None:
    def at(words: str) -> datetime:
        clock, _, later = words.partition(" ")
        day = datetime(2026, 3, 1, tzinfo=SHANGHAI) + timedelta(days=1 if later else 0)
        return datetime.combine(day.date(), time.fromisoformat(clock), tzinfo=SHANGHAI).astimezone(UTC)

    assert next_loud(at(now), SHANGHAI, time.fromisoformat(starts), time.fromisoformat(ends)) == at(then)
