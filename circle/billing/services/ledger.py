"""Double entry: every movement of money as gains of accounts that sum to zero. The only writer of the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, text

from circle.billing.models import Invoice, LedgerAccount, PaymentAttempt, Refund
from circle.billing.payout_models import Payout
from circle.kernel.db import Query
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


@dataclass(frozen=True, slots=True)
class _Named:
    """An account in one currency."""

    account: Account
    currency: str


@dataclass(frozen=True, slots=True)
class _Posting:
    """One transaction to write: what each account gains by one movement of one source."""

    movement: Movement
    source_id: UUID
    currency: str
    gains: Mapping[Account, int]
    circle_id: UUID | None
    invoice_id: UUID | None


_POST = Query(
    lambda: text("""
        INSERT INTO ledger_transactions (id, kind, source_id, invoice_id, circle_id, at)
        SELECT posting.*, CAST(:at AS timestamptz) FROM unnest(
            CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:source_ids AS uuid[]),
            CAST(:invoice_ids AS uuid[]), CAST(:circle_ids AS uuid[])
        ) AS posting
        ON CONFLICT (kind, source_id) DO NOTHING
        RETURNING id
    """)
)
_GAIN = Query(
    lambda: text("""
        INSERT INTO ledger_entries (transaction_id, account_id, currency, amount)
        SELECT * FROM unnest(
            CAST(:transaction_ids AS uuid[]), CAST(:account_ids AS uuid[]),
            CAST(:currencies AS text[]), CAST(:amounts AS bigint[])
        )
    """)
)
_WANTED = """
    unnest(
        CAST(:kinds AS text[]), CAST(:circle_ids AS uuid[]), CAST(:providers AS text[]), CAST(:currencies AS text[])
    ) WITH ORDINALITY AS wanted (kind, circle_id, provider, currency, place)
"""
# Accounts of circles and of the installation are looked up by what each has an index for.
_FIND = Query(
    lambda: text(f"""
        SELECT known.id, wanted.place FROM {_WANTED} JOIN ledger_accounts AS known
        ON known.circle_id = wanted.circle_id AND (known.kind, known.currency) = (wanted.kind, wanted.currency)
        WHERE known.provider IS NOT DISTINCT FROM wanted.provider
        UNION ALL
        SELECT known.id, wanted.place FROM {_WANTED} JOIN ledger_accounts AS known
        ON known.circle_id IS NULL AND (known.kind, known.currency) = (wanted.kind, wanted.currency)
        WHERE wanted.circle_id IS NULL AND known.provider IS NOT DISTINCT FROM wanted.provider
    """)  # noqa: S608 - our own words
)
_OPEN = Query(
    lambda: text(f"""
        INSERT INTO ledger_accounts (id, kind, circle_id, provider, currency, balance)
        SELECT uuid_v7(), kind, circle_id, provider, currency, CASE WHEN circle_id IS NOT NULL THEN 0 END
        FROM {_WANTED} ORDER BY circle_id, kind, provider, currency
        ON CONFLICT DO NOTHING
    """)  # noqa: S608 - our own words
)

_FEE = Account(AccountKind.PLATFORM_FEE)
_SURPLUS = Account(AccountKind.SURPLUS)
# Less than any balance.
_WHATEVER = -(2**63)


def post_payments(uow: UnitOfWork, paid: Sequence[tuple[Invoice, PaymentAttempt]]) -> None:
    _post_each(
        uow,
        [
            _Posting(
                Movement.PAYMENT,
                attempt.id,
                invoice.currency,
                {
                    _clearing(attempt.provider): -invoice.amount,
                    _pending(invoice): invoice.amount - invoice.platform_fee,
                    _FEE: invoice.platform_fee,
                },
                circle_id=invoice.circle_id,
                invoice_id=invoice.id,
            )
            for invoice, attempt in paid
        ],
    )


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


def post_releases(uow: UnitOfWork, invoices: Sequence[Invoice]) -> None:
    """Make what is left of the creators' shares available."""
    _post_each(uow, [_release_of(invoice) for invoice in invoices])


def _release_of(invoice: Invoice) -> _Posting:
    left = invoice.amount - invoice.platform_fee - invoice.refunded + _fee_of(invoice, invoice.refunded)
    gains = {_pending(invoice): -left, _available(invoice): left}
    return _Posting(
        Movement.RELEASE, invoice.id, invoice.currency, gains, circle_id=invoice.circle_id, invoice_id=invoice.id
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
    circle_id, invoice_id = (invoice.circle_id, invoice.id) if invoice else (circle_id, None)
    _post_each(uow, [_Posting(movement, source_id, currency, gains, circle_id=circle_id, invoice_id=invoice_id)])


def _post_each(uow: UnitOfWork, postings: Sequence[_Posting]) -> None:
    """Write transactions, each once per movement and source; all entries in one statement, which the database checks.

    One statement also locks the balances of all circles that gain, in one order.
    """
    if not postings:
        return
    ids = [new_id() for _ in postings]
    posted = uow.rows(
        _POST,
        ids=ids,
        kinds=[one.movement.value for one in postings],
        source_ids=[one.source_id for one in postings],
        invoice_ids=[one.invoice_id for one in postings],
        circle_ids=[one.circle_id for one in postings],
        at=uow.now,
    )
    new = {row["id"] for row in posted}
    gains = [
        (row_id, _Named(account, one.currency), amount)
        for row_id, one in zip(ids, postings, strict=True)
        for account, amount in one.gains.items()
        if amount and row_id in new
    ]
    if not gains:
        return
    accounts = _account_ids(uow, list(dict.fromkeys(named for _, named, _ in gains)))
    uow.rows(
        _GAIN,
        transaction_ids=[row_id for row_id, _, _ in gains],
        account_ids=[accounts[named] for _, named, _ in gains],
        currencies=[named.currency for _, named, _ in gains],
        amounts=[amount for _, _, amount in gains],
    )


def _account_ids(uow: UnitOfWork, accounts: Sequence[_Named]) -> dict[_Named, UUID]:
    wanted = {
        "kinds": [one.account.kind.value for one in accounts],
        "circle_ids": [one.account.circle_id for one in accounts],
        "providers": [one.account.provider for one in accounts],
        "currencies": [one.currency for one in accounts],
    }
    found = uow.rows(_FIND, **wanted)
    if len(found) < len(accounts):
        uow.rows(_OPEN, **wanted)
        found = uow.rows(_FIND, **wanted)
    return {accounts[row["place"] - 1]: row["id"] for row in found}


def _is(account: Account) -> ColumnElement[bool]:
    return and_(
        LedgerAccount.kind == account.kind,
        LedgerAccount.circle_id.is_not_distinct_from(account.circle_id),
        LedgerAccount.provider.is_not_distinct_from(account.provider),
    )
