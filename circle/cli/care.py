"""Looking after an installation: `circle doctor`, `circle after-restore`, `circle user …`."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import click

from circle.cli.root import circle, installation, settings_here

if TYPE_CHECKING:
    from uuid import UUID

    from circle.accounts.models import User
    from circle.kernel.uow import UnitOfWork

T = TypeVar("T")


@circle.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Say in plain words what is well and what is not; exit code 1 if anything is wrong."""
    from circle.checks import DOCTOR
    from circle.kernel.isolation import isolated

    # What a check stumbles over is said here, in one line, and not logged besides.
    settings = replace(settings_here(), log_level="critical")
    wrong = 0
    click.echo("  ok     the settings are complete")
    with installation(settings) as units:
        for check in DOCTOR:
            trouble = None
            with isolated("check_failed", check=check.name) as outcome:
                trouble = check.run(units)
            trouble = trouble or outcome.error
            wrong += trouble is not None
            first_line = (trouble or "").partition("\n")[0]
            click.echo(f"  WRONG  {check.name}: {first_line}" if trouble else f"  ok     {check.name}")
    click.echo(f"{wrong} wrong" if wrong else "all is well")
    context.exit(1 if wrong else 0)


@circle.command(name="after-restore")
def after_restore() -> None:
    """Run once after the database came from a back-up, before anything is started; as the owner of the tables."""
    from psycopg.errors import InsufficientPrivilege
    from sqlalchemy.exc import ProgrammingError

    from circle.billing.services import breaker
    from circle.kernel import changes

    try:
        with installation(settings_here()) as units, units.write() as uow:
            changes.begin_generation(uow)
            breaker.stop_after_restore(uow)
    except ProgrammingError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            raise click.ClickException(
                "nothing was done: only the owner of the tables may do this; "
                "let DATABASE_URL name the role that `circle release` is run as"
            ) from None
        raise
    click.echo(
        "clients will fetch anew what was taken back; automatic charges wait for `circle billing release-breaker`"
    )


@circle.command()
@click.argument("circle_id", type=click.UUID)
@click.option("--most", type=click.IntRange(min=0), help="Bytes that its attachments may take.")
@click.option("--import-bytes", type=click.IntRange(min=0), help="Bytes of archives that it may import in 24 hours.")
@click.option("--import-posts", type=click.IntRange(min=0), help="Posts that they may bring in 24 hours.")
@click.option("--default", "as_set", is_flag=True, help="As much of everything as the settings say.")
@click.option("--recount", is_flag=True, help="Count anew what is attached.")
def quota(
    circle_id: "UUID",
    *,
    most: int | None,
    import_bytes: int | None,
    import_posts: int | None,
    as_set: bool,
    recount: bool,
) -> None:
    """Say how much space a circle takes, what it imports, and what it may; let it have more or less."""
    from circle.archive.services import import_quotas
    from circle.media.services import quotas

    named = {"quota": most, "import_bytes_a_day": import_bytes, "import_posts_a_day": import_posts}
    given = {name: figure for name, figure in named.items() if as_set or figure is not None}
    if recount:
        _decide(lambda uow: quotas.recount(uow, circle_id))
    if given:
        _decide(lambda uow: quotas.set_quota(uow, circle_id, **given))
    with installation(settings_here()) as units, units.read() as uow:
        used = quotas.used(uow, circle_id)
        came, may = import_quotas.used_of_a_day(uow, circle_id), import_quotas.most_a_day(uow, circle_id)
    click.echo(f"attachments: {used.bytes:,} of {used.most:,} bytes")
    click.echo(f"imports of 24 hours: {came.bytes:,} of {may.bytes:,} bytes, {came.posts:,} of {may.posts:,} posts")


@circle.group()
def user() -> None:
    """People."""


@user.command()
@click.argument("email")
@click.option("--revoke", is_flag=True, help="Take the right away again.")
def operator(email: str, *, revoke: bool) -> None:
    """Make the person with this e-mail address an operator of the installation."""
    from circle.accounts.services.operators import set_operator

    name = _name(lambda uow: set_operator(uow, email=email, is_operator=not revoke))
    click.echo(f"{name} is {'no longer ' if revoke else ''}an operator")


@user.command()
@click.argument("email")
def suspend(email: str) -> None:
    """Shut the person with this e-mail address out at once; nothing renews, what they wrote stays."""
    from circle.accounts.services.operators import suspend_user

    click.echo(f"{_name(lambda uow: suspend_user(uow, email=email))} is suspended")


@user.command()
@click.argument("email")
def restore(email: str) -> None:
    """Let a suspended person log in again."""
    from circle.accounts.services.operators import restore_user

    click.echo(f"{_name(lambda uow: restore_user(uow, email=email))} may log in")


def _name(use_case: "Callable[[UnitOfWork], User]") -> str:
    """Carry out what an operator decides about a person; return their name."""
    return _decide(use_case).display_name


def _decide(use_case: "Callable[[UnitOfWork], T]") -> "T":
    """Carry out what an operator decides."""
    from circle.kernel.errors import CircleError

    with installation(settings_here()) as units:
        try:
            with units.write() as uow:
                return use_case(uow)
        except CircleError as refusal:
            raise click.ClickException(refusal.say("en")) from None
