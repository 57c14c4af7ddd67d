"""What is written owes the index: a row of `search_due` in the transaction that writes. Workers do it: `catching_up`.

An edit takes the old words out of the index at once. Who owes waits for a worker that is just indexing the same thing,
so what it has read before the edit is in the index by then, and is taken out with the rest.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, text

from circle.archive.events import PostsImported
from circle.archive.search.models import Found, Owed, SearchDocument
from circle.homework.events import WorkHandedIn
from circle.kernel.db import Query
from circle.kernel.uow import UnitOfWork
from circle.media.events import MediaReady
from circle.posts import discussion_events, events
from circle.posts.models import Answer, Post

CATCH_UP = "search.catch_up"
# What is owed in bulk is owed as if long ago: workers take the latest first, so what somebody has just written never
# waits for an import.
BEHIND = timedelta(days=365)

_OWE = Query(
    lambda: text("""
INSERT INTO search_due (kind, subject_id, due_at) VALUES (:kind, :subject_id, :due_at)
ON CONFLICT (kind, subject_id) DO UPDATE SET due_at = excluded.due_at, attempts = 0
"""),
    joins=True,
)
_OWE_MANY = Query(
    lambda: text("""
INSERT INTO search_due (kind, subject_id, due_at)
SELECT :kind, subject_id, :due_at FROM unnest(CAST(:subjects AS uuid[])) AS subject_id
ON CONFLICT (kind, subject_id) DO UPDATE SET due_at = excluded.due_at, attempts = 0
""")
)
_OWE_COMMENTS = Query(
    lambda: text("""
INSERT INTO search_due (kind, subject_id, due_at)
SELECT 'comment', id, CAST(:due_at AS timestamptz) FROM comments
WHERE post_id = ANY(CAST(:posts AS uuid[])) AND status = 'published' ORDER BY id
ON CONFLICT (kind, subject_id) DO UPDATE SET due_at = excluded.due_at, attempts = 0
""")
)
_WITHDRAW = Query(lambda: text("DELETE FROM search_documents WHERE subject_id = :subject_id"))


def owe(uow: UnitOfWork, kind: Owed, subjects: Collection[UUID], *, due_at: datetime | None = None) -> None:
    """Have workers do something for the index, now unless a time is given."""
    due_at = due_at or uow.now
    if len(subjects) == 1:
        [subject_id] = subjects
        uow.execute(_OWE, kind=kind.value, subject_id=subject_id, due_at=due_at)
    elif subjects:
        uow.execute(_OWE_MANY, kind=kind.value, subjects=sorted(set(subjects)), due_at=due_at)
    else:
        return
    uow.ring(CATCH_UP)


def on_post_published(uow: UnitOfWork, happened: events.PostPublished) -> None:
    owe(uow, Owed.POST, [happened.post_id])


def on_post_edited(uow: UnitOfWork, happened: events.PostEdited) -> None:
    """Have the new text indexed; what it replaced is not found any more, nor are files that were taken off."""
    if happened.rewritten:
        _rewrite(uow, Owed.POST, happened.post_id, happened.post_id)
        _forget_files(uow, happened.post_id)


def on_post_returned(uow: UnitOfWork, happened: events.PostReturned) -> None:
    """Index what the post says now: it may have been edited while nobody saw it."""
    _rewrite(uow, Owed.POST, happened.post_id, happened.post_id)
    _forget_files(uow, happened.post_id)


def on_post_purged(uow: UnitOfWork, happened: events.PostPurged) -> None:
    owe(uow, Owed.POST, [happened.post_id])


def on_question_answered(uow: UnitOfWork, happened: discussion_events.QuestionAnswered) -> None:
    owe(uow, Owed.POST, [happened.post_id])


def on_answer_edited(uow: UnitOfWork, happened: discussion_events.AnswerEdited) -> None:
    _rewrite(uow, Owed.POST, happened.post_id, happened.answer_id)
    _forget_files(uow, happened.post_id)


def on_comment_posted(uow: UnitOfWork, happened: discussion_events.CommentPosted) -> None:
    owe(uow, Owed.COMMENT, [happened.comment_id])


def on_comment_changed(
    uow: UnitOfWork, happened: discussion_events.CommentChanged | discussion_events.CommentTrashed
) -> None:
    _rewrite(uow, Owed.COMMENT, happened.comment_id, happened.comment_id)


def on_posts_imported(uow: UnitOfWork, happened: PostsImported) -> None:
    owe(uow, Owed.POST, happened.post_ids, due_at=uow.now - BEHIND)
    uow.execute(_OWE_COMMENTS, posts=list(happened.post_ids), due_at=uow.now - BEHIND)


def on_work_handed_in(uow: UnitOfWork, happened: WorkHandedIn) -> None:
    owe(uow, Owed.WORK, [happened.work_id])


def on_media_ready(uow: UnitOfWork, ready: MediaReady) -> None:
    """Read a file that was attached before it had been processed."""
    waiting = select(SearchDocument.subject_id).where(
        SearchDocument.subject_id == ready.media_id, SearchDocument.content.is_(None)
    )
    if ready.attached_to is not None:
        owe(uow, Owed.FILE, uow.session.scalars(waiting).all())


def _rewrite(uow: UnitOfWork, kind: Owed, owing: UUID, subject_id: UUID) -> None:
    """Owe first: a worker that has read the old text is waited for, and what it wrote is taken out."""
    owe(uow, kind, [owing])
    uow.execute(_WITHDRAW, subject_id=subject_id)


def _forget_files(uow: UnitOfWork, post_id: UUID) -> None:
    """Drop files that neither the post nor its answer shows any more."""
    kept = {
        UUID(card["id"])
        for model, column in ((Post, Post.id), (Answer, Answer.post_id))
        for cards in uow.session.scalars(select(model.attachments).where(column == post_id))
        for card in cards
    }
    uow.session.execute(
        delete(SearchDocument)
        .where(
            SearchDocument.post_id == post_id,
            SearchDocument.kind == Found.FILE,
            SearchDocument.subject_id.not_in(kept),
        )
        .execution_options(synchronize_session=False)
    )
