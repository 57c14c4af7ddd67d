"""The application, wired in order on one screen."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from redis import Redis
from werkzeug.middleware.proxy_fix import ProxyFix

from circle import checks, models, subscribers
from circle.accounts import policy as accounts_policy
from circle.accounts.pages import account_blueprint
from circle.accounts.personal import PersonalData
from circle.accounts.routes import routes as accounts
from circle.accounts.services.sessions import note_seen, note_wrote
from circle.accounts.wechat import Wechat, WechatHttp
from circle.archive.export_routes import routes as exports
from circle.archive.feed_pages import feeds_blueprint
from circle.archive.resurfacing_routes import ROUTES as RESURFACING
from circle.archive.routes import routes as archive
from circle.archive.search_routes import routes as search
from circle.archive.shelf_routes import routes as shelf
from circle.billing.offer_routes import routes as sales
from circle.billing.pages import checkout_blueprint
from circle.billing.payout_routes import routes as payouts
from circle.billing.providers.registry import provider_adapters
from circle.billing.routes import routes as billing
from circle.billing.subscription_routes import routes as subscriptions
from circle.checkins.entry_routes import routes as check_ins
from circle.checkins.pages import certificates_blueprint
from circle.checkins.routes import routes as camps
from circle.config import Settings
from circle.homework.grading_routes import ROUTES as HOMEWORK
from circle.jobs import JobLog
from circle.kernel.caller import Caller
from circle.kernel.clock import Clock, SystemClock
from circle.kernel.queue import Doorbell, RqDoorbell
from circle.kernel.shared_clock import SharedClock
from circle.kernel.uow import Connections, Units
from circle.kernel.valkey import connect
from circle.media.policy import MediaGuards
from circle.media.routes import routes as media
from circle.media.s3 import S3Storage
from circle.media.storage import Storage
from circle.memberships.routes import ROUTES as MEMBERSHIPS
from circle.notifications.channels import Mailer, Texter, mailer_for, texter_for
from circle.notifications.hooks import Hooks, HttpHooks
from circle.notifications.pages import has_mailbox, mailbox_blueprint
from circle.notifications.routes import routes as notifications
from circle.personal_data import DataMap
from circle.posts.discussion_routes import ROUTES as DISCUSSION
from circle.posts.routes import ROUTES as POSTS
from circle.posts.services.changes import SyncedKinds
from circle.testmode import routes as testmode
from circle.web.connections import PooledConnections, configure_database
from circle.web.health import health_blueprint
from circle.web.http import surround_requests
from circle.web.limits import TEST_MODE_FACTOR, Limiter
from circle.web.log import configure_logging
from circle.web.login import configure_login
from circle.web.metrics import metrics_blueprint
from circle.web.openapi import openapi_blueprint
from circle.web.pages import pages_blueprint
from circle.web.routes import Routes
from circle.web.system import System

ROUTES: tuple[Routes, ...] = (
    accounts,
    *MEMBERSHIPS,
    billing,
    subscriptions,
    sales,
    payouts,
    media,
    notifications,
    *POSTS,
    *DISCUSSION,
    *HOMEWORK,
    archive,
    search,
    shelf,
    *RESURFACING,
    exports,
    camps,
    check_ins,
)


class Circle(Flask):
    """Flask without coroutines: every view is a plain function, so none is looked at for being one."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


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
    app = Circle("circle")
    # Else `//account` is sent on to a full address, whose host is what the request said.
    app.url_map.merge_slashes = False
    redis = connect(settings.redis_url, socket_timeout=2, socket_connect_timeout=1)
    configure_database(app, settings)
    connections = connections or PooledConnections()
    clock = clock or (SharedClock(connections) if settings.test_mode else SystemClock())
    units = Units(
        connections,
        clock=clock,
        doorbell=doorbell or RqDoorbell(redis),
        handlers=subscribers.HANDLERS,
        adapters={
            **_adapters(settings, redis),
            **provider_adapters(settings, connections, clock),
            **(adapters or {}),
        },
    )
    app.extensions["circle"] = System(
        settings=settings,
        units=units,
        limiter=_limiter(settings),
        gate=accounts_policy.find_caller,
        seen=_note_seen,
        wrote=note_wrote if settings.read_database_url else None,
    )
    configure_login(app)
    app.register_blueprint(health_blueprint(checks.READY))
    app.register_blueprint(metrics_blueprint(checks.PROBES))
    app.register_blueprint(account_blueprint())
    app.register_blueprint(pages_blueprint(mailbox=has_mailbox(settings)))
    app.register_blueprint(checkout_blueprint())
    app.register_blueprint(certificates_blueprint())
    app.register_blueprint(feeds_blueprint())
    if has_mailbox(settings):
        app.register_blueprint(mailbox_blueprint())
    rooms = (*ROUTES, testmode) if settings.test_mode else ROUTES
    for room in rooms:
        app.register_blueprint(room.blueprint)
    app.register_blueprint(openapi_blueprint(rooms))
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies)  # type: ignore[method-assign]
    surround_requests(app)
    return app


def _adapters(settings: Settings, redis: "Redis") -> dict[type, Any]:
    return {
        Settings: settings,
        Redis: redis,
        JobLog: JobLog(redis),
        Wechat: WechatHttp(settings),
        PersonalData: DataMap(),
        Mailer: mailer_for(settings),
        Texter: texter_for(settings),
        Hooks: HttpHooks(settings),
        Storage: S3Storage(settings),
        MediaGuards: MediaGuards(subscribers.MEDIA_GUARDS),
        SyncedKinds: SyncedKinds(subscribers.SYNCED),
    }


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


__all__ = ["ROUTES", "create_app", "models"]
