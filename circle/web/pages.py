"""Pages for people: the landing page, the API document, the list of errors. All assets are our own."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, send_from_directory

from circle import __version__
from circle.kernel.errors import CircleError
from circle.kernel.text import Text
from circle.web.answers import HTTP_PROBLEMS, language
from circle.web.system import system

# Nothing from elsewhere, nothing inline, nobody's frame.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ASSET_SECONDS = 86_400
_SWAGGER = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})

_LANDING = {
    "intro": Text(
        "这里运行着一套 Circle：自托管的付费知识社群后端。",
        "An installation of Circle, a self-hosted backend for paid knowledge circles.",
    ),
    "docs": Text("接口文档", "API reference"),
    "document": Text("OpenAPI 文件", "OpenAPI document"),
    "problems": Text("错误码一览", "All error codes"),
    "mailbox": Text("开发邮箱", "Dev mailbox"),
}
_DOCS = {
    "title": Text("接口文档", "API reference"),
    "intro": Text("机器可读的文件：", "For machines:"),
    "noscript": Text("阅读此页需要 JavaScript。", "This page needs JavaScript."),
}
_PROBLEMS = {
    "title": Text("错误码", "Error codes"),
    "intro": Text("客户端应按 code 判断，不要按文字判断。", "Clients switch on the code, never on the sentence."),
    "code": Text("错误码", "Code"),
    "status": Text("状态", "Status"),
}


def page(template: str, says: Mapping[str, Text], **values: Any) -> Response:
    """Render a page in its reader's language; `say.name` in the template is a sentence of `says`."""
    spoken = language()
    say = {name: text.say(spoken) for name, text in says.items()}
    response = Response(render_template(template, say=say, language=spoken, **values), mimetype="text/html")
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept-Language"
    return response


def on_loopback() -> bool:
    """Whether the request comes from this machine and through no proxy."""
    return request.remote_addr in {"127.0.0.1", "::1"} and "X-Forwarded-For" not in request.headers


def pages_blueprint(*, mailbox: bool) -> Blueprint:
    blueprint = Blueprint(
        "pages", __name__, template_folder="templates", static_folder="static", static_url_path="/assets"
    )

    @blueprint.get("/")
    def landing() -> Response:
        return page("landing.html", _LANDING, site=system().settings.site_url, version=__version__, mailbox=mailbox)

    @blueprint.get("/docs")
    def docs() -> Response:
        return page("docs.html", _DOCS)

    @blueprint.get("/docs/problems")
    def problems() -> Response:
        return page("problems.html", _PROBLEMS, problems=list(all_problems()))

    @blueprint.get("/assets/docs/<name>")
    def swagger(name: str) -> Response:
        if name not in _SWAGGER:
            abort(404)
        folder = Path(str(files("flask_swagger_ui"))) / "dist"
        return send_from_directory(folder, name, max_age=_ASSET_SECONDS)

    return blueprint


def all_problems() -> Iterator[dict[str, Any]]:
    """Yield every refusal that this application knows, by status and code, each code once."""
    found: dict[str, dict[str, Any]] = {
        code: {"code": code, "status": status, "text": text} for status, (code, text) in HTTP_PROBLEMS.items()
    }
    families = [CircleError]
    for family in families:
        found[family.code] = found.get(family.code) or {
            "code": family.code,
            "status": family.status,
            "text": family.text,
        }
        families.extend(family.__subclasses__())
    yield from sorted(found.values(), key=lambda one: (one["status"], one["code"]))
