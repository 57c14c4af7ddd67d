"""The access matrix: every route before every role, each cell called (tests/matrix.yml).

And before things in every state and in every kind of circle (tests/states.yml), which takes minutes: in the reliability
tier.
"""

import re
from collections.abc import Iterator, Mapping

import pytest

from tests.access.requests import BODIES, OPERATIONS, QUERIES, request_of
from tests.access.rows import LOCKED, Answer, Row, all_rows, read_matrix, read_states
from tests.access.scene import ROLES, Scene, leaks
from tests.access.secrets import Secret
from tests.access.states import STATELESS, STATES
from tests.client import Reply

MATRIX = read_matrix()
ROWS = all_rows()
# Where things of a kind are read: who gets 404 there is told of them by no other route.
_READ = {
    kind: f"GET /v1/{folder}/{{{kind}}}"
    for kind, folder in {
        "post_id": "posts",
        "column_id": "columns",
        "assignment_id": "assignments",
        "submission_id": "submissions",
        "review_id": "reviews",
        "camp_id": "camps",
        "check_in_id": "check-ins",
        "circle_id": "circles",
    }.items()
}
# About what is the caller's own, whether or not they see the thing: their work, their place in a circle, a bookmark
# they keep, an offer made to them.
_OWN = re.compile(r"/(bookmark|mine|consent|membership|leave|transfer|accept|join|exports)$")
# What people and posts of the scene are called, and what is written below all titles.
_NAMES = ("某人", "公开的标题", "付费的标题", "免费的节选", "正文")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def test_every_route_has_its_row() -> None:
    missing = OPERATIONS.keys() - {row.route for row in MATRIX.values()}

    assert not missing, f"routes without a row in tests/matrix.yml: {sorted(missing)}"


def test_every_row_is_a_route() -> None:
    unknown = {row.route for row in ROWS.values()} - OPERATIONS.keys()

    assert not unknown, f"rows of tests/matrix.yml or states.yml without a route: {sorted(unknown)}"


def test_every_row_decides_every_role_once() -> None:
    undecided = {key: sorted(set(ROLES) ^ row.cells.keys()) for key, row in ROWS.items()}

    assert not {key: roles for key, roles in undecided.items() if roles}


def kind_of(route: str) -> str | None:
    """What a route is about, if that has states."""
    return next((kind for kind in STATES if f"{{{kind}}}" in route), None) if route not in STATELESS else None


def test_every_route_meets_its_thing_in_every_state() -> None:
    asked = {
        f"{route} @{state}" if state else route
        for route in OPERATIONS
        if (kind := kind_of(route)) is not None
        for state in STATES[kind]
    }

    missing = asked - ROWS.keys()
    assert not missing, f"rows that tests/states.yml lacks: {sorted(missing)}"


def test_for_whom_a_thing_does_not_exist_it_exists_for_no_route() -> None:
    told = [f"{row.key}: {role} gets {row.cells[role]}" for row, role in _hidden_from()]

    assert not told, "\n".join(told)


def _hidden_from() -> Iterator[tuple[Row, str]]:
    """The cells in which somebody is told of a thing that does not exist for them, or may not be opened."""
    for row in ROWS.values():
        read = ROWS.get(_READ.get(kind_of(row.route) or "", "") + (f" @{row.target}" if row.target else ""))
        if read is None or _OWN.search(row.route):
            continue
        for role, answer in row.cells.items():
            unseen = read.cells[role] == 404 and answer not in {401, 404}
            locked = read.cells[role] == LOCKED and answer not in {401, 403, 404, 409, LOCKED}
            # A token that may only read is refused before anything is looked up; the banned know what banned them.
            knows = (role == "token_read" and row.method != "GET") or role == "banned"
            if (unseen or locked) and not knows and row is not read:
                yield row, role


def test_every_body_and_query_is_sent_by_a_row() -> None:
    assert (BODIES.keys() | QUERIES.keys()) <= ROWS.keys() | {row.route for row in MATRIX.values()}


@pytest.mark.parametrize("row", MATRIX.values(), ids=MATRIX)
def test_each_role_gets_what_the_matrix_says(scene: Scene, row: Row) -> None:
    _ask_everybody(scene, row)


@pytest.mark.reliability
@pytest.mark.parametrize("row", read_states().values(), ids=read_states())
def test_each_role_gets_what_the_matrix_says_in_every_state(scene: Scene, row: Row) -> None:
    _ask_everybody(scene, row)


def _ask_everybody(scene: Scene, row: Row) -> None:
    wrong = []
    for role, expected in row.cells.items():
        sent = request_of(scene, row, role)
        reply = scene.ask(role, sent.method, sent.path, **sent.arguments)
        given = _answer(reply)
        found = leaks(reply, _unfit_for(scene, role, given)) + _named_in_refusal(reply, sent.path)
        if given != expected or found:
            wrong.append(f"{role}: {given} instead of {expected}, leaking {found}: {reply!r}")

    assert not wrong, "\n".join(wrong)


def _named_in_refusal(reply: Reply, path: str) -> list[str]:
    """Ids and names of anything in a refusal, but for what was asked for."""
    if reply.status < 400:
        return []
    said = reply.bytes.decode()
    ids = set(_UUID.findall(said)) - set(_UUID.findall(path))
    return [*sorted(ids), *(name for name in _NAMES if name in said)]


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
    return (ROWS[secret.row].readers if secret.row else frozenset()) | secret.also
