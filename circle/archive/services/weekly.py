"""The weekly digest: on Sunday evening by the circle's own clock, each member hears what they have missed.

A row per circle and week makes two clocks one; it also keeps how far the members were told, batch by batch, so that a
kill costs nothing. Told are the posts of the week and the gems of the archive that this member may open and has not.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import zip_longest
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
    Integer,
    Select,
    Uuid,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import aliased

from circle.accounts.models import User
from circle.archive.events import MemberMissed, WeekMissed
from circle.archive.reading_models import PostScore, WeeklyDigest
from circle.archive.services.scoring import GEM
from circle.kernel.db import Query, Row
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership, Status
from circle.memberships.policy import Standing, standing_from, with_standing
from circle.posts.models import Post, PostRead
from circle.posts.policy import IS_PUBLISHED, Required, unlocked
from circle.posts.readers import READER, each_reader, for_each_reader

# By the clock of the circle: Sunday, so many hours after midnight.
HOUR = 19
# A clock that was away for longer leaves the week out: nobody wants Sunday's digest on Thursday.
LATEST = timedelta(hours=36)
# Members that one transaction tells.
BATCH = 200
# Posts that a notice names.
NAMED = 5
_MOST_COUNTED = 100
CIRCLES = 500
KEEP = timedelta(days=60)

# Circles whose last Sunday evening is not long past, and that have no row for it yet.
_BEGIN = text(f"""
INSERT INTO weekly_digests (circle_id, week_of, due_at)
SELECT circle.id, evening.local::date, evening.local AT TIME ZONE circle.timezone
FROM circles AS circle
CROSS JOIN LATERAL (
    SELECT date_trunc('week', (:now AT TIME ZONE circle.timezone) + interval '1 day' - interval '{HOUR} hours')
        - interval '1 day' + interval '{HOUR} hours' AS local
) AS evening
WHERE circle.closed_at IS NULL
AND evening.local AT TIME ZONE circle.timezone > :latest
AND circle.created_at < evening.local AT TIME ZONE circle.timezone
AND NOT EXISTS (
    SELECT FROM weekly_digests AS done WHERE done.circle_id = circle.id AND done.week_of = evening.local::date
)
LIMIT :limit
ON CONFLICT DO NOTHING
""")  # noqa: S608 - numbers of our own


def _select_members() -> Select[*tuple[Any, ...]]:
    member = aliased(Membership, name="told")
    page = (
        select(member.id.label("told_id"), member.user_id.label("of_user"), member.circle_id.label("of_circle"))
        .join(User, User.id == member.user_id)
        .where(
            member.circle_id == bindparam("circle_id", type_=Uuid()),
            member.status == Status.ACTIVE,
            # Whoever can't log in is not told what to read.
            User.suspended_at.is_(None),
            member.id > bindparam("after_id", type_=Uuid()),
        )
        .order_by(member.id)
        .limit(bindparam("limit", type_=Integer()))
        .subquery("page")
    )
    return with_standing(select(page), page.c.of_circle, page.c.of_user).order_by(page.c.told_id)


def _missed() -> Any:
    """Tell in SQL whether the reader of the row may open a post of theirs that they have not opened yet."""
    opened = exists(
        select(PostRead.post_id)
        .where(PostRead.post_id == Post.id, PostRead.user_id == READER.c.reader_id)
        .correlate(Post, READER)
    )
    return and_(IS_PUBLISHED, for_each_reader(unlocked()), Post.author_id != READER.c.reader_id, ~opened)


def _select_missed() -> Select[*tuple[Any, ...]]:
    """Select for each reader how much of the week they missed, and the best of it and of the archive."""
    begin = bindparam("begin", type_=DateTime(timezone=True))
    score = func.coalesce(PostScore.score, literal_column("0"))
    week = (
        select(Post.id, score.label("score"))
        .outerjoin(Required, Required.id == Post.access_tier_id)
        .outerjoin(PostScore, PostScore.post_id == Post.id)
        .where(
            Post.circle_id == READER.c.circle_id,
            Post.published_at > begin,
            Post.published_at <= bindparam("due_at", type_=DateTime(timezone=True)),
            _missed(),
        )
        .order_by(Post.published_at.desc(), Post.id.desc())
        .limit(_MOST_COUNTED)
        .correlate(READER)
        .lateral("week")
    )
    gems = (
        select(Post.id, PostScore.score)
        .select_from(PostScore)
        .join(Post, Post.id == PostScore.post_id)
        .outerjoin(Required, Required.id == Post.access_tier_id)
        .where(PostScore.circle_id == READER.c.circle_id, PostScore.score >= GEM, Post.published_at <= begin, _missed())
        .order_by(PostScore.score.desc(), PostScore.post_id.desc())
        .limit(NAMED)
        .correlate(READER)
        .lateral("gems")
    )

    def best(of: Any) -> Any:
        ordered = func.array_agg(aggregate_order_by(of.c.id, of.c.score.desc(), of.c.id.desc()))
        return select(func.count().label("found"), ordered.label("ids")).select_from(of).lateral(f"best_{of.name}")

    new, old = best(week), best(gems)
    return (
        select(
            READER.c.reader_id,
            new.c.found.label("missed"),
            new.c.ids.label("new_ids"),
            old.c.found.label("gems"),
            old.c.ids.label("old_ids"),
        )
        .select_from(READER)
        .join(new, true())
        .join(old, true())
    )


_MEMBERS, _MISSED = Query(_select_members), Query(_select_missed)


def begin_due(uow: UnitOfWork) -> int:
    """Begin the digests of circles whose Sunday evening has come; return how many."""
    begun = uow.session.execute(_BEGIN, {"now": uow.now, "latest": uow.now - LATEST, "limit": CIRCLES})
    return int(begun.rowcount)  # type: ignore[attr-defined]


def tell_some(uow: UnitOfWork) -> int | None:
    """Tell a batch of members of one circle; return how many had missed something, None if no digest is open.

    Circles take turns: each has told its first members before a large one goes on.
    """
    digest = uow.session.scalar(
        select(WeeklyDigest)
        .where(WeeklyDigest.finished_at.is_(None))
        .order_by(WeeklyDigest.after_id.nulls_first(), WeeklyDigest.due_at, WeeklyDigest.circle_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if digest is None:
        return None
    after_id, last = digest.after_id or UUID(int=0), digest.due_at < uow.now - LATEST
    rows = [] if last else uow.rows(_MEMBERS, circle_id=digest.circle_id, after_id=after_id, limit=BATCH, now=uow.now)
    members = _members(uow, digest, [standing_from(row, uow.now, row["of_user"]) for row in rows])
    if members:
        uow.emit(WeekMissed(digest.circle_id, digest.week_of, members))
    if len(rows) < BATCH:
        digest.finished_at = uow.now
    else:
        digest.after_id = rows[-1]["told_id"]
    return len(members)


def _members(uow: UnitOfWork, digest: WeeklyDigest, standings: Sequence[Standing]) -> tuple[MemberMissed, ...]:
    inside = [one for one in standings if one.is_inside]
    if not inside:
        return ()
    week = {"begin": digest.due_at - timedelta(days=7), "due_at": digest.due_at}
    rows = uow.rows(_MISSED, **week, **each_reader(inside))
    return tuple(
        MemberMissed(row["reader_id"], row["missed"], row["gems"], _named(row))
        for row in rows
        if row["missed"] or row["gems"]
    )


def _named(row: Row) -> tuple[UUID, ...]:
    """Return the best of the week and of the archive by turns, so that neither drives out the other."""
    both = zip_longest((row["new_ids"] or [])[:NAMED], (row["old_ids"] or [])[:NAMED])
    return tuple(one for pair in both for one in pair if one is not None)[:NAMED]


def forget_old(uow: UnitOfWork) -> int:
    """Delete notes of digests that no clock would send again; return how many."""
    old = delete(WeeklyDigest).where(WeeklyDigest.due_at < uow.now - KEEP)
    return int(uow.session.execute(old).rowcount)  # type: ignore[attr-defined]
