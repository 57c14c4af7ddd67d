"""Filing posts under nested tags, which come into being as they are used. The archive room renames and moves them."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from circle.kernel.errors import FieldError, Invalid
from circle.kernel.ids import new_id
from circle.kernel.text import Text, is_blank
from circle.kernel.uow import UnitOfWork
from circle.posts.filing import PATH_SEPARATOR, PostTag, Tag

MAX_DEPTH = 8
MAX_NAME = 40
MAX_TAGS = 20

# First key of the advisory lock on a circle's tags; the second is the circle.
_REORDERING = 7101

_BAD_PATH = Text(
    f"标签须为 1 到 {MAX_DEPTH} 级，每级 1 到 {MAX_NAME} 个字。",
    f"A tag has 1 to {MAX_DEPTH} levels of 1 to {MAX_NAME} characters each.",
)


def read_path(path: str, *, field: str = "path") -> str:
    """Return a tag's path with each name trimmed: ` 写作 / 选题/` is 写作/选题. Errors: Invalid at `field`."""
    names = [name.strip() for name in path.strip().strip(PATH_SEPARATOR).split(PATH_SEPARATOR)]
    if len(names) > MAX_DEPTH or any(is_blank(name) or len(name) > MAX_NAME for name in names):
        raise Invalid(FieldError(field, "bad_tag", _BAD_PATH))
    return PATH_SEPARATOR.join(names)


def read_paths(paths: Sequence[str], *, field: str = "tags") -> list[str]:
    """Return normalised paths without doubles, in order. Errors: Invalid at `field.<index>`."""
    return list(dict.fromkeys(read_path(path, field=f"{field}.{index}") for index, path in enumerate(paths)))


def file_under_tags(uow: UnitOfWork, circle_id: UUID, post_id: UUID, paths: Iterable[str]) -> None:
    """File a post under tags, besides those it has; tags that are new are made, with their ancestors.

    `paths` are normalised (`read_paths`). Safe against others doing the same at once.
    """
    wanted = list(paths)
    if not wanted:
        return
    ids = require_tags(uow, circle_id, wanted)
    uow.session.execute(
        insert(PostTag)
        .values([{"post_id": post_id, "tag_id": one, "circle_id": circle_id, "created_at": uow.now} for one in ids])
        .on_conflict_do_nothing()
    )


def refile_under_tags(uow: UnitOfWork, circle_id: UUID, post_id: UUID, paths: Sequence[str]) -> None:
    """File a post under exactly these tags."""
    ids = require_tags(uow, circle_id, paths)
    uow.session.execute(delete(PostTag).where(PostTag.post_id == post_id, PostTag.tag_id.not_in(ids)))
    file_under_tags(uow, circle_id, post_id, paths)


def keep_tags_in_place(uow: UnitOfWork, circle_id: UUID) -> None:
    """Until the commit, let nobody rename, move or merge tags of the circle; filing goes on side by side."""
    uow.session.execute(select(func.pg_advisory_xact_lock_shared(_REORDERING, func.hashtext(str(circle_id)))))


def reorder_tags_alone(uow: UnitOfWork, circle_id: UUID) -> None:
    """Until the commit, let nobody else file under tags of the circle, nor move them."""
    uow.session.execute(select(func.pg_advisory_xact_lock(_REORDERING, func.hashtext(str(circle_id)))))


def require_tags(uow: UnitOfWork, circle_id: UUID, paths: Sequence[str]) -> list[UUID]:
    """Return the tags' ids in the order of `paths`, making those that are new."""
    keep_tags_in_place(uow, circle_id)
    branches = {branch for path in paths for branch in _branches(path)}
    known = _find(uow, circle_id, branches)
    # Everybody makes tags in this one order, parents first, so that two at once can't wait for each other.
    for path in sorted(branches - known.keys(), key=lambda one: one.split(PATH_SEPARATOR)):
        known[path] = _make(uow, circle_id, path, known)
    return [known[path] for path in paths]


def _branches(path: str) -> list[str]:
    names = path.split(PATH_SEPARATOR)
    return [PATH_SEPARATOR.join(names[:depth]) for depth in range(1, len(names) + 1)]


def _find(uow: UnitOfWork, circle_id: UUID, paths: Iterable[str]) -> dict[str, UUID]:
    found = select(Tag.path, Tag.id).where(Tag.circle_id == circle_id, Tag.path.in_(list(paths)))
    return {row.path: row.id for row in uow.session.execute(found)}


def _make(uow: UnitOfWork, circle_id: UUID, path: str, known: dict[str, UUID]) -> UUID:
    parent, _, name = path.rpartition(PATH_SEPARATOR)
    uow.session.execute(
        insert(Tag)
        .values(
            id=new_id(),
            circle_id=circle_id,
            parent_id=known.get(parent),
            name=name,
            path=path,
            created_at=uow.now,
            version=1,
        )
        .on_conflict_do_nothing(index_elements=["circle_id", "path"])
    )
    return _find(uow, circle_id, [path])[path]
