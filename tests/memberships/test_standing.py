"""What may be read: live access, look-back, paid terms after expiry, previews; and who may speak."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, Select, Table, Text, Uuid, bindparam, select

from circle.kernel.caller import Caller
from circle.kernel.clock import ManualClock
from circle.kernel.db import Query
from circle.memberships.errors import CircleClosed, MembershipExpired, Muted, NotAMember, TooNew
from circle.memberships.models import Role
from circle.memberships.policy import find_standing, readable, require_voice
from tests.builders.circles import BuiltCircle, caller_of
from tests.builders.people import Person
from tests.client import World

DAY = timedelta(days=1)

# Any room's things: a table of its own, so that this tests the filter and not one room's use of it.
THINGS = Table(
    "things",
    MetaData(),
    Column("name", Text),
    Column("circle_id", Uuid),
    Column("author_id", Uuid),
    Column("preview", Boolean),
    Column("rank", Integer),
    Column("published_at", DateTime(timezone=True)),
)


def _select_readable() -> Select[Any]:
    may_open = readable(
        is_preview=THINGS.c.preview,
        required_rank=THINGS.c.rank,
        published_at=THINGS.c.published_at,
        author_id=THINGS.c.author_id,
    )
    return select(THINGS.c.name).where(THINGS.c.circle_id == bindparam("circle_id", type_=Uuid()), may_open)


READABLE = Query(_select_readable)


@dataclass
class Shelf:
    """Things of a circle, and who may open which."""

    world: World
    sql: Any

    def put(self, circle: BuiltCircle, name: str, at: datetime, rank: int = 0, *, preview: bool = False) -> None:
        self.sql(
            "INSERT INTO things VALUES (:name, :circle, :author, :preview, :rank, :at)",
            name=name,
            circle=circle.id,
            author=circle.owner.id,
            preview=preview,
            rank=rank,
            at=at,
        )

    def read_by(self, circle: BuiltCircle, person: Person | None) -> set[str]:
        caller = caller_of(person) if person else None
        with self.world.units.read() as uow:
            standing = find_standing(uow, caller, circle.id)
            return {row["name"] for row in uow.rows(READABLE, circle_id=circle.id, **standing.reading())}


@pytest.fixture
def shelf(world: World, sql: Any) -> Iterator[Shelf]:
    sql("CREATE TEMPORARY TABLE things (name text, circle_id uuid, author_id uuid, preview bool, rank int,"
        " published_at timestamptz) ON COMMIT DROP")  # fmt: skip
    yield Shelf(world, sql)
    sql("DROP TABLE things")


def stocked(shelf: Shelf, circle: BuiltCircle, now: datetime) -> None:
    shelf.put(circle, "preview", now - 5 * DAY, preview=True)
    shelf.put(circle, "for members", now - 5 * DAY)
    shelf.put(circle, "for tier 1", now - 5 * DAY, rank=1)
    shelf.put(circle, "for tier 2", now - 5 * DAY, rank=2)


def test_a_higher_tier_reads_what_lower_ones_read(world: World, shelf: Shelf, clock: ManualClock) -> None:
    circle = world.circle()
    stocked(shelf, circle, clock.now())
    everything = {"preview", "for members", "for tier 1", "for tier 2"}

    assert shelf.read_by(circle, None) == {"preview"}
    assert shelf.read_by(circle, world.person()) == {"preview"}
    assert shelf.read_by(circle, world.member(world.circle(), 2)) == {"preview"}
    assert shelf.read_by(circle, world.pending_member(circle)) == {"preview"}
    assert shelf.read_by(circle, world.member(circle, 1)) == everything - {"for tier 2"}
    assert shelf.read_by(circle, world.member(circle, 2)) == everything
    for role in (Role.PARTNER, Role.ADMIN, Role.GUEST):
        assert shelf.read_by(circle, world.member(circle, role=role)) == everything


def test_removed_and_banned_read_previews_only(world: World, shelf: Shelf, clock: ManualClock) -> None:
    circle = world.circle()
    stocked(shelf, circle, clock.now())
    removed = world.member(circle, 2, started=clock.now() - 9 * DAY)
    circle.owner.api.post(f"{circle.path}/members/{removed.id}/remove", {"refund": False}).ok()

    assert shelf.read_by(circle, removed) == {"preview"}
    assert shelf.read_by(circle, world.banned_member(circle)) == {"preview"}


@pytest.mark.parametrize("how", ["expired", "left"])
def test_after_the_end_one_reads_what_was_posted_in_paid_time(
    world: World, shelf: Shelf, clock: ManualClock, how: str
) -> None:
    now = clock.now()
    circle = world.circle()
    for days in (40, 20, 5):
        shelf.put(circle, f"{days} days ago", now - days * DAY)
    shelf.put(circle, "tier 2 then", now - 20 * DAY, rank=2)
    member = world.expired_member(circle, 1, started=now - 30 * DAY, ended=now - 10 * DAY)
    if how == "left":
        member.api.post(f"{circle.path}/leave").ok()

    assert shelf.read_by(circle, member) == {"20 days ago"}

    circle.owner.api.patch(circle.path, {"after_expiry": "none"}).ok()
    assert shelf.read_by(circle, member) == set()


def test_a_revoked_term_is_not_readable_afterwards(world: World, shelf: Shelf, clock: ManualClock, sql: Any) -> None:
    now = clock.now()
    circle = world.circle()
    shelf.put(circle, "in paid time", now - 20 * DAY)
    member = world.expired_member(circle, 1, started=now - 30 * DAY, ended=now - 10 * DAY)

    sql("UPDATE grants SET revoked_at = :now WHERE user_id = :user", now=now, user=member.id)

    assert shelf.read_by(circle, member) == set()


def test_a_new_member_looks_back_so_many_days(world: World, shelf: Shelf, clock: ManualClock) -> None:
    now = clock.now()
    circle = world.circle(lookback_days=7)
    shelf.put(circle, "6 days before", now - 6 * DAY)
    shelf.put(circle, "8 days before", now - 8 * DAY)
    shelf.put(circle, "preview long before", now - 80 * DAY, preview=True)
    new, old = world.member(circle), world.member(circle, started=now - 10 * DAY)

    assert shelf.read_by(circle, new) == {"6 days before", "preview long before"}
    assert shelf.read_by(circle, old) == {"6 days before", "8 days before", "preview long before"}
    assert shelf.read_by(circle, circle.owner) == {"6 days before", "8 days before", "preview long before"}


def test_a_grant_that_has_not_begun_opens_nothing(world: World, shelf: Shelf, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    shelf.put(circle, "now", clock.now())
    member = world.member(circle)
    sql("UPDATE grants SET starts_at = :later WHERE user_id = :user", later=clock.now() + DAY, user=member.id)

    assert shelf.read_by(circle, member) == set()


def speak(world: World, circle: BuiltCircle, person: Person) -> UUID | None:
    with world.units.read() as uow:
        return require_voice(uow, Caller(user_id=person.id), circle.id).membership_id


def test_the_muted_are_silent_until_then(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    until = {"muted_until": "2026-03-02T00:00:00Z"}
    circle.owner.api.patch(f"{circle.path}/members/{member.id}", until).ok()

    with pytest.raises(Muted) as refused:
        speak(world, circle, member)
    assert refused.value.data == {"until": "2026-03-02T00:00Z"}

    clock.advance(DAY)
    assert speak(world, circle, member)


def test_new_members_listen_first(world: World, clock: ManualClock) -> None:
    circle = world.circle(silence_hours=24)
    member, guest = world.member(circle), world.member(circle, role=Role.GUEST)

    with pytest.raises(TooNew):
        speak(world, circle, member)
    assert speak(world, circle, guest)

    clock.advance(DAY)
    assert speak(world, circle, member)


def test_only_members_of_an_open_circle_speak(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    now = clock.now()
    expired = world.expired_member(circle, started=now - 9 * DAY, ended=now - DAY)
    for person, refusal in ((world.person(), NotAMember), (expired, MembershipExpired)):
        with pytest.raises(refusal):
            speak(world, circle, person)

    circle.owner.api.patch(circle.path, {"closed": True}).ok()
    with pytest.raises(CircleClosed):
        speak(world, circle, circle.owner)
