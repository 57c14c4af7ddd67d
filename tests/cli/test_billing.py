"""`circle billing`: what an operator sees and decides; and a copied database that moves no money."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, make_url, text

from circle.app import create_app
from circle.billing.services import payouts, refunds
from circle.cli import billing, circle
from circle.config import Settings
from circle.database import drop_database
from circle.embedded import Engines
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from circle.web.connections import close_connections
from tests.builders.circles import BuiltCircle
from tests.builders.payouts import REFUND_WINDOW
from tests.client import World
from tests.conftest import SECRET, START
from tests.databases import worker_database

Run = Callable[..., Result]


class Installed:
    """The installation that commands work in: made once instead of by each command."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
        self.units: Units | None = None
        monkeypatch.setattr(billing, "installation", self._open)
        monkeypatch.setattr(billing, "settings_here", lambda: settings)

    @contextmanager
    def _open(self, _settings: Settings) -> Iterator[Units | None]:
        yield self.units

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(circle, ["billing", *arguments])


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Installed:
    return Installed(monkeypatch, settings)


@pytest.fixture
def run(installed: Installed, units: Units) -> Run:
    """Run a command in the test's own transaction."""
    installed.units = units
    return installed.run


def earned(world: World, clock: ManualClock) -> BuiltCircle:
    """A circle with one subscriber, whose first payment is the owner's for good."""
    circle = world.circle(name="写作圈")
    world.subscriber(circle)
    clock.advance(REFUND_WINDOW)
    world.run_billing("release", "reconcile")
    return circle


def line(result: Result, name: str) -> int:
    """The figure of a line of `status`."""
    assert result.exit_code == 0, result.output
    (found,) = (one for one in result.output.splitlines() if one.startswith(name))
    return int(found.split()[-1])


def test_the_status_counts_what_an_operator_cares_for(run: Run, world: World, clock: ManualClock) -> None:
    world.withdraw(earned(world, clock), 500).ok(201)

    result = run("status")

    assert line(result, "payouts requested") == 1
    assert [line(result, name) for name in ("renewals due", "charges stuck", "breaker open")] == [0, 0, 0]
    assert "books of sandbox compared until 2026-03-02, 1 lines" in result.output
    assert "WRONG" not in result.output


def test_a_dry_run_says_what_a_run_then_does(run: Run, world: World, clock: ManualClock) -> None:
    earned(world, clock)
    clock.set(START + timedelta(days=25))

    for _ in range(2):
        assert run("run", "--dry").output.splitlines() == [
            "would be billed          1 renewals  CNY 19.00",
            "would be charged         0 payments  ",
        ], "the first changed nothing"
    assert "billing.bill " in run("run").output
    clock.advance(timedelta(days=8))
    assert "would be charged         1 payments  CNY 19.00" in run("run", "--dry").output
    assert "billing.charge " in run("run").output
    assert "would be charged         0 payments" in run("run", "--dry").output
    assert run("run").output == "nothing was due\n"


def test_payouts_are_listed_approved_and_paid(run: Run, world: World, clock: ManualClock) -> None:
    circle = earned(world, clock)
    first = world.withdraw(circle, 500, note="招商银行\n尾号 1234").ok(201)
    second = world.withdraw(circle, 600).ok(201)

    listed = run("payouts", "list").output
    assert f"{first['number']}  requested" in listed
    assert "写作圈" in listed
    assert "CNY 8.00 is left; 招商银行 尾号 1234" in listed

    assert run("payouts", "approve", first["number"]).output.startswith("approved; pay it")
    assert run("payouts", "paid", first["number"], "--reference", "transfer 17").output == "paid\n"
    assert run("payouts", "refuse", second["number"], "--reason", "too small").exit_code == 0

    assert run("payouts", "list").output == "nothing waits\n"
    refused = run("payouts", "approve", first["number"])
    assert (refused.exit_code, refused.output) == (1, "Error: This can't be done while the state is 'succeeded'.\n")
    assert run("payouts", "approve", "nothing").output == "Error: Not found.\n"
    assert world.broken_rules() == []


def test_the_breaker_is_shown_and_released(run: Run, world: World, clock: ManualClock, sql: Any) -> None:
    earned(world, clock)
    sql(
        "INSERT INTO breaker_trips (id, rule, detail, tripped_at) VALUES (uuid_v7(), 'too_much', :detail, now())",
        detail='{"numbers": ["A1", "B2"]}',
    )

    assert "charges are stopped: more than the price was to be charged, A1, B2 (too_much). Look" in run("status").output
    assert "but nothing would be sent: the breaker is open" in run("run", "--dry").output
    assert run("release-breaker").output == "released: too_much\n"
    assert run("release-breaker").output == "the breaker was not open\n"
    assert "WRONG" not in run("status").output


def test_findings_are_shown_and_settled(run: Run, world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    world.subscriber(circle)
    (charge,) = sql("UPDATE sandbox_charges SET amount = 1800 RETURNING number")
    clock.advance(timedelta(days=1, hours=6))
    world.run_billing("reconcile")
    number = str(charge["number"])

    assert (
        f"sandbox charge {number}  amount_differs, frozen: theirs 1800, ours 1900 CNY" in run("reconciliation").output
    )
    assert "WRONG" in run("status").output
    assert run("settle", number, "--note", "a fee").output == "settled\n"
    assert run("reconciliation").output.endswith("nothing is frozen\n")
    assert "amount_differs, settled" in run("reconciliation", "--days", "30").output
    assert run("compare", "sandbox", "2026-03-01").output == "compared\n"
    assert "amount_differs, settled" in run("reconciliation", "--days", "30").output, "an operator has looked"
    assert run("compare", "paypal", "2026-03-01").exit_code == 1


@pytest.fixture
def original(engines: Engines, worker_id: str) -> Iterator[dict[str, str]]:
    """The settings of an installation whose database is committed."""
    with worker_database(engines.database_url, f"{worker_id}_original") as url:
        yield {
            **engines.environ(),
            "DATABASE_URL": url,
            "SECRET_KEY": SECRET,
            "SITE_URL": "https://circle.example.org",
            "TEST_MODE": "on",
            "MAIL_URL": "mailbox:",
            "LOG_LEVEL": "critical",
        }


@pytest.fixture
def cloned(original: dict[str, str], engines: Engines) -> Iterator[Callable[[], dict[str, str]]]:
    """Call to copy the database as it is to another site; returns that site's settings."""
    address = make_url(original["DATABASE_URL"])
    name = f"{address.database}_clone"
    admin = create_engine(engines.database_url, isolation_level="AUTOCOMMIT")

    def clone() -> dict[str, str]:
        with admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{address.database}"'))
        url = address.set(database=name).render_as_string(hide_password=False)
        return {**original, "DATABASE_URL": url, "SITE_URL": "https://copy.example.org"}

    yield clone
    with admin.connect() as connection:
        drop_database(connection, name)
    admin.dispose()


@contextmanager
def world_of(environ: dict[str, str], clock: ManualClock) -> Iterator[World]:
    """Builders whose people and circles are committed."""
    app = create_app(Settings.from_env(environ), clock=clock)
    with app.app_context():
        try:
            yield World(app, app.extensions["circle"].units)
        finally:
            close_connections()


def moves(world: World) -> list[int]:
    """How many charges, refunds and payouts the sandbox has made."""
    with world.units.read() as uow:
        return [
            uow.session.scalar(text(f"SELECT count(*) FROM sandbox_{what} WHERE state = 'succeeded'"))  # noqa: S608
            for what in ("charges", "refunds", "payouts")
        ]


def test_a_cloned_database_charges_refunds_and_pays_nobody(
    installed: Installed, original: dict[str, str], cloned: Callable[[], dict[str, str]]
) -> None:
    clock = ManualClock(START)
    with world_of(original, clock) as world:
        circle = earned(world, clock)
        world.pay_out_to(circle, "ok")
        payout = world.withdraw(circle, 500).ok(201)
        refunded = UUID(world.subscriber(circle).extra["invoice_id"])
        clock.set(START + timedelta(days=24, minutes=1))
        world.run_billing("bill")
        clock.set(START + timedelta(days=31, minutes=2))
        world.run_billing("bill")
        with world.units.write() as uow:
            payouts.approve_payout(uow, payout["number"])
            refunds.request_refund(uow, invoice_id=refunded, amount=None, reason="a mistake", actor=None)

    with world_of(cloned(), clock) as copy:
        run, installed.units = installed.run, copy.units
        assert run("run").exit_code == 0
        assert moves(copy) == [2, 0, 0]
        assert "nothing is charged, refunded or paid out" in run("status").output
        assert "but nothing would be sent: this database belongs to another site" in run("run", "--dry").output

        assert run("confirm-installation").output == "confirmed for sandbox\n"
        assert run("confirm-installation").output == "this database is this site's already\n"
        assert run("run").exit_code == 0
        assert moves(copy) == [3, 1, 1]
        assert copy.broken_rules() == []
