"""Reminders to exactly those who need one: the day is closing, or two of the last three days were missed.

The clock's sweep asks which camps are at such a moment; a row per camp, kind and day makes two clocks one.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import groupby
from uuid import UUID

from sqlalchemy import exists, select, text
from sqlalchemy.dialects.postgresql import insert

from circle.checkins.events import MembersAtRisk, MembersNudged, WindowClosing
from circle.checkins.models import Camp, CampDay, CampReminder
from circle.checkins.policy import require_taught_camp
from circle.checkins.services.sweeping import running_camps
from circle.circles.models import Circle
from circle.kernel.caller import Caller
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import require_open_circle

# How long before the end of a day its reminder goes out; half of a day that is shorter than twice that.
WARN_BEFORE = timedelta(hours=1)
WARN_BEFORE_MIDNIGHT = timedelta(hours=3)
_CLOSING, _AT_RISK, _NUDGE = "closing", "at_risk", "nudge"
# A closed circle takes no check-ins.
_CAN_BE_DONE = exists().where(Circle.id == Camp.circle_id, Circle.closed_at.is_(None))

# Who may still do the day and has not: in a camp of so many times a week, only who needs each day that is left.
_OWING = text("""
SELECT member.user_id
FROM camp_members AS member
JOIN camp_standings AS standing USING (camp_id, user_id)
WHERE member.camp_id = :camp_id AND standing.ranked AND :day BETWEEN member.starts_on AND member.ends_on
AND NOT EXISTS (
    SELECT FROM check_in_days AS kept
    WHERE kept.camp_id = member.camp_id AND kept.user_id = member.user_id AND kept.day = :day
)
AND (CAST(:times AS integer) IS NULL OR (
    SELECT :times - count(*) FROM check_in_days AS kept
    JOIN camp_days AS planned ON planned.camp_id = kept.camp_id AND planned.day = kept.day
    WHERE kept.camp_id = member.camp_id AND kept.user_id = member.user_id AND planned.period = :period
) >= (
    SELECT count(*) FROM camp_days AS planned
    WHERE planned.camp_id = member.camp_id AND planned.period = :period
    AND planned.day BETWEEN :day AND member.ends_on
))
ORDER BY member.user_id
""")

# Members who kept at most one of the last three steps that are over, with the last day they did.
AT_RISK = """
WITH recent AS (
    SELECT period, max(day) AS last_day FROM camp_days
    WHERE camp_id = :camp_id AND period < :period AND day < :today
    GROUP BY period ORDER BY period DESC LIMIT 3
)
SELECT member.user_id, standing.last_day, missed.steps AS missed
FROM camp_members AS member
JOIN camp_standings AS standing USING (camp_id, user_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS steps
    FROM recent
    CROSS JOIN LATERAL (
        SELECT count(planned.day) AS days,
            count(kept.day) FILTER (WHERE kept.kind <> 'leave') AS attended,
            count(kept.day) FILTER (WHERE kept.kind = 'leave') AS excused
        FROM camp_days AS planned
        LEFT JOIN check_in_days AS kept
            ON kept.camp_id = planned.camp_id AND kept.user_id = member.user_id AND kept.day = planned.day
        WHERE planned.camp_id = member.camp_id AND planned.period = recent.period
        AND planned.day BETWEEN member.starts_on AND member.ends_on
    ) AS step
    WHERE step.days > 0 AND step.attended < greatest(0, least(coalesce(CAST(:times AS bigint), step.days), step.days)
        - step.excused)
) AS missed
WHERE member.camp_id = :camp_id AND standing.ranked AND :today <= member.ends_on
AND member.user_id > :after AND missed.steps >= 2
-- Their days need no counting: of three steps in a row that still stand at most one is not over yet.
AND NOT (standing.run >= 3 AND (standing.alive_until IS NULL OR standing.alive_until >= :today))
ORDER BY member.user_id
LIMIT :limit
"""
_AT_RISK_ROWS = text(AT_RISK)
_FIRST_ID = UUID(int=0)
_ALL = 2**31 - 1


def remind_closing(uow: UnitOfWork) -> int:
    """Remind of days that end soon, in every running camp that is at this moment; return how many members."""
    return sum(_remind_of(uow, camp, day) for camp, day in _closing(uow))


def _closing(uow: UnitOfWork) -> Iterator[tuple[Camp, date]]:
    for camp in running_camps(uow, _CAN_BE_DONE):
        hours = camp.hours
        day = hours.open_day(uow.now)
        if day is None:
            continue
        opens, closes = min(start for start, _ in hours.bounds(day)), hours.closes(day)
        before = min(WARN_BEFORE if camp.windows else WARN_BEFORE_MIDNIGHT, (closes - opens) / 2)
        if closes - before <= uow.now < closes:
            yield camp, day


def _remind_of(uow: UnitOfWork, camp: Camp, day: date) -> int:
    period = uow.session.scalar(select(CampDay.period).where(CampDay.camp_id == camp.id, CampDay.day == day))
    if period is None or not _claim(uow, camp, _CLOSING, day):
        return 0
    asked = {"camp_id": camp.id, "day": day, "period": period, "times": camp.times}
    owing = tuple(uow.session.scalars(_OWING, asked))
    if owing:
        closes_at = camp.hours.closes(day).astimezone(camp.zone)
        uow.emit(WindowClosing(camp.id, camp.circle_id, camp.title, day, closes_at.strftime("%H:%M"), user_ids=owing))
    return len(owing)


def remind_at_risk(uow: UnitOfWork) -> int:
    """Tell, once a day and camp, those who have just come to be at risk; return how many."""
    reminded = 0
    for camp in running_camps(uow, _CAN_BE_DONE):
        today = camp.hours.today(uow.now)
        if not _claim(uow, camp, _AT_RISK, today):
            continue
        found = sorted(_at_risk(uow, camp, today), key=lambda row: (row[1] or date.min, row[0]))
        for since, rows in groupby(found, key=lambda row: row[1]):
            members = tuple(user_id for user_id, _ in rows)
            uow.emit(MembersAtRisk(camp.id, camp.circle_id, camp.title, since=since, user_ids=members))
            reminded += len(members)
    return reminded


def _at_risk(uow: UnitOfWork, camp: Camp, today: date) -> list[tuple[UUID, date | None]]:
    asked = at_risk_of(camp.id, today, camp.schedule.period_of(today), camp.times)
    return [(row.user_id, row.last_day) for row in uow.session.execute(_AT_RISK_ROWS, asked)]


def at_risk_of(
    camp_id: UUID, today: date, period: date, times: int | None, *, after: UUID = _FIRST_ID, limit: int = _ALL
) -> dict[str, object]:
    """Return the parameters of AT_RISK; `period` is the step that is not over yet."""
    return {"camp_id": camp_id, "today": today, "period": period, "times": times, "after": after, "limit": limit}


def nudge(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> tuple[date, int]:
    """Ask exactly those at risk to come back, once a day; return the day and how many were asked now.

    Errors: those of `require_taught_camp`, CircleClosed.
    """
    require_open_circle(require_taught_camp(uow, caller, camp_id).circle)
    camp = uow.session.get_one(Camp, camp_id)
    today = camp.hours.today(uow.now)
    members = tuple(user_id for user_id, _ in _at_risk(uow, camp, today))
    if not members or not _claim(uow, camp, _NUDGE, today):
        return today, 0
    uow.emit(
        MembersNudged(camp.id, camp.circle_id, camp.title, today, caller.user_id, caller.display_name, user_ids=members)
    )
    return today, len(members)


def _claim(uow: UnitOfWork, camp: Camp, kind: str, day: date) -> bool:
    """Take a reminder, so that no other clock gives it."""
    row = insert(CampReminder).values(camp_id=camp.id, kind=kind, day=day, reminded_at=uow.now)
    return uow.session.execute(row.on_conflict_do_nothing().returning(CampReminder.day)).scalar() is not None


def forget_old_reminders(uow: UnitOfWork) -> int:
    """Delete notes of reminders that nobody would give again."""
    old = text("DELETE FROM camp_reminders WHERE reminded_at < :before")
    before: datetime = uow.now - timedelta(days=30)
    return int(uow.session.execute(old, {"before": before}).rowcount)  # type: ignore[attr-defined]
