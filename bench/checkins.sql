-- Fills an installation with a circle of :members members and :camps camps of 21 days that are in their 12th day in
-- Shanghai: each member has done the eleven days before. Ids are made from numbers.

CREATE OR REPLACE FUNCTION bench_id(kind int, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT
(lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;

INSERT INTO users (id, display_name, bio, language, timezone, is_operator, version, created_at) SELECT
bench_id(1, n), '成员' || n, '', 'zh-CN', 'Asia/Shanghai', false, 1, now() FROM generate_series(0, :members) n;

INSERT INTO sessions (id, user_id, token_hash, device_name, created_at, last_seen_at, expires_at) SELECT
bench_id(2, n), bench_id(1, n), sha256(convert_to('cs_' || lpad(n::text, 43, '0'), 'UTF8')), '', now(), now(),
now() + interval '1 year' FROM generate_series(0, :members) n;

INSERT INTO circles (id, slug, owner_id, name, description, category, timezone, currency, rules, join_policy,
questionnaire, preview_policy, after_expiry, silence_hours, anonymous_questions, content_protection, version,
created_at) VALUES (bench_id(3, 1), 'c', bench_id(1, 0), '晨间写作', '', '', 'Asia/Shanghai', 'CNY', '', 'open',
'{}', 'public', 'paid_term', 0, false, '{}', 1, now());

INSERT INTO tiers (id, circle_id, name, rank, description, seats_taken, version, created_at) VALUES
(bench_id(4, 1), bench_id(3, 1), '读者', 1, '', 0, 1, now());

INSERT INTO memberships (id, circle_id, user_id, role, status, number, alias, note, answers, joined_at, version,
created_at) SELECT bench_id(5, n), bench_id(3, 1), bench_id(1, n), CASE n WHEN 0 THEN 'owner' ELSE 'member' END,
'active', n + 1, '', '', '{}', now() - interval '30 days', 1, now() FROM generate_series(0, :members) n;

INSERT INTO grants (id, circle_id, user_id, membership_id, tier_id, source, source_id, starts_at, created_at)
SELECT bench_id(6, n), bench_id(3, 1), bench_id(1, n), bench_id(5, n), bench_id(4, 1), 'comp', bench_id(6, n),
now() - interval '1 year', now() FROM generate_series(1, :members) n;

INSERT INTO camps (id, circle_id, created_by, title, rules, access_level, timezone, starts_on, ends_on,
schedule_kind, weekdays, dates, windows, requirement, completion_days, makeup_cards, makeup_within_days,
makeups_count, leave_days, levels, on_feed, planned_until, swept_at, version, created_at) SELECT bench_id(8, c),
bench_id(3, 1), bench_id(1, 0), '营' || c, '', 'members', 'Asia/Shanghai', :today - 11, :today + 9, 'daily', '{}',
'{}', '[]', '{"min_words": 10}', 18, 2, 7, true, 0, false, true, :today + 9, now(), 1, now()
FROM generate_series(1, :camps) c;

INSERT INTO camp_days (camp_id, day, period) SELECT bench_id(8, c), :today + d, :today + d
FROM generate_series(1, :camps) c, generate_series(-11, 9) d;

INSERT INTO camp_members (camp_id, user_id, starts_on, ends_on, completion_days, joined_at) SELECT bench_id(8, c),
bench_id(1, n), :today - 11, :today + 9, 18, now() - interval '12 days' FROM generate_series(1, :camps) c,
generate_series(1, :members) n;

INSERT INTO check_in_days (camp_id, user_id, day, kind, late, recorded_at) SELECT bench_id(8, c), bench_id(1, n),
:today + d, 'done', false, now() FROM generate_series(1, :camps) c, generate_series(1, :members) n,
generate_series(-11, -1) d;

INSERT INTO camp_standings (camp_id, user_id, streak, run, alive_until, longest, total, made_up, leave_taken,
last_day, ranked) SELECT bench_id(8, c), bench_id(1, n), 11, 11, :today, 11, 11, 0, 0, :today - 1, true
FROM generate_series(1, :camps) c, generate_series(1, :members) n
