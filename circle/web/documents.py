"""What a route's decorator says, in the words of OpenAPI 3.1."""

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from circle.kernel import errors as e
from circle.kernel.cursor import BadCursor
from circle.kernel.idempotency import MAX_KEY, AnswerLost, KeyReused, StillRunning
from circle.web.answers import JSON, PROBLEM
from circle.web.examples import example_of
from circle.web.refusals import BadIdempotencyKey, IdempotencyKeyRequired, ScopeMissing

if TYPE_CHECKING:
    from circle.web.routes import Operation

_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}


def describe(operation: "Operation", view: Callable[..., Any]) -> dict[str, Any]:
    """Return the manual part of the operation's document for flask-smorest."""
    summary, _, rest = (inspect.getdoc(view) or "").partition("\n\n")
    document: dict[str, Any] = {
        "operationId": operation.name,
        "summary": summary.replace("\n", " "),
        "security": [] if operation.public else [{"bearer": []}],
        "responses": {
            **{str(status): _success(operation) for status in (operation.status, operation.or_status) if status},
            **_refusals(operation),
        },
    }
    if rest:
        document["description"] = rest
    parameters = [*_header_parameters(operation)]
    if operation.query is not None:
        parameters.append({"in": "query", "schema": operation.query})
    if parameters:
        document["parameters"] = parameters
    if operation.body is not None:
        schema = operation.body()
        content = {JSON: {"schema": operation.body, "example": example_of(schema)}}
        needed = any(field.required for field in schema.fields.values())
        document["requestBody"] = {"required": needed, "content": content}
    if operation.public:
        document["security"] = [{}, {"bearer": []}]
    return document


def _success(operation: "Operation") -> dict[str, Any]:
    if operation.redirects:
        return {"description": "A short-lived link in `Location`.", "headers": _header("Location")}
    if operation.text:
        return {"description": "Done.", "content": {operation.text: {"schema": {"type": "string"}, "example": ""}}}
    if operation.answer is None or operation.status == 204:  # noqa: PLR2004
        return {"description": "Done."}
    content = {JSON: {"schema": operation.answer, "example": example_of(operation.answer())}}
    return {"description": "Done.", "content": content}


def _header(name: str) -> dict[str, Any]:
    return {name: {"schema": {"type": "string"}}}


def _refusals(operation: "Operation") -> dict[str, Any]:
    by_status: dict[int, list[type[e.CircleError]]] = defaultdict(list)
    for error in dict.fromkeys([*_implied_errors(operation), *operation.errors]):
        by_status[error.status].append(error)
    documents: dict[str, Any] = {"304": {"description": "Not changed."}} if operation.reads else {}
    if operation.redirects or operation.text:
        documents.pop("304")
    for status, errors in sorted(by_status.items()):
        documents[str(status)] = {
            "description": " ".join(f"`{error.code}`: {_plain(error.text.en)}" for error in errors),
            "content": {PROBLEM: {"schema": _PROBLEM_REF, "example": _problem_example(errors[0])}},
        }
    return documents


def _implied_errors(operation: "Operation") -> Iterator[type[e.CircleError]]:
    yield from (e.Unauthenticated, e.Forbidden, ScopeMissing)
    if "<" in operation.path:
        yield e.NotFound
    if operation.body is not None:
        yield from (e.Malformed, e.TooLarge, e.UnsupportedMedia, e.Invalid)
    if operation.query is not None:
        yield from (BadCursor, e.Invalid)
    if operation.method == "POST":
        yield from (e.Malformed, BadIdempotencyKey, StillRunning, KeyReused, AnswerLost)
    if operation.key_required:
        yield IdempotencyKeyRequired
    if not operation.reads:
        yield e.Conflict
    if operation.versioned:
        yield e.StaleVersion
    if operation.limits:
        yield e.TooManyRequests
    yield e.Unavailable


def _header_parameters(operation: "Operation") -> Iterator[dict[str, Any]]:
    if operation.method == "POST":
        yield {
            "in": "header",
            "name": "Idempotency-Key",
            "required": operation.key_required,
            "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[ -~]+$"},
            "description": "Any unique string: the first answer is kept for 24 hours and replayed.",
        }
    if operation.versioned:
        yield {
            "in": "header",
            "name": "If-Match",
            "schema": {"type": "string"},
            "description": "The ETag of the version that was edited; 412 if it has changed since.",
        }


def _problem_example(error: type[e.CircleError]) -> dict[str, Any]:
    return {
        "type": f"/docs/problems#{error.code}",
        "title": _plain(error.text.en),
        "status": error.status,
        "code": error.code,
        "detail": _plain(error.text.en),
        "request_id": "01890a5dac96774bbcceb302099a8057",
    }


def _plain(sentence: str) -> str:
    return re.sub(r"\{(\w+)\}", r"\1", sentence)
