"""The routes facade: a route is a decorator and one call.

The life of a request is fixed: read and validate, find the caller, count against the limits, open a unit of
work, replay a known Idempotency-Key, call the view, dump, keep the answer, commit, ring. A caller is required
unless `public=True` is written. GET opens a read-only unit. See docs/how-a-request-flows.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import orjson
from flask import Blueprint, Request, Response, g, request
from psycopg import errors as pg

from circle.kernel.caller import Caller
from circle.kernel.errors import (
    CircleError,
    Malformed,
    Overtaken,
    Unauthenticated,
    UnsupportedMedia,
    error_for_constraint,
)
from circle.kernel.idempotency import MAX_KEY, IdempotencyKey, Replay, Steps
from circle.kernel.prepared import OUTDATED
from circle.kernel.uow import UnitOfWork
from circle.web.answers import JSON, Answer, dumps, json_response, text_response, version_from_if_match
from circle.web.fields import Schema
from circle.web.limits import Limit
from circle.web.refusals import BadIdempotencyKey, IdempotencyKeyRequired, ScopeMissing
from circle.web.system import Gate, System, system, this_request
from circle.web.validation import Loader

View = Callable[..., Any]
READ, WRITE = "read", "write"


@dataclass(frozen=True, slots=True)
class Operation:
    """One route, as its decorator declares it."""

    name: str
    method: str
    path: str
    body: type[Schema] | None = None
    query: type[Schema] | None = None
    answer: type[Schema] | None = None
    status: int = 200
    # Another status that the same answer may come with.
    or_status: int | None = None
    errors: Sequence[type[CircleError]] = ()
    public: bool = False
    scope: str = WRITE
    limits: Sequence[Limit] = ()
    # The view built its own dict in the schema's shape (a test compares them): no dump.
    hot: bool = False
    # PATCH: the view gets `version`, what If-Match named.
    versioned: bool = False
    # Money moves: the Idempotency-Key header must be there.
    key_required: bool = False
    # The view gets `units` and opens its own units of work, because it talks to the outside in between.
    steps: bool = False
    gate: Gate | None = None
    redirects: bool = False
    # The view of a GET returns a file of this media type to download, as text or bytes.
    text: str | None = None

    @property
    def reads(self) -> bool:
        return self.method == "GET"


class Routes:
    """The routes of one feature, under `/v1`; `errors` are refusals of every route that is about something named."""

    def __init__(
        self,
        name: str,
        description: str,
        *,
        gate: Gate | None = None,
        errors: Sequence[type[CircleError]] = (),
    ) -> None:
        self.name = name
        self.description = description
        self.blueprint = Blueprint(name, name, url_prefix="/v1")
        self.operations: list[Operation] = []
        self.views: dict[str, View] = {}
        self._gate = gate
        self._errors = errors

    def get(self, path: str, **options: Any) -> Callable[[View], View]:
        return self._route("GET", path, {"scope": READ, **options})

    def post(self, path: str, **options: Any) -> Callable[[View], View]:
        return self._route("POST", path, options)

    def put(self, path: str, **options: Any) -> Callable[[View], View]:
        return self._route("PUT", path, options)

    def patch(self, path: str, **options: Any) -> Callable[[View], View]:
        return self._route("PATCH", path, options)

    def delete(self, path: str, **options: Any) -> Callable[[View], View]:
        return self._route("DELETE", path, options)

    def _route(self, method: str, path: str, options: dict[str, Any]) -> Callable[[View], View]:
        def decorate(view: View) -> View:
            shared = self._errors if "<" in path and not path.startswith("/me/") else ()
            declared = {"gate": self._gate, **options, "errors": (*shared, *options.get("errors", ()))}
            operation = Operation(name=view.__name__, method=method, path=path, **declared)
            self.operations.append(operation)
            self.views[operation.name] = view
            self.blueprint.add_url_rule(path, operation.name, _serve(operation, view), methods=[method])
            return view

        return decorate


def _serve(operation: Operation, view: View) -> View:
    body_loader = Loader(operation.body()) if operation.body else None
    query_schema = operation.query() if operation.query else None
    query_loader = Loader(query_schema) if query_schema else None
    answer_schema = operation.answer() if operation.answer and not operation.hot else None
    defaults = _defaults(query_schema)

    @wraps(view)
    def serve(**arguments: Any) -> Response:
        at = system()
        if query_loader is not None:
            arguments["query"] = (
                dict(defaults) if defaults and not request.query_string else query_loader.load(request.args.to_dict())
            )
        if body_loader is not None:
            arguments["body"] = body_loader.load(_read_json(this_request()))
        if operation.versioned:
            arguments["version"] = version_from_if_match()
        if operation.steps:
            return _run_steps(at, operation, view, arguments, answer_schema)
        run = _read if operation.reads else _write
        try:
            return run(at, operation, view, arguments, answer_schema)
        except OUTDATED:
            # A migration was faster than this connection's plan: once more, on connections that know of it.
            at.units.connections.renew()
        return run(at, operation, view, arguments, answer_schema)

    return serve


def _defaults(schema: Schema | None) -> dict[str, Any] | None:
    """Return what a request without arguments means, unless one of them is required."""
    if schema is None or schema.validate({}):
        return None
    loaded: dict[str, Any] = schema.load({})
    return loaded


def _read(at: System, operation: Operation, view: View, arguments: dict[str, Any], schema: Schema | None) -> Response:
    admitted = _admit(at, operation, arguments) if operation.limits else None
    with at.units.read() as uow:
        caller = admitted if operation.limits else find_caller(at, uow, operation)
        uow.may_lag = caller is None or not caller.wrote_lately
        result = view(uow, caller, **arguments)
        answer = result if isinstance(result, Answer) else Answer(result)
        data = schema.dump(answer.data) if schema else answer.data
    if caller and caller.unseen and not operation.limits:
        at.seen(at.units, caller)
    if answer.afterwards:
        with at.units.write() as unit:
            answer.afterwards(unit)
    if operation.redirects:
        return _redirect(data)
    if operation.text:
        return _finish(text_response(data, operation.text), answer.headers)
    version = data.get("version") if isinstance(data, dict) else None
    return _finish(json_response(dumps(data), 200, version=version, private=caller is not None))


def _write(at: System, operation: Operation, view: View, arguments: dict[str, Any], schema: Schema | None) -> Response:
    caller = _admit(at, operation, arguments)
    try:
        return _write_as(at, operation, view, arguments, schema, caller)
    except pg.IntegrityError as error:
        if caller is None or error_for_constraint(error.diag.constraint_name) is not Overtaken:
            raise
    # Nothing was written. What the gate read is forgotten, so that everything is read and locked anew.
    caller.known.clear()
    return _write_as(at, operation, view, arguments, schema, caller)


def _write_as(
    at: System,
    operation: Operation,
    view: View,
    arguments: dict[str, Any],
    schema: Schema | None,
    caller: Caller | None,
) -> Response:
    with at.units.write() as uow:
        key = _idempotency_key(at, operation, caller)
        replay = key.begin(uow) if key else None
        if replay:
            return _replayed(replay)
        result = view(uow, caller, **arguments)
        uow.flush()
        status, body, headers = _rendered(operation, result, schema)
        if key:
            key.finish(uow, status, body)
        if caller and at.wrote:
            at.wrote(uow, caller)
    return _finish(json_response(body, status), headers)


def _run_steps(
    at: System, operation: Operation, view: View, arguments: dict[str, Any], schema: Schema | None
) -> Response:
    caller = _admit(at, operation, arguments)
    steps = Steps(at.units, _idempotency_key(at, operation, caller))
    replay = steps.begin()
    if replay:
        return _replayed(replay)
    with steps:
        result = view(at.units, caller, **arguments)
        status, body, headers = _rendered(operation, result, schema)
        steps.finish(status, body)
    if caller and at.wrote:
        with at.units.write() as uow:
            at.wrote(uow, caller)
    return _finish(json_response(body, status), headers)


def _admit(at: System, operation: Operation, arguments: dict[str, Any]) -> Caller | None:
    """Find the caller and count the request, before any transaction is open."""
    with at.units.read() as uow:
        caller = find_caller(at, uow, operation)
    if caller and caller.unseen:
        at.seen(at.units, caller)
    count_request(operation.limits, caller, arguments.get("body", {}))
    return caller


def count_request(limits: Sequence[Limit], caller: Caller | None, body: dict[str, Any]) -> None:
    """Count against each limit; the answer tells of the one that has least left. Errors: TooManyRequests."""
    for limit in limits:
        left = system().limiter.hit(limit, _identity(limit, caller, body))
        least = g.get("allowance")
        if left is not None and (least is None or left.remaining < least.remaining):
            g.allowance = left


def _identity(limit: Limit, caller: Caller | None, body: dict[str, Any]) -> str:
    if limit.per == "user":
        return str(caller.user_id) if caller else request.remote_addr or ""
    if limit.per == "ip":
        return request.remote_addr or ""
    if limit.per == "identity":
        return str(body.get("email") or body.get("phone"))
    return ""


def _rendered(operation: Operation, result: Any, schema: Schema | None) -> tuple[int, bytes, Any]:
    answer = result if isinstance(result, Answer) else Answer(result)
    status = answer.status or operation.status
    if status == 204:  # noqa: PLR2004
        return status, b"", answer.headers
    return status, dumps(schema.dump(answer.data) if schema else answer.data), answer.headers


def find_caller(at: System, uow: UnitOfWork, operation: Operation) -> Caller | None:
    """Return whose bearer token this is. Errors: Unauthenticated, ScopeMissing."""
    asked = this_request()
    header = asked.headers.get("Authorization", "")
    if not header and operation.public:
        return None
    kind, _, credential = header.partition(" ")
    caller = None
    if kind.lower() == "bearer" and credential.isascii():
        gate = operation.gate or at.gate
        caller = gate(uow, credential.strip(), asked.view_args or {})
    if caller is None:
        raise Unauthenticated
    if not caller.may(operation.scope):
        raise ScopeMissing(scope=operation.scope)
    g.caller = caller
    return caller


def _idempotency_key(at: System, operation: Operation, caller: Caller | None) -> IdempotencyKey | None:
    key = request.headers.get("Idempotency-Key") if operation.method == "POST" else None
    if key is None:
        if operation.key_required:
            raise IdempotencyKeyRequired
        return None
    if not key.isascii() or not key.isprintable() or not 1 <= len(key) <= MAX_KEY:
        raise BadIdempotencyKey
    scope = f"{caller and caller.user_id} {operation.method} {request.path}"
    return IdempotencyKey(scope=scope, key=key, request=request.get_data(), secrets=at.settings.secret_keys)


def _read_json(asked: Request) -> Any:
    if asked.content_type != JSON and not asked.is_json:
        if asked.content_length:
            raise UnsupportedMedia
        return {}
    sent = asked.get_data()
    if not sent:
        return {}
    try:
        return orjson.loads(sent)
    except orjson.JSONDecodeError as error:
        raise Malformed from error


def _replayed(replay: Replay) -> Response:
    return _finish(json_response(replay.body, replay.status), {"Idempotent-Replayed": "true"})


def _redirect(url: str) -> Response:
    response = Response(status=302)
    response.headers["Location"] = url
    response.headers["Cache-Control"] = "private, no-store"
    return _finish(response)


def _finish(response: Response, headers: Any = None) -> Response:
    if headers:
        response.headers.update(headers)
    return response
