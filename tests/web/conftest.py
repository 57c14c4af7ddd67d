"""Applications with other settings than the tests' own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from circle.app import create_app
from circle.config import Settings
from circle.web.connections import close_connections


@pytest.fixture
def app_with(settings: Settings) -> Iterator[Callable[..., Flask]]:
    """Make an application with changed settings, on connections of its own that are closed with the test."""
    with ExitStack() as closing:

        def make(**changes: Any) -> Flask:
            app = create_app(replace(settings, **{"log_level": "critical", **changes}))
            context = app.app_context()

            def close() -> None:
                with context:
                    close_connections()

            closing.callback(close)
            return app

        yield make
