"""Writing what a check-in changes: entry, day row and figures in one statement.

The figures go first, and only from what they were derived from: where somebody else changed them meanwhile, the
database refuses the whole statement (`ck_camp_standings_total`), and nothing of it is written.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Date,
    DateTime,
    Integer,
    Numeric,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from circle.checkins.entry_models import CheckIn
from circle.checkins.figures import DayKind, Figures, derive, extend, may_extend
from circle.checkins.models import CampDay, CheckInDay, Standing
from circle.checkins.schedule import PlannedDay
from circle.checkins.services.desk import FIGURES, Desk, Placed
from circle.kernel.db import Query
from circle.kernel.uow import UnitOfWork

_INSTANT = DateTime(timezone=True)
# Figures by the parameter that says what each was.
_OLD = {f"old_{one.key}": one for one in FIGURES}


def _new(name: str, kind: Any) -> Any:
    return bindparam(f"new_{name}", type_=kind)


def _keep_figures() -> Any:
    unchanged = and_(*(one.is_not_distinct_from(bindparam(name, type_=one.type)) for name, one in _OLD.items()))
    return (
        update(Standing)
        .where(Standing.camp_id == _new("camp_id", Uuid()), Standing.user_id == _new("user_id", Uuid()))
        .values(
            streak=_new("streak", Integer()),
            run=_new("run", Integer()),
            alive_until=_new("alive_until", Date()),
            longest=_new("longest", Integer()),
            total=case((unchanged, _new("total", Integer())), else_=literal_column("-1")),
            made_up=_new("made_up", Integer()),
            leave_taken=_new("leave_taken", Integer()),
            last_day=_new("last_day", Date()),
        )
        .returning(Standing.camp_id, Standing.user_id)
    )


def _keep_day(figures: Any) -> Any:
    """Insert a day row, or let the one that is there get better: leave, then made up, then done."""
    row = {
        "camp_id": figures.c.camp_id,
        "user_id": figures.c.user_id,
        "day": _new("day", Date()),
        "kind": _new("kind", Text()),
        "late": _new("late", Boolean()),
        "recorded_at": _new("now", _INSTANT),
    }
    fresh = insert(CheckInDay).from_select([*row], select(*row.values()), include_defaults=False)
    better = {name: fresh.excluded[name] for name in ("kind", "late", "recorded_at")}
    return fresh.on_conflict_do_update(index_elements=["camp_id", "user_id", "day"], set_=better)


def _add_entry(figures: Any) -> Any:
    row = {
        "id": _new("id", Uuid()),
        "camp_id": figures.c.camp_id,
        "user_id": figures.c.user_id,
        "day": _new("day", Date()),
        "body": _new("body", Text()),
        "number": _new("number", Numeric(12, 3)),
        "attached": _new("attached", Integer()),
        "level": _new("level", Integer()),
        "on_feed": _new("on_feed", Boolean()),
        "made_at": _new("made_at", _INSTANT),
        "created_at": _new("now", _INSTANT),
        "version": literal_column("1"),
        "like_count": literal_column("0"),
        "comment_count": literal_column("0"),
    }
    return insert(CheckIn).from_select([*row], select(*row.values()), include_defaults=False)


def _record() -> Any:
    figures = _keep_figures().cte("figures")
    return _add_entry(figures).add_cte(_keep_day(figures).cte("kept"))


_RECORD = Query(_record)
_KEEP_DAY = Query(lambda: _keep_day(_keep_figures().cte("figures")))
_KEEP_FIGURES = Query(_keep_figures)


def record_entry(
    uow: UnitOfWork,
    desk: Desk,
    placed: Placed,
    figures: Figures,
    *,
    check_in_id: UUID,
    body: str,
    number: Decimal | None,
    attached: int,
    on_feed: bool,
) -> None:
    """Write a day's first entry, its day row and the figures that follow from it."""
    uow.execute(
        _RECORD,
        **_day(desk, placed),
        **_figures(desk, figures),
        new_id=check_in_id,
        new_body=body,
        new_number=number,
        new_attached=attached,
        new_level=figures.total if desk.row["levels"] else None,
        new_on_feed=on_feed,
        new_made_at=placed.made_at,
    )


def keep_day(uow: UnitOfWork, desk: Desk, placed: Placed, figures: Figures) -> None:
    """Write a day row without an entry, and the figures that follow from it."""
    uow.execute(_KEEP_DAY, **_day(desk, placed), **_figures(desk, figures))


def _day(desk: Desk, placed: Placed) -> dict[str, Any]:
    return {
        "new_camp_id": desk.camp_id,
        "new_user_id": desk.user_id,
        "new_day": placed.day,
        "new_kind": placed.kind.value,
        "new_late": placed.late,
        "new_now": desk.now,
    }


def _figures(desk: Desk, figures: Figures) -> dict[str, Any]:
    return {
        "new_streak": figures.streak(desk.today),
        "new_run": figures.run,
        "new_alive_until": figures.alive_until,
        "new_longest": figures.longest,
        "new_total": figures.total,
        "new_made_up": figures.made_up,
        "new_leave_taken": figures.leave_taken,
        "new_last_day": figures.last_day,
        **{name: desk.row[one.key] for name, one in _OLD.items()},
    }


def figures_with(uow: UnitOfWork, desk: Desk, placed: Placed) -> Figures:
    """Return the member's figures with one more day: at the end of the row from the last ones, else from all days."""
    today, following = (*desk.planned, None, None)[:2]
    if placed.day == today and placed.kind == DayKind.DONE and may_extend(desk.figures, desk.row["times"], placed.day):
        return extend(desk.figures, placed.day, following if following and desk.holds(following) else None)
    planned, kept = read_days(uow, desk)
    return derive(planned, desk.row["times"], {**kept, placed.day: placed.kind})


def figures_of(uow: UnitOfWork, desk: Desk) -> Figures:
    """Return the member's figures from all day rows, as they are now."""
    planned, kept = read_days(uow, desk)
    return derive(planned, desk.row["times"], kept)


def keep_figures(uow: UnitOfWork, desk: Desk, figures: Figures) -> None:
    fields = _figures(desk, figures)
    uow.execute(_KEEP_FIGURES, new_camp_id=desk.camp_id, new_user_id=desk.user_id, **fields)


def read_days(uow: UnitOfWork, desk: Desk) -> tuple[Sequence[PlannedDay], dict[date, DayKind]]:
    """Return the planned days of the member's term, and the rows they have."""
    term = CampDay.day.between(desk.row["term_starts_on"], desk.row["term_ends_on"])
    planned = select(CampDay.day, CampDay.period).where(CampDay.camp_id == desk.camp_id, term).order_by(CampDay.day)
    kept = select(CheckInDay.day, CheckInDay.kind).where(
        CheckInDay.camp_id == desk.camp_id, CheckInDay.user_id == desk.user_id
    )
    days = [PlannedDay(day, period) for day, period in uow.session.execute(planned)]
    return days, {day: DayKind(kind) for day, kind in uow.session.execute(kept)}
