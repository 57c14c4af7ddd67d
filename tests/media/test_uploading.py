"""From the announcement of a file to the moment it can be fetched."""

from datetime import timedelta
from io import BytesIO
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from PIL import Image

from circle.config import Settings
from circle.kernel.clock import ManualClock
from circle.kernel.queue import SilentDoorbell
from circle.media.s3 import S3Storage
from tests.builders.media import PDF, picture, send
from tests.client import Api, World


def test_a_picture_is_announced_uploaded_completed_processed_and_fetched(
    world: World, doorbell: SilentDoorbell
) -> None:
    person = world.person()
    content = picture(1600, 1200)
    announced = world.announce(person, content, filename="读书笔记.png")

    assert send(announced["upload"], content).status_code == 201
    completed = person.api.post(f"/media/{announced['media_id']}/complete").ok()
    assert completed["status"] == "uploaded"
    assert completed["thumbnail_url"] is None
    assert doorbell.rung == ["media.process"]

    assert world.process_media() == 1
    card = person.api.post(f"/media/{announced['media_id']}/complete").ok()
    url = f"/v1/media/{announced['media_id']}"
    assert card == {
        "id": announced["media_id"],
        "kind": "image",
        "status": "ready",
        "filename": "读书笔记.png",
        "content_type": "image/png",
        "size": card["size"],
        "width": 1600,
        "height": 1200,
        "url": url,
        "thumbnail_url": f"{url}?size=thumb",
    }
    fetched = world.fetch(person, announced["media_id"])
    assert fetched.headers["Content-Type"] == "image/png"
    assert len(fetched.content) == card["size"]
    assert Image.open(BytesIO(fetched.content)).size == (1600, 1200)


def test_smaller_versions_are_webp_of_their_size(world: World) -> None:
    person = world.person()
    wide = world.media(person, picture(2400, 1200, "JPEG"), content_type="image/jpeg")

    for size, expected in (("thumb", (360, 180)), ("large", (1080, 540))):
        fetched = world.fetch(person, wide, size)
        assert fetched.headers["Content-Type"] == "image/webp"
        assert Image.open(BytesIO(fetched.content)).size == expected


def test_a_small_picture_is_its_own_large_version(world: World) -> None:
    person = world.person()
    small = world.media(person, picture(100, 50))

    assert Image.open(BytesIO(world.fetch(person, small, "large").content)).size == (100, 50)
    assert Image.open(BytesIO(world.fetch(person, small, "thumb").content)).size == (100, 50)


def test_a_file_is_fetched_as_it_came_and_as_an_attachment(world: World) -> None:
    person = world.person()
    pdf = world.media(person, PDF, filename="讲义 1.pdf", content_type="application/pdf")

    fetched = world.fetch(person, pdf)

    assert fetched.content == PDF
    assert fetched.headers["Content-Type"] == "application/pdf"
    assert unquote(fetched.headers["Content-Disposition"]).endswith("filename*=UTF-8''讲义 1.pdf")
    assert fetched.headers["Content-Disposition"].startswith("attachment;")


def test_text_is_never_served_as_something_a_browser_sniffs(world: World) -> None:
    person = world.person()
    text = "# 笔记\n<b>粗</b>".encode()
    note = world.media(person, text, filename="note.md", content_type="text/markdown")

    assert world.fetch(person, note).headers["Content-Type"] == "application/octet-stream"
    assert person.api.get(f"/media/{note}").headers["X-Content-Type-Options"] == "nosniff"


def test_links_live_for_five_minutes_at_most(world: World) -> None:
    person = world.person()
    media_id = world.media(person)

    reply = person.api.get(f"/media/{media_id}")

    assert reply.status == 302
    assert int(parse_qs(urlsplit(reply.headers["Location"]).query)["X-Amz-Expires"][0]) <= 300
    assert reply.headers["Cache-Control"] == "private, no-store"


def test_a_link_can_not_be_bent_to_another_object(world: World) -> None:
    person, stranger = world.person(), world.person()
    mine, theirs = world.media(person), world.media(stranger)

    link = person.api.get(f"/media/{mine}").headers["Location"]

    assert httpx.get(link.replace(str(mine), str(theirs))).status_code == 403


@pytest.mark.parametrize(
    ("change", "content"),
    [
        ({}, picture() + b"\0"),
        ({}, picture()[:-1]),
        ({"key": "uploads/elsewhere"}, picture()),
        ({"Content_Type": "text/html"}, picture()),
    ],
    ids=["oversize", "undersize", "wrong key", "wrong type"],
)
def test_the_storage_refuses_what_was_not_announced(world: World, change: dict[str, str], content: bytes) -> None:
    person = world.person()
    announced = world.announce(person, picture())

    assert send(announced["upload"], content, **change).status_code in {400, 403}
    assert person.api.post(f"/media/{announced['media_id']}/complete").code == "not_uploaded"


def test_the_storage_refuses_an_expired_form(settings: Settings) -> None:
    form = S3Storage(settings).presign_post("uploads/late", content_type="image/png", size=len(picture()), seconds=-1)

    assert send(form._asdict(), picture()).status_code == 403


def test_completing_without_an_upload_changes_nothing(world: World) -> None:
    person = world.person()
    announced = world.announce(person, picture())

    assert person.api.post(f"/media/{announced['media_id']}/complete").code == "not_uploaded"

    send(announced["upload"], picture())
    person.api.post(f"/media/{announced['media_id']}/complete").ok()


def test_nothing_is_served_before_it_was_processed(world: World) -> None:
    person = world.person()
    media_id = world.uploaded(person)

    refused = person.api.get(f"/media/{media_id}")

    assert (refused.status, refused.code) == (409, "not_ready")


def test_media_of_others_is_not_found(world: World, api: Api) -> None:
    person, stranger = world.person(), world.person()
    media_id = world.media(person)

    assert stranger.api.get(f"/media/{media_id}").status == 404
    assert stranger.api.post(f"/media/{media_id}/complete").status == 404
    assert api.get(f"/media/{media_id}").status == 401
    assert api.post("/media", {}).status in {401, 422}


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"content_type": "image/svg+xml"}, "content_type", "unsupported_type"),
        ({"content_type": "text/html"}, "content_type", "unsupported_type"),
        ({"content_type": "application/x-msdownload"}, "content_type", "unsupported_type"),
        ({"content_type": "application/pdf", "purpose": "avatar"}, "content_type", "unsupported_type"),
        ({"purpose": "export"}, "purpose", "not_a_choice"),
        ({"size": 20 * 1024 * 1024 + 1}, "size", "too_large"),
        ({"size": 200 * 1024 * 1024 + 1, "content_type": "video/mp4"}, "size", "too_large"),
        ({"size": 0}, "size", "out_of_range"),
        ({"size": 1.9}, "size", "wrong_type"),
        ({"size": 2**63}, "size", "out_of_range"),
        ({"filename": "a\0b.png"}, "filename", "bad_characters"),
        ({"filename": "photo\u202egnp.exe"}, "filename", "bad_characters"),
        ({"filename": "   "}, "filename", "blank"),
        ({"object_key": "media/x"}, "object_key", "unknown_field"),
    ],
)
def test_a_bad_announcement_is_refused(world: World, changes: dict[str, object], field: str, code: str) -> None:
    body = {"filename": "a.png", "content_type": "image/png", "size": 100, "purpose": "post", **changes}

    refused = world.person().api.post("/media", body)

    assert refused.status == 422
    assert refused.fields[field] == code


def test_nobody_may_use_the_storage_as_a_dump(world: World, clock: ManualClock) -> None:
    person = world.person()
    body = {"filename": "a.mp4", "content_type": "video/mp4", "size": 200 * 1024 * 1024, "purpose": "post"}
    for _ in range(20):
        person.api.post("/media", body).ok(201)

    assert person.api.post("/media", body).code == "too_much_unattached"

    clock.advance(timedelta(hours=25))
    world.sweep_media()
    person.api.post("/media", body).ok(201)


def test_a_form_is_given_once_per_idempotency_key(world: World) -> None:
    person = world.person()
    body = {"filename": "a.png", "content_type": "image/png", "size": 100, "purpose": "post"}

    first = person.api.post("/media", body, headers={"Idempotency-Key": "one"}).ok(201)
    second = person.api.post("/media", body, headers={"Idempotency-Key": "one"}).ok(201)

    assert first == second
