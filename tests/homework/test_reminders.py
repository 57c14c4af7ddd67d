"""Who still owes homework, and reminders to exactly them."""

from datetime import timedelta

from circle.kernel.clock import ManualClock
from tests.builders.homework import at
from tests.client import World

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def kinds(world: World, person: object) -> list[str]:
    return [one["kind"] for one in world.notices(person)]  # type: ignore[arg-type]


def test_the_missing_list_names_exactly_those_who_owe(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    done, owing, redoing = world.member(circle), world.member(circle, name="没交"), world.member(circle)
    world.member(circle, role="admin")
    world.expired_member(circle, started=clock.now() - 9 * DAY, ended=clock.now() - 2 * DAY)
    world.banned_member(circle)
    assignment = world.assignment(circle, redo_until_passed=True)
    world.hand_in(assignment, done)
    world.review(world.hand_in(assignment, redoing), circle.owner, "redo")

    page = circle.owner.api.get(f"{assignment.path}/missing").ok()

    assert {one["user"]["id"] for one in page["items"]} == {str(owing.id), str(redoing.id)}
    assert page["items"][0] == {
        "user": {"id": str(owing.id), "display_name": "没交", "avatar_url": None},
        "due_at": "2026-03-08T04:00:00Z",
        "reminded_at": None,
    }
    assert owing.api.get(f"{assignment.path}/missing").code == "missing_permission"


def test_who_need_not_do_it_until_it_has_passed_owes_nothing_more(world: World) -> None:
    circle = world.circle()
    assignment = world.assignment(circle, redo_until_passed=False)
    work = world.hand_in(assignment, world.member(circle))

    world.review(work, circle.owner, "redo")

    assert world.missing(assignment) == []


def test_who_joined_after_it_was_due_owes_nothing(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    assignment = world.assignment(circle)
    clock.advance(8 * DAY)
    late = world.member(circle)

    assert world.missing(assignment) == []
    until = at(clock.now(), days=1)
    circle.owner.api.post(f"{assignment.path}/extensions", {"user_id": str(late.id), "due_at": until}).ok(201)
    assert world.missing(assignment) == [str(late.id)]


def test_who_may_not_look_back_that_far_owes_nothing(world: World, clock: ManualClock) -> None:
    circle = world.circle(lookback_days=7)
    assignment = world.assignment(circle, due_at=at(clock.now(), days=30))
    clock.advance(10 * DAY)
    newcomer = world.member(circle)

    assert newcomer.api.get(assignment.path).ok()["locked"] is True
    assert world.missing(assignment) == []


def test_a_teacher_reminds_exactly_those_who_owe_once_a_day(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    done, owing = world.member(circle), world.member(circle)
    assignment = world.assignment(circle)
    world.hand_in(assignment, done)
    remind = f"{assignment.path}/remind"

    assert circle.owner.api.post(remind).ok(200) == {"reminded": 1}
    assert circle.owner.api.post(remind).ok(200) == {"reminded": 0}
    assert (kinds(world, owing), kinds(world, done)) == (["homework_due"], [])
    [missing] = circle.owner.api.get(f"{assignment.path}/missing").ok()["items"]
    assert missing["reminded_at"] == "2026-03-01T04:00:00Z"

    clock.advance(DAY)
    assert circle.owner.api.post(remind).ok() == {"reminded": 1}
    assert done.api.post(remind).code == "missing_permission"


def test_a_teachers_reminder_names_each_ones_own_due_time(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    extended, other = world.member(circle), world.member(circle)
    assignment = world.assignment(circle)
    until = {"user_id": str(extended.id), "due_at": at(clock.now(), days=10)}
    circle.owner.api.post(f"{assignment.path}/extensions", until).ok(201)

    assert circle.owner.api.post(f"{assignment.path}/remind").ok(200) == {"reminded": 2}

    assert "2026-03-08 12:00" in str(world.notices(other)[0])
    assert "2026-03-11 12:00" in str(world.notices(extended)[0])


def test_due_soon_is_told_once_to_those_who_owe(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    done, owing = world.member(circle), world.member(circle)
    assignment = world.assignment(circle)
    world.hand_in(assignment, done)

    clock.advance(6 * DAY - HOUR)
    assert world.remind_about_homework() == 0
    clock.advance(2 * HOUR)
    assert world.remind_about_homework() == 1
    assert world.remind_about_homework() == 0

    assert (kinds(world, owing), kinds(world, done)) == (["homework_due"], [])
    [notice] = world.notices(owing)
    assert "2026-03-08 12:00" in str(notice)


def test_overdue_is_told_once_after(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    done, owing = world.member(circle), world.member(circle)
    assignment = world.assignment(circle, remind_hours=0)
    world.hand_in(assignment, done)
    clock.advance(7 * DAY + HOUR)

    assert world.remind_about_homework() == 1
    clock.advance(HOUR)
    assert world.remind_about_homework() == 0
    assert (kinds(world, owing), kinds(world, done)) == (["homework_overdue"], [])


def test_nobody_is_reminded_of_what_a_closed_circle_does_not_take(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    owing = world.member(circle)
    world.assignment(circle)
    clock.advance(6 * DAY + HOUR)
    circle.owner.api.patch(circle.path, {"closed": True}).ok()
    assert world.remind_about_homework() == 0

    circle.owner.api.patch(circle.path, {"closed": False}).ok()

    assert world.remind_about_homework() == 1
    assert kinds(world, owing) == ["homework_due"]


def test_an_extension_moves_the_reminders_too(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    extended, other = world.member(circle), world.member(circle)
    assignment = world.assignment(circle)
    until = at(clock.now(), days=10)
    circle.owner.api.post(f"{assignment.path}/extensions", {"user_id": str(extended.id), "due_at": until}).ok(201)

    clock.advance(7 * DAY + HOUR)
    assert world.remind_about_homework() == 1
    assert kinds(world, other) == ["homework_overdue"]
    assert kinds(world, extended) == ["homework_extended"]
    clock.advance(2 * DAY)
    assert world.remind_about_homework() == 1
    assert kinds(world, extended) == ["homework_due", "homework_extended"]


def test_what_is_long_over_is_not_dug_out(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    world.member(circle)
    world.assignment(circle)
    clock.advance(30 * DAY)

    assert world.remind_about_homework() == 0


def test_a_reminder_by_mail_waits_for_the_end_of_quiet_hours(world: World, clock: ManualClock, sql: object) -> None:
    circle = world.circle(quiet_from="11:00", quiet_to="13:30")
    world.member(circle)
    assignment = world.assignment(circle)

    circle.owner.api.post(f"{assignment.path}/remind").ok(200)

    [mail] = sql("SELECT due_at FROM outbox WHERE topic = 'notifications.email'")  # type: ignore[operator]
    assert mail["due_at"] == clock.now().replace(hour=5, minute=30)


def test_nobody_is_reminded_of_what_has_not_opened(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    world.member(circle)
    assignment = world.assignment(circle, opens_at=at(clock.now(), days=2))

    assert circle.owner.api.post(f"{assignment.path}/remind").code == "not_open_yet"
    assert world.remind_about_homework() == 0


def test_what_was_to_be_done_again_in_time_is_told_of_too(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    in_time, late = world.member(circle), world.member(circle)
    assignment = world.assignment(circle, redo_until_passed=True, remind_hours=0)
    works = [world.hand_in(assignment, one, one.email) for one in (in_time, late)]
    world.review(works[0], circle.owner, "redo")
    clock.advance(7 * DAY + HOUR)
    world.review(works[1], circle.owner, "redo")

    assert world.remind_about_homework() == 1
    assert world.remind_about_homework() == 0
    assert kinds(world, in_time) == ["homework_overdue", "homework_reviewed"]
    assert kinds(world, late) == ["homework_reviewed"]
