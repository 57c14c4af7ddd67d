"""What workers owe the index. Rows of `search_due` say what; who has done one deletes it.

Texts are read and indexed in the transaction that locks their rows: a killed worker leaves them due, and who edits one
waits until it is over (`indexing`). Words and files take longer: their rows are leased.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text, update

from circle.archive.search import sources
from circle.archive.search.models import Owed, SearchDue
from circle.archive.search.words import words_of
from circle.kernel.db import Query
from circle.kernel.isolation import isolated
from circle.kernel.uow import UnitOfWork, Units

# Texts of one transaction. An edit of one of them waits for it to end.
BATCH = 200
# Documents whose words are found in one transaction.
WORDS_BATCH = 500
# Batches of one run: then other jobs have their turn, and this one is rung again.
ROUNDS = 20
LEASE = timedelta(minutes=5)
# A row that fails is tried again after 1, 2, 4 … minutes, and after a day at the latest.
FIRST_RETRY, LAST_RETRY = timedelta(minutes=1), timedelta(days=1)
# When what somebody has locked is looked at again, unless they owe it anew.
BUSY = timedelta(seconds=1)
TEXTS = (Owed.POST, Owed.COMMENT, Owed.WORK)

# The latest first: what was just written goes before an import or a rebuild of everything.
_CLAIM = Query(
    lambda: text("""
SELECT subject_id FROM search_due WHERE kind = :kind AND due_at <= :now
ORDER BY due_at DESC LIMIT :most FOR UPDATE SKIP LOCKED
""")
)
_CLAIM_ONE = Query(
    lambda: text("""
SELECT subject_id FROM search_due WHERE kind = :kind AND subject_id = :subject_id AND due_at <= :now
FOR UPDATE SKIP LOCKED
""")
)
_DONE = Query(lambda: text("DELETE FROM search_due WHERE kind = :kind AND subject_id = ANY(CAST(:subjects AS uuid[]))"))
_WAIT = Query(
    lambda: text("""
UPDATE search_due SET due_at = CAST(:due_at AS timestamptz)
WHERE kind = :kind AND subject_id = ANY(CAST(:subjects AS uuid[]))
""")
)
# Index what stands in these rows; return those that others have locked.
_INDEX: Mapping[Owed, Callable[[UnitOfWork, Collection[UUID]], Collection[UUID]]] = {
    Owed.POST: sources.index_posts,
    Owed.COMMENT: sources.index_comments,
    Owed.WORK: sources.index_works,
}


def index_owed(units: Units, kind: Owed) -> int:
    """Index one batch of texts; return how many were taken. What fails is put off, alone."""
    with isolated("search_batch_failed", again=True, kind=kind) as batch, units.write() as uow:
        claimed = uow.rows(_CLAIM, kind=kind.value, now=uow.now, most=BATCH)
        taken = _index(uow, kind, [row["subject_id"] for row in claimed])
    if batch.error is None:
        return taken
    with units.read() as uow:
        due = select(SearchDue.subject_id).where(SearchDue.kind == kind, SearchDue.due_at <= uow.now)
        subjects = uow.session.scalars(due.order_by(SearchDue.due_at.desc()).limit(BATCH)).all()
    for subject_id in subjects:
        with isolated("search_poison", kind=kind, subject_id=str(subject_id)) as alone, units.write() as uow:
            claimed = uow.rows(_CLAIM_ONE, kind=kind.value, subject_id=subject_id, now=uow.now)
            _index(uow, kind, [row["subject_id"] for row in claimed])
        if alone.error is not None:
            with units.write() as uow:
                put_off(uow, kind, subject_id)
    return len(subjects)


def _index(uow: UnitOfWork, kind: Owed, claimed: Collection[UUID]) -> int:
    if not claimed:
        return 0
    busy = set(_INDEX[kind](uow, claimed))
    if busy:
        uow.execute(_WAIT, kind=kind.value, subjects=sorted(busy), due_at=uow.now + BUSY)
    uow.execute(_DONE, kind=kind.value, subjects=[one for one in claimed if one not in busy])
    return len(claimed)


def put_off(uow: UnitOfWork, kind: Owed, subject_id: UUID) -> None:
    """Try again later, and ever later."""
    row = uow.session.get(SearchDue, (kind, subject_id), with_for_update=True)
    if row is not None:
        row.attempts += 1
        row.due_at = uow.now + min(FIRST_RETRY * 2 ** min(row.attempts - 1, 11), LAST_RETRY)


def catch_up(units: Units, *, rounds: int | None = None) -> tuple[int, bool]:
    """Index texts that are due, of each kind in turn; return how many, and whether there may be more."""
    done = 0
    while rounds is None or rounds > 0:
        taken = sum([index_owed(units, kind) for kind in TEXTS])
        if not taken:
            return done, False
        done += taken
        rounds = rounds and rounds - 1
    return done, True


# Documents first, then what is owed: the order in which whoever writes a text locks them. A document that was written
# since its text was read is another: whoever wrote it has found or owes its words.
_SET_WORDS = Query(
    lambda: text("""
UPDATE search_documents AS document SET words = CAST(found.words AS tsvector)
FROM unnest(CAST(:subjects AS uuid[]), CAST(:rows AS text[]), CAST(:words AS text[])) AS found (subject_id, row, words)
WHERE document.subject_id = found.subject_id AND CAST(document.xmin AS text) = found.row
""")
)
_TO_READ = Query(
    lambda: text("""
SELECT subject_id, CAST(xmin AS text) AS row, title, text FROM search_documents
WHERE subject_id = ANY(CAST(:subjects AS uuid[])) ORDER BY subject_id
""")
)


def lease(uow: UnitOfWork, kind: Owed, *, limit: int) -> dict[UUID, datetime]:
    """Claim due rows for a while, the latest first; return the lease of each, by which it is settled."""
    due = select(SearchDue.subject_id).where(SearchDue.kind == kind, SearchDue.due_at <= uow.now)
    claimed = due.order_by(SearchDue.due_at.desc()).limit(limit).with_for_update(skip_locked=True)
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
        leased = lease(uow, Owed.WORDS, limit=WORDS_BATCH)
        documents = uow.rows(_TO_READ, subjects=list(leased))
    with isolated("search_words_failed", documents=len(leased)) as finding:
        _set_words(units, documents, leased)
    if finding.error is not None:
        with units.write() as uow:
            for subject_id in leased:
                put_off(uow, Owed.WORDS, subject_id)
    return len(leased)


def _set_words(units: Units, documents: Iterable[Mapping[str, Any]], leased: Mapping[UUID, datetime]) -> None:
    read = [(one["subject_id"], one["row"], words_of(one["title"], one["text"])) for one in documents]
    with units.write() as uow:
        if read:
            subjects, rows, words = zip(*read, strict=True)
            uow.execute(_SET_WORDS, subjects=list(subjects), rows=list(rows), words=list(words))
        settle(uow, Owed.WORDS, leased)
