"""Suspending an account: an operator shuts somebody out, and lets them in again."""

from typing import Any

from circle.accounts.services.operators import restore_user, suspend_user
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from circle.notifications.kinds import Kind
from circle.notifications.services.sending import notify
from tests.builders.people import Person
from tests.client import Api, World

PASSWORD = "a good password"


def suspend(units: Units, person: Person) -> None:
    with units.write() as uow:
        suspend_user(uow, email=person.email)


def restore(units: Units, person: Person) -> None:
    with units.write() as uow:
        restore_user(uow, email=person.email)


def log_in(api: Api, person: Person) -> Any:
    return api.post("/auth/login", {"email": person.email, "password": PASSWORD})


def tell(units: Units, person: Person, key: str) -> None:
    with units.write() as uow:
        notify(uow, person.id, Kind.QUESTION_ANSWERED, key=key, circle="写作圈", actor="王老师")


def letters(api: Api, person: Person) -> list[Any]:
    api.post("/test/drain").ok(200)
    found = person.api._client.get(f"/dev/mailbox.json?to={person.email}").get_json()["items"]
    return list(found)


def test_sessions_and_tokens_end_and_do_not_come_back(world: World, api: Api, units: Units) -> None:
    person = world.person(password=PASSWORD)
    token = person.api.post("/me/tokens", {"name": "脚本", "scopes": ["read"]}).ok(201)["token"]

    suspend(units, person)
    suspend(units, person)

    assert (person.api.get("/me").status, log_in(api, person).code) == (401, "bad_credentials")
    restore(units, person)
    restore(units, person)
    assert (person.api.get("/me").status, api.as_(token).get("/me").status) == (401, 401)
    assert api.as_(log_in(api, person).ok()["token"]).get("/me").ok()["id"] == str(person.id)


def test_no_mail_leaves_also_what_was_written_before(world: World, api: Api, units: Units) -> None:
    person = world.person(password=PASSWORD)
    tell(units, person, "comment:1")

    suspend(units, person)
    tell(units, person, "comment:2")

    assert letters(api, person) == []
    restore(units, person)
    tell(units, person, "comment:3")
    assert len(letters(api, person)) == 1
    inbox = api.as_(log_in(api, person).ok()["token"]).get("/me/notifications").ok()["items"]
    assert len(inbox) == 3


def test_nobody_pays_for_a_term_that_they_can_not_use(world: World, units: Units, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.subscriber(circle)

    suspend(units, member)
    world.live_for(clock, days=40)

    [subscription] = sql("SELECT status FROM subscriptions WHERE user_id = :u", u=member.id)
    assert subscription["status"] in {"canceled", "expired"}
    assert sql("SELECT count(*) AS n FROM invoices WHERE payer_id = :u AND status = 'paid'", u=member.id)[0]["n"] == 1
    assert world.broken_rules() == []


def test_it_is_in_the_audit_log_once(world: World, units: Units, sql: Any) -> None:
    person = world.person()

    suspend(units, person)
    suspend(units, person)

    said = sql("SELECT action FROM audit_log WHERE subject_id = :u", u=person.id)
    assert [one["action"] for one in said] == ["user.suspend"]
