"""A member's own bookmarks, in folders that come into being as they are used."""

from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from circle.accounts.events import UserDeleted
from circle.archive import events
from circle.archive.errors import FolderExists, TooManyFolders
from circle.archive.reading_models import CircleRead
from circle.archive.shelf_models import Bookmark, BookmarkFolder
from circle.kernel.caller import Caller
from circle.kernel.errors import NotFound
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.posts.errors import NotPublished
from circle.posts.policy import require_post

MAX_FOLDERS = 200


def keep_post(uow: UnitOfWork, caller: Caller, post_id: UUID, *, folder: str = "", note: str = "") -> None:
    """Keep a post that one may read, or put it elsewhere, with a note of one's own; it keeps its place in time.

    Errors: PostLocked, NotPublished, TooManyFolders.
    """
    post = require_post(uow, caller, post_id)
    if not post.is_published:
        raise NotPublished
    keeping = insert(Bookmark).values(
        user_id=caller.user_id,
        post_id=post_id,
        circle_id=post.circle_id,
        folder_id=_folder(uow, caller, folder) if folder else None,
        own_note=note,
        created_at=uow.now,
    )
    uow.session.execute(
        keeping.on_conflict_do_update(
            index_elements=["user_id", "post_id"],
            set_={"folder_id": keeping.excluded.folder_id, "own_note": keeping.excluded.own_note},
        )
    )
    uow.emit(events.PostKept(post.circle_id, post_id))


def drop_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Take a bookmark away, also of a post that one may read no more; without one, nothing happens."""
    dropped = uow.session.execute(
        delete(Bookmark)
        .where(Bookmark.user_id == caller.user_id, Bookmark.post_id == post_id)
        .returning(Bookmark.circle_id)
    ).scalar()
    if dropped is not None:
        uow.emit(events.PostDropped(dropped, post_id))


def rename_folder(uow: UnitOfWork, caller: Caller, folder_id: UUID, *, name: str) -> None:
    """Give one's folder another name. Errors: NotFound, FolderExists."""
    folder = _require_folder(uow, caller, folder_id)
    same = select(BookmarkFolder.id).where(
        BookmarkFolder.user_id == caller.user_id, BookmarkFolder.name == name, BookmarkFolder.id != folder_id
    )
    if uow.session.scalar(same) is not None:
        raise FolderExists
    folder.name = name


def delete_folder(uow: UnitOfWork, caller: Caller, folder_id: UUID) -> None:
    """Take one's folder away; what was in it stays among the bookmarks. Errors: NotFound."""
    folder = _require_folder(uow, caller, folder_id)
    uow.session.execute(
        update(Bookmark)
        .where(Bookmark.folder_id == folder_id)
        .values(folder_id=None)
        .execution_options(synchronize_session=False)
    )
    uow.session.delete(folder)


def forget_person(uow: UnitOfWork, deleted: UserDeleted) -> None:
    """Delete what somebody kept and how far they had read, with their account."""
    for table in (Bookmark, BookmarkFolder, CircleRead):
        uow.session.execute(delete(table).where(table.user_id == deleted.user_id))


def _folder(uow: UnitOfWork, caller: Caller, name: str) -> UUID:
    """Return the id of one's folder of this name, which is made if it is new."""
    mine = BookmarkFolder.user_id == caller.user_id
    named = select(BookmarkFolder.id).where(mine, BookmarkFolder.name == name)
    found = uow.session.scalar(named)
    if found is not None:
        return found
    if uow.session.scalars(select(func.count()).select_from(BookmarkFolder).where(mine)).one() >= MAX_FOLDERS:
        raise TooManyFolders(most=MAX_FOLDERS)
    making = insert(BookmarkFolder).values(id=new_id(), user_id=caller.user_id, name=name, created_at=uow.now)
    uow.session.execute(making.on_conflict_do_nothing(index_elements=["user_id", "name"]))
    return uow.session.scalars(named).one()


def _require_folder(uow: UnitOfWork, caller: Caller, folder_id: UUID) -> BookmarkFolder:
    """Return one's own folder, locked until the commit. Errors: NotFound."""
    folder = uow.session.get(BookmarkFolder, folder_id, with_for_update=True)
    if folder is None or folder.user_id != caller.user_id:
        raise NotFound
    return folder
