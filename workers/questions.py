"""Gives money back for questions that nobody answered in time."""

from circle.kernel.isolation import isolated
from circle.kernel.uow import Units
from circle.posts.services import questions
from workers.runtime import job


@job
def refund_overdue(units: Units) -> int:
    """Refund overdue questions, each in its own transaction; what can't be refunded is logged and tried again."""
    with units.read() as uow:
        overdue = questions.overdue(uow)
    refunded = 0
    for post_id in overdue:
        with isolated("question_refund", post_id=str(post_id)), units.write() as uow:
            refunded += questions.refund_unanswered(uow, post_id)
    return refunded
