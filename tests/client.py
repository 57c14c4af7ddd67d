"""How tests talk to the product: over HTTP, as somebody."""

from http import HTTPStatus
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from circle.kernel.uow import Units
from tests.builders.archive import Archives
from tests.builders.camps import Camps
from tests.builders.discussion import Discussion
from tests.builders.exports import Exports
from tests.builders.homework import Homework
from tests.builders.media import Uploads
from tests.builders.offers import Offers
from tests.builders.payouts import Payouts
from tests.builders.renewals import Renewals
from tests.promises import assert_promised


class Reply:
    """An answer, with its JSON at hand."""

    def __init__(self, response: Any) -> None:
        self.status: int = response.status_code
        self.headers = response.headers
        self.bytes: bytes = response.data
        self.json: Any = response.get_json(silent=True)

    @property
    def code(self) -> str | None:
        """The problem's code; None where it went well."""
        return self.json.get("code") if isinstance(self.json, dict) and self.status >= 400 else None

    @property
    def fields(self) -> dict[str, str]:
        """Code by field of a 422."""
        return {error["field"]: error["code"] for error in self.json.get("errors", [])}

    def __repr__(self) -> str:
        return f"<{self.status} {self.bytes[:600].decode(errors='replace')}>"

    def ok(self, status: int | None = None) -> Any:
        """Return the JSON; fail loudly if the request was refused."""
        assert self.status < 400 if status is None else self.status == status, repr(self)
        return self.json


class Browser(FlaskClient):
    """A test client whose requests each have a context of their own, as in a server; the tests hold one open."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        with self.application.app_context():
            return super().open(*args, **kwargs)


class Api:
    """A client of `/v1` holding a bearer token, or none."""

    def __init__(self, app: Flask, token: str | None = None, language: str = "en") -> None:
        self._app = app
        self._client = Browser(app, use_cookies=False)
        self.token = token
        self.language = language

    @property
    def units(self) -> Units:
        """The installation's, for running its jobs."""
        units: Units = self._app.extensions["circle"].units
        return units

    def as_(self, token: str | None) -> "Api":
        return Api(self._app, token, self.language)

    def request(self, method: str, path: str, *, headers: dict[str, str] | None = None, **kwargs: Any) -> Reply:
        sent = {"Accept-Language": self.language, **(headers or {})}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if path.startswith("/") and not path.startswith("/v1"):
            path = f"/v1{path}"
        reply = Reply(self._client.open(path, method=method, headers=sent, **kwargs))
        if reply.status < HTTPStatus.MULTIPLE_CHOICES:
            assert_promised(self._app, method, path, reply.status, reply.json)
        return reply

    def get(self, path: str, **kwargs: Any) -> Reply:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, json: Any = None, **kwargs: Any) -> Reply:
        return self.request("POST", path, json={} if json is None else json, **kwargs)

    def put(self, path: str, json: Any = None, **kwargs: Any) -> Reply:
        return self.request("PUT", path, json=json, **kwargs)

    def patch(self, path: str, json: Any, **kwargs: Any) -> Reply:
        return self.request("PATCH", path, json=json, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Reply:
        return self.request("DELETE", path, **kwargs)


class World(Archives, Exports, Discussion, Offers, Payouts, Renewals, Camps, Uploads, Homework):
    """Everything that tests build with, one mixin a feature."""

    def __init__(self, app: Flask, units: Units) -> None:
        self.app = app
        self.units = units
