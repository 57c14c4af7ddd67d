"""tests/states.yml against the design: each of its cells is one that the rules of tests/access/design.py leave.

The file was recorded from the product and read through; the rules were written from the design. Where they disagreed at
first, the product was mended (who may not do a thing heard that it is impossible now) or a rule became finer.
"""

from collections.abc import Sequence
from functools import cache

from tests.access.design import OK, may_answer
from tests.access.rows import LOCKED, Answer, Row, read_states
from tests.access.test_matrix import kind_of

ANSWERS: tuple[Answer, ...] = (200, LOCKED, 401, 403, 404, 409)
# Of all wrong answers that could stand in the file. The rest is where the design leaves a choice: about what is one's
# own, and whether what is allowed is possible now.
NOTICED = 0.9


@cache
def cells() -> Sequence[tuple[Row, str, frozenset[Answer]]]:
    """Each cell of the file, with the answers that the design leaves for it."""
    found = []
    for row in read_states().values():
        kind = kind_of(row.route)
        assert kind is not None, row.key
        found += [(row, role, may_answer(row, kind, role)) for role in row.cells]
    return found


def test_every_cell_is_one_that_the_design_leaves() -> None:
    wrong = [
        f"{row.key}: {role} gets {row.cells[role]} instead of {sorted(map(str, may))}"
        for row, role, may in cells()
        if row.cells[role] not in may
    ]

    assert not wrong, "\n".join(wrong)


def test_nearly_every_wrong_cell_would_be_noticed() -> None:
    noticed = [other not in may for row, role, may in cells() for other in others(row.cells[role])]

    assert sum(noticed) / len(noticed) >= NOTICED


def others(answer: Answer) -> list[Answer]:
    return [one for one in ANSWERS if one != (200 if answer in OK else answer)]
