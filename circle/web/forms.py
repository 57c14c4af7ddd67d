"""Forms that only our own pages can send: a cookie's secret and a proof that follows from it and the form's name.

Another site can make a browser send the cookie, but knows neither it nor the proof.
"""

import hmac
from hashlib import sha256

from flask import Response, abort, request

from circle.kernel.ids import new_secret
from circle.web.login import cookie_name
from circle.web.system import system

_COOKIE = "circle_form"


class FormGuard:
    """The proof of one form in one browser; `protect` the response that shows it."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._secret = request.cookies.get(cookie_name(_COOKIE)) or new_secret()

    @property
    def proof(self) -> str:
        return self._prove(system().settings.secret_key)

    def accepts(self, given: str) -> bool:
        proofs = (self._prove(key) for key in system().settings.secret_keys)
        return any(hmac.compare_digest(proof.encode(), given.encode()) for proof in proofs)

    def _prove(self, key: str) -> str:
        return hmac.new(key.encode(), f"{self._secret}\0{self._form}".encode(), sha256).hexdigest()

    def protect(self, response: Response) -> Response:
        secure = system().settings.secure
        response.set_cookie(cookie_name(_COOKIE), self._secret, httponly=True, samesite="Strict", secure=secure)
        return response


def require_our_form(form: str) -> None:
    """Refuse (403) a form that was not shown to this browser; without its cookie the secret is one of this moment."""
    if not FormGuard(form).accepts(request.form.get("csrf", "")):
        abort(403)
