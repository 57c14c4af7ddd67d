"""Writing and editing posts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from circle.kernel import audit, changes
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, StaleVersion
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import Standing, require_permission, require_voice
from circle.posts import events
from circle.posts.errors import NotTheAuthor
from circle.posts.models import Kind, Post, PostStatus
from circle.posts.policy import lock_post
from circle.posts.services import publishing
from circle.posts.services.composing import Gate, compose, read_body, read_gate, require_content, show_attachments
from circle.posts.services.questions import ask_question
from circle.posts.services.revisions import keep_revision
from circle.posts.services.tagging import read_paths, refile_under_tags

# What those who file the archive may change of others' posts.
_FILING = frozenset({"access", "tags"})
_ASKING = ("asked_id", "anonymous", "amount")
_UNSEEN = frozenset({PostStatus.DRAFT, PostStatus.SCHEDULED})


def write_post(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    kind: str,
    tags: Sequence[str] = (),
    publish_at: datetime | None = None,
    draft: bool = False,
    **content: Any,
) -> Post:
    """Write a post: published at once, held by a blocked word, kept as a draft, or scheduled.

    `content` is what `compose` takes, of a question what `ask_question` takes.
    Errors: those of `require_voice`, Invalid, MissingPermission for a gate the caller may not set.
    """
    paths = read_paths(tags)
    if kind == Kind.QUESTION:
        _refuse_waiting(draft=draft, publish_at=publish_at)
        return ask_question(uow, caller, circle_id, tags=paths, **content)
    standing = require_voice(uow, caller, circle_id)
    _refuse_asking(content)
    post = compose(uow, caller, standing, kind=Kind(kind), **content)
    if draft and publish_at is not None:
        raise Invalid.field("publish_at", "one_of", "草稿不能定时发布。", "A draft has no time of publishing.")
    if draft:
        publishing.keep_draft(uow, post, tags=paths)
    elif publish_at is not None:
        publishing.schedule(uow, standing, post, publish_at, tags=paths)
    else:
        publishing.put_out(uow, standing, post, tags=paths)
    return post


def _refuse_asking(content: dict[str, Any]) -> None:
    for field in _ASKING:
        if content.pop(field, None):
            raise Invalid.field(field, "questions_only", "仅用于提问。", "Only questions have this.")


def _refuse_waiting(*, draft: bool, publish_at: datetime | None) -> None:
    if draft or publish_at is not None:
        field = "draft" if draft else "publish_at"
        raise Invalid.field(field, "not_for_questions", "提问不能存草稿或定时。", "A question is asked at once.")


def edit_post(
    uow: UnitOfWork,
    caller: Caller,
    post_id: UUID,
    *,
    version: int | None,
    publish_at: datetime | None = None,
    draft: bool | None = None,
    **changed: Any,
) -> Post:
    """Change a post, or bring a draft before readers (`draft: false`, or a time to publish at).

    Authors change everything; who files the archive changes the gate and tags of others' posts.
    Errors: StaleVersion, NotTheAuthor, WrongState in the trash, those of `write_post`.
    """
    post, _standing = lock_post(uow, caller, post_id)
    standing = _require_editor(uow, caller, post, changed.keys() | _given(publish_at=publish_at, draft=draft))
    if version is not None and version != post.version:
        raise StaleVersion
    if post.status == PostStatus.TRASHED:
        raise WrongState(state=post.status)
    said = _said(post)
    _change(uow, caller, standing, post, changed)
    if post.status in _UNSEEN:
        _move_draft(uow, standing, post, publish_at=publish_at, draft=draft)
    elif publish_at is not None or draft:
        raise WrongState(state=post.status)
    elif post.status == PostStatus.PUBLISHED:
        _show_edited(uow, standing, post, rewritten=_said(post) != said)
    if post.author_id != caller.user_id:
        fields = sorted(changed)
        audit.record(
            uow, caller, "post.edit", circle_id=post.circle_id, subject_kind="post", subject_id=post.id, fields=fields
        )
    return post


def _given(**fields: object) -> set[str]:
    return {name for name, value in fields.items() if value is not None}


def _require_editor(uow: UnitOfWork, caller: Caller, post: Post, fields: set[str]) -> Standing:
    if post.author_id == caller.user_id:
        return require_voice(uow, caller, post.circle_id)
    if not fields <= _FILING:
        raise NotTheAuthor
    return require_permission(uow, caller, post.circle_id, Permission.FILE_ARCHIVE)


def _change(uow: UnitOfWork, caller: Caller, standing: Standing, post: Post, changed: Mapping[str, Any]) -> None:
    title, body = changed.get("title", post.title), post.body
    if "body" in changed:
        body = read_body(uow, post.kind, post.circle_id, changed["body"])
    if (title, body) != (post.title, post.body) and post.status not in _UNSEEN:
        keep_revision(uow, caller, post)
    if "tags" in changed:
        refile_under_tags(uow, post.circle_id, post.id, read_paths(changed["tags"]))
    access = changed.get("access")
    gate = read_gate(uow, standing, access, Gate(post.access_level, post.access_tier_id))
    if "attachments" in changed:
        show_attachments(uow, caller, post, changed["attachments"])
    post.title, post.body = title, body
    post.access_level, post.access_tier_id = gate
    post.excerpt = (access or {}).get("excerpt", post.excerpt)
    require_content(post)
    if post.published_at is not None:
        post.edited_at = uow.now


def _move_draft(
    uow: UnitOfWork, standing: Standing, post: Post, *, publish_at: datetime | None, draft: bool | None
) -> None:
    if draft:
        publishing.keep_draft(uow, post)
    elif publish_at is not None:
        publishing.schedule(uow, standing, post, publish_at)
    elif draft is False:
        publishing.put_out(uow, standing, post)
    elif post.status == PostStatus.SCHEDULED:
        publishing.words_hold(uow, standing, post)


def _said(post: Post) -> tuple[object, ...]:
    """Return what a search would find in a post."""
    return post.title, post.body, post.excerpt, post.attachments


def _show_edited(uow: UnitOfWork, standing: Standing, post: Post, *, rewritten: bool) -> None:
    """Show the new text, unless a word holds it back: then nobody sees the post until a moderator has looked."""
    if publishing.words_hold(uow, standing, post):
        publishing.hold(uow, post)
        return
    uow.session.flush()
    changes.record(uow, circle_id=post.circle_id, kind="post", item_id=post.id, operation="updated")
    uow.emit(events.PostEdited(post.circle_id, post.id, post.author_id, post.kind, rewritten))
    publishing.tell_mentioned_in(uow, post)
