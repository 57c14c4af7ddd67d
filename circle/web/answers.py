"""Answers: orjson bytes, entity tags, caching headers, problem+json."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_etags

from circle.kernel.errors import CircleError, Invalid, TooManyRequests
from circle.kernel.text import DEFAULT_LANGUAGE, LANGUAGES, Language, Text
from circle.kernel.uow import UnitOfWork
from circle.web.limits import Allowance

JSON = "application/json"
PROBLEM = "application/problem+json"
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
HTTP_PROBLEMS = {
    400: ("malformed", Text("请求无法解析。", "The request could not be read.")),
    404: ("not_found", Text("没有找到。", "Not found.")),
    405: ("method_not_allowed", Text("不支持这个方法。", "This method is not allowed here.")),
    413: ("too_large", Text("请求体过大。", "The request body is too large.")),
    415: ("unsupported_media_type", Text("请用 application/json。", "Send application/json.")),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a view returns when the status or headers depend on what happened."""

    data: Any
    status: int | None = None
    headers: Mapping[str, str] | None = None
    # Of a GET: what is written once it stands, such as a count, in a unit of its own.
    afterwards: Callable[[UnitOfWork], None] | None = None


def dumps(data: Any) -> bytes:
    return orjson.dumps(data, option=_OPTIONS)


def language() -> Language:
    """The reader's language by Accept-Language, any region of it; Chinese where it names neither."""
    for wanted, _quality in request.accept_languages:
        for offered in LANGUAGES:
            if wanted.partition("-")[0].lower() == offered.partition("-")[0]:
                return offered
    return DEFAULT_LANGUAGE


def etag_of(body: bytes, version: int | None) -> str:
    """Return the entity tag: the version where the resource has one, so that If-Match can name it."""
    mark = hashlib.blake2b(body, digest_size=9).hexdigest()
    return f'"{mark}"' if version is None else f'"{version}-{mark}"'


def version_from_if_match() -> int | None:
    """Return the version that If-Match names; 0, which never matches, for a tag that names none."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    number = header.strip().removeprefix("W/").strip('"').partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0  # noqa: PLR2004


def _is_held(held: str | None, tag: str) -> bool:
    """Tell whether the client holds this very answer; a proxy that compresses makes the tags it passes on weak."""
    return held is not None and (held == tag or parse_etags(held).contains_weak(tag.strip('"')))


def json_response(body: bytes, status: int, *, version: int | None = None, private: bool = True) -> Response:
    """Return the response; a GET gets its entity tag, and 304 if the client holds the same."""
    if status == 200 and request.method in {"GET", "HEAD"}:  # noqa: PLR2004
        tag = etag_of(body, version)
        if _is_held(request.headers.get("If-None-Match"), tag):
            response = Response(status=304)
        else:
            response = Response(body, status, mimetype=JSON)
        response.headers["ETag"] = tag
        response.headers["Cache-Control"] = "private, no-cache" if private else "public, no-cache"
        response.headers["Vary"] = "Authorization, Accept-Language"
        return response
    response = Response(body, status, mimetype=JSON) if status != 204 else Response(status=204)  # noqa: PLR2004
    response.headers["Cache-Control"] = "private, no-store"
    return response


def text_response(content: str | bytes, mimetype: str) -> Response:
    """Return what is no JSON, to be saved as a file; never kept by a cache."""
    response = Response(content, 200, mimetype=mimetype)
    response.headers["Content-Disposition"] = "attachment"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def problem(error: CircleError) -> Response:
    """Render a refusal as RFC 9457 problem details."""
    spoken = language()
    content: dict[str, Any] = {
        "type": f"/docs/problems#{error.code}",
        "title": error.text.say(spoken, **error.data),
        "status": error.status,
        "code": error.code,
        "detail": error.say(spoken),
        "request_id": g.get("request_id", ""),
    }
    if error.data:
        content["data"] = error.data
    if isinstance(error, Invalid):
        content["errors"] = [{"field": e.field, "code": e.code, "message": e.text.say(spoken)} for e in error.errors]
        if error.errors:
            content["detail"] = error.errors[0].text.say(spoken)
    response = _problem_response(content)
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.retry_after)
        g.allowance = Allowance(error.limit, 0, error.retry_after)
    elif error.status == 503:  # noqa: PLR2004
        response.headers["Retry-After"] = "2"
    elif error.status == 401:  # noqa: PLR2004
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def http_problem(error: HTTPException) -> Response:
    """Render an error of the HTTP layer itself (no such route, wrong method, body too large)."""
    status = error.code or 500
    code, text = HTTP_PROBLEMS.get(status, ("http_error", Text("请求有误。", error.name)))
    title = text.escaped().say(language())
    response = _problem_response(
        {
            "type": f"/docs/problems#{code}",
            "title": title,
            "status": status,
            "code": code,
            "detail": title,
            "request_id": g.get("request_id", ""),
        }
    )
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after"}:
            response.headers[name] = value
    return response


def _problem_response(content: dict[str, Any]) -> Response:
    response = Response(dumps(content), content["status"], mimetype=PROBLEM)
    response.headers["Cache-Control"] = "no-store"
    return response


def show_allowance(response: Response, allowance: Allowance) -> None:
    response.headers["RateLimit-Limit"] = str(allowance.limit)
    response.headers["RateLimit-Remaining"] = str(allowance.remaining)
    response.headers["RateLimit-Reset"] = str(allowance.reset)
