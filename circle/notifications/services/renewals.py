"""What people are told about renewals. Keys name the day or the invoice, so nobody is told twice."""

from circle.billing import events
from circle.kernel.money import Money
from circle.kernel.uow import UnitOfWork
from circle.notifications.kinds import Kind
from circle.notifications.services.sending import Telling, notify_each


def on_renewals_announced(uow: UnitOfWork, happened: events.RenewalsAnnounced) -> None:
    notify_each(
        uow,
        Kind.RENEWAL_COMING,
        [
            Telling(
                one.user_id,
                circle_id=one.circle_id,
                key=f"renewal:{one.circle_id}:{one.on}",
                subject=("invoice", one.invoice_id),
                data={"amount": str(Money(one.amount, one.currency)), "on": one.on.isoformat()},
            )
            for one in happened.coming
        ],
    )


def on_renewals_unpaid(uow: UnitOfWork, happened: events.RenewalsUnpaid) -> None:
    for kind, is_ahead in ((Kind.MEMBERSHIP_EXPIRING, True), (Kind.RENEWAL_OVERDUE, False)):
        notify_each(
            uow,
            kind,
            [
                Telling(
                    one.user_id,
                    circle_id=one.circle_id,
                    key=f"invoice:{one.invoice_id}:reminder:{one.day}",
                    subject=("invoice", one.invoice_id),
                    data={"amount": str(Money(one.amount, one.currency)), "on": one.on.isoformat()},
                )
                for one in happened.unpaid
                if (one.day < 0) == is_ahead
            ],
        )


def on_renewals_failed(uow: UnitOfWork, happened: events.RenewalsFailed) -> None:
    """Once an invoice for a charge that is tried again, once for one that is not."""
    for kind, again in ((Kind.RENEWAL_FAILED, True), (Kind.PAYMENT_METHOD_FAILED, False)):
        notify_each(
            uow,
            kind,
            [
                Telling(
                    one.user_id,
                    circle_id=one.circle_id,
                    key=f"invoice:{one.invoice_id}:failed:{'again' if again else 'for_good'}",
                    subject=("invoice", one.invoice_id),
                    data={"amount": str(Money(one.amount, one.currency)), "code": one.code},
                )
                for one in happened.failed
                if one.again == again
            ],
        )


def on_grace_ending(uow: UnitOfWork, happened: events.GraceEnding) -> None:
    notify_each(
        uow,
        Kind.GRACE_ENDING,
        [
            Telling(
                one.user_id,
                circle_id=one.circle_id,
                key=f"invoice:{one.invoice_id}:grace",
                subject=("invoice", one.invoice_id),
                data={"on": one.on.isoformat()},
            )
            for one in happened.ending
        ],
    )


def on_subscriptions_ended(uow: UnitOfWork, happened: events.SubscriptionsEnded) -> None:
    notify_each(
        uow,
        Kind.SUBSCRIPTION_ENDED,
        [
            Telling(
                one.user_id,
                circle_id=one.circle_id,
                key=f"subscription:{one.subscription_id}:ended:{uow.now:%Y-%m-%d}",
                subject=("subscription", one.subscription_id),
            )
            for one in happened.ended
        ],
    )
