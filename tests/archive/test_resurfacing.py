"""What the archive brings back: gems, this day in other years, related posts. Only what the reader may open."""

from datetime import UTC, datetime, timedelta
from typing import Any

from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.builders.posts import BuiltPost
from tests.client import Api, World
from tests.conftest import START
from tests.statements import counted


def gems(person: Person, circle: BuiltCircle, query: str = "") -> list[str]:
    return [item["post"]["id"] for item in person.api.get(f"{circle.path}/gems{query}").ok()["items"]]


def on_this_day(api: Api, circle: BuiltCircle) -> list[tuple[str, int]]:
    items = api.get(f"{circle.path}/on-this-day").ok()["items"]
    return [(item["post"]["id"], item["years_ago"]) for item in items]


def related(api: Api, post: BuiltPost, **query: Any) -> list[str]:
    return [item["id"] for item in api.get(f"{post.path}/related", query_string=query).ok()["items"]]


def ids(*posts: BuiltPost) -> list[str]:
    return [str(post.id) for post in posts]


def digest(*posts: BuiltPost) -> None:
    for post in posts:
        post.circle.owner.api.put(f"{post.path}/digest").ok(204)


def test_gems_are_the_best_that_one_has_not_opened(world: World) -> None:
    circle = world.circle()
    good, better, opened, _plain = (world.post(circle) for _ in range(4))
    digest(good, better, opened)
    member, other = world.member(circle), world.member(circle)
    other.api.put(f"{better.path}/bookmark").ok(204)
    member.api.put(f"{opened.path}/read", {"progress": 3}).ok(204)
    world.rescore()

    assert gems(member, circle) == ids(better, good)
    assert gems(circle.owner, circle) == []  # they are the owner's own


def test_what_members_love_is_a_gem_without_a_mark(world: World) -> None:
    circle = world.circle()
    loved, liked = world.post(circle), world.post(circle)
    for number in range(3):
        person = world.member(circle)
        person.api.put(f"{loved.path}/bookmark").ok(204)
        if number == 0:
            person.api.put(f"{liked.path}/reactions/👍").ok()
    world.rescore()

    assert gems(world.member(circle), circle) == ids(loved)


def test_gems_that_one_may_not_open_are_left_out(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    paid, trashed, open_ = world.post(circle, access="学员"), world.post(circle), world.post(circle)
    digest(paid, trashed, open_)
    world.rescore()
    circle.owner.api.delete(trashed.path).ok(204)
    leaver = world.member(circle, "学员", days=10)

    assert gems(world.member(circle, "读者"), circle) == ids(open_)
    assert sorted(gems(world.member(circle, "学员"), circle)) == sorted(ids(paid, open_))
    clock.set(START + timedelta(days=20))
    late = world.post(circle)
    digest(late)
    world.rescore()
    assert sorted(gems(leaver, circle)) == sorted(ids(paid, open_))  # of the term that was paid for, not the late one


def test_gems_go_on_where_the_last_page_ended(world: World) -> None:
    circle = world.circle()
    posts = [world.post(circle) for _ in range(5)]
    digest(*posts)
    world.rescore()
    member = world.member(circle)

    first = member.api.get(f"{circle.path}/gems?limit=2").ok()
    member.api.put(f"/posts/{first['items'][0]['post']['id']}/read").ok(204)
    rest = gems(member, circle, f"?limit=10&cursor={first['next_cursor']}")

    assert [item["post"]["id"] for item in first["items"]] + rest == ids(*reversed(posts))


def test_on_this_day_goes_by_the_circles_calendar(world: World, clock: ManualClock) -> None:
    circle = world.circle()  # in Shanghai, eight hours ahead
    days = {
        "two years ago": datetime(2024, 3, 1, 1, tzinfo=UTC),
        "the day before by the circle's clock": datetime(2024, 2, 29, 15, 59, tzinfo=UTC),
        "its first minute": datetime(2025, 2, 28, 16, 0, tzinfo=UTC),
        "the day after": datetime(2025, 3, 1, 16, 0, tzinfo=UTC),
        "today": START - timedelta(hours=1),
    }
    posts = {}
    for name, moment in days.items():
        clock.set(moment)
        posts[name] = world.post(circle)
    clock.set(START)

    assert on_this_day(circle.owner.api, circle) == [
        (str(posts["its first minute"].id), 1),
        (str(posts["two years ago"].id), 2),
    ]


def test_the_leap_day_comes_back_every_four_years(world: World, api: Api, clock: ManualClock) -> None:
    circle = world.circle()
    clock.set(datetime(2024, 2, 29, 4, tzinfo=UTC))
    leap = world.post(circle, access="preview")
    clock.set(datetime(2027, 2, 28, 4, tzinfo=UTC))
    world.post(circle, access="preview")

    clock.set(datetime(2028, 2, 29, 4, tzinfo=UTC))

    assert on_this_day(api, circle) == [(str(leap.id), 4)]


def test_on_this_day_brings_back_only_what_is_open(world: World, api: Api, clock: ManualClock) -> None:
    circle = world.circle()
    clock.set(START - timedelta(days=365))
    preview, paid = world.post(circle, access="preview"), world.post(circle, access="学员")
    clock.set(START)

    assert on_this_day(api, circle) == [(str(preview.id), 1)]
    assert on_this_day(world.member(circle, "读者").api, circle) == [(str(preview.id), 1)]
    assert on_this_day(world.member(circle, "学员").api, circle) == [(str(paid.id), 1), (str(preview.id), 1)]


def test_what_shares_more_is_closer(world: World) -> None:
    circle = world.circle()
    post = world.post(circle, tags=["写作/选题", "阅读"])
    one, both, column, none = (
        world.post(circle, tags=["阅读"]),
        world.post(circle, tags=["写作/选题", "阅读"]),
        world.post(circle),
        world.post(circle, tags=["别的"]),
    )
    world.column(circle, [post, column])

    assert related(circle.owner.api, post) == ids(both, one, column)
    assert str(none.id) not in related(circle.owner.api, post)
    assert related(circle.owner.api, post, limit=1) == ids(both)


def test_of_equals_the_more_valuable_comes_first(world: World) -> None:
    circle = world.circle()
    post, good, plain = (world.post(circle, tags=["写作"]) for _ in range(3))
    digest(good)
    world.rescore()

    assert related(circle.owner.api, post) == ids(good, plain)


def test_where_nothing_is_shared_the_best_of_the_circle_follows(world: World) -> None:
    circle = world.circle()
    post, good = world.post(circle), world.post(circle)
    digest(good)
    world.rescore()

    assert related(circle.owner.api, post) == ids(good)


def test_related_posts_are_only_those_that_one_may_open(world: World) -> None:
    circle = world.circle()
    post, paid, open_ = (
        world.post(circle, tags=["写作"]),
        world.post(circle, tags=["写作"], access="学员"),
        world.post(circle, tags=["写作"]),
    )
    world.post(circle, tags=["写作"], status="trashed")
    in_locked_column = world.post(circle)
    world.column(circle, [post, in_locked_column], access="学员")

    assert related(world.member(circle, "读者").api, post) == ids(open_)
    assert set(related(world.member(circle, "学员").api, post)) == set(ids(open_, paid, in_locked_column))


def test_a_locked_post_does_not_tell_what_it_is_close_to(world: World) -> None:
    circle = world.circle()
    paid = world.post(circle, tags=["写作"], access="学员")
    world.post(circle, tags=["写作"])

    assert world.member(circle, "读者").api.get(f"{paid.path}/related").code == "post_locked"


def test_each_takes_three_statements_however_much_there_is(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    clock.set(START - timedelta(days=365))
    posts = [world.post(circle, tags=["写作"]) for _ in range(4)]
    clock.set(START)
    digest(*posts)
    world.rescore()
    world.column(circle, posts)
    member = world.member(circle)

    most = {f"{circle.path}/gems": 3, f"{circle.path}/on-this-day": 3, f"{posts[0].path}/related": 4}
    for path, expected in most.items():
        assert len(member.api.get(path).ok()["items"]) >= 3
        with counted() as statements:
            member.api.get(path).ok()
        assert len(statements) == expected, path
