"""The browser's console: log in, see where one is logged in, log out. The session is an HttpOnly cookie."""

from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from circle.accounts import queries
from circle.accounts.addresses import read_address
from circle.accounts.routes import LOG_IN
from circle.accounts.services import sessions
from circle.kernel.caller import Caller
from circle.kernel.errors import CircleError
from circle.kernel.text import Text
from circle.web.answers import language
from circle.web.forms import FormGuard, require_our_form
from circle.web.login import SESSION_COOKIE, cookie_name, page_caller
from circle.web.pages import page
from circle.web.routes import count_request
from circle.web.system import system

_FORM = "account"
_SAYS = {
    "title": Text("我的账号", "My account"),
    "log_in": Text("登录", "Log in"),
    "log_out": Text("退出登录", "Log out"),
    "address": Text("邮箱或手机号", "E-mail or phone"),
    "password": Text("密码", "Password"),
    "sessions": Text("已登录的设备", "Where you are logged in"),
    "this_one": Text("当前设备", "this device"),
    "unnamed": Text("未命名设备", "unnamed device"),
    "end": Text("下线", "Log this one out"),
}
_MOST = 254


def account_blueprint() -> Blueprint:
    """Serve `/account` and the forms below it."""
    blueprint = Blueprint("account", __name__, url_prefix="/account", template_folder="templates")

    @blueprint.get("")
    def show() -> Response:
        return _show(page_caller())

    @blueprint.post("/login")
    def log_in() -> AnyResponse:
        require_our_form(_FORM)
        address, password = request.form.get("address", "")[:_MOST].strip(), request.form.get("password", "")[:_MOST]
        try:
            by = read_address(*((None, address) if address.startswith("+") else (address, None)))
            named = {by.kind.value: by.value}
            count_request(LOG_IN, None, named)
            with system().units.write() as uow:
                opened = sessions.log_in(uow, **named, password=password, device_name=_browser())
        except CircleError as refusal:
            return _show(None, refusal=refusal)
        response = redirect("/account", 303)
        response.set_cookie(
            cookie_name(SESSION_COOKIE),
            opened.token,
            max_age=sessions.LIFE,
            httponly=True,
            samesite="Lax",
            secure=system().settings.secure,
        )
        return response

    @blueprint.post("/logout")
    def log_out() -> AnyResponse:
        require_our_form(_FORM)
        _end(page_caller(), None)
        response = redirect("/account", 303)
        response.delete_cookie(cookie_name(SESSION_COOKIE), secure=system().settings.secure, httponly=True)
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    @blueprint.post("/sessions/<uuid:session_id>/end")
    def end_session(session_id: UUID) -> AnyResponse:
        require_our_form(_FORM)
        _end(page_caller(), session_id)
        return redirect("/account", 303)

    return blueprint


def _end(caller: Caller | None, session_id: UUID | None) -> None:
    if caller is not None:
        with system().units.write() as uow:
            sessions.end_session(uow, caller, session_id)


def _show(caller: Caller | None, *, refusal: CircleError | None = None) -> Response:
    guard = FormGuard(_FORM)
    me, open_sessions = None, []
    if caller is not None:
        with system().units.read() as uow:
            me, open_sessions = queries.me(uow, caller.user_id), queries.sessions(uow, caller)
    response = page(
        "account.html",
        _SAYS,
        me=me,
        sessions=open_sessions,
        csrf=guard.proof,
        refusal=refusal.say(language()) if refusal else None,
    )
    response.status_code = refusal.status if refusal else 200
    return guard.protect(response)


def _browser() -> str:
    return request.user_agent.string[:80]
