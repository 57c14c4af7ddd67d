"""The application, wired in order on one screen."""

from typing import Any

import flask_smorest
from flask import Flask
from redis import Redis

from circle import __version__, models, subscribers
from circle.accounts import policy as accounts_policy
from circle.accounts.routes import routes as accounts
from circle.accounts.services.sessions import note_seen
from circle.accounts.wechat import Wechat, WechatHttp
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.clock import Clock, SystemClock
from circle.kernel.queue import Doorbell, RqDoorbell
from circle.kernel.uow import Connections, Units
from circle.web.connections import PooledConnections, configure_database
from circle.web.documents import PROBLEM_SCHEMA
from circle.web.health import health_blueprint
from circle.web.http import surround_requests
from circle.web.limits import TEST_MODE_FACTOR, Limiter
from circle.web.log import configure_logging
from circle.web.login import configure_login
from circle.web.metrics import metrics_blueprint
from circle.web.routes import Routes
from circle.web.system import System

ROUTES: tuple[Routes, ...] = (accounts,)


def create_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    connections: Connections | None = None,
    doorbell: Doorbell | None = None,
    adapters: dict[type, Any] | None = None,
) -> Flask:
    """Wire the application; whatever is given replaces what production would use."""
    configure_logging(settings.log_level)
    app = Flask("circle")
    redis = Redis.from_url(settings.redis_url, socket_timeout=2, socket_connect_timeout=1)
    configure_database(app, settings)
    units = Units(
        connections or PooledConnections(),
        clock=clock or SystemClock(),
        doorbell=doorbell or RqDoorbell(redis),
        handlers=subscribers.HANDLERS,
        adapters={**_adapters(settings), **(adapters or {})},
    )
    app.extensions["circle"] = System(
        settings=settings,
        units=units,
        limiter=_limiter(settings),
        gate=accounts_policy.find_caller,
        seen=_note_seen,
    )
    surround_requests(app)
    configure_login(app)
    app.register_blueprint(health_blueprint({}))
    app.register_blueprint(metrics_blueprint({}))
    _register_routes(app)
    return app


def _adapters(settings: Settings) -> dict[type, Any]:
    return {Settings: settings, Wechat: WechatHttp(settings)}


def _limiter(settings: Settings) -> Limiter:
    factor: int | None = 1
    if settings.rate_limits is False:
        factor = None
    elif settings.test_mode and settings.rate_limits is None:
        factor = TEST_MODE_FACTOR
    return Limiter(settings.redis_url, factor=factor)


def _note_seen(units: Units, caller: Caller) -> None:
    with units.write() as uow:
        note_seen(uow, caller)


def _register_routes(app: Flask) -> None:
    app.config.update(
        API_TITLE="Circle",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/v1",
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = flask_smorest.Api(app)
    api.spec.components.schema("Problem", PROBLEM_SCHEMA)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for room in ROUTES:
        api.register_blueprint(room.blueprint)


__all__ = ["ROUTES", "create_app", "models"]
