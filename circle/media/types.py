"""Which content types are taken, for which purpose, and by which first bytes they are recognised.

SVG and HTML are on no list: they are programs that look like pictures and pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from circle.media.models import MediaKind, Purpose

# Of smaller versions of images.
SMALL_TYPE = "image/webp"


@dataclass(frozen=True, slots=True)
class ContentType:
    """One accepted type. `extensions`: the first is given to names that have none of them.

    `detected`: what the `filetype` library may call such a file; empty: text, which has no mark of its own.
    """

    name: str
    kind: MediaKind
    extensions: tuple[str, ...]
    detected: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_text(self) -> bool:
        return not self.detected


def _type(name: str, kind: MediaKind, extensions: str, *detected: str) -> ContentType:
    return ContentType(name, kind, tuple(extensions.split()), frozenset(detected))


_OFFICE = "application/vnd.openxmlformats-officedocument"
_ZIP = "application/zip"

TYPES: Mapping[str, ContentType] = {
    one.name: one
    for one in (
        _type("image/jpeg", MediaKind.IMAGE, "jpg jpeg", "image/jpeg"),
        _type("image/png", MediaKind.IMAGE, "png", "image/png", "image/apng"),
        _type("image/gif", MediaKind.IMAGE, "gif", "image/gif"),
        _type("image/webp", MediaKind.IMAGE, "webp", "image/webp"),
        _type("application/pdf", MediaKind.FILE, "pdf", "application/pdf"),
        _type(_ZIP, MediaKind.FILE, "zip", _ZIP),
        _type("application/vnd.rar", MediaKind.FILE, "rar", "application/x-rar-compressed"),
        _type("application/x-7z-compressed", MediaKind.FILE, "7z", "application/x-7z-compressed"),
        _type("application/epub+zip", MediaKind.FILE, "epub", "application/epub+zip"),
        # Office files are zip archives; which one shows only where the archive lists its parts in the usual order.
        _type(f"{_OFFICE}.wordprocessingml.document", MediaKind.FILE, "docx",
              f"{_OFFICE}.wordprocessingml.document", _ZIP),
        _type(f"{_OFFICE}.spreadsheetml.sheet", MediaKind.FILE, "xlsx", f"{_OFFICE}.spreadsheetml.sheet", _ZIP),
        _type(f"{_OFFICE}.presentationml.presentation", MediaKind.FILE, "pptx",
              f"{_OFFICE}.presentationml.presentation", _ZIP),
        _type("text/plain", MediaKind.FILE, "txt"),
        _type("text/markdown", MediaKind.FILE, "md markdown"),
        _type("text/csv", MediaKind.FILE, "csv"),
        _type("application/json", MediaKind.FILE, "json"),
        _type("audio/mpeg", MediaKind.AUDIO, "mp3", "audio/mpeg"),
        _type("audio/mp4", MediaKind.AUDIO, "m4a mp4", "audio/mp4", "video/mp4", "video/x-m4v"),
        _type("audio/aac", MediaKind.AUDIO, "aac", "audio/aac"),
        _type("audio/ogg", MediaKind.AUDIO, "ogg opus oga", "audio/ogg"),
        _type("audio/wav", MediaKind.AUDIO, "wav", "audio/x-wav"),
        _type("audio/amr", MediaKind.AUDIO, "amr", "audio/amr"),
        _type("video/mp4", MediaKind.VIDEO, "mp4 m4v", "video/mp4", "video/x-m4v"),
        _type("video/quicktime", MediaKind.VIDEO, "mov qt", "video/quicktime"),
        _type("video/webm", MediaKind.VIDEO, "webm", "video/webm"),
    )
}  # fmt: skip

# Other names that telephones and browsers give to the same types.
ALIASES: Mapping[str, str] = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/apng": "image/png",
    "application/x-zip-compressed": _ZIP,
    "application/x-rar-compressed": "application/vnd.rar",
    "text/x-markdown": "text/markdown",
    "audio/mp3": "audio/mpeg",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "video/x-m4v": "video/mp4",
}

_EVERYTHING = frozenset(TYPES)
_IMAGES = frozenset(name for name, one in TYPES.items() if one.kind is MediaKind.IMAGE)
_ARCHIVES = frozenset({_ZIP, "text/csv", "text/markdown", "text/plain", "application/json"})

# What a client may upload for each purpose; exports are made by the system alone.
ALLOWED: Mapping[Purpose, frozenset[str]] = {
    Purpose.POST: _EVERYTHING,
    Purpose.COMMENT: _EVERYTHING,
    Purpose.ASSIGNMENT: _EVERYTHING,
    Purpose.SUBMISSION: _EVERYTHING,
    Purpose.REVIEW: _EVERYTHING,
    Purpose.CHECK_IN: _EVERYTHING,
    Purpose.AVATAR: _IMAGES,
    Purpose.COVER: _IMAGES,
    Purpose.IMPORT: _ARCHIVES,
}
CLIENT_PURPOSES = tuple(ALLOWED)


def find_type(name: str) -> ContentType | None:
    """Return the accepted type of a Content-Type header's value; None if it is on no list."""
    plain = name.partition(";")[0].strip().lower()
    return TYPES.get(ALIASES.get(plain, plain))
