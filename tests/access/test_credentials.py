"""Stolen credentials: each was good, or looks as if; each is refused at once, everywhere."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from circle.kernel.clock import ManualClock
from circle.web.login import SESSION_COOKIE
from tests.builders.people import Person
from tests.client import Api, Reply, World

PASSWORD, NEW_PASSWORD = "a good password", "a better password"
Sql = Callable[..., list[Any]]


@dataclass
class Theft:
    """What a thief has, and how they try it."""

    token: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Scenery:
    """The victim, logged in twice, with a token; and the means to end either."""

    world: World
    clock: ManualClock
    sql: Sql
    victim: Person

    @property
    def api(self) -> Api:
        return self.victim.api

    def token(self, **about: Any) -> Any:
        return self.api.post("/me/tokens", {"name": "脚本", "scopes": ["read", "write"], **about}).ok(201)

    def other_session(self) -> str:
        sent = {"email": self.victim.email, "password": PASSWORD}
        return str(Api(self.victim.app).post("/auth/login", sent).ok(200)["token"])


def logged_out(at: Scenery) -> Theft:
    at.api.delete("/auth/session").ok(204)
    return Theft(at.victim.token)


def before_the_password_changed(at: Scenery) -> Theft:
    stolen = at.other_session()
    at.api.patch("/me", {"password": NEW_PASSWORD, "current_password": PASSWORD}).ok()
    return Theft(stolen)


def token_before_the_password_changed(at: Scenery) -> Theft:
    stolen = at.token()["token"]
    at.api.patch("/me", {"password": NEW_PASSWORD, "current_password": PASSWORD}).ok()
    return Theft(stolen)


def before_the_password_was_reset(at: Scenery) -> Theft:
    email = at.victim.email
    nobody = Api(at.victim.app)
    nobody.post("/auth/codes", {"email": email, "purpose": "reset_password"}).ok()
    nobody.post("/auth/password", {"email": email, "code": at.world.last_code(email), "password": NEW_PASSWORD}).ok()
    return Theft(at.victim.token)


def ended_from_another_device(at: Scenery) -> Theft:
    stolen = at.other_session()
    other = next(one for one in at.api.get("/me/sessions").ok()["items"] if not one["current"])
    at.api.delete(f"/me/sessions/{other['id']}").ok(204)
    return Theft(stolen)


def suspended(at: Scenery) -> Theft:
    at.sql("UPDATE users SET suspended_at = created_at WHERE id = :id", id=at.victim.id)
    return Theft(at.victim.token)


def token_of_somebody_suspended(at: Scenery) -> Theft:
    stolen = at.token()["token"]
    at.sql("UPDATE users SET suspended_at = created_at WHERE id = :id", id=at.victim.id)
    return Theft(stolen)


def deleted(at: Scenery) -> Theft:
    at.api.request("DELETE", "/me", json={"password": PASSWORD}).ok(204)
    return Theft(at.victim.token)


def token_of_somebody_deleted(at: Scenery) -> Theft:
    stolen = at.token()["token"]
    at.api.request("DELETE", "/me", json={"password": PASSWORD}).ok(204)
    return Theft(stolen)


def revoked_token(at: Scenery) -> Theft:
    made = at.token()
    at.api.delete(f"/me/tokens/{made['id']}").ok(204)
    return Theft(made["token"])


def expired_token(at: Scenery) -> Theft:
    made = at.token(expires_at=(at.clock.now() + timedelta(hours=1)).isoformat())
    at.clock.advance(timedelta(hours=1))
    return Theft(made["token"])


def expired_session(at: Scenery) -> Theft:
    at.clock.advance(timedelta(days=90))
    return Theft(at.victim.token)


def session_as_a_token(at: Scenery) -> Theft:
    return Theft(at.victim.token.replace("cs_", "cp_", 1))


def token_as_a_session(at: Scenery) -> Theft:
    return Theft(at.token()["token"].replace("cp_", "cs_", 1))


def truncated(at: Scenery) -> Theft:
    return Theft(at.victim.token[:-1])


def in_capitals(at: Scenery) -> Theft:
    return Theft(at.victim.token.upper())


def its_hash(at: Scenery) -> Theft:
    """What somebody has who read the database."""
    rows = at.sql("SELECT encode(token_hash, 'hex') AS hash FROM sessions WHERE user_id = :id", id=at.victim.id)
    return Theft(rows[0]["hash"])


def its_id(at: Scenery) -> Theft:
    return Theft(at.api.get("/me/sessions").ok()["items"][0]["id"])


def injected(at: Scenery) -> Theft:
    return Theft("cs_' OR '1'='1' --")


def with_a_wildcard(at: Scenery) -> Theft:
    return Theft("cs_%")


def as_basic(at: Scenery) -> Theft:
    return Theft("", {"Authorization": f"Basic {at.victim.token}"})


def as_a_cookie(at: Scenery) -> Theft:
    return Theft("", {"Cookie": f"{SESSION_COOKIE}={at.victim.token}"})


def as_another_header(at: Scenery) -> Theft:
    return Theft("", {"X-Authorization": f"Bearer {at.victim.token}"})


STOLEN = (
    logged_out,
    before_the_password_changed,
    token_before_the_password_changed,
    before_the_password_was_reset,
    ended_from_another_device,
    suspended,
    token_of_somebody_suspended,
    deleted,
    token_of_somebody_deleted,
    revoked_token,
    expired_token,
    expired_session,
    session_as_a_token,
    token_as_a_session,
    truncated,
    in_capitals,
    its_hash,
    its_id,
    injected,
    with_a_wildcard,
    as_basic,
    as_a_cookie,
    as_another_header,
)


@pytest.fixture
def at(world: World, clock: ManualClock, sql: Sql) -> Scenery:
    victim = world.person("林晓", password=PASSWORD)
    return Scenery(world, clock, sql, victim)


def replies(app: Flask, theft: Theft, path: str) -> list[Reply]:
    """A reading, a writing, and what a gate of a circle guards."""
    thief = Api(app, theft.token or None)
    return [
        thief.get("/me", headers=theft.headers),
        thief.post("/circles", {"name": "我的了"}, headers=theft.headers),
        thief.get(f"{path}/membership", headers=theft.headers),
        thief.get(f"{path}/changes", headers=theft.headers),
        thief.delete("/auth/session", headers=theft.headers),
    ]


@pytest.mark.parametrize("steal", STOLEN, ids=lambda steal: steal.__name__)
def test_a_stolen_credential_is_refused_at_once(app: Flask, at: Scenery, steal: Callable[[Scenery], Theft]) -> None:
    circle = at.world.circle()
    at.world.member(circle, person=at.victim)
    before = Api(app, at.victim.token).get("/me")

    theft = steal(at)

    assert before.status == 200
    assert {reply.status for reply in replies(app, theft, circle.path)} == {401}
    assert all(at.victim.email not in str(reply.bytes) for reply in replies(app, theft, circle.path))


def test_a_ban_ends_access_to_the_circle_at_once_and_leaves_the_account(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    post = world.post(circle)
    member.api.get(post.path).ok(200)

    circle.owner.api.post(f"{circle.path}/members/{member.id}/ban", {"refund": False}).ok()

    answers = [member.api.get(path) for path in (post.path, f"{circle.path}/posts", f"{post.path}/comments")]
    assert {(answer.status, answer.code) for answer in answers} == {(403, "banned")}
    member.api.get("/me").ok(200)


def test_who_changed_the_password_stays_logged_in(at: Scenery) -> None:
    at.api.patch("/me", {"password": NEW_PASSWORD, "current_password": PASSWORD}).ok()

    at.api.get("/me").ok(200)


def test_a_token_makes_no_other_credential(app: Flask, at: Scenery) -> None:
    thief = Api(app, at.token()["token"])

    assert thief.post("/me/tokens", {"name": "mine", "scopes": ["write"]}).code == "session_needed"
    assert thief.patch("/me", {"password": NEW_PASSWORD, "current_password": PASSWORD}).code == "session_needed"
    assert thief.request("DELETE", "/me", json={"password": PASSWORD}).code == "session_needed"
