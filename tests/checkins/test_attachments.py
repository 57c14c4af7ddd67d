"""Whoever is shown an entry may fetch what is attached to it, and nobody else."""

from uuid import UUID, uuid4

from circle.checkins.policy import may_read_attachment
from circle.media.models import Media
from tests.builders.circles import caller_of
from tests.builders.people import Person
from tests.client import World


def readers(world: World, people: dict[str, Person], entry_id: UUID | None) -> set[str]:
    with world.units.read() as uow:
        picture = Media(attached_to=entry_id)
        return {name for name, person in people.items() if may_read_attachment(uow, caller_of(person), picture)}


def test_a_picture_is_read_by_those_who_are_shown_its_entry(world: World) -> None:
    circle = world.circle()
    camp = world.camp(circle, access={"level": "tier", "tier_id": str(circle.tier(2).id)})
    author, camper = (world.camper(camp, tier=2) for _ in range(2))
    people = {
        "author": author,
        "camper": camper,
        "teacher": camp.teacher,
        "lesser": world.member(circle, 1),
        "stranger": world.person(),
    }
    shown = UUID(world.check_in(camp, author)["id"])
    hidden = UUID(world.check_in(camp, camper, on_feed=False)["id"])

    assert readers(world, people, shown) == {"author", "camper", "teacher"}
    assert readers(world, people, hidden) == {"camper", "teacher"}, "another entry that is shown opens nothing"
    for nothing in (None, uuid4()):
        assert readers(world, people, nothing) == set()
    author.api.delete(f"/check-ins/{shown}").ok(204)
    assert readers(world, people, shown) == set()
