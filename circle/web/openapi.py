"""The OpenAPI document at `/v1/openapi.json`.

It is written when somebody first asks for it: that takes longer than all else that a start does, and most processes
are never asked.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
from flask import Blueprint, Flask, Response

from circle import __version__
from circle.web.answers import JSON
from circle.web.documents import describe
from circle.web.routes import Routes

PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "data": {"type": "object"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}


def openapi_blueprint(rooms: Sequence[Routes]) -> Blueprint:
    """Serve the document of these rooms."""
    blueprint = Blueprint("openapi", __name__, url_prefix="/v1")
    written = cache(lambda: orjson.dumps(write_document(rooms)))

    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        return Response(written(), mimetype=JSON)

    return blueprint


def write_document(rooms: Sequence[Routes]) -> dict[str, Any]:
    """Have flask-smorest write the document, in an application of its own that serves nothing."""
    import flask_smorest  # noqa: PLC0415 - for the process that is asked, and no other

    app = Flask("circle")
    app.config.update(API_TITLE="Circle", API_VERSION=__version__, OPENAPI_VERSION="3.1.0")
    api = flask_smorest.Api(app)
    # Every refusal of an operation is listed by name, so there is no catch-all answer.
    api.DEFAULT_ERROR_RESPONSE_NAME = None
    api.spec.components.schema("Problem", PROBLEM_SCHEMA)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for room in rooms:
        blueprint = flask_smorest.Blueprint(room.name, room.name, url_prefix="/v1", description=room.description)
        for operation in room.operations:
            view = room.views[operation.name]
            documented = blueprint.doc(**describe(operation, view))(view)
            blueprint.route(operation.path, methods=[operation.method], endpoint=operation.name)(documented)
        api.register_blueprint(blueprint)
    document: dict[str, Any] = api.spec.to_dict()
    for unused in ("Error", "PaginationMetadata"):  # flask-smorest's own, in place of which stand ours
        document["components"]["schemas"].pop(unused, None)
    return document
