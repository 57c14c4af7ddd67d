"""Telling people things, and draining the outbox."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from circle.kernel.uow import Units
from circle.notifications.kinds import Kind
from circle.notifications.services.sending import notify
from tests.builders.people import Person
from tests.client import Api

Tell = Callable[..., int]


@pytest.fixture
def tell(units: Units) -> Tell:
    """Tell somebody of a comment, or of whatever is given."""

    def run(
        to: Person | list[Person], kind: Kind = Kind.COMMENT_RECEIVED, *, key: str = "comment:1", **rest: Any
    ) -> int:
        people: UUID | list[UUID] = [one.id for one in to] if isinstance(to, list) else to.id
        with units.write() as uow:
            return notify(uow, people, kind, key=key, **{"circle": "写作训练营", "actor": "王老师", **rest})

    return run


@pytest.fixture
def mail(api: Api) -> Callable[[Person], list[dict[str, str]]]:
    """Drain all due work and return what is in the dev mailbox for a person, newest first."""

    def run(person: Person) -> list[dict[str, str]]:
        api.post("/test/drain").ok(200)
        found = person.api._client.get(f"/dev/mailbox.json?to={person.email}").get_json()["items"]
        assert isinstance(found, list)
        return found

    return run
