"""The order of a column: all of it in one request, sections included, written in a few statements."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Integer, Uuid, any_, delete, func, literal, null, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm.attributes import flag_modified

from circle.archive.policy import require_filed_column
from circle.archive.services.columns import note_column
from circle.kernel.caller import Caller
from circle.kernel.errors import FieldError, Invalid, StaleVersion
from circle.kernel.ids import new_id
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.posts.filing import Column, ColumnItem, ColumnSection
from circle.posts.models import Post, PostStatus

MAX_ITEMS = 10_000
MAX_SECTIONS = 500

_SEEN_BY_STAFF = [
    str(one) for one in (PostStatus.PUBLISHED, PostStatus.SCHEDULED, PostStatus.REVIEW, PostStatus.HIDDEN)
]
_UNKNOWN_POST = Text("星球中没有这篇内容。", "There is no such post in this circle.")
_TWICE = Text("同一篇内容出现了两次。", "The same post stands here twice.")


class Placed(NamedTuple):
    """A post that was asked for, its section's index (None: before all sections), and its field for errors."""

    post_id: UUID
    section: int | None
    field: str


def arrange_column(
    uow: UnitOfWork,
    caller: Caller,
    column_id: UUID,
    *,
    version: int | None,
    post_ids: Sequence[UUID] = (),
    sections: Sequence[Mapping[str, Any]] = (),
) -> Column:
    """Let a column hold exactly these posts in this order; `post_ids` stand before the sections.

    A section with the id of one that is there keeps it, under its new name. Posts that are not published stay filed
    though they are not named, since whoever arranges does not see them. Errors: StaleVersion, Invalid (unknown or
    doubled posts, unknown sections, more than `MAX_ITEMS`).
    """
    column, _standing = require_filed_column(uow, caller, column_id)
    if version is not None and version != column.version:
        raise StaleVersion
    placed = _placed(post_ids, sections)
    _require_posts(uow, caller, column, placed)
    section_ids = _settle_sections(uow, column_id, sections)
    _drop_others(uow, column_id, [one.post_id for one in placed])
    _write_items(uow, column_id, placed, section_ids)
    uow.session.execute(
        delete(ColumnSection).where(ColumnSection.column_id == column_id, ColumnSection.id.not_in(section_ids))
    )
    # The row itself has not changed, but what it stands for has: the next version.
    flag_modified(column, "name")
    note_column(uow, caller, "column.arrange", column, "updated")
    return column


def _placed(post_ids: Sequence[UUID], sections: Sequence[Mapping[str, Any]]) -> list[Placed]:
    placed = [Placed(one, None, f"post_ids.{at}") for at, one in enumerate(post_ids)]
    for number, section in enumerate(sections):
        inside = enumerate(section["post_ids"])
        placed += [Placed(one, number, f"sections.{number}.post_ids.{at}") for at, one in inside]
    if len(placed) > MAX_ITEMS:
        zh, en = f"最多 {MAX_ITEMS} 篇。", f"At most {MAX_ITEMS} posts."
        raise Invalid.field("post_ids", "too_many", zh, en)
    return placed


def _require_posts(uow: UnitOfWork, caller: Caller, column: Column, placed: Sequence[Placed]) -> None:
    """Refuse posts that are not the circle's, others' drafts, and posts named twice."""
    wanted = [one.post_id for one in placed]
    seen = or_(Post.status.in_(_SEEN_BY_STAFF), Post.author_id == caller.user_id)
    known = set(
        uow.session.scalars(
            select(Post.id).where(
                Post.id == any_(literal(wanted, ARRAY(Uuid()))),
                Post.circle_id == column.circle_id,
                Post.status != PostStatus.TRASHED,
                seen,
            )
        )
    )
    met: set[UUID] = set()
    errors = []
    for one in placed:
        if one.post_id not in known:
            errors.append(FieldError(one.field, "unknown_post", _UNKNOWN_POST))
        elif one.post_id in met:
            errors.append(FieldError(one.field, "doubled", _TWICE))
        met.add(one.post_id)
    if errors:
        raise Invalid(*errors[:100])


def _settle_sections(uow: UnitOfWork, column_id: UUID, sections: Sequence[Mapping[str, Any]]) -> list[UUID]:
    """Rename, order and add sections; return their ids in order."""
    found = uow.session.scalars(select(ColumnSection).where(ColumnSection.column_id == column_id))
    present = {one.id: one for one in found}
    ids: list[UUID] = []
    for position, wanted in enumerate(sections):
        section_id = wanted.get("id") or new_id()
        if wanted.get("id") is not None and (section_id not in present or section_id in ids):
            zh, en = "专栏中没有这个章节。", "There is no such section in this column."
            raise Invalid.field(f"sections.{position}.id", "unknown_section", zh, en)
        section = present.get(section_id) or ColumnSection(id=section_id, column_id=column_id)
        section.name, section.position = wanted["name"], position
        uow.session.add(section)
        ids.append(section_id)
    uow.session.flush()
    return ids


def _drop_others(uow: UnitOfWork, column_id: UUID, kept: Sequence[UUID]) -> None:
    """Take out published posts that are not named; others stay, before the sections."""
    others = ColumnItem.post_id != func.all(literal(list(kept), ARRAY(Uuid())))
    published = select(Post.id).where(Post.id == ColumnItem.post_id, Post.status == PostStatus.PUBLISHED).exists()
    quiet = {"synchronize_session": False}
    uow.session.execute(
        delete(ColumnItem).where(ColumnItem.column_id == column_id, others, published).execution_options(**quiet)
    )
    uow.session.execute(
        update(ColumnItem).where(ColumnItem.column_id == column_id).values(section_id=null()).execution_options(**quiet)
    )


def _write_items(uow: UnitOfWork, column_id: UUID, placed: Sequence[Placed], section_ids: Sequence[UUID]) -> None:
    if not placed:
        return
    rows = (
        func.unnest(
            literal([one.post_id for one in placed], ARRAY(Uuid())),
            literal([None if one.section is None else section_ids[one.section] for one in placed], ARRAY(Uuid())),
            literal(list(range(len(placed))), ARRAY(Integer())),
        )
        .table_valued("post_id", "section_id", "position")
        .render_derived()
    )
    columns = ["column_id", "post_id", "section_id", "position", "created_at"]
    source = select(literal(column_id, Uuid()), rows.c.post_id, rows.c.section_id, rows.c.position, literal(uow.now))
    writing = insert(ColumnItem).from_select(columns, source)
    uow.session.execute(
        writing.on_conflict_do_update(
            index_elements=["column_id", "post_id"],
            set_={"section_id": writing.excluded.section_id, "position": writing.excluded.position},
        )
    )
