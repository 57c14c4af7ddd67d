"""Whatever a test asks of billing: an answer has the shape that the document promises, whoever built it."""

from typing import Any
from urllib.parse import urlsplit

from flask import Flask

from circle.app import ROUTES
from circle.web.fields import Schema
from circle.web.routes import Operation

# Those of billing: the other rooms compare the answers that they build by hand in tests of their own.
_OPERATIONS: dict[str, Operation] = {
    f"{routes.name}.{operation.name}": operation
    for routes in ROUTES
    for operation in routes.operations
    if routes.views[operation.name].__module__.startswith("circle.billing.")
}
_SCHEMAS: dict[type[Schema], Schema] = {}


def assert_promised(app: Flask, method: str, path: str, status: int, answer: Any) -> None:
    """Compare what went well with the schema of its route: hot reads build their answers by hand."""
    adapter = app.url_map.bind("circle.test")
    operation = _OPERATIONS.get(adapter.match(urlsplit(path).path, method)[0])
    if operation is None or operation.answer is None or status == 204:
        return
    assert status in {operation.status, operation.or_status}, f"{method} {path}: {status} is not promised"
    schema = _SCHEMAS.setdefault(operation.answer, operation.answer())
    wrong = schema.validate(answer)
    assert not wrong, f"{method} {path}: {wrong}"
