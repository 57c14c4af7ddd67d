"""The storage itself, away or at work."""

from dataclasses import replace
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest

from circle.config import Settings
from circle.kernel.clock import elapsed
from circle.kernel.uow import NetworkInsideUnitOfWork, Units
from circle.media import boto, s3
from circle.media import reach as reach_module
from circle.media.errors import StorageUnavailable
from circle.media.reach import Reach
from circle.media.s3 import S3Storage
from tests.builders.media import picture, send
from tests.client import Api, World
from tests.media.faults import dripping_port, no_storage, silent_port, storage_at


@pytest.fixture
def storage(settings: Settings) -> S3Storage:
    return S3Storage(settings)


def test_objects_come_back_as_they_went(storage: S3Storage) -> None:
    storage.put("tests/small", b"small", content_type="text/plain")
    storage.upload("tests/streamed", BytesIO(b"s" * 70_000), content_type="text/plain")

    assert storage.size("tests/small") == 5
    assert storage.peek("tests/streamed", 10) == (70_000, b"s" * 10)
    with storage.open("tests/streamed") as chunks:
        assert chunks is not None
        assert b"".join(chunks) == b"s" * 70_000


def test_a_large_object_goes_in_parts(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_PART", 5 * 1024 * 1024)
    content = b"0123456789abcdef" * (12 * 1024 * 1024 // 16)

    storage.upload("tests/large", BytesIO(content), content_type="application/zip")

    assert storage.size("tests/large") == len(content)
    storage.delete_many(["tests/large"])


def test_what_is_not_there_is_none(storage: S3Storage) -> None:
    assert storage.size("tests/nothing") is None
    assert storage.peek("tests/nothing", 10) is None
    with storage.open("tests/nothing") as chunks:
        assert chunks is None


def test_deleting_what_is_not_there_is_no_error(storage: S3Storage) -> None:
    storage.put("tests/doomed", b"x", content_type="text/plain")

    storage.delete_many(["tests/doomed", "tests/nothing"])
    storage.delete_many(["tests/doomed"])
    storage.delete_many([])

    assert storage.size("tests/doomed") is None


def test_a_bucket_is_made_once(settings: Settings) -> None:
    fresh = S3Storage(replace(settings, s3_bucket="circle-made-by-a-test"))

    fresh.ensure_bucket()
    fresh.ensure_bucket()

    assert fresh.check() is None
    assert S3Storage(replace(settings, s3_bucket="circle-never-made")).check() is not None


def test_links_are_signed_for_the_address_that_clients_reach(settings: Settings) -> None:
    public = S3Storage(replace(settings, s3_public_endpoint="https://files.example.org"))

    link = public.presign_get("media/x/full", seconds=300, content_type="image/png", disposition="inline")
    form = public.presign_post("uploads/x", content_type="image/png", size=1, seconds=300)

    assert urlsplit(link).netloc == urlsplit(form.url).netloc == "files.example.org"


@pytest.mark.parametrize(
    "call",
    [
        lambda storage: storage.size("x"),
        lambda storage: storage.peek("x", 1),
        lambda storage: storage.open("x").__enter__(),
        lambda storage: storage.put("x", b"", content_type="text/plain"),
        lambda storage: storage.upload("x", BytesIO(), content_type="text/plain"),
        lambda storage: storage.delete_many(["x"]),
        lambda storage: storage.ensure_bucket(),
        lambda storage: storage.check(),
    ],
)
def test_nothing_waits_for_the_storage_inside_a_unit_of_work(units: Units, storage: S3Storage, call: Any) -> None:
    with units.write(), pytest.raises(NetworkInsideUnitOfWork):
        call(storage)


def test_without_a_storage_media_are_503_and_nothing_is_half_written(
    world: World, units: Units, api: Api, sql: Any
) -> None:
    person = world.person()
    announced = world.announce(person, picture())
    send(announced["upload"], picture())
    path = f"/media/{announced['media_id']}/complete"
    before = sql("SELECT * FROM media")

    with no_storage(units):
        refused = person.api.post(path, headers={"Idempotency-Key": "once"})
        assert (refused.status, refused.code) == (503, "storage_unavailable")
        assert sql("SELECT * FROM media") == before
        person.api.get("/me").ok()
        person.api.patch("/me", {"bio": "文字照常。"}).ok()

    person.api.post(path, headers={"Idempotency-Key": "once"}).ok()


def test_links_need_no_storage(world: World, units: Units) -> None:
    person = world.person()
    media_id = world.media(person)

    with no_storage(units):
        assert person.api.get(f"/media/{media_id}").status == 302


def test_an_installation_without_its_storage_is_not_ready(units: Units, api: Api) -> None:
    assert api.get("http://localhost/readyz").ok()["parts"]["storage"] == "ok"

    with no_storage(units):
        assert api.get("http://localhost/readyz").status == 503


@pytest.mark.reliability
@pytest.mark.parametrize("operation", ["size", "peek", "check"])
def test_a_storage_that_never_answers_is_given_up_within_six_seconds(units: Units, operation: str) -> None:
    with silent_port() as endpoint, storage_at(units, endpoint) as storage:
        began = elapsed()
        if operation == "check":
            assert storage.check() is not None
        else:
            with pytest.raises(StorageUnavailable):
                getattr(storage, operation)(*(("x", 1) if operation == "peek" else ("x",)))

        assert elapsed() - began < 6


def test_a_storage_that_never_answers_is_given_up(world: World, units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto, "CONFIG", boto.CONFIG.merge(boto.Config(read_timeout=0.1)))
    person = world.person()
    announced = world.announce(person, picture())

    with silent_port() as endpoint, storage_at(units, endpoint):
        assert person.api.post(f"/media/{announced['media_id']}/complete").code == "storage_unavailable"


def test_an_object_that_comes_drop_by_drop_is_given_up(units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_PEEK_SECONDS", 0.1)

    with dripping_port() as endpoint, storage_at(units, endpoint) as storage, pytest.raises(StorageUnavailable):
        storage.peek("x", 65536)


def test_half_of_the_threads_wait_for_a_storage() -> None:
    reach = Reach(threads=4)

    with reach.waiting(), reach.waiting(), pytest.raises(StorageUnavailable), reach.waiting():
        pass

    with reach.waiting(), reach.waiting():
        pass


def test_a_storage_that_hung_is_left_alone_and_asked_by_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(reach_module, "elapsed", lambda: now)
    reach = Reach(threads=4)
    with pytest.raises(StorageUnavailable), reach.waiting():
        now += reach_module.HANGS_SECONDS + 1
        raise StorageUnavailable

    with pytest.raises(StorageUnavailable), reach.waiting():
        pytest.fail("nobody waits for it now")

    now += reach_module.LEFT_ALONE_SECONDS
    with reach.waiting(), pytest.raises(StorageUnavailable), reach.waiting():
        pytest.fail("one asks, and nobody beside them")
    with reach.waiting(), reach.waiting():
        pass


def test_what_fails_at_once_is_asked_again_at_once() -> None:
    reach = Reach(threads=2)
    for _ in range(2):
        with pytest.raises(StorageUnavailable), reach.waiting():
            raise StorageUnavailable

    with reach.waiting():
        pass
