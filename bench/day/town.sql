-- Fills an installation with 200 circles of different size, 20,000 people and what they wrote: the largest circle has
-- 6,000 members and 12,000 posts, the next a half, a third, … of that. Ids are made from numbers.

CREATE OR REPLACE FUNCTION bench_id(kind int, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT
(lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;

INSERT INTO users (id, display_name, bio, language, timezone, is_operator, version, created_at) SELECT
bench_id(1, n), '成员' || n, '', 'zh-CN', 'Asia/Shanghai', false, 1, now() - interval '1 year'
FROM generate_series(1, :people + :circles) n;

INSERT INTO identities (id, user_id, kind, value, verified_at, created_at) SELECT bench_id(14, n), bench_id(1, n), 'email',
'm' || n || '@example.org', now(), now() FROM generate_series(1, :people + :circles) n;

INSERT INTO sessions (id, user_id, token_hash, device_name, created_at, last_seen_at, expires_at) SELECT
bench_id(2, n), bench_id(1, n), sha256(convert_to('cs_' || lpad(n::text, 43, '0'), 'UTF8')), '', now(), now(),
now() + interval '1 year' FROM generate_series(1, :people + :circles) n;

INSERT INTO circles (id, slug, owner_id, name, description, category, timezone, currency, rules, join_policy,
questionnaire, preview_policy, after_expiry, silence_hours, anonymous_questions, content_protection, version,
created_at) SELECT bench_id(3, c), 'c' || c, bench_id(1, :people + c), '圈子' || c, '', '', 'Asia/Shanghai',
'CNY', '', 'open', '{}', 'public', 'paid_term', 0, false, '{}', 1, now() - interval '1 year'
FROM generate_series(1, :circles) c;

INSERT INTO tiers (id, circle_id, name, rank, description, seats_taken, version, created_at) SELECT
bench_id(4, c * 10 + r), bench_id(3, c), '等级' || r, r, '', 0, 1, now() FROM generate_series(1, :circles) c,
generate_series(1, 2) r;

INSERT INTO prices (id, circle_id, tier_id, amount, currency, interval, interval_count, trial_days, advance_percent,
grace_percent, later_percent, created_at) SELECT bench_id(9, c * 10 + r), bench_id(3, c), bench_id(4, c * 10 + r),
19900 * r, 'CNY', 'year', 1, 0, 100, 100, 100, now() FROM generate_series(1, :circles) c, generate_series(1, 2) r;

-- Member `place` of a circle; 0 is its owner.
CREATE TABLE bench_members AS SELECT circle, place, CASE place WHEN 0 THEN :people + circle ELSE
1 + (circle * 7919 + place) % :people END AS person, 1 + (place % 3 = 0)::int AS rank FROM generate_series(1, :circles) circle,
LATERAL generate_series(0, greatest(40, 6000 / circle)) place;

INSERT INTO memberships (id, circle_id, user_id, role, status, number, alias, note, answers, joined_at, version,
created_at) SELECT bench_id(5, circle * 10000 + place), bench_id(3, circle), bench_id(1, person),
CASE place WHEN 0 THEN 'owner' ELSE 'member' END, 'active', place + 1, '', '', '{}', now() - interval '1 year', 1,
now() - interval '1 year' FROM bench_members;

INSERT INTO grants (id, circle_id, user_id, membership_id, tier_id, source, source_id, starts_at, created_at)
SELECT bench_id(6, circle * 10000 + place), bench_id(3, circle), bench_id(1, person), bench_id(5, circle * 10000 + place),
bench_id(4, circle * 10 + rank), 'comp', bench_id(6, circle * 10000 + place), now() - interval '1 year', now()
FROM bench_members WHERE place > 0;

INSERT INTO circle_counters SELECT bench_id(3, circle), count(*) FROM bench_members GROUP BY circle;

-- Nineteen of twenty are for all members, the others for the higher tier.
INSERT INTO posts (id, circle_id, author_id, kind, status, title, body, excerpt, access_level, access_tier_id,
anonymous, attachments, reaction_counts, comment_count, published_at, version, created_at) SELECT
bench_id(7, c * 100000 + p), bench_id(3, c), bench_id(1, m.person), 'talk', 'published', '', texts.body, '',
CASE WHEN p % 20 = 0 THEN 'tier' ELSE 'members' END, CASE WHEN p % 20 = 0 THEN bench_id(4, c * 10 + 2) END, false, '[]', '{}',
CASE WHEN p % 4 = 0 THEN 3 ELSE 0 END, t.at, 1, t.at
FROM generate_series(1, :circles) c CROSS JOIN LATERAL (SELECT greatest(100, 12000 / c) AS posts) size
CROSS JOIN LATERAL generate_series(1, size.posts) p
CROSS JOIN LATERAL (SELECT now() - make_interval(mins => (size.posts - p) * 30 + 1) AS at) t
JOIN bench_texts texts ON texts.n = (c * 977 + p) % :texts JOIN bench_members m ON m.circle = c AND m.place = p % greatest(40, 6000 / c);

INSERT INTO comments (id, post_id, circle_id, author_id, body, status, reply_count, version, created_at) SELECT
bench_id(15, (c * 100000 + p) * 4 + k), bench_id(7, c * 100000 + p), bench_id(3, c), bench_id(1, m.person), left(texts.body, 40), 'published',
0, 1, now() - interval '1 minute' FROM generate_series(1, :circles) c
CROSS JOIN LATERAL generate_series(4, greatest(100, 12000 / c), 4) p CROSS JOIN generate_series(1, 3) k JOIN bench_texts texts ON texts.n = (c * 37 + p + k) % :texts
JOIN bench_members m ON m.circle = c AND m.place = (p + k) % greatest(40, 6000 / c)
