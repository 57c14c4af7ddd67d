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
    _note_plan(uow, camp, last, camp.calendar_guessed_from or first_unknown(camp.schedule, planned))


def _note_plan(uow: UnitOfWork, camp: Camp, last: date | None, guessed_from: date | None) -> None:
    """Keep how far the days are planned: no change of the rules, so the version stays and joiners don't collide."""
    uow.session.flush()
    kept = uow.session.execute(
        update(Camp)
        .where(Camp.id == camp.id)
        .values(
            planned_until=last if last is None else func.greatest(Camp.planned_until, last),
            calendar_guessed_from=guessed_from,
        )
        .returning(Camp.planned_until)
        .execution_options(synchronize_session=False)
    ).scalar_one()
    set_committed_value(camp, "planned_until", kept)
    set_committed_value(camp, "calendar_guessed_from", guessed_from)


def plan_again(uow: UnitOfWork, camp: Camp, *, since: date) -> None:
    """Write down anew the days from `since` on."""
    uow.session.execute(delete(CampDay).where(CampDay.camp_id == camp.id, CampDay.day >= since))
    last = camp.planned_until
    _note_plan(uow, camp, None, None)
    if since > camp.starts_on:
        set_committed_value(camp, "planned_until", since - _DAY)
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
        plan_again(uow, camp, since=max(guessed or tomorrow, tomorrow))
        rebuild_camp(uow, camp.id, today=camp.hours.today(uow.now))
    return len(camps)
