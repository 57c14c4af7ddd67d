"""What workers owe the index: bulk, files, words. Rows of `search_due` say what; each is deleted by who did it.

Posts and works are indexed in the transaction that claims them: a killed worker leaves them due. They are read with a
share lock, so that an edit that is just being written comes first. Words and files take longer: their rows are leased.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, select, text, update

from circle.archive.search.documents import Document, of_answer, of_comment, of_post, of_submission
from circle.archive.search.indexing import index, with_files
from circle.archive.search.models import Owed, SearchDocument, SearchDue
from circle.archive.search.words import words_of
from circle.homework.models import Assignment, Submission, Work
from circle.kernel.db import Query
from circle.kernel.isolation import isolated
from circle.kernel.uow import UnitOfWork, Units
from circle.posts.models import Answer, Comment, CommentStatus, Post, PostStatus

BATCH = 100
LEASE = timedelta(minutes=5)
# A row that fails is tried again after 1, 2, 4 … minutes, and after a day at the latest.
FIRST_RETRY, LAST_RETRY = timedelta(minutes=1), timedelta(days=1)
# Comments that one statement takes over.
_COMMENTS = 500


def index_owed(units: Units, kind: Owed) -> int:
    """Index one batch of posts or works; return how many were taken. What fails is put off, alone."""
    with isolated("search_batch_failed", kind=kind) as batch, units.write() as uow:
        taken = _take(uow, kind, limit=BATCH)
    if batch.error is None:
        return taken
    with units.read() as uow:
        due = select(SearchDue.subject_id).where(SearchDue.kind == kind, SearchDue.due_at <= uow.now)
        subjects = uow.session.scalars(due.order_by(SearchDue.due_at).limit(BATCH)).all()
    for subject_id in subjects:
        with isolated("search_poison", kind=kind, subject_id=str(subject_id)) as alone, units.write() as uow:
            _take(uow, kind, limit=1, only=subject_id)
        if alone.error is not None:
            with units.write() as uow:
                put_off(uow, kind, subject_id)
    return len(subjects)


def _take(uow: UnitOfWork, kind: Owed, *, limit: int, only: UUID | None = None) -> int:
    due = select(SearchDue.subject_id).where(SearchDue.kind == kind, SearchDue.due_at <= uow.now)
    if only is not None:
        due = due.where(SearchDue.subject_id == only)
    claimed = uow.session.scalars(due.order_by(SearchDue.due_at).limit(limit).with_for_update(skip_locked=True)).all()
    if claimed:
        index_anew(uow, kind, claimed)
        done = delete(SearchDue).where(SearchDue.kind == kind, SearchDue.subject_id.in_(claimed))
        uow.session.execute(done.execution_options(synchronize_session=False))
    return len(claimed)


def put_off(uow: UnitOfWork, kind: Owed, subject_id: UUID) -> None:
    """Try again later, and ever later."""
    row = uow.session.get(SearchDue, (kind, subject_id), with_for_update=True)
    if row is not None:
        row.attempts += 1
        row.due_at = uow.now + min(FIRST_RETRY * 2 ** min(row.attempts - 1, 11), LAST_RETRY)


def index_anew(uow: UnitOfWork, kind: Owed, subjects: Collection[UUID]) -> None:
    """Index posts with all below them, or the latest versions of works, words included."""
    _READ[kind](uow, subjects)


def _index_posts(uow: UnitOfWork, subjects: Collection[UUID]) -> None:
    posts = select(Post).where(Post.id.in_(subjects), Post.status == PostStatus.PUBLISHED).order_by(Post.id)
    answers = select(Answer).where(Answer.post_id.in_(subjects)).order_by(Answer.id)
    documents: list[Document] = []
    shown = uow.session.scalars(posts.with_for_update(read=True)).all()
    for post in shown:
        documents += with_files(uow, of_post(post), post.attachments)
    for answer in uow.session.scalars(answers.with_for_update(read=True)):
        documents += with_files(uow, of_answer(answer), answer.attachments)
    index(uow, documents, with_words=True)
    commented = [post.id for post in shown if post.comment_count]
    if commented:
        _index_comments(uow, commented)


def _index_comments(uow: UnitOfWork, posts: Collection[UUID]) -> None:
    after = UUID(int=0)
    below = select(Comment).where(Comment.post_id.in_(posts), Comment.status == CommentStatus.PUBLISHED)
    while True:
        page = below.where(Comment.id > after).order_by(Comment.id).limit(_COMMENTS)
        comments = uow.session.scalars(page.with_for_update(read=True)).all()
        index(uow, map(of_comment, comments), with_words=True)
        if len(comments) < _COMMENTS:
            return
        after = comments[-1].id


def _index_works(uow: UnitOfWork, subjects: Collection[UUID]) -> None:
    """Index the latest version of each work; earlier ones are not found any more."""
    latest = (
        select(Submission, Assignment.title)
        .join(Work, Work.submission_id == Submission.id)
        .join(Assignment, Assignment.id == Work.assignment_id)
        .where(Work.id.in_(subjects))
        .order_by(Submission.id)
        .with_for_update(read=True, of=Work)
    )
    index(uow, [of_submission(one, title) for one, title in uow.session.execute(latest)], with_words=True)
    earlier = exists().where(
        Submission.id == SearchDocument.subject_id,
        Submission.work_id.in_(subjects),
        Work.id == Submission.work_id,
        Work.submission_id != Submission.id,
    )
    versions = select(Submission.id).where(Submission.work_id.in_(subjects))
    stale = delete(SearchDocument).where(SearchDocument.subject_id.in_(versions), earlier)
    uow.session.execute(stale.execution_options(synchronize_session=False))


_READ: Mapping[Owed, Callable[[UnitOfWork, Collection[UUID]], None]] = {
    Owed.POST: _index_posts,
    Owed.WORK: _index_works,
}

# Documents first, then what is owed: the order in which whoever writes a text locks them.
_SET_WORDS = Query(
    lambda: text("""
UPDATE search_documents AS document SET words = CAST(found.words AS tsvector)
FROM unnest(CAST(:subjects AS uuid[]), CAST(:words AS text[])) AS found (subject_id, words)
WHERE document.subject_id = found.subject_id
""")
)


def lease(uow: UnitOfWork, kind: Owed, *, limit: int) -> dict[UUID, datetime]:
    """Claim due rows for a while; return the lease of each, by which it is settled."""
    due = select(SearchDue.subject_id).where(SearchDue.kind == kind, SearchDue.due_at <= uow.now)
    claimed = due.order_by(SearchDue.due_at).limit(limit).with_for_update(skip_locked=True)
    until = uow.now + LEASE
    moved = (
        update(SearchDue)
        .where(SearchDue.kind == kind, SearchDue.subject_id.in_(claimed))
        .values(due_at=until)
        .returning(SearchDue.subject_id)
        .execution_options(synchronize_session=False)
    )
    return dict.fromkeys(uow.session.scalars(moved), until)


def settle(uow: UnitOfWork, kind: Owed, leased: Mapping[UUID, datetime]) -> None:
    """Delete rows that were done, unless they have become due anew meanwhile."""
    for until in set(leased.values()):
        done = delete(SearchDue).where(
            SearchDue.kind == kind, SearchDue.subject_id.in_(leased), SearchDue.due_at == until
        )
        uow.session.execute(done.execution_options(synchronize_session=False))


def find_words(units: Units) -> int:
    """Find the words of a batch of new documents; return how many were taken. What fails is put off."""
    with units.write() as uow:
        leased = lease(uow, Owed.WORDS, limit=BATCH)
        read = select(SearchDocument.subject_id, SearchDocument.title, SearchDocument.text)
        documents = uow.session.execute(read.where(SearchDocument.subject_id.in_(leased))).all()
    with isolated("search_words_failed", documents=len(leased)) as finding:
        _set_words(units, documents, leased)
    if finding.error is not None:
        with units.write() as uow:
            for subject_id in leased:
                put_off(uow, Owed.WORDS, subject_id)
    return len(leased)


def _set_words(units: Units, documents: Iterable[Any], leased: Mapping[UUID, datetime]) -> None:
    found = {one.subject_id: words_of(one.title, one.text) for one in documents}
    with units.write() as uow:
        uow.execute(_SET_WORDS, subjects=sorted(found), words=[found[one] for one in sorted(found)])
        settle(uow, Owed.WORDS, leased)


def catch_up(units: Units, kinds: Iterable[Owed] = (Owed.POST, Owed.WORK)) -> int:
    """Index all posts and works that are due; return how many."""
    done = 0
    for take in [partial(index_owed, units, kind) for kind in kinds]:
        while taken := take():
            done += taken
    return done
