"""Requests that schemathesis makes up from the API document, sent by people who exist about things that exist.

Made-up ids lead nowhere: where the document asks for an id, one from the scene is put in its place, and the caller is
mostly somebody to whom the access matrix opens the route. Whatever a request changes is undone.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from schemathesis import Case, Response
from schemathesis.checks import CHECKS, load_all_checks

from tests.access.requests import OPERATIONS
from tests.access.rows import Row, read_matrix
from tests.access.scene import Scene

# Fields of bodies that are called otherwise than what they name.
_NAMES = {
    "post_ids": "post_id",
    "attachments": "media_id",
    "avatar_media_id": "media_id",
    "payment_method": "method_id",
    "asked_id": "user_id",
    "user_ids": "user_id",
    "parent_id": "comment_id",
    "merge_into": "tag_id",
}
# Besides those to whom the matrix opens a route.
_OTHERS = ("anonymous", "token_read", "outsider", "banned")
_WRONG = ("", "Bearer", "Bearer cs_made-up", "Bearer cp_made-up", "Basic b3duZXI6cGFzc3dvcmQ=")
# Ours take their place: that a credential is needed, and what a wrong one gets. And who may send what about which thing
# is more than a schema can tell, so that a request in good shape may well be refused.
_LEFT_OUT = ("positive_data_acceptance", "missing_required_header", "ignored_auth", "not_a_server_error")
# What is not set up says so: no WeChat is.
_MAY_BE_AWAY = {"POST /v1/auth/wechat"}


class Contract:
    """Sends cases into the scene, and says where an answer is not what the document tells."""

    def __init__(self, scene: Scene) -> None:
        load_all_checks()
        self._scene = scene
        self._left_out = [CHECKS.get_one(name) for name in _LEFT_OUT]
        self._rows: dict[str, list[Row]] = defaultdict(list)
        for row in read_matrix().values():
            self._rows[row.route].append(row)
        self._known = _known_ids(scene)
        self._probed: set[str] = set()

    def holds(self, case: Case) -> None:
        """Send the case and check the answer. Errors: an assertion that tells what differs."""
        route = f"{case.method.upper()} {case.path}"
        chance = zlib.crc32(repr((route, case.path_parameters, case.query, case.body)).encode())
        row = _one_of(self._rows[route], chance)
        self._fill(case, row, chance)
        roles = sorted(row.readers) if row.readers and chance % 8 else _OTHERS
        token = self._scene.tokens[_one_of(roles, chance // 8)]
        headers = {"Authorization": f"Bearer {token}" if token else "", "Accept-Language": "en"}
        response = case.call(app=self._app, headers=headers)
        assert response.status_code < (504 if route in _MAY_BE_AWAY else 500), response.content
        case.validate_response(response, excluded_checks=self._left_out)
        self._code_is_listed(case, response)
        if response.status_code < 400 and not OPERATIONS[route].public and route not in self._probed:
            self._probed.add(route)
            self._needs_a_credential(case)

    def _app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """The application, each of whose requests is undone."""
        with self._scene.app.app_context(), self._scene.undone():
            return self._scene.app.wsgi_app(environ, start_response)

    def _code_is_listed(self, case: Case, response: Response) -> None:
        """Clients switch on the code, so the document lists each beside its status."""
        if response.status_code < 400:
            return
        code = response.json()["code"]
        told = case.operation.definition.raw["responses"][str(response.status_code)]["description"]
        assert f"`{code}`" in told, f"{case.operation.label}: {response.status_code} {code} is not listed"

    def _needs_a_credential(self, case: Case) -> None:
        for wrong in _WRONG:
            answer = case.call(app=self._app, headers={"Authorization": wrong})
            assert answer.status_code == 401, f"{case.operation.label}: {answer.status_code} to {wrong!r}"

    def _fill(self, case: Case, row: Row, chance: int) -> None:
        """Put ids of the scene where made-up ones are; what is no id stays, for it is meant to be wrong."""
        things = self._scene.things(row.target)
        case.path_parameters = {
            name: str(things[name]) if name in things and _is_id(value, name) else value
            for name, value in (case.path_parameters or {}).items()
        }
        if isinstance(case.body, dict):
            case.body = {name: self._real(name, value, chance) for name, value in case.body.items()}
        if isinstance(case.query, dict):
            case.query = {name: self._real(name, value, chance) for name, value in case.query.items()}

    def _real(self, name: str, value: Any, chance: int) -> Any:
        if isinstance(value, dict):
            return {inner: self._real(inner, one, chance) for inner, one in value.items()}
        if isinstance(value, list):
            return [self._real(name, one, chance + number) for number, one in enumerate(value)]
        known = self._known.get(_NAMES.get(name, name))
        return _one_of(known, chance) if known and _is_id(value, "_id") else value


def _known_ids(scene: Scene) -> dict[str, list[str]]:
    """The ids of the scene by what they are ids of."""
    known: dict[str, dict[str, None]] = defaultdict(dict)
    for things in scene.content.things.values():
        for name, value in things.items():
            if name.endswith("_id"):
                known[name][str(value)] = None
    for tier in scene.cast.open.tiers.values():
        known["tier_id"][str(tier.id)] = known["price_id"][str(tier.price_id)] = None
    known["user_id"] |= {str(person.id): None for person in scene.cast.people.values()}
    return {name: list(ids) for name, ids in known.items()}


def _is_id(value: Any, name: str) -> bool:
    """Tell whether a value is an id; a name that is none, such as a code's, takes any word."""
    if not isinstance(value, str) or not value:
        return False
    if not name.endswith("_id"):
        return value.isalnum()
    try:
        UUID(value)
    except ValueError:
        return False
    return True


def _one_of(some: Sequence[Any], chance: int) -> Any:
    return some[chance % len(some)]
