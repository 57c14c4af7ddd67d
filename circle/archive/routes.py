"""HTTP of the archive: digest, tags, columns, imports."""

from uuid import UUID

from circle.archive import column_queries, errors, queries, schemas
from circle.archive.policy import column_gate
from circle.archive.services import arranging, columns, digest, filing, import_requests, import_undoing, tag_tree
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import Invalid
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import (
    MEMBERS_ONLY,
    Banned,
    CircleClosed,
    MembershipExpired,
    MissingPermission,
    NotAMember,
)
from circle.posts.errors import NotPublished
from circle.posts.policy import circle_gate
from circle.web.answers import language
from circle.web.limits import Limit
from circle.web.pagination import PageArgs, page_of
from circle.web.routes import Routes
from circle.web.validation import load

routes = Routes("archive", "The archive: digest, tags, columns, imports.", errors=MEMBERS_ONLY)

IMPORTING = (Limit("import", "20/hour"), Limit("import", "200/hour", "all"))
FILING = (Banned, NotAMember, MembershipExpired, MissingPermission)
_PATH = schemas.TagPathIn()


@routes.put("/posts/<uuid:post_id>/digest", status=204, errors=(*FILING, NotPublished))
def mark_digest(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Mark a post as worth keeping."""
    digest.mark_digest(uow, caller, post_id)


@routes.delete("/posts/<uuid:post_id>/digest", status=204, errors=FILING)
def unmark_digest(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Take the mark away."""
    digest.unmark_digest(uow, caller, post_id)


@routes.put(
    "/posts/<uuid:post_id>/tags/<path:path>", status=204, errors=(*FILING, errors.TooManyTags, WrongState, Invalid)
)
def add_tag(uow: UnitOfWork, caller: Caller, post_id: UUID, path: str) -> None:
    """File a post under one tag, such as 写作/选题; the slash stands plain or percent-encoded."""
    filing.add_tag(uow, caller, post_id, load(_PATH, {"path": path})["path"])


@routes.delete("/posts/<uuid:post_id>/tags/<path:path>", status=204, errors=(*FILING, WrongState, Invalid))
def remove_tag(uow: UnitOfWork, caller: Caller, post_id: UUID, path: str) -> None:
    """Take a post out of one tag."""
    filing.remove_tag(uow, caller, post_id, load(_PATH, {"path": path})["path"])


@routes.get(
    "/circles/<uuid:circle_id>/tags",
    public=True,
    query=schemas.TagArgs,
    answer=page_of(schemas.CountedTagOut),
    hot=True,
    gate=circle_gate,
    errors=(Banned,),
)
def list_tags(uow: UnitOfWork, caller: Caller | None, circle_id: UUID, query: Json) -> Json:
    """The circle's tags by path, parents before children."""
    return queries.tags(uow, caller, circle_id, **query)


@routes.patch(
    "/tags/<uuid:tag_id>",
    body=schemas.TagPatch,
    answer=schemas.TagOut,
    hot=True,
    versioned=True,
    errors=(*FILING, errors.TagExists, errors.TagInside),
)
def edit_tag(uow: UnitOfWork, caller: Caller, tag_id: UUID, body: Json, version: int | None) -> Json:
    """Rename a tag, move it with all below it, or merge it into another, which is then the answer."""
    return queries.tag(uow, tag_tree.edit_tag(uow, caller, tag_id, version=version, **body))


@routes.get(
    "/circles/<uuid:circle_id>/columns",
    public=True,
    query=PageArgs,
    answer=page_of(schemas.ColumnOut),
    hot=True,
    gate=circle_gate,
    errors=(Banned,),
)
def list_columns(uow: UnitOfWork, caller: Caller | None, circle_id: UUID, query: Json) -> Json:
    """The circle's columns in their order; what your tier does not open comes locked."""
    return column_queries.columns(uow, caller, circle_id, **query)


@routes.post(
    "/circles/<uuid:circle_id>/columns",
    body=schemas.ColumnIn,
    answer=schemas.ColumnPageOut,
    hot=True,
    status=201,
    errors=(*FILING, CircleClosed),
)
def create_column(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Make an empty column."""
    return column_queries.column(uow, caller, columns.create_column(uow, caller, circle_id, **body).id)


@routes.get(
    "/columns/<uuid:column_id>",
    public=True,
    answer=schemas.ColumnPageOut,
    hot=True,
    gate=column_gate,
    errors=(Banned,),
)
def get_column(uow: UnitOfWork, caller: Caller | None, column_id: UUID) -> Json:
    """A column with its sections and the first of its posts; locked, its name, intro and count."""
    return column_queries.column(uow, caller, column_id)


@routes.patch(
    "/columns/<uuid:column_id>",
    body=schemas.ColumnPatch,
    answer=schemas.ColumnPageOut,
    hot=True,
    versioned=True,
    errors=FILING,
)
def edit_column(uow: UnitOfWork, caller: Caller, column_id: UUID, body: Json, version: int | None) -> Json:
    """Change a column's name, intro, cover, gate or place."""
    return column_queries.column(uow, caller, columns.edit_column(uow, caller, column_id, version=version, **body).id)


@routes.delete("/columns/<uuid:column_id>", status=204, errors=FILING)
def archive_column(uow: UnitOfWork, caller: Caller, column_id: UUID) -> None:
    """Take a column away; its posts stay."""
    columns.archive_column(uow, caller, column_id)


@routes.get(
    "/columns/<uuid:column_id>/items",
    public=True,
    query=PageArgs,
    answer=page_of(schemas.ColumnItemOut),
    hot=True,
    gate=column_gate,
    errors=(Banned, errors.ColumnLocked),
)
def list_column_items(uow: UnitOfWork, caller: Caller | None, column_id: UUID, query: Json) -> Json:
    """A column's posts in its order."""
    return column_queries.items(uow, caller, column_id, **query)


@routes.put(
    "/columns/<uuid:column_id>/items",
    body=schemas.ColumnItemsIn,
    answer=schemas.ColumnPageOut,
    hot=True,
    versioned=True,
    errors=FILING,
)
def arrange_column(uow: UnitOfWork, caller: Caller, column_id: UUID, body: Json, version: int | None) -> Json:
    """Set a column's posts, sections and order, all at once."""
    arranged = arranging.arrange_column(uow, caller, column_id, version=version, **body)
    return column_queries.column(uow, caller, arranged.id)


@routes.post(
    "/circles/<uuid:circle_id>/imports",
    body=schemas.ImportIn,
    answer=schemas.ImportOut,
    status=202,
    limits=IMPORTING,
    errors=(*FILING, CircleClosed, errors.ImportRunning, errors.ImportsUsedUp, errors.CircleNotEmpty),
)
def request_import(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Import an uploaded archive, or rehearse it; a worker does it, and `GET /imports/{id}` tells how far it is."""
    return queries.import_page(import_requests.request_import(uow, caller, circle_id, **body), language())


@routes.post(
    "/imports/<uuid:import_id>/undo",
    answer=schemas.ImportOut,
    status=202,
    errors=(*FILING, WrongState, errors.ImportRunning, errors.CircleInUse),
)
def undo_import(uow: UnitOfWork, caller: Caller, import_id: UUID) -> Json:
    """Take an import out again; what somebody has edited, answered or liked since stays, and the report names it.

    The import of a whole circle goes as long as nobody has joined: the circle is closed and hidden, its address free.
    """
    return queries.import_page(import_undoing.request_undo(uow, caller, import_id), language())


@routes.get("/imports/<uuid:import_id>", answer=schemas.ImportOut, errors=FILING)
def get_import(uow: UnitOfWork, caller: Caller, import_id: UUID) -> Json:
    """How far an import is, and what came of its files."""
    return queries.find_import(uow, caller, import_id, language())
