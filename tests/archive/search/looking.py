"""How tests search: over HTTP, as somebody, once workers have indexed what was written."""

from typing import Any

from circle.jobs import load_job
from circle.kernel.uow import Units
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person


def search(reader: Person, q: str, circle: BuiltCircle | None = None, **query: Any) -> Any:
    """The first page of hits, when the worker has been there."""
    catch_up(reader.api.units)
    return search_now(reader, q, circle, **query)


def search_now(reader: Person, q: str, circle: BuiltCircle | None = None, **query: Any) -> Any:
    """The first page of hits, whatever is owed."""
    asked = {"q": q, **({"circle_id": str(circle.id)} if circle else {}), **query}
    return reader.api.get("/search", query_string=asked).ok()["items"]


def found(reader: Person, q: str, circle: BuiltCircle | None = None, **query: Any) -> list[str]:
    """What the words stand in, by id."""
    return [hit["id"] for hit in search(reader, q, circle, **query)]


def found_now(reader: Person, q: str, circle: BuiltCircle | None = None) -> list[str]:
    """What the words stand in before any worker has come."""
    return [hit["id"] for hit in search_now(reader, q, circle)]


def marked(segments: list[Any]) -> list[str]:
    return [one["text"] for one in segments if one["hit"]]


def whole(segments: list[Any]) -> str:
    return "".join(one["text"] for one in segments)


def catch_up(units: Units) -> int:
    return load_job("search.catch_up").run(units)


def find_words(units: Units) -> int:
    return load_job("search.find_words").run(units)
