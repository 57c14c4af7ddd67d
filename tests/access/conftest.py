"""The scene, built once a test process: whatever a request changes is undone."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import create_engine

from circle.embedded import Engines
from circle.kernel.clock import ManualClock
from circle.kernel.queue import SilentDoorbell
from tests.access.scene import Scene
from tests.conftest import START, SwitchedConnections
from tests.databases import worker_database


@pytest.fixture(scope="session")
def scene(
    engines: Engines,
    worker_id: str,
    shared: tuple[Flask, SwitchedConnections, ManualClock, SilentDoorbell],
) -> Iterator[Scene]:
    """Everybody and everything, committed to a database of its own; each test works in a transaction there."""
    app, connections, clock, _doorbell = shared
    clock.set(START)
    with worker_database(engines.database_url, f"{worker_id}_scene") as url:
        engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
        with engine.connect() as connection:
            with connection.begin():
                scene = Scene.build(app, connections, connection, clock)
            yield scene
        engine.dispose()


@pytest.fixture(autouse=True)
def _on_stage(
    request: pytest.FixtureRequest, shared: tuple[Flask, SwitchedConnections, ManualClock, SilentDoorbell]
) -> Iterator[None]:
    """Have the application work on the scene and its Sunday, whatever test ran before.

    The transaction ends with the test: the change log of all others waits for the oldest that still runs.
    """
    if "scene" not in request.fixturenames:
        yield
        return
    scene: Scene = request.getfixturevalue("scene")
    transaction = scene.connection.begin()
    scene.enter()
    shared[2].set(START)
    yield
    transaction.rollback()
