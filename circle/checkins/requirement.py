"""What an entry has to hold, as a camp asks for it."""

from collections.abc import Collection
from decimal import Decimal

from circle.kernel.db import Json
from circle.kernel.errors import FieldError, Invalid
from circle.kernel.text import Text, is_blank
from circle.kernel.words import count_words
from circle.media.models import MediaKind

_MEDIA = {
    MediaKind.IMAGE: Text("需要附上图片。", "An image is needed."),
    MediaKind.AUDIO: Text("需要附上语音。", "A voice recording is needed."),
    MediaKind.VIDEO: Text("需要附上视频。", "A video is needed."),
}
_EMPTY = Text("写点什么，或附上图片、语音、视频。", "Write something, or attach a picture, a recording or a video.")
_NO_NUMBER = Text("这个打卡营不需要数字。", "This camp asks for no number.")


def require_fit(requirement: Json, *, body: str, number: Decimal | None, kinds: Collection[str]) -> None:
    """Refuse an entry that lacks something, naming all that it lacks. Errors: Invalid."""
    errors = [*_text_errors(requirement, body), *_number_errors(requirement, number)]
    errors += [
        FieldError("attachments", f"{kind}_needed", text)
        for kind, text in _MEDIA.items()
        if requirement.get(kind) and kind not in kinds
    ]
    if not errors and is_blank(body) and not kinds and number is None:
        errors.append(FieldError("body", "blank", _EMPTY))
    if errors:
        raise Invalid(*errors)


def _text_errors(requirement: Json, body: str) -> list[FieldError]:
    least = int(requirement.get("min_words") or 0)
    words = count_words(body)
    if words >= least:
        return []
    zh, en = f"至少写 {least} 字，现在是 {words} 字。", f"At least {least} words are needed; these are {words}."
    return [FieldError("body", "too_few_words", Text(zh, en))]


def _number_errors(requirement: Json, number: Decimal | None) -> list[FieldError]:
    asked = requirement.get("number")
    if asked and number is None:
        zh, en = f"请填写数字（{asked['unit']}）。", f"A number is needed ({asked['unit']})."
        return [FieldError("number", "number_needed", Text(zh, en).escaped())]
    return [FieldError("number", "number_not_asked", _NO_NUMBER)] if number is not None and not asked else []
