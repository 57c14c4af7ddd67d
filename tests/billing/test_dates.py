"""Dates of terms: month ends, leap days, clock changes, forty zones; in Python and in SQL the same."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from circle.billing.models import Invoice, Subscription
from circle.billing.renewal_sql import term_end
from circle.billing.services.renewing import open_one
from circle.circles.models import Price
from circle.circles.terms import months_after
from circle.kernel.clock import ManualClock
from circle.kernel.uow import UnitOfWork
from tests.client import World
from tests.conftest import START

ZONES = (
    *("Asia/Shanghai", "Asia/Tokyo", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Dubai", "Asia/Tehran", "Asia/Kabul"),
    *("Asia/Yangon", "Asia/Jakarta", "Asia/Manila", "Asia/Seoul", "Asia/Beirut", "Asia/Riyadh", "Asia/Jerusalem"),
    *("Australia/Sydney", "Australia/Adelaide", "Australia/Lord_Howe", "Australia/Eucla", "Pacific/Auckland"),
    *("Pacific/Chatham", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Honolulu", "Pacific/Easter"),
    *("America/New_York", "America/Los_Angeles", "America/St_Johns", "America/Sao_Paulo", "America/Santiago"),
    *("America/Havana", "America/Bogota", "America/Nuuk", "Europe/London", "Europe/Berlin", "Europe/Lisbon"),
    *("Europe/Moscow", "Africa/Cairo", "Africa/Johannesburg", "Antarctica/Troll", "UTC"),
)
# Left out above are zones whose rules changed lately: PostgreSQL and Python carry zone data of different years.
ANCHORS = st.datetimes(datetime(2015, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
# Transactions of an example are undone by hand: the fixtures are one test's.
_QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
_END = text(f"SELECT {term_end('CAST(:anchor AS timestamptz)', ':months', ':zone')}")


def test_there_are_forty_zones() -> None:
    assert len(set(ZONES)) == 40


@settings(_QUIET, max_examples=300)
@given(anchor=ANCHORS, months=st.integers(0, 130), zone=st.sampled_from(ZONES))
@example(anchor=datetime(2024, 2, 29, 12, tzinfo=UTC), months=12, zone="Asia/Shanghai")
@example(anchor=datetime(2024, 1, 31, 3, tzinfo=UTC), months=1, zone="America/New_York")
@example(anchor=datetime(2026, 1, 29, 1, 30, tzinfo=UTC), months=2, zone="Europe/Berlin")  # 02:30 is skipped
@example(anchor=datetime(2025, 9, 26, 0, 30, tzinfo=UTC), months=1, zone="Europe/Berlin")  # 02:30 comes twice
@example(anchor=datetime(2011, 11, 30, 12, tzinfo=UTC), months=1, zone="Pacific/Apia")  # the day that was left out
def test_sql_and_python_agree_on_the_end_of_a_term(world: World, anchor: datetime, months: int, zone: str) -> None:
    with world.units.read() as uow:
        found = uow.session.scalar(_END, {"anchor": anchor, "months": months, "zone": zone})

    assert found == months_after(anchor, months, zone)


@pytest.mark.parametrize(
    ("anchor", "ends"),
    [
        ("2026-01-31T04:00:00+00:00", ["02-28", "03-31", "04-30", "05-31"]),
        ("2028-01-31T04:00:00+00:00", ["02-29", "03-31", "04-30", "05-31"]),
        ("2026-08-30T04:00:00+00:00", ["09-30", "10-30", "11-30", "12-30"]),
    ],
)
def test_month_ends_are_multiplied_from_the_anchor(anchor: str, ends: list[str]) -> None:
    start = datetime.fromisoformat(anchor)

    assert [f"{months_after(start, n, 'Asia/Shanghai'):%m-%d}" for n in (1, 2, 3, 4)] == ends


def test_a_leap_day_comes_back_after_four_years() -> None:
    start = datetime(2024, 2, 29, 4, tzinfo=UTC)

    ends = [months_after(start, 12 * years, "Asia/Shanghai") for years in (1, 4)]

    assert [f"{end:%Y-%m-%d}" for end in ends] == ["2025-02-28", "2028-02-29"]


def test_the_wall_clock_stays_the_same_across_a_clock_change() -> None:
    start = datetime(2026, 3, 1, 17, tzinfo=UTC)  # noon in New York

    assert months_after(start, 1, "America/New_York") == datetime(2026, 4, 1, 16, tzinfo=UTC)


def _present_period(subscription: Subscription, months: int, moment: datetime) -> tuple[int, datetime, datetime]:
    """Count period by period to the one after the paid term that contains an instant, or the next."""
    zone, before = subscription.timezone, subscription.anchor_months
    assert subscription.anchor_at is not None
    step = 1
    while months_after(subscription.anchor_at, before + step * months, zone) <= moment:
        step += 1
    start, end = (months_after(subscription.anchor_at, before + n * months, zone) for n in (step - 1, step))
    return subscription.period_no + step, start, end


@pytest.fixture
def member_id(world: World) -> UUID:
    return UUID(world.subscriber(world.circle()).extra["subscription_id"])


@settings(_QUIET, max_examples=60)
@given(
    anchor=ANCHORS,
    zone=st.sampled_from(ZONES),
    interval=st.sampled_from([("month", 1), ("month", 3), ("month", 7), ("year", 1), ("year", 2)]),
    paid=st.integers(1, 30),
    late=st.timedeltas(timedelta(days=-7), timedelta(days=1500)),
)
def test_a_renewal_is_billed_for_the_present_period_however_late(
    app: Flask,
    world: World,
    clock: ManualClock,
    member_id: UUID,
    anchor: datetime,
    zone: str,
    interval: tuple[str, int],
    paid: int,
    late: timedelta,
) -> None:
    with world.units.write() as uow:
        subscription, months = _aged(uow, member_id, anchor, zone, interval, paid)
        assert subscription.current_period_end is not None
        clock.set(subscription.current_period_end + late)
        uow.now = clock.now()

        invoice = open_one(uow, subscription)

        moment = max(subscription.current_period_end, clock.now() + timedelta(days=7))
        assert _period(invoice) == _present_period(subscription, months, moment)
        assert invoice.due_at == moment
        uow.session.rollback()
    clock.set(START)


def _aged(
    uow: UnitOfWork, subscription_id: UUID, anchor: datetime, zone: str, interval: tuple[str, int], paid: int
) -> tuple[Subscription, int]:
    """Let a subscription look as if it had been paid for so many periods."""
    subscription = uow.session.get_one(Subscription, subscription_id)
    price = uow.session.get_one(Price, subscription.price_id)
    price.interval, price.interval_count = interval
    months = interval[1] * (12 if interval[0] == "year" else 1)
    subscription.timezone, subscription.anchor_at = zone, anchor
    subscription.anchor_months, subscription.period_no = paid * months, paid
    subscription.current_period_end = months_after(anchor, paid * months, zone)
    uow.session.execute(
        text("UPDATE invoices SET period_start = :start, period_end = :end WHERE subscription_id = :id"),
        {"start": anchor, "end": subscription.current_period_end, "id": subscription_id},
    )
    return subscription, months


def _period(invoice: Invoice) -> tuple[Any, ...]:
    return invoice.period_no, invoice.period_start, invoice.period_end
