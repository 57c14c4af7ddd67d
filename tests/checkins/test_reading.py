"""Hot pages of camps: their shape and their number of statements; what PostgreSQL reads for them: test_full_size.py."""

from datetime import timedelta
from typing import NamedTuple

import marshmallow as ma
import pytest

from circle.checkins.entry_schemas import CheckedInOut, CheckInOut
from circle.checkins.schemas import (
    CampClassOut,
    CampHeatmapOut,
    CampInFullOut,
    CampMonthOut,
    CampOut,
    CampRankingOut,
    MyCampOut,
)
from circle.kernel.clock import ManualClock
from circle.web.pagination import page_of
from tests.builders.camps import BuiltCamp
from tests.builders.people import Person
from tests.client import World
from tests.statements import counted

MOST_STATEMENTS = 3


class Scene(NamedTuple):
    camp: BuiltCamp
    person: Person


@pytest.fixture
def scene(world: World, clock: ManualClock) -> Scene:
    """A camp with everything that an answer can show."""
    rules = {"makeup_cards": 2, "leave_days": 2, "windows": [{"from": "05:00", "to": "23:00"}]}
    camp = world.camp(**rules, themes=[{"number": 1, "title": "一"}])
    person = world.camper(camp)
    picture = world.media(person, purpose="check_in")
    entry = world.check_in(camp, person, attachments=[str(picture)])
    camp.teacher.api.put(f"/check-ins/{entry['id']}/note", {"body": "好"}).ok()
    person.api.post(f"{camp.path}/leave-days", {"days": [camp.day(3)]}).ok()
    clock.advance(timedelta(days=1))
    world.check_in(camp, person)
    return Scene(camp, person)


PAGES: list[tuple[str, type[ma.Schema]]] = [
    ("/circles/{circle}/camps", page_of(CampOut)),
    ("/camps/{camp}", CampInFullOut),
    ("/camps/{camp}/me", MyCampOut),
    ("/camps/{camp}/calendar?month=2026-03", CampMonthOut),
    ("/camps/{camp}/rankings?by=streak", CampRankingOut),
    ("/camps/{camp}/rankings?by=total", CampRankingOut),
    ("/camps/{camp}/check-ins", page_of(CheckInOut)),
    ("/me/check-ins/heatmap?year=2026", CampHeatmapOut),
]


@pytest.mark.parametrize(("path", "schema"), PAGES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_hot_page_has_its_schemas_shape_in_three_statements(scene: Scene, path: str, schema: type[ma.Schema]) -> None:
    address = path.format(circle=scene.camp.circle.id, camp=scene.camp.id)
    scene.person.api.get(address).ok()

    with counted() as statements:
        answer = scene.person.api.get(address).ok()

    assert schema().validate(answer) == {}
    assert len(statements) <= (MOST_STATEMENTS + 1 if path == "/camps/{camp}" else MOST_STATEMENTS), statements


def test_the_class_calendar_has_its_schemas_shape_in_three_statements(scene: Scene) -> None:
    address = f"{scene.camp.path}/class-calendar?month=2026-03"
    scene.camp.teacher.api.get(address).ok()

    with counted() as statements:
        answer = scene.camp.teacher.api.get(address).ok()

    assert CampClassOut().validate(answer) == {}
    assert len(statements) == MOST_STATEMENTS, statements


def test_a_check_ins_answer_has_its_schemas_shape(world: World, scene: Scene, clock: ManualClock) -> None:
    clock.advance(timedelta(days=1))
    fresh = world.check_in(scene.camp, scene.person)
    edited = world.check_in(scene.camp, scene.person)
    read = scene.person.api.get(f"/check-ins/{fresh['id']}").ok()

    for answer in (fresh, edited):
        assert CheckedInOut().validate(answer) == {}
    assert {**fresh, "figures": None} == {**read, "figures": None, "edited_at": None, "version": 1}


def test_the_first_check_in_of_a_day_costs_two_statements(world: World, scene: Scene, clock: ManualClock) -> None:
    """Who asks, their standing, rules, term and figures; entry, day and figures."""
    clock.advance(timedelta(days=2))
    other = world.camp(scene.camp.circle)
    scene.person.api.post(f"{other.path}/join").ok()

    with counted() as statements:
        world.check_in(other, scene.person)

    assert len(statements) == 2, statements
