"""Filing one post under one tag: one request per tag, so that two editors never overwrite each other."""

from uuid import UUID

from sqlalchemy import delete, select

from circle.archive.errors import TooManyTags
from circle.kernel import audit, changes
from circle.kernel.caller import Caller
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission
from circle.posts import events
from circle.posts.filing import PostTag, Tag
from circle.posts.models import Post, PostStatus
from circle.posts.policy import lock_post
from circle.posts.services.tagging import MAX_TAGS, file_under_tags, keep_tags_in_place, read_path


def add_tag(uow: UnitOfWork, caller: Caller, post_id: UUID, path: str) -> None:
    """File a post under a tag, which is made with its ancestors if it is new. Errors: Invalid, TooManyTags."""
    post = _lock_filed(uow, caller, post_id)
    wanted = read_path(path)
    keep_tags_in_place(uow, post.circle_id)
    paths = select(Tag.path).join(PostTag, PostTag.tag_id == Tag.id).where(PostTag.post_id == post_id)
    present = set(uow.session.scalars(paths))
    if wanted in present:
        return
    if len(present) >= MAX_TAGS:
        raise TooManyTags(most=MAX_TAGS)
    file_under_tags(uow, post.circle_id, post_id, [wanted])
    _note(uow, caller, "post.add_tag", post, wanted)


def remove_tag(uow: UnitOfWork, caller: Caller, post_id: UUID, path: str) -> None:
    """Take a post out of a tag; out of one that it is not in, nothing happens. Errors: Invalid."""
    post = _lock_filed(uow, caller, post_id)
    wanted = read_path(path)
    tag = select(Tag.id).where(Tag.circle_id == post.circle_id, Tag.path == wanted).scalar_subquery()
    removed = uow.session.execute(
        delete(PostTag).where(PostTag.post_id == post_id, PostTag.tag_id == tag).returning(PostTag.tag_id)
    ).scalar()
    if removed is not None:
        _note(uow, caller, "post.remove_tag", post, wanted)


def _lock_filed(uow: UnitOfWork, caller: Caller, post_id: UUID) -> Post:
    post, _standing = lock_post(uow, caller, post_id)
    require_permission(uow, caller, post.circle_id, Permission.FILE_ARCHIVE)
    if post.status == PostStatus.TRASHED:
        raise WrongState(state=post.status)
    return post


def _note(uow: UnitOfWork, caller: Caller, action: str, post: Post, path: str) -> None:
    audit.record(uow, caller, action, circle_id=post.circle_id, subject_kind="post", subject_id=post.id, tag=path)
    if post.status == PostStatus.PUBLISHED:
        changes.record(uow, circle_id=post.circle_id, kind="post", item_id=post.id, operation="updated")
        uow.emit(events.PostEdited(post.circle_id, post.id, post.author_id, post.kind, rewritten=False))
