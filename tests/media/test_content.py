"""What is inside a file decides, not what it says it is."""

from collections.abc import Iterator

import pytest

from circle.media.content import require_content
from circle.media.errors import WrongContent
from circle.media.types import ALIASES, ALLOWED, TYPES
from tests.builders.media import PDF, picture, send
from tests.client import World
from tests.media import bad_files as bad

_FTYP = b"\0\0\0\x18ftyp"

# The first bytes of an honest file of each type.
HONEST = {
    "image/jpeg": picture(form="JPEG"),
    "image/png": picture(),
    "image/gif": picture(form="GIF"),
    "image/webp": picture(form="WEBP"),
    "application/pdf": PDF,
    "application/zip": bad.zipped(),
    "application/vnd.rar": b"Rar!\x1a\x07\x01\x00" + b"\0" * 20,
    "application/x-7z-compressed": b"7z\xbc\xaf\x27\x1c\0\x04" + b"\0" * 20,
    "application/epub+zip": b"PK\x03\x04" + b"\0" * 26 + b"mimetypeapplication/epub+zip" + b"\0" * 20,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": bad.zipped(),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": bad.zipped(),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": bad.zipped(),
    "text/plain": "你好".encode("gb18030"),
    "text/markdown": "# 标题\n\n正文 <b>x</b>".encode(),
    "text/csv": "\ufeff姓名,天数\r\n林晓,21\r\n".encode(),
    "application/json": b'{"posts": []}',
    "audio/mpeg": b"ID3\x04\0\0\0\0\0\x23" + b"\0" * 20,
    "audio/mp4": _FTYP + b"M4A \0\0\0\0M4A mp42",
    "audio/aac": b"\xff\xf1\x50\x80\x02\x1f\xfc" + b"\0" * 20,
    "audio/ogg": b"OggS\0\x02" + b"\0" * 22,
    "audio/wav": b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 20,
    "audio/amr": b"#!AMR\n" + b"\x3c" * 20,
    "video/mp4": _FTYP + b"isom\0\0\x02\0isomiso2",
    "video/quicktime": _FTYP + b"qt  \0\0\x02\0qt  \0\0\0\0",
    "video/webm": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x84webm" + b"\0" * 20,
}


def _lies() -> Iterator[tuple[str, str]]:
    for claimed in TYPES:
        for real in HONEST:
            if not _may_pass(claimed, real):
                yield claimed, real


def _may_pass(claimed: str, real: str) -> bool:
    """Texts are all alike, office files are zip archives, and an MP4 may hold sound only."""
    texts = {name for name, one in TYPES.items() if one.is_text}
    zips = {name for name in TYPES if name == "application/zip" or "openxml" in name}
    return claimed == real or {claimed, real} <= texts or {claimed, real} <= zips or (claimed, real) == (
        "audio/mp4",
        "video/mp4",
    )  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_an_honest_file_passes(name: str) -> None:
    require_content(HONEST[name], TYPES[name])


@pytest.mark.parametrize(("claimed", "real"), list(_lies()))
def test_no_type_passes_for_another(claimed: str, real: str) -> None:
    with pytest.raises(WrongContent):
        require_content(HONEST[real], TYPES[claimed])


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf<!doctype html>",
        b"\n\t <HTML>",
        b"<?xml version='1.0'?><svg/>",
        b"\xef\xbb\xbf\n<script>",
        b"<?php",
    ],
)
def test_a_page_is_no_text(content: bytes) -> None:
    """A browser that looks into a file for what it is looks here: past a mark of its encoding, and blanks."""
    for name in ("text/plain", "text/markdown", "text/csv", "application/json"):
        with pytest.raises(WrongContent):
            require_content(content, TYPES[name])


def test_no_list_holds_what_a_browser_would_run() -> None:
    accepted = {*TYPES, *ALIASES}.union(*ALLOWED.values())

    assert not accepted & {"image/svg+xml", "text/html", "application/xhtml+xml", "text/xml", "application/javascript"}


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (bad.HTML, "image/png"),
        (bad.SVG, "image/png"),
        (bad.HTML, "text/plain"),
        (bad.SVG, "text/markdown"),
        (bad.GIF_SCRIPT, "image/gif"),
        (bad.zipped(), "image/jpeg"),
        (picture(form="JPEG"), "image/png"),
        (picture(form="PNG") + b"<script>alert(1)</script>", "image/png"),
        (b"MZ\x90\0" + b"\0" * 60, "application/pdf"),
        (b"\x7fELF" + b"\0" * 60, "text/plain"),
        (b"\0" * 64, "text/csv"),
    ],
    ids=[
        "HTML as PNG",
        "SVG as PNG",
        "HTML as text",
        "SVG as Markdown",
        "GIF and JavaScript",
        "zip as JPEG",
        "JPEG as PNG",
        "PNG and HTML",
        "program as PDF",
        "program as text",
        "zeros as CSV",
    ],
)
def test_a_lie_is_refused_when_completed_and_ever_after(world: World, content: bytes, content_type: str) -> None:
    person = world.person()
    announced = world.announce(person, content, content_type=content_type)
    send(announced["upload"], content)
    path = f"/media/{announced['media_id']}"

    refused = person.api.post(f"{path}/complete")

    assert (refused.status, refused.code) == (422, "wrong_content")
    assert person.api.post(f"{path}/complete").code == "wrong_content"
    assert person.api.get(path).code == "wrong_content"
    assert world.process_media() == 0


@pytest.mark.parametrize(
    ("content", "content_type", "code"),
    [
        (picture(640, 480)[:-200], "image/png", "unreadable_image"),
        (picture(640, 480, "JPEG")[:-900], "image/jpeg", "unreadable_image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 200, "image/png", "unreadable_image"),
        (b"GIF89a=0;alert(1)//" + b" " * 20, "image/gif", "unreadable_image"),
        (bad.bomb(), "image/png", "too_many_pixels"),
        (bad.bomb(50_000_001, 1), "image/png", "too_many_pixels"),
    ],
    ids=["truncated PNG", "truncated JPEG", "PNG of zeros", "bare GIF script", "bomb", "one pixel too many"],
)
def test_what_can_not_be_decoded_is_rejected_by_the_worker(
    world: World, content: bytes, content_type: str, code: str
) -> None:
    person = world.person()
    media_id = world.media(person, content, content_type=content_type)

    assert person.api.post(f"/media/{media_id}/complete").code == code
    assert person.api.get(f"/media/{media_id}").code == code
    assert world.process_media() == 0


def test_frames_that_outgrow_their_picture_are_not_unpacked(world: World) -> None:
    person = world.person()
    media_id = world.media(person, bad.gif_bomb(), content_type="image/gif")

    assert person.api.post(f"/media/{media_id}/complete").code in {"too_many_pixels", "unreadable_image"}


@pytest.mark.parametrize(
    "content", [bad.gif_with_script_behind(), picture(8, 8, "GIF") + bad.zipped()], ids=["JavaScript", "zip"]
)
def test_what_hides_in_a_picture_is_gone_when_it_is_served(world: World, content: bytes) -> None:
    person = world.person()
    media_id = world.media(person, content, content_type="image/gif")

    served = world.fetch(person, media_id).content

    assert served.startswith(b"GIF8")
    assert b"alert" not in served
    assert b"PK\x03\x04" not in served


def test_an_upload_that_is_swapped_after_its_check_is_not_served(world: World) -> None:
    person = world.person()
    honest = picture(form="PNG")
    announced = world.announce(person, honest)
    send(announced["upload"], honest)
    person.api.post(f"/media/{announced['media_id']}/complete").ok()

    send(announced["upload"], bad.HTML.ljust(len(honest)))
    world.process_media()

    assert person.api.get(f"/media/{announced['media_id']}").code == "wrong_content"
