"""The command group, and settings read with one clear line where they are wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from circle import __version__
from circle.config import SettingError, Settings

if TYPE_CHECKING:
    from circle.kernel.clock import Clock
    from circle.kernel.uow import Units

ROOT = Path(__file__).parents[2]


class WrongSetting(click.ClickException):
    """A setting is missing or wrong: exit code 2, like any other wrong use."""

    exit_code = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def circle() -> None:
    """Circle: a self-hosted backend for paid knowledge circles."""


def read_settings() -> Settings:
    try:
        return Settings.from_env()
    except SettingError as error:
        raise WrongSetting(str(error)) from None


@contextmanager
def installation(settings: Settings, *, clock: "Clock | None" = None) -> Iterator["Units"]:
    """Wire the application for one command, by a clock where one is given, and close its connections afterwards."""
    from circle.app import create_app
    from circle.web.connections import close_connections
    from circle.web.system import system

    with create_app(settings, clock=clock).app_context():
        try:
            yield system().units
        finally:
            close_connections()
