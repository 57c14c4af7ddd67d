"""Making the index anew, beside traffic: everything is owed to it once more, and workers, here or anywhere, catch up.

It can be stopped at any time: what is still owed stays owed, and is done by the next who looks.
"""

from sqlalchemy import func, select, text

from circle.archive.search.catching_up import TEXTS
from circle.archive.search.indexing import BEHIND
from circle.archive.search.models import SearchDue
from circle.kernel.db import Query
from circle.kernel.uow import UnitOfWork

_OWE_ALL = Query(
    lambda: text("""
INSERT INTO search_due (kind, subject_id, due_at)
SELECT 'post', id, CAST(:due_at AS timestamptz) FROM posts WHERE status = 'published'
UNION ALL
SELECT 'comment', id, CAST(:due_at AS timestamptz) FROM comments WHERE status = 'published'
UNION ALL
SELECT 'work', id, CAST(:due_at AS timestamptz) FROM works WHERE attempts > 0
ON CONFLICT (kind, subject_id) DO UPDATE SET due_at = excluded.due_at, attempts = 0
""")
)


def owe_everything(uow: UnitOfWork) -> None:
    uow.execute(_OWE_ALL, due_at=uow.now - BEHIND)


def count_owed(uow: UnitOfWork) -> int:
    """Return how many texts are still owed to the index."""
    return uow.session.scalars(select(func.count()).select_from(SearchDue).where(SearchDue.kind.in_(TEXTS))).one()
