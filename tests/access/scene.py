"""One installation in which every role stands before every kind of thing; each request is undone after it was made."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import Connection, text

from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.access.content import Content, fill
from tests.access.people import PEOPLE, Cast, gather
from tests.access.secrets import Secret, Secrets
from tests.client import Api, Reply, World
from tests.conftest import OneConnection, SwitchedConnections

# Everybody whom the matrix asks about: the cast, and what stands for its owner.
ROLES = ("anonymous", *PEOPLE, "token_read", "token_revoked")

Things = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """The cast, the things, and the way to ask for a thing as a role."""

    app: Flask
    connections: SwitchedConnections
    connection: Connection
    cast: Cast
    content: Content

    @classmethod
    def build(cls, app: Flask, connections: SwitchedConnections, connection: Connection, clock: ManualClock) -> "Scene":
        units: Units = app.extensions["circle"].units
        connections.current = OneConnection(connection)
        world, secrets = World(app, units), Secrets()
        with app.app_context():
            cast = gather(world, clock, secrets)
            content = fill(world, clock, cast, secrets)
        # As if it were long ago: the change log shows nothing newer than any transaction that still runs, anywhere.
        connection.execute(text("UPDATE changes SET xid = 1"))
        return cls(app, connections, connection, cast, content)

    @cached_property
    def tokens(self) -> dict[str, str | None]:
        """The bearer token of each role."""
        return {"anonymous": None, **self.cast.tokens}

    @property
    def secrets(self) -> Secrets:
        return self.content.secrets

    def things(self, target: str | None) -> Things:
        """What the placeholders of a path stand for; a target changes some of it."""
        return {**self.content.things[""], **self.content.things[target or ""]}

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Undo what the block does to the database."""
        savepoint = self.connection.begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()

    def enter(self) -> None:
        """Let the application work in the scene's transaction."""
        self.connections.current = OneConnection(self.connection)

    def ask(self, role: str, method: str, path: str, **request: Any) -> Reply:
        """The answer to a role, whose effect is undone; reading has none."""
        with nullcontext() if method == "GET" else self.undone():
            return self.api(role).request(method, path, **request)

    def api(self, role: str) -> Api:
        return Api(self.app, self.tokens[role])

    def rows(self, statement: str, **params: Any) -> list[Any]:
        """What the database holds, seen past every policy."""
        return list(self.connection.execute(text(statement), params).mappings())

    def user_id(self, role: str) -> UUID:
        return self.cast.people[role].id


def leaks(reply: Reply, secrets: Collection[Secret]) -> list[str]:
    """Name the secrets that an answer gives away, in its body or its headers."""
    said = reply.bytes + str(reply.headers).encode()
    return [secret.what for secret in secrets if secret.marker.encode() in said]
