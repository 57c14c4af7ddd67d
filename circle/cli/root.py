"""The command group, and settings read with one clear line where they are wrong."""

import os
from collections.abc import Iterator, Mapping
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
DATA = Path(".data/up")


class WrongSetting(click.ClickException):
    """A setting is missing or wrong: exit code 2, like any other wrong use."""

    exit_code = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def circle() -> None:
    """Circle: a self-hosted backend for paid knowledge circles."""


def read_settings() -> Settings:
    """Return the environment's settings, for the processes of an installation."""
    return _read(os.environ)


def settings_here(data: Path | None = None) -> Settings:
    """Return the settings of the installation to look after, for commands that do.

    It is the one that runs from `data`; without, the one that the environment names, else the one that `circle up` runs
    from CIRCLE_DATA (.data/up).
    """
    folder = data or Path(os.environ.get("CIRCLE_DATA", DATA))
    runs_there = (folder / "run.json").exists()
    if runs_there and (data or "DATABASE_URL" not in os.environ):
        # Only here: servers are installed without what the engines need.
        from circle.embedded.datafolder import DataFolder

        given = DataFolder(folder).read_json("run.json")["settings"]
        # The log goes where the processes write it; a command says what it has to say.
        return _read({**os.environ, **given, "LOG_LEVEL": os.environ.get("LOG_LEVEL", "error")})
    if "DATABASE_URL" not in os.environ:
        raise WrongSetting(f"DATABASE_URL is not set, and nothing runs from {folder}: `make up` starts it.")
    return read_settings()


def _read(environ: Mapping[str, str]) -> Settings:
    try:
        return Settings.from_env(environ)
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
