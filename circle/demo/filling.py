"""Filling an installation with the example, once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select

from circle.accounts.addresses import read_address
from circle.accounts.models import User
from circle.accounts.services.identities import add_identity
from circle.circles.models import Circle
from circle.demo import opening
from circle.demo.articles import import_archive
from circle.demo.camp import camp
from circle.demo.homework import homework
from circle.demo.life import life
from circle.demo.members import members
from circle.demo.stage import Stage, Step, past_units, play
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from circle.memberships.models import Membership
from circle.memberships.services.circles import edit_circle
from circle.posts.models import Post
from circle.testmode import run_all_due

SLUG = "demo"
EMAIL = "demo@example.org"
WEEKS = 8


@dataclass(frozen=True)
class Filled:
    """What the example holds."""

    circle_id: UUID
    members: int
    posts: int


def find(units: Units) -> Filled | None:
    """Return the example if it is there."""
    with units.read() as uow:
        circle_id = uow.session.scalar(select(Circle.id).where(Circle.slug == SLUG))
        if circle_id is None:
            return None
        counts = [
            uow.session.scalar(select(func.count()).select_from(one).where(one.circle_id == circle_id)) or 0
            for one in (Membership, Post)
        ]
    return Filled(circle_id, *counts)


def fill(units: Units, *, password: str, count: int = 200, archive: Path | None = None) -> Filled:
    """Tell the story of a circle until now.

    Its short name and its log-in come last: a run that is interrupted leaves a circle that nobody finds, and the next
    begins afresh.
    """
    with units.read() as uow:
        now = uow.now
    clock = ManualClock(now - timedelta(weeks=WEEKS))
    stage = opening.open_example(past_units(units, clock), clock, password=password)
    import_archive(stage, archive)
    play(stage, [*_turns(now), *members(count, now), *life(now), *homework(now), *camp(now)], until=now)
    run_all_due(units)
    _name(units, stage)
    found = find(units)
    if found is None:
        raise RuntimeError("the example was removed while it was made")
    return found


def _turns(now: datetime) -> Iterator[Step]:
    """Yield what the owner arranges."""
    yield Step(now - timedelta(days=55), 0, opening.appoint_partner)
    yield Step(now - timedelta(days=54), 0, opening.appoint_admin)
    yield Step(now - timedelta(days=50), 0, opening.invite_guest)
    yield Step(now - timedelta(days=15), 0, opening.price_questions)
    # Those of `CAST` who apply come later than this, all others have come before.
    yield Step(now - timedelta(days=1), 0, opening.ask_newcomers)


def _name(units: Units, stage: Stage) -> None:
    with units.write() as uow:
        edit_circle(uow, stage.owner, stage.circle_id, version=None, slug=SLUG)
        owner = uow.session.get_one(User, stage.owner.user_id)
        # Not proven, so that no mail is ever sent to it.
        add_identity(uow, owner, read_address(EMAIL, None), proven=False)
