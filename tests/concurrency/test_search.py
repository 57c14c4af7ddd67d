"""Races around the index of search."""

from threading import Event

from sqlalchemy import select

from circle.archive.search import catching_up
from circle.archive.search.catching_up import BUSY
from circle.archive.search.models import Owed, SearchDocument, SearchDue
from circle.archive.search.sources import index_posts
from circle.kernel.uow import Units
from circle.posts.models import Post
from tests.archive.search.looking import found, found_now
from tests.client import World
from tests.concurrency.conftest import Race
from workers.search import catch_up, find_words


def test_an_edit_is_never_overwritten_by_a_worker_that_read_before_it(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    posts = [world.post(circle, body="琥珀") for _ in range(6)]

    def edit(number: int) -> int:
        return circle.owner.api.patch(posts[number].path, {"body": "鲸落"}).status

    results = race.run(
        *(lambda number=number: edit(number) for number in range(6)),  # type: ignore[misc]
        *(lambda: catch_up.run(units) for _ in range(2)),
        *(lambda: find_words.run(units) for _ in range(2)),
    )

    assert results[:6] == [200] * 6
    assert found_now(circle.owner, "琥珀", circle) == []
    assert found(circle.owner, "琥珀", circle) == []
    assert len(found(circle.owner, "鲸落", circle)) == 6
    find_words.run(units)
    assert find_words.run(units) == 0
    with units.read() as uow:
        written = select(SearchDocument.words).where(SearchDocument.circle_id == circle.id)
        assert set(uow.session.scalars(written)) == {"'鲸落':1"}


def test_a_post_under_a_lock_is_indexed_when_it_is_free(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    catch_up.run(units)
    posts = [world.post(circle, body="琥珀") for _ in range(2)]

    with units.write() as uow:  # somebody holds it as strictly as there is, and owes nothing anew
        uow.session.get_one(Post, posts[0].id, with_for_update=True)
        assert race.run(lambda: catch_up.run(units)) == [2]

    assert found_now(circle.owner, "琥珀", circle) == [str(posts[1].id)]
    with units.write() as uow:
        ours = SearchDue.subject_id.in_([post.id for post in posts])
        (left,) = uow.session.scalars(select(SearchDue).where(SearchDue.kind == Owed.POST, ours))
        assert (left.subject_id, left.due_at - BUSY) == (posts[0].id, uow.now)
        left.due_at = uow.now
    assert catch_up.run(units) == 1
    assert len(found_now(circle.owner, "琥珀", circle)) == 2


def test_who_edits_waits_for_the_worker_that_read_before(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    post = world.post(circle, body="琥珀")
    has_read, edited = Event(), Event()

    def index() -> None:
        with units.write() as uow:
            (claimed,) = uow.rows(catching_up._CLAIM, kind="post", now=uow.now, most=1)
            assert index_posts(uow, [claimed["subject_id"]]) == set()
            has_read.set()
            assert not edited.wait(0.2)
            uow.execute(catching_up._DONE, kind="post", subjects=[post.id])

    def edit() -> None:
        has_read.wait()
        circle.owner.api.patch(post.path, {"body": "鲸落"}).ok()
        edited.set()

    race.run(index, edit)

    assert found_now(circle.owner, "琥珀", circle) == []
    assert found(circle.owner, "鲸落", circle) == [str(post.id)]


def test_workers_share_what_is_owed(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    for _ in range(10):
        world.post(circle, body="灯塔")

    assert sum(race.many(4, lambda _: catch_up.run(units))) == 10
    assert len(found(circle.owner, "灯塔", circle)) == 10
