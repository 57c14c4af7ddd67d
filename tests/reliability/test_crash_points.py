"""A process dies at each point of its work, one after the other: the next one finishes it, once."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from circle import jobs
from circle.billing.services.payouts import approve_payout
from tests.builders.billing import idempotency_key
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.reliability.fleet import JOBS
from tests.reliability.site import Site

pytestmark = pytest.mark.reliability

# Each of these works at least claims, calls and applies: two commits and a call, with a point before and after each.
FEWEST_POINTS = 6
MOST_POINTS = 60
# The second look at what has no answer comes four minutes after the first.
_LEASE_AND_A_BIT = timedelta(minutes=5)


class Crasher:
    """The process that dies at points; see `crash.py`."""

    def __init__(self, environ: dict[str, str], *mutant: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "tests.reliability.crash", *mutant],
            cwd=Path(__file__).parents[2],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def dies(self, point: int, work: tuple[str, ...]) -> bool:
        """Do work that ends at a point; return whether the point was reached."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join((str(point), *work)) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline().strip()
        assert said in {"died", "done"}, said
        return said == "died"

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@dataclass
class Case:
    """Work to be done for one member, what is true once it is, and what they do when they heard nothing."""

    work: tuple[str, ...]
    truth: Callable[[], object]
    again: Callable[[], object] = lambda: None


@pytest.fixture
def crasher(site: Site, request: pytest.FixtureRequest) -> Iterator[Crasher]:
    """The process that dies, with the mutant that a test asks for."""
    mutant = getattr(request, "param", ())
    crasher = Crasher({**site.environ, "PYTHONPATH": str(Path(__file__).parents[2])}, *mutant)
    yield crasher
    crasher.close()


def die_everywhere(site: Site, crasher: Crasher, case_for: Callable[[], Case]) -> None:
    """Die at point 1, 2, 3 … until the work is done before its point; each time the others finish it."""
    for point in count(1):
        assert point <= MOST_POINTS
        with site.app.app_context():
            case = case_for()
            died = crasher.dies(point, case.work)
            for _ in range(2):
                site.advance(_LEASE_AND_A_BIT)
                run_billing(site)
            case.again()
            assert case.truth(), f"after dying at point {point}"
        assert site.wrongs() == [], f"after dying at point {point}"
        if not died:
            assert point > FEWEST_POINTS
            return


def run_billing(site: Site) -> None:
    """Do everything that is due, as another worker would."""
    for name in JOBS:
        jobs.load_job(name).run(site.world.units)


def posted(person: Person, path: str, body: dict[str, Any]) -> tuple[str, ...]:
    [key] = idempotency_key().values()
    return ("post", f"/v1{path}", json.dumps(body), person.token, key)


def charges(site: Site, invoice_id: str) -> int:
    """How often the money of an invoice was taken."""
    [row] = site.sql(
        "SELECT count(*) AS n FROM sandbox_charges s JOIN payment_attempts a ON a.number = s.number"
        " WHERE a.invoice_id = %s AND s.state = 'succeeded'",
        invoice_id,
    )
    return int(row["n"])


@pytest.mark.parametrize("way", ["ok", "lost_answer"])
def test_a_join_survives_a_death_at_every_point(site: Site, crasher: Crasher, way: str) -> None:
    die_everywhere(site, crasher, joining(site, way))


@pytest.mark.parametrize("crasher", [["call_inside"]], indirect=True, ids=["call inside"])
def test_a_call_inside_its_unit_of_work_is_caught(site: Site, crasher: Crasher) -> None:
    with pytest.raises(AssertionError, match="after dying at point"):
        die_everywhere(site, crasher, joining(site, "ok"))


def joining(site: Site, way: str) -> Callable[[], Case]:
    world = site.world
    with site.app.app_context():
        circle = world.circle()

    def join() -> Case:
        person = world.person()
        checkout = world.checkout(person, circle)
        path, body = f"/checkouts/{checkout['id']}/pay", {"payment_method": world.method(person, way)}
        return Case(
            posted(person, path, body),
            truth=lambda: (
                charges(site, checkout["invoice_id"]) == 1 and world.membership(person, circle)["status"] == "active"
            ),
            again=lambda: world.pay(person, checkout, "ok"),
        )

    return join


def test_a_refund_survives_a_death_at_every_point(site: Site, crasher: Crasher) -> None:
    world = site.world
    with site.app.app_context():
        circle = world.circle()

    def refunding() -> Case:
        member = world.paying_member(circle)
        invoice_id = member.extra["invoice_id"]
        return Case(
            posted(member, f"/invoices/{invoice_id}/refund", {"reason": "买错了"}),
            truth=lambda: world.invoice(member, invoice_id)["refunded"]["amount"] == 1900,
            # Refused where the first one went through.
            again=lambda: world.refund(member, invoice_id),
        )

    die_everywhere(site, crasher, refunding)


@pytest.mark.parametrize("way", ["ok", "lost_answer"])
def test_an_upgrade_survives_a_death_at_every_point(site: Site, crasher: Crasher, way: str) -> None:
    world = site.world
    with site.app.app_context():
        circle = world.circle()

    def upgrading() -> Case:
        member = world.paying_member(circle)
        quote = world.quote(member, circle.tier(2).price_id).ok(201)
        checkout = world.change(member, quote).ok(200)["checkout"]
        path, body = f"/checkouts/{checkout['id']}/pay", {"payment_method": world.method(member, way)}
        return Case(
            posted(member, path, body),
            truth=lambda: (
                charges(site, checkout["invoice_id"]) == 1 and world.membership(member, circle)["tier"]["rank"] == 2
            ),
            again=lambda: world.pay(member, checkout, "ok"),
        )

    die_everywhere(site, crasher, upgrading)


@pytest.mark.parametrize("way", ["ok", "lost_request", "lost_answer"])
def test_a_payout_survives_a_death_at_every_point(site: Site, crasher: Crasher, way: str) -> None:
    world = site.world
    with site.app.app_context():
        circle = world.circle()
        world.earn(circle, site, members=3)
        world.pay_out_to(circle, way)

    def paying_out() -> Case:
        payout = world.withdraw(circle, 100).ok(201)
        with world.units.write() as uow:
            approve_payout(uow, payout["number"])

        def truth() -> bool:
            sent = site.sql(
                "SELECT count(*) AS n FROM sandbox_payouts WHERE number = %s AND state = 'succeeded'", payout["number"]
            )
            return sent[0]["n"] == 1 and world.payout(circle, payout)["status"] == "succeeded"

        return Case(("jobs", "billing.pay_out"), truth)

    die_everywhere(site, crasher, paying_out)


@pytest.mark.parametrize("way", ["ok", "lost_request", "decline_soft"])
def test_a_renewal_survives_a_death_at_every_point(site: Site, crasher: Crasher, way: str) -> None:
    circle = site.members(0)
    earlier: list[Person] = []

    def renewing() -> Case:
        for other in earlier:
            # So that nobody else renews beside the one who is looked at.
            other.api.post(f"/subscriptions/{other.extra['subscription_id']}/cancel").ok(200)
        earlier[:] = [member] = [renewing_member(site, circle, way)]
        subscription_id = member.extra["subscription_id"]

        def truth() -> bool:
            renewals = site.sql(
                "SELECT status FROM invoices WHERE subscription_id = %s AND kind = 'renewal'"
                " AND period_no = 2 AND status <> 'void'",
                subscription_id,
            )
            return [row["status"] for row in renewals] == (["open"] if way == "decline_soft" else ["paid"])

        return Case(("jobs", "billing.bill,billing.charge"), truth)

    die_everywhere(site, crasher, renewing)


def renewing_member(site: Site, circle: BuiltCircle, way: str) -> Person:
    """A member whose next period begins now, and who was told of its charge."""
    world = site.world
    person = world.person()
    checkout = world.join(person, circle, collection="auto")["checkout"]
    method = world.method(person)
    sent = {"payment_method": method}
    person.api.post(f"/checkouts/{checkout['id']}/pay", sent, headers=idempotency_key()).ok(200)
    person.api.patch(f"/me/payment-methods/{method}", {"token": way}).ok(200)
    person.extra["subscription_id"] = checkout["subscription_id"]
    [term] = site.sql(
        "SELECT current_period_end AS ends_at FROM subscriptions WHERE id = %s", checkout["subscription_id"]
    )
    site.set(term["ends_at"] - timedelta(days=7))
    run_billing(site)
    site.set_to_charge()
    return person


@pytest.mark.parametrize("way", ["lost_request", "lost_answer"])
def test_a_sweep_survives_a_death_at_every_point(site: Site, crasher: Crasher, way: str) -> None:
    with site.app.app_context():
        circle = site.world.circle()

    def sweeping() -> Case:
        case = unanswered(site, circle, way)
        site.advance(_LEASE_AND_A_BIT)
        return case(("jobs", "billing.resolve"))

    die_everywhere(site, crasher, sweeping)


def test_news_survives_a_death_at_every_point(site: Site, crasher: Crasher) -> None:
    with site.app.app_context():
        circle = site.world.circle()

    def reading_news() -> Case:
        case = unanswered(site, circle, "pending_then_ok")
        site.advance(timedelta(seconds=70))
        return case(("jobs", "billing.sandbox,billing.inbox"))

    die_everywhere(site, crasher, reading_news)


def unanswered(site: Site, circle: BuiltCircle, way: str) -> Callable[[tuple[str, ...]], Case]:
    """A payment whose end nobody has heard of yet."""
    world = site.world
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, way)

    def truth() -> bool:
        return charges(site, checkout["invoice_id"]) == 1 and world.membership(person, circle)["status"] == "active"

    return lambda work: Case(work, truth)
