"""The worker's jobs: run twice, killed, without storage, on poison."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from circle.kernel.clock import ManualClock
from circle.kernel.queue import SilentDoorbell
from circle.kernel.uow import Units
from circle.media.models import MACHINE, MediaStatus
from circle.media.services import processing
from circle.media.storage import Storage
from tests.builders.media import PDF, picture
from tests.client import World
from tests.media.faults import no_storage


def _row(sql: Any, media_id: UUID) -> Any:
    return sql("SELECT * FROM media WHERE id = :id", id=media_id)[0]


def _keys(units: Units, media_id: UUID) -> set[str]:
    """Which objects of a medium the storage holds."""
    storage = units.use(Storage)
    names = [f"uploads/{media_id}", *(f"media/{media_id}/{name}" for name in ("file", "full", "large", "thumb"))]
    return {key.rpartition("/")[2] if "media/" in key else "upload" for key in names if storage.size(key) is not None}


def test_processing_twice_is_processing_once(world: World, units: Units, sql: Any) -> None:
    person = world.person()
    media_id = world.uploaded(person, picture(1200, 900))

    assert world.process_media() == 1
    once = _row(sql, media_id)
    assert world.process_media() == 0

    assert _row(sql, media_id) == once
    assert _keys(units, media_id) == {"upload", "full", "large", "thumb"}


def test_a_killed_worker_only_delays(world: World, units: Units, clock: ManualClock) -> None:
    person = world.person()
    media_id = world.uploaded(person)
    with units.write() as uow:
        assert processing._claim(uow) is not None

    assert world.process_media() == 0
    assert person.api.get(f"/media/{media_id}").code == "not_ready"

    clock.advance(processing.LEASE)
    assert world.process_media() == 1
    assert person.api.get(f"/media/{media_id}").status == 302


def test_two_workers_on_one_upload_settle_once(world: World, units: Units, clock: ManualClock, sql: Any) -> None:
    media_id = world.uploaded(world.person())
    with units.write() as uow:
        slow = processing._claim(uow)
    assert slow is not None
    late = processing._attempt(units.use(Storage), slow)
    clock.advance(processing.LEASE)
    assert world.process_media() == 1
    settled = _row(sql, media_id)

    with units.write() as uow:
        processing._settle(uow, slow, late)

    assert _row(sql, media_id) == settled


def test_an_upload_that_kills_its_workers_is_given_up(world: World, units: Units, clock: ManualClock) -> None:
    person = world.person()
    media_id = world.uploaded(person)
    for _ in range(processing.MAX_ATTEMPTS):
        with units.write() as uow:
            assert processing._claim(uow) is not None
        clock.advance(processing.LEASE)

    world.process_media()

    assert person.api.get(f"/media/{media_id}").code == "processing_failed"


def test_poison_is_recorded_retried_and_given_up_while_others_go_on(world: World, clock: ManualClock, sql: Any) -> None:
    person = world.person()
    poison, good = world.uploaded(person), world.uploaded(person)
    sql("UPDATE media SET content_type = 'image/unheard-of' WHERE id = :id", id=poison)

    assert world.process_media() == 2

    assert person.api.get(f"/media/{good}").status == 302
    assert _row(sql, poison)["attempts"] == 1
    assert "KeyError" in _row(sql, poison)["error"]
    for _ in range(processing.MAX_ATTEMPTS):
        clock.advance(timedelta(hours=1))
        world.process_media()
    assert _row(sql, poison)["status"] == "rejected"
    assert person.api.get(f"/media/{poison}").code == "processing_failed"


def test_a_storage_that_is_away_is_not_the_fault_of_an_upload(
    world: World, units: Units, clock: ManualClock, sql: Any
) -> None:
    media_id = world.uploaded(world.person())
    with no_storage(units):
        for _ in range(processing.MAX_ATTEMPTS + 2):
            assert world.process_media() == 1
            clock.advance(timedelta(minutes=1))
    assert (_row(sql, media_id)["status"], _row(sql, media_id)["attempts"]) == ("uploaded", 0)

    world.process_media()

    assert _row(sql, media_id)["status"] == "ready"


def test_a_batch_is_bounded_and_rings_for_the_rest(world: World, doorbell: SilentDoorbell) -> None:
    person = world.person()
    for _ in range(processing.BATCH + 1):
        world.uploaded(person, PDF, filename="a.pdf", content_type="application/pdf")
    doorbell.rung.clear()

    assert world.process_media() == processing.BATCH
    assert doorbell.rung == ["media.process"]
    assert world.process_media() == 1


def test_every_state_can_end() -> None:
    assert all(MediaStatus.DELETING in MACHINE.moves[state] for state in MediaStatus if state != "deleting")


def test_many_uploads_of_one_person_hold_up_nobody_elses(world: World, units: Units, sql: Any) -> None:
    busy, other = world.person(), world.person()
    many = [world.uploaded(busy) for _ in range(4)]
    one = world.uploaded(other)

    order = []
    with units.write() as uow:
        while (media := processing._claim(uow)) is not None:
            order.append(media.id)

    # The last that came is second: one of many was there before it.
    assert order == [many[0], one, *many[1:]]


def test_an_upload_of_the_release_before_goes_first(world: World, units: Units, sql: Any) -> None:
    waits, old = world.uploaded(world.person()), world.uploaded(world.person())
    sql("UPDATE media SET turn_at = NULL WHERE id = :id", id=old)

    with units.write() as uow:
        first = processing._claim(uow)

    assert first is not None
    assert (first.id, first.id == waits) == (old, False)
