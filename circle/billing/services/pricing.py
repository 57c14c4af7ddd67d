"""What a period costs one subscriber: the price in its phase, less what a coupon takes off.

The statement of `circle.billing.renewal_sql` reckons the same for a batch.
"""

from circle.billing.models import Subscription
from circle.billing.services.coupons import discount_of
from circle.circles.models import Price
from circle.kernel.money import share
from circle.kernel.uow import UnitOfWork

_PERCENT = 100


def renewal_amount(uow: UnitOfWork, subscription: Subscription, price: Price, period_no: int, *, percent: int) -> int:
    """Return what a renewal costs in a phase of so many per cent, in minor units."""
    amount = share(price.amount, percent, _PERCENT)
    discount = discount_of(uow, subscription.id)
    return amount - (discount.off(price.id, period_no, amount) if discount else 0)
