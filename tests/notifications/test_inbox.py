"""The inbox: who gets a notice, in which words, and how it is read."""

from datetime import timedelta

import pytest

from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from circle.kernel.uow import Units
from circle.notifications import schemas
from circle.notifications.kinds import NOTICES, Kind
from circle.notifications.services.sending import notify
from circle.web.pagination import page_of
from tests.client import Api, World
from tests.notifications.conftest import Tell


def test_a_notice_is_in_the_inbox(world: World, tell: Tell) -> None:
    reader = world.person()
    post_id = new_id()

    assert tell(reader, subject=("post", post_id)) == 1

    [notice] = reader.api.get("/me/notifications").ok()["items"]
    assert notice["kind"] == "comment_received"
    assert notice["title"] == "王老师 commented on what you wrote"
    assert notice["subject"] == {"kind": "post", "id": str(post_id)}
    assert notice["read_at"] is None


def test_a_notice_speaks_the_reader_s_language(app: object, world: World, tell: Tell) -> None:
    reader = world.person()
    tell(reader)

    [notice] = reader.api.get("/me/notifications", headers={"Accept-Language": "zh-CN"}).ok()["items"]

    assert notice["title"] == "王老师评论了你"
    assert notice["body"] == "在“写作训练营”里。"


def test_one_thing_is_told_once(world: World, tell: Tell) -> None:
    reader, other = world.person(), world.person()

    assert tell(reader) == 1
    assert tell([reader, other, other]) == 1

    assert len(reader.api.get("/me/notifications").ok()["items"]) == 1
    assert len(other.api.get("/me/notifications").ok()["items"]) == 1


def test_what_is_rolled_back_is_not_told(world: World, units: Units) -> None:
    reader = world.person()

    with pytest.raises(ZeroDivisionError), units.write() as uow:
        notify(uow, reader.id, Kind.MENTION, key="mention:1", circle="写作训练营", actor="王老师")
        raise ZeroDivisionError

    assert reader.api.get("/me/notifications").ok()["items"] == []


def test_a_circle_s_notice_names_it(world: World, tell: Tell, units: Units) -> None:
    circle = world.circle()

    with units.write() as uow:
        notify(uow, circle.owner.id, Kind.REPORT_RESOLVED, key="report:1", circle_id=circle.id)

    [notice] = circle.owner.api.get("/me/notifications").ok()["items"]
    assert notice["circle_id"] == str(circle.id)
    assert notice["data"]["circle"] in notice["body"]


def test_a_sentence_with_a_hole_is_a_mistake_of_ours(world: World, units: Units) -> None:
    with pytest.raises(TypeError, match="actor"), units.write() as uow:
        notify(uow, world.person().id, Kind.MENTION, key="mention:1", circle="写作训练营")


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_its_sentences(kind: Kind) -> None:
    values = dict.fromkeys(NOTICES[kind].names, "x")

    for text in (NOTICES[kind].title, NOTICES[kind].body):
        assert text.say("zh-CN", **values)
        assert text.say("en", **values)


def test_pages_do_not_shift_under_their_reader(world: World, tell: Tell, clock: ManualClock) -> None:
    reader = world.person()
    for number in range(5):
        clock.advance(timedelta(minutes=1))
        tell(reader, key=f"comment:{number}", circle=str(number))

    first = reader.api.get("/me/notifications?limit=2").ok()
    clock.advance(timedelta(minutes=1))
    tell(reader, key="comment:new", circle="new")
    second = reader.api.get(f"/me/notifications?limit=2&cursor={first['next_cursor']}").ok()
    last = reader.api.get(f"/me/notifications?limit=2&cursor={second['next_cursor']}").ok()

    pages = [[notice["data"]["circle"] for notice in page["items"]] for page in (first, second, last)]
    assert pages == [["4", "3"], ["2", "1"], ["0"]]
    assert last["next_cursor"] is None


def test_read_notices_are_not_unread(world: World, tell: Tell, clock: ManualClock) -> None:
    reader = world.person()
    for number in range(4):
        clock.advance(timedelta(minutes=1))
        tell(reader, key=f"comment:{number}")
    newest, *_, oldest = reader.api.get("/me/notifications").ok()["items"]

    assert reader.api.post("/me/notifications/read", {"ids": [newest["id"]]}).ok() == {"marked": 1}
    assert reader.api.post("/me/notifications/read", {"up_to": oldest["id"]}).ok() == {"marked": 1}

    assert len(reader.api.get("/me/notifications?unread=true").ok()["items"]) == 2
    assert len(reader.api.get("/me/notifications").ok()["items"]) == 4


def test_nobody_reads_or_marks_another_s_notices(world: World, tell: Tell, api: Api) -> None:
    reader, other = world.person(), world.person()
    tell(reader)
    [notice] = reader.api.get("/me/notifications").ok()["items"]

    assert other.api.get("/me/notifications").ok()["items"] == []
    assert other.api.post("/me/notifications/read", {"ids": [notice["id"]]}).ok() == {"marked": 0}
    assert other.api.post("/me/notifications/read", {"up_to": notice["id"]}).status == 404
    assert api.get("/me/notifications").status == 401
    assert len(reader.api.get("/me/notifications?unread=true").ok()["items"]) == 1


@pytest.mark.parametrize("body", [{}, {"ids": [], "up_to": str(new_id())}, {"ids": "all"}, {"ids": [1]}])
def test_what_to_mark_is_said_clearly(world: World, body: dict[str, object]) -> None:
    assert world.person().api.post("/me/notifications/read", body).status == 422


def test_the_hand_made_page_has_the_documented_shape(world: World, tell: Tell) -> None:
    reader = world.person()
    tell(reader, subject=("post", new_id()))

    page = reader.api.get("/me/notifications").ok()

    assert page_of(schemas.NotificationOut)().validate(page) == {}


def test_a_deleted_account_leaves_no_notices(world: World, tell: Tell, sql: object) -> None:
    reader = world.person()
    tell(reader)

    assert reader.api.delete("/me", json={}).status == 204

    assert not sql("SELECT 1 FROM notifications WHERE user_id = :id", id=reader.id)  # type: ignore[operator]
    assert tell(reader, key="comment:2") == 0
