-- Fills an installation to measure: :circles circles of :posts posts each, and one member of all of them.
-- Ids are made from numbers, so that every statement can name the rows of the others.

CREATE OR REPLACE FUNCTION bench_id(kind int, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT
(lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;

INSERT INTO users (id, display_name, bio, language, timezone, is_operator, version, created_at) SELECT
bench_id(1, n), '成员' || n, '', 'zh-CN', 'Asia/Shanghai', false, 1, now() FROM generate_series(0, 2000) n;

INSERT INTO sessions (id, user_id, token_hash, device_name, created_at, last_seen_at, expires_at) VALUES
(bench_id(2, 0), bench_id(1, 0), :hash, '', now(), now() + interval '1 year', now() + interval '1 year');

INSERT INTO circles (id, slug, owner_id, name, description, category, timezone, currency, rules, join_policy,
questionnaire, preview_policy, after_expiry, silence_hours, anonymous_questions, content_protection, version,
created_at) SELECT bench_id(3, n), 'c' || n, bench_id(1, 1 + n % 2000), '圈子' || n, '', '', 'Asia/Shanghai',
'CNY', '', 'open', '{}', 'public', 'paid_term', 0, false, '{}', 1, now() FROM generate_series(1, :circles) n;

INSERT INTO circle_counters SELECT id, 2 FROM circles;

INSERT INTO tiers (id, circle_id, name, rank, description, seats_taken, version, created_at) SELECT
bench_id(4, n * 2 + r), bench_id(3, n), '等级' || r, r, '', 0, 1, now() FROM generate_series(1, :circles) n,
generate_series(1, 2) r;

INSERT INTO memberships (id, circle_id, user_id, role, status, number, alias, note, answers, joined_at,
version, created_at) SELECT bench_id(5, n), bench_id(3, n), bench_id(1, 0), 'member', 'active', 1, '', '',
'{}', now(), 1, now() FROM generate_series(1, :circles) n;

INSERT INTO grants (id, circle_id, user_id, membership_id, tier_id, source, source_id, starts_at, created_at)
SELECT bench_id(6, n), bench_id(3, n), bench_id(1, 0), bench_id(5, n), bench_id(4, n * 2 + 1), 'comp',
bench_id(6, n), now() - interval '1 year', now() FROM generate_series(1, :circles) n;

INSERT INTO posts (id, circle_id, author_id, kind, status, title, body, excerpt, access_level, access_tier_id,
anonymous, attachments, reaction_counts, comment_count, published_at, version, created_at) SELECT bench_id(7,
n * :posts + p), bench_id(3, n), bench_id(1, 1 + (n + p) % 2000), 'talk', 'published', '第' || p || '篇',
repeat('把一件小事讲清楚,比讲很多大道理更难得。', 10), '', (ARRAY['members', 'tier', 'tier'])[1 + p % 3], CASE WHEN p % 3 > 0
THEN bench_id(4, n * 2 + p % 3) END, false, '[]', '{}', 0, t.at, 1, t.at FROM generate_series(1, :circles) n,
generate_series(1, :posts) p, LATERAL (SELECT now() - make_interval(mins => (:posts - p)::int) AS at) t;

-- The first circle goes on for 20,000 more, so that a feed has a thousand pages.
INSERT INTO posts (id, circle_id, author_id, kind, status, title, body, excerpt, access_level, anonymous, attachments,
reaction_counts, comment_count, published_at, version, created_at) SELECT bench_id(8, p), bench_id(3, 1), bench_id(1, 1),
'talk', 'published', '旧文' || p, repeat('把一件小事讲清楚,比讲很多大道理更难得。', 10), '', 'members', false, '[]', '{}', 0,
t.at, 1, t.at FROM generate_series(1, 20000) p, LATERAL (SELECT now() - interval '1 year' - make_interval(mins => p) AS at) t
