"""Races around the index of search."""

from sqlalchemy import select

from circle.archive.search.indexing import owe
from circle.archive.search.models import Owed, SearchDocument
from circle.kernel.uow import Units
from tests.archive.search.looking import found
from tests.client import World
from tests.concurrency.conftest import Race
from workers.search import catch_up, find_words


def test_an_edit_is_never_overwritten_by_a_worker_that_read_before_it(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    posts = [world.post(circle, body="琥珀") for _ in range(6)]
    with units.write() as uow:
        owe(uow, Owed.POST, [post.id for post in posts])

    def edit(number: int) -> int:
        return circle.owner.api.patch(posts[number].path, {"body": "鲸落"}).status

    results = race.run(
        *(lambda number=number: edit(number) for number in range(6)),  # type: ignore[misc]
        *(lambda: catch_up.run(units) for _ in range(2)),
        *(lambda: find_words.run(units) for _ in range(2)),
    )

    assert results[:6] == [200] * 6
    assert found(circle.owner, "琥珀", circle) == []
    assert len(found(circle.owner, "鲸落", circle)) == 6
    find_words.run(units)
    with units.read() as uow:
        written = select(SearchDocument.words).where(SearchDocument.circle_id == circle.id)
        assert set(uow.session.scalars(written)) == {"'鲸落':1"}


def test_workers_share_what_is_owed(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    posts = [world.post(circle, body="灯塔") for _ in range(10)]
    with units.write() as uow:
        owe(uow, Owed.POST, [post.id for post in posts])

    assert sum(race.many(4, lambda _: catch_up.run(units))) == 10
    assert len(found(circle.owner, "灯塔", circle)) == 10
