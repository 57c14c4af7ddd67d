"""What the passing of time does to figures: streaks break when a day is over; ranks far down are counted.

Reading never waits for it: a streak that broke is told from `alive_until`, and rankings look whether the sweep of the
camp's day has been.
"""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import ColumnElement, select, text, update

from circle.checkins.models import Camp, Standing
from circle.kernel.uow import UnitOfWork

# A check-in of the last second of a day may commit after the day's first sweep: it is swept again for so long.
_SWEEP_AGAIN = timedelta(minutes=10)
# A term that ends today is still looked after for this long: make-ups and late uploads.
_AFTER_THE_END = timedelta(days=3)

# Ranked members by figure, for camps so large that counting all who are above somebody would cost.
_TALLY = text("""
WITH large AS (
    -- One more than so many are looked for, not all counted.
    SELECT camp_id FROM unnest(CAST(:camps AS uuid[])) AS camp (camp_id) WHERE EXISTS (
        SELECT FROM camp_standings AS standing WHERE standing.camp_id = camp.camp_id AND ranked OFFSET :least
    )
), counted AS (
    SELECT camp_id, 'streak' AS by, streak AS value, count(*) AS members
    FROM camp_standings JOIN large USING (camp_id) WHERE ranked GROUP BY camp_id, streak
    UNION ALL
    SELECT camp_id, 'total', total, count(*)
    FROM camp_standings JOIN large USING (camp_id) WHERE ranked GROUP BY camp_id, total
), emptied AS (
    UPDATE camp_tallies AS tally SET members = 0
    WHERE tally.camp_id = ANY(:camps) AND tally.members > 0 AND NOT EXISTS (
        SELECT FROM counted
        WHERE counted.camp_id = tally.camp_id AND counted.by = tally.by AND counted.value = tally.value
    )
    RETURNING 1
), filled AS (
    INSERT INTO camp_tallies AS tally (camp_id, by, value, members) SELECT camp_id, by, value, members FROM counted
    ON CONFLICT (camp_id, by, value) DO UPDATE SET members = excluded.members
    WHERE tally.members <> excluded.members
    RETURNING 1
)
SELECT (SELECT count(*) FROM emptied) + (SELECT count(*) FROM filled)
""")
# Rankings count this many at most themselves, see `queries.ranking`.
TALLIED_FROM = 200


def running_camps(uow: UnitOfWork, *which: ColumnElement[bool]) -> Iterator[Camp]:
    """Yield the camps that somebody is or was in until a few days ago, and for which `which` holds."""
    running = select(Camp).where(*_running(uow), *which)
    yield from uow.session.scalars(running.order_by(Camp.planned_until, Camp.id))


def _running(uow: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    recent = (uow.now - _AFTER_THE_END).date()
    return Camp.planned_until >= recent, Camp.starts_on <= uow.now.date() + timedelta(days=1)


def sweep_streaks(uow: UnitOfWork) -> int:
    """Set streaks to 0 that broke when a camp's day ended; return how many."""
    broken = 0
    for camp in running_camps(uow):
        hours = camp.hours
        today = hours.today(uow.now)
        if camp.swept_at is not None and camp.swept_at >= hours.begins(today) + _SWEEP_AGAIN:
            continue
        ended = (Standing.camp_id == camp.id, Standing.streak > 0, Standing.alive_until < today)
        swept = uow.session.execute(update(Standing).where(*ended).values(streak=0).returning(Standing.user_id))
        broken += len(swept.all())
        uow.session.execute(
            update(Camp).where(Camp.id == camp.id).values(swept_at=uow.now).execution_options(synchronize_session=False)
        )
    return broken


def tally_ranks(uow: UnitOfWork) -> int:
    """Count figures of large camps anew; return how many counts changed."""
    camps = uow.session.scalars(select(Camp.id).where(*_running(uow))).all()
    return uow.session.scalar(_TALLY, {"camps": camps, "least": TALLIED_FROM}) or 0 if camps else 0
