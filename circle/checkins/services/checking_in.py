"""Checking in: the first entry of a day makes its day row, every later one edits the entry and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import delete, select

from circle.checkins.entry_models import MOST_VERSIONS, CheckIn, CheckInVersion
from circle.checkins.errors import NoCardsLeft, NotACampDay
from circle.checkins.events import CheckedIn
from circle.checkins.figures import DayKind, Figures
from circle.checkins.models import CampDay, CheckInDay
from circle.checkins.requirement import require_fit
from circle.checkins.services.completing import complete
from circle.checkins.services.desk import Desk, Placed, admitted_desk, find_day, place, require_desk
from circle.checkins.services.recording import figures_with, keep_day, record_entry
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.media import queries as media
from circle.media.models import Purpose
from circle.media.services.attachments import attach


@dataclass(frozen=True, slots=True)
class Written:
    """What a client sends; `attachments` None leaves those of an entry that is edited."""

    body: str
    number: Decimal | None = None
    attachments: Sequence[UUID] | None = None
    on_feed: bool | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a check-in: `placed` for the first of its day, None for an edit."""

    desk: Desk
    check_in_id: UUID
    figures: Figures
    written: Written
    placed: Placed | None = None
    on_feed: bool = True


def check_in(
    uow: UnitOfWork,
    caller: Caller,
    camp_id: UUID,
    *,
    day: date | None = None,
    made_at: datetime | None = None,
    body: str,
    number: Decimal | None = None,
    attachments: Sequence[UUID] | None = None,
    on_feed: bool | None = None,
) -> Taken:
    """Do a camp day: today, with `made_at` a day that was written offline, with a `day` in the past by a make-up card.

    Errors: those of `require_desk`, `find_day` and `place`; NotACampDay, NoCardsLeft, Invalid.
    """
    written = Written(body, number, attachments, on_feed)
    _require_length(uow, body)
    desk = _next_in_row(uow, caller, camp_id, day, made_at) or require_desk(uow, caller, camp_id)
    about = find_day(desk, day=day, made_at=made_at)
    entry = _find_entry(uow, desk, about)
    if entry is not None:
        return _edit(uow, caller, desk, entry, written, made_at=made_at)
    placed = place(desk, about, made_at=made_at)
    _require_planned(uow, desk, placed.day)
    if placed.kind == DayKind.MADE_UP and desk.figures.made_up >= desk.row["makeup_cards"]:
        raise NoCardsLeft
    return _write(uow, caller, desk, placed, written)


def _next_in_row(
    uow: UnitOfWork, caller: Caller, camp_id: UUID, day: date | None, made_at: datetime | None
) -> Desk | None:
    """Return the desk as the gate read it where the entry is for a day after all that the member has done."""
    desk = admitted_desk(uow, caller, camp_id)
    if desk is None:
        return None
    last = desk.figures.last_day
    return desk if last is None or find_day(desk, day=day, made_at=made_at) > last else None


def _write(uow: UnitOfWork, caller: Caller, desk: Desk, placed: Placed, written: Written) -> Taken:
    check_in_id = new_id()
    kinds = _attach(uow, caller, desk.circle_id, check_in_id, written.attachments or ())
    require_fit(desk.row["requirement"], body=written.body, number=written.number, kinds=kinds)
    figures, on_feed = figures_with(uow, desk, placed), _shown(desk, written.on_feed)
    record_entry(
        uow,
        desk,
        placed,
        figures,
        check_in_id=check_in_id,
        body=written.body,
        number=written.number,
        attached=len(kinds),
        on_feed=on_feed,
    )
    if desk.row["completed_at"] is None and desk.completes(figures):
        complete(uow, desk.camp_id, desk.user_id)
    uow.emit(CheckedIn(desk.camp_id, desk.circle_id, desk.title, desk.user_id, check_in_id, placed.day, on_feed))
    return Taken(desk, check_in_id, figures, written, placed, on_feed)


def _shown(desk: Desk, on_feed: bool | None) -> bool:  # noqa: FBT001 - None: as the camp has it
    wanted = desk.row["on_feed"] if on_feed is None else on_feed
    return bool(wanted and desk.speaks)


def _edit(
    uow: UnitOfWork, caller: Caller, desk: Desk, entry: CheckIn, written: Written, *, made_at: datetime | None
) -> Taken:
    before = media.attachments(uow, [entry.id]).get(entry.id, []) if entry.attached else []
    kinds = [str(card["kind"]) for card in before]
    if written.attachments is not None:
        kinds = _attach(uow, caller, desk.circle_id, entry.id, written.attachments)
    require_fit(desk.row["requirement"], body=written.body, number=written.number, kinds=kinds)
    uow.session.add(
        CheckInVersion(
            check_in_id=entry.id,
            version=entry.version,
            body=entry.body,
            number=entry.number,
            attachments=[UUID(card["id"]) for card in before],
            written_at=entry.edited_at or entry.created_at,
        )
    )
    if entry.version >= MOST_VERSIONS:
        past = (CheckInVersion.check_in_id == entry.id, CheckInVersion.version <= entry.version - MOST_VERSIONS)
        uow.session.execute(delete(CheckInVersion).where(*past).execution_options(synchronize_session=False))
    entry.body, entry.number, entry.attached = written.body, written.number, len(kinds)
    entry.edited_at = uow.now
    entry.version += 1
    if written.on_feed is not None or not desk.speaks:
        entry.on_feed = _shown(desk, written.on_feed)
    if entry.removed_at is not None:
        # Written again; what a moderator took down is for teachers to see from now on.
        entry.on_feed = entry.on_feed and entry.removed_by == desk.user_id
        entry.removed_at, entry.removed_by = None, None
    uow.session.flush()
    figures = desk.figures if made_at is None else _do_made_up_day(uow, desk, entry.day, made_at)
    return Taken(desk, entry.id, figures, written)


def _do_made_up_day(uow: UnitOfWork, desk: Desk, day: date, made_at: datetime) -> Figures:
    """Give a card back where what was written on the day itself arrives after the day was made up."""
    kind = uow.session.scalar(
        select(CheckInDay.kind).where(
            CheckInDay.camp_id == desk.camp_id, CheckInDay.user_id == desk.user_id, CheckInDay.day == day
        )
    )
    if kind != DayKind.MADE_UP:
        return desk.figures
    placed = place(desk, day, made_at=made_at)
    figures = figures_with(uow, desk, placed)
    keep_day(uow, desk, placed, figures)
    if desk.row["completed_at"] is None and desk.completes(figures):
        complete(uow, desk.camp_id, desk.user_id)
    return figures


def _attach(uow: UnitOfWork, caller: Caller, circle_id: UUID, check_in_id: UUID, wanted: Sequence[UUID]) -> list[str]:
    """Attach objects to an entry; return their kinds. Errors: Invalid."""
    if not wanted:
        return []
    attached = attach(uow, caller, wanted, purpose=Purpose.CHECK_IN, to=check_in_id, circle_id=circle_id)
    return [one.kind for one in attached]


def _find_entry(uow: UnitOfWork, desk: Desk, day: date) -> CheckIn | None:
    last = desk.figures.last_day
    if last is None or day > last:
        return None
    found = select(CheckIn).where(CheckIn.camp_id == desk.camp_id, CheckIn.user_id == desk.user_id, CheckIn.day == day)
    return uow.session.scalar(found)


def _require_planned(uow: UnitOfWork, desk: Desk, day: date) -> None:
    if day in desk.planned:
        return
    planned = select(CampDay.day).where(CampDay.camp_id == desk.camp_id, CampDay.day == day)
    if uow.session.scalar(planned) is None:
        raise NotACampDay(day=day.isoformat())


def _require_length(uow: UnitOfWork, body: str) -> None:
    most = uow.use(Settings).talk_max_length
    if len(body) > most:
        raise Invalid.field("body", "too_long", f"长度不能超过 {most}。", f"Longer than maximum length {most}.")
