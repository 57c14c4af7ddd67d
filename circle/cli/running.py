"""Running an installation: `circle web`, `circle release`, `circle up`."""

import gc
import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING, TypeVar, cast

import click

from circle.cli.root import DATA, ROOT, circle, installation, read_settings
from circle.kernel.clock import elapsed
from circle.kernel.forking import forget_handlers_in_forks

if TYPE_CHECKING:
    from flask import Flask

T = TypeVar("T")

_WEB_GRACE_SECONDS = 8
_PATIENCE_SECONDS = 60.0
_RETRY_SECONDS = 0.5
# What the processes of the Procfile import sooner or later; `circle up` imports it once for all.
_WARM = ("circle.app", "circle.media.boto", "circle.cli.running", "workers.runtime", "workers.schedule", "granian")


@circle.command()
def web() -> None:
    """Serve HTTP on HOST and PORT."""
    settings = read_settings()
    with tempfile.TemporaryDirectory(prefix="circle-metrics-") as folder:
        # Before anything imports prometheus_client: the web processes count into one folder.
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
        # Built once here, shared by the processes that are forked: they start at once and cost less memory.
        load_app()
        gc.collect()
        gc.freeze()  # what lives now lives on: collecting it would only copy shared pages
        from granian import Granian
        from granian.constants import Interfaces
        from granian.log import LogLevels

        server = Granian(
            "wsgi:app",
            address=settings.host,
            port=settings.port,
            interface=Interfaces.WSGI,
            workers=settings.web_workers,
            blocking_threads=settings.web_threads,
            log_level=LogLevels.warning,
            log_dictconfig={"handlers": {}, "formatters": {}, "loggers": {"_granian": {"propagate": True}}},
            respawn_failed_workers=True,
            workers_kill_timeout=_WEB_GRACE_SECONDS,
        )
        forget_handlers_in_forks()
        if settings.drain_seconds:
            server.on_startup(lambda: _drain_first(server.signal_handler_interrupt, settings.drain_seconds))
        server.serve(target_loader=load_app, wrap_loader=False)


def _drain_first(end: Callable[[], None], seconds: int) -> None:
    """On SIGTERM, say so on /healthz and end that much later, when proxies have turned elsewhere."""
    from circle.web.health import DRAINING

    def begin(_number: int, _frame: object) -> None:
        if not DRAINING:
            DRAINING.begin()
            Timer(seconds, end).start()

    signal.signal(signal.SIGTERM, begin)


def load_app() -> "Flask":
    """Return the application of wsgi.py, which lies beside the package and not in it."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return cast("Flask", importlib.import_module("wsgi").app)


@circle.command()
def release() -> None:
    """Prepare a new version: wait for the database, migrate it, make the bucket."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import OperationalError

    from circle.database import BehindPooler, migrate, newest_revision, present_revision
    from circle.kernel.errors import Unavailable
    from circle.subscribers import RELEASE

    settings = read_settings()
    engine = create_engine(settings.database_url, connect_args={"connect_timeout": 5})
    connection = _patiently("the database", engine.connect, OperationalError)
    with connection:
        present = present_revision(connection)
    engine.dispose()
    if present != newest_revision():
        try:
            migrate(settings.database_url)
        except BehindPooler as refusal:
            raise click.ClickException(str(refusal)) from refusal
    with installation(settings) as units:
        for prepare in RELEASE:
            _patiently("the object storage", lambda step=prepare: step(units), Unavailable)  # type: ignore[misc]
    click.echo("release: the schema is up to date")


def _patiently(what: str, attempt: Callable[[], T], trouble: type[Exception]) -> T:
    """Try until it works; engines that start beside us need a moment."""
    began = elapsed()
    while True:
        try:
            return attempt()
        except trouble as error:
            if elapsed() - began > _PATIENCE_SECONDS:
                reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
                raise click.ClickException(f"{what} does not answer: {reason}") from None
        Event().wait(_RETRY_SECONDS)


@circle.command()
@click.option("--data", type=click.Path(path_type=Path), default=DATA, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="The next free one if it is taken.")
@click.option("--test-mode", is_flag=True, help="A clock that can be set, a drain, and a mailbox for all mail.")
@click.pass_context
def up(context: click.Context, data: Path, host: str, port: int, *, test_mode: bool) -> None:
    """Run everything on this machine: engines, web, worker and clock."""
    from circle.embedded.up import up as run

    procfile = ROOT / "Procfile"
    context.exit(run(data_dir=data, host=host, port=port, test_mode=test_mode, procfile=procfile, warm=_WARM))
