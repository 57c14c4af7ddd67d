"""What nothing shows is deleted, and nothing else."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from circle.kernel.caller import Caller
from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from circle.kernel.uow import Units
from circle.media.models import Purpose
from circle.media.services import deleting, processing
from circle.media.services.attachments import attach, detach
from circle.media.services.objects import add_object
from circle.media.storage import Storage
from tests.builders.media import picture, send
from tests.builders.people import Person
from tests.client import World
from tests.media.faults import no_storage


def _kept(sql: Any) -> set[UUID]:
    return {row["id"] for row in sql("SELECT id FROM media")}


def _attach(
    world: World, person: Person, media_id: UUID, purpose: Purpose = Purpose.POST, to: UUID | None = None
) -> None:
    with world.units.write() as uow:
        attach(uow, Caller(person.id), [media_id], purpose=purpose, to=to or new_id())


def test_only_what_nothing_shows_is_deleted_after_a_day(
    world: World, units: Units, clock: ManualClock, sql: Any
) -> None:
    person = world.person()
    shown, forgotten = world.media(person), world.media(person)
    announced = UUID(world.announce(person, picture())["media_id"])
    _attach(world, person, shown)
    clock.advance(timedelta(hours=23))
    fresh = world.media(person)
    world.sweep_media()
    assert _kept(sql) == {shown, forgotten, announced, fresh}

    clock.advance(timedelta(hours=1))
    assert world.sweep_media() > 0

    assert _kept(sql) == {shown, fresh}
    storage = units.use(Storage)
    assert storage.size(f"media/{forgotten}/full") is None
    assert storage.size(f"media/{forgotten}/thumb") is None
    assert storage.size(f"media/{shown}/full") is not None
    assert world.sweep_media() == 0
    assert person.api.get(f"/media/{forgotten}").status == 404


def test_what_is_detached_has_a_day_to_come_back(world: World, clock: ManualClock, sql: Any) -> None:
    person, post = world.person(), new_id()
    media_id = world.media(person)
    _attach(world, person, media_id, to=post)
    clock.advance(timedelta(days=30))
    with world.units.write() as uow:
        detach(uow, [media_id], shown_by=post)

    clock.advance(timedelta(hours=23))
    world.sweep_media()
    assert _kept(sql) == {media_id}

    clock.advance(timedelta(hours=1))
    world.sweep_media()
    assert _kept(sql) == set()


def test_the_original_goes_once_its_form_has_expired(world: World, units: Units, clock: ManualClock) -> None:
    person = world.person()
    media_id = world.media(person, picture(form="JPEG"), content_type="image/jpeg")
    storage = units.use(Storage)
    world.sweep_media()
    assert storage.size(f"uploads/{media_id}") is not None

    clock.advance(timedelta(minutes=15))
    assert world.sweep_media() == 1

    assert storage.size(f"uploads/{media_id}") is None
    assert world.sweep_media() == 0
    assert world.fetch(person, media_id).status_code == 200


def test_an_upload_that_waits_for_its_worker_is_kept(world: World, units: Units, clock: ManualClock) -> None:
    media_id = world.uploaded(world.person())

    clock.advance(timedelta(hours=2))
    world.sweep_media()

    assert units.use(Storage).size(f"uploads/{media_id}") is not None


def test_what_a_worker_holds_is_not_deleted_under_it(world: World, units: Units, clock: ManualClock, sql: Any) -> None:
    media_id = world.uploaded(world.person())
    clock.advance(timedelta(hours=24))
    with units.write() as uow:
        assert processing._claim(uow) is not None

    world.sweep_media()
    assert _kept(sql) == {media_id}

    clock.advance(processing.LEASE)
    world.sweep_media()
    assert _kept(sql) == set()


def test_without_a_storage_the_rows_stay_and_are_tried_again(
    world: World, units: Units, clock: ManualClock, sql: Any
) -> None:
    person = world.person()
    media_id = world.media(person)
    clock.advance(timedelta(hours=24))
    with no_storage(units):
        world.sweep_media()
        assert _kept(sql) == {media_id}
        assert person.api.get(f"/media/{media_id}").status == 404

    clock.advance(deleting.LEASE)
    world.sweep_media()

    assert _kept(sql) == set()
    assert units.use(Storage).size(f"media/{media_id}/full") is None


def test_what_is_being_deleted_can_not_be_completed(world: World, units: Units, clock: ManualClock) -> None:
    person = world.person()
    announced = world.announce(person, picture())
    send(announced["upload"], picture())
    clock.advance(timedelta(hours=24))
    with no_storage(units):
        world.sweep_media()

    assert person.api.post(f"/media/{announced['media_id']}/complete").status == 404


def test_a_deleted_account_leaves_no_face(world: World, clock: ManualClock, sql: Any) -> None:
    person = world.person()
    face, posted, unused = world.media(person, purpose="avatar"), world.media(person), world.media(person)
    _attach(world, person, face, Purpose.AVATAR, to=person.id)
    _attach(world, person, posted)

    person.api.delete("/me", json={}).ok(204)
    world.sweep_media()

    assert _kept(sql) == {posted}
    assert unused not in _kept(sql)


def test_what_the_system_made_is_kept_until_it_expires(
    world: World, units: Units, clock: ManualClock, sql: Any
) -> None:
    person, other = world.person(), world.person()
    units.use(Storage).put("exports/one.zip", b"zip", content_type="application/zip")
    with units.write() as uow:
        export = add_object(
            uow,
            owner_id=person.id,
            purpose=Purpose.EXPORT,
            key="exports/one.zip",
            filename="导出.zip",
            content_type="application/zip",
            size=3,
            sha256=b"",
            expires_at=uow.now + timedelta(days=7),
        ).id

    # Its own route gives the link, and asks again who may have it.
    assert {one.api.get(f"/media/{export}").status for one in (person, other)} == {404}
    clock.advance(timedelta(days=7))
    world.sweep_media()
    assert _kept(sql) == set()
    assert units.use(Storage).size("exports/one.zip") is None
