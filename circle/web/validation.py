"""Turns marshmallow's messages into field errors with a code and a sentence in both languages."""

import re
from collections.abc import Iterator
from typing import Any

import marshmallow as ma

from circle.kernel.errors import FieldError, Invalid
from circle.kernel.text import Text
from circle.web.fields import Schema

# (marshmallow's sentence, code, ours in Chinese). The English one is marshmallow's own.
_SENTENCES: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), code, zh)
    for pattern, code, zh in (
        (r"Missing data for required field\.", "required", "缺少必填字段。"),
        (r"Field may not be null\.", "null", "不能为 null。"),
        (r"Unknown field\.", "unknown_field", "未知字段。"),
        (r"Invalid input type\.", "wrong_type", "类型不正确。"),
        (r"Invalid type\.", "wrong_type", "类型不正确。"),
        (r"Not a valid string\.", "wrong_type", "必须是字符串。"),
        (r"Not a valid integer\.", "wrong_type", "必须是整数。"),
        (r"Not a valid number\.", "wrong_type", "必须是数字。"),
        (r"Not a valid boolean\.", "wrong_type", "必须是 true 或 false。"),
        (r"Not a valid list\.", "wrong_type", "必须是数组。"),
        (r"Not a valid mapping type\.", "wrong_type", "必须是对象。"),
        (r"Not a valid UUID\.", "bad_id", "不是有效的 id。"),
        (r"Not a valid (?:aware )?(?:datetime|date|time)\.", "bad_time", "不是有效的日期或时间。"),
        (r"Not a valid email address\.", "bad_email", "不是有效的邮箱地址。"),
        (r"Not a valid URL\.", "bad_url", "不是有效的网址。"),
        (r"Contains characters that are not allowed\.", "bad_characters", "含有不允许的字符。"),
        (r"Must not be blank\.", "blank", "不能为空白。"),
        (r"Must be one of: (?P<a>.*)\.", "not_a_choice", "必须是以下之一：{a}。"),
        (r"Shorter than minimum length (?P<a>\d+)\.", "too_short", "长度至少为 {a}。"),
        (r"Longer than maximum length (?P<a>\d+)\.", "too_long", "长度不能超过 {a}。"),
        (r"Length must be between (?P<a>\d+) and (?P<b>\d+)\.", "bad_length", "长度须在 {a} 到 {b} 之间。"),
        (r"Length must be (?P<a>\d+)\.", "bad_length", "长度须为 {a}。"),
        (r"Must be greater than or equal to (?P<a>\S+) and less than or equal to (?P<b>\S+)\.",
         "out_of_range", "须在 {a} 到 {b} 之间。"),
        (r"Must be greater than or equal to (?P<a>\S+)\.", "out_of_range", "须不小于 {a}。"),
        (r"Must be less than or equal to (?P<a>\S+)\.", "out_of_range", "须不大于 {a}。"),
        (r"String does not match expected pattern\.", "bad_format", "格式不正确。"),
    )
)  # fmt: skip


def load(schema: Schema, data: Any, *, where: str = "") -> dict[str, Any]:
    """Return the validated data. Errors: Invalid with every field that is wrong."""
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ma.ValidationError as error:
        raise Invalid(*_flatten(error.messages, where)) from None
    return loaded


class Loader:
    """What a schema loads, without its walk through fields that were not sent; what is wrong, the schema itself says.

    marshmallow's own `load` of a body with one of six fields is a twentieth of a check-in.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        fields = [
            (name if field.data_key is None else field.data_key, field.attribute or name, field)
            for name, field in schema.load_fields.items()
        ]
        hooks = any(schema._hooks.values())  # noqa: SLF001 - marshmallow tells it nowhere else
        plain = not (hooks or schema.partial or schema.many or any("." in key for _, key, _ in fields))
        self._fields = fields if plain else None

    def load(self, data: Any) -> dict[str, Any]:
        """Return the validated data. Errors: Invalid with every field that is wrong."""
        if self._fields is not None and type(data) is dict:
            try:
                return self._quick(data, self._fields)
            except ma.ValidationError:
                pass  # there may be more to say than the first mistake
        return load(self._schema, data)

    @staticmethod
    def _quick(data: dict[str, Any], fields: list[tuple[str, str, Any]]) -> dict[str, Any]:
        loaded, known = {}, 0
        for name, key, field in fields:
            if name in data:
                known += 1
                value = field.deserialize(data[name], name, data)
            else:
                if field.required:
                    raise field.make_error("required")
                default = field.load_default
                value = default() if callable(default) else default
            if value is not ma.missing:
                loaded[key] = value
        if known != len(data):
            raise ma.ValidationError("Unknown field.")
        return loaded


def _flatten(messages: Any, path: str) -> Iterator[FieldError]:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            step = path if key == "_schema" else f"{path}.{key}" if path else str(key)
            yield from _flatten(inner, step)
    elif isinstance(messages, list):
        for one in messages:
            yield from _flatten(one, path)
    else:
        yield _field_error(path, str(messages))


def _field_error(path: str, message: str) -> FieldError:
    for pattern, code, zh in _SENTENCES:
        found = pattern.fullmatch(message)
        if found:
            return FieldError(path, code, Text(zh.format(**found.groupdict()), message).escaped())
    return FieldError(path, "invalid", Text("不符合要求。", message).escaped())
