"""The OpenAPI document: valid, complete, fresh, with examples that hold."""

import re
from typing import Any

import marshmallow as ma
import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from circle.app import ROUTES
from circle.cli.documents import document as circle_document
from circle.web.examples import example_of
from tests.architecture.sources import ROOT

_ARGUMENT = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document(shared: Any) -> dict[str, Any]:
    found = shared[0].test_client().get("/v1/openapi.json").get_json()
    assert isinstance(found, dict)
    return found


OPERATIONS = [operation for routes in ROUTES for operation in routes.operations]
REQUESTS = {schema for o in OPERATIONS for schema in (o.body, o.query) if schema}
QUERIES = {o.query for o in OPERATIONS}
ANSWERS = {o.answer for o in OPERATIONS if o.answer}


def _in_braces(argument: re.Match[str]) -> str:
    return f"{{{argument.group(1)}}}"


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": item[method]
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    }


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_the_committed_document_is_fresh() -> None:
    assert (ROOT / "openapi.json").read_bytes() == circle_document(), "run `circle openapi`"


def test_every_route_is_documented(document: dict[str, Any], shared: tuple[Flask, Any]) -> None:
    documented = set(operations(document))
    served = {
        f"{method} {_ARGUMENT.sub(_in_braces, rule.rule)}"
        for rule in shared[0].url_map.iter_rules()
        if rule.rule.startswith("/v1/") and not rule.rule.endswith("openapi.json")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == documented


def test_every_operation_tells_what_it_is_and_shows_an_example(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        assert operation["summary"].endswith("."), name
        if "requestBody" in operation:
            assert "example" in operation["requestBody"]["content"]["application/json"], name
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                assert "example" in content, (name, status)


def test_whatever_is_edited_may_name_the_version_that_was_seen(document: dict[str, Any]) -> None:
    patched = {name: one for name, one in operations(document).items() if name.startswith("PATCH ")}
    blind = {
        name
        for name, one in patched.items()
        if "If-Match" not in {parameter["name"] for parameter in one.get("parameters", ())}
        or "version" not in _answer_of(document, one)
    }
    # A folder is a name, and its owner alone has it: the last word counts.
    assert blind == {"PATCH /v1/me/bookmark-folders/{folder_id}"}


def _answer_of(document: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    """The fields of an operation's answer."""
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return set(document["components"]["schemas"][schema]["properties"])


def test_money_in_answers_names_its_currency(document: dict[str, Any]) -> None:
    word = re.compile(r"(^|_)(amount|price|cost|credit|fee|balance|refunded)$")
    bare = {
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        if not name.endswith(("In", "Patch")) and name != "MoneyOut"
        for field, of in schema.get("properties", {}).items()
        if word.search(field) and "integer" in str(of.get("type"))
    }
    assert not bare


def test_the_document_defines_nothing_that_it_does_not_use(document: dict[str, Any]) -> None:
    used = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert set(document["components"]["schemas"]) == used


@pytest.mark.parametrize("schema", sorted(REQUESTS, key=lambda schema: schema.__name__))
def test_request_examples_are_accepted(schema: type[ma.Schema]) -> None:
    example = example_of(schema())
    if schema in QUERIES:
        example = {name: _as_text(value) for name, value in example.items() if value is not None}
    assert not schema().validate(example)


def _as_text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool | int) else value


@pytest.mark.parametrize("schema", sorted(ANSWERS, key=lambda schema: schema.__name__))
def test_answer_examples_have_the_answers_shape(schema: type[ma.Schema]) -> None:
    assert not schema().validate(example_of(schema()))
