"""Whether an account exists is told by no status, no body, no header, and by no work that takes longer."""

from typing import Any

import pytest

from circle.accounts import passwords
from tests.client import Api, Reply, World
from tests.statements import counted

PASSWORD = "a good password"


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stored hashes that a password was compared with."""
    done: list[str] = []
    verify = passwords._HASHER.verify

    class Counting:
        def verify(self, stored: str, password: str) -> bool:
            done.append(stored)
            return bool(verify(stored, password))

    monkeypatch.setattr(passwords, "_HASHER", Counting())
    return done


@pytest.fixture
def people(world: World, api: Api, sql: Any) -> dict[str, str]:
    """Addresses: of somebody, of nobody, and of those who can't log in by password."""
    person, suspended, without = world.person(password=PASSWORD), world.person(password=PASSWORD), world.person()
    gone = world.person()
    sql("UPDATE users SET suspended_at = created_at WHERE id = :id", id=suspended.id)
    gone.api.request("DELETE", "/me", json={}).ok(204)
    return {
        "somebody": person.email,
        "nobody": "nobody-at-all@example.org",
        "suspended": suspended.email,
        "without a password": without.email,
        "deleted": gone.email,
    }


def said(reply: Reply) -> Any:
    """All that an answer tells, without what is new in each."""
    body = {name: value for name, value in (reply.json or {}).items() if name != "request_id"}
    headers = {
        name: value for name, value in reply.headers.items() if not name.startswith(("X-Request-Id", "RateLimit"))
    }
    return reply.status, body, headers


def test_a_failed_log_in_is_one_for_all(api: Api, people: dict[str, str], hashes: list[str]) -> None:
    answers, work = {}, {}
    for who, email in people.items():
        hashes.clear()
        answers[who] = said(api.post("/auth/login", {"email": email, "password": "not this one"}))
        work[who] = len(hashes)

    assert {answer[0] for answer in answers.values()} == {401}
    assert all(answer == answers["nobody"] for answer in answers.values()), answers
    assert set(work.values()) == {1}


def test_hashes_of_somebody_and_nobody_cost_the_same() -> None:
    parameters = [stored.split("$")[1:4] for stored in (passwords.hash_password(PASSWORD), passwords._NOBODY)]

    assert parameters[0] == parameters[1] == ["argon2id", "v=19", "m=19456,t=2,p=1"]


@pytest.mark.parametrize("purpose", ["login", "register", "reset_password"])
def test_asking_for_a_code_tells_nothing_and_does_the_same(api: Api, people: dict[str, str], purpose: str) -> None:
    answers, work = {}, {}
    for who, email in people.items():
        with counted() as statements:
            answers[who] = said(api.post("/auth/codes", {"email": email, "purpose": purpose}))
        work[who] = [statement.split()[:3] for statement in statements]

    assert all(answer == answers["nobody"] for answer in answers.values()), answers
    assert answers["nobody"][0] == 204
    assert all(done == work["nobody"] for done in work.values()), work


@pytest.mark.parametrize("path", ["/auth/login", "/auth/password"])
def test_a_wrong_code_is_one_for_all(api: Api, people: dict[str, str], path: str, hashes: list[str]) -> None:
    more = {"password": "a new password"} if path == "/auth/password" else {}
    answers, work = {}, {}
    for who, email in people.items():
        with counted() as statements:
            answers[who] = said(api.post(path, {"email": email, "code": "000000", **more}))
        work[who] = len(statements)

    assert all(answer == answers["nobody"] for answer in answers.values()), answers
    assert answers["nobody"][0] == 401
    assert len(set(work.values())) == 1
    assert hashes == []


def test_only_who_holds_the_address_hears_that_it_has_no_account(api: Api, world: World) -> None:
    api.post("/auth/codes", {"email": "nobody-at-all@example.org", "purpose": "login"}).ok(204)

    told = api.post(
        "/auth/login", {"email": "nobody-at-all@example.org", "code": world.last_code("nobody-at-all@example.org")}
    )

    assert told.code == "no_account"
