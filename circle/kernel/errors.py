"""Every refusal is a class with a code, an HTTP status and a sentence in both languages.

A client switches on `code`; a person reads `text`. Features subclass the families below.
"""

from typing import Any, ClassVar, NamedTuple, Self

from circle.kernel.text import Language, Text


class CircleError(Exception):
    """A request that can't be done, and why. `data` fills the sentence and is shown to the caller."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    text: ClassVar[Text] = Text("出了点问题。", "Something went wrong.")
    # The refusal itself changed something that must last, such as a counted wrong guess: the unit commits.
    keeps_changes: ClassVar[bool] = False

    def __init__(self, **data: Any) -> None:
        super().__init__(self.code)
        self.data = data
        self.reason: Text | None = None

    def because(self, text: Text) -> Self:
        """Return the same refusal with a sentence that tells more than the class does."""
        self.reason = text
        return self

    def say(self, language: Language) -> str:
        return (self.reason or self.text).say(language, **self.data)


class FieldError(NamedTuple):
    """What is wrong with one field; `field` is a path such as `price.amount` or `tags.0`."""

    field: str
    code: str
    text: Text


class Malformed(CircleError):
    status = 400
    code = "malformed"
    text = Text("请求无法解析。", "The request could not be read.")


class Unauthenticated(CircleError):
    status = 401
    code = "unauthenticated"
    text = Text("请先登录。", "Please log in.")


class PaymentRequired(CircleError):
    status = 402
    code = "payment_required"
    text = Text("需要先付款。", "This needs to be paid for first.")


class Forbidden(CircleError):
    status = 403
    code = "forbidden"
    text = Text("你没有权限这样做。", "You are not allowed to do this.")


class NotFound(CircleError):
    status = 404
    code = "not_found"
    text = Text("没有找到。", "Not found.")


class Conflict(CircleError):
    status = 409
    code = "conflict"
    text = Text("与当前状态冲突。", "This conflicts with the current state.")


class StaleVersion(CircleError):
    status = 412
    code = "stale_version"
    text = Text("内容已被更新，请刷新后重试。", "This was changed meanwhile; load it again.")


class TooLarge(CircleError):
    status = 413
    code = "too_large"
    text = Text("内容过大。", "This is too large.")


class UnsupportedMedia(CircleError):
    status = 415
    code = "unsupported_media_type"
    text = Text("不支持的内容类型。", "This content type is not supported.")


class Invalid(CircleError):
    """One or several fields break a rule."""

    status = 422
    code = "invalid"
    text = Text("有字段不符合要求。", "Some fields are not valid.")

    def __init__(self, *errors: FieldError, **data: Any) -> None:
        super().__init__(**data)
        self.errors = errors

    @classmethod
    def field(cls, field: str, code: str, zh: str, en: str) -> "Invalid":
        return cls(FieldError(field, code, Text(zh, en)))


class TooManyRequests(CircleError):
    """`retry_after` in seconds; `limit` is how many requests the window takes."""

    status = 429
    code = "too_many_requests"
    text = Text("操作太频繁，请稍后再试。", "Too many requests; try again later.")

    def __init__(self, *, retry_after: int, limit: int, **data: Any) -> None:
        super().__init__(**data)
        self.retry_after = retry_after
        self.limit = limit


class Unavailable(CircleError):
    status = 503
    code = "unavailable"
    text = Text("服务暂时不可用。", "The service is unavailable for the moment.")


_by_constraint: dict[str, type[CircleError]] = {}


class Overtaken(Conflict):
    """What a write goes by was changed by another request since it was read; the facade runs it again, anew."""

    code = "overtaken"
    text = Text("同时有另一个请求改动了同一处，请重试。", "Another request changed the same thing; try again.")


def on_constraint(name: str, error: type[CircleError]) -> None:
    """Let the loser of a race on a database constraint get the error that the check before it gives."""
    _by_constraint[name] = error


def error_for_constraint(name: str | None) -> type[CircleError]:
    return _by_constraint.get(name or "", Conflict)
