"""Mistakes that somebody could make, made on purpose: each must be caught by what the tier looks at."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from circle.billing.inbox_models import ProviderEvent
from circle.billing.providers.base import Notification, OutcomeState
from circle.billing.services import outcomes, webhooks
from circle.billing.services.leases import LEASE
from circle.billing.states import AttemptStatus
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from tests.client import Api
from tests.reliability.fleet import STOP_SECONDS, Fleet
from tests.reliability.site import Site

pytestmark = pytest.mark.reliability

Fleets = Callable[..., Fleet]
MEMBERS = 40
CREWS = 3
# Calls that take so long that whoever is killed has most of them before them.
STUCK = {"SANDBOX_LATENCY_MS": "3000"}
DELIVERIES = 20


def sent(site: Site) -> list[str]:
    """The numbers of all charges that were sent."""
    return (site.folder / "calls").read_text(encoding="utf-8").split()


def charge_at_the_same_moment(site: Site, fleet_of: Fleets, mutant: str) -> None:
    """Have all crews claim the same renewals at one moment, and send what they claimed; time stands still meanwhile."""
    site.members(MEMBERS)
    site.announce()
    with site.app.app_context():
        site.world.run_billing("bill")
    meeting = site.folder / "meeting"
    meeting.mkdir()
    fleet = fleet_of(
        crews=CREWS,
        mutant=mutant,
        CIRCLE_CALLS=str(site.folder / "calls"),
        CIRCLE_MEETING=f"{meeting}:{CREWS}",
    )
    site.watch(fleet, lambda: len(list(meeting.glob("sent *"))) >= CREWS and site.paid() == MEMBERS)


def test_crews_that_charge_at_one_moment_send_each_charge_once(site: Site, fleet_of: Fleets) -> None:
    charge_at_the_same_moment(site, fleet_of, "none")

    assert len(sent(site)) == len(set(sent(site))) == MEMBERS
    assert site.wrongs() == []


def test_charges_that_nobody_claims_are_caught(site: Site, fleet_of: Fleets) -> None:
    charge_at_the_same_moment(site, fleet_of, "no_claim")

    assert len(sent(site)) == CREWS * MEMBERS
    assert len(set(sent(site))) == MEMBERS


def test_a_random_key_is_caught(site: Site, fleet_of: Fleets) -> None:
    charge_at_the_same_moment(site, fleet_of, "random_key")

    assert any(wrong.startswith("charged unknown") for wrong in site.wrongs())


@pytest.mark.parametrize(("mutant", "is_forgotten"), [("none", False), ("no_lease", True)])
def test_a_claim_that_outlives_its_worker_is_caught(
    site: Site, fleet_of: Fleets, mutant: str, *, is_forgotten: bool
) -> None:
    site.members(MEMBERS)
    fleet = fleet_of(mutant=mutant, **STUCK)
    site.announce(fleet)
    site.work(fleet, lambda: site.processing() > 0)
    fleet.kill_everybody()
    left = site.processing()

    # Time goes by once, and stands still while somebody else looks for what was left behind: no luck is in this.
    site.advance(LEASE + timedelta(minutes=1))
    with site.app.app_context():
        site.world.run_billing("bill", "dun", "charge", "resolve")

    assert left > 0
    assert (site.paid() < MEMBERS) == is_forgotten
    if not is_forgotten:
        assert site.wrongs() == []


@pytest.mark.parametrize("is_mutant", [False, True])
def test_a_time_out_that_is_taken_for_a_failure_is_caught(
    site: Site, monkeypatch: pytest.MonkeyPatch, *, is_mutant: bool
) -> None:
    if is_mutant:
        monkeypatch.setitem(outcomes._STATUS, OutcomeState.UNKNOWN, AttemptStatus.FAILED)
    with site.app.app_context():
        circle = site.world.circle()
        person = site.world.person()
        site.world.pay(person, site.world.checkout(person, circle), "lost_answer")
        site.advance(LEASE + timedelta(minutes=1))
        site.world.run_billing("resolve")

    assert any(wrong.startswith("charged unknown") for wrong in site.wrongs()) == is_mutant


@pytest.mark.parametrize(("is_mutant", "is_kept_once"), [(False, True), (True, False)])
def test_an_inbox_that_looks_before_it_writes_is_caught(
    site: Site, monkeypatch: pytest.MonkeyPatch, *, is_mutant: bool, is_kept_once: bool
) -> None:
    if is_mutant:
        site.sql("ALTER TABLE provider_events DROP CONSTRAINT uq_provider_events_provider_event_id")
        monkeypatch.setattr(webhooks, "_keep", look_then_write(Barrier(DELIVERIES, timeout=STOP_SECONDS)))

    statuses = [status for number in range(5) for status in deliver_at_once(site, f"evt_{number}")]

    assert set(statuses) == {200}
    kept = site.sql("SELECT count(*) AS n FROM provider_events GROUP BY event_id")
    assert all(row["n"] == 1 for row in kept) == is_kept_once


def deliver_at_once(site: Site, event_id: str) -> list[int]:
    """Deliver one event many times at the same moment; return the answers' statuses."""
    together = Barrier(DELIVERIES)

    def deliver(_: int) -> int:
        with site.app.app_context():
            headers, body = site.world.sandbox.sealed(
                {"id": event_id, "kind": "charge", "number": "0" * 32}, site.now()
            )
            together.wait()
            reply = Api(site.app).request("POST", "/webhooks/sandbox", headers=headers, data=body)
            return reply.status

    with ThreadPoolExecutor(DELIVERIES) as threads:
        return list(threads.map(deliver, range(DELIVERIES)))


def look_then_write(together: Barrier) -> Callable[[UnitOfWork, str, Notification], None]:
    """The mistake, at its worst moment: all have looked before anybody writes."""

    def keep(uow: UnitOfWork, provider: str, notification: Notification) -> None:
        known: Any = select(ProviderEvent.id).where(
            ProviderEvent.provider == provider, ProviderEvent.event_id == notification.event_id
        )
        is_new = uow.session.scalar(known) is None
        together.wait()
        if is_new:
            uow.session.add(
                ProviderEvent(
                    id=new_id(),
                    provider=provider,
                    event_id=notification.event_id,
                    kind=notification.kind,
                    number=notification.number,
                    received_at=uow.now,
                    lease_until=uow.now,
                )
            )

    return keep
