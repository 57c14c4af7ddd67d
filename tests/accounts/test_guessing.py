"""Guessing passwords, codes and links: counted before anything is compared, with Valkey and without."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from limits import parse

from circle.accounts import passwords
from circle.accounts.routes import LOG_IN, REGISTER
from circle.archive.feed_pages import _BY_ADDRESS as BY_ADDRESS
from circle.billing.offer_routes import CLAIM
from circle.billing.pages import _LIMIT as CHECKOUT_PAGE
from circle.checkins.entry_routes import CERTIFICATE
from circle.checkins.pages import _LIMIT as CERTIFICATE_PAGE
from circle.config import Settings
from circle.memberships.routes.invitations import PREVIEW
from circle.web.limits import Limit, Limiter
from tests.accounts.test_console import proof
from tests.client import Api, Reply, World

PASSWORD = "a good password"
NOBODY_THERE = "redis://127.0.0.1:1"


@pytest.fixture(params=["Valkey up", "Valkey down"], autouse=True)
def _limits_as_in_production(request: pytest.FixtureRequest, app: Flask, settings: Settings) -> Iterator[None]:
    system = app.extensions["circle"]
    url = settings.redis_url if request.param == "Valkey up" else NOBODY_THERE
    app.extensions["circle"] = replace(system, limiter=Limiter(url))
    yield
    app.extensions["circle"] = system


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed and compared."""
    done: list[str] = []

    class Counting:
        def verify(self, _stored: str, password: str) -> None:
            done.append(password)
            raise passwords.VerifyMismatchError

    monkeypatch.setattr(passwords, "_HASHER", Counting())
    return done


def address() -> str:
    """An IP address that no other test comes from; what is counted in Valkey outlives a test."""
    return "2001:db8::" + ":".join(uuid.uuid4().hex[part : part + 4] for part in (0, 4, 8))


def send(api: Api, path: str, body: Any, *, ip: str, method: str = "POST") -> Reply:
    return api.request(method, path, json=body, environ_overrides={"REMOTE_ADDR": ip})


def test_ten_guesses_a_minute_at_one_account_and_no_hash_after_that(api: Api, hashes: list[str]) -> None:
    email = f"{uuid.uuid4().hex}@example.org"
    guesses = [send(api, "/auth/login", {"email": email, "password": f"guess {n}"}, ip=address()) for n in range(12)]

    assert [guess.status for guess in guesses] == [401] * 10 + [429] * 2
    assert len(hashes) == 10
    assert 0 < int(guesses[-1].headers["Retry-After"]) <= 60


def test_an_account_is_one_however_its_address_is_written(api: Api, hashes: list[str]) -> None:
    name = uuid.uuid4().hex
    ways = [f"{name}@example.org", f"{name.upper()}@example.org", f"{name}@EXAMPLE.org", f" {name}@Example.Org "]
    guesses = [
        send(api, "/auth/login", {"email": ways[n % len(ways)], "password": "a guess"}, ip=address()) for n in range(12)
    ]

    assert [guess.status for guess in guesses] == [401] * 10 + [429] * 2


def test_the_console_counts_as_the_api_does(api: Api, browser: FlaskClient, hashes: list[str]) -> None:
    name = uuid.uuid4().hex
    for _ in range(10):
        send(api, "/auth/login", {"email": f"{name}@example.org", "password": "a guess"}, ip=address())

    form = {"csrf": proof(browser), "address": f"{name.upper()}@example.org", "password": "a guess"}
    refused = browser.post("/account/login", data=form, environ_overrides={"REMOTE_ADDR": address()})

    assert refused.status_code == 429
    assert len(hashes) == 10


def test_a_code_is_sent_five_times_an_hour(api: Api) -> None:
    email = f"{uuid.uuid4().hex}@example.org"
    asked = [send(api, "/auth/codes", {"email": email, "purpose": "login"}, ip=address()) for _ in range(6)]

    assert [one.status for one in asked] == [204] * 5 + [429]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP"])
def test_where_a_guess_comes_from_is_not_what_it_says(app: Flask, api: Api, header: str) -> None:
    ip = address()
    use_up(app, PREVIEW[0], ip)

    guess = api.get("/invitations/a-guess", headers={header: "203.0.113.7"}, environ_overrides={"REMOTE_ADDR": ip})

    assert guess.status == 429


@pytest.mark.parametrize(
    ("limit", "method", "path", "body", "refused"),
    [
        (LOG_IN[1], "POST", "/auth/login", {"code": "000000"}, 401),
        (LOG_IN[1], "POST", "/auth/password", {"code": "000000", "password": PASSWORD}, 401),
        (LOG_IN[1], "POST", "/auth/wechat", {"code": "a-guess"}, 503),
        (REGISTER[0], "POST", "/auth/register", {"code": "000000", "display_name": "林晓"}, 401),
        (PREVIEW[0], "GET", "/invitations/a-guess", None, 404),
        (CERTIFICATE[0], "GET", "/certificates/a-guess", None, 404),
        (CERTIFICATE_PAGE, "GET", "http://circle.test/certificates/a-guess", None, 404),
        (BY_ADDRESS, "GET", f"http://circle.test/feeds/cp_guess/circles/{uuid.UUID(int=1)}.atom", None, 404),
        (CHECKOUT_PAGE, "POST", "http://circle.test/checkout/a-guess", None, 404),
    ],
)
def test_guesses_from_one_place_are_counted_together(
    app: Flask, api: Api, limit: Limit, method: str, path: str, body: dict[str, str] | None, refused: int
) -> None:
    ip = address()
    use_up(app, limit, ip, but=1)
    email = {} if path.endswith("/wechat") else {"email": f"{uuid.uuid4().hex}@example.org"}

    answers = [send(api, path, {**email, **body} if body else None, ip=ip, method=method) for _ in range(2)]

    assert [answer.status for answer in answers] == [refused, 429]


def test_a_gift_is_not_guessed(app: Flask, world: World) -> None:
    guesser, code = world.person(), {"code": "ABCD-EFGH-JKLM-NPQR"}
    use_up(app, CLAIM[0], str(guesser.id), but=1)

    answers = [guesser.api.post("/gifts/claim", code, environ_overrides={"REMOTE_ADDR": address()}) for _ in range(2)]

    assert [answer.status for answer in answers] == [409, 429]


def use_up(app: Flask, limit: Limit, identity: str, *, but: int = 0) -> None:
    """Count as many requests as a limit allows, but so many."""
    app.extensions["circle"].limiter.hit(limit, identity, cost=parse(limit.rate).amount - but)
