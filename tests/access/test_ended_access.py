"""Everything that opens something, stolen while it was good: dead with the next request once its owner's access ends.

Nothing waits for a cache to notice. What a link of the storage opens can't be taken back: it ends by itself within five
minutes (tests/media/test_uploading.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from circle.web.login import SESSION_COOKIE
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.builders.posts import BuiltPost
from tests.client import Api, Browser, World

PASSWORD = "a good password"
LIVES = 200


@dataclass
class Scenery:
    """Somebody in a circle, and a post with a picture that only members see."""

    world: World
    sql: Callable[..., list[Any]]
    app: Flask
    victim: Person
    circle: BuiltCircle
    post: BuiltPost
    picture: UUID

    def token(self, scope: str) -> str:
        made = self.victim.api.post("/me/tokens", {"name": "脚本", "scopes": [scope]}).ok(201)
        return str(made["token"])


@pytest.fixture
def at(app: Flask, world: World, sql: Any) -> Scenery:
    circle, victim = world.circle(), world.person("林晓", password=PASSWORD)
    world.member(circle, person=victim)
    picture = world.media(circle.owner)
    return Scenery(world, sql, app, victim, circle, world.post(circle, attachments=[picture]), picture)


Try = Callable[[], int]


def a_session(at: Scenery) -> Try:
    return lambda: Api(at.app, at.victim.token).get("/me").status


def a_cookie(at: Scenery) -> Try:
    def use() -> int:
        thief: FlaskClient = Browser(at.app)
        thief.set_cookie(SESSION_COOKIE, at.victim.token)
        return LIVES if at.victim.email in thief.get("/account").text else 401

    return use


def a_token(at: Scenery) -> Try:
    token = at.token("read")
    return lambda: Api(at.app, token).get("/me").status


def a_feed(at: Scenery) -> Try:
    token = at.token("feed")
    path = f"http://circle.test/feeds/{token}/circles/{at.circle.id}.atom"
    return lambda: Api(at.app).request("GET", path).status


def an_export(at: Scenery) -> Try:
    """By the session: the address of the export is no credential."""
    asked = at.world.ask_export(at.victim, at.circle)
    at.world.build_exports()
    return lambda: Api(at.app, at.victim.token).get(f"/exports/{asked['id']}").status


def a_picture(at: Scenery) -> Try:
    def use() -> int:
        status = Api(at.app, at.victim.token).get(f"/media/{at.picture}").status
        return LIVES if status == 302 else status

    return use


def the_change_log(at: Scenery) -> Try:
    return lambda: Api(at.app, at.victim.token).get(f"{at.circle.path}/changes").status


def log_out(at: Scenery) -> None:
    at.victim.api.delete("/auth/session").ok(204)


def change_the_password(at: Scenery) -> None:
    sent = {"email": at.victim.email, "password": PASSWORD}
    elsewhere = Api(at.app, Api(at.app).post("/auth/login", sent).ok(200)["token"])
    elsewhere.patch("/me", {"password": "a better password", "current_password": PASSWORD}).ok()


def reset_the_password(at: Scenery) -> None:
    nobody, email = Api(at.app), at.victim.email
    nobody.post("/auth/codes", {"email": email, "purpose": "reset_password"}).ok()
    code = at.world.last_code(email)
    nobody.post("/auth/password", {"email": email, "code": code, "password": "a better password"}).ok()


def suspend(at: Scenery) -> None:
    at.sql("UPDATE users SET suspended_at = created_at WHERE id = :id", id=at.victim.id)


def delete(at: Scenery) -> None:
    at.victim.api.request("DELETE", "/me", json={"password": PASSWORD}).ok(204)


def ban(at: Scenery) -> None:
    at.circle.owner.api.post(f"{at.circle.path}/members/{at.victim.id}/ban", {"refund": False}).ok()


def remove(at: Scenery) -> None:
    at.circle.owner.api.post(f"{at.circle.path}/members/{at.victim.id}/remove", {"refund": False}).ok()


BY_SESSION = (a_session, a_cookie, an_export, a_picture, the_change_log)
BY_TOKEN = (a_token, a_feed)
ENDS_SESSIONS = (log_out, change_the_password, reset_the_password, suspend, delete)
ENDS_TOKENS = (change_the_password, reset_the_password, suspend, delete)
CASES = (
    *((steal, end) for steal in BY_SESSION for end in ENDS_SESSIONS),
    *((steal, end) for steal in BY_TOKEN for end in ENDS_TOKENS),
    # Who was removed may look in again as a stranger may: at teasers.
    *((steal, ban) for steal in (a_feed, a_picture, the_change_log)),
    (a_picture, remove),
)


@pytest.mark.parametrize(("steal", "end"), CASES, ids=lambda one: one.__name__)
def test_what_was_stolen_ends_with_the_access_of_its_owner(
    at: Scenery, steal: Callable[[Scenery], Try], end: Callable[[Scenery], None]
) -> None:
    use = steal(at)
    before = use()

    end(at)

    assert before == LIVES
    assert use() in {401, 403, 404}


@pytest.mark.parametrize("end", [ban, remove], ids=lambda one: one.__name__)
def test_what_is_not_the_circles_stays_with_who_left_it(at: Scenery, end: Callable[[Scenery], None]) -> None:
    """The account, and the token that reads it, are nobody's to take."""
    uses = [a_session(at), a_token(at)]

    end(at)

    assert [use() for use in uses] == [LIVES, LIVES]


def test_a_link_into_a_circle_ends_with_its_withdrawal(at: Scenery) -> None:
    owner, circle = at.circle.owner.api, at.circle
    made = owner.post(f"{circle.path}/invitations", {"note": "给朋友"}).ok(201)
    stolen = f"/invitations/{made['code']}"
    assert Api(at.app).get(stolen).status == LIVES

    owner.delete(f"{circle.path}/invitations/{made['id']}").ok(204)

    assert Api(at.app).get(stolen).status in {404, 409}


def test_a_kept_answer_is_for_who_got_it(at: Scenery) -> None:
    """Whoever knows the key of somebody's request gets nothing of its answer with a credential of their own."""
    key = {"Idempotency-Key": "one-tap-0001"}
    body = {"name": "脚本", "scopes": ["read"]}
    theirs = at.victim.api.post("/me/tokens", body, headers=key).ok(201)["token"]

    thief = at.world.person().api.post("/me/tokens", body, headers=key)
    nobody = Api(at.app).post("/me/tokens", body, headers=key)

    assert theirs not in str(thief.bytes) + str(nobody.bytes)
    assert (thief.status, nobody.status) == (201, 401)


def test_a_kept_answer_ends_with_its_session(at: Scenery) -> None:
    key = {"Idempotency-Key": "one-tap-0002"}
    body = {"name": "脚本", "scopes": ["read"]}
    at.victim.api.post("/me/tokens", body, headers=key).ok(201)

    log_out(at)

    assert at.victim.api.post("/me/tokens", body, headers=key).status == 401
