"""What people are told about renewals. Keys name the day or the invoice, so nobody is told twice."""

from circle.billing import events
from circle.kernel.money import Money
from circle.kernel.uow import UnitOfWork
from circle.notifications.kinds import Kind
from circle.notifications.services.sending import Telling, notify, notify_each


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


def on_renewal_unpaid(uow: UnitOfWork, happened: events.RenewalUnpaid) -> None:
    notify(
        uow,
        happened.user_id,
        Kind.MEMBERSHIP_EXPIRING if happened.day < 0 else Kind.RENEWAL_OVERDUE,
        key=f"invoice:{happened.invoice_id}:reminder:{happened.day}",
        circle_id=happened.circle_id,
        subject=("invoice", happened.invoice_id),
        amount=str(Money(happened.amount, happened.currency)),
        on=happened.on.isoformat(),
    )


def on_renewal_failed(uow: UnitOfWork, happened: events.RenewalFailed) -> None:
    """Once an invoice for a charge that is tried again, once for one that is not."""
    notify(
        uow,
        happened.user_id,
        Kind.RENEWAL_FAILED if happened.again else Kind.PAYMENT_METHOD_FAILED,
        key=f"invoice:{happened.invoice_id}:failed:{'again' if happened.again else 'for_good'}",
        circle_id=happened.circle_id,
        subject=("invoice", happened.invoice_id),
        amount=str(Money(happened.amount, happened.currency)),
        code=happened.code,
    )


def on_grace_ending(uow: UnitOfWork, happened: events.GraceEnding) -> None:
    notify(
        uow,
        happened.user_id,
        Kind.GRACE_ENDING,
        key=f"invoice:{happened.invoice_id}:grace",
        circle_id=happened.circle_id,
        subject=("invoice", happened.invoice_id),
        on=happened.on.isoformat(),
    )


def on_subscription_ended(uow: UnitOfWork, happened: events.SubscriptionEnded) -> None:
    notify(
        uow,
        happened.user_id,
        Kind.SUBSCRIPTION_ENDED,
        key=f"subscription:{happened.subscription_id}:ended:{uow.now:%Y-%m-%d}",
        circle_id=happened.circle_id,
        subject=("subscription", happened.subscription_id),
    )
