"""Units of work: one transaction, nothing leaks out of a failed one."""

from dataclasses import dataclass
from typing import Any

import pytest

from circle.accounts.models import User
from circle.kernel import outbox
from circle.kernel.errors import CircleError
from circle.kernel.queue import SilentDoorbell
from circle.kernel.uow import (
    NetworkInsideUnitOfWork,
    ReadOnlyViolation,
    UnitOfWork,
    Units,
    forbid_inside_unit_of_work,
)
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


def test_a_reading_unit_refuses_to_write(units: Units, world: World) -> None:
    person = world.person()

    with pytest.raises(ReadOnlyViolation), units.read() as uow:
        uow.session.get_one(User, person.id).bio = "changed"
        uow.session.flush()
    with pytest.raises(ReadOnlyViolation), units.read() as uow:
        uow.emit(Happened("x"))
    with pytest.raises(ReadOnlyViolation), units.read() as uow:
        uow.ring("outbox.relay")


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
