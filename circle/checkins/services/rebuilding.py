"""Deriving figures from day rows for whole camps, in SQL: to rebuild what is cached, and to see that it is equal.

The rules are those of `figures.py`; tests hold both, and a third way of counting, to the same on random histories.
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text

from circle.checkins.models import Camp
from circle.checkins.services.completing import complete_due
from circle.kernel.uow import UnitOfWork, Units

# Member by member, by index ranges: no join of large sets, whose plan could go wrong on stale statistics. Steps (a day,
# or a week of `times` days) of a member's own term → which were kept → islands of kept and of missed ones.
DERIVED = """
WITH derived AS (
    SELECT member.user_id, streaks.run, streaks.alive_until, streaks.longest, total.*,
        CASE WHEN streaks.alive_until < :today THEN 0 ELSE streaks.run END AS streak,
        member.left_at IS NULL AND EXISTS (
            SELECT FROM memberships JOIN users ON users.id = memberships.user_id AND users.deleted_at IS NULL
            WHERE circle_id = camp.circle_id AND user_id = member.user_id AND status = 'active'
        ) AS ranked
    FROM camp_members AS member
    JOIN camps AS camp ON camp.id = member.camp_id
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE kind <> 'leave') AS total, count(*) FILTER (WHERE kind = 'made_up') AS made_up,
            count(*) FILTER (WHERE kind = 'leave') AS leave_taken, max(day) FILTER (WHERE kind <> 'leave') AS last_day
        FROM check_in_days WHERE camp_id = member.camp_id AND user_id = member.user_id
    ) AS total
    CROSS JOIN LATERAL (
        SELECT coalesce((array_agg(steps ORDER BY until DESC) FILTER (WHERE is_kept))[1], 0) AS run,
            CASE WHEN bool_or(is_kept) AND NOT (array_agg(is_kept ORDER BY until DESC))[1]
                THEN (array_agg(first_over ORDER BY until DESC))[1] END AS alive_until,
            coalesce(max(steps) FILTER (WHERE is_kept), 0) AS longest
        FROM (
            SELECT is_kept, count(*) AS steps, max(period) AS until, min(last_day) AS first_over
            FROM (
                SELECT period, last_day, is_kept,
                    row_number() OVER (ORDER BY period)
                    - row_number() OVER (PARTITION BY is_kept ORDER BY period) AS nth
                FROM (
                    SELECT period, last_day, attended >= greatest(needed, 1) AS is_kept
                    FROM (
                        SELECT planned.period, max(planned.day) AS last_day,
                            count(*) FILTER (WHERE kept.kind <> 'leave') AS attended,
                            greatest(0, least(coalesce(CAST(:times AS bigint), count(*)), count(*))
                                - count(*) FILTER (WHERE kept.kind = 'leave')) AS needed
                        FROM camp_days AS planned
                        LEFT JOIN check_in_days AS kept ON kept.camp_id = planned.camp_id
                            AND kept.user_id = member.user_id AND kept.day = planned.day
                        WHERE planned.camp_id = member.camp_id
                        AND planned.day BETWEEN member.starts_on AND member.ends_on
                        GROUP BY planned.period
                    ) AS step
                    WHERE needed > 0 OR attended > 0
                ) AS verdict
            ) AS numbered
            GROUP BY is_kept, nth
        ) AS island
    ) AS streaks
    WHERE member.camp_id = :camp_id
)
"""

_FIGURES = ("run", "alive_until", "streak", "longest", "total", "made_up", "leave_taken", "last_day", "ranked")
_CACHED = ", ".join(f"standing.{name}" for name in _FIGURES)
_FRESH = ", ".join(f"derived.{name}" for name in _FIGURES)

# Whoever checks in meanwhile waits, so that what is derived is not older than what it replaces.
_HOLD = text("SELECT FROM camp_standings WHERE camp_id = :camp_id ORDER BY user_id FOR NO KEY UPDATE")

# Standings that are missing are made, those that differ are changed, all others are left alone.
_REBUILD = text(
    f"""{DERIVED}
INSERT INTO camp_standings AS standing (camp_id, user_id, {", ".join(_FIGURES)})
SELECT :camp_id, user_id, {_FRESH} FROM derived
ON CONFLICT (camp_id, user_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _FIGURES)}
WHERE ({_CACHED}) IS DISTINCT FROM ({_CACHED.replace("standing.", "excluded.")})
RETURNING user_id
"""  # noqa: S608 - our own words
)

_COMPLETED = text("""
UPDATE camp_standings AS standing SET completed_at = certificate.issued_at FROM certificates AS certificate
WHERE standing.camp_id = :camp_id AND standing.completed_at IS NULL
AND certificate.camp_id = standing.camp_id AND certificate.user_id = standing.user_id
RETURNING standing.user_id
""")

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
    uow.session.execute(_HOLD, {"camp_id": camp_id})
    times = uow.session.scalar(select(Camp.times).where(Camp.id == camp_id))
    changed = uow.session.execute(_REBUILD, {"camp_id": camp_id, "times": times, "today": today})
    return len(changed.all())


def rebuild_camps(units: Units, camp_ids: Sequence[UUID] = ()) -> int:
    """Rebuild some camps, or all, one at a time: figures, rankings, completion. Return how many figures were wrong."""
    with units.read() as uow:
        chosen = select(Camp.id).order_by(Camp.id)
        found = uow.session.scalars(chosen.where(Camp.id.in_(camp_ids)) if camp_ids else chosen).all()
    changed = 0
    for camp_id in found:
        with units.write() as uow:
            changed += _rebuild_wholly(uow, camp_id)
    return changed


def _rebuild_wholly(uow: UnitOfWork, camp_id: UUID) -> int:
    # A command: the wall against runaway queries of requests is not for it.
    uow.session.execute(text("SET LOCAL statement_timeout = 0"))
    camp = uow.session.get_one(Camp, camp_id)
    changed = rebuild_camp(uow, camp_id, today=camp.hours.today(uow.now))
    uow.session.execute(_COMPLETED, {"camp_id": camp_id})
    complete_due(uow, camp_id)
    return changed


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
