-- Fills an installation with :subscriptions subscriptions of 1,000 circles whose terms end within the week.

CREATE OR REPLACE FUNCTION bench_id(kind int, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT
(lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;

INSERT INTO users (id, display_name, bio, language, timezone, is_operator, version, created_at) SELECT
bench_id(1, n), '成员' || n, '', 'zh-CN', 'Asia/Shanghai', false, 1, now() FROM generate_series(0, :subscriptions) n;

INSERT INTO circles (id, slug, owner_id, name, description, category, timezone, currency, rules, join_policy,
questionnaire, preview_policy, after_expiry, silence_hours, anonymous_questions, content_protection, version,
created_at) SELECT bench_id(3, n), 'c' || n, bench_id(1, 0), '圈子' || n, '', '', 'Asia/Shanghai',
'CNY', '', 'open', '{}', 'public', 'paid_term', 0, false, '{}', 1, now() FROM generate_series(0, 999) n;

INSERT INTO tiers (id, circle_id, name, rank, description, seats_taken, version, created_at) SELECT
bench_id(4, n), bench_id(3, n), '读者', 1, '', 0, 1, now() FROM generate_series(0, 999) n;

INSERT INTO prices (id, circle_id, tier_id, amount, currency, interval, interval_count, trial_days, advance_percent,
grace_percent, later_percent, created_at) SELECT bench_id(9, n), bench_id(3, n), bench_id(4, n), 1900, 'CNY', 'month', 1,
0, 100, 100, 100, now() FROM generate_series(0, 999) n;

INSERT INTO memberships (id, circle_id, user_id, role, status, alias, note, answers, approved_at, joined_at, review_at,
version, created_at) SELECT bench_id(5, n), bench_id(3, n % 1000), bench_id(1, n), 'member', 'active', '', '', '{}', now(),
now(), now() + interval '5 days', 1, now() FROM generate_series(1, :subscriptions) n;

INSERT INTO payment_methods (id, user_id, provider, reference, created_at, version) SELECT bench_id(10, n),
bench_id(1, n), 'sandbox', 'ok', now(), 1 FROM generate_series(1, :subscriptions) n;

INSERT INTO subscriptions (id, circle_id, user_id, membership_id, tier_id, price_id, status, collection,
payment_method_id, timezone, anchor_at, anchor_months, period_no, renewal_open, current_period_start, current_period_end,
cancel_at_period_end, created_at) SELECT bench_id(11, n), bench_id(3, n % 1000), bench_id(1, n), bench_id(5, n),
bench_id(4, n % 1000), bench_id(9, n % 1000), 'active', 'auto', bench_id(10, n), 'Asia/Shanghai',
t.start, 1, 1, false, t.start, ((t.start AT TIME ZONE 'Asia/Shanghai') + interval '1 month') AT TIME ZONE 'Asia/Shanghai',
false, t.start FROM generate_series(1, :subscriptions) n,
LATERAL (SELECT now() - interval '25 days' - make_interval(secs => n % 86400) AS start) t;

INSERT INTO invoices (id, number, kind, circle_id, payer_id, membership_id, subscription_id, price_id, tier_id, status,
amount, currency, period_no, period_start, period_end, due_at, paid_at, platform_fee, refunded, refunding, created_at)
SELECT bench_id(12, n), 'B' || n, 'join', s.circle_id, s.user_id, s.membership_id, s.id, s.price_id, s.tier_id, 'paid', 1900,
'CNY', 1, s.current_period_start, s.current_period_end, s.current_period_start, s.current_period_start, 0, 0, 0,
s.created_at FROM generate_series(1, :subscriptions) n JOIN subscriptions s ON s.id = bench_id(11, n);

INSERT INTO grants (id, circle_id, user_id, membership_id, tier_id, source, source_id, starts_at, ends_at, created_at)
SELECT bench_id(6, n), s.circle_id, s.user_id, s.membership_id, s.tier_id, 'invoice', bench_id(12, n),
s.current_period_start, s.current_period_end, s.created_at FROM generate_series(1, :subscriptions) n
JOIN subscriptions s ON s.id = bench_id(11, n);

INSERT INTO seats (id, tier_id, membership_id, created_at) SELECT bench_id(13, n), bench_id(4, n % 1000), bench_id(5, n),
now() FROM generate_series(1, :subscriptions) n;

UPDATE tiers SET seats_taken = taken.seats FROM (SELECT tier_id, count(*) AS seats FROM seats GROUP BY tier_id) AS taken
WHERE tiers.id = taken.tier_id
