"""HTTP of what is laid out by hand: pins, the start of a circle, bookmarks, batch work."""

from uuid import UUID

from circle.archive import errors, shelf_queries
from circle.archive import shelf_schemas as schemas
from circle.archive.routes import FILING
from circle.archive.services import batches, bookmarking, pinning
from circle.kernel.caller import Caller
from circle.kernel.cursor import BadCursor
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import MEMBERS_ONLY, Banned
from circle.posts.errors import NotPublished, PostLocked
from circle.posts.policy import circle_gate
from circle.web.limits import Limit
from circle.web.pagination import page_of, whole
from circle.web.routes import Routes

routes = Routes("shelf", "The archive: pins, bookmarks, where to start, batch work.", errors=MEMBERS_ONLY)

BATCHES = (Limit("batch", "60/hour"),)


@routes.put(
    "/posts/<uuid:post_id>/pin", body=schemas.PinIn, status=204, errors=(*FILING, NotPublished, errors.TooManyPins)
)
def pin_post(uow: UnitOfWork, caller: Caller, post_id: UUID, body: Json) -> None:
    """Pin a post to the top of its circle, or move a pin."""
    pinning.pin_post(uow, caller, post_id, **body)


@routes.delete("/posts/<uuid:post_id>/pin", status=204, errors=FILING)
def unpin_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Take a post from the top."""
    pinning.unpin_post(uow, caller, post_id)


@routes.get(
    "/circles/<uuid:circle_id>/pins",
    public=True,
    answer=whole(schemas.PinOut),
    hot=True,
    gate=circle_gate,
    errors=(Banned,),
)
def list_pins(uow: UnitOfWork, caller: Caller | None, circle_id: UUID) -> Json:
    """The circle's pins in their order; what you may not open comes locked."""
    return shelf_queries.pins(uow, caller, circle_id)


@routes.get(
    "/circles/<uuid:circle_id>/start-here",
    public=True,
    answer=schemas.StartHereOut,
    hot=True,
    gate=circle_gate,
    errors=(Banned,),
)
def get_start_here(uow: UnitOfWork, caller: Caller | None, circle_id: UUID) -> Json:
    """What to read first: as the creator laid it out, else the best of the archive that you may open."""
    return shelf_queries.start(uow, caller, circle_id)


@routes.put(
    "/circles/<uuid:circle_id>/start-here",
    body=schemas.StartHereIn,
    answer=schemas.StartHereOut,
    hot=True,
    errors=FILING,
)
def put_start_here(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Lay out what new members read first."""
    pinning.lay_out_start(uow, caller, circle_id, **body)
    return shelf_queries.start(uow, caller, circle_id)


@routes.put(
    "/posts/<uuid:post_id>/bookmark",
    body=schemas.BookmarkIn,
    status=204,
    errors=(Banned, PostLocked, NotPublished, errors.TooManyFolders),
)
def keep_post(uow: UnitOfWork, caller: Caller, post_id: UUID, body: Json) -> None:
    """Bookmark a post, or change its folder and note."""
    bookmarking.keep_post(uow, caller, post_id, **body)


@routes.delete("/posts/<uuid:post_id>/bookmark", status=204)
def drop_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Take a bookmark away, if there is one."""
    bookmarking.drop_post(uow, caller, post_id)


@routes.get("/me/bookmarks", query=schemas.BookmarkArgs, answer=page_of(schemas.BookmarkOut), hot=True)
def list_bookmarks(uow: UnitOfWork, caller: Caller, query: Json) -> Json:
    """Your bookmarks of all circles, the latest first."""
    return shelf_queries.bookmarks(uow, caller, **query)


@routes.get("/me/bookmark-folders", answer=whole(schemas.FolderOut), hot=True)
def list_bookmark_folders(uow: UnitOfWork, caller: Caller) -> Json:
    """Your folders by name."""
    return shelf_queries.folders(uow, caller)


@routes.patch(
    "/me/bookmark-folders/<uuid:folder_id>",
    body=schemas.FolderIn,
    answer=schemas.FolderOut,
    hot=True,
    errors=(errors.FolderExists,),
)
def rename_bookmark_folder(uow: UnitOfWork, caller: Caller, folder_id: UUID, body: Json) -> Json:
    """Give a folder another name."""
    bookmarking.rename_folder(uow, caller, folder_id, **body)
    return shelf_queries.folder(uow, caller, folder_id)


@routes.delete("/me/bookmark-folders/<uuid:folder_id>", status=204)
def delete_bookmark_folder(uow: UnitOfWork, caller: Caller, folder_id: UUID) -> None:
    """Take a folder away; its bookmarks stay."""
    bookmarking.delete_folder(uow, caller, folder_id)


@routes.post(
    "/circles/<uuid:circle_id>/batch",
    body=schemas.BatchIn,
    answer=schemas.BatchOut,
    limits=BATCHES,
    errors=(*FILING, BadCursor),
)
def work_batch(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Tag, file or mark many posts at once; the same again changes nothing."""
    return batches.work_batch(uow, caller, circle_id, **body)
