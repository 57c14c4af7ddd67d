"""What a teacher changes is locked first, and changed as it is by then, not as it was when it was looked at."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import text

from circle.checkins.models import Camp
from circle.checkins.policy import lock_taught_camp
from circle.homework.models import Assignment
from circle.homework.policy import lock_assignment
from circle.kernel.caller import Caller
from circle.kernel.uow import UnitOfWork
from tests.builders.circles import caller_of
from tests.client import World
from tests.statements import counted

Lock = Callable[[UnitOfWork, Caller, UUID], Camp | Assignment]


@pytest.mark.parametrize(
    ("lock", "table", "strength"),
    [(lock_taught_camp, "camps", "FOR UPDATE"), (lock_assignment, "assignments", "FOR NO KEY UPDATE")],
)
def test_a_row_is_locked_and_read_again(world: World, lock: Lock, table: str, strength: str) -> None:
    circle = world.circle()
    made = world.camp(circle).id if table == "camps" else UUID(world.assignment(circle).id)

    with world.units.write() as uow:
        seen = uow.session.get_one(Camp if table == "camps" else Assignment, made)
        uow.session.execute(text(f"UPDATE {table} SET title = 'meanwhile' WHERE id = :id"), {"id": made})  # noqa: S608
        assert seen.title != "meanwhile"
        with counted() as statements:
            locked = lock(uow, caller_of(circle.owner), made)

        assert (locked.title, locked is seen) == ("meanwhile", True)
        assert statements[-1].endswith(strength)
