"""Double entry: every movement of money as gains of accounts that sum to zero. The only writer of the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.dialects.postgresql import insert

from circle.billing.models import Invoice, LedgerAccount, LedgerEntry, LedgerTransaction, PaymentAttempt, Refund
from circle.billing.payout_models import Payout
from circle.kernel.ids import new_id
from circle.kernel.money import share
from circle.kernel.uow import UnitOfWork


class AccountKind(StrEnum):
    # The outside, seen from within: what came in through a provider is negative here.
    CLEARING = "clearing"
    CREATOR_PENDING = "creator_pending"  # the creator's, while it may still be refunded without a reason
    CREATOR_AVAILABLE = "creator_available"  # the creator's, to be paid out
    CREATOR_PAYOUT = "creator_payout"  # the creator's, on its way out
    PLATFORM_FEE = "platform_fee"
    SURPLUS = "surplus"  # came for nothing and goes back


class Movement(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    RELEASE = "release"
    SURPLUS = "surplus"
    SURPLUS_REFUND = "surplus_refund"
    PAYOUT = "payout"
    PAYOUT_SENT = "payout_sent"
    PAYOUT_RETURN = "payout_return"


# Their source is the payout.
PAYOUT_MOVEMENTS = frozenset({Movement.PAYOUT, Movement.PAYOUT_SENT, Movement.PAYOUT_RETURN})


@dataclass(frozen=True, slots=True)
class Account:
    """Names an account; it is made when first used."""

    kind: AccountKind
    circle_id: UUID | None = None
    provider: str | None = None


# The clearing account of payouts that an operator makes from elsewhere.
BY_HAND = "by_hand"

_FEE = Account(AccountKind.PLATFORM_FEE)
_SURPLUS = Account(AccountKind.SURPLUS)
# Less than any balance.
_WHATEVER = -(2**63)


def post_payment(uow: UnitOfWork, invoice: Invoice, attempt: PaymentAttempt) -> None:
    gains = {
        _clearing(attempt.provider): -invoice.amount,
        _pending(invoice): invoice.amount - invoice.platform_fee,
        _FEE: invoice.platform_fee,
    }
    _post(uow, Movement.PAYMENT, attempt.id, invoice.currency, gains, invoice=invoice)


def post_refund(uow: UnitOfWork, invoice: Invoice, refund: Refund, provider: str) -> None:
    """Take a refund from the creator and the operator in the shares in which they got the payment."""
    # From the sums before and after, so that the parts of many refunds add up to the whole fee.
    after, before = invoice.refunded, invoice.refunded - refund.amount
    fee = _fee_of(invoice, after) - _fee_of(invoice, before)
    gains = {
        _clearing(provider): refund.amount,
        (_pending(invoice) if invoice.released_at is None else _available(invoice)): fee - refund.amount,
        _FEE: -fee,
    }
    _post(uow, Movement.REFUND, refund.id, refund.currency, gains, invoice=invoice)


def post_release(uow: UnitOfWork, invoice: Invoice) -> None:
    """Make what is left of the creator's share available."""
    left = invoice.amount - invoice.platform_fee - invoice.refunded + _fee_of(invoice, invoice.refunded)
    _post(
        uow,
        Movement.RELEASE,
        invoice.id,
        invoice.currency,
        {_pending(invoice): -left, _available(invoice): left},
        invoice=invoice,
    )


def post_surplus(uow: UnitOfWork, attempt: PaymentAttempt, amount: int, currency: str) -> None:
    gains = {_clearing(attempt.provider): -amount, _SURPLUS: amount}
    _post(uow, Movement.SURPLUS, attempt.id, currency, gains)


def post_surplus_refund(uow: UnitOfWork, refund: Refund, provider: str) -> None:
    gains = {_clearing(provider): refund.amount, _SURPLUS: -refund.amount}
    _post(uow, Movement.SURPLUS_REFUND, refund.id, refund.currency, gains)


def holds_available(uow: UnitOfWork, circle_id: UUID, currency: str, amount: int) -> bool:
    """Tell whether that much is available, and keep it so until the commit: the row is locked as it is found.

    Whoever moves available money to or from a payout asks this first, so that they wait for each other in one order.
    """
    account = Account(AccountKind.CREATOR_AVAILABLE, circle_id=circle_id)
    enough = (
        select(LedgerAccount.id)
        .where(_is(account), LedgerAccount.currency == currency, LedgerAccount.balance >= amount)
        .with_for_update(key_share=True)
    )
    return uow.session.scalar(enough) is not None


def post_payout(uow: UnitOfWork, payout: Payout) -> None:
    """Take a payout from what is available; see `holds_available`."""
    gains = {_available_of(payout): -payout.amount, _on_its_way(payout): payout.amount}
    _post(uow, Movement.PAYOUT, payout.id, payout.currency, gains, circle_id=payout.circle_id)


def post_payout_sent(uow: UnitOfWork, payout: Payout) -> None:
    gains = {_on_its_way(payout): -payout.amount, _clearing(payout.provider or BY_HAND): payout.amount}
    _post(uow, Movement.PAYOUT_SENT, payout.id, payout.currency, gains, circle_id=payout.circle_id)


def post_payout_return(uow: UnitOfWork, payout: Payout) -> None:
    """Make a payout that will not be sent available again."""
    holds_available(uow, payout.circle_id, payout.currency, _WHATEVER)
    gains = {_on_its_way(payout): -payout.amount, _available_of(payout): payout.amount}
    _post(uow, Movement.PAYOUT_RETURN, payout.id, payout.currency, gains, circle_id=payout.circle_id)


def _clearing(provider: str) -> Account:
    return Account(AccountKind.CLEARING, provider=provider)


def _pending(invoice: Invoice) -> Account:
    return Account(AccountKind.CREATOR_PENDING, circle_id=invoice.circle_id)


def _available(invoice: Invoice) -> Account:
    return Account(AccountKind.CREATOR_AVAILABLE, circle_id=invoice.circle_id)


def _available_of(payout: Payout) -> Account:
    return Account(AccountKind.CREATOR_AVAILABLE, circle_id=payout.circle_id)


def _on_its_way(payout: Payout) -> Account:
    return Account(AccountKind.CREATOR_PAYOUT, circle_id=payout.circle_id)


def _fee_of(invoice: Invoice, refunded: int) -> int:
    """Return the part of the fee that goes back once `refunded` of the invoice has gone back."""
    return share(invoice.platform_fee, refunded, invoice.amount)


def _post(
    uow: UnitOfWork,
    movement: Movement,
    source_id: UUID,
    currency: str,
    gains: Mapping[Account, int],
    *,
    invoice: Invoice | None = None,
    circle_id: UUID | None = None,
) -> None:
    """Write one transaction, once per movement and source; its entries in one statement, which the database checks."""
    gains = {account: amount for account, amount in gains.items() if amount}
    posted = uow.session.execute(
        insert(LedgerTransaction)
        .values(
            id=new_id(),
            kind=movement,
            source_id=source_id,
            invoice_id=invoice.id if invoice else None,
            circle_id=invoice.circle_id if invoice else circle_id,
            at=uow.now,
        )
        .on_conflict_do_nothing(index_elements=["kind", "source_id"])
        .returning(LedgerTransaction.id)
    ).scalar()
    if posted is None or not gains:
        return
    ids = _account_ids(uow, list(gains), currency)
    uow.session.execute(
        insert(LedgerEntry).values(
            [
                {"transaction_id": posted, "account_id": ids[account], "currency": currency, "amount": amount}
                for account, amount in gains.items()
            ]
        )
    )


def _account_ids(uow: UnitOfWork, accounts: list[Account], currency: str) -> dict[Account, UUID]:
    found = _find(uow, accounts, currency)
    missing = [account for account in accounts if account not in found]
    if missing:
        rows = [
            {
                "id": new_id(),
                "kind": account.kind,
                "circle_id": account.circle_id,
                "provider": account.provider,
                "currency": currency,
                "balance": None if account.circle_id is None else 0,
            }
            for account in missing
        ]
        uow.session.execute(insert(LedgerAccount).values(rows).on_conflict_do_nothing())
        found = _find(uow, accounts, currency)
    return found


def _find(uow: UnitOfWork, accounts: list[Account], currency: str) -> dict[Account, UUID]:
    a = LedgerAccount
    rows = uow.session.execute(
        select(a.id, a.kind, a.circle_id, a.provider).where(a.currency == currency, or_(*map(_is, accounts)))
    )
    return {Account(AccountKind(row.kind), row.circle_id, row.provider): row.id for row in rows}


def _is(account: Account) -> ColumnElement[bool]:
    return and_(
        LedgerAccount.kind == account.kind,
        LedgerAccount.circle_id.is_not_distinct_from(account.circle_id),
        LedgerAccount.provider.is_not_distinct_from(account.provider),
    )
