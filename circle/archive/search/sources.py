"""Reading what was written, batch by batch, into the index.

A post is locked while it or a comment below it is indexed, as the foreign keys of the index would have it anyway, but
never waited for: whoever has locked one may be waiting for us.
"""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, any_, bindparam, delete, exists, select
from sqlalchemy.dialects.postgresql import ARRAY

from circle.archive.search.documents import Document, is_read, of_answer, of_comment, of_files, of_post, of_submission
from circle.archive.search.indexing import owe
from circle.archive.search.models import Owed, SearchDocument
from circle.archive.search.storing import forget, forget_below, store
from circle.homework.models import Assignment, Submission, Work
from circle.kernel.db import Json, Query, Row
from circle.kernel.uow import UnitOfWork
from circle.posts.models import Answer, Comment, CommentStatus, Kind, Post, PostStatus

_SUBJECTS: Any = any_(bindparam("subjects", type_=ARRAY(Uuid())))


def _locking_posts(rows: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return rows.with_for_update(of=Post, read=True, key_share=True, skip_locked=True)


_POSTS = Query(
    lambda: _locking_posts(
        select(
            *(Post.id, Post.circle_id, Post.author_id, Post.kind, Post.status, Post.published_at, Post.purged_at),
            *(Post.title, Post.body, Post.excerpt, Post.attachments),
        ).where(Post.id == _SUBJECTS)
    )
)
_ANSWERS = Query(
    lambda: select(
        *(Answer.id, Answer.circle_id, Answer.post_id, Answer.author_id, Answer.created_at),
        *(Answer.body, Answer.attachments),
    ).where(Answer.post_id == _SUBJECTS)
)
_COMMENTS = Query(
    lambda: _locking_posts(
        select(
            *(Comment.id, Comment.circle_id, Comment.post_id, Comment.author_id, Comment.created_at, Comment.status),
            *(Comment.body, Post.purged_at),
        )
        .join(Post, Post.id == Comment.post_id)
        .where(Comment.id == _SUBJECTS)
    )
)
_IDS = {
    Post: Query(lambda: select(Post.id).where(Post.id == _SUBJECTS)),
    Comment: Query(lambda: select(Comment.id).where(Comment.id == _SUBJECTS)),
}


def index_posts(uow: UnitOfWork, subjects: Collection[UUID]) -> Collection[UUID]:
    """Index posts with their answers and the names of their files; return those that others have locked."""
    posts = uow.rows(_POSTS, subjects=list(subjects))
    shown = [post for post in posts if post["status"] == PostStatus.PUBLISHED]
    asked = [post["id"] for post in shown if post["kind"] == Kind.QUESTION]
    answers = uow.rows(_ANSWERS, subjects=asked) if asked else []
    documents: list[Document] = []
    cards: list[Json] = []
    for document, attached in [
        *((of_post(post), post["attachments"]) for post in shown),
        *((of_answer(answer), answer["attachments"]) for answer in answers),
    ]:
        documents += [document, *of_files(attached, document)]
        cards += attached
    store(uow, documents)
    owe(uow, Owed.FILE, [UUID(card["id"]) for card in cards if is_read(card["content_type"])])
    forget_below(uow, [post["id"] for post in posts if post["purged_at"] is not None])
    return _locked(uow, Post, subjects, posts)


def index_comments(uow: UnitOfWork, subjects: Collection[UUID]) -> Collection[UUID]:
    """Index comments, and forget those that nobody is shown any more; return those whose posts others have locked."""
    comments = uow.rows(_COMMENTS, subjects=list(subjects))
    shown = [
        comment for comment in comments if comment["status"] == CommentStatus.PUBLISHED and comment["purged_at"] is None
    ]
    store(uow, map(of_comment, shown))
    forget(uow, {comment["id"] for comment in comments} - {comment["id"] for comment in shown})
    return _locked(uow, Comment, subjects, comments)


def _locked(uow: UnitOfWork, model: type[Post | Comment], wanted: Collection[UUID], got: Sequence[Row]) -> set[UUID]:
    missing = set(wanted) - {row["id"] for row in got}
    return {row["id"] for row in uow.rows(_IDS[model], subjects=list(missing))} if missing else missing


def index_works(uow: UnitOfWork, subjects: Collection[UUID]) -> Collection[UUID]:
    """Index the latest version of each work; earlier ones are not found any more. None waits for another."""
    latest = (
        select(Submission, Assignment.title)
        .join(Work, Work.submission_id == Submission.id)
        .join(Assignment, Assignment.id == Work.assignment_id)
        .where(Work.id.in_(subjects))
        .order_by(Submission.id)
    )
    store(uow, [of_submission(one, title) for one, title in uow.session.execute(latest)])
    earlier = exists().where(
        Submission.id == SearchDocument.subject_id,
        Submission.work_id.in_(subjects),
        Work.id == Submission.work_id,
        Work.submission_id != Submission.id,
    )
    versions = select(Submission.id).where(Submission.work_id.in_(subjects))
    stale = delete(SearchDocument).where(SearchDocument.subject_id.in_(versions), earlier)
    uow.session.execute(stale.execution_options(synchronize_session=False))
    return ()
