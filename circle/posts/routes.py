"""HTTP of posts. What is said below them stands in `discussion_routes.py`."""

from uuid import UUID

from circle.kernel.caller import Caller
from circle.kernel.changes import ChangesLost
from circle.kernel.db import Json
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.media.errors import StorageFull
from circle.memberships.errors import (
    MEMBERS_ONLY,
    Banned,
    CircleClosed,
    MembershipExpired,
    MissingPermission,
    Muted,
    NotAMember,
    TooNew,
)
from circle.posts import errors, queries, schemas
from circle.posts.discussion_errors import AnonymousNotAllowed
from circle.posts.page_queries import page_gate
from circle.posts.policy import circle_gate, post_gate
from circle.posts.services import changes, publishing, trash, writing
from circle.web.limits import Limit
from circle.web.pagination import PageArgs, page_of
from circle.web.routes import Routes

of_circle = Routes("posts", "What is written in a circle.", gate=circle_gate, errors=MEMBERS_ONLY)
of_post = Routes("post", "One post.", gate=post_gate, errors=MEMBERS_ONLY)
ROUTES = (of_circle, of_post)

POSTING = (Limit("posting", "20/minute"), Limit("posting", "300/day"))
# Each keeps what it replaces. A draft may be saved every second or two while somebody writes.
EDITING = (Limit("editing", "60/minute"), Limit("editing", "5000/day"))
SPEAKING = (NotAMember, MembershipExpired, Banned, Muted, TooNew, CircleClosed)


@of_circle.post(
    "/circles/<uuid:circle_id>/posts",
    body=schemas.PostIn,
    answer=schemas.PostOut,
    hot=True,
    status=201,
    limits=POSTING,
    errors=(*SPEAKING, StorageFull, MissingPermission, AnonymousNotAllowed),
)
def write_post(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Write a talk, an article or a question."""
    post = writing.write_post(uow, caller, circle_id, **body)
    return queries.own_post(uow, caller, post, tags=body.get("tags", ()))


@of_circle.get(
    "/circles/<uuid:circle_id>/posts",
    public=True,
    query=schemas.FeedArgs,
    answer=page_of(schemas.PostOut),
    hot=True,
    errors=(Banned, NotAMember),
)
def list_posts(uow: UnitOfWork, caller: Caller | None, circle_id: UUID, query: Json) -> Json:
    """A circle's posts, newest first.

    What you may not open comes locked. Long bodies come with their beginning and `truncated: true`.
    """
    return queries.feed(uow, caller, circle_id, **query)


@of_circle.get(
    "/circles/<uuid:circle_id>/changes",
    query=PageArgs,
    answer=schemas.ChangePage,
    hot=True,
    errors=(Banned, ChangesLost),
)
def list_changes(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """What was created, updated or deleted since a cursor, oldest first, for clients that work offline.

    A change may come more than once: take the item as it is shown. Your own rights may change without a word here:
    load anew when your membership does.
    """
    return changes.since(uow, caller, circle_id, **query)


@of_post.get("/posts/<uuid:post_id>", public=True, answer=schemas.PostOut, hot=True, gate=page_gate, errors=(Banned,))
def get_post(uow: UnitOfWork, caller: Caller | None, post_id: UUID) -> Json:
    """One post in full; its teaser where it is locked for you."""
    return queries.post(uow, caller, post_id)


@of_post.patch(
    "/posts/<uuid:post_id>",
    body=schemas.PostPatch,
    answer=schemas.PostOut,
    hot=True,
    versioned=True,
    limits=EDITING,
    errors=(*SPEAKING, StorageFull, MissingPermission, errors.NotTheAuthor, WrongState),
)
def edit_post(uow: UnitOfWork, caller: Caller, post_id: UUID, body: Json, version: int | None) -> Json:
    """Change a post, or publish a draft; what it said before is kept."""
    writing.edit_post(uow, caller, post_id, version=version, **body)
    return queries.post(uow, caller, post_id)


@of_post.delete("/posts/<uuid:post_id>", status=204, errors=(NotAMember, MembershipExpired, Banned, MissingPermission))
def trash_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Put a post into the trash, where it can be restored for 30 days."""
    trash.trash_post(uow, caller, post_id)


@of_post.post(
    "/posts/<uuid:post_id>/restore",
    answer=schemas.PostOut,
    hot=True,
    errors=(NotAMember, MembershipExpired, Banned, MissingPermission, WrongState, errors.RestoreTooLate),
)
def restore_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> Json:
    """Bring a post back from the trash."""
    trash.restore_post(uow, caller, post_id)
    return queries.post(uow, caller, post_id)


@of_post.get(
    "/posts/<uuid:post_id>/revisions",
    query=PageArgs,
    answer=page_of(schemas.RevisionOut),
    errors=(Banned, MissingPermission),
)
def list_revisions(uow: UnitOfWork, caller: Caller, post_id: UUID, query: Json) -> Json:
    """What a post said before its edits, latest first; for its author and moderators."""
    return queries.revisions(uow, caller, post_id, **query)


@of_post.put("/posts/<uuid:post_id>/hidden", status=204, errors=(MissingPermission, WrongState))
def hide_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Take a post out of sight, as a moderator."""
    trash.hide_post(uow, caller, post_id)


@of_post.delete("/posts/<uuid:post_id>/hidden", status=204, errors=(MissingPermission, WrongState))
def unhide_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Put a hidden post back in sight, as a moderator."""
    trash.unhide_post(uow, caller, post_id)


@of_post.post("/posts/<uuid:post_id>/approve", answer=schemas.PostOut, hot=True, errors=(MissingPermission, WrongState))
def approve_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> Json:
    """Let a post pass that a blocked word holds back, as a moderator (`?status=review` lists them)."""
    publishing.approve_post(uow, caller, post_id)
    return queries.post(uow, caller, post_id)
