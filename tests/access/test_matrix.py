"""The access matrix: every route before every role, each cell called (tests/matrix.yml)."""

from collections.abc import Mapping

import pytest

from tests.access.requests import BODIES, OPERATIONS, QUERIES, request_of
from tests.access.rows import LOCKED, Answer, Row, read_matrix
from tests.access.scene import ROLES, Scene, leaks
from tests.access.secrets import Secret
from tests.client import Reply

MATRIX = read_matrix()


def test_every_route_has_its_row() -> None:
    missing = OPERATIONS.keys() - {row.route for row in MATRIX.values()}

    assert not missing, f"routes without a row in tests/matrix.yml: {sorted(missing)}"


def test_every_row_is_a_route() -> None:
    unknown = {row.route for row in MATRIX.values()} - OPERATIONS.keys()

    assert not unknown, f"rows of tests/matrix.yml without a route: {sorted(unknown)}"


def test_every_row_decides_every_role_once() -> None:
    undecided = {key: sorted(set(ROLES) ^ row.cells.keys()) for key, row in MATRIX.items()}

    assert not {key: roles for key, roles in undecided.items() if roles}


def test_every_body_and_query_is_sent_by_a_row() -> None:
    assert (BODIES.keys() | QUERIES.keys()) <= MATRIX.keys() | {row.route for row in MATRIX.values()}


@pytest.mark.parametrize("row", MATRIX.values(), ids=MATRIX)
def test_each_role_gets_what_the_matrix_says(scene: Scene, row: Row) -> None:
    wrong = []
    for role, expected in row.cells.items():
        sent = request_of(scene, row, role)
        reply = scene.ask(role, sent.method, sent.path, **sent.arguments)
        given = _answer(reply)
        found = leaks(reply, _unfit_for(scene, role, given))
        if given != expected or found:
            wrong.append(f"{role}: {given} instead of {expected}, leaking {found}: {reply!r}")

    assert not wrong, "\n".join(wrong)


def _answer(reply: Reply) -> Answer:
    locked = reply.status == 200 and isinstance(reply.json, Mapping) and reply.json.get("locked") is True
    return LOCKED if locked else reply.status


def _unfit_for(scene: Scene, role: str, given: Answer) -> list[Secret]:
    """What an answer must not carry: as a refusal anything, else what is not for the role."""
    if given != LOCKED and int(given) >= 400:
        return scene.secrets.kept
    return [secret for secret in scene.secrets.kept if role not in readers_of(secret)]


def readers_of(secret: Secret) -> frozenset[str]:
    """The roles that may know a secret: who gets 200 from its row, and who knows it anyway."""
    return (MATRIX[secret.row].readers if secret.row else frozenset()) | secret.also
