"""Units on pooled connections: compiled writes alone are one transaction, which happens whole or not at all."""

import psycopg
import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine, func, select, text

from circle.kernel import changes
from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork, Units
from circle.posts.models import BlockedWord
from tests.builders.circles import BuiltCircle
from tests.client import World
from tests.concurrency.conftest import Race


def list_word(uow: UnitOfWork, circle: BuiltCircle, word: str) -> None:
    changes.record(uow, circle_id=circle.id, kind="test", item_id=new_id(), operation="created")
    uow.insert(BlockedWord(circle_id=circle.id, word=word, action="block", created_at=uow.now))


def counts(units: Units, circle: BuiltCircle) -> tuple[int, int]:
    """How many words and how many changes there are."""
    with units.read() as uow:
        words = select(func.count()).where(BlockedWord.circle_id == circle.id)
        told = select(func.count()).where(changes.Change.circle_id == circle.id, changes.Change.kind == "test")
        return uow.session.scalars(words).one(), uow.session.scalars(told).one()


def test_compiled_writes_are_one_transaction(world: World, units: Units, clock: ManualClock) -> None:
    circle = world.circle()
    with units.write() as uow:
        list_word(uow, circle, "刷单")

    with pytest.raises(psycopg.errors.UniqueViolation), units.write() as uow:
        list_word(uow, circle, "代写")
        list_word(uow, circle, "刷单")

    assert counts(units, circle) == (1, 1)
    with units.write() as uow:  # the connection that failed serves again
        list_word(uow, circle, "代写")
    assert counts(units, circle) == (2, 2)


def test_of_many_that_write_the_same_at_once_one_does(world: World, units: Units, race: Race) -> None:
    circle = world.circle()

    def write(_number: int) -> bool:
        try:
            with units.write() as uow:
                list_word(uow, circle, "刷单")
        except psycopg.errors.UniqueViolation:
            return False
        return True

    assert race.many(12, write).count(True) == 1
    assert counts(units, circle) == (1, 1)


def test_the_list_of_words_is_never_longer_than_it_may_be(
    world: World, units: Units, race: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circle.posts.services.words.MAX_WORDS", 5)
    circle = world.circle()

    def listed(number: int) -> str | None:
        answer = circle.owner.api.post(f"{circle.path}/blocked-words", {"word": f"词{number}", "action": "block"})
        return None if answer.status == 201 else answer.code

    answers = race.many(12, listed)

    assert answers.count(None) == 5
    assert set(answers) == {None, "too_many_words"}
    assert counts(units, circle)[0] == 5


def test_a_migration_that_outdates_a_plan_costs_nobody_an_error(world: World, app: Flask) -> None:
    circle = world.circle()
    owner = circle.owner.api

    def rename(number: int) -> int:
        return owner.patch(circle.path, {"name": f"晨间 {number}"}, headers={"If-Match": f'"{number}"'}).status

    # Often enough that the driver has prepared what the page and its change need.
    assert [rename(number) for number in range(1, 7)] == [200] * 6
    migrate(app, "ALTER TABLE circles ALTER COLUMN version TYPE bigint")
    try:
        assert rename(7) == 200
        assert owner.get(circle.path).json["name"] == "晨间 7"
    finally:
        migrate(app, "ALTER TABLE circles ALTER COLUMN version TYPE integer")


def migrate(app: Flask, statement: str) -> None:
    """Change the schema from outside: the driver forgets its plans after an ALTER of its own."""
    elsewhere = create_engine(app.config["SQLALCHEMY_DATABASE_URI"], poolclass=NullPool)
    with elsewhere.begin() as connection:
        connection.execute(text(statement))
