"""Units of work: one transaction, nothing leaks out of a failed one."""

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Uuid, bindparam, func, select
from sqlalchemy.orm import Session

from circle.accounts.models import User
from circle.kernel import changes, outbox
from circle.kernel.db import Query
from circle.kernel.errors import CircleError
from circle.kernel.queue import SilentDoorbell
from circle.kernel.uow import (
    NetworkInsideUnitOfWork,
    ReadOnlyViolation,
    UnitOfWork,
    Units,
    forbid_inside_unit_of_work,
)
from circle.posts.models import BlockedWord
from tests.builders.circles import BuiltCircle
from tests.client import World


@dataclass(frozen=True)
class Happened:
    what: str


class Refused(CircleError):
    code = "refused_in_a_test"


class CountedRefusal(CircleError):
    code = "counted_in_a_test"
    keeps_changes = True


def write(uow: UnitOfWork, key: str) -> None:
    outbox.put(uow, key=key, topic="test", payload={})


def test_doorbells_ring_once_after_the_commit(units: Units, doorbell: SilentDoorbell) -> None:
    with units.write() as uow:
        write(uow, "a")
        write(uow, "b")
        assert doorbell.rung == []

    assert doorbell.rung == [outbox.RELAY]


def test_a_refused_unit_leaves_nothing_and_rings_nobody(units: Units, doorbell: SilentDoorbell, sql: Any) -> None:
    with pytest.raises(Refused), units.write() as uow:
        write(uow, "a")
        raise Refused

    assert sql("SELECT * FROM outbox") == []
    assert doorbell.rung == []


def test_a_refusal_may_keep_what_it_counted(units: Units, sql: Any) -> None:
    with pytest.raises(CountedRefusal), units.write() as uow:
        write(uow, "a")
        raise CountedRefusal

    assert len(sql("SELECT * FROM outbox")) == 1


def test_one_key_is_announced_once(units: Units, sql: Any) -> None:
    for _ in range(2):
        with units.write() as uow:
            write(uow, "same")

    assert len(sql("SELECT * FROM outbox")) == 1


def test_what_was_written_first_is_there_for_whatever_asks_next(units: Units, world: World) -> None:
    circle = world.circle()

    with units.write() as uow:
        note(uow, circle)
        assert changes_of(uow.session, circle) == 1
        note(uow, circle)
        assert uow.row(COUNTED, circle_id=circle.id) == {"count": 2}
        note(uow, circle)

    with units.read() as uow:
        assert changes_of(uow.session, circle) == 3


def test_an_inserted_row_is_an_entity_that_may_be_changed(units: Units, world: World) -> None:
    circle = world.circle()

    with units.write() as uow:
        word = BlockedWord(circle_id=circle.id, word="刷单", action="block", created_at=uow.now)
        uow.insert(word)
        assert uow.get(BlockedWord, word.id) is word
        assert uow.session.get(BlockedWord, word.id) is word
        word.action = "review"

    with units.read() as uow:
        assert uow.session.get_one(BlockedWord, word.id).action == "review"


def test_a_refused_unit_sends_no_compiled_write(units: Units, world: World) -> None:
    circle = world.circle()

    with pytest.raises(Refused), units.write() as uow:
        note(uow, circle)
        raise Refused
    with pytest.raises(CountedRefusal), units.write() as uow:
        note(uow, circle)
        raise CountedRefusal

    with units.read() as uow:
        assert changes_of(uow.session, circle) == 1


COUNTED = Query(
    lambda: select(func.count().label("count")).where(
        changes.Change.circle_id == bindparam("circle_id", type_=Uuid()), changes.Change.kind == "test"
    )
)


def note(uow: UnitOfWork, circle: BuiltCircle) -> None:
    changes.record(uow, circle_id=circle.id, kind="test", item_id=circle.id, operation="updated")


def changes_of(session: Session, circle: BuiltCircle) -> int:
    mine = select(func.count()).where(changes.Change.circle_id == circle.id, changes.Change.kind == "test")
    return session.scalars(mine).one()


def test_a_reading_unit_refuses_to_write(units: Units, world: World) -> None:
    person = world.person()

    with pytest.raises(ReadOnlyViolation), units.read() as uow:
        uow.session.get_one(User, person.id).bio = "changed"
        uow.session.flush()
    with pytest.raises(ReadOnlyViolation), units.read() as uow:
        uow.emit(Happened("x"))
    with pytest.raises(ReadOnlyViolation), units.read() as uow:
        uow.ring("outbox.relay")
    with pytest.raises(ReadOnlyViolation), units.read() as uow:
        note(uow, world.circle())


def test_the_network_is_out_of_reach_inside_a_unit(units: Units) -> None:
    forbid_inside_unit_of_work()
    with units.write(), pytest.raises(NetworkInsideUnitOfWork):
        forbid_inside_unit_of_work()
    forbid_inside_unit_of_work()


def test_handlers_run_in_the_transaction_of_the_event(units: Units, sql: Any) -> None:
    heard = []

    def hear(uow: UnitOfWork, event: Happened) -> None:
        heard.append(event.what)
        write(uow, event.what)

    listening = Units(
        units.connections, clock=units.clock, doorbell=units.doorbell, handlers={Happened: [hear]}, adapters={}
    )
    with pytest.raises(Refused), listening.write() as uow:
        uow.emit(Happened("first"))
        raise Refused

    assert heard == ["first"]
    assert sql("SELECT * FROM outbox") == []
