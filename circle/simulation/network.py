"""The sandbox behind a bad network, whose luck is each payer's own.

The sandbox's own faults are drawn in the order of its calls. Here each call is drawn by who pays and how many calls
there were for them, so that the same seed tells the same story whatever the database reads first.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from uuid import UUID

import orjson
from sqlalchemy import bindparam, select

from circle.billing.models import Invoice, PaymentAttempt, Refund
from circle.billing.providers.base import UNKNOWN, Order, Outcome, PayoutOrder, RefundOrder
from circle.billing.providers.sandbox import Delivery, Sandbox
from circle.kernel.clock import Clock
from circle.kernel.db import Query
from circle.kernel.uow import Connections
from circle.simulation.luck import Luck

# Of 100 calls so many are lost on their way, so many answers on theirs, and so many are answered by a server's error,
# half of them after it has acted.
FAULTS: Mapping[str, int] = {"lost_request": 5, "lost_answer": 5, "server_error": 5}
# Of 100 webhooks so many never come, come twice, come late.
POST: Mapping[str, int] = {"drop": 10, "double": 10, "delay": 20}
LATEST = timedelta(hours=30)

_PAYER = Query(
    lambda: (
        select(Invoice.payer_id)
        .join(PaymentAttempt, PaymentAttempt.invoice_id == Invoice.id)
        .where(PaymentAttempt.number == bindparam("number"))
        .union_all(
            select(Invoice.payer_id)
            .join(Refund, Refund.invoice_id == Invoice.id)
            .where(Refund.number == bindparam("number"))
        )
    )
)


class DistantSandbox(Sandbox):
    """A sandbox that is reached over a network that loses, and whose post is late, twice or lost."""

    def __init__(
        self,
        connections: Connections,
        clock: Clock,
        *,
        secret_key: str,
        luck: Luck,
        name_of: Callable[[UUID], object],
    ) -> None:
        super().__init__(connections, clock, secret_key=secret_key)
        self.happened: Counter[str] = Counter()
        self._luck = luck
        self._name_of = name_of
        self._payers: dict[str, object] = {}
        self._drawn: Counter[tuple[object, str]] = Counter()
        self._held: dict[UUID, datetime] = {}

    def start(self, order: Order) -> Outcome:
        return self._over(order.number, partial(super().start, order))

    def charge(self, order: Order) -> Outcome:
        return self._over(order.number, partial(super().charge, order))

    def query(self, number: str, _reference: str | None = None) -> Outcome:
        return self._over(number, partial(super().query, number))

    def close(self, number: str, _reference: str | None = None) -> Outcome:
        return self._over(number, partial(super().close, number))

    def refund(self, order: RefundOrder) -> Outcome:
        return self._over(order.number, partial(super().refund, order))

    def query_refund(self, number: str, _reference: str | None = None) -> Outcome:
        return self._over(number, partial(super().query_refund, number))

    def payout(self, order: PayoutOrder) -> Outcome:
        return self._over(order.number, partial(super().payout, order))

    def query_payout(self, number: str, _reference: str | None = None, /) -> Outcome:
        return self._over(number, partial(super().query_payout, number))

    def waiting_webhooks(self, limit: int = 10_000) -> list[Delivery]:
        """Return what the post brings now, in any order."""
        brought: list[tuple[float, Delivery]] = []
        for letter in super().waiting_webhooks(limit):
            dice = self._dice(self._payer(orjson.loads(letter.body)["number"]), "letter")
            copies = self._copies(letter, dice)
            brought.extend((dice.random(), letter) for _ in range(copies))
        return [letter for _, letter in sorted(brought, key=itemgetter(0))]

    def _copies(self, letter: Delivery, dice: random.Random) -> int:
        """Return how often a webhook comes now: once, twice, never, or later."""
        until = self._held.get(letter.event_id)
        if until is not None:
            return int(self._clock.now() >= until)
        fate = _fate(dice.randrange(100), POST)
        self._held[letter.event_id] = self._clock.now() + (dice.random() * LATEST if fate == "delay" else timedelta())
        self.happened["webhooks"] += 1
        if fate is not None:
            self.happened[f"webhooks: {fate}"] += 1
        if fate == "drop":
            self.mark_delivered([letter.event_id])
        return {"drop": 0, "delay": 0, "double": 2}.get(fate or "", 1)

    def _over(self, number: str, act: Callable[[], Outcome]) -> Outcome:
        """Carry a call and its answer over the network."""
        dice = self._dice(self._payer(number), "call")
        fault = _fate(dice.randrange(100), FAULTS)
        self.happened["calls"] += 1
        if fault is None:
            return act()
        self.happened[f"calls: {fault}"] += 1
        if fault == "lost_answer" or (fault == "server_error" and dice.random() < 0.5):  # noqa: PLR2004 - half of them
            act()
        return UNKNOWN

    def _dice(self, whose: object, what: str) -> random.Random:
        self._drawn[whose, what] += 1
        return self._luck.of(whose, what, self._drawn[whose, what])

    def _payer(self, number: str) -> object:
        """Return who a charge or refund is for, by a name that the next run has, too; payouts are the creator's."""
        if number not in self._payers:
            with self._connections.reader() as connection:
                rows = _PAYER.run(connection, {"number": number})
            self._payers[number] = self._name_of(rows[0]["payer_id"]) if rows else "creator"
        return self._payers[number]


def _fate(drawn: int, percentages: Mapping[str, int]) -> str | None:
    """Return what a number below 100 stands for; None: nothing."""
    for name, percent in percentages.items():
        drawn -= percent
        if drawn < 0:
            return name
    return None
