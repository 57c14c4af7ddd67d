"""The value of a post: what others have made of it, as one number that age does not lower.

    value = 20 · log2(1 + readers/4 + finishers/2 + 2·likers + 3·repliers + 4·keepers) + 60 if it is a digest

Everybody counts once, and nobody for what they wrote themselves. Twice the interest is worth 20 more, however much
there is already. See docs/archive.md.

Whatever changes the sum marks the post in `post_scores_due`; a worker takes the marks and counts those posts anew.
"""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Uuid, bindparam, delete, func, insert, select, text

from circle.archive import events
from circle.archive.reading_models import PostScore, PostScoreDue
from circle.kernel.db import Query
from circle.kernel.uow import UnitOfWork
from circle.posts.discussion_events import EngagementChanged
from circle.posts.models import FINISHED

RESCORE = "archive.rescore"
# From here on a post is a gem: what a digest has alone, or 7 points of interest, such as a bookmark and two likes.
GEM = 60
FOR_A_DIGEST = 60
# Marks, or posts, that one transaction of a job takes.
BATCH = 1_000
# What marks nothing, such as an account that is deleted, is counted by then.
COUNT_AGAIN = timedelta(days=7)

# Key of the advisory lock on counting.
_COUNTING = 7103

# One row for each post of :ids, counted over all that was done with it.
_COUNT = text(f"""
INSERT INTO post_scores AS kept
    (post_id, circle_id, readers, finishers, likers, keepers, repliers, score, scored_at)
SELECT post.id, post.circle_id, read.readers, read.finishers, liked.likers, kept.keepers, said.repliers,
    round(20 * ln(
        1 + read.readers / 4.0 + read.finishers / 2.0 + 2 * liked.likers + 3 * said.repliers + 4 * kept.keepers
    ) / ln(2.0)) + CASE WHEN post.digest_at IS NULL THEN 0 ELSE {FOR_A_DIGEST} END,
    :now
FROM posts AS post
CROSS JOIN LATERAL (
    SELECT count(*) AS readers, count(*) FILTER (WHERE progress >= {FINISHED}) AS finishers
    FROM post_reads WHERE post_id = post.id AND user_id <> post.author_id
) AS read
CROSS JOIN LATERAL (
    SELECT count(DISTINCT user_id) AS likers FROM reactions WHERE post_id = post.id AND user_id <> post.author_id
) AS liked
CROSS JOIN LATERAL (
    SELECT count(*) AS keepers FROM bookmarks WHERE post_id = post.id AND user_id <> post.author_id
) AS kept
CROSS JOIN LATERAL (
    SELECT count(DISTINCT author_id) AS repliers FROM comments
    WHERE post_id = post.id AND status = 'published' AND author_id <> post.author_id
) AS said
WHERE post.id = ANY(:ids)
ORDER BY post.id
ON CONFLICT (post_id) DO UPDATE SET
    readers = excluded.readers, finishers = excluded.finishers, likers = excluded.likers, keepers = excluded.keepers,
    repliers = excluded.repliers, score = excluded.score, scored_at = excluded.scored_at
""")  # noqa: S608 - numbers of our own


_MARK = Query(lambda: insert(PostScoreDue).values(post_id=bindparam("post_id", type_=Uuid())), joins=True)


def on_engagement(uow: UnitOfWork, changed: EngagementChanged | events.PostKept | events.PostDropped) -> None:
    uow.execute(_MARK, post_id=changed.post_id)


def on_digest(uow: UnitOfWork, changed: events.PostMarkedDigest | events.PostUnmarkedDigest) -> None:
    """Count it at once: whoever marks a post looks for it among the gems."""
    uow.execute(_MARK, post_id=changed.post_id)
    uow.ring(RESCORE)


def on_imported(uow: UnitOfWork, imported: events.PostsImported) -> None:
    """Mark what was imported: there may be digests in it."""
    if imported.post_ids:
        uow.session.execute(insert(PostScoreDue), [{"post_id": one} for one in imported.post_ids])


def rescore_due(uow: UnitOfWork) -> int:
    """Take a batch of marks and count their posts anew; return how many marks. Of two workers at once one does it."""
    if not _count_alone(uow):
        return 0
    due = select(PostScoreDue.id).order_by(PostScoreDue.id).limit(BATCH)
    taken = delete(PostScoreDue).where(PostScoreDue.id.in_(due)).returning(PostScoreDue.post_id)
    marks = uow.session.scalars(taken.execution_options(synchronize_session=False)).all()
    _count(uow, set(marks))
    return len(marks)


def rescore_old(uow: UnitOfWork) -> int:
    """Count a batch of posts anew whose value is a week old; return how many."""
    if not _count_alone(uow):
        return 0
    old = (
        select(PostScore.post_id)
        .where(PostScore.scored_at < uow.now - COUNT_AGAIN)
        .order_by(PostScore.scored_at)
        .limit(BATCH)
    )
    ids = uow.session.scalars(old).all()
    _count(uow, ids)
    return len(ids)


def _count_alone(uow: UnitOfWork) -> bool:
    """Tell whether nobody else counts until the commit: an older count must not come after a newer one."""
    return bool(uow.session.scalar(select(func.pg_try_advisory_xact_lock(_COUNTING))))


def _count(uow: UnitOfWork, ids: Collection[UUID]) -> None:
    if ids:
        uow.session.execute(_COUNT, {"ids": list(ids), "now": uow.now})
