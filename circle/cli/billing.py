"""`circle billing`: how money stands, what would happen now, and what only an operator decides."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from circle.cli.root import circle, installation, settings_here

if TYPE_CHECKING:
    from circle.billing.rehearsal import Rehearsal
    from circle.kernel.uow import UnitOfWork, Units

# More rounds than any real work takes: renewals lead to charges, charges to webhooks, webhooks to looks.
_MOST_ROUNDS = 1_000


@circle.group()
def billing() -> None:
    """Money: how it stands, and what only an operator decides."""


@billing.command()
def status() -> None:
    """Say how billing stands: what is due, under way, stuck, stopped, and waits for you."""
    from circle.billing import oversight

    with _units() as units:
        with units.read() as uow:
            figures, days = oversight.figures(uow), oversight.reconciled(uow)
        for name, count in figures.items():
            click.echo(f"{name.replace('_', ' '):<24}{count:>8}")
        for provider, day, lines, fees in days:
            click.echo(f"books of {provider} compared until {day}, {lines} lines{f', fees {fees}' if fees else ''}")
        for check in (oversight.breaker_is_closed, oversight.installation_is_original, oversight.books_agree):
            trouble = check(units)
            if trouble:
                click.echo(f"WRONG  {trouble}")


@billing.command()
@click.option("--dry", is_flag=True, help="Only say what would be billed and charged; nothing is changed.")
def run(*, dry: bool) -> None:
    """Do all work of billing that is due, here and now."""
    from circle.billing.rehearsal import rehearse

    with _units() as units:
        if dry:
            _tell(rehearse(units))
            return
        ran = _run_all(units)
    for name, rows in ran.items():
        click.echo(f"{name:<28}{rows:>8}")
    if not ran:
        click.echo("nothing was due")


def _tell(rehearsal: "Rehearsal") -> None:
    click.echo(f"would be billed   {rehearsal.renewals:>8} renewals  {_sums(rehearsal.billed)}")
    click.echo(f"would be charged  {rehearsal.charges:>8} payments  {_sums(rehearsal.charged)}")
    if rehearsal.stopped:
        click.echo(f"but nothing would be sent: {rehearsal.stopped}")


def _sums(amounts: Mapping[str, int]) -> str:
    from circle.kernel.money import Money

    return ", ".join(str(Money(amount, currency)) for currency, amount in sorted(amounts.items()))


def _run_all(units: "Units") -> dict[str, int]:
    """Run the jobs of billing, round by round, until none finds anything; return what each did."""
    from circle import jobs

    work = [jobs.load_job(row.job) for row in jobs.load_schedule() if row.job.startswith("billing.")]
    ran: dict[str, int] = {}
    for _ in range(_MOST_ROUNDS):
        did = {job.name: job.run(units) for job in work}
        if not any(did.values()):
            break
        for name, rows in did.items():
            if rows:
                ran[name] = ran.get(name, 0) + rows
    return ran


@billing.group()
def payouts() -> None:
    """Withdrawals of creators."""


@payouts.command(name="list")
def list_payouts() -> None:
    """List what waits to be approved, paid or answered."""
    from circle.billing.oversight import payouts_waiting
    from circle.kernel.money import Money

    with _units() as units, units.read() as uow:
        waiting = payouts_waiting(uow)
        for row in waiting:
            amount, available = Money(row["amount"], row["currency"]), Money(row["available"], row["currency"])
            way = row["provider"] or "by hand"
            click.echo(f"{row['number']}  {row['status']:<11}{amount!s:>16}  {way:<10}{row['created_at']:%Y-%m-%d}")
            click.echo(f"    {row['circle']}, {row['person']}; {available} is left" + _note(row["note"]))
        if not waiting:
            click.echo("nothing waits")


def _note(note: str) -> str:
    return f"; {' '.join(note.split())}" if note else ""


@payouts.command()
@click.argument("number")
def approve(number: str) -> None:
    """Let a withdrawal be sent: by its provider, or by you, who say `paid` when it is done."""
    from circle.billing.services.payouts import approve_payout

    with _writing() as uow:
        by_hand = approve_payout(uow, number).provider is None
    click.echo("approved; pay it, then run `circle billing payouts paid`" if by_hand else "approved; it will be sent")


@payouts.command()
@click.argument("number")
@click.option("--reason", required=True, help="Kept in the audit log.")
def refuse(number: str, *, reason: str) -> None:
    """Refuse a withdrawal that was not sent; its money is available again."""
    from circle.billing.services.payouts import refuse_payout

    with _writing() as uow:
        refuse_payout(uow, number, reason=reason)
    click.echo("refused; the money is available again")


@payouts.command()
@click.argument("number")
@click.option("--reference", required=True, help="What your bank calls the transfer.")
def paid(number: str, *, reference: str) -> None:
    """Say that you have paid a withdrawal by hand."""
    from circle.billing.services.payouts import mark_paid

    with _writing() as uow:
        mark_paid(uow, number, reference=reference)
    click.echo("paid")


@billing.command()
@click.option("--days", default=0, help="Also what was repaired or settled in so many days.")
def reconciliation(*, days: int) -> None:
    """Show on what the providers' books and ours disagree."""
    from circle.billing import oversight

    with _units() as units, units.read() as uow:
        for provider, day, lines, fees in oversight.reconciled(uow):
            click.echo(f"{provider}: compared until {day}, {lines} lines{f', fees {fees}' if fees else ''}")
        for provider, kind, currency, amount in oversight.other_lines(uow):
            click.echo(f"{provider}: {kind} {amount} {currency} in all, which is in no books of ours")
        found = oversight.findings(uow, since=uow.now - timedelta(days=days) if days else None)
        for one in found:
            figures = f"theirs {_minor(one.theirs)}, ours {_minor(one.ours)} {one.currency}"
            click.echo(f"{one.day}  {one.provider} {one.kind} {one.number}  {one.what}, {one.status}: {figures}")
            click.echo(f"    {one.note}")
        if not found:
            click.echo("nothing is frozen")


def _minor(amount: int | None) -> str:
    return "nothing" if amount is None else str(amount)


@billing.command()
@click.argument("provider")
@click.argument("day", type=click.DateTime(["%Y-%m-%d"]))
def compare(provider: str, day: datetime) -> None:
    """Compare a provider's books of a day in UTC with ours again."""
    from circle.billing.reconcile_steps import reconcile_again

    with _units() as units, _refusals_in_one_line():
        done = reconcile_again(units, provider, day.date())
    click.echo("compared" if done else "the provider can't be asked now")


@billing.command()
@click.argument("number")
@click.option("--note", required=True, help="What you found out; kept in the audit log.")
def settle(number: str, *, note: str) -> None:
    """Unfreeze what was found about a number, once you know what it was."""
    from circle.billing.services.reconciling import settle_finding

    with _writing() as uow:
        settle_finding(uow, number, note=note)
    click.echo("settled")


@billing.command(name="release-breaker")
def release_breaker() -> None:
    """Go on charging after the breaker stopped it, and you have looked why."""
    from circle.billing.services import breaker

    with _writing() as uow:
        rules = breaker.release(uow)
    click.echo(f"released: {', '.join(rules)}" if rules else "the breaker was not open")


@billing.command(name="confirm-installation")
def confirm_installation() -> None:
    """Let this site move money with this database. Never do this on a copy."""
    from circle.billing.services import installation as guard

    with _writing() as uow:
        moved = guard.moved_providers(uow)
        for provider in moved:
            guard.confirm_installation(uow, provider, confirmed_by=None)
    click.echo(f"confirmed for {', '.join(moved)}" if moved else "this database is this site's already")


@contextmanager
def _units() -> Iterator["Units"]:
    with installation(settings_here()) as units:
        yield units


@contextmanager
def _writing() -> Iterator["UnitOfWork"]:
    with _units() as units, _refusals_in_one_line(), units.write() as uow:
        yield uow


@contextmanager
def _refusals_in_one_line() -> Iterator[None]:
    from circle.kernel.errors import CircleError

    try:
        yield
    except CircleError as refusal:
        raise click.ClickException(refusal.say("en")) from None
