"""What whoever asked for a withdrawal is told of its end."""

from circle.billing import events
from circle.billing.states import PayoutStatus
from circle.kernel.money import Money
from circle.kernel.uow import UnitOfWork
from circle.notifications.kinds import Kind
from circle.notifications.services.sending import notify

_KINDS = {PayoutStatus.SUCCEEDED: Kind.PAYOUT_SENT, PayoutStatus.FAILED: Kind.PAYOUT_FAILED}


def on_payout_settled(uow: UnitOfWork, happened: events.PayoutSettled) -> None:
    notify(
        uow,
        happened.user_id,
        _KINDS[PayoutStatus(happened.status)],
        key=f"payout:{happened.payout_id}",
        circle_id=happened.circle_id,
        subject=("payout", happened.payout_id),
        amount=str(Money(happened.amount, happened.currency)),
    )
