"""File names: made harmless when they come in, quoted when they go out."""

import re
import unicodedata
from urllib.parse import quote

from circle.media.types import ContentType

_MAX_NAME = 120
# Separators of paths, what Windows refuses in names, and characters that turn a name around or hide in it.
_UNSAFE = re.compile('[\x00-\x1f\x7f<>:"|?*\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]')


def clean_filename(name: str, content_type: ContentType) -> str:
    """Return the last part of `name` with an extension of its type: `a/page.html` sent as text is `page.html.txt`."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    stem = _UNSAFE.sub("_", last).strip(" .")
    extension = content_type.extensions[0]
    before, dot, after = stem.rpartition(".")
    if dot and after.lower() in content_type.extensions:
        stem, extension = before.rstrip(" ."), after
    return f"{stem[:_MAX_NAME] or 'file'}.{extension}"


def disposition(kind: str, filename: str) -> str:
    """Return a Content-Disposition (RFC 6266): `kind` is inline or attachment."""
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", filename)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
