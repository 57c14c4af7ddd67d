"""People for tests."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flask import Flask
from sqlalchemy import select

from circle.accounts.services import identities, people
from circle.accounts.services.codes import TOPIC
from circle.kernel.outbox import OutboxMessage
from circle.kernel.uow import Units

if TYPE_CHECKING:
    from tests.client import Api

_numbers = count(1)


@dataclass
class Person:
    """Somebody with an account and a log-in."""

    app: Flask
    id: UUID
    email: str
    token: str
    extra: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def api(self) -> "Api":
        from tests.client import Api  # noqa: PLC0415 - the client is made of builders

        return Api(self.app, self.token)


class People:
    app: Flask
    units: Units

    def person(self, name: str = "林晓", *, password: str | None = None) -> Person:
        """Somebody new, logged in; without a password, because hashing one costs 30 ms."""
        email = f"person{next(_numbers)}@example.org"
        with self.units.write() as uow:
            user = people.new_user(uow, name, password=password)
            identities.add_identity(uow, user, people.read_address(email, None), proven=True)
            log_in = people.open_session(uow, user, "")
            return Person(self.app, user.id, email, log_in.token)

    def last_code(self, address: str) -> str:
        """The one-time code last sent to an address, read from the outbox."""
        with self.units.read() as uow:
            newest = (
                select(OutboxMessage.payload)
                .where(OutboxMessage.topic == TOPIC, OutboxMessage.payload["to"].astext == address)
                .order_by(OutboxMessage.id.desc())
                .limit(1)
            )
            return str(uow.session.scalars(newest).one()["code"])
