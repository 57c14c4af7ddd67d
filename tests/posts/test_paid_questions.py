"""Questions that cost something: paid with the sandbox, answered in time, or refunded once."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from circle import jobs
from circle.kernel.clock import ManualClock
from tests.builders.billing import idempotency_key
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World
from tests.posts.shapes import assert_posts

PRICE = 500
IN_TIME = timedelta(hours=71, minutes=59)
TOO_LATE = timedelta(hours=72)


@pytest.fixture(autouse=True)
def _money_adds_up(world: World) -> Iterator[None]:
    yield
    assert world.broken_rules() == []


@pytest.fixture
def circle(world: World) -> BuiltCircle:
    return world.circle(question_price=PRICE)


@pytest.fixture
def asker(world: World, circle: BuiltCircle) -> Person:
    return world.member(circle, name="提问者")


def ask(world: World, circle: BuiltCircle, asker: Person, *, paid: bool = True, amount: int = PRICE) -> Any:
    """A question, paid for unless told otherwise; returns it as its asker sees it then."""
    question = world.ask(circle, asker, amount=amount)
    if paid:
        assert world.pay(asker, question["question"]["checkout"])["status"] == "succeeded"
    return asker.api.get(f"/posts/{question['id']}").ok()


def refund_overdue(world: World) -> int:
    """Run the job twice, as Redis may; returns how many the first run refunded."""
    job = jobs.load_job("questions.refund_overdue")
    refunded = job.run(world.units)
    assert job.run(world.units) == 0
    return refunded


def refunds(sql: Any) -> list[int]:
    return [row["amount"] for row in sql("SELECT amount FROM refunds ORDER BY id")]


def test_a_question_is_out_of_sight_until_it_is_paid(world: World, circle: BuiltCircle, asker: Person) -> None:
    question = world.ask(circle, asker, amount=700)

    part = question["question"]
    assert (question["status"], part["status"]) == ("unpaid", "unpaid")
    assert part["amount"] == part["checkout"]["amount"] == {"amount": 700, "currency": "CNY"}
    assert circle.owner.api.get(f"/posts/{question['id']}").status == 404
    assert circle.owner.api.get(f"{circle.path}/questions").ok()["items"] == []
    assert world.notices(circle.owner, "question_received") == []
    mine = asker.api.get(f"{circle.path}/questions?status=unpaid").ok()["items"]
    assert [one["id"] for one in mine] == [question["id"]]
    assert_posts(question)


def test_paid_it_is_open_for_72_hours(world: World, circle: BuiltCircle, asker: Person, clock: ManualClock) -> None:
    question = ask(world, circle, asker)

    part = question["question"]
    assert (question["status"], part["status"], part["checkout"]) == ("published", "open", None)
    assert part["due_at"].startswith((clock.now() + TOO_LATE).strftime("%Y-%m-%dT%H:%M"))
    assert circle.owner.api.get(f"/posts/{question['id']}").ok()["question"]["status"] == "open"
    assert len(world.notices(circle.owner, "question_received")) == 1


def test_answered_in_time_the_money_stays(
    world: World, circle: BuiltCircle, asker: Person, clock: ManualClock, sql: Any
) -> None:
    question = ask(world, circle, asker)
    clock.advance(IN_TIME)

    circle.owner.api.post(f"/posts/{question['id']}/answer", {"body": "答"}).ok(201)
    clock.advance(timedelta(days=1))

    assert refund_overdue(world) == 0
    assert refunds(sql) == []


def test_unanswered_the_money_goes_back_once(
    world: World, circle: BuiltCircle, asker: Person, clock: ManualClock, sql: Any
) -> None:
    question = ask(world, circle, asker)
    ask(world, circle, asker, paid=False)
    clock.advance(IN_TIME)
    assert refund_overdue(world) == 0
    clock.advance(TOO_LATE - IN_TIME)

    assert refund_overdue(world) == 1
    world.run_billing("refund")

    assert refunds(sql) == [PRICE]
    shown = asker.api.get(f"/posts/{question['id']}").ok()
    assert (shown["status"], shown["question"]["status"]) == ("published", "refunded")
    [invoice] = sql("SELECT status FROM invoices WHERE subject_id = :id", id=question["id"])
    assert invoice["status"] == "refunded"
    assert len(world.notices(asker, "question_refunded")) == 1
    late = circle.owner.api.post(f"/posts/{question['id']}/answer", {"body": "晚了"})
    assert late.code == "wrong_state"


def test_a_question_deleted_before_its_payment_arrives_is_refunded(
    world: World, circle: BuiltCircle, asker: Person, sql: Any
) -> None:
    question = ask(world, circle, asker, paid=False)
    asker.api.delete(f"/posts/{question['id']}").ok(204)

    world.pay(asker, question["question"]["checkout"])
    world.run_billing("refund")

    assert refunds(sql) == [PRICE]
    assert circle.owner.api.get(f"{circle.path}/questions").ok()["items"] == []


def test_a_question_deleted_after_its_payment_is_refunded_when_its_time_is_over(
    world: World, circle: BuiltCircle, asker: Person, clock: ManualClock, sql: Any
) -> None:
    question = ask(world, circle, asker)
    circle.owner.api.delete(f"/posts/{question['id']}").ok(204)
    clock.advance(TOO_LATE)

    assert refund_overdue(world) == 1
    world.run_billing("refund")
    assert refunds(sql) == [PRICE]


def test_refunded_by_the_creator_it_is_closed(
    world: World, circle: BuiltCircle, asker: Person, clock: ManualClock, sql: Any
) -> None:
    question = ask(world, circle, asker)
    [invoice] = sql("SELECT id FROM invoices WHERE subject_id = :id", id=question["id"])

    world.refund(circle.owner, invoice["id"]).ok()
    world.run_billing("refund")

    assert asker.api.get(f"/posts/{question['id']}").ok()["question"]["status"] == "refunded"
    clock.advance(TOO_LATE)
    assert refund_overdue(world) == 0
    assert refunds(sql) == [PRICE]


def test_an_expired_checkout_can_be_opened_anew(
    world: World, circle: BuiltCircle, asker: Person, clock: ManualClock
) -> None:
    question = ask(world, circle, asker, paid=False)
    path = f"/posts/{question['id']}"
    same = asker.api.post(f"{path}/checkout").ok()
    assert same["id"] == question["question"]["checkout"]["id"]
    clock.advance(timedelta(hours=1))
    world.run_billing("expire_checkouts")
    assert asker.api.get(path).ok()["question"]["checkout"] is None

    fresh = asker.api.post(f"{path}/checkout").ok()
    world.pay(asker, fresh)

    assert fresh["id"] != same["id"]
    assert asker.api.get(path).ok()["status"] == "published"
    assert asker.api.post(f"{path}/checkout").code == "wrong_state"
    assert circle.owner.api.post(f"{path}/checkout").code == "not_the_author"


def test_a_declined_card_publishes_nothing(world: World, circle: BuiltCircle, asker: Person) -> None:
    question = ask(world, circle, asker, paid=False)

    assert world.pay(asker, question["question"]["checkout"], "decline_hard")["status"] == "failed"

    assert circle.owner.api.get(f"/posts/{question['id']}").status == 404


def test_words_that_came_up_meanwhile_hold_it_for_a_moderator(world: World, circle: BuiltCircle, asker: Person) -> None:
    question = ask(world, circle, asker, paid=False)
    world.block_word(circle, "从哪里开始")

    world.pay(asker, question["question"]["checkout"])

    assert asker.api.get(f"/posts/{question['id']}").ok()["status"] == "review"
    circle.owner.api.post(f"/posts/{question['id']}/approve").ok()
    assert len(world.notices(circle.owner, "question_received")) == 1


def test_a_blocked_word_is_refused_before_anybody_pays(
    world: World, circle: BuiltCircle, asker: Person, sql: Any
) -> None:
    world.block_word(circle, "代写")

    refused = asker.api.post(f"{circle.path}/posts", {"kind": "question", "body": "代写", "amount": PRICE})

    assert refused.fields == {"body": "blocked_word"}
    assert sql("SELECT count(*) FROM invoices WHERE kind = 'question'")[0]["count"] == 0


@pytest.mark.parametrize("amount", [None, 0, PRICE - 1])
def test_less_than_the_price_is_too_little(circle: BuiltCircle, asker: Person, amount: int | None) -> None:
    body = {"kind": "question", "body": "?", **({} if amount is None else {"amount": amount})}

    refused = asker.api.post(f"{circle.path}/posts", body)

    assert (refused.status, refused.fields) == (422, {"amount": "too_little"})
    assert refused.json["detail"] == "A question costs at least CNY 5.00."


@pytest.mark.parametrize("amount", [-1, 1.5, "500", True, 2**63])
def test_money_is_whole_and_bounded(circle: BuiltCircle, asker: Person, amount: Any) -> None:
    refused = asker.api.post(f"{circle.path}/posts", {"kind": "question", "body": "?", "amount": amount})

    assert (refused.status, list(refused.fields)) == (422, ["amount"])


def test_experts_ask_for_nothing_and_free_questions_take_no_money(world: World, circle: BuiltCircle) -> None:
    guest, free = world.member(circle, role="guest"), world.circle()
    body = {"kind": "question", "body": "?", "amount": PRICE}

    assert world.ask(circle, guest)["question"]["status"] == "open"
    assert guest.api.post(f"{circle.path}/posts", body).fields == {"amount": "free_here"}
    assert world.member(free).api.post(f"{free.path}/posts", body).fields == {"amount": "free_here"}


def test_an_idempotency_key_asks_and_charges_once(circle: BuiltCircle, asker: Person, sql: Any) -> None:
    body, key = {"kind": "question", "body": "?", "amount": PRICE}, idempotency_key()

    first = asker.api.post(f"{circle.path}/posts", body, headers=key).ok(201)
    again = asker.api.post(f"{circle.path}/posts", body, headers=key).ok(201)

    assert first == again
    assert sql("SELECT count(*) FROM invoices WHERE kind = 'question'")[0]["count"] == 1
