"""Registering, logging in and out."""

from datetime import timedelta
from typing import Any

import pytest

from circle.accounts.services.codes import MAX_GUESSES
from circle.kernel.clock import ManualClock
from tests.client import Api, World

NEW = {"email": "Lin@Example.org", "password": "a good password", "display_name": "林晓"}


def test_a_person_registers_and_is_logged_in(api: Api) -> None:
    answer = api.post("/auth/register", NEW).ok(201)

    me = api.as_(answer["token"]).get("/me").ok()
    assert me["email"] == "lin@example.org"
    assert me["display_name"] == "林晓"
    assert answer["user"] == me


def test_an_address_is_registered_once(api: Api) -> None:
    api.post("/auth/register", NEW).ok(201)

    assert api.post("/auth/register", {**NEW, "email": "lin@example.org"}).code == "identity_taken"


def test_a_wrong_password_and_an_unknown_account_are_answered_alike(api: Api) -> None:
    api.post("/auth/register", NEW).ok(201)

    wrong = api.post("/auth/login", {"email": NEW["email"], "password": "not this one"})
    unknown = api.post("/auth/login", {"email": "nobody@example.org", "password": "not this one"})

    assert wrong.status == unknown.status == 401
    assert {**wrong.json, "request_id": ""} == {**unknown.json, "request_id": ""}


def test_log_out_ends_the_session_at_once(api: Api, world: World) -> None:
    person = world.person()

    assert person.api.delete("/auth/session").status == 204
    assert person.api.get("/me").status == 401


def test_a_session_ends_by_itself(world: World, clock: ManualClock) -> None:
    person = world.person()

    clock.advance(timedelta(days=91))

    assert person.api.get("/me").status == 401


def test_a_code_logs_in_once(api: Api, world: World) -> None:
    person = world.person()
    api.post("/auth/codes", {"email": person.email, "purpose": "login"}).ok(204)
    code = world.last_code(person.email)

    assert api.post("/auth/login", {"email": person.email, "code": code}).status == 200
    assert api.post("/auth/login", {"email": person.email, "code": code}).code == "wrong_code"


def test_a_code_can_be_guessed_only_a_few_times(api: Api, world: World) -> None:
    person = world.person()
    api.post("/auth/codes", {"email": person.email, "purpose": "login"}).ok(204)
    code = world.last_code(person.email)
    wrong = "000000" if code != "000000" else "111111"

    for _ in range(MAX_GUESSES):
        assert api.post("/auth/login", {"email": person.email, "code": wrong}).code == "wrong_code"

    assert api.post("/auth/login", {"email": person.email, "code": code}).code == "wrong_code"


def test_a_code_is_good_for_what_it_was_sent_for_and_for_that_address(api: Api, world: World) -> None:
    person, other = world.person(), world.person()
    api.post("/auth/codes", {"email": person.email, "purpose": "login"}).ok(204)
    code = world.last_code(person.email)

    reset = api.post("/auth/password", {"email": person.email, "code": code, "password": "a good password"})
    elsewhere = api.post("/auth/login", {"email": other.email, "code": code})

    assert reset.code == elsewhere.code == "wrong_code"
    api.post("/auth/login", {"email": person.email, "code": code}).ok(200)


@pytest.mark.parametrize("change", ["purpose = 'reset_password'", "value = :other"])
def test_a_code_can_not_be_turned_into_another_in_the_database(api: Api, world: World, sql: Any, change: str) -> None:
    person, other = world.person(), world.person()
    api.post("/auth/codes", {"email": person.email, "purpose": "login"}).ok(204)
    code = world.last_code(person.email)
    whom = other if "value" in change else person

    sql(f"UPDATE one_time_codes SET {change} WHERE value = :mine", mine=person.email, other=other.email)  # noqa: S608
    by_login = api.post("/auth/login", {"email": whom.email, "code": code})
    by_reset = api.post("/auth/password", {"email": whom.email, "code": code, "password": "a good password"})

    assert by_login.code == by_reset.code == "wrong_code"


def test_guessing_one_code_uses_up_no_other(api: Api, world: World) -> None:
    person = world.person()
    api.post("/auth/codes", {"email": person.email, "purpose": "login"}).ok(204)
    code = world.last_code(person.email)
    api.post("/auth/codes", {"email": person.email, "purpose": "reset_password"}).ok(204)
    guess = {"email": person.email, "code": "none", "password": "a good password"}

    for _ in range(MAX_GUESSES):
        assert api.post("/auth/password", guess).code == "wrong_code"

    api.post("/auth/login", {"email": person.email, "code": code}).ok(200)


def test_nobody_logs_others_out(world: World) -> None:
    person, other = world.person(), world.person()
    session = person.api.get("/me/sessions").ok()["items"][0]["id"]
    token = person.api.post("/me/tokens", {"name": "脚本", "scopes": ["read"]}).ok(201)["id"]

    refused = [other.api.delete(path) for path in (f"/me/sessions/{session}", f"/me/tokens/{token}")]

    assert [one.status for one in refused] == [404, 404]
    assert [one["id"] for one in person.api.get("/me/tokens").ok()["items"]] == [token]


def test_a_code_expires(api: Api, world: World, clock: ManualClock) -> None:
    person = world.person()
    api.post("/auth/codes", {"email": person.email, "purpose": "login"}).ok(204)
    code = world.last_code(person.email)

    clock.advance(timedelta(minutes=10))

    assert api.post("/auth/login", {"email": person.email, "code": code}).code == "wrong_code"


def test_proof_of_an_address_ends_what_a_stranger_set_up_with_it(api: Api, world: World) -> None:
    stranger = api.as_(api.post("/auth/register", NEW).ok(201)["token"])
    api.post("/auth/codes", {"email": NEW["email"], "purpose": "login"}).ok(204)

    api.post("/auth/login", {"email": NEW["email"], "code": world.last_code("lin@example.org")}).ok(200)

    assert stranger.get("/me").status == 401
    assert api.post("/auth/login", {"email": NEW["email"], "password": NEW["password"]}).code == "bad_credentials"


def test_a_changed_password_ends_other_sessions_and_tokens(api: Api) -> None:
    here = api.as_(api.post("/auth/register", NEW).ok(201)["token"])
    log_in = {"email": NEW["email"], "password": NEW["password"]}
    there = api.as_(api.post("/auth/login", log_in).ok()["token"])
    script = api.as_(here.post("/me/tokens", {"name": "script", "scopes": ["read"]}).ok(201)["token"])
    script.get("/me").ok()

    here.patch("/me", {"password": "another password", "current_password": NEW["password"]}).ok()

    here.get("/me").ok()
    assert there.get("/me").status == 401
    assert script.get("/me").status == 401


def test_a_token_does_only_what_its_scopes_say(world: World, api: Api) -> None:
    person = world.person()
    token = person.api.post("/me/tokens", {"name": "reader", "scopes": ["read"]}).ok(201)["token"]

    assert token.startswith("cp_")
    api.as_(token).get("/me").ok()
    assert api.as_(token).patch("/me", {"bio": "x"}).code == "scope_missing"


def test_a_deleted_account_is_gone(api: Api) -> None:
    person = api.as_(api.post("/auth/register", NEW).ok(201)["token"])

    assert person.delete("/me", json={}).code == "bad_credentials"
    assert person.delete("/me", json={"password": NEW["password"]}).status == 204

    assert person.get("/me").status == 401
    assert api.post("/auth/login", {"email": NEW["email"], "password": NEW["password"]}).status == 401
    api.post("/auth/register", NEW).ok(201)
