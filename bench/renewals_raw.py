"""References of `renewals`: the same rows written by bare SQL, with nothing asked, locked, decided or told.

`python -m bench.renewals_raw URL` settles the numbers that it reads from its input, each by three prepared statements
in three transactions: claimed, entered into the provider's books, settled.
"""

import sys

import psycopg

# What a billing step writes, as one set-based statement of so many subscriptions.
BILL = """
WITH made AS (
    INSERT INTO invoices (id, number, kind, circle_id, payer_id, membership_id, subscription_id, price_id, tier_id,
        status, amount, currency, period_no, period_start, period_end, due_at, noticed_at, charge_at, covered_until,
        platform_fee, refunded, refunding, created_at)
    SELECT uuid_v7(), 'R' || id, 'renewal', circle_id, user_id, membership_id, id, price_id, tier_id, 'open', 1900,
        'CNY', 2, current_period_end, current_period_end + interval '1 month', current_period_end, now(),
        current_period_end, current_period_end + interval '3 days', 0, 0, 0, now()
    FROM subscriptions WHERE id IN (SELECT bench_id(11, n) FROM generate_series(CAST(:first AS int), :last) AS n)
    RETURNING *
), granted AS (
    INSERT INTO grants (id, circle_id, user_id, membership_id, tier_id, source, source_id,
        starts_at, ends_at, created_at)
    SELECT uuid_v7(), circle_id, payer_id, membership_id, tier_id, 'grace', id, period_start, covered_until, now()
    FROM made
), told AS (
    INSERT INTO notifications (id, user_id, circle_id, kind, key, subject_kind, subject_id, data, in_app, created_at)
    SELECT uuid_v7(), payer_id, circle_id, 'renewal_coming', 'renewal:' || circle_id || ':' || due_at::date, 'invoice',
        id, jsonb_build_object('circle', number, 'amount', 'CNY 19.00', 'on', due_at::date), true, now()
    FROM made
)
UPDATE subscriptions AS s SET renewal_open = true FROM made WHERE s.id = made.subscription_id
"""

CLAIM = """
UPDATE payment_attempts
SET status = 'processing', tries = 1, sent_at = now(), lease_until = now() + interval '2 minutes' WHERE number = $1
"""
CHARGE = """
WITH charged AS (
    INSERT INTO sandbox_charges (number, token, amount, currency, state, settled_at, created_at)
    VALUES ($1, 'ok', 1900, 'CNY', 'succeeded', now(), now()) RETURNING number
)
INSERT INTO sandbox_events (id, kind, number, created_at) SELECT uuid_v7(), 'charge', number, now() FROM charged
"""
SETTLE = """
WITH paid AS (
    UPDATE payment_attempts SET status = 'succeeded', reference = 'sb_' || number, received = amount,
        received_currency = currency, lease_until = NULL, settled_at = now()
    WHERE number = $1 RETURNING id, invoice_id
), closed AS (
    UPDATE invoices AS i SET status = 'paid', paid_at = now(), refundable_until = now() + interval '72 hours'
    FROM paid WHERE i.id = paid.invoice_id RETURNING i.*, paid.id AS attempt_id
), granted AS (
    INSERT INTO grants (id, circle_id, user_id, membership_id, tier_id, source, source_id,
        starts_at, ends_at, created_at)
    SELECT uuid_v7(), circle_id, payer_id, membership_id, tier_id, 'invoice', id, period_start, period_end, now()
    FROM closed
), replaced AS (
    UPDATE grants AS g SET revoked_at = now(), revoked_for = 'paid' FROM closed
    WHERE g.source = 'grace' AND g.source_id = closed.id AND g.membership_id = closed.membership_id
), renewed AS (
    UPDATE subscriptions AS s SET anchor_months = s.anchor_months + 1, period_no = closed.period_no,
        current_period_start = closed.period_start, current_period_end = closed.period_end, renewal_open = false
    FROM closed WHERE s.id = closed.subscription_id
), posted AS (
    INSERT INTO ledger_transactions (id, kind, source_id, invoice_id, circle_id, at)
    SELECT uuid_v7(), 'payment', attempt_id, id, circle_id, now() FROM closed
    RETURNING id, circle_id
)
INSERT INTO ledger_entries (transaction_id, account_id, currency, amount)
SELECT posted.id, a.id, a.currency, CASE a.kind WHEN 'clearing' THEN -1900 ELSE 1900 END
FROM posted JOIN ledger_accounts AS a ON a.currency = 'CNY'
    AND (a.circle_id = posted.circle_id AND a.kind = 'creator_pending' OR a.circle_id IS NULL AND a.kind = 'clearing')
"""
ACCOUNTS = """
INSERT INTO ledger_accounts (id, kind, circle_id, provider, currency, balance)
SELECT uuid_v7(), 'creator_pending', id, NULL, 'CNY', 0 FROM circles
UNION ALL SELECT uuid_v7(), 'clearing', NULL, 'sandbox', 'CNY', NULL
ON CONFLICT DO NOTHING
"""


def main() -> None:
    with psycopg.connect(sys.argv[1], autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for line in sys.stdin:
            for statement in (CLAIM, CHARGE, SETTLE):
                connection.execute(statement.encode(), [line.strip()], prepare=True)


if __name__ == "__main__":
    main()
