"""The addresses of an account: what is done to it, its owner hears of, and nobody shares it."""

from typing import Any

import pytest

from tests.builders.people import Person
from tests.client import Api, World

PASSWORD = "a good password"
SECOND = "second@example.org"
HELD = "holder@example.org"


def code_for(world: World, email: str, purpose: str) -> dict[str, str]:
    Api(world.app).post("/auth/codes", {"email": email, "purpose": purpose}).ok(204)
    return {"email": email, "code": world.last_code(email)}


def add(world: World, person: Person, email: str = SECOND, **more: str) -> Any:
    return person.api.post("/me/identities", {**code_for(world, email, "add_identity"), **more})


@pytest.fixture
def letters(world: World, sql: Any) -> Any:
    """The letters about accounts that have left, without the codes: address and subject."""

    def read() -> list[tuple[str, str, str]]:
        Api(world.app).post("/test/drain").ok(200)
        kept = sql("SELECT \"to\", subject, body FROM mailbox_messages WHERE key LIKE 'account:%' ORDER BY id")
        return [(one["to"], one["subject"], one["body"]) for one in kept]

    return read


def test_the_others_hear_of_a_new_address(world: World, letters: Any) -> None:
    person = world.person()

    add(world, person).ok(201)

    [(to, subject, body)] = letters()
    assert (to, subject) == (person.email, "你的账号新增了登录方式")
    assert "s…@example.org" in body
    assert SECOND not in body
    assert "/account" in body


def test_a_dropped_address_hears_of_it_too(world: World, letters: Any) -> None:
    person = world.person()
    person.api.patch("/me", {"language": "en"}).ok()
    add(world, person).ok(201)
    first = person.api.get("/me").ok()["identities"][0]["id"]

    person.api.request("DELETE", f"/me/identities/{first}", json={}).ok(204)

    removed = [to for to, subject, _body in letters() if subject == "A way to log in was removed from your account"]
    assert removed == [person.email, SECOND]


def test_a_changed_password_is_told_in_whichever_way_it_was_changed(world: World, letters: Any, api: Api) -> None:
    person = world.person(password=PASSWORD)

    person.api.patch("/me", {"password": "a better password", "current_password": PASSWORD}).ok()
    api.post("/auth/password", {**code_for(world, person.email, "reset_password"), "password": PASSWORD}).ok()

    assert [(to, subject) for to, subject, _body in letters()] == [(person.email, "你的密码已更改")] * 2


def test_a_telephone_hears_by_text_message(world: World, letters: Any, sql: Any) -> None:
    person, phone = world.person(), "+8613800138000"
    person.api.post("/auth/codes", {"phone": phone, "purpose": "add_identity"}).ok(204)
    person.api.post("/me/identities", {"phone": phone, "code": world.last_code(phone)}).ok(201)

    add(world, person).ok(201)

    assert {to for to, _subject, _body in letters()} == {person.email, phone}
    assert sql("SELECT channel FROM mailbox_messages WHERE \"to\" = :phone AND key LIKE 'account:%'", phone=phone) == [
        {"channel": "sms"}
    ]


def test_an_address_that_nobody_has_proven_is_written_to_for_codes_alone(api: Api, letters: Any) -> None:
    new = {"email": "lin@example.org", "password": PASSWORD, "display_name": "林晓"}
    person = api.as_(api.post("/auth/register", new).ok(201)["token"])

    person.patch("/me", {"password": "a better password", "current_password": PASSWORD}).ok()

    assert letters() == []


def test_a_session_alone_neither_adds_nor_drops_an_address_where_there_is_a_password(world: World) -> None:
    person = world.person(password=PASSWORD)

    added = [add(world, person), add(world, person, current_password="a guess")]
    add(world, person, current_password=PASSWORD).ok(201)
    second = f"/me/identities/{person.api.get('/me').ok()['identities'][1]['id']}"
    dropped = [person.api.request("DELETE", second, json=body) for body in ({}, {"password": "a guess"})]

    assert [(one.status, one.code) for one in (*added, *dropped)] == [(401, "bad_credentials")] * 4
    person.api.request("DELETE", second, json={"password": PASSWORD}).ok(204)


def test_proving_an_address_that_is_there_asks_for_the_code_alone(api: Api, world: World) -> None:
    new = {"email": "lin@example.org", "password": PASSWORD, "display_name": "林晓"}
    person = api.as_(api.post("/auth/register", new).ok(201)["token"])

    person.post("/me/identities", code_for(world, "lin@example.org", "add_identity")).ok(201)

    assert person.get("/me").ok()["identities"][0]["verified"] is True


@pytest.fixture
def squatter(api: Api) -> Api:
    """Somebody who registered an address of others, to wait in the account for its holder (pre-hijacking)."""
    new = {"email": HELD, "password": PASSWORD, "display_name": "林晓"}
    return api.as_(api.post("/auth/register", new).ok(201)["token"])


def test_what_a_squatter_left_ends_when_the_holder_logs_in(world: World, squatter: Api, api: Api) -> None:
    token = squatter.post("/me/tokens", {"name": "脚本", "scopes": ["read"]}).ok(201)["token"]
    squatter.put("/me/webhook", {"url": "https://bot.example.org/circle"}).ok()

    holder = api.as_(api.post("/auth/login", code_for(world, HELD, "login")).ok()["token"])

    assert api.as_(token).get("/me").status == squatter.get("/me").status == 401
    assert holder.get("/me/webhook").status == 404


@pytest.mark.parametrize(
    ("path", "purpose", "more"),
    [("/auth/login", "login", {}), ("/auth/password", "reset_password", {"password": "a better password"})],
)
def test_with_a_proven_address_the_account_is_the_squatters_alone(
    world: World, squatter: Api, api: Api, path: str, purpose: str, more: dict[str, str]
) -> None:
    own = code_for(world, "squatter@example.org", "add_identity")
    squatter.post("/me/identities", {**own, "current_password": PASSWORD}).ok(201)

    refused = api.post(path, {**code_for(world, HELD, purpose), **more})

    assert refused.code == "no_account"
    squatter.get("/me").ok(200)


def test_and_the_holder_registers_one_of_their_own(world: World, squatter: Api, api: Api) -> None:
    own = code_for(world, "squatter@example.org", "add_identity")
    squatter.post("/me/identities", {**own, "current_password": PASSWORD}).ok(201)

    made = api.post("/auth/register", {**code_for(world, HELD, "register"), "display_name": "真正的人"})

    assert made.ok(201)["user"]["email"] == HELD
    assert [one["value"] for one in squatter.get("/me").ok()["identities"]] == ["squatter@example.org"]


def test_or_adds_the_address_to_the_one_they_have(world: World, squatter: Api) -> None:
    own = code_for(world, "squatter@example.org", "add_identity")
    squatter.post("/me/identities", {**own, "current_password": PASSWORD}).ok(201)
    holder = world.person()

    add(world, holder, HELD).ok(201)

    assert [one["value"] for one in holder.api.get("/me").ok()["identities"]] == [holder.email, HELD]


@pytest.mark.parametrize("change", ["password", "reset"])
def test_a_webhook_that_a_thief_left_behind_ends_with_the_password(world: World, api: Api, change: str) -> None:
    person = world.person(password=PASSWORD)
    person.api.put("/me/webhook", {"url": "https://bot.example.org/circle"}).ok()

    if change == "password":
        person.api.patch("/me", {"password": "a better password", "current_password": PASSWORD}).ok()
    else:
        reset = {**code_for(world, person.email, "reset_password"), "password": "a better password"}
        person.api = api.as_(api.post("/auth/password", reset).ok()["token"])

    assert person.api.get("/me/webhook").status == 404
