"""The days of a life: people act at their moment, jobs run in between, in the evening everything is looked at."""

import logging
import random
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from operator import itemgetter
from uuid import UUID

from sqlalchemy import exists, select, text

from circle import jobs
from circle.accounts.models import User
from circle.accounts.services.people import new_user
from circle.app import create_app
from circle.billing import oversight
from circle.billing.invariants import violations
from circle.billing.providers.base import Providers
from circle.billing.providers.sandbox import Sandbox
from circle.circles.terms import months_after
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.clock import ManualClock
from circle.kernel.errors import CircleError
from circle.kernel.queue import SilentDoorbell
from circle.simulation import owner
from circle.simulation.luck import Luck
from circle.simulation.network import DistantSandbox
from circle.simulation.people import Act, Standing, Turn, arrive, choose
from circle.simulation.scene import Person, Scene, open_scene
from circle.web.connections import PooledConnections, close_connections
from circle.web.system import system

START = datetime(2024, 1, 1, tzinfo=UTC)
ZONE = "UTC"
# Everybody has come when this part of the time is over.
_ARRIVING = 4
_ROOMS = ("billing.", "memberships.")
# Is done every evening anyhow.
_NEEDLESS = "billing.verify"
# The day is worked on every two hours: answers are looked for each time, everything that is due at noon and midnight.
_LOOK = timedelta(hours=2)
_LOOKS = 12
_WHOLE_EVERY = 6
_MOST_ROUNDS = 500
_DAY = 24 * 60 * 60

_STANDINGS = text("""
    SELECT m.user_id, m.status = 'active' AS is_member, s.id AS subscription_id, s.status, s.collection,
        s.cancel_at_period_end AS ends, s.renewal_open AS owes,
        s.status IN ('trialing', 'active', 'past_due', 'paused') AND EXISTS (
            SELECT FROM price_changes c JOIN price_campaigns p ON p.id = c.campaign_id
            WHERE c.subscription_id = s.id AND p.rises AND NOT p.withdrawn AND p.closed_at IS NULL
              AND c.consented_at IS NULL) AS may_consent
    FROM memberships m
    LEFT JOIN LATERAL (
        SELECT * FROM subscriptions s WHERE s.membership_id = m.id ORDER BY s.created_at DESC LIMIT 1
    ) AS s ON true
    WHERE m.circle_id = :circle_id
""")
# Whose turn it is to look for answers; most of the day in a small circle nobody's. Each by the condition by which the
# job itself finds its rows.
_DUE = text("""
    SELECT EXISTS (SELECT FROM sandbox_events WHERE delivered_at IS NULL)
            OR EXISTS (SELECT FROM sandbox_charges WHERE state = 'processing' AND settles_at <= :now)
            OR EXISTS (SELECT FROM sandbox_refunds WHERE state = 'processing' AND settles_at <= :now)
            OR EXISTS (SELECT FROM sandbox_payouts WHERE state = 'processing' AND settles_at <= :now)
            AS "billing.sandbox",
        EXISTS (SELECT FROM provider_events WHERE processed_at IS NULL AND lease_until <= :now) AS "billing.inbox",
        EXISTS (SELECT FROM payment_attempts WHERE status IN ('processing', 'requires_action') AND lease_until <= :now)
            AS "billing.resolve",
        EXISTS (SELECT FROM refunds WHERE status IN ('pending', 'processing') AND lease_until <= :now)
            AS "billing.refund",
        EXISTS (SELECT FROM payouts WHERE status IN ('approved', 'in_transit') AND lease_until <= :now)
            AS "billing.pay_out"
""")
_CHARGED_TWICE = text("""
    SELECT i.subscription_id, i.period_no FROM sandbox_charges s
    JOIN payment_attempts a ON a.number = s.number AND NOT a.surplus JOIN invoices i ON i.id = a.invoice_id
    WHERE s.state = 'succeeded' AND i.period_no IS NOT NULL AND i.status IN ('paid', 'partially_refunded')
    GROUP BY 1, 2 HAVING count(*) > 1
""")


class NotEmpty(Exception):
    """The database has people in it: nobody plays with them."""


class Broken(Exception):
    """Something that must always hold does not; told with the day, so that it can be had again by the seed."""

    def __init__(self, day: date, troubles: list[str]) -> None:
        super().__init__(f"{day}: " + "\n".join(troubles))
        self.day = day
        self.troubles = troubles


@dataclass
class Tally:
    """How the membership moved in a month, seen morning by morning."""

    joined: int = 0
    left: int = 0
    members: int = 0


class Life:
    """A life that is about to be lived: iterate over `days`."""

    def __init__(self, scene: Scene, doorbell: SilentDoorbell, *, members: int, months: int, errors: list[str]) -> None:
        self.scene = scene
        self._doorbell = doorbell
        self.ends_at = months_after(START, months, ZONE)
        self.length = (self.ends_at - START).days
        self.tallies: list[Tally] = []
        self._errors = errors
        self._awaited = members
        self._members: set[UUID] = set()
        self._sweeps = {
            row.job: jobs.load_job(row.job)
            for row in jobs.load_schedule()
            if row.job.startswith(_ROOMS) and row.job != _NEEDLESS
        }

    def days(self) -> Iterator[date]:
        """Live day by day; when one is yielded it is over, and all is in order. Errors: Broken."""
        for number in range(self.length):
            morning = START + timedelta(days=number)
            self.scene.clock.set(morning)
            if morning.day == 1:
                month = len(self.tallies)
                self.tallies.append(Tally())
                self._do("begin_month", partial(owner.begin_month, self.scene, month, self._dice("owner", month)))
            self._live(morning)
            self._look_at_everything(morning.date())
            yield morning.date()

    def _live(self, morning: datetime) -> None:
        turns = deque(self._turns(morning))
        for look in range(1, _LOOKS + 1):
            tick = morning + look * _LOOK
            while turns and turns[0][0] < tick:
                at, name, act = turns.popleft()
                self.scene.clock.set(at)
                self._do(name, act)
            # A second before midnight the day's last work is done.
            self.scene.clock.set(tick - timedelta(seconds=1))
            if look % _WHOLE_EVERY == 0:
                self._work(list(self._sweeps))
            else:
                self._work(self._due())

    def _turns(self, morning: datetime) -> list[tuple[datetime, str, Callable[[], None]]]:
        """Return who does what at which moment of the day, in their order."""
        scene, standings = self.scene, self._standings()
        turns: list[tuple[datetime, str, Callable[[], None]]] = []
        for person in self._arrivals(morning):
            scene.people.append(person)
        for person in scene.people:
            dice = self._dice(person.number, morning.date())
            standing = standings.get(person.caller.user_id)
            act: Act | None = arrive if standing is None and person.arrives >= morning else None
            act = act or choose(standing or Standing(), dice)
            if act is not None:
                at = (
                    max(person.arrives, morning) if act is arrive else morning + timedelta(seconds=dice.randrange(_DAY))
                )
                turns.append((at, act.__name__, partial(act, Turn(scene, person, standing or Standing(), dice))))
        dice = self._dice("operator", morning.date())
        decide = partial(owner.decide_payouts, scene, dice, asked_before=morning)
        turns.append((morning + timedelta(hours=9), "decide_payouts", decide))
        return sorted(turns, key=itemgetter(0))

    def _arrivals(self, morning: datetime) -> Iterator[Person]:
        """Yield those who come today: evenly, until all have come after the first part of the time."""
        for number in range(len(self.scene.people), self._awaited):
            arrives = START + number * (self.ends_at - START) / _ARRIVING / self._awaited
            if arrives >= morning + timedelta(days=1):
                return
            with self.scene.units.write() as uow:
                caller = Caller(user_id=new_user(uow, f"成员{number + 1}").id)
            self.scene.known[caller.user_id] = number
            yield Person(number, caller, arrives)

    def _standings(self) -> dict[UUID, Standing]:
        with self.scene.units.read() as uow:
            rows = uow.session.execute(_STANDINGS, {"circle_id": self.scene.circle_id}).mappings().all()
        members = {row["user_id"] for row in rows if row["is_member"]}
        tally = self.tallies[-1]
        tally.joined += len(members - self._members)
        tally.left += len(self._members - members)
        tally.members = len(members)
        self._members = members
        return {row["user_id"]: Standing(**{name: row[name] for name in Standing.__slots__}) for row in rows}

    def _do(self, name: str, act: Callable[[], None]) -> None:
        """Have somebody act; what the product refuses is counted, anything else is an error."""
        try:
            act()
            self.scene.done[name] += 1
        except CircleError as refusal:
            self.scene.refused[f"{name}: {refusal.code}"] += 1

    def _work(self, names: Collection[str]) -> None:
        """Run jobs once each, then again those that found something or were rung for, until nothing is left."""
        rung = self._doorbell.rung
        for _ in range(_MOST_ROUNDS):
            if not names:
                return
            rung.clear()
            found = {name for name in names if self._sweeps[name].run(self.scene.units)}
            names = [name for name in self._sweeps if name in found or name in rung]
        self._errors.append(f"{', '.join(names)} do not come to an end")

    def _due(self) -> list[str]:
        """Return the jobs that would find something to ask for."""
        with self.scene.units.read() as uow:
            due = uow.session.execute(_DUE, {"now": uow.now}).mappings().one()
        return [name for name, is_due in due.items() if is_due]

    def _look_at_everything(self, day: date) -> None:
        units = self.scene.units
        with units.read() as uow:
            troubles = violations(uow)
            twice = uow.session.execute(_CHARGED_TWICE).all()
        if twice:
            troubles.append(f"charged twice: {len(twice)} periods")
        watched = (oversight.breaker_is_closed, oversight.installation_is_original, oversight.books_agree)
        troubles += [trouble for trouble in (look(units) for look in watched) if trouble]
        if troubles or self._errors:
            raise Broken(day, [*troubles, *self._errors])

    def _dice(self, *what: object) -> random.Random:
        return self.scene.luck.of(*what)


@contextmanager
def begin(database_url: str, *, members: int, months: int, seed: int) -> Iterator[Life]:
    """Open a circle in a database that is migrated and empty. Errors: NotEmpty."""
    settings = Settings.from_env(_environ(database_url, members))
    clock, luck, connections, doorbell = ManualClock(START), Luck(seed), PooledConnections(), SilentDoorbell()
    known: dict[UUID, int] = {}
    network = DistantSandbox(
        connections, clock, secret_key=settings.secret_key, luck=luck, name_of=lambda user_id: known[user_id]
    )
    adapters = {Sandbox: network, Providers: Providers({Sandbox.name: network})}
    app = create_app(settings, clock=clock, connections=connections, doorbell=doorbell, adapters=adapters)
    with app.app_context(), _errors_noted() as errors:
        try:
            units = system().units
            with units.read() as uow:
                if uow.session.scalar(select(exists(select(User.id)))):
                    raise NotEmpty
            scene = open_scene(units, clock, luck, network, known, members=members)
            yield Life(scene, doorbell, members=members, months=months, errors=errors)
        finally:
            close_connections()


def _environ(database_url: str, members: int) -> dict[str, str]:
    """Settings of an installation that talks to nobody but its database."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://127.0.0.1:9",
        "S3_ENDPOINT": "http://127.0.0.1:9",
        "S3_ACCESS_KEY": "none",
        "S3_SECRET_KEY": "none",
        "SECRET_KEY": "simulation " * 4,
        "PAYMENT_PROVIDERS": Sandbox.name,
        "PLATFORM_FEE_BPS": "500",
        # Many arrive on one day, and renew on one.
        "USUAL_CHARGES": str(members),
        "CHARGE_THREADS": "1",
        "LOG_LEVEL": "error",
    }


class _Noting(logging.Handler):
    def __init__(self, errors: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        self._errors.append(record.getMessage()[:500])


@contextmanager
def _errors_noted() -> Iterator[list[str]]:
    """Keep what is logged as an error: jobs go on behind a row that fails."""
    errors: list[str] = []
    handler = _Noting(errors)
    logging.getLogger().addHandler(handler)
    try:
        yield errors
    finally:
        logging.getLogger().removeHandler(handler)
