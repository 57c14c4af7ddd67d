"""Hot pages of homework: built by hand in their schema's shape, in three statements however much there is."""

import marshmallow as ma
import pytest

from circle.homework.schemas import AssignmentOut, SubmissionOut
from circle.kernel.clock import ManualClock
from circle.web.pagination import page_of
from tests.builders.homework import RUBRIC, BuiltAssignment, at
from tests.builders.people import Person
from tests.client import World
from tests.statements import counted

STATEMENTS = 3
PAGES: list[tuple[str, type[ma.Schema]]] = [
    ("/circles/{circle}/assignments", page_of(AssignmentOut)),
    ("/assignments/{assignment}", AssignmentOut),
    ("/assignments/{assignment}/submissions", page_of(SubmissionOut)),
]


@pytest.fixture
def homework(world: World, clock: ManualClock) -> tuple[BuiltAssignment, Person]:
    """An assignment with everything that an answer can show, and a member who has handed in."""
    circle = world.circle()
    brief = str(world.media(circle.owner, purpose="assignment"))
    assignment = world.assignment(
        circle,
        attachments=[brief],
        rubric=RUBRIC,
        cutoff_at=at(clock.now(), days=9),
        visibility="always",
        peer_review={"reviewers": 1, "days": 2, "anonymous": True},
        audience={"kind": "tier", "tier_id": str(circle.tier(1).id)},
    )
    member = world.member(circle, 1)
    picture = str(world.media(member, purpose="submission"))
    world.hand_in(assignment, member, attachments=[picture])
    world.hand_in(assignment, world.member(circle, 1))
    return assignment, member


@pytest.mark.parametrize(("path", "schema"), PAGES, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("teaches", [True, False])
def test_a_hot_page_has_its_schemas_shape_in_three_statements(
    homework: tuple[BuiltAssignment, Person], path: str, schema: type[ma.Schema], *, teaches: bool
) -> None:
    assignment, member = homework
    reader = assignment.circle.owner if teaches else member
    address = path.format(circle=assignment.circle.id, assignment=assignment.id)

    with counted() as statements:
        answer = reader.api.get(address).ok()

    assert schema().validate(answer) == {}
    assert len(statements) == STATEMENTS, statements
