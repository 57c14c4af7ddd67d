"""The scene of a module: built once, for no request changes it."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine

from circle.kernel.clock import ManualClock
from circle.kernel.queue import SilentDoorbell
from tests.access.scene import Scene
from tests.conftest import START, SwitchedConnections


@pytest.fixture(scope="module")
def scene(shared: tuple[Flask, SwitchedConnections, ManualClock, SilentDoorbell], engine: Engine) -> Iterator[Scene]:
    """Everybody and everything, in one transaction that is rolled back at the end of the module."""
    app, connections, clock, _doorbell = shared
    clock.set(START)
    with engine.connect() as connection:
        transaction = connection.begin()
        yield Scene.build(app, connections, connection, clock)
        transaction.rollback()


@pytest.fixture(autouse=True)
def _on_stage(request: pytest.FixtureRequest) -> None:
    """Have the application work on the scene, whatever test ran before."""
    if "scene" in request.fixturenames:
        request.getfixturevalue("scene").enter()
