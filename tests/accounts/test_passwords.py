"""Passwords that are guessed first are refused where one is set; guesses at the present one are counted."""

from dataclasses import replace

import pytest
from flask import Flask

from circle.accounts.routes import ASKED_AGAIN
from circle.accounts.services.identities import add_identity, require_user
from circle.accounts.services.people import read_address
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.web.limits import Limiter
from tests.client import Api, World

PASSWORD = "a good password"
NEW = {"email": "linxiao.writes@example.org", "display_name": "林晓在写作中呢"}


@pytest.mark.parametrize(
    "password",
    ["12345678", "password", "PassWord1", "Iloveyou", "88888888", "woaini1314", "zzzzzzzzzzzz", "七七七七七七七七"],
)
def test_what_is_guessed_first_is_no_password(api: Api, password: str) -> None:
    refused = api.post("/auth/register", {**NEW, "password": password})

    assert (refused.status, refused.code, refused.fields) == (422, "invalid", {"password": "too_common"})
    assert api.post("/auth/register", {**NEW, "password": PASSWORD}).status == 201, "nothing was written before"


@pytest.mark.parametrize("known", ["linxiao.writes", "LinXiao.Writes@Example.org", NEW["display_name"] + "吧"])
def test_what_is_known_of_somebody_is_no_password_of_theirs(api: Api, known: str) -> None:
    refused = api.post("/auth/register", {**NEW, "password": known, "display_name": known})

    assert refused.fields == {"password": "too_common"}


def test_it_is_refused_wherever_a_password_is_set(api: Api, world: World) -> None:
    person = world.person(password=PASSWORD)
    api.post("/auth/codes", {"email": person.email, "purpose": "reset_password"}).ok(204)
    reset = {"email": person.email, "code": world.last_code(person.email)}

    changed = person.api.patch("/me", {"password": "password1", "current_password": PASSWORD})
    own_address = person.api.patch("/me", {"password": person.email, "current_password": PASSWORD})
    was_reset = api.post("/auth/password", {**reset, "password": "password1"})

    assert [one.fields for one in (changed, own_address, was_reset)] == [{"password": "too_common"}] * 3
    person.api.get("/me").ok()
    api.post("/auth/password", {**reset, "password": "a better password"}).ok()


def test_who_has_one_from_before_still_logs_in(api: Api, world: World) -> None:
    person = world.person(password="password1")

    api.post("/auth/login", {"email": person.email, "password": "password1"}).ok(200)


def test_only_test_mode_takes_them_unless_told(settings: Settings) -> None:
    unset = replace(settings, common_passwords=None)

    assert unset.takes_common_passwords
    assert not replace(unset, test_mode=False).takes_common_passwords
    assert not replace(unset, common_passwords=False).takes_common_passwords


def test_whoever_has_a_session_can_not_go_on_guessing_the_password(app: Flask, world: World) -> None:
    person = world.person(password=PASSWORD)
    _add(world, person.api, "second@example.org")
    second = person.api.get("/me").ok()["identities"][1]["id"]
    guess = {"password": "a new password", "current_password": "a guess"}
    ways = (
        lambda: person.api.patch("/me", guess),
        lambda: person.api.request("DELETE", "/me", json={"password": "a guess"}),
        lambda: person.api.request("DELETE", f"/me/identities/{second}", json={"password": "a guess"}),
    )
    limiter = Limiter("redis://127.0.0.1:1")
    app.extensions["circle"] = replace(system := app.extensions["circle"], limiter=limiter)
    try:
        guesses = [way().status for _ in range(7) for way in ways]
    finally:
        app.extensions["circle"] = system

    assert guesses == [401] * 20 + [429]
    assert {limit.per for limit in ASKED_AGAIN} == {"user"}


def _add(world: World, api: Api, email: str) -> None:
    user_id = api.get("/me").ok()["id"]
    with world.units.write() as uow:
        user = require_user(uow, Caller(user_id=user_id, display_name=""))
        add_identity(uow, user, read_address(email, None), proven=True)
