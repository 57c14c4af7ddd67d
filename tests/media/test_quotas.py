"""The space of a circle: counted, refused, given back, looked after."""

from datetime import timedelta
from typing import Any

from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from circle.media.services import quotas
from tests.builders.circles import BuiltCircle
from tests.builders.media import PDF, picture
from tests.builders.people import Person
from tests.client import World

FILE = {"filename": "讲义.pdf", "content_type": "application/pdf"}


def file_of(world: World, person: Person, purpose: str = "post") -> str:
    return str(world.media(person, PDF, purpose=purpose, **FILE))


def space(circle: BuiltCircle) -> dict[str, int]:
    found: dict[str, int] = circle.owner.api.get(f"{circle.path}/archive-report").ok()["storage"]
    return found


def allow(units: Units, circle: BuiltCircle, most: int | None) -> None:
    with units.write() as uow:
        quotas.set_quota(uow, circle.id, quota=most)


def post(circle: BuiltCircle, *media: str) -> Any:
    return circle.owner.api.post(f"{circle.path}/posts", {"kind": "talk", "body": "附件", "attachments": list(media)})


def test_what_is_attached_counts_until_it_is_let_go(world: World, units: Units) -> None:
    circle = world.circle()
    first, second = file_of(world, circle.owner), file_of(world, circle.owner)
    assert space(circle) == {"bytes": 0, "most": 100 * 1024**3}

    made = post(circle, first, second).ok(201)
    assert space(circle)["bytes"] == 2 * len(PDF)

    circle.owner.api.patch(f"/posts/{made['id']}", {"attachments": [first]}).ok()
    assert space(circle)["bytes"] == len(PDF)
    circle.owner.api.patch(f"/posts/{made['id']}", {"attachments": [first]}).ok()
    assert space(circle)["bytes"] == len(PDF)
    assert quotas.storage_adds_up(units) is None


def test_a_picture_counts_as_it_was_uploaded(world: World) -> None:
    circle, content = world.circle(), picture(300, 200)
    post(circle, str(world.uploaded(circle.owner, content))).ok(201)

    world.process_media()

    assert space(circle)["bytes"] == len(content)


def test_a_full_circle_takes_no_more_and_says_so(world: World, units: Units, sql: Any) -> None:
    circle = world.circle()
    files = [file_of(world, circle.owner) for _ in range(2)]
    allow(units, circle, len(PDF))
    kept = post(circle, files[0]).ok(201)
    posts = len(sql("SELECT 1 FROM posts"))

    refused = post(circle, files[1])

    assert (refused.status, refused.code, refused.json["data"]) == (409, "storage_full", {"most": len(PDF)})
    assert len(sql("SELECT 1 FROM posts")) == posts
    assert space(circle) == {"bytes": len(PDF), "most": len(PDF)}
    # What takes no space goes on, and what makes room helps.
    circle.owner.api.patch(f"/posts/{kept['id']}", {"body": "改过"}).ok()
    circle.owner.api.patch(f"/posts/{kept['id']}", {"attachments": []}).ok()
    post(circle, files[1]).ok(201)


def test_less_space_than_is_taken_deletes_nothing(world: World, units: Units) -> None:
    circle = world.circle()
    files = [file_of(world, circle.owner) for _ in range(3)]
    made = post(circle, *files[:2]).ok(201)

    allow(units, circle, 0)

    circle.owner.api.patch(f"/posts/{made['id']}", {"attachments": files[:1]}).ok()
    assert post(circle, files[2]).code == "storage_full"
    allow(units, circle, None)
    post(circle, files[2]).ok(201)


def test_a_purged_post_gives_its_space_back(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    made = post(circle, file_of(world, circle.owner)).ok(201)
    circle.owner.api.delete(f"/posts/{made['id']}").ok(204)
    assert space(circle)["bytes"] == len(PDF)

    clock.advance(timedelta(days=31))
    world.run_job("posts.purge_trash")

    with world.units.read() as uow:
        assert quotas.used(uow, circle.id).bytes == 0


def test_homework_and_check_ins_count_too(world: World, units: Units) -> None:
    camp = world.camp()
    member = world.camper(camp)
    own = file_of(world, member, "check_in")
    member.api.post(f"/camps/{camp.id}/check-ins", {"body": "读了", "attachments": [own]}).ok(201)

    with units.read() as uow:
        assert quotas.used(uow, camp.circle.id).bytes == len(PDF)


def test_the_doctor_sees_a_wrong_count(world: World, units: Units, sql: Any) -> None:
    circle = world.circle()
    post(circle, file_of(world, circle.owner)).ok(201)
    assert quotas.storage_adds_up(units) is None

    sql("UPDATE circle_storage SET bytes = bytes + 1 WHERE circle_id = :id", id=circle.id)

    assert f"{circle.id} has {len(PDF) + 1} for {len(PDF)}" in str(quotas.storage_adds_up(units))
    with units.write() as uow:
        quotas.recount(uow, circle.id)
    with units.read() as uow:
        assert quotas.used(uow, circle.id).bytes == len(PDF)
    assert quotas.storage_adds_up(units) is None


def test_what_a_process_of_the_release_before_lets_go_is_given_back_when_it_is_deleted(
    world: World, units: Units, clock: ManualClock, sql: Any
) -> None:
    circle = world.circle()
    post(circle, file_of(world, circle.owner)).ok(201)
    sql("UPDATE media SET attached_to = NULL, position = NULL, attached_at = NULL, expires_at = :now", now=clock.now())

    world.run_job("media.sweep")

    with units.read() as uow:
        assert quotas.used(uow, circle.id).bytes == 0
    assert quotas.storage_adds_up(units) is None
