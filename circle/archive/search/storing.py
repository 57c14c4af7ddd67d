"""Writing documents of the index, and taking them out: only workers do."""

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import text

from circle.archive.search.documents import Document, row_of
from circle.archive.search.words import is_worth_loading
from circle.kernel.db import Query
from circle.kernel.uow import UnitOfWork

# Rows are compared before they are written: an edit that changes no word writes nothing. A file's name alone never
# takes the place of what it says.
_STORE = Query(
    lambda: text("""
WITH given AS (
    SELECT * FROM unnest(
        CAST(:subject_id AS uuid[]), CAST(:kind AS text[]), CAST(:circle_id AS uuid[]), CAST(:post_id AS uuid[]),
        CAST(:author_id AS uuid[]), CAST(:shown_at AS timestamptz[]), CAST(:title AS text[]), CAST(:headings AS text[]),
        CAST(:text AS text[]), CAST(:gained AS int[]), CAST(:lost AS int[]), CAST(:content AS text[]),
        CAST(:terms AS text[]), CAST(:words AS text[])
    ) AS given (subject_id, kind, circle_id, post_id, author_id, shown_at, title, headings, text, gained, lost, content,
        terms, words)
), stored AS (
    INSERT INTO search_documents AS old (subject_id, kind, circle_id, post_id, author_id, shown_at, title, headings,
        text, gained, lost, content, terms, words)
    SELECT subject_id, kind, circle_id, post_id, author_id, shown_at, title, headings, text, gained, lost, content,
        CAST(terms AS int[]), CAST(words AS tsvector)
    FROM given ORDER BY subject_id
    ON CONFLICT (subject_id) DO UPDATE SET shown_at = excluded.shown_at, title = excluded.title,
        headings = excluded.headings, text = excluded.text, gained = excluded.gained, lost = excluded.lost,
        content = excluded.content, terms = excluded.terms, words = excluded.words
    WHERE (excluded.kind <> 'file' OR excluded.content IS NOT NULL)
        AND ((old.shown_at, old.title, old.headings, old.text, old.gained, old.lost, old.content, old.terms)
            IS DISTINCT FROM (excluded.shown_at, excluded.title, excluded.headings, excluded.text, excluded.gained,
                excluded.lost, excluded.content, excluded.terms)
            OR (old.words IS NULL AND excluded.words IS NOT NULL))
    RETURNING subject_id, words IS NULL AS wordless
)
INSERT INTO search_due (kind, subject_id, due_at)
SELECT 'words', subject_id, CAST(:now AS timestamptz) FROM stored WHERE wordless
ON CONFLICT (kind, subject_id) DO UPDATE SET due_at = excluded.due_at, attempts = 0
""")
)
_FORGET = Query(lambda: text("DELETE FROM search_documents WHERE subject_id = ANY(CAST(:subjects AS uuid[]))"))
_FORGET_BELOW = Query(lambda: text("DELETE FROM search_documents WHERE post_id = ANY(CAST(:posts AS uuid[]))"))


def store(uow: UnitOfWork, documents: Iterable[Document]) -> None:
    """Write documents in one statement. A few come without their words, which are owed: see `words`."""
    given = list(documents)
    if given:
        with_words = is_worth_loading(len(given))
        rows = [row_of(document, with_words=with_words) for document in given]
        uow.execute(_STORE, now=uow.now, **{name: [row[name] for row in rows] for name in rows[0]})


def forget(uow: UnitOfWork, subjects: Collection[UUID]) -> None:
    if subjects:
        uow.execute(_FORGET, subjects=list(subjects))


def forget_below(uow: UnitOfWork, posts: Collection[UUID]) -> None:
    """Take out posts with all that stands below them."""
    if posts:
        uow.execute(_FORGET_BELOW, posts=list(posts))
