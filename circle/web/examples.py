"""Example values from a schema: every operation of the document shows one, and a test validates it."""

from typing import Any

import marshmallow as ma

from circle.web import fields as f

_BY_TYPE: tuple[tuple[type, Any], ...] = (
    (f.Id, f.EXAMPLE_ID),
    (f.Instant, f.EXAMPLE_INSTANT),
    (f.Day, "2026-03-01"),
    (f.Currency, "CNY"),
    (f.Amount, 19900),
    (ma.fields.Boolean, True),
    (ma.fields.Integer, 1),
    (ma.fields.Dict, {}),
    (ma.fields.Raw, None),
)


def example_of(schema: ma.Schema) -> dict[str, Any]:
    """Return one valid value of `schema`; an optional field is shown where it names an `example`."""
    return {
        field.data_key or name: _field_example(field, name)
        for name, field in schema.fields.items()
        if field.required or field.dump_only or "example" in field.metadata
    }


def _field_example(field: ma.fields.Field[Any], name: str) -> Any:
    if "example" in field.metadata:
        return field.metadata["example"]
    if isinstance(field, ma.fields.Nested):
        value = example_of(field.schema)
        return [value] if field.many else value
    if isinstance(field, ma.fields.List):
        return [_field_example(field.inner, name)]
    if isinstance(field, f.Choice):
        return next(iter(field.validate.choices))  # type: ignore[union-attr]
    for kind, value in _BY_TYPE:
        if isinstance(field, kind):
            return value
    return name
