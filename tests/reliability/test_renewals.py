"""Renewals by real processes that are killed, on engines that are stopped, over a network that loses things."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from circle.kernel.clock import elapsed
from tests.reliability.fleet import Fleet
from tests.reliability.site import Site, seeded
from tests.reliability.sizes import SIZES

pytestmark = pytest.mark.reliability

Fleets = Callable[..., Fleet]
# Posts that are answered before PostgreSQL is stopped, and how often it is.
PROMISES, ROUNDS = 5, 3
# What is written lazily is durable a fifth of a second later, by chance before PostgreSQL is stopped: once is enough.
LAZY_ROUNDS = 20
# So that a process is at work when it is killed.
BUSY = {"SANDBOX_LATENCY_MS": "20"}


def evenly(times: int, of: int) -> Callable[[int], bool]:
    """Tell, by how much is done of the whole, whether it is time for the next of so many disturbances."""
    done = 0

    def is_time(progress: int) -> bool:
        nonlocal done
        if done < times and progress * times >= done * of:
            done += 1
            return True
        return False

    return is_time


def renew_all(site: Site, fleet: Fleet, renewals: int, disturb: Callable[[int], None]) -> None:
    """Renew members period by period until so many renewals are paid."""
    while (before := site.paid()) < renewals:
        site.renew(fleet, disturb=lambda paid, before=before: disturb(before + paid))


def figure(site: Site, what: str, began: float) -> list[str]:
    """Print what was done, and return what is wrong."""
    seconds, wrongs = elapsed() - began, site.wrongs()
    found = "; ".join(wrongs) or "0 twice, 0 lost, ledger 0"
    print(f"{site.paid():,} renewals, {what}, {seconds:.0f} s: {found}")  # noqa: T201 - the figure of the gate
    return wrongs


def test_processes_killed_at_random_charge_once_and_forget_nobody(site: Site, fleet_of: Fleets) -> None:
    luck = seeded()
    site.members(min(SIZES.members, SIZES.killed_renewals))
    fleet = fleet_of(**BUSY)

    def kill(paid: int) -> None:
        if fleet.kills * SIZES.killed_renewals < SIZES.kills * (paid + 1):
            fleet.kill_one(luck)

    began = elapsed()
    renew_all(site, fleet, SIZES.killed_renewals, kill)
    # Who renews in few steps gives few occasions: one more period, until there were enough.
    while fleet.kills < SIZES.kills:
        site.renew(fleet, disturb=lambda _paid: kill(site.paid()))

    assert figure(site, f"{fleet.kills} kills", began) == []
    assert site.paid() >= SIZES.killed_renewals
    assert fleet.kills >= SIZES.kills


def test_a_database_stopped_at_once_loses_no_payment(site: Site, fleet_of: Fleets) -> None:
    site.members(min(SIZES.members, SIZES.crashed_renewals))
    fleet = fleet_of(**BUSY)
    is_time = evenly(SIZES.crashes, SIZES.crashed_renewals)
    away: list[float] = []

    def crash(paid: int) -> None:
        if is_time(paid):
            site.crash_database()
            back = elapsed()
            site.wait_for_web()
            away.append(elapsed() - back)

    began = elapsed()
    renew_all(site, fleet, SIZES.crashed_renewals, crash)

    what = f"{len(away)} stops of PostgreSQL, the web away for {max(away):.1f} s at most"
    assert figure(site, what, began) == []
    assert len(away) == SIZES.crashes
    assert max(away) <= 5


@pytest.mark.parametrize("is_mutant", [False, True])
def test_an_answer_before_its_commit_is_durable_is_caught(site: Site, *, is_mutant: bool) -> None:
    with site.app.app_context():
        circle = site.world.circle()
    if is_mutant:
        site.commit_lazily()

    promised = lost = 0
    while promised < PROMISES * (LAZY_ROUNDS if is_mutant else ROUNDS) and not lost:
        with site.app.app_context():
            promised += len([site.world.post(circle, body=f"第{number}句") for number in range(PROMISES)])
        site.crash_database()
        site.wait_for_web()
        lost = promised - site.count("SELECT count(*) AS n FROM posts")

    assert bool(lost) == is_mutant


def test_a_network_that_loses_requests_and_answers_settles_everything_once(site: Site, fleet_of: Fleets) -> None:
    site.members(min(SIZES.members, SIZES.faulty_renewals))
    fleet = fleet_of(
        SANDBOX_FAULTS="lost_request:5,lost_answer:5,server_error:5",
        SANDBOX_WEBHOOKS="drop:10,double:10,shuffle:50,delay:60",
    )

    began = elapsed()
    renew_all(site, fleet, SIZES.faulty_renewals, lambda _paid: None)

    assert figure(site, "5 % lost requests, 5 % lost answers, 5 % 500s", began) == []


def test_a_queue_that_is_flushed_and_killed_costs_delay_only(site: Site, fleet_of: Fleets) -> None:
    site.members(min(SIZES.members, SIZES.flushed_renewals))
    fleet = fleet_of(**BUSY)
    flush = evenly(SIZES.flushes, SIZES.flushed_renewals)
    kill = evenly(SIZES.queue_kills, SIZES.flushed_renewals)

    def disturb(paid: int) -> None:
        if flush(paid):
            fleet.forget_rings()
        if kill(paid):
            site.crash_queue()

    began = elapsed()
    renew_all(site, fleet, SIZES.flushed_renewals, disturb)

    assert figure(site, f"{SIZES.flushes} flushes and {SIZES.queue_kills} kills of Valkey", began) == []


def test_nobody_is_charged_again_by_processes_that_find_nothing_due(site: Site, fleet_of: Fleets) -> None:
    site.members(10)
    fleet = fleet_of()
    site.renew(fleet)
    charged = site.count("SELECT count(*) AS n FROM sandbox_charges")

    rounds = iter(range(30))
    site.work(fleet, lambda: next(rounds, None) is None, disturb=lambda: site.advance(timedelta(minutes=10)))

    assert site.count("SELECT count(*) AS n FROM sandbox_charges") == charged
    assert site.wrongs() == []
