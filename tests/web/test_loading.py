"""Loading a body the short way: the values that the schema's own load gives, and its own words about mistakes."""

from typing import Any

import marshmallow as ma
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circle.app import ROUTES
from circle.kernel.errors import Invalid
from circle.web import fields as f
from circle.web.examples import example_of
from circle.web.validation import Loader, load

SCHEMAS = {
    schema.__name__: schema()
    for routes in ROUTES
    for operation in routes.operations
    for schema in (operation.body, operation.query)
    if schema is not None
}
VALUES = st.sampled_from(
    [None, True, False, 0, 1, -1, 7, 1.5, 10**12, "", "x", " x\n", "1", "true", "\0", "2026-03-01", "day",
     f.EXAMPLE_ID, f.EXAMPLE_INSTANT, "a@example.org", [], ["x"], [f.EXAMPLE_ID], {}, {"x": 1}, [{}]]
)  # fmt: skip


class Renamed(f.Schema):
    """Keys and attributes that differ, defaults that are made anew each time."""

    opens = f.Str(most=5, required=True, data_key="from", attribute="begin")
    words = ma.fields.List(f.Str(most=5), load_default=list)
    number = f.Int()


class Checked(f.Schema):
    """A hook, which the short way does not know."""

    number = f.Int(required=True)

    @ma.post_load
    def double(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"number": 2 * data["number"]}


def outcome(loading: Any, data: Any) -> Any:
    try:
        loaded = loading(data)
    except Invalid as error:
        return sorted((one.field, one.code, one.text.en) for one in error.errors)
    return list(loaded.items())


@pytest.mark.parametrize("schema", [*SCHEMAS.values(), Renamed()], ids=lambda schema: type(schema).__name__)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_body_and_query_loads_as_its_schema_loads_it(schema: f.Schema, data: st.DataObject) -> None:
    names = [field.data_key or name for name, field in schema.fields.items()]
    valid = {**example_of(schema), **({"from": "05:00"} if isinstance(schema, Renamed) else {})}
    changed = data.draw(st.dictionaries(st.sampled_from([*names, "unheard_of"]), VALUES, max_size=3))
    left_out = data.draw(st.sets(st.sampled_from([*names, "unheard_of"]), max_size=1))
    sent = {name: value for name, value in {**valid, **changed}.items() if name not in left_out}

    assert outcome(Loader(schema).load, sent) == outcome(lambda told: load(schema, told), sent)


@pytest.mark.parametrize("sent", [[], "x", None, 7, [{}]])
def test_what_is_no_object_is_refused_in_the_same_words(sent: Any) -> None:
    schema = Renamed()

    assert outcome(Loader(schema).load, sent) == outcome(lambda told: load(schema, told), sent) != []


def test_a_schema_with_a_hook_loads_by_itself() -> None:
    assert Loader(Checked()).load({"number": 4}) == {"number": 8}


def test_a_default_that_is_made_anew_is_nobody_elses() -> None:
    loader = Loader(Renamed())

    loader.load({"from": "05:00"})["words"].append("kept")

    assert loader.load({"from": "05:00"}) == {"begin": "05:00", "words": []}
