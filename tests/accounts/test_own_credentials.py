"""Sessions and tokens are ended by whose they are, and by nobody else."""

from typing import Any
from uuid import uuid4

import pytest

from tests.client import World


@pytest.mark.parametrize("what", ["session", "token"])
def test_nobody_ends_a_credential_of_somebody_else(world: World, what: str) -> None:
    owner, other = world.person(), world.person()
    path = _credential_of(owner, what)

    assert other.api.delete(path).status == 404
    owner.api.delete(path).ok(204)

    assert owner.api.delete(path).status in {401, 404}, "it has ended"
    assert other.api.delete(f"{path.rpartition('/')[0]}/{uuid4()}").status == 404, "there is none"


def _credential_of(person: Any, what: str) -> str:
    if what == "session":
        [session] = person.api.get("/me/sessions").ok()["items"]
        return f"/me/sessions/{session['id']}"
    made = person.api.post("/me/tokens", {"name": "阅读器", "scopes": ["read"]}).ok(201)
    return f"/me/tokens/{made['id']}"
