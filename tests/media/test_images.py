"""What becomes of a picture: pixels stay, all else goes."""

from io import BytesIO

import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from circle.media import images
from circle.media.errors import TooManyPixels
from circle.media.images import render
from tests.builders.media import picture
from tests.client import World

RED, BLUE = (220, 30, 30), (30, 30, 220)


def _open(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image


def _near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) < 24 for one, other in zip(pixel[:3], colour, strict=True))


def _exif(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Telephone"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (31.0, 13.0, 43.0)
    return exif.tobytes()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_where_a_picture_was_taken_is_gone(world: World, form: str) -> None:
    person = world.person()
    content = picture(form=form, exif=_exif())
    assert _open(content).getexif().get_ifd(ExifTags.IFD.GPSInfo)
    media_id = world.media(person, content, content_type=f"image/{form.lower()}")

    for size in (None, "large", "thumb"):
        served = world.fetch(person, media_id, size).content
        assert b"Telephone" not in served
        assert not _open(served).getexif()


def test_comments_and_texts_are_gone() -> None:
    about = PngImagePlugin.PngInfo()
    about.add_text("Author", "林晓 secret")
    png = render(BytesIO(picture(pnginfo=about)), "image/png").full
    jpeg = render(BytesIO(picture(form="JPEG", comment=b"secret", xmp=b"secret")), "image/jpeg").full
    gif = render(BytesIO(picture(form="GIF", comment=b"secret")), "image/gif").full

    assert all(b"secret" not in content for content in (png, jpeg, gif))


def test_a_picture_taken_upright_stands_upright() -> None:
    rendered = render(BytesIO(picture(400, 200, "JPEG", exif=_exif(orientation=6))), "image/jpeg")

    assert (rendered.width, rendered.height) == (200, 400)
    upright = _open(rendered.full)
    assert _near(upright.getpixel((100, 20)), RED)
    assert _near(upright.getpixel((100, 380)), BLUE)
    assert _open(rendered.thumb).size == (180, 360)


def test_transparency_stays() -> None:
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    for form in ("PNG", "WEBP", "GIF"):
        out = BytesIO()
        clear.save(out, form)
        rendered = render(out, f"image/{form.lower()}")
        assert _open(rendered.full).convert("RGBA").getpixel((1, 1))[3] == 0  # type: ignore[index]
        assert _open(rendered.thumb).convert("RGBA").getpixel((1, 1))[3] == 0  # type: ignore[index]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_is_taken(mode: str) -> None:
    out = BytesIO()
    (Image.new(mode, (30, 20)) if mode in {"I;16", "LA"} else _open(picture(30, 20)).convert(mode)).save(out, "PNG")

    rendered = render(out, "image/png")

    assert (rendered.width, rendered.height) == _open(rendered.full).size == (30, 20)


def test_sixteen_bits_of_grey_keep_their_brightness() -> None:
    out = BytesIO()
    Image.new("I;16", (8, 8), 0x8000).save(out, "PNG")

    assert _open(render(out, "image/png").full).getpixel((4, 4)) == 128


def test_colours_for_print_become_colours_for_screens() -> None:
    rendered = render(BytesIO(picture(form="JPEG", mode="CMYK")), "image/jpeg")

    assert _open(rendered.full).mode == "RGB"


@pytest.mark.parametrize("profile", [ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"rubbish"])
def test_a_colour_profile_is_applied_and_not_served(profile: bytes) -> None:
    rendered = render(BytesIO(picture(form="JPEG", icc_profile=profile)), "image/jpeg")

    served = _open(rendered.full)
    assert "icc_profile" not in served.info
    assert _near(served.getpixel((2, 2)), RED)


def _animated(frames: int, size: tuple[int, int], form: str) -> BytesIO:
    out = BytesIO()
    pictures = [Image.new("RGB", size, (index * 40 % 256, 200 - index * 9 % 200, index)) for index in range(frames)]
    pictures[0].save(out, form, save_all=True, append_images=pictures[1:], duration=80, loop=0)
    return out


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_a_small_animation_goes_on_moving(form: str) -> None:
    rendered = render(_animated(5, (60, 40), form), f"image/{form.lower()}")

    served = Image.open(BytesIO(rendered.full))
    assert served.n_frames == 5  # type: ignore[attr-defined]
    served.seek(1)
    served.load()
    assert served.info["duration"] == 80
    assert getattr(_open(rendered.thumb), "n_frames", 1) == 1


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
def test_an_animation_of_too_many_pixels_stands_still(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "ANIMATED_PIXELS", 60 * 40 * 4)

    rendered = render(_animated(5, (60, 40), form), f"image/{form.lower()}")

    assert getattr(_open(rendered.full), "n_frames", 1) == 1


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of more than 600 × 600 are too many pixels to serve, and of 100 across narrow."""
    monkeypatch.setattr(images, "SERVED_PIXELS", 360_000)
    monkeypatch.setattr(images, "NARROW_SIDE", 100)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_picture_of_very_many_pixels_is_served_at_half_its_size(small_limits: None, mode: str) -> None:
    out = BytesIO()
    (Image.new(mode, (901, 701)) if mode in {"I;16", "LA"} else _open(picture(901, 701)).convert(mode)).save(out, "PNG")

    rendered = render(out, "image/png")

    assert (rendered.width, rendered.height) == _open(rendered.full).size == (451, 351)
    if mode in {"P", "RGB", "RGBA"}:
        assert _near(_open(rendered.full).getpixel((10, 350)), RED)
        assert _near(_open(rendered.full).getpixel((440, 10)), BLUE)


def test_a_halved_picture_stands_upright_too(small_limits: None) -> None:
    rendered = render(BytesIO(picture(1200, 800, "JPEG", exif=_exif(orientation=6))), "image/jpeg")

    assert (rendered.width, rendered.height) == (400, 600)


def test_a_long_screenshot_stays_legible(small_limits: None) -> None:
    rendered = render(BytesIO(picture(100, 8_000)), "image/png")

    assert (rendered.width, rendered.height) == (100, 8_000)
    assert rendered.large is not None


@pytest.mark.parametrize(
    ("form", "limit"), [("PNG", "MAX_PIXELS"), ("JPEG", "MAX_PIXELS"), ("WEBP", "MAX_WEBP_PIXELS")]
)
def test_pixels_are_counted_before_they_are_unpacked(monkeypatch: pytest.MonkeyPatch, form: str, limit: str) -> None:
    monkeypatch.setattr(images, limit, 64 * 48 - 1)

    with pytest.raises(TooManyPixels):
        render(BytesIO(picture(64, 48, form)), f"image/{form.lower()}")
