"""What the first bytes of an upload are, against what its type says they are.

The rest is read by a worker, and images are never served as they came: this check refuses the plain lies at once.
"""

import re

import filetype

from circle.media.errors import WrongContent
from circle.media.models import MediaKind
from circle.media.types import ContentType

HEAD_BYTES = 64 * 1024

# Bytes that no text has, in UTF-8 as in GB 18030.
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_PAGE_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|svg|script|\?xml|\?php)", re.IGNORECASE)
# Markup within an image, or a GIF whose width reads as the beginning of a comment in JavaScript.
_DISGUISED = re.compile(rb"<(?:script|html|svg|iframe|\?php)[\s>/]|\AGIF8[79]a/[*/]", re.IGNORECASE)


def require_content(head: bytes, content_type: ContentType) -> None:
    """Refuse bytes that aren't of their type, or of another type as well. Errors: WrongContent."""
    if content_type.is_text:
        fits = filetype.guess(head) is None and not _BINARY.search(head) and not _PAGE_START.match(head)
    else:
        guess = filetype.guess(head)
        fits = guess is not None and guess.mime in content_type.detected
    if content_type.kind is MediaKind.IMAGE and _DISGUISED.search(head):
        fits = False
    if not fits:
        raise WrongContent
