"""Writing down on which days a camp meets, and moving the days that the calendar did not know yet."""

from datetime import date, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm.attributes import set_committed_value

from circle.checkins.models import Camp, CampDay
from circle.checkins.schedule import first_unknown, holidays_known_until, planned_days
from circle.checkins.services.rebuilding import rebuild_camp
from circle.kernel.uow import UnitOfWork

_DAY = timedelta(days=1)


def plan_through(uow: UnitOfWork, camp: Camp, last: date) -> None:
    """Write down the camp's days up to `last`; those that are there stay."""
    first = camp.planned_until + _DAY if camp.planned_until else camp.starts_on
    if last < first:
        return
    planned = planned_days(camp.schedule, first, last, camp.zone)
    if planned:
        rows = [{"camp_id": camp.id, "day": one.day, "period": one.period} for one in planned]
        uow.session.execute(insert(CampDay).values(rows).on_conflict_do_nothing())
    # Of two who join an evergreen camp at once the second plans the same days again: nothing is lost by it.
    _note_plan(uow, camp, last, camp.calendar_guessed_from or first_unknown(camp.schedule, planned))


def _note_plan(uow: UnitOfWork, camp: Camp, last: date | None, guessed_from: date | None) -> None:
    """Keep how far the days are planned: no change of the rules, so the version stays and joiners don't collide."""
    noting = update(Camp).where(Camp.id == camp.id).values(planned_until=last, calendar_guessed_from=guessed_from)
    uow.session.execute(noting.execution_options(synchronize_session=False))
    set_committed_value(camp, "planned_until", last)
    set_committed_value(camp, "calendar_guessed_from", guessed_from)


def plan_again(uow: UnitOfWork, camp: Camp, *, since: date, last: date | None) -> None:
    """Write down anew the days from `since` to `last`; None: until somebody joins."""
    uow.session.flush()
    uow.session.execute(delete(CampDay).where(CampDay.camp_id == camp.id, CampDay.day >= since))
    _note_plan(uow, camp, since - _DAY if since > camp.starts_on else None, None)
    if last is not None:
        plan_through(uow, camp, last)


def count_days(uow: UnitOfWork, camp: Camp, first: date, last: date) -> int:
    counting = select(func.count()).where(CampDay.camp_id == camp.id, CampDay.day.between(first, last))
    return uow.session.scalar(counting) or 0


def replan_due(uow: UnitOfWork) -> int:
    """Move days to come whose holidays were announced meanwhile; return in how many camps."""
    guessing = select(Camp).where(Camp.calendar_guessed_from <= holidays_known_until())
    camps = uow.session.scalars(guessing.with_for_update(skip_locked=True)).all()
    for camp in camps:
        guessed = camp.calendar_guessed_from
        tomorrow = camp.hours.today(uow.now) + _DAY
        plan_again(uow, camp, since=max(guessed or tomorrow, tomorrow), last=camp.planned_until)
        rebuild_camp(uow, camp.id, today=camp.hours.today(uow.now))
    return len(camps)
