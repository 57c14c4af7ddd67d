"""Deriving figures from day rows for whole camps, in SQL: to rebuild what is cached, and to see that it is equal.

The rules are those of `figures.py`; tests hold both, and a third way of counting, to the same on random histories.
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text

from circle.checkins.models import Camp
from circle.kernel.uow import UnitOfWork

# Steps (a day, or a week of `times` days) of each member's own term → which were kept → runs of kept ones.
DERIVED = """
WITH step AS (
    SELECT member.user_id, planned.period, max(planned.day) AS last_day, count(*) AS days,
        count(*) FILTER (WHERE kept.kind <> 'leave') AS attended, count(*) FILTER (WHERE kept.kind = 'leave') AS excused
    FROM camp_members AS member
    JOIN camp_days AS planned
        ON planned.camp_id = member.camp_id AND planned.day BETWEEN member.starts_on AND member.ends_on
    LEFT JOIN check_in_days AS kept
        ON kept.camp_id = member.camp_id AND kept.user_id = member.user_id AND kept.day = planned.day
    WHERE member.camp_id = :camp_id
    GROUP BY member.user_id, planned.period
), judged AS (
    SELECT user_id, period, last_day, attended,
        greatest(0, least(coalesce(CAST(:times AS bigint), days), days) - excused) AS needed
    FROM step
), verdict AS (
    SELECT user_id, period, last_day, attended >= greatest(needed, 1) AS is_kept
    FROM judged WHERE needed > 0 OR attended > 0
), numbered AS (
    SELECT user_id, period, is_kept,
        row_number() OVER (PARTITION BY user_id ORDER BY period)
        - row_number() OVER (PARTITION BY user_id, is_kept ORDER BY period) AS island
    FROM verdict
), run AS (
    SELECT user_id, count(*) AS steps, max(period) AS until
    FROM numbered WHERE is_kept GROUP BY user_id, island
), latest AS (
    SELECT DISTINCT ON (user_id) user_id, steps, until, max(steps) OVER (PARTITION BY user_id) AS longest
    FROM run ORDER BY user_id, until DESC
), broken AS (
    SELECT verdict.user_id, min(verdict.last_day) AS alive_until
    FROM verdict JOIN latest ON latest.user_id = verdict.user_id AND verdict.period > latest.until
    WHERE NOT verdict.is_kept GROUP BY verdict.user_id
), total AS (
    SELECT user_id, count(*) FILTER (WHERE kind <> 'leave') AS attended,
        count(*) FILTER (WHERE kind = 'made_up') AS made_up, count(*) FILTER (WHERE kind = 'leave') AS leave_taken,
        max(day) FILTER (WHERE kind <> 'leave') AS last_day
    FROM check_in_days WHERE camp_id = :camp_id GROUP BY user_id
), derived AS (
    SELECT member.user_id, coalesce(latest.steps, 0) AS run, broken.alive_until,
        CASE WHEN broken.alive_until < :today THEN 0 ELSE coalesce(latest.steps, 0) END AS streak,
        coalesce(latest.longest, 0) AS longest, coalesce(total.attended, 0) AS total,
        coalesce(total.made_up, 0) AS made_up, coalesce(total.leave_taken, 0) AS leave_taken, total.last_day
    FROM camp_members AS member
    LEFT JOIN latest USING (user_id) LEFT JOIN broken USING (user_id) LEFT JOIN total USING (user_id)
    WHERE member.camp_id = :camp_id
)
"""

_FIGURES = ("run", "alive_until", "streak", "longest", "total", "made_up", "leave_taken", "last_day")
_CACHED = ", ".join(f"standing.{name}" for name in _FIGURES)
_FRESH = ", ".join(f"derived.{name}" for name in _FIGURES)

# Standings that are missing are made, those that differ are changed, all others are left alone.
_REBUILD = text(
    f"""{DERIVED}
INSERT INTO camp_standings AS standing (camp_id, user_id, ranked, {", ".join(_FIGURES)})
SELECT :camp_id, user_id, member.left_at IS NULL, {_FRESH}
FROM derived JOIN camp_members AS member USING (user_id) WHERE member.camp_id = :camp_id
ON CONFLICT (camp_id, user_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _FIGURES)}
WHERE ({_CACHED}) IS DISTINCT FROM ({_CACHED.replace("standing.", "excluded.")})
RETURNING user_id
"""  # noqa: S608 - our own words
)

_WRONG = text(
    f"""{DERIVED}
SELECT count(*) FROM derived LEFT JOIN camp_standings AS standing
    ON standing.camp_id = :camp_id AND standing.user_id = derived.user_id
WHERE standing.user_id IS NULL OR ({_CACHED.replace("standing.streak, ", "")})
    IS DISTINCT FROM ({_FRESH.replace("derived.streak, ", "")})
    OR (standing.streak <> derived.streak AND standing.streak <> derived.run)
"""  # noqa: S608 - our own words
)


def rebuild_camp(uow: UnitOfWork, camp_id: UUID, *, today: date) -> int:
    """Derive every member's figures anew from the day rows; return how many were not as they should be."""
    uow.session.flush()
    times = uow.session.scalar(select(Camp.times).where(Camp.id == camp_id))
    changed = uow.session.execute(_REBUILD, {"camp_id": camp_id, "times": times, "today": today})
    return len(changed.all())


def rebuild_camps(uow: UnitOfWork, camp_ids: Sequence[UUID] | None = None) -> int:
    """Rebuild some camps, or all; return how many members' figures were not as they should be."""
    chosen = select(Camp).order_by(Camp.id)
    if camp_ids is not None:
        chosen = chosen.where(Camp.id.in_(camp_ids))
    return sum(rebuild_camp(uow, camp.id, today=camp.hours.today(uow.now)) for camp in uow.session.scalars(chosen))


def wrong_figures(uow: UnitOfWork, *, camps: int) -> tuple[int, int]:
    """Compare what is cached with what day rows say, in the latest camps; return how many differ, of how many camps.

    A streak that broke since the last sweep is not wrong: readers see that it has.
    """
    latest = uow.session.scalars(select(Camp).order_by(Camp.id.desc()).limit(camps)).all()
    wrong = sum(_count_wrong(uow, camp, uow.now) for camp in latest)
    return wrong, len(latest)


def _count_wrong(uow: UnitOfWork, camp: Camp, now: datetime) -> int:
    told = {"camp_id": camp.id, "times": camp.times, "today": camp.hours.today(now)}
    return uow.session.scalar(_WRONG, told) or 0
