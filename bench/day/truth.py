"""Looks afterwards whether all is there that was answered for, and once, and whether every rule holds."""

import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from os import environ
from typing import Any

from sqlalchemy import Connection, Engine, text

from bench.day.people import Written
from bench.installation import ROOT

# Of what a command says when it fails.
_SHOWN = 500

# What is missing or too much, each as a count that has to be 0.
_POSTS = """
SELECT count(*) FROM unnest(CAST(:posts AS uuid[])) AS said (id)
WHERE NOT EXISTS (SELECT FROM posts WHERE posts.id = said.id AND status = 'published')
"""
_MORE_POSTS = "SELECT count(*) FROM posts WHERE created_at >= :began AND NOT id = ANY (CAST(:posts AS uuid[]))"
_COMMENTS = """
SELECT count(*) FROM unnest(CAST(:comments AS uuid[])) AS said (id)
WHERE NOT EXISTS (SELECT FROM comments WHERE comments.id = said.id AND status = 'published')
"""
_MORE_COMMENTS = "SELECT count(*) FROM comments WHERE created_at >= :began AND NOT id = ANY (CAST(:comments AS uuid[]))"
_COUNTED = """
SELECT count(*) FROM posts LEFT JOIN (SELECT post_id, count(*) AS many FROM comments GROUP BY 1) AS c ON c.post_id = id
WHERE comment_count <> coalesce(many, 0)
"""
_REACTIONS = """
SELECT count(*) FROM unnest(CAST(:reacted AS uuid[]), CAST(:by AS uuid[])) AS said (post_id, user_id)
WHERE NOT EXISTS (SELECT FROM reactions AS r WHERE (r.post_id, r.user_id) = (said.post_id, said.user_id))
"""
_REACTION_COUNTS = """
SELECT count(*) FROM posts LEFT JOIN (SELECT post_id, count(*) AS many FROM reactions GROUP BY 1) AS r ON r.post_id = id
WHERE coalesce(many, 0) <> coalesce((SELECT sum(value::int) FROM jsonb_each_text(reaction_counts)), 0)
"""
_CHECK_INS = """
SELECT count(*) FROM unnest(CAST(:camps AS uuid[]), CAST(:people AS uuid[])) AS said (camp_id, user_id)
LEFT JOIN (SELECT camp_id, user_id, count(*) AS many FROM check_ins GROUP BY 1, 2) AS c USING (camp_id, user_id)
LEFT JOIN (SELECT d.camp_id, d.user_id FROM check_in_days AS d JOIN camps ON camps.id = d.camp_id
    WHERE d.kind = 'done' AND d.day = camps.starts_on + 7) AS done USING (camp_id, user_id)
WHERE coalesce(many, 0) <> 1 OR done.user_id IS NULL
"""
_MORE_CHECK_INS = "SELECT (SELECT count(*) FROM check_ins) - cardinality(CAST(:camps AS uuid[]))"
_NOTICES = """
SELECT count(*) FROM comments AS c JOIN posts AS p ON p.id = c.post_id
WHERE c.id = ANY (CAST(:comments AS uuid[])) AND p.author_id <> c.author_id
  AND 1 <> (SELECT count(*) FROM notifications AS n WHERE n.user_id = p.author_id AND n.key = 'comment:' || c.id)
"""
_FOUND = """
SELECT count(*) FROM unnest(CAST(:posts AS uuid[]) || CAST(:comments AS uuid[])) AS said (id)
WHERE NOT EXISTS (SELECT FROM search_documents AS d WHERE d.subject_id = said.id)
"""
_MAIL = "SELECT count(*) FROM outbox WHERE delivered_at IS NULL OR failed_at IS NOT NULL"
_UNPAID = """
SELECT count(*) FROM bench_renewals AS b
LEFT JOIN invoices AS v ON v.subscription_id = bench_id(11, b.r) AND v.kind = 'renewal'
WHERE v.status IS DISTINCT FROM 'paid'
"""
_TWICE = """
SELECT count(*) FROM (SELECT v.id FROM sandbox_charges AS s JOIN payment_attempts AS a ON a.number = s.number
    JOIN invoices AS v ON v.id = a.invoice_id WHERE s.state = 'succeeded' GROUP BY v.id HAVING count(*) > 1) AS twice
"""
_LOOK = {
    "posts lost": _POSTS,
    "posts nobody was told of": _MORE_POSTS,
    "comments lost": _COMMENTS,
    "comments nobody was told of": _MORE_COMMENTS,
    "posts with a wrong number of comments": _COUNTED,
    "reactions lost": _REACTIONS,
    "posts with wrong counts of reactions": _REACTION_COUNTS,
    "check-ins lost or doubled": _CHECK_INS,
    "check-ins nobody was told of": _MORE_CHECK_INS,
    "notices of comments missing or doubled": _NOTICES,
    "posts and comments that search lacks": _FOUND,
    "messages not delivered": _MAIL,
    "renewals not paid": _UNPAID,
    "invoices charged twice": _TWICE,
}


def untruths(engine: Engine, written: Written, *, began: datetime) -> list[str]:
    """Return what is not as it was said, in words."""
    reactions, check_ins = list(written.reactions), written.check_ins
    told = {
        "posts": written.posts,
        "comments": written.comments,
        "reacted": [post for post, _ in reactions],
        "by": [person for _, person in reactions],
        "camps": [camp for camp, _ in check_ins],
        "people": [person for _, person in check_ins],
        "began": began,
    }
    with engine.connect() as connection:
        found = {what: _count(connection, statement, told) for what, statement in _LOOK.items()}
    return [f"{count:,} {what}" for what, count in found.items() if count]


def doctor(settings: Mapping[str, str]) -> list[str]:
    """Return what `circle doctor` finds wrong: money, streaks, queues."""
    command = [sys.executable, "-c", "from circle.cli import main; main()", "doctor"]
    said = subprocess.run(  # noqa: S603 - our own words
        command, cwd=ROOT, env={**environ, **settings}, check=False, capture_output=True, text=True
    )
    wrong = [line.strip() for line in said.stdout.splitlines() if "WRONG" in line]
    return wrong or ([f"circle doctor: {said.stderr[-_SHOWN:]}"] if said.returncode else [])


def _count(connection: Connection, statement: str, told: Mapping[str, Any]) -> int:
    return int(connection.scalar(text(statement), {name: one for name, one in told.items() if f":{name}" in statement}))
