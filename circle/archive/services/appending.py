"""Filing posts at the end of a column, or of one of its sections."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Integer, Uuid, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm.attributes import flag_modified

from circle.archive.services.arranging import MAX_ITEMS
from circle.archive.services.columns import note_column
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid
from circle.kernel.uow import UnitOfWork
from circle.posts.filing import Column, ColumnItem, ColumnSection

# Positions count through all sections: what stands before them first, then section by section.
_RENUMBER = text("""
UPDATE column_items AS item SET position = placed.position
FROM (
    SELECT item.post_id,
        row_number() OVER (
            ORDER BY section.position NULLS FIRST, section.id, item.position, item.post_id
        ) - 1 AS position
    FROM column_items AS item LEFT JOIN column_sections AS section ON section.id = item.section_id
    WHERE item.column_id = :column_id
) AS placed
WHERE item.column_id = :column_id AND item.post_id = placed.post_id AND item.position <> placed.position
""")


def append_to_column(
    uow: UnitOfWork, caller: Caller, column: Column, post_ids: Sequence[UUID], *, section_id: UUID | None
) -> set[UUID]:
    """File posts at the end of a locked column, or of a section of it; return those that were put there.

    What stands in the column already stays in its place, unless another section is named. Errors: Invalid (unknown
    section, more than `MAX_ITEMS`).
    """
    if section_id is not None:
        _require_section(uow, column, section_id)
    last = select(func.coalesce(func.max(ColumnItem.position), -1)).where(ColumnItem.column_id == column.id)
    begin = uow.session.scalars(last).one() + 1
    rows = (
        func.unnest(
            literal(list(post_ids), ARRAY(Uuid())), literal(list(range(begin, begin + len(post_ids))), ARRAY(Integer()))
        )
        .table_valued("post_id", "position")
        .render_derived()
    )
    source = select(
        literal(column.id, Uuid()), rows.c.post_id, literal(section_id, Uuid()), rows.c.position, literal(uow.now)
    )
    filing = insert(ColumnItem).from_select(["column_id", "post_id", "section_id", "position", "created_at"], source)
    key = ["column_id", "post_id"]
    if section_id is None:
        filing = filing.on_conflict_do_nothing(index_elements=key)
    else:
        filing = filing.on_conflict_do_update(
            index_elements=key,
            set_={"section_id": filing.excluded.section_id, "position": filing.excluded.position},
            where=ColumnItem.section_id.is_distinct_from(filing.excluded.section_id),
        )
    filed = set(uow.session.scalars(filing.returning(ColumnItem.post_id)))
    if filed:
        _settle(uow, caller, column)
    return filed


def _settle(uow: UnitOfWork, caller: Caller, column: Column) -> None:
    items = select(func.count()).select_from(ColumnItem).where(ColumnItem.column_id == column.id)
    if uow.session.scalars(items).one() > MAX_ITEMS:
        raise Invalid.field("column_id", "too_many", f"最多 {MAX_ITEMS} 篇。", f"At most {MAX_ITEMS} posts.")
    uow.session.execute(_RENUMBER, {"column_id": column.id})
    # The row itself has not changed, but what it stands for has: the next version.
    flag_modified(column, "name")
    note_column(uow, caller, "column.file", column, "updated")


def _require_section(uow: UnitOfWork, column: Column, section_id: UUID) -> None:
    found = select(ColumnSection.id).where(ColumnSection.id == section_id, ColumnSection.column_id == column.id)
    if uow.session.scalar(found) is None:
        zh, en = "专栏中没有这个章节。", "There is no such section in this column."
        raise Invalid.field("section_id", "unknown_section", zh, en)
