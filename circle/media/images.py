"""Images, decoded and encoded again: what is served holds pixels only, no EXIF, no comments, nothing appended.

Memory is bounded by the number of pixels, which is known before anything is decoded.
"""

import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, Final

from PIL import Image, ImageCms, ImageOps, ImageSequence

from circle.media.errors import TooManyPixels, UnreadableImage

MAX_PIXELS: Final = 50_000_000
# WebP's decoder keeps four copies of its picture, all others one.
MAX_WEBP_PIXELS: Final = 25_000_000
# Above this a picture is served at half its width and height, unless it is narrow: a long screenshot must stay legible.
SERVED_PIXELS: Final = 25_000_000
NARROW_SIDE: Final = 2160
# An animation of more than this, all frames together, is reduced to its first frame.
ANIMATED_PIXELS: Final = 20_000_000
MAX_FRAMES: Final = 200
LARGE_SIDE: Final = 1080
THUMB_SIDE: Final = 360

_DEFAULT_FRAME_MS = 100
_STRIP = 256  # rows, an even number
_FORMATS: Mapping[str, str] = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
_PLAIN = frozenset({"L", "LA", "RGB", "RGBA", "CMYK"})
_MODES: Mapping[str, tuple[str, ...]] = {
    "JPEG": ("RGB", "L"),
    "PNG": ("RGB", "L", "RGBA", "LA"),
    "GIF": ("RGB", "L", "RGBA"),
    "WEBP": ("RGB", "RGBA"),
}
_OPTIONS: Mapping[str, dict[str, Any]] = {
    "JPEG": {"quality": 87},
    "PNG": {},
    "GIF": {},
    "WEBP": {"quality": 85},
}
_SMALL_OPTIONS = {"quality": 80}
# What Pillow's decoders raise for damaged files.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)

# Pillow itself refuses twice this; our own check comes first, its own sees frames that outgrow their image.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2


@dataclass(frozen=True, slots=True)
class Rendered:
    """An image as served, with smaller versions in WebP; `large` is None where the image is no larger."""

    full: bytes
    large: bytes | None
    thumb: bytes
    width: int
    height: int


def render(file: IO[bytes], content_type: str) -> Rendered:
    """Encode an image again, in its own type. Errors: UnreadableImage, TooManyPixels."""
    name = _FORMATS[content_type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about sizes and tags that are damaged or unusual
        frames, still = _read(file, name)
    full = _encode_animation(frames, name) if frames else _encode(still, name, _OPTIONS[name])
    return Rendered(
        full=full,
        large=_smaller(still, LARGE_SIDE) if max(still.size) > LARGE_SIDE else None,
        thumb=_smaller(still, THUMB_SIDE),
        width=still.width,
        height=still.height,
    )


@dataclass(frozen=True, slots=True)
class _Animation:
    frames: list[Image.Image]
    durations: list[int]
    loop: int | None


def _read(file: IO[bytes], name: str) -> tuple[_Animation | None, Image.Image]:
    """Return the animation, if the image is one that is kept, and its first or only frame."""
    try:
        image: Image.Image = Image.open(file, formats=[name])
        if image.width * image.height > (MAX_WEBP_PIXELS if name == "WEBP" else MAX_PIXELS):
            raise TooManyPixels
        animation = _read_animation(image) if name != "JPEG" and getattr(image, "is_animated", False) else None
        if animation is not None:
            return animation, animation.frames[0]
        image.seek(0)
        image.load()
        return None, _normal(image, name)
    except Image.DecompressionBombError:
        raise TooManyPixels from None
    except _DAMAGED as error:
        raise UnreadableImage from error


def _read_animation(image: Image.Image) -> _Animation | None:
    most = min(MAX_FRAMES, ANIMATED_PIXELS // (image.width * image.height))
    frames: list[Image.Image] = []
    durations: list[int] = []
    for frame in ImageSequence.Iterator(image):
        if len(frames) == most or frame.size != image.size:
            return None
        frames.append(_without_extras(frame.convert("RGBA")))
        # Known once the frame is decoded.
        durations.append(int(frame.info.get("duration") or _DEFAULT_FRAME_MS))
    return _Animation(frames, durations, image.info.get("loop")) if frames else None


def _normal(image: Image.Image, name: str) -> Image.Image:
    """Return the pixels upright, in sRGB, in a mode that the format knows, and no more of them than are served."""
    too_many = image.width * image.height > SERVED_PIXELS and min(image.size) > NARROW_SIDE
    image = _in_srgb(_halved(image) if too_many else _plain(image))
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode not in _MODES[name]:
        alpha = image.has_transparency_data and "RGBA" in _MODES[name]
        image = image.convert("RGBA" if alpha else "RGB")
    return _without_extras(image)


def _halved(image: Image.Image) -> Image.Image:
    """Return the image at half its width and height, made strip by strip, so that no second whole copy is needed."""
    half: Image.Image | None = None
    for top in range(0, image.height, _STRIP):
        box = (0, top, image.width, min(top + _STRIP, image.height))
        strip = _plain(image.crop(box)).reduce(2)
        if half is None:
            half = Image.new(strip.mode, (strip.width, -(-image.height // 2)))
        half.paste(strip, (0, top // 2))
    assert half is not None  # noqa: S101 - for the type checker: an image has a row
    half.info = image.info
    return half


def _plain(image: Image.Image) -> Image.Image:
    """Return an image of whole bytes without a palette."""
    if image.mode.startswith("I;16"):
        # Sixteen bits of grey: Pillow's own conversion would cut instead of scale.
        return image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode in _PLAIN:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _in_srgb(image: Image.Image) -> Image.Image:
    """Apply the colour profile, because it isn't served; one that can't be read is left aside."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in {"RGB", "RGBA", "CMYK"}:
        return image
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        screen = ImageCms.createProfile("sRGB")
        if image.mode == "CMYK":
            return ImageCms.profileToProfile(image, source, screen, outputMode="RGB") or image
        ImageCms.profileToProfile(image, source, screen, inPlace=True)
    except (ImageCms.PyCMSError, OSError):
        return image
    return image


def _without_extras(image: Image.Image) -> Image.Image:
    image.info = {}
    return image


def _smaller(image: Image.Image, side: int) -> bytes:
    small = image if image.mode in _MODES["WEBP"] else image.convert("RGBA" if image.mode == "LA" else "RGB")
    small = small.copy() if max(small.size) <= side else ImageOps.contain(small, (side, side), Image.Resampling.LANCZOS)
    return _encode(small, "WEBP", _SMALL_OPTIONS)


def _encode(image: Image.Image, name: str, options: dict[str, Any]) -> bytes:
    out = BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def _encode_animation(animation: _Animation, name: str) -> bytes:
    first, *others = animation.frames
    options = dict(_OPTIONS[name])
    if animation.loop is not None:
        options["loop"] = animation.loop
    if name == "GIF":
        options["disposal"] = 2
    return _encode(first, name, {**options, "save_all": True, "append_images": others, "duration": animation.durations})
