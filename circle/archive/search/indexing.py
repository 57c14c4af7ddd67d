"""The index follows what is written, in the transaction that writes it.

What comes in great numbers (imports, what was there before) and what has to be fetched (files) is owed: `catching_up`.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, text
from sqlalchemy.dialects.postgresql import insert

from circle.archive.events import PostsImported
from circle.archive.search.documents import Document, is_read, of_answer, of_comment, of_files, of_post, row_of
from circle.archive.search.models import Found, Owed, SearchDocument, SearchDue
from circle.homework.events import WorkHandedIn
from circle.kernel.db import Json, Query
from circle.kernel.uow import UnitOfWork
from circle.media.events import MediaReady
from circle.posts import discussion_events, events
from circle.posts.models import Answer, Comment, Post

CATCH_UP = "search.catch_up"

# Rows are compared before they are written: an edit that changes no word writes nothing. A file's name alone never
# takes the place of what it says.
_STORE = Query(
    lambda: text("""
WITH given AS (
    SELECT * FROM unnest(
        CAST(:subject_id AS uuid[]), CAST(:kind AS text[]), CAST(:circle_id AS uuid[]), CAST(:post_id AS uuid[]),
        CAST(:author_id AS uuid[]), CAST(:shown_at AS timestamptz[]), CAST(:title AS text[]), CAST(:text AS text[]),
        CAST(:gained AS int[]), CAST(:lost AS int[]), CAST(:content AS text[]), CAST(:terms AS text[]),
        CAST(:words AS text[])
    ) AS given (subject_id, kind, circle_id, post_id, author_id, shown_at, title, text, gained, lost, content, terms,
        words)
), stored AS (
    INSERT INTO search_documents AS old (subject_id, kind, circle_id, post_id, author_id, shown_at, title, text, gained,
        lost, content, terms, words)
    SELECT subject_id, kind, circle_id, post_id, author_id, shown_at, title, text, gained, lost, content,
        CAST(terms AS int[]), CAST(words AS tsvector)
    FROM given ORDER BY subject_id
    ON CONFLICT (subject_id) DO UPDATE SET shown_at = excluded.shown_at, title = excluded.title, text = excluded.text,
        gained = excluded.gained, lost = excluded.lost, content = excluded.content, terms = excluded.terms,
        words = excluded.words
    WHERE (excluded.kind <> 'file' OR excluded.content IS NOT NULL)
        AND ((old.shown_at, old.title, old.text, old.gained, old.lost, old.content, old.terms)
            IS DISTINCT FROM (excluded.shown_at, excluded.title, excluded.text, excluded.gained, excluded.lost,
                excluded.content, excluded.terms)
            OR (old.words IS NULL AND excluded.words IS NOT NULL))
    RETURNING subject_id, words
)
INSERT INTO search_due (kind, subject_id, due_at)
SELECT 'words', subject_id, CAST(:now AS timestamptz) FROM stored WHERE words IS NULL
ON CONFLICT (kind, subject_id) DO UPDATE SET due_at = excluded.due_at, attempts = 0
""")
)


def index(uow: UnitOfWork, documents: Iterable[Document], *, with_words: bool = False) -> None:
    """Write documents of the index, in one statement. Without their words, a worker finds those."""
    rows = [row_of(document, with_words=with_words) for document in documents]
    if rows:
        uow.execute(_STORE, now=uow.now, **{name: [row[name] for row in rows] for name in rows[0]})


def owe(uow: UnitOfWork, kind: Owed, subjects: Collection[UUID], *, due_at: datetime | None = None) -> None:
    """Have workers do something for the index, now unless a time is given."""
    if not subjects:
        return
    rows = [{"kind": kind, "subject_id": one, "due_at": due_at or uow.now} for one in sorted(set(subjects))]
    owed = insert(SearchDue)
    uow.session.execute(
        owed.on_conflict_do_update(
            index_elements=["kind", "subject_id"], set_={"due_at": owed.excluded.due_at, "attempts": 0}
        ),
        rows,
    )
    uow.ring(CATCH_UP)


def with_files(uow: UnitOfWork, document: Document, cards: Collection[Json]) -> list[Document]:
    """Return a document and those of its attachments; the texts among them are owed."""
    files = of_files(cards, document)
    owe(uow, Owed.FILE, [UUID(card["id"]) for card in cards if is_read(card["content_type"])])
    return [document, *files]


def on_post_published(uow: UnitOfWork, happened: events.PostPublished) -> None:
    post = uow.get(Post, happened.post_id)
    index(uow, with_files(uow, of_post(post), post.attachments))


def on_post_changed(uow: UnitOfWork, happened: events.PostEdited | events.PostReturned) -> None:
    """Index what the post says now: it may have been edited while nobody saw it."""
    post = uow.get(Post, happened.post_id)
    index(uow, with_files(uow, of_post(post), post.attachments))
    _forget_files(uow, post.id)


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


def on_post_purged(uow: UnitOfWork, happened: events.PostPurged) -> None:
    """Forget a post's words, and those below it."""
    _forget(uow, SearchDocument.post_id == happened.post_id)


def on_answer_written(
    uow: UnitOfWork, happened: discussion_events.QuestionAnswered | discussion_events.AnswerEdited
) -> None:
    answer = uow.session.get_one(Answer, happened.answer_id)
    index(uow, with_files(uow, of_answer(answer), answer.attachments))
    if isinstance(happened, discussion_events.AnswerEdited):
        _forget_files(uow, answer.post_id)


def on_comment_written(
    uow: UnitOfWork, happened: discussion_events.CommentPosted | discussion_events.CommentChanged
) -> None:
    index(uow, [of_comment(uow.session.get_one(Comment, happened.comment_id))])


def on_comment_trashed(uow: UnitOfWork, happened: discussion_events.CommentTrashed) -> None:
    _forget(uow, SearchDocument.subject_id == happened.comment_id)


def on_posts_imported(uow: UnitOfWork, happened: PostsImported) -> None:
    owe(uow, Owed.POST, happened.post_ids)


def on_work_handed_in(uow: UnitOfWork, happened: WorkHandedIn) -> None:
    owe(uow, Owed.WORK, [happened.work_id])


def on_media_ready(uow: UnitOfWork, ready: MediaReady) -> None:
    """Read a file that was attached before it had been processed."""
    waiting = select(SearchDocument.subject_id).where(
        SearchDocument.subject_id == ready.media_id, SearchDocument.content.is_(None)
    )
    if ready.attached_to is not None:
        owe(uow, Owed.FILE, uow.session.scalars(waiting).all())


def _forget(uow: UnitOfWork, which: ColumnElement[bool]) -> None:
    gone = delete(SearchDocument).where(which).returning(SearchDocument.subject_id)
    subjects = uow.session.scalars(gone.execution_options(synchronize_session=False)).all()
    uow.session.execute(
        delete(SearchDue)
        .where(SearchDue.kind == Owed.WORDS, SearchDue.subject_id.in_(subjects))
        .execution_options(synchronize_session=False)
    )
