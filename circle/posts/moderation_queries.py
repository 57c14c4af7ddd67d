"""Reading what moderators work with: the queue of reports and the list of blocked words."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select, tuple_
from sqlalchemy.orm import aliased

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Row
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import Standing, require_permission
from circle.posts.models import BlockedWord, Comment, Post, Report
from circle.posts.policy import hides_asker
from circle.posts.services.reports import COMMENT

# Characters of what is reported that the queue shows.
EXCERPT = 500

_QUEUE = Keyset("reports", {"created_at": datetime, "id": UUID})
_WORDS = Keyset("blocked_words", {"id": UUID})
_BEGINNING = {"created_at": datetime(1, 1, 1, tzinfo=UTC), "id": UUID(int=0)}

_Author, _Reporter, _Resolver = (aliased(User, name=name) for name in ("author", "reporter", "resolver"))
_PLAIN = ("id", "subject_kind", "subject_id", "reason", "note", "outcome", "created_at", "resolved_at")


def _select_reports() -> Select[*tuple[Any, ...]]:
    """Select reports with what they are about: a post, or a comment and the post above it."""
    subject_is_comment = and_(Report.subject_kind == COMMENT, Comment.id == Report.subject_id)
    return (
        select(
            *(getattr(Report, name) for name in _PLAIN),
            Post.id.label("post_id"),
            Post.title,
            Post.anonymous,
            Post.author_id.label("asker_id"),
            func.left(func.coalesce(Comment.body, Post.body), EXCERPT).label("body"),
            func.coalesce(Comment.status, Post.status).label("status"),
            *_person(_Author, "author"),
            *_person(_Reporter, "reporter"),
            *_person(_Resolver, "resolver"),
        )
        .outerjoin(Comment, subject_is_comment)
        .join(Post, Post.id == func.coalesce(Comment.post_id, Report.subject_id))
        .join(_Author, _Author.id == func.coalesce(Comment.author_id, Post.author_id))
        .join(_Reporter, _Reporter.id == Report.reporter_id)
        .outerjoin(_Resolver, _Resolver.id == Report.resolved_by)
    )


def _person(person: Any, name: str) -> tuple[Any, ...]:
    return (
        person.id.label(f"{name}_id"),
        person.display_name.label(f"{name}_name"),
        person.avatar_media_id.label(f"{name}_avatar"),
    )


def reports(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, status: str, cursor: str | None, limit: int) -> Json:
    """Return a page of a circle's reports, those waiting longest first. Errors: MissingPermission, BadCursor."""
    standing = require_permission(uow, caller, circle_id, Permission.MODERATE)
    after = _QUEUE.decode(cursor) if cursor else _BEGINNING
    wanted = (
        _select_reports()
        .where(
            Report.circle_id == circle_id,
            Report.outcome.is_(None) if status == "open" else Report.outcome.is_not(None),
            tuple_(Report.created_at, Report.id) > (after["created_at"], after["id"]),
        )
        .order_by(Report.created_at, Report.id)
        .limit(limit + 1)
    )
    rows = [row._asdict() for row in uow.session.execute(wanted)]
    page, next_cursor = _QUEUE.page(rows, limit)
    return {"items": [_report_card(row, standing) for row in page], "next_cursor": next_cursor}


def _report_card(row: Row, standing: Standing) -> Json:
    hidden = row["author_id"] == row["asker_id"] and hides_asker(standing, row["asker_id"], anonymous=row["anonymous"])
    subject = {
        "kind": row["subject_kind"],
        "id": row["subject_id"],
        **{name: row[name] for name in ("post_id", "title", "body", "status")},
        "author": None if hidden else _card(row, "author"),
    }
    return {
        **{name: row[name] for name in _PLAIN},
        "subject": subject,
        "reporter": _card(row, "reporter"),
        "resolved_by": _card(row, "resolver"),
    }


def _card(row: Row, name: str) -> Json | None:
    user_id = row[f"{name}_id"]
    return None if user_id is None else user_card(user_id, row[f"{name}_name"], row[f"{name}_avatar"])


def blocked_words(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of the words a circle does not want, as they were added. Errors: MissingPermission, BadCursor."""
    require_permission(uow, caller, circle_id, Permission.MODERATE)
    after = _WORDS.decode(cursor) if cursor else _BEGINNING
    listed = (
        select(BlockedWord.id, BlockedWord.word, BlockedWord.action, BlockedWord.created_at)
        .where(BlockedWord.circle_id == circle_id, BlockedWord.id > after["id"])
        .order_by(BlockedWord.id)
        .limit(limit + 1)
    )
    page, next_cursor = _WORDS.page([row._asdict() for row in uow.session.execute(listed)], limit)
    return {"items": page, "next_cursor": next_cursor}
