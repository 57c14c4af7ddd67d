-- The day begins: two camps in each of the largest circles, in their eighth day in a zone where it is morning, in which
-- each member has done the seven days before; and the subscriptions that end in the coming night.

-- Not a Sunday: nobody is owed the week's digest of a circle that was not there.
UPDATE circles SET created_at = now();

INSERT INTO camps (id, circle_id, created_by, title, rules, access_level, timezone, starts_on, ends_on,
schedule_kind, weekdays, dates, windows, requirement, completion_days, makeup_cards, makeup_within_days,
makeups_count, leave_days, levels, on_feed, planned_until, swept_at, version, created_at) SELECT bench_id(8, c * 10 + k),
bench_id(3, c), bench_id(1, :people + c), '营' || k, '', 'members', :zone, CAST(:today AS date) - 7, CAST(:today AS date) + 13,
'daily', '{}', '{}', '[]', '{"min_words": 10}', 18, 2, 7, true, 0, false, true, CAST(:today AS date) + 13, now(), 1, now()
FROM generate_series(1, :camps) c, generate_series(1, 2) k;

INSERT INTO camp_days (camp_id, day, period) SELECT bench_id(8, c * 10 + k), CAST(:today AS date) + d, CAST(:today AS date) + d
FROM generate_series(1, :camps) c, generate_series(1, 2) k, generate_series(-7, 13) d;

INSERT INTO camp_members (camp_id, user_id, starts_on, ends_on, completion_days, joined_at) SELECT bench_id(8, circle * 10 + k),
bench_id(1, person), CAST(:today AS date) - 7, CAST(:today AS date) + 13, 18, now() - interval '8 days' FROM bench_members,
generate_series(1, 2) k WHERE circle <= :camps AND place > 0;

INSERT INTO check_in_days (camp_id, user_id, day, kind, late, recorded_at) SELECT bench_id(8, circle * 10 + k), bench_id(1, person),
CAST(:today AS date) + d, 'done', false, now() FROM bench_members, generate_series(1, 2) k, generate_series(-7, -1) d
WHERE circle <= :camps AND place > 0;

INSERT INTO camp_standings (camp_id, user_id, streak, run, alive_until, longest, total, made_up, leave_taken,
last_day, ranked) SELECT bench_id(8, circle * 10 + k), bench_id(1, person), 7, 7, :today, 7, 7, 0, 0, CAST(:today AS date) - 1, true
FROM bench_members, generate_series(1, 2) k WHERE circle <= :camps AND place > 0;

CREATE TABLE bench_renewals AS SELECT row_number() OVER (ORDER BY (place * 31 + circle) % 1009, circle, place) AS r, *
FROM bench_members WHERE place > 0 ORDER BY 1 LIMIT :renewals;

INSERT INTO payment_methods (id, user_id, provider, reference, created_at, version) SELECT bench_id(10, r),
bench_id(1, person), 'sandbox', 'ok', now(), 1 FROM bench_renewals;

INSERT INTO subscriptions (id, circle_id, user_id, membership_id, tier_id, price_id, status, collection,
payment_method_id, timezone, anchor_at, anchor_months, period_no, renewal_open, current_period_start, current_period_end,
cancel_at_period_end, created_at) SELECT bench_id(11, r), bench_id(3, circle), bench_id(1, person), bench_id(5, circle * 10000 + place),
bench_id(4, circle * 10 + rank), bench_id(9, circle * 10 + rank), 'active', 'auto', bench_id(10, r), 'Asia/Shanghai', t.start, 12, 1, false,
t.start, ((t.start AT TIME ZONE 'Asia/Shanghai') + interval '1 year') AT TIME ZONE 'Asia/Shanghai', false, t.start
FROM bench_renewals, LATERAL (SELECT ((CAST(:night AS timestamptz) + CAST(:length AS interval) * r / :renewals)
AT TIME ZONE 'Asia/Shanghai' - interval '1 year') AT TIME ZONE 'Asia/Shanghai' AS start) t;

INSERT INTO invoices (id, number, kind, circle_id, payer_id, membership_id, subscription_id, price_id, tier_id, status,
amount, currency, period_no, period_start, period_end, due_at, paid_at, platform_fee, refunded, refunding, created_at)
SELECT bench_id(12, r), 'B' || r, 'join', s.circle_id, s.user_id, s.membership_id, s.id, s.price_id, s.tier_id, 'paid',
19900 * rank, 'CNY', 1, s.current_period_start, s.current_period_end, s.current_period_start, s.current_period_start, 0, 0, 0,
s.created_at FROM bench_renewals JOIN subscriptions s ON s.id = bench_id(11, r);

UPDATE grants SET source = 'invoice', source_id = v.id, starts_at = v.period_start, ends_at = v.period_end
FROM invoices v WHERE grants.membership_id = v.membership_id;

UPDATE memberships SET review_at = v.period_end FROM invoices v WHERE memberships.id = v.membership_id;

INSERT INTO payment_attempts (id, number, invoice_id, provider, payment_method_id, method_reference, on_session, amount,
currency, status, tries, sent_at, reference, received, received_currency, surplus, created_at, settled_at) SELECT
bench_id(13, r), 'A' || r, bench_id(12, r), 'sandbox', bench_id(10, r), 'ok', true, 19900 * rank, 'CNY', 'succeeded', 1,
now(), 'sb_A' || r, 19900 * rank, 'CNY', false, now(), now() FROM bench_renewals;

INSERT INTO sandbox_charges (number, token, amount, currency, state, settled_at, created_at) SELECT 'A' || r, 'ok',
19900 * rank, 'CNY', 'succeeded', now(), now() FROM bench_renewals;

INSERT INTO ledger_accounts (id, kind, circle_id, provider, currency, balance)
SELECT uuid_v7(), 'creator_pending', id, NULL, 'CNY', 0 FROM circles
UNION ALL SELECT uuid_v7(), 'clearing', NULL, 'sandbox', 'CNY', NULL ON CONFLICT DO NOTHING;

INSERT INTO ledger_transactions (id, kind, source_id, invoice_id, circle_id, at) SELECT bench_id(16, r), 'payment',
bench_id(13, r), bench_id(12, r), bench_id(3, circle), now() FROM bench_renewals;

INSERT INTO ledger_entries (transaction_id, account_id, currency, amount) SELECT bench_id(16, r), a.id, 'CNY',
CASE a.kind WHEN 'clearing' THEN -19900 * rank ELSE 19900 * rank END FROM bench_renewals
JOIN ledger_accounts a ON a.currency = 'CNY' AND (a.circle_id = bench_id(3, circle) AND a.kind = 'creator_pending'
OR a.circle_id IS NULL AND a.kind = 'clearing' AND a.provider = 'sandbox')
