"""What stands on a printed invoice: what was owed, what was paid, what went back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from circle.accounts.models import User
from circle.billing.models import Invoice, InvoiceKind, PaymentAttempt, Refund
from circle.billing.states import AttemptStatus, InvoiceStatus, RefundStatus
from circle.circles.models import Circle, Tier
from circle.kernel.money import Money
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork

_KINDS: Mapping[str, Text] = {
    InvoiceKind.JOIN: Text("首期会费", "First term"),
    InvoiceKind.RENEWAL: Text("续费", "Renewal"),
    InvoiceKind.UPGRADE: Text("升级补差", "Upgrade"),
    InvoiceKind.GIFT: Text("赠送会员", "Gift"),
    "question": Text("付费提问", "Question"),
}
_STATUSES: Mapping[str, Text] = {
    InvoiceStatus.OPEN: Text("待支付", "To be paid"),
    InvoiceStatus.PAID: Text("已支付", "Paid"),
    InvoiceStatus.VOID: Text("已作废", "Void"),
    InvoiceStatus.UNCOLLECTIBLE: Text("未收到款项", "Not collected"),
    InvoiceStatus.PARTIALLY_REFUNDED: Text("已部分退款", "Refunded in part"),
    InvoiceStatus.REFUNDED: Text("已全额退款", "Refunded"),
}
_NUMBER = Text("账单号", "Invoice no.")
_STATUS = Text("状态", "Status")
_CIRCLE = Text("星球", "Circle")
_PAYER = Text("付款人", "Paid by")
_ISSUED = Text("开具时间", "Issued")
_PERIOD = Text("有效期", "Period")
_FOR_LIFE = Text("终身", "for life")
_AMOUNT = Text("应付", "Amount")
_PAYMENT = Text("付款", "Payment")
_SURPLUS = Text("多付，已退回", "Paid for nothing and sent back")
_REFUND = Text("退款", "Refund")
_REFUNDING = Text("退款中", "Refund under way")
_KEPT = Text("实付", "Kept")


def bilingual(text: Text) -> str:
    return f"{text.zh} {text.en}"


@dataclass(frozen=True, slots=True)
class Line:
    """One movement of money: what, when, under which number, how much."""

    what: str
    at: str
    number: str
    amount: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A printed invoice, in the words that stand on it."""

    number: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    total: tuple[str, str]

    @property
    def words(self) -> Iterator[str]:
        yield self.number
        yield from (word for pair in (*self.facts, self.total) for word in pair)
        yield from (word for line in self.lines for word in (line.what, line.at, line.number, line.amount))


def receipt(uow: UnitOfWork, invoice: Invoice) -> Receipt:
    """Return what stands on an invoice, its times in the circle's zone."""
    circle = uow.session.get_one(Circle, invoice.circle_id)
    zone = ZoneInfo(circle.timezone)
    tier = uow.session.get_one(Tier, invoice.tier_id).name if invoice.tier_id else ""
    kind = _KINDS.get(invoice.kind)
    facts = [
        (_NUMBER, invoice.number),
        (_STATUS, bilingual(_STATUSES[invoice.status])),
        (_CIRCLE, circle.name),
        (_PAYER, uow.session.get_one(User, invoice.payer_id).display_name),
        (_ISSUED, f"{_minute(invoice.created_at, zone)} ({circle.timezone})"),
    ]
    if invoice.period_start is not None:
        facts.append((_PERIOD, _period(invoice.period_start, invoice.period_end, zone)))
    what = f"{bilingual(kind) if kind else invoice.kind} {tier}".strip()
    lines = [Line(what, _minute(invoice.due_at, zone), bilingual(_AMOUNT), str(invoice.money))]
    kept = Money(invoice.amount - invoice.refunded if invoice.paid_at else 0, invoice.currency)
    return Receipt(
        number=invoice.number,
        facts=tuple((bilingual(label), value) for label, value in facts),
        lines=(*lines, *_payments(uow, invoice, zone), *_refunds(uow, invoice, zone)),
        total=(bilingual(_KEPT), str(kept)),
    )


def _payments(uow: UnitOfWork, invoice: Invoice, zone: ZoneInfo) -> Iterator[Line]:
    came = select(PaymentAttempt).where(
        PaymentAttempt.invoice_id == invoice.id, PaymentAttempt.status == AttemptStatus.SUCCEEDED
    )
    for one in uow.session.scalars(came.order_by(PaymentAttempt.settled_at, PaymentAttempt.id)):
        amount = Money(one.received or 0, one.received_currency or one.currency)
        what = bilingual(_SURPLUS if one.surplus else _PAYMENT)
        yield Line(f"{what} ({one.provider})", _minute(one.settled_at or one.created_at, zone), one.number, str(amount))


def _refunds(uow: UnitOfWork, invoice: Invoice, zone: ZoneInfo) -> Iterator[Line]:
    gone = select(Refund).where(Refund.invoice_id == invoice.id, Refund.status != RefundStatus.FAILED)
    for one in uow.session.scalars(gone.order_by(Refund.created_at, Refund.id)):
        what = bilingual(_REFUND if one.status == RefundStatus.SUCCEEDED else _REFUNDING)
        amount = Money(-one.amount, one.currency)
        yield Line(what, _minute(one.settled_at or one.created_at, zone), one.number, str(amount))


def _minute(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _period(start: datetime, end: datetime | None, zone: ZoneInfo) -> str:
    last = _minute(end, zone) if end else bilingual(_FOR_LIFE)
    return f"{_minute(start, zone)} – {last}"


def invoice_pdf(uow: UnitOfWork, invoice: Invoice) -> bytes:
    """Return an invoice as a PDF file."""
    from circle.billing import printing  # noqa: PLC0415 - 20 MB that few requests need

    return printing.print_receipt(receipt(uow, invoice))
