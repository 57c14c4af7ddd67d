"""Who is told of homework: what is due, what was said about it, what fellow members wait for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from circle.circles.models import Circle
from circle.homework import events
from circle.kernel.uow import UnitOfWork
from circle.notifications.kinds import Kind
from circle.notifications.services.sending import Telling, notify, notify_each


def on_due_soon(uow: UnitOfWork, soon: events.HomeworkDueSoon) -> None:
    due = _local(uow, soon.circle_id, soon.due_at)
    key = f"homework_due:{soon.assignment_id}:{soon.due_at.isoformat()}"
    _tell(uow, soon, soon.user_ids, Kind.HOMEWORK_DUE, key=key, due=due)


def on_overdue(uow: UnitOfWork, over: events.HomeworkOverdue) -> None:
    due = _local(uow, over.circle_id, over.due_at)
    key = f"homework_overdue:{over.assignment_id}:{over.due_at.isoformat()}"
    _tell(uow, over, over.user_ids, Kind.HOMEWORK_OVERDUE, key=key, due=due)


def on_nudged(uow: UnitOfWork, nudged: events.HomeworkNudged) -> None:
    due = _local(uow, nudged.circle_id, nudged.due_at) if nudged.due_at else "—"
    key = f"homework_nudge:{nudged.assignment_id}:{nudged.day}"
    _tell(uow, nudged, nudged.user_ids, Kind.HOMEWORK_DUE, key=key, due=due)


def on_work_reviewed(uow: UnitOfWork, reviewed: events.WorkReviewed) -> None:
    """A review that is changed later is not announced again."""
    _tell(uow, reviewed, [reviewed.user_id], Kind.HOMEWORK_REVIEWED, key=f"review:{reviewed.review_id}")


def on_scores_released(uow: UnitOfWork, released: events.ScoresReleased) -> None:
    _tell(uow, released, released.user_ids, Kind.HOMEWORK_REVIEWED, key=f"scores:{released.assignment_id}")


def on_extension_granted(uow: UnitOfWork, granted: events.ExtensionGranted) -> None:
    due = _local(uow, granted.circle_id, granted.due_at)
    key = f"extension:{granted.extension_id}"
    _tell(uow, granted, [granted.user_id], Kind.HOMEWORK_EXTENDED, key=key, due=due)


def on_peer_reviews_asked(uow: UnitOfWork, happened: events.PeerReviewsAsked) -> None:
    """Many at once: the next arrival waits meanwhile."""
    subject, circle_id = ("assignment", happened.assignment_id), happened.circle_id
    data = {"title": happened.title, "due": _local(uow, circle_id, happened.due_at)}
    tellings = (Telling(who, f"peer_task:{task_id}", circle_id, subject, data) for who, task_id in happened.asked)
    notify_each(uow, Kind.PEER_REVIEW_ASKED, tellings)


def on_peer_review_due_soon(uow: UnitOfWork, soon: events.PeerReviewDueSoon) -> None:
    due = _local(uow, soon.circle_id, soon.due_at)
    _tell(uow, soon, [soon.reviewer_id], Kind.PEER_REVIEW_DUE, key=f"peer_task_due:{soon.task_id}", due=due)


def on_peer_reviews_missed(uow: UnitOfWork, missed: events.PeerReviewsMissed) -> None:
    """A later version of the same work may lack its reviews once more."""
    key, count = f"peer_missed:{min(missed.work_ids)}:{uow.now.isoformat()}", len(missed.work_ids)
    _tell(uow, missed, [missed.teacher_id], Kind.PEER_REVIEWS_MISSED, key=key, count=count)


def _tell(uow: UnitOfWork, happened: Any, to: Sequence[UUID], kind: Kind, *, key: str, **data: str | int) -> None:
    subject = ("assignment", happened.assignment_id)
    notify(uow, to, kind, key=key, circle_id=happened.circle_id, subject=subject, title=happened.title, **data)


def _local(uow: UnitOfWork, circle_id: UUID, moment: datetime) -> str:
    """Return an instant as the circle's clock shows it."""
    zone = uow.session.scalars(select(Circle.timezone).where(Circle.id == circle_id)).one()
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")
