"""HTTP of what the archive brings back, of reading state, and of the creator's view of it."""

from uuid import UUID

from circle.archive import errors, reading_queries, report_queries, resurfacing_queries
from circle.archive import resurfacing_schemas as schemas
from circle.archive.policy import column_gate
from circle.archive.routes import FILING
from circle.archive.services import catching_up
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import MEMBERS_ONLY, Banned, MembershipExpired, NotAMember
from circle.posts.errors import PostLocked
from circle.posts.policy import circle_gate, post_gate
from circle.posts.schemas import PostOut
from circle.web.pagination import PageArgs, page_of, whole
from circle.web.routes import Routes

of_circle = Routes("resurfacing", "What the archive brings back.", gate=circle_gate, errors=MEMBERS_ONLY)
of_reader = Routes("reading", "What you have read, and where you stopped.")
ROUTES = (of_circle, of_reader)


@of_circle.get(
    "/circles/<uuid:circle_id>/gems", query=PageArgs, answer=page_of(schemas.GemOut), hot=True, errors=(Banned,)
)
def list_gems(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """Digests and other posts of high value that you have not opened, the best first."""
    return resurfacing_queries.gems(uow, caller, circle_id, **query)


@of_circle.get(
    "/circles/<uuid:circle_id>/on-this-day",
    public=True,
    query=PageArgs,
    answer=page_of(schemas.OnThisDayOut),
    hot=True,
    errors=(Banned,),
)
def list_on_this_day(uow: UnitOfWork, caller: Caller | None, circle_id: UUID, query: Json) -> Json:
    """What was published on this day of earlier years and you may open, the latest first."""
    return resurfacing_queries.on_this_day(uow, caller, circle_id, **query)


@of_circle.get("/circles/<uuid:circle_id>/unread", answer=schemas.UnreadOut, hot=True, errors=(Banned,))
def count_unread(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> Json:
    """How much you have not read: of the circle, and by column and tag where there is something.

    Of what came since, the newest thousand posts are looked at.
    """
    return reading_queries.unread(uow, caller, circle_id)


@of_circle.put(
    "/circles/<uuid:circle_id>/read",
    body=schemas.CaughtUpIn,
    status=204,
    errors=(Banned, NotAMember, MembershipExpired),
)
def mark_all_read(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> None:
    """Count everything so far as read."""
    catching_up.mark_all_read(uow, caller, circle_id, **body)


@of_circle.get(
    "/circles/<uuid:circle_id>/archive-report",
    query=schemas.ReportArgs,
    answer=schemas.ArchiveReportOut,
    hot=True,
    errors=FILING,
)
def get_archive_report(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """What is read, what nobody has opened, and what was searched for in vain; for those who file the archive."""
    return report_queries.report(uow, caller, circle_id, **query)


@of_reader.get(
    "/posts/<uuid:post_id>/related",
    public=True,
    query=schemas.RelatedArgs,
    answer=whole(PostOut),
    hot=True,
    gate=post_gate,
    errors=(Banned, PostLocked),
)
def list_related(uow: UnitOfWork, caller: Caller | None, post_id: UUID, query: Json) -> Json:
    """What to read next: posts of the same tags and columns that you may open, the closest first."""
    return resurfacing_queries.related(uow, caller, post_id, **query)


@of_reader.get(
    "/columns/<uuid:column_id>/progress",
    answer=schemas.PathProgressOut,
    hot=True,
    gate=column_gate,
    errors=(Banned, errors.ColumnLocked, errors.NotAPath),
)
def get_path_progress(uow: UnitOfWork, caller: Caller, column_id: UUID) -> Json:
    """How far you are on a reading path, and what comes next."""
    return reading_queries.progress(uow, caller, column_id)


@of_reader.get("/me/continue", query=schemas.ContinueArgs, answer=page_of(schemas.ContinueOut), hot=True)
def list_begun(uow: UnitOfWork, caller: Caller, query: Json) -> Json:
    """Articles that you have begun and not finished, the latest first."""
    return reading_queries.begun(uow, caller, **query)
