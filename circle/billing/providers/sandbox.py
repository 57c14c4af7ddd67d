"""The sandbox: a payment provider of our own, the default and the tests', with the manners of a real one.

It keeps books of its own, in transactions of its own, under the merchant's numbers; it loses requests and answers,
asks payers to confirm, takes its time, and tells of everything by signed webhooks that come late, twice or never.
What a payment method does is its name: see `sandbox_manners`.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from threading import Lock
from uuid import UUID

import orjson
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from circle.billing.errors import ForgedNotification, OldNotification, UnreadableNotification
from circle.billing.providers import sandbox_payouts
from circle.billing.providers.base import (
    UNKNOWN,
    Notification,
    Order,
    Outcome,
    OutcomeState,
    PayoutOrder,
    RefundOrder,
    SettlementLine,
)
from circle.billing.providers.sandbox_manners import METHODS, RETRY, Manners
from circle.billing.providers.sandbox_tables import (
    ARRIVE,
    SandboxCharge,
    SandboxEvent,
    SandboxPayout,
    SandboxRefund,
    columns_of,
)
from circle.kernel.clock import Clock
from circle.kernel.desk import Desk
from circle.kernel.ids import new_id
from circle.kernel.uow import Connections, forbid_inside_unit_of_work

# The person on the checkout's page, who is asked there.
PAGE_TOKEN = "page"  # noqa: S105 - a method, not a secret
SIGNATURE = "Sandbox-Signature"
# A notification older than this is refused: somebody may be replaying it.
TOLERANCE = timedelta(minutes=5)
_ENDED = frozenset({"succeeded", "failed"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook as it would be posted, signed now."""

    event_id: UUID
    headers: Mapping[str, str]
    body: bytes

    def __str__(self) -> str:
        return str(self.event_id)


class Sandbox:
    """The provider, and the buttons of its page."""

    name = "sandbox"
    account = "sandbox"

    def __init__(
        self, connections: Connections, clock: Clock, *, secret_key: str, manners: Manners | None = None
    ) -> None:
        self.manners = manners or Manners()
        self._connections = connections
        self._clock = clock
        # One transaction at a time in a process: calls of many threads need one connection among them, and what many
        # of them bring at once is written down in one.
        self._room = Lock()
        self._desk = Desk(self._write_down)
        self._webhook_key = hmac.new(secret_key.encode(), b"sandbox webhooks", hashlib.sha256).digest()

    def accepts(self, method: str) -> bool:
        return method in METHODS

    def start(self, order: Order) -> Outcome:
        return self._carry(lambda: self._charge(order))

    def charge(self, order: Order) -> Outcome:
        return self._carry(lambda: self._charge(order))

    def _charge(self, order: Order) -> Outcome:
        charge, answered = self._as_asked(order)
        forbid_inside_unit_of_work()
        if self._desk.hand_in(charge):
            return _outcome(charge) if answered else UNKNOWN
        with self._books() as books:
            row = books.get_one(SandboxCharge, order.number, with_for_update=True)
            _check_same(row, order)
            if row.state == "lost":
                self._move(books, row, "succeeded")
            self._ripen_charge(books, row)
            return _outcome(row)

    def _as_asked(self, order: Order) -> tuple[SandboxCharge, bool]:
        """Return what an order comes to at its first arrival, and whether its answer reaches us."""
        state, code, seconds, answered = METHODS.get(order.method, ("requires_action", None, 0, True))
        if state == "requires_action" and not order.on_session:
            state, code = "failed", "authentication_required"
        now = self._clock.now()
        charge = SandboxCharge(
            number=order.number,
            token=order.method,
            amount=order.amount,
            currency=order.currency,
            state=state,
            code=code,
            action_url=order.return_url if state == "requires_action" else None,
            settles_at=now + timedelta(seconds=seconds) if seconds else None,
            settled_at=now if state in _ENDED else None,
            created_at=now,
        )
        return charge, answered

    def _write_down(self, charges: Sequence[SandboxCharge]) -> list[bool]:
        """Enter charges that arrive for the first time, with their webhooks; tell which those were."""
        slips = {
            one.number: {**columns_of(one), "event_id": new_id(), "due_at": self._due_at(one.created_at)}
            for one in charges
        }
        with self._room:
            rows = self._connections.commit([(ARRIVE, {"slips": orjson.dumps(list(slips.values())).decode()})])
        # Of two slips with one number the later one is written.
        written = {one.number: one for one in charges}
        arrived = {row["number"] for row in rows}
        return [one.number in arrived and written[one.number] is one for one in charges]

    def query(self, number: str, _reference: str | None = None) -> Outcome:
        return self._carry(lambda: self._query(number))

    def _query(self, number: str) -> Outcome:
        with self._books() as books:
            row = self._find(books, number)
            return _outcome(row) if row else Outcome(OutcomeState.NOT_FOUND)

    def close(self, number: str, _reference: str | None = None) -> Outcome:
        return self._carry(lambda: self._close(number))

    def _close(self, number: str) -> Outcome:
        with self._books() as books:
            row = self._find(books, number)
            if row is None:
                return Outcome(OutcomeState.NOT_FOUND)
            if row.state == "requires_action":
                row.code = "closed"
                self._move(books, row, "failed")
            return _outcome(row)

    def decide(self, number: str, *, approve: bool) -> Outcome:
        """Press a button on the page: confirm or decline a charge that waits for its payer."""
        with self._books() as books:
            row = self._find(books, number)
            if row is None:
                return Outcome(OutcomeState.NOT_FOUND)
            if row.state == "requires_action":
                row.code = None if approve else "declined_by_payer"
                self._move(books, row, "succeeded" if approve else "failed")
            return _outcome(row)

    def refund(self, order: RefundOrder) -> Outcome:
        return self._carry(lambda: self._refund(order))

    def _refund(self, order: RefundOrder) -> Outcome:
        with self._books() as books:
            charge = books.get(SandboxCharge, order.charge_number, with_for_update=True)
            if charge is None or charge.state != "succeeded":
                return Outcome(OutcomeState.FAILED, code="no_such_charge")
            row = books.get(SandboxRefund, order.number, with_for_update=True)
            if row is not None:
                if row.state == "lost":
                    self._move(books, row, "succeeded")
                return _refund_outcome(row)
            given = sum(one.amount for one in _refunds_of(books, charge))
            if order.currency != charge.currency or given + order.amount > charge.amount:
                return Outcome(OutcomeState.FAILED, code="more_than_was_paid")
            return self._new_refund(books, charge, order)

    def _new_refund(self, books: Session, charge: SandboxCharge, order: RefundOrder) -> Outcome:
        """Refunds have the manners of the charge's method, but are never declined."""
        state, _, seconds, answered = METHODS.get(charge.token, METHODS["ok"])
        if state in {"requires_action", "failed"}:
            state = "succeeded"
        now = self._clock.now()
        row = SandboxRefund(
            number=order.number,
            charge_number=charge.number,
            amount=order.amount,
            currency=order.currency,
            state=state,
            settles_at=now + timedelta(seconds=seconds) if seconds else None,
            created_at=now,
        )
        books.add(row)
        self._move(books, row, state)
        return _refund_outcome(row) if answered else UNKNOWN

    def query_refund(self, number: str, _reference: str | None = None) -> Outcome:
        return self._carry(lambda: self._query_refund(number))

    def _query_refund(self, number: str) -> Outcome:
        with self._books() as books:
            row = books.get(SandboxRefund, number, with_for_update=True)
            if row is None or row.state == "lost":
                return Outcome(OutcomeState.NOT_FOUND)
            self._ripen_refund(books, row)
            return _refund_outcome(row)

    def accepts_payee(self, payee: str) -> bool:
        return payee in sandbox_payouts.PAYEES

    def payout(self, order: PayoutOrder) -> Outcome:
        return self._carry(lambda: self._payout(order))

    def _payout(self, order: PayoutOrder) -> Outcome:
        with self._books() as books:
            return sandbox_payouts.send(books, order, self._clock.now())

    def query_payout(self, number: str, _reference: str | None = None, /) -> Outcome:
        return self._carry(lambda: self._query_payout(number))

    def _query_payout(self, number: str) -> Outcome:
        with self._books() as books:
            return sandbox_payouts.look_up(books, number, self._clock.now())

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notification:
        stamp, _, signature = headers.get(SIGNATURE, "").partition(",v1=")
        moment = stamp.removeprefix("t=")
        if not hmac.compare_digest(self._sign(moment, body).encode(), signature.encode()):
            raise ForgedNotification
        if abs(now.timestamp() - int(moment)) > TOLERANCE.total_seconds():
            raise OldNotification
        try:
            event = orjson.loads(body)
            return Notification(event["id"], event["kind"], event["number"])
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise UnreadableNotification from error

    def settlement(self, day: date) -> Sequence[SettlementLine]:
        start = datetime.combine(day, time(), UTC)
        end = start + timedelta(days=1)
        with self._books() as books:
            charges = select(SandboxCharge).where(
                SandboxCharge.state == "succeeded", SandboxCharge.settled_at >= start, SandboxCharge.settled_at < end
            )
            refunds = select(SandboxRefund).where(
                SandboxRefund.state == "succeeded", SandboxRefund.settled_at >= start, SandboxRefund.settled_at < end
            )
            lines = [_line(row, "charge", row.amount) for row in books.scalars(charges)]
            lines += [_line(row, "refund", -row.amount) for row in books.scalars(refunds)]
            payouts = select(SandboxPayout).where(
                SandboxPayout.state == "succeeded", SandboxPayout.settled_at >= start, SandboxPayout.settled_at < end
            )
            lines += [_line(row, "payout", -row.amount) for row in books.scalars(payouts)]
        return sorted(lines, key=lambda line: (line.at, line.number))

    def ripen(self) -> None:
        """Let every pending charge, refund and payout whose time has come succeed."""
        now = self._clock.now()
        with self._books() as books:
            charges = select(SandboxCharge).where(SandboxCharge.state == "processing", SandboxCharge.settles_at <= now)
            for charge in books.scalars(charges.with_for_update(skip_locked=True)).all():
                self._ripen_charge(books, charge)
            refunds = select(SandboxRefund).where(SandboxRefund.state == "processing", SandboxRefund.settles_at <= now)
            for refund in books.scalars(refunds.with_for_update(skip_locked=True)).all():
                self._ripen_refund(books, refund)
            payouts = select(SandboxPayout).where(SandboxPayout.state == "processing", SandboxPayout.settles_at <= now)
            for payout in books.scalars(payouts.with_for_update(skip_locked=True)).all():
                sandbox_payouts.ripen(books, payout, now)

    def waiting_webhooks(self, limit: int = 50) -> list[Delivery]:
        """Return notifications to be delivered now, signed now, as the post brings them: late, twice, shuffled, not."""
        now = self._clock.now()
        due = or_(SandboxEvent.due_at.is_(None), SandboxEvent.due_at <= now)
        waiting = select(SandboxEvent).where(SandboxEvent.delivered_at.is_(None), due)
        with self._books() as books:
            letters = books.scalars(waiting.order_by(SandboxEvent.id).limit(limit)).all()
            brought, lost = self.manners.sort(list(letters))
            for event in lost:
                event.delivered_at = now
            return [self._sealed(event) for event in brought]

    def mark_delivered(self, event_ids: Sequence[UUID]) -> None:
        if not event_ids:
            return
        delivered = update(SandboxEvent).where(SandboxEvent.id.in_(event_ids))
        with self._books() as books:
            books.execute(delivered.values(delivered_at=self._clock.now()))

    def sealed(self, content: Mapping[str, str], at: datetime) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a notification signed at an instant."""
        body = orjson.dumps(content)
        moment = str(int(at.timestamp()))
        return {SIGNATURE: f"t={moment},v1={self._sign(moment, body)}", "Content-Type": "application/json"}, body

    def _sealed(self, event: SandboxEvent) -> Delivery:
        content = {"id": str(event.id), "kind": event.kind, "number": event.number}
        return Delivery(event.id, *self.sealed(content, self._clock.now()))

    def _sign(self, moment: str, body: bytes) -> str:
        return hmac.new(self._webhook_key, moment.encode() + b"." + body, hashlib.sha256).hexdigest()

    def _carry(self, act: Callable[[], Outcome]) -> Outcome:
        forbid_inside_unit_of_work()
        return self.manners.carry(act)

    @contextmanager
    def _books(self) -> Iterator[Session]:
        """Open the sandbox's own transaction."""
        forbid_inside_unit_of_work()
        with self._room, self._connections.session() as books:
            yield books
            books.commit()

    def _find(self, books: Session, number: str) -> SandboxCharge | None:
        row = books.get(SandboxCharge, number, with_for_update=True)
        if row is None or row.state == "lost":
            return None
        self._ripen_charge(books, row)
        return row

    def _ripen_charge(self, books: Session, row: SandboxCharge) -> None:
        if row.state == "processing" and row.settles_at is not None and row.settles_at <= self._clock.now():
            self._move(books, row, "succeeded")

    def _ripen_refund(self, books: Session, row: SandboxRefund) -> None:
        if row.state == "processing" and row.settles_at is not None and row.settles_at <= self._clock.now():
            self._move(books, row, "succeeded")

    def _move(self, books: Session, row: SandboxCharge | SandboxRefund, state: str) -> None:
        """Change a state; the end of anything is told by a webhook."""
        row.state = state
        if state not in _ENDED:
            return
        at = row.settled_at = self._clock.now()
        kind = "charge" if isinstance(row, SandboxCharge) else "refund"
        books.add(SandboxEvent(id=new_id(), kind=kind, number=row.number, created_at=at, due_at=self._due_at(at)))

    def _due_at(self, posted_at: datetime) -> datetime | None:
        """Return when the post brings a webhook; None: at once."""
        seconds = self.manners.seconds_on_the_way()
        return posted_at + timedelta(seconds=seconds) if seconds else None


def _check_same(row: SandboxCharge, order: Order) -> None:
    if (row.amount, row.currency, row.token) != (order.amount, order.currency, order.method):
        raise ValueError(f"number {order.number} was used for another charge")


def _line(row: SandboxCharge | SandboxRefund | SandboxPayout, kind: str, amount: int) -> SettlementLine:
    return SettlementLine(row.number, kind, amount, row.currency, 0, row.settled_at or row.created_at)


def _refunds_of(books: Session, charge: SandboxCharge) -> Sequence[SandboxRefund]:
    return books.scalars(select(SandboxRefund).where(SandboxRefund.charge_number == charge.number)).all()


def _outcome(row: SandboxCharge) -> Outcome:
    state = OutcomeState(row.state)
    action = {"type": "redirect", "url": row.action_url} if state == OutcomeState.REQUIRES_ACTION else None
    retry = RETRY.get(row.code) if row.code and state == OutcomeState.FAILED else None
    return Outcome(state, f"sb_{row.number}", row.amount, row.currency, retry, row.code, action)


def _refund_outcome(row: SandboxRefund) -> Outcome:
    return Outcome(OutcomeState(row.state), f"sbr_{row.number}", row.amount, row.currency)
