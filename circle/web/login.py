"""Flask-Login for the browser's pages: the caller comes from our own session table, never from a signed cookie.

Flask-Login's session and remember cookies can't be revoked, so only its `request_loader` is used, and the
application has no Flask session at all (no `secret_key`: no Set-Cookie, no Vary: Cookie). The mobile API does not
pass here but takes the bearer header in the facade.
"""

import flask_login
from flask import Flask, Request
from flask_login import LoginManager, UserMixin

from circle.kernel.caller import Caller
from circle.web.system import system

SESSION_COOKIE = "circle_session"


def cookie_name(name: str) -> str:
    """Return what the cookie is called here: with TLS by a name that browsers take from this very host alone."""
    return f"__Host-{name}" if system().settings.secure else name


class LoggedIn(UserMixin):  # type: ignore[misc]
    """A caller in the shape that Flask-Login asks for."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.id = str(caller.user_id)


def configure_login(app: Flask) -> None:
    manager = LoginManager()
    manager.session_protection = None
    manager.init_app(app)
    manager.request_loader(_load_from_cookie)


def _load_from_cookie(request: Request) -> LoggedIn | None:
    credential = request.cookies.get(cookie_name(SESSION_COOKIE), "")
    if not credential:
        return None
    at = system()
    with at.units.read() as uow:
        caller = at.gate(uow, credential, {})
    return LoggedIn(caller) if caller else None


def page_caller() -> Caller | None:
    """Return who is looking at a page, by the browser's cookie."""
    user = flask_login.current_user
    return user.caller if user.is_authenticated else None
